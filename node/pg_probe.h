/* pg_probe.h: how PostgreSQL is, asked all the time on three threads of their own.
 *
 * SELECT 1, pg_isready and pg_is_in_recovery() look healthy on a frozen disk, so a primary's health is a session that
 * writes and flushes (a logical message: it takes no lock and needs no table), locally, with a deadline.  A kept session
 * does not notice a hung postmaster, so a new one is opened every second.  Neither counts as a failure while the guard
 * holds PostgreSQL frozen, nor when it lives but lets nobody in (connections used up, a changed password). */
#ifndef PGMESH_NODE_PG_PROBE_H
#define PGMESH_NODE_PG_PROBE_H

/* Bodies of the threads; the argument is the hand. */
void *pg_probe_writer(void *hand);
void *pg_probe_fresh(void *hand);
void *pg_probe_status(void *hand);

#endif
