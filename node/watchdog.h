/* watchdog.h: the device that resets a host of which nobody tells it for a while that it lives.
 *
 * The kernel's interface (Documentation/watchdog/watchdog-api.rst): opening the device starts it, every byte written puts
 * the reset off by its timeout, 'V' before the close stops it, and a close without it does not.  Only one process may have
 * it open.  The guard is who feeds it: when guard, anchor and agent are all stopped, or the kernel runs nobody any more,
 * nothing else is left that could end a primary. */
#ifndef PGMESH_NODE_WATCHDOG_H
#define PGMESH_NODE_WATCHDOG_H

#include <stdbool.h>
#include <stddef.h>

/* Fed later than that it ends everything on the host; and how often it is to be fed. */
enum { WATCHDOG_TIMEOUT_S = 5, WATCHDOG_TICK_MS = 1000 };

/* Opens and starts it, and asks it for the timeout; -1 when it cannot be had.  The note says what was got, or what is
 * wrong (fact, HINT); it is never empty. */
int watchdog_open(const char *path, char *note, size_t size);

/* False: it was not put off; errno tells why. */
bool watchdog_feed(int fd);

/* With `stop` it is told to reset nobody; false when it was not.  Without, the host is reset unless somebody opens it
 * again in time. */
bool watchdog_close(int fd, bool stop);

#endif
