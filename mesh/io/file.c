#define _GNU_SOURCE
#include "mesh/io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_link(const char *path, int rules, struct problem *err)
{
    problem_fact(err, "could not open \"%s\": it is a symbolic link", path);
    return problem_hint(err, "%s is not followed through one: name the file itself.",
                        rules & FILE_SECRET ? "A secret" : "What a member rests on");
}

static bool judge(const char *path, int rules, size_t max, const struct stat *st, struct problem *err)
{
    if (!S_ISREG(st->st_mode))
        return problem_fact(err, "\"%s\" is not a regular file", path);
    if (st->st_uid != 0 && st->st_uid != geteuid()) {
        problem_fact(err, "\"%s\" belongs to another user", path);
        problem_detail(err, "Its owner is uid %u; it must be root or uid %u.", (unsigned)st->st_uid,
                       (unsigned)geteuid());
        return problem_hint(err, "Whoever owns it can change it: chown it.");
    }
    if (st->st_mode & S_IWOTH) {
        problem_fact(err, "\"%s\" can be written by everybody", path);
        return problem_hint(err, "chmod o-w %s", path);
    }
    if ((rules & FILE_SECRET) && (st->st_mode & (S_IRWXG | S_IRWXO))) {
        problem_fact(err, "\"%s\" can be read by others", path);
        problem_detail(err, "Its mode is %04o; it holds a secret.", (unsigned)st->st_mode & 07777);
        return problem_hint(err, "chmod 0600 %s", path);
    }
    if ((uint64_t)st->st_size > max) {
        problem_fact(err, "\"%s\" is too large", path);
        return problem_detail(err, "It has %lld bytes; at most %zu are read.", (long long)st->st_size, max);
    }
    return true;
}

/* Up to max bytes; one more is asked for, to notice a file that grew after it was looked at. */
static char *slurp(int fd, const char *path, size_t max, size_t *n, struct problem *err)
{
    size_t room = 4096, used = 0;
    char *text = malloc(room + 1);
    for (;;) {
        ssize_t got = text ? read(fd, text + used, room - used) : -1;
        if (got < 0 && text && errno == EINTR)
            continue;
        if (got < 0) {
            problem_fact(err, "could not read \"%s\": %s", path, strerror(errno));
            free(text);
            return NULL;
        }
        used += (size_t)got;
        if (used > max) {
            problem_fact(err, "\"%s\" is too large", path);
            free(text);
            return NULL;
        }
        if (got == 0)
            break;
        if (used == room) {
            char *more = realloc(text, (room *= 2) + 1);
            if (more == NULL)
                free(text);
            text = more;
        }
    }
    text[used] = '\0';
    *n = used;
    return text;
}

char *file_read(const char *path, int rules, size_t max, size_t *n, struct problem *err)
{
    struct stat st;
    char *text = NULL;
    bool itself = rules & (FILE_SECRET | FILE_ITSELF);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (itself ? O_NOFOLLOW : 0));
    if (fd < 0) {
        if (errno == ELOOP && itself)
            is_link(path, rules, err);
        else
            problem_fact(err, "could not open \"%s\": %s", path, strerror(errno));
        return NULL;
    }
    if (fstat(fd, &st) != 0)
        problem_fact(err, "could not stat \"%s\": %s", path, strerror(errno));
    else if (judge(path, rules, max, &st, err))
        text = slurp(fd, path, max, n, err);
    close(fd);
    if (text && (rules & FILE_TEXT) && memchr(text, '\0', *n)) {
        problem_fact(err, "\"%s\" contains a NUL byte", path);
        problem_hint(err, "It is not a text file, or it was damaged.");
        free(text);
        return NULL;
    }
    return text;
}

bool file_path(char out[static FILE_PATH_SIZE], const char *folder, const char *path)
{
    int n = path[0] == '/' ? snprintf(out, FILE_PATH_SIZE, "%s", path)
                           : snprintf(out, FILE_PATH_SIZE, "%s/%s", folder, path);
    return n < FILE_PATH_SIZE;
}

bool file_write_all(int fd, const void *bytes, size_t n)
{
    const uint8_t *at = bytes;
    while (n > 0) {
        ssize_t done = write(fd, at, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        at += done;
        n -= (size_t)done;
    }
    return true;
}

static bool sync_folder_of(const char *path)
{
    char folder[FILE_PATH_SIZE];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash == folder)
        slash++;
    if (slash)
        *slash = '\0';
    int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return good;
}

static bool replace(const char *path, const void *bytes, size_t n, mode_t mode, bool sync,
                    struct problem *err)
{
    char temporary[FILE_PATH_SIZE + 8];
    snprintf(temporary, sizeof temporary, "%s.tmp", path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return problem_fact(err, "could not create \"%s\": %s", temporary, strerror(errno));
    bool good = fchmod(fd, mode) == 0 && file_write_all(fd, bytes, n) && (!sync || fsync(fd) == 0);
    int why = errno;
    close(fd);
    if (good && rename(temporary, path) != 0)
        good = false, why = errno;
    if (!good) {
        unlink(temporary);
        return problem_fact(err, "could not write \"%s\": %s", path, strerror(why));
    }
    if (sync && !sync_folder_of(path))
        return problem_fact(err, "could not sync the folder of \"%s\": %s", path, strerror(errno));
    return true;
}

bool file_replace(const char *path, const void *bytes, size_t n, mode_t mode, struct problem *err)
{
    return replace(path, bytes, n, mode, true, err);
}

bool file_replace_at_once(const char *path, const void *bytes, size_t n, mode_t mode, struct problem *err)
{
    return replace(path, bytes, n, mode, false, err);
}

bool file_rename(const char *from, const char *to, struct problem *err)
{
    if (rename(from, to) != 0)
        return problem_fact(err, "could not rename \"%s\" to \"%s\": %s", from, to, strerror(errno));
    return sync_folder_of(to) ||
           problem_fact(err, "could not sync the folder of \"%s\": %s", to, strerror(errno));
}
