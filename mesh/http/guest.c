#include "mesh/http/guest.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

bool guest_open(struct guests *g, int limit)
{
    *g = (struct guests){.limit = limit, .of = calloc((size_t)limit, sizeof *g->of)};
    return g->of != NULL;
}

void guest_close(struct guests *g)
{
    free(g->of);
    g->of = NULL;
    g->limit = g->n = 0;
}

struct guest *guest_enter(struct guests *g, int fd, instant now)
{
    for (int i = 0; i < g->limit; i++) {
        struct guest *who = &g->of[i];
        if (who->phase != GUEST_FREE)
            continue;
        *who = (struct guest){.phase = GUEST_READING, .fd = fd, .since = now};
        g->n++;
        return who;
    }
    return NULL;
}

void guest_leave(struct guests *g, struct guest *who)
{
    if (who->phase == GUEST_FREE)
        return;
    *who = (struct guest){.phase = GUEST_FREE, .fd = -1};
    g->n--;
}

void guest_phase(struct guest *who, enum guest_phase phase, instant now)
{
    who->phase = phase;
    who->since = now;
}

/* The library owns the descriptor; it finds the end of the stream, and closes. */
static void hang_up(struct guest *who)
{
    who->shut = true;
    shutdown(who->fd, SHUT_RDWR);
}

static struct guest *oldest(struct guests *g, enum guest_phase phase)
{
    struct guest *found = NULL;
    for (int i = 0; i < g->limit; i++) {
        struct guest *who = &g->of[i];
        if (who->phase == phase && !who->shut && (found == NULL || who->since.boot_ns < found->since.boot_ns))
            found = who;
    }
    return found;
}

bool guest_evict(struct guests *g)
{
    struct guest *who = oldest(g, GUEST_READING);
    if (who == NULL)
        who = oldest(g, GUEST_WRITING);
    if (who == NULL)
        return false;
    g->evicted++;
    hang_up(who);
    return true;
}

void guest_sweep(struct guests *g, instant now)
{
    for (int i = 0; i < g->limit; i++) {
        struct guest *who = &g->of[i];
        int64_t limit = who->phase == GUEST_READING   ? GUEST_READ_MS
                        : who->phase == GUEST_WRITING ? GUEST_WRITE_MS
                                                      : 0;
        if (limit == 0 || who->shut || instant_elapsed_most(now, who->since).ns < span_ms(limit).ns)
            continue;
        g->late++;
        hang_up(who);
    }
}
