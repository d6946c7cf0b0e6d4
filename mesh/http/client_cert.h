/* client_cert.h: whose client certificate a TLS connection showed; alone names GnuTLS.
 *
 * A certificate counts when one of the authorities of http_client_ca signed it, it is valid now, and its purposes, where it
 * names any, include the authentication of a client.  Whose it is says its one common name; what that one may do says the
 * file of tokens (token.h).  Looked at for each request that needs somebody: a certificate that expires in the middle of a
 * connection counts no longer. */
#ifndef PGMESH_HTTP_CLIENT_CERT_H
#define PGMESH_HTTP_CLIENT_CERT_H

#include "policy/base.h"

#include <stdbool.h>

enum client_cert {
    CLIENT_CERT_NONE,    /* none was shown */
    CLIENT_CERT_REFUSED, /* one that does not count */
    CLIENT_CERT_GOOD     /* `name` is whose */
};

/* `session`: libmicrohttpd's handle of the TLS connection.  `why` says what is wrong with one that is refused. */
enum client_cert client_cert_look(void *session, char name[static NAME_SIZE], const char **why);
/* Are these authorities, as PEM, at least one of them? */
bool client_cert_authorities(const char *pem);

#endif
