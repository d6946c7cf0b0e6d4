/* transport_rekey.c: keys that change while links stand: ours, and those of peers. */
#include "mesh/io/transport_state.h"

#include <string.h>

enum {
    RENEWAL_MS = 3000, /* longer than a peer that was told late takes to listen with its new key */
    OTHER_KEY_MS = 1000,
};

struct peer *transport_peer_of(struct transport *t, member_id id)
{
    for (int i = 0; i < t->n_peers; i++)
        if (t->peers[i].known.id == id)
            return &t->peers[i];
    return NULL;
}

bool transport_set_keys(struct peer *p, const struct transport_peer *known, struct problem *err)
{
    if (!keys_curve_public(p->curve[0], known->key) ||
        (known->rotates && !keys_curve_public(p->curve[1], known->former)))
        return problem_fact(err, "the key of member %u is not a usable one", (unsigned)known->id);
    p->n_curve = known->rotates ? 2 : 1;
    p->known = *known;
    return true;
}

void transport_open_link(struct transport *t, struct peer *p, struct link *l, int address, instant now)
{
    const uint8_t *server = p->curve[p->turn++ % p->n_curve];
    link_open(l, t->hub->context, &t->identity, server, &p->known.addresses[address], now);
}

bool transport_other_key(const struct peer *p, struct link *l, const struct link_identity *id, instant now)
{
    return p->n_curve > 1 && !link_is_up(l, id, now) &&
           instant_elapsed_least(now, l->opened).ns > span_ms(OTHER_KEY_MS).ns;
}

/* ---- other keys ---------------------------------------------------------------------------------------------------- */

static void all_old(struct peer *p)
{
    for (int j = 0; j < p->known.n; j++)
        p->links[j].old = !instant_is_never(p->links[j].opened);
}

bool transport_renew(struct transport *t, const struct transport_peer *peer, struct problem *err)
{
    struct peer *p = transport_peer_of(t, peer->id);
    if (p == NULL)
        return problem_fact(err, "member %u is not linked", (unsigned)peer->id);
    bool other = memcmp(p->known.key, peer->key, KEY_SIZE) != 0;
    bool listens = !peer->rotates && (other || p->n_curve == 2); /* from now on with the new key */
    if (!transport_set_keys(p, peer, err))
        return false;
    if (listens)
        all_old(p);
    return true;
}

bool transport_rekey(struct transport *t, const struct key *key, struct problem *err)
{
    struct link_identity id = {.silence = t->identity.silence, .poll = t->identity.poll};
    if (!keys_curve_secret(id.secret, &key->secret) || !keys_curve_public(id.public, key->public))
        return problem_fact(err, "the member's new key is not a usable one");
    t->identity = id;
    keys_wipe(&id, sizeof id);
    t->listens_old = true;
    for (int i = 0; i < t->n_peers; i++)
        all_old(&t->peers[i]);
    return true;
}

bool transport_renewed(const struct transport *t)
{
    bool old = t->renewal.active;
    for (int i = 0; i < t->n_peers; i++)
        for (int j = 0; j < t->peers[i].known.n; j++)
            old = old || t->peers[i].links[j].old;
    return !old;
}

bool transport_listens_anew(const struct transport *t)
{
    return !t->listens_old && t->unbound == 0;
}

void transport_bind_again(struct transport *t)
{
    while (t->unbound > 0) {
        link_family(t->router, &t->listen[t->unbound - 1]);
        if (zmq_bind(t->router, t->bound[t->unbound - 1]) != 0)
            return; /* ZeroMQ gives the port back in a thread of its own: soon */
        t->unbound--;
    }
}

void transport_listen_anew(struct transport *t)
{
    if (!t->listens_old)
        return;
    t->listens_old = false;
    zmq_setsockopt(t->router, ZMQ_CURVE_PUBLICKEY, t->identity.public, KEY_SIZE);
    zmq_setsockopt(t->router, ZMQ_CURVE_SECRETKEY, t->identity.secret, KEY_SIZE);
    for (int i = 0; i < t->n_listen; i++)
        zmq_unbind(t->router, t->bound[i]);
    t->unbound = t->n_listen;
    transport_bind_again(t);
}

/* The one after (peer, address) in the order of the table that is of a former key and stands; one that does not stand is
 * opened anew at once. */
static void renewal_next(struct transport *t, instant now)
{
    struct renewal *r = &t->renewal;
    int after = -1, total = t->n_peers * ADDRESSES_MAX;
    for (int i = 0; i < t->n_peers; i++)
        if (t->peers[i].known.id == r->peer)
            after = i * ADDRESSES_MAX + r->address;
    for (int k = 1; k <= total; k++) {
        int at = (after + k) % total, j = at % ADDRESSES_MAX;
        struct peer *p = &t->peers[at / ADDRESSES_MAX];
        struct link *l = &p->links[j];
        if (j >= p->known.n || !l->old)
            continue;
        if (link_is_up(l, &t->identity, now)) {
            *r = (struct renewal){.active = true, .peer = p->known.id, .address = j};
            transport_open_link(t, p, &r->link, j, now);
            return;
        }
        link_close(l, &t->identity);
        transport_open_link(t, p, l, j, now);
    }
}

void transport_renewal_drive(struct transport *t, instant now)
{
    struct renewal *r = &t->renewal;
    struct peer *p = r->active ? transport_peer_of(t, r->peer) : NULL;
    if (p) {
        transport_hear(t, &r->link, now);
        if (link_is_up(&r->link, &t->identity, now)) {
            link_close(&p->links[r->address], &t->identity);
            p->links[r->address] = r->link;
            r->link = (struct link){0};
            r->active = false;
            t->counters.rebuilt++;
        } else if (instant_elapsed_least(now, r->link.opened).ns > span_ms(RENEWAL_MS).ns) {
            link_close(&r->link, &t->identity); /* another one's turn; then this one's again */
            r->active = false;
        }
    }
    if (!r->active)
        renewal_next(t, now);
}
