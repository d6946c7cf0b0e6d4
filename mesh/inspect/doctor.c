/* doctor.c: pgmesh doctor: what is not as it should be, each with what to do about it. */
#define _GNU_SOURCE
#include "mesh/inspect/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "mesh/inspect/ready.h"
#include "mesh/io/clock.h"

enum { CONNECT_MS = 2000, TARGETS_MAX = 128 };

void doctor_say(struct doctor *d, const char *area, enum finding level, const char *fact, const char *hint)
{
    static const char *const names[] = {"good", "note", "warning", "bad"};
    d->counts[level]++;
    json_array_append_new(d->checks, json_pack("{s:s,s:s,s:s,s:s?}", "area", area, "level", names[level],
                                               "fact", fact, "hint", hint));
}

/* ---- the network ------------------------------------------------------------------------------------------------------ */

struct target {
    const char *member, *what, *address; /* "mesh" or "PostgreSQL" */
    int fd, error;                       /* error -1: no answer yet */
    long long ms;
};

static long long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void target_dial(struct target *t)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *found;
    char host[256];
    const char *colon = strrchr(t->address, ':');
    t->fd = -1;
    t->error = EINVAL;
    if (colon == NULL)
        return;
    bool brackets = t->address[0] == '[' && colon[-1] == ']';
    snprintf(host, sizeof host, "%.*s", (int)(colon - t->address) - 2 * brackets, t->address + brackets);
    if (getaddrinfo(host, colon + 1, &hints, &found) != 0)
        return;
    t->fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    t->error = t->fd < 0 || connect(t->fd, found->ai_addr, found->ai_addrlen) == 0 ? 0 : errno;
    if (t->error == EINPROGRESS)
        t->error = -1;
    freeaddrinfo(found);
}

static void target_look(struct target *t, short revents, long long since)
{
    socklen_t n = sizeof t->error;
    if (t->error != -1 || revents == 0)
        return;
    if (getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &t->error, &n) != 0)
        t->error = errno;
    t->ms = now_ms() - since;
}

static void targets_wait(struct target *targets, int n)
{
    struct pollfd fds[TARGETS_MAX];
    long long since = now_ms();
    for (int open = n; open > 0 && now_ms() - since < CONNECT_MS;) {
        for (int i = 0; i < n; i++)
            fds[i] = (struct pollfd){.fd = targets[i].error == -1 ? targets[i].fd : -1, .events = POLLOUT};
        if (poll(fds, (nfds_t)n, (int)(CONNECT_MS - (now_ms() - since))) < 0)
            break;
        open = 0;
        for (int i = 0; i < n; i++) {
            target_look(&targets[i], fds[i].fd < 0 ? 0 : fds[i].revents, since);
            open += targets[i].error == -1;
        }
    }
}

static void target_tell(struct doctor *d, const struct target *t)
{
    if (t->fd >= 0)
        close(t->fd);
    if (t->error == 0)
        doctor_say(d, "network", FINDING_GOOD,
                   text("%s: %s at %s takes a connection", t->member, t->what, t->address), NULL);
    else
        doctor_say(d, "network", FINDING_BAD,
                   text("%s: %s at %s: %s", t->member, t->what, t->address,
                        t->error == -1 ? "no answer" : strerror(t->error)),
                   t->error == ECONNREFUSED
                       ? "The host is there and nothing listens: is the process running, with this address?"
                       : "Look at routes and firewalls between this host and that one, both ways.");
}

static void check_network(struct doctor *d)
{
    static struct target targets[TARGETS_MAX];
    int n = 0;
    for (int i = 0; i < d->view.n; i++) {
        const struct view_member *m = &d->view.members[i];
        size_t k;
        json_t *one;
        json_array_foreach((json_t *)m->addresses, k, one) if (n < TARGETS_MAX && json_is_string(one))
            targets[n++] =
                (struct target){.member = m->name, .what = "mesh", .address = json_string_value(one)};
        if (n < TARGETS_MAX && *json_text(m->json, "pg_address") != '\0')
            targets[n++] = (struct target){
                .member = m->name, .what = "PostgreSQL", .address = json_text(m->json, "pg_address")};
    }
    for (int i = 0; i < n; i++)
        target_dial(&targets[i]);
    targets_wait(targets, n);
    for (int i = 0; i < n; i++)
        target_tell(d, &targets[i]);
}

/* ---- the clock -------------------------------------------------------------------------------------------------------- */

