/* loop_state.h: what loop.c (waiting) and station.c (one cluster at work) share. */
#ifndef PGMESH_MESH_IO_LOOP_STATE_H
#define PGMESH_MESH_IO_LOOP_STATE_H

#include "mesh/io/control.h"
#include "mesh/io/invites.h"
#include "mesh/io/journal.h"
#include "mesh/io/loop.h"
#include "mesh/io/store.h"
#include "mesh/io/transport.h"

#include <pthread.h>
#include <stdatomic.h>

/* An operator's command whose answers a control client waits for. */
struct awaited {
    uint64_t id;
    control_client client; /* 0: free */
};

/* A question about the past: the journal is read for it a piece a turn. */
struct looking_back {
    struct past *past; /* NULL: free */
    control_client client;
};

/* One cluster's member at work.
 *   running      everything below is open, the core takes events
 *   not running  everything is closed; `end` says why; with several clusters it starts anew at `retry` */
struct station {
    struct loop *loop;
    struct folder *folder;
    struct loop_hand hand;
    bool running;
    enum loop_end end;
    instant retry;

    struct store store;
    struct journal journal;
    struct transport *transport;
    struct control *control;
    struct core *core;
    bool ready, asked; /* this turn: the transport's descriptor, the control socket's announce something */
    instant wake;      /* when something is due: as station_wake() said after the last turn that touched it */
    bool more;         /* packets may wait: do not */
    instant tend, control_wake; /* when those two want to be called again */
    struct awaited awaited[CONTROL_CLIENTS_MAX];
    struct looking_back back[CONTROL_CLIENTS_MAX];
    int next_back; /* whose turn it is */
    uint64_t refused_logged;
    instant refused_at;

    uint8_t *told; /* another's roster, out of the step that took it; NULL: none */
    size_t told_len;
    const struct certificate *reformed; /* the record that comes with the line being taken; NULL: none does */
    instant roster_refused_at;          /* when a wrong line was last told of */
    instant persons_at;                 /* when the validity of persons' keys is looked at next */

    struct invites invites;
    instant invites_at;     /* when they are looked at next */
    instant invite_told_at; /* when a token that was shown twice was last told of */

    bool key_due;           /* the rotation of our key may go a step further, see mesh/roster.c */
    uint64_t key_round;     /* highest ballot round seen */
    instant key_refused_at; /* when it was last told that it cannot */

    bool posted; /* under loop->lock, as is: */
    struct pg_sample sample;
};

struct loop {
    int n;
    bool realtime;
    int epoll; /* all descriptors: what a turn costs does not grow with the clusters that are quiet */
    struct transport_hub *hub;
    bool hub_more;
    struct effects *effects; /* of the running step, whichever cluster's */
    struct station *stations;
    pthread_mutex_t lock;
    int wake_fd;
    atomic_bool stop;
    /* own lateness: the worst of this window and of the one before */
    uint64_t late_us, late_before_us;
    instant window;
    int64_t notify_ms; /* systemd's watchdog, 0 without one */
    instant notified;
};

/* Opens everything and starts the core; its first effects are performed. */
bool station_start(struct station *s, struct problem *err);
void station_stop(struct station *s);
/* Everything that waits: packets (a bounded number: `more`), then the sample. */
void station_drain(struct station *s);
/* Deadlines: the core's, the links'. */
void station_tick(struct station *s, instant now);
void station_control(struct station *s, instant now);
/* The next instant at which something is due. */
instant station_wake(const struct station *s);
/* One event into the core, and what comes of it. */
void station_step(struct station *s, struct event *e);

/* ---- station_roster.c ---- */
struct json_t;
void station_peer(struct transport_peer *p, const struct cluster_member *m);
/* `text` is room for the roster, to which the news then point. */
void station_news(const struct station *s, struct roster_news *news, char text[static ROSTER_MAX]);
bool station_take_roster(struct station *s, const char *text, size_t n, const char *from,
                         struct problem *err);
/* Persons whose keys have become or ceased to be valid. */
void station_tend_persons(struct station *s, instant now);
/* EFFECT_KEY */
void station_key_turn(struct station *s);
/* The answers to {"command":"roster"} and {"command":"key"}. */
struct json_t *station_roster_answer(struct station *s, const struct json_t *request);
struct json_t *station_key_answer(struct station *s);

/* ---- station_past.c ---- */
struct status_view;
struct status_view station_view(const struct station *s, instant now);
void station_past_ask(struct station *s, control_client client, const struct json_t *request, instant now);
/* One piece for one of those who ask. */
void station_past_go(struct station *s, instant now);
bool station_past_waits(const struct station *s);
void station_past_stop(struct station *s);

/* ---- station_invite.c ---- */
void station_invites_start(struct station *s);
/* Invitations that have ended. */
void station_tend_invites(struct station *s, instant now);
/* The answer to {"command":"invite"}. */
struct json_t *station_invite_answer(struct station *s, const struct json_t *request, instant now);

#endif
