#define _GNU_SOURCE
#include "mesh/http/exchange.h"

#include "mesh/http/answer.h"
#include "mesh/http/client_cert.h"
#include "mesh/io/log.h"

#include <jansson.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* ---- who may ----------------------------------------------------------------------------------------------------------- */

static const char *header_of(const struct exchange *x, const char *name)
{
    return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

/* Who shows a client certificate that counts; NULL, and perhaps why it does not. */
static const struct token *by_certificate(struct exchange *x, const char **why)
{
    struct http *h = x->server->http;
    char name[NAME_SIZE];
    const union MHD_ConnectionInfo *tls =
        h->client_certificates ? MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION)
                               : NULL;
    enum client_cert shown = tls != NULL && tls->tls_session != NULL
                                 ? client_cert_look(tls->tls_session, name, why)
                                 : CLIENT_CERT_NONE;
    const struct token *user = shown == CLIENT_CERT_GOOD ? token_of_certificate(&h->tokens, name) : NULL;
    if (shown == CLIENT_CERT_GOOD && user == NULL)
        *why = "the file of tokens has no line for the certificate's name";
    h->counters.refused_token += *why != NULL;
    return user;
}

/* A token says more than a certificate: it is shown on purpose.  `why` says what is wrong with what was shown. */
static void find_user(struct exchange *x, const char **why)
{
    const char *header = header_of(x, "Authorization"), *token = token_of_header(header);
    if (header == NULL) {
        x->request.user = by_certificate(x, why);
        return;
    }
    x->request.user = token != NULL ? token_find(&x->server->http->tokens, token) : NULL;
    x->server->http->counters.refused_token += x->request.user == NULL;
}

static bool refuse_token(struct exchange *x, const char *what)
{
    if (x->request.method == METHOD_POST)
        log_event(LOG_LEVEL_WARNING, "http-refused", "%s %s from %s: %s", "POST", x->route->path, x->peer,
                  what);
    answer_error(&x->reply, 401, "unauthorized", what,
                 x->server->http->client_certificates
                     ? "The header \"Authorization: Bearer TOKEN\" is wanted, or a client certificate."
                     : "The header \"Authorization: Bearer TOKEN\" is wanted.",
                 "Tokens are made with \"pgmesh-http --make-token NAME:ROLE\" and listed in the file that "
                 "http_tokens names.");
    return false;
}

/* A browser shows its certificate whatever page makes it ask; it always says that one did. */
static bool by_a_page(const struct exchange *x)
{
    return x->request.user != NULL && x->request.user->certificate && x->request.method == METHOD_POST &&
           (header_of(x, "Origin") != NULL || header_of(x, "Sec-Fetch-Site") != NULL);
}

static bool refuse_role(struct exchange *x, const char *fact, const char *detail, const char *hint)
{
    x->server->http->counters.refused_role++;
    answer_error(&x->reply, 403, "permission", fact, detail, hint);
    return false;
}

/* `why`: what is wrong with what was shown, or NULL. */
static bool may(struct exchange *x, const char *why)
{
    static const enum token_role least[] = {[ACCESS_OPEN] = TOKEN_NOBODY,
                                            [ACCESS_READ] = TOKEN_NOBODY,
                                            [ACCESS_VIEW] = TOKEN_VIEWER,
                                            [ACCESS_OPERATE] = TOKEN_OPERATOR,
                                            [ACCESS_ADMIN] = TOKEN_ADMIN};
    struct http *h = x->server->http;
    enum access access = x->route->access;
    if (access == ACCESS_READ && h->config->http_read == CONFIG_HTTP_READ_TOKEN)
        access = ACCESS_VIEW;
    enum token_role role = x->request.user != NULL ? x->request.user->role : TOKEN_NOBODY;
    if (least[access] == TOKEN_NOBODY)
        return true;
    if (!h->tls && !x->local)
        return refuse_role(x, "a token is accepted over TLS only, or from this host",
                           "It would cross the network readable to all.",
                           "Set http_tls_cert and http_tls_key.");
    if (role == TOKEN_NOBODY)
        return refuse_token(x, why != NULL ? why : "no valid token was shown");
    if (by_a_page(x))
        return refuse_role(x, "an order by certificate is not taken from a browser",
                           "A page of others could give it in your name.", "Use a program, or a token.");
    if (role >= least[access])
        return true;
    log_event(LOG_LEVEL_WARNING, "http-refused", "%s from %s: %s is %s only", x->route->path, x->peer,
              x->request.user->name, token_role_name(role));
    return refuse_role(x,
                       x->request.user->certificate ? "this certificate's role does not allow that"
                                                    : "this token's role does not allow that",
                       token_role_name(role), "The line in the file of tokens names the role.");
}