static void check_clock(struct doctor *d)
{
    enum { RATE_PPM = 400 };
    struct timex t = {.modes = 0};
    int state = adjtimex(&t);
    double ppm = (double)t.freq / 65536;
    if (state < 0) {
        doctor_say(d, "clock", FINDING_NOTE, "the kernel does not tell how its clock is kept", NULL);
        return;
    }
    if (state == TIME_ERROR || (t.status & STA_UNSYNC))
        doctor_say(
            d, "clock", FINDING_WARN, "nothing keeps this host's clock",
            "Leases count spans, not dates, so no failover rests on it; but the times in journals and logs of "
            "several hosts will not fit together. Run chrony or another NTP client.");
    else
        doctor_say(
            d, "clock", FINDING_GOOD,
            text("the clock is kept to within %.1f ms, as the kernel estimates", (double)t.maxerror / 1000),
            NULL);
    if (ppm > RATE_PPM || ppm < -RATE_PPM)
        doctor_say(
            d, "clock", FINDING_WARN, text("the clock's rate is corrected by %.0f ppm", ppm),
            "Leases allow for 1 % (10000 ppm) between two hosts; a clock that wrong is about to fail.");
}

/* ---- what the member says ------------------------------------------------------------------------------------------------ */

/* A member whose certificate has ended goes on, and does not start again. */
static void check_certificates(struct doctor *d)
{
    for (int i = 0; i < d->view.n; i++) {
        const struct view_member *m = &d->view.members[i];
        long long days = (m->expires_us - clock_wall_us()) / VIEW_DAY_US;
        if (m->expires_us >= 0 && days < VIEW_EXPIRY_DAYS)
            doctor_say(d, "member", m->expires_us < clock_wall_us() ? FINDING_BAD : FINDING_WARN,
                       m->expires_us < clock_wall_us() ? text("the certificate of %s has expired", m->name)
                                                       : text("the certificate of %s ends in %lld day%s",
                                                              m->name, days, days == 1 ? "" : "s"),
                       "It goes on, and does not start again: pgmesh member renew MEMBER --root-key FILE.");
        if (m->rotating)
            doctor_say(d, "member", FINDING_NOTE, text("the key of %s is being rotated", m->name),
                       "It ends when every voter has heard of it; a voter that stays away holds it up.");
    }
}

static void check_member(struct doctor *d)
{
    const struct view *v = &d->view;
    const json_t *counters = json_object_get(v->json, "counters"),
                 *rejected = json_object_get(counters, "rejected");
    long long lease = v->lease_ms > 0 ? v->lease_ms : 600, limit_us = lease * 1000 / 4;
    struct view_estimate e;
    json_t *findings, *one;
    size_t i;
    const char *key;
    view_estimate(v, &e);
    enum readiness r = readiness_judge(v, &e, &findings);
    if (r == READY)
        doctor_say(d, "failover", FINDING_GOOD, view_estimate_text(v, &e), NULL);
    json_array_foreach(findings, i, one)
        doctor_say(d, "failover", r == READY_NOT ? FINDING_BAD : FINDING_WARN, json_string_value(one), NULL);
    json_decref(findings);
    if (json_number(counters, "loop_late_us", 0) > limit_us)
        doctor_say(
            d, "member", FINDING_WARN,
            text("%s was late by %lld ms lately", v->self, json_number(counters, "loop_late_us", 0) / 1000),
            "The agent must run within a fraction of the lease: look at the host's load, steal time, memory.");
    if (json_number(counters, "store_us", 0) > limit_us)
        doctor_say(
            d, "member", FINDING_WARN,
            text("writing a vote took %s %lld ms", v->self, json_number(counters, "store_us", 0) / 1000),
            "A voter answers when its vote is on disk: give state_dir a quicker one.");
    json_object_foreach((json_t *)rejected, key,
                        one) if (strcmp(key, "replayed") != 0 &&
                                 strcmp(key, "stale") != 0) /* those are copies that came by another way */
        doctor_say(d, "member", FINDING_NOTE,
                   text("%s has refused %lld frames: %s", v->self, (long long)json_integer_value(one), key),
                   "A few after restarts are ordinary; many mean a twin, a wrong key or a bad network.");
    if (json_number(counters, "refused_key", 0) > 0)
        doctor_say(d, "member", FINDING_WARN,
                   text("%lld connections came with a key that no certificate names",
                        json_number(counters, "refused_key", 0)),
                   "Somebody else knocks at the mesh's port: a member of another cluster, or a scanner.");
    check_certificates(d);
    for (int k = 0; k < v->n; k++)
        if (json_number(v->members[k].json, "flush_us", 0) > 50000)
            doctor_say(d, "disk", FINDING_WARN,
                       text("a flush took %s %lld ms", v->members[k].name,
                            json_number(v->members[k].json, "flush_us", 0) / 1000),
                       "Each commit waits for that. Look at the storage.");
}

