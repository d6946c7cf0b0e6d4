/* process.h: makes a process fit for deadlines: real-time priority, locked memory, no OOM kill, enough descriptors; and for
 * whoever started it: descriptors that were closed, an output that cannot be written. */
#ifndef PGMESH_MESH_IO_PROCESS_H
#define PGMESH_MESH_IO_PROCESS_H

#include <stdbool.h>

/* First in main(): standard input, output and errors that are closed are opened on /dev/null so that reading and writing fail.
 * Without it the first file that is opened would have the number of the log, which would be written into it. */
void process_begin(void);
/* Last in main(), for programs that print: `status`, or 1 when it is 0 and not all of standard output could be written (a full
 * disk, a closed descriptor), which is then said as an error of `program`. */
int process_end(const char *program, int status);

/* No core dump of this process and its children from now on (soft RLIMIT_CORE): it would hold keys.  process_child() gives the
 * former limit back. */
void process_no_core(void);

/* Call in main() before any thread.  Each step is tried and none is required.
 *   - process_no_core(); one malloc arena; RLIMIT_NOFILE raised to its hard limit
 *   - what linking alone needed of the libraries' files is given back; what is used again comes from the page cache
 *   - realtime: SCHED_RR 1 with SCHED_RESET_ON_FORK (threads and children start as ordinary ones),
 *     mlockall(ONFAULT), oom_score_adj -900 (INHERITED by children: undo with process_child())
 * Returns whether real-time priority was granted; ZeroMQ's threads may ask for it only then. */
bool process_harden(bool realtime);
/* In a child, between fork and exec: undoes what is inherited (oom_score_adj, RLIMIT_CORE).  Async-signal-safe. */
void process_child(void);

/* systemd's notify protocol: "READY=1", "WATCHDOG=1", "STATUS=...".  Does nothing without NOTIFY_SOCKET. */
void process_notify(const char *message);

#endif
