#include "mesh/io/folder.h"

#include "mesh/io/clock.h"

#include <stdlib.h>
#include <string.h>

static bool check_role(const struct folder *f, unsigned roles, struct problem *err)
{
    enum role role = f->self->member.role;
    if (roles & 1u << role)
        return true;
    problem_fact(err, "\"%s\" is %s %s", f->config.member,
                 role == ROLE_OBSERVER || role == ROLE_OPERATOR || role == ROLE_ADMIN ? "an" : "a",
                 cluster_role_name(role));
    problem_detail(err, "This program does not serve that role.");
    return problem_hint(err, role == ROLE_WITNESS ? "Start it with pgmesh-witness."
                             : role_is_person(role)
                                 ? "An operator has a key and no process; use the command pgmesh."
                                 : "Start it with pgmesh-node.");
}

/* By the key that it has, or the one before while that is not retired. */
static bool certified(const struct cluster_member *m, const struct key *k)
{
    return memcmp(m->member.key, k->public, KEY_SIZE) == 0 ||
           (member_rotates(&m->member) && memcmp(m->member.former[0].key, k->public, KEY_SIZE) == 0);
}

/* The key that the member made itself, once one is in use; else the one that it began with. */
static bool read_key(struct folder *f, struct problem *err)
{
    struct problem later = {0};
    if (keys_read_later(f->config.state_dir, &f->key, &later))
        return true;
    if (later.fact[0] == '\0')
        return keys_read(f->config.key_file, &f->key, err);
    *err = later;
    return false;
}

static bool check_certificate(const struct folder *f, struct problem *err)
{
    char when[CLOCK_TEXT_SIZE];
    int64_t now = clock_wall_us() / 1000000;
    const struct cluster_member *m = f->self;
    if (m->member.revoked) {
        problem_fact(err, "\"%s\" is no member of cluster \"%s\" any more", f->config.member,
                     f->cluster.name);
        problem_detail(err, "Its certificate was revoked; the other members refuse its key.");
        return problem_hint(err, "Add the host under another name: \"pgmesh member add\".");
    }
    for (int i = 0; i < m->member.n_former; i++)
        if (m->member.former[i].round != KEY_OPEN &&
            memcmp(m->member.former[i].key, f->key.public, KEY_SIZE) == 0) {
            problem_fact(err, "\"%s\" is a former key of \"%s\"", f->config.key_file, f->config.member);
            problem_detail(err, "It was rotated; the one in use is \"member.key\" in the state folder.");
            return problem_hint(err, "If the state folder is lost, remove the member and add the host anew.");
        }
    if (!certified(m, &f->key)) {
        problem_fact(err, "\"%s\" is not the key of \"%s\"", f->config.key_file, f->config.member);
        problem_detail(err, "The certificate of \"%s\" in \"%s\" names another key.", f->config.member,
                       f->config.cluster_file);
        return problem_hint(
            err, "Each member has a key of its own: use the folder that \"pgmesh init\" made for it.");
    }
    if (m->from && now < m->from) {
        problem_fact(err, "the certificate of \"%s\" is not valid yet", f->config.member);
        problem_detail(err, "It begins at %s; this host's clock says %s.",
                       clock_print(when, m->from * 1000000),
                       clock_print((char[CLOCK_TEXT_SIZE]){0}, now * 1000000));
        return problem_hint(err, "Set the clock.");
    }
    if (m->until && now >= m->until) {
        problem_fact(err, "the certificate of \"%s\" has expired", f->config.member);
        problem_detail(err, "It ended at %s.", clock_print(when, m->until * 1000000));
        return problem_hint(err, "Have the holder of the root key certify the member again.");
    }
    return true;
}

struct folder *folder_open(const char *config_path, unsigned roles, struct problem *err)
{
    struct folder *f = calloc(1, sizeof *f);
    if (f == NULL) {
        problem_fact(err, "out of memory");
        return NULL;
    }
    bool good = config_load(config_path, &f->config, err) &&
                cluster_load(f->config.cluster_file, &f->cluster, err) &&
                roster_load(&f->roster, &f->cluster, f->config.state_dir, err) &&
                config_check_cluster(&f->config, &f->cluster, err);
    f->self = good ? cluster_find(&f->cluster, f->config.member) : NULL;
    good = good && check_role(f, roles, err) && read_key(f, err) && check_certificate(f, err);
    if (!good)
        folder_close(&f);
    return f;
}

void folder_close(struct folder **f)
{
    if (*f == NULL)
        return;
    keys_wipe(&(*f)->key, sizeof(*f)->key);
    free(*f);
    *f = NULL;
}