/* ---- the layout ------------------------------------------------------------------------------------------------------------ */

/* As if all were up and voted: the layout's own strength. */
static bool survives(const struct view *all, uint32_t lost)
{
    struct view_side s;
    view_side(all, ~lost, &s);
    return s.quorum;
}

static void layout_sites(struct doctor *d, const struct view *all)
{
    for (int i = 0; i < all->n; i++) {
        uint32_t site = 0;
        bool first = true, votes = false;
        for (int k = 0; k < all->n; k++)
            if (strcmp(all->members[k].site, all->members[i].site) == 0) {
                first = first && k >= i;
                votes = votes || all->members[k].voter;
                site |= 1u << k;
            }
        if (!first || !votes)
            continue;
        if (survives(all, site))
            doctor_say(d, "layout", FINDING_GOOD,
                       text("without site %s the others are a quorum", all->members[i].site), NULL);
        else
            doctor_say(
                d, "layout", FINDING_WARN, text("without site %s there is no quorum", all->members[i].site),
                "When it is lost nobody can be promoted. A witness in a third site, so that no site holds half of "
                "the voters, helps.");
    }
}

static void layout_members(struct doctor *d, const struct view *all)
{
    uint32_t witnesses = 0, databases = 0, voters = 0;
    int n_databases = 0, n_observers = 0;
    for (int i = 0; i < all->n; i++) {
        const struct view_member *m = &all->members[i];
        bool database = strcmp(m->role, "database") == 0;
        voters |= m->voter ? 1u << i : 0;
        witnesses |= m->voter && !database ? 1u << i : 0;
        databases |= database ? 1u << i : 0;
        n_databases += database;
        n_observers += strcmp(m->role, "observer") == 0;
        if (m->voter && !survives(all, 1u << i))
            doctor_say(d, "layout", FINDING_BAD, text("without %s alone there is no quorum", m->name),
                       "Three voters survive the loss of one, five that of two.");
    }
    int n = __builtin_popcount(voters);
    if (n % 2 == 0 && n > 0)
        doctor_say(d, "layout", FINDING_NOTE, text("%d voters survive no more losses than %d do", n, n - 1),
                   "An odd number of voters is the better use of hosts, unless sites ask for this one.");
    if (witnesses != 0)
        doctor_say(d, "layout", survives(all, witnesses) ? FINDING_GOOD : FINDING_NOTE,
                   survives(all, witnesses) ? "without any witness the databases are a quorum"
                                            : "without any witness the databases are no quorum",
                   survives(all, witnesses)
                       ? NULL
                       : "The witnesses are needed; keep their hosts apart from each other.");
    if (n_databases < 2)
        doctor_say(d, "layout", FINDING_BAD, "there is one database: nobody can take over",
                   "Add a second one.");
    if (n_databases == 2 && strcmp(all->durability, "async") != 0)
        doctor_say(d, "layout", FINDING_NOTE,
                   "one standby: without it commits are confirmed by nobody (sync) or wait (strict)",
                   "A third database keeps both promises through the loss of one.");
    if (n_observers == 0)
        doctor_say(d, "layout", FINDING_NOTE, "no observer: nobody measures outages as applications see them",
                   "Make an application host a member with the role observer.");
}

static void check_layout(struct doctor *d)
{
    static struct view all;
    all = d->view;
    for (int i = 0; i < all.n; i++)
        all.members[i].votes = all.members[i].voter;
    layout_members(d, &all);
    layout_sites(d, &all);
}

/* ---- the command ----------------------------------------------------------------------------------------------------------- */

static void gather(struct doctor *d)
{
    struct problem ignored;
    const char *file = d->client.source;
    d->host = d->x->from == NULL && *file != '\0' && strcmp(file, "--control") != 0 &&
              config_load(file, &d->config, &ignored);
    if (d->x->from == NULL && d->x->config != NULL && !d->host)
        d->host = config_load(d->x->config, &d->config, &ignored);
    d->x->out.quiet = true;
    int code = client_ask(&d->client, json_pack("{s:s}", "command", "status"), &d->status);
    d->x->out.quiet = false;
    if (code != EXIT_OK) {
        doctor_say(d, "member", FINDING_BAD, "no member answers", "\"pgmesh status\" tells why not.");
        return;
    }
    view_read(&d->view, d->status);
    check_member(d);
    check_layout(d);
}

