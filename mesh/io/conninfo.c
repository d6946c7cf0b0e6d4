#include "mesh/io/conninfo.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct text {
    char *out;
    size_t used;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->out + t->used, CONNINFO_SIZE - t->used, format, args);
    va_end(args);
    assert(n >= 0 && (size_t)n < CONNINFO_SIZE - t->used);
    t->used += (size_t)n;
}

static void put_list(struct text *t, const struct address *hosts, int n, bool ports)
{
    for (int i = 0; i < n; i++) {
        const char *comma = i ? "," : "";
        if (ports)
            put(t, "%s%u", comma, hosts[i].port);
        else
            put(t, "%s%s", comma, hosts[i].host);
    }
}

/* connect_timeout has a floor of 2 s and counts for each host; keepalives and tcp_user_timeout end a connection whose
 * server is gone without a word. */
static void put_settings(struct text *t, const char *attrs, const char *between)
{
    put(t,
        "target_session_attrs=%s%sconnect_timeout=2%skeepalives_idle=1%skeepalives_interval=1%s"
        "keepalives_count=3%stcp_user_timeout=1500",
        attrs, between, between, between, between, between);
}

size_t conninfo_print(char out[static CONNINFO_SIZE], enum conninfo_format f, enum conninfo_want want,
                      const struct address *hosts, int n)
{
    struct text t = {out, 0};
    const char *attrs = want == CONNINFO_READ_WRITE ? "read-write" : "prefer-standby";
    char address[ADDRESS_TEXT_SIZE];
    assert(n >= 1 && n <= CONNINFO_HOSTS_MAX);
    switch (f) {
    case CONNINFO_KEYWORDS:
        put(&t, "host=");
        put_list(&t, hosts, n, false);
        put(&t, " port=");
        put_list(&t, hosts, n, true);
        put(&t, " ");
        put_settings(&t, attrs, " ");
        put(&t, "\n");
        break;
    case CONNINFO_URI:
        put(&t, "postgresql://");
        for (int i = 0; i < n; i++)
            put(&t, "%s%s", i ? "," : "", address_print(address, &hosts[i]));
        put(&t, "/?");
        put_settings(&t, attrs, "&");
        put(&t, "\n");
        break;
    case CONNINFO_HOST:
        for (int i = 0; i < n; i++)
            put(&t, "%s\n", hosts[i].host);
        break;
    case CONNINFO_ENV:
        put(&t, "PGHOST=");
        put_list(&t, hosts, n, false);
        put(&t, "\nPGPORT=");
        put_list(&t, hosts, n, true);
        put(&t, "\nPGTARGETSESSIONATTRS=%s\nPGCONNECT_TIMEOUT=2\n", attrs);
        break;
    }
    return t.used;
}
