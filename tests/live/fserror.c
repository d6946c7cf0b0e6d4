/* fserror.so: a file system that refuses one kind of thing, for the programs of one host.
 *
 * Loaded by LD_PRELOAD; the file named by FSERROR says, in one word, what fails (empty or missing: nothing):
 *
 *     rename   in a folder named `state` a rename finds no room for its directory entry: ENOSPC
 *     quota    the files of that folder may take no more: EDQUOT at the write, which wrote nothing
 *     freeze   the kernel freezes no cgroup: EIO at the write to cgroup.freeze
 *
 * The first two cannot be had from ext4 for a program of root's: it replaces an entry in place, and root is bound by no quota. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int rename(const char *from, const char *to);
int renameat(int from_dir, const char *from, int to_dir, const char *to);
ssize_t write(int fd, const void *bytes, size_t n);

enum { PATH_ROOM = 1024 };

static bool ordered(const char *what)
{
    char text[16] = "";
    const char *path = getenv("FSERROR");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    return n > 0 && strncmp(text, what, strlen(what)) == 0;
}

/* What an open file is called: "/", and its path with another "/" behind it. */
static const char *path_of(int fd, char out[static PATH_ROOM])
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, out, PATH_ROOM - 2);
    out[n > 0 ? n : 0] = '/';
    out[n > 0 ? n + 1 : 1] = '\0';
    return out;
}

static bool in_state(int dir, const char *name)
{
    char path[PATH_ROOM];
    return strstr(name[0] == '/' ? name : path_of(dir, path), "/state/") != NULL;
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    if (in_state(to_dir, to) && ordered("rename")) {
        errno = ENOSPC;
        return -1;
    }
    return (int)syscall(SYS_renameat, from_dir, from, to_dir, to);
}

int rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

ssize_t write(int fd, const void *bytes, size_t n)
{
    char path[PATH_ROOM];
    int error = 0;
    if (fd > 2 && strstr(path_of(fd, path), "/state/") != NULL)
        error = ordered("quota") ? EDQUOT : 0;
    else if (fd > 2 && strstr(path, "/cgroup.freeze/") != NULL)
        error = ordered("freeze") ? EIO : 0;
    if (error) {
        errno = error;
        return -1;
    }
    return (ssize_t)syscall(SYS_write, fd, bytes, n);
}