static int areas_print(struct doctor *d)
{
    static const char *const marks[] = {"✓", "·", "!", "✗"};
    static const char *const levels[] = {"good", "note", "warning", "bad"};
    static const enum tone tones[] = {TONE_GOOD, TONE_FAINT, TONE_WARN, TONE_BAD};
    const char *area = "";
    size_t i;
    json_t *one;
    json_array_foreach(d->checks, i, one)
    {
        int level = 0;
        while (strcmp(levels[level], json_text(one, "level")) != 0)
            level++;
        if (strcmp(area, json_text(one, "area")) != 0)
            output_tone(&d->x->out, TONE_STRONG, 2, "%s", area = json_text(one, "area"));
        output_tone(&d->x->out, tones[level], 4, "  %s %s", marks[level], json_text(one, "fact"));
        if (*json_text(one, "hint") != '\0')
            output_text(&d->x->out, 4, "    %s", json_text(one, "hint"));
    }
    output_blank(&d->x->out);
    output_tone(&d->x->out,
                d->counts[FINDING_BAD] > 0    ? TONE_BAD
                : d->counts[FINDING_WARN] > 0 ? TONE_WARN
                                              : TONE_GOOD,
                2, "%d good, %d to note, %d warnings, %d bad", d->counts[FINDING_GOOD],
                d->counts[FINDING_NOTE], d->counts[FINDING_WARN], d->counts[FINDING_BAD]);
    return EXIT_OK;
}

/* Who may order what.  A member of an older version does not tell. */
static void check_persons(struct doctor *d)
{
    json_t *answer = NULL, *one;
    size_t i;
    int admins = 0;
    if (client_ask_any(&d->client, json_pack("{s:s}", "command", "persons"), &answer) != EXIT_OK)
        return;
    json_array_foreach(json_object_get(answer, "persons"), i, one) admins +=
        json_flag(one, "valid") && strcmp(json_text(one, "role"), "admin") == 0;
    if (json_flag(answer, "two_persons"))
        doctor_say(d, "people", admins < 2 ? FINDING_WARN : FINDING_GOOD,
                   text("orders that destroy take two of %d admins", admins),
                   admins < 2 ? "There are not two: none of them can be given. Add one: pgmesh operator add."
                              : NULL);
    else if (admins == 0 && json_object_get(answer, "persons") != NULL)
        doctor_say(d, "people", FINDING_WARN,
                   "nobody is an admin: durability, votes and members cannot be changed",
                   "Add one with the root key: pgmesh operator add NAME --role admin.");
    else if (admins > 0)
        doctor_say(d, "people", FINDING_NOTE, text("one admin's signature is enough for orders that destroy"),
                   "From the second admin on they take two: pgmesh operator add NAME --role admin.");
    json_decref(answer);
}

int command_doctor(struct inspect *x)
{
    static struct doctor d;
    int code = EXIT_OK;
    d = (struct doctor){.x = x, .checks = json_array()};
    if (!args_none(x, &code) || (code = client_open(&d.client, x)) != EXIT_OK)
        return code;
    gather(&d);
    if (d.status != NULL && x->from == NULL) {
        check_network(&d);
        check_persons(&d);
    }
    if (x->from == NULL)
        check_clock(&d);
    if (d.host) {
        doctor_files(&d);
        doctor_disks(&d);
        if (*d.config.data_dir != '\0')
            doctor_postgres(&d);
    } else if (x->from == NULL) {
        doctor_say(&d, "host", FINDING_NOTE, "disks, files and PostgreSQL of a host are checked there",
                   "Run it on the host, as root: pgmesh doctor --config FOLDER/node.conf.");
    }
    const json_t *recorded =
        d.client.recorded == NULL ? NULL : json_object_get(d.client.recorded, "postgres");
    if (recorded != NULL)
        doctor_settings(&d, recorded);
    code = d.counts[FINDING_BAD] + d.counts[FINDING_WARN] > 0 ? EXIT_REFUSED : EXIT_OK;
    if (x->out.json)
        output_json(&x->out,
                    json_pack("{s:s?,s:b,s:i,s:i,s:O}", "cluster", d.status == NULL ? NULL : d.view.cluster,
                              "ok", code == EXIT_OK, "warnings", d.counts[FINDING_WARN], "bad",
                              d.counts[FINDING_BAD], "checks", d.checks));
    else
        areas_print(&d);
    json_decref(d.checks);
    json_decref(d.status);
    return code;
}
