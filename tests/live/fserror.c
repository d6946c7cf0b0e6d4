/* fserror.so: a file system that has no room for one kind of thing, for one program.
 *
 * Loaded by LD_PRELOAD; the file named by FSERROR says, in one word, what fails (empty or missing: nothing):
 *
 *     rename   a rename finds no room for its directory entry: ENOSPC
 *     quota    a regular file may take no more: EDQUOT at the write, which wrote nothing
 *
 * Neither can be had from ext4 for a program of root's: it replaces an entry in place, and root is bound by no quota. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int rename(const char *from, const char *to);
int renameat(int from_dir, const char *from, int to_dir, const char *to);
ssize_t write(int fd, const void *bytes, size_t n);

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

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    if (ordered("rename")) {
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
    struct stat s;
    if (fd > 2 && fstat(fd, &s) == 0 && S_ISREG(s.st_mode) && ordered("quota")) {
        errno = EDQUOT;
        return -1;
    }
    return (ssize_t)syscall(SYS_write, fd, bytes, n);
}