/* ---- what is asked ----------------------------------------------------------------------------------------------------- */

static bool bad_request(struct exchange *x, const char *fact, const char *detail, const char *hint)
{
    x->server->http->counters.malformed++;
    answer_error(&x->reply, 400, "usage", fact, detail, hint);
    return false;
}

static enum MHD_Result take_argument(void *arg, enum MHD_ValueKind kind, const char *key, const char *value)
{
    struct exchange *x = arg;
    struct health_limits *l = &x->request.limits;
    (void)kind;
    if (strcmp(key, "lag") == 0 || strcmp(key, "lag_ms") == 0) {
        bool time = key[3] != '\0';
        long long n = value == NULL ? -1 : time ? health_ms(value) : health_bytes(value);
        *(time ? &l->lag_ms : &l->lag_bytes) = n;
        if (n < 0)
            return bad_request(x, "the limit of the lag is not understood", value,
                               "lag=10MB is in bytes (kB, MB, GB); lag_ms=500 or lag_ms=2s is a time.")
                       ? MHD_YES
                       : MHD_NO;
    } else if (strcasestr(key, "token") != NULL || strcasecmp(key, "authorization") == 0) {
        return bad_request(x, "a token does not belong into an address",
                           "Addresses end up in logs: it should be replaced.",
                           "Send the header \"Authorization: Bearer TOKEN\".")
                   ? MHD_YES
                   : MHD_NO;
    }
    return MHD_YES; /* others, as Patroni's tags, are passed over */
}

static bool read_body(struct exchange *x)
{
    json_error_t error;
    x->body[x->body_len] = '\0';
    size_t n = strspn(x->body, " \t\r\n");
    if (x->discarded > 0) {
        x->server->http->counters.too_large++;
        answer_error(&x->reply, 413, "usage", "the body is too long", NULL,
                     "No request here needs more than a few hundred bytes.");
        return false;
    }
    if (x->request.method != METHOD_POST)
        return true;
    x->request.body =
        n >= x->body_len ? json_object() : json_loadb(x->body, x->body_len, JSON_REJECT_DUPLICATES, &error);
    if (json_is_object(x->request.body))
        return true;
    return bad_request(x, "the body is not a JSON object", NULL,
                       "For example {\"candidate\": \"db2\"}; /openapi.json tells more.");
}

bool exchange_judge(struct exchange *x)
{
    struct http *h = x->server->http;
    if (x->route == NULL) {
        h->counters.not_found++;
        answer_error(&x->reply, 404, "not_found", "there is nothing at this path", NULL,
                     "/openapi.json lists what there is.");
        return false;
    }
    if ((x->route->methods & x->request.method) == 0) {
        answer_error(&x->reply, 405, "usage", "this path does not take that method", NULL,
                     x->route->methods & METHOD_POST ? "It takes POST." : "It takes GET, HEAD and OPTIONS.");
        return false;
    }
    const char *why = NULL;
    find_user(x, &why);
    return may(x, why) && read_body(x) &&
           MHD_get_connection_values(x->connection, MHD_GET_ARGUMENT_KIND, take_argument, x) >= 0 &&
           x->reply.status == 0;
}

static bool is_loopback(const struct sockaddr *a)
{
    const uint8_t *six = ((const struct sockaddr_in6 *)(const void *)a)->sin6_addr.s6_addr;
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (a->sa_family == AF_INET)
        return (ntohl(((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr) >> 24) == 127;
    return a->sa_family == AF_INET6 && (memcmp(six, in6addr_loopback.s6_addr, 16) == 0 ||
                                        (memcmp(six, mapped, 12) == 0 && six[12] == 127));
}

static bool same_address(const struct sockaddr *a, const struct sockaddr *b)
{
    if (a->sa_family == AF_INET && b->sa_family == AF_INET)
        return ((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr ==
               ((const struct sockaddr_in *)(const void *)b)->sin_addr.s_addr;
    return a->sa_family == AF_INET6 && b->sa_family == AF_INET6 &&
           memcmp(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr,
                  &((const struct sockaddr_in6 *)(const void *)b)->sin6_addr, sizeof(struct in6_addr)) == 0;
}

/* A connection between one address and itself never left the host: the kernel takes no such packet from outside. */
bool exchange_is_local(const struct sockaddr *peer, int fd)
{
    struct sockaddr_storage own;
    socklen_t size = sizeof own;
    return is_loopback(peer) || (getsockname(fd, (struct sockaddr *)&own, &size) == 0 &&
                                 same_address(peer, (const struct sockaddr *)&own));
}
