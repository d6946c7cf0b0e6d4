#include "node/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUSY_WAIT_MS = 500, BUSY_TICK_MS = 5 };

/* A file would be overwritten, byte by byte.  A pipe is what stands for a device where there is none. */
static bool may_be_written(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && (S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode));
}

int watchdog_open(const char *path, char *note, size_t size)
{
    int fd = -1;
    /* A guard before us has ended a moment ago.  Not to be blocked by whatever else lies there, either. */
    for (int ms = 0; ms < BUSY_WAIT_MS; ms += BUSY_TICK_MS) {
        fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd >= 0 || errno != EBUSY)
            break;
        poll(NULL, 0, BUSY_TICK_MS);
    }
    if (fd < 0) {
        const char *hint = errno == EBUSY ? "Another process feeds it; systemd does with RuntimeWatchdogSec."
                                          : "Load its driver, and let the user that pgmesh runs as open it.";
        snprintf(note, size, "could not open watchdog \"%s\": %s\nHINT:  %s", path, strerror(errno), hint);
        return -1;
    }
    if (!may_be_written(fd)) {
        snprintf(note, size, "could not use watchdog \"%s\": it is no character device", path);
        close(fd);
        return -1;
    }
    int s = WATCHDOG_TIMEOUT_S;
    if (ioctl(fd, WDIOC_SETTIMEOUT, &s) == 0 || ioctl(fd, WDIOC_GETTIMEOUT, &s) == 0)
        snprintf(note, size, "watchdog \"%s\" resets this host when nothing feeds it for %d s", path, s);
    else
        snprintf(note, size, "watchdog \"%s\" does not tell its timeout: %s", path, strerror(errno));
    return fd;
}

bool watchdog_feed(int fd)
{
    return write(fd, "k", 1) == 1;
}

bool watchdog_close(int fd, bool stop)
{
    bool stopped = !stop || write(fd, "V", 1) == 1;
    close(fd);
    return stopped;
}
