/* dial.h: the half of pgmesh-http that keeps its privileges: it connects to the member's control socket and hands the
 * connection over, and does nothing else.
 *
 * The socket lets in root and the member's own user only (control.h).  The half that speaks to the network must be
 * neither, so it asks this one: a byte over a pair of sockets is answered with a byte, and with a descriptor when it
 * could be had.  What goes over the connection is not looked at: whatever changes something there must be signed. */
#ifndef PGMESH_HTTP_DIAL_H
#define PGMESH_HTTP_DIAL_H

#include <stdbool.h>

/* The privileged half: answers requests on `channel` until the other end is closed.  Returns early, with `false`, when
 * a signal interrupts it and *stop is set. */
bool dial_serve(int channel, const char *socket_path, const volatile int *stop);

/* The other half.  Asks for one connection; false: the channel is gone. */
bool dial_ask(int channel);
/* The next answer, in the order asked: 1 with *fd (non-blocking) or *fd -1 and *error; 0: not there yet; -1: the channel
 * is gone. */
int dial_receive(int channel, int *fd, int *error);

#endif
