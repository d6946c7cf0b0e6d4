/* process.h: makes a process fit for deadlines: real-time priority, locked memory, no OOM kill, enough descriptors. */
#ifndef PGMESH_MESH_IO_PROCESS_H
#define PGMESH_MESH_IO_PROCESS_H

#include <stdbool.h>

/* Call in main() before any thread.  Each step is tried and none is required.
 *   - one malloc arena; RLIMIT_NOFILE raised to its hard limit
 *   - what linking alone needed of the libraries' files is given back; what is used again comes from the page cache
 *   - realtime: SCHED_RR 1 with SCHED_RESET_ON_FORK (threads and children start as ordinary ones),
 *     mlockall(ONFAULT), oom_score_adj -900 (INHERITED by children: undo with process_child())
 * Returns whether real-time priority was granted; ZeroMQ's threads may ask for it only then. */
bool process_harden(bool realtime);
/* In a child, between fork and exec: undoes what is inherited (oom_score_adj).  Async-signal-safe. */
void process_child(void);

/* systemd's notify protocol: "READY=1", "WATCHDOG=1", "STATUS=...".  Does nothing without NOTIFY_SOCKET. */
void process_notify(const char *message);

#endif
