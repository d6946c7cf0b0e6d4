/* make_write.c: the part of make.h that touches the disk. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <ftw.h>

#include "mesh/inspect/make.h"
#include "mesh/inspect/output.h"
#include "mesh/io/file.h"
#include "mesh/io/store.h"
#include "mesh/wire.h"

enum { PASSWORD_BYTES = 24, ROLES = 4 };

/* What every database's PostgreSQL is asked for by the mesh; the same in the whole cluster. */
struct passwords {
    char text[ROLES][2 * PASSWORD_BYTES + 1];
};
static const char *const database_roles[ROLES] = {"pgmesh", "pgmesh_replication", "pgmesh_rewind",
                                                  "pgmesh_observer"};

static bool folder_make(const char *path, mode_t mode, struct problem *err)
{
    if (mkdir(path, mode) == 0)
        return true;
    problem_fact(err, "cannot make the folder \"%s\"", path);
    return problem_detail(err, "%s.", strerror(errno));
}

static bool write_passwords(const char *folder, enum role role, const struct passwords *passwords,
                            struct problem *err)
{
    char lines[ROLES * 128];
    size_t n = 0;
    for (int i = role == ROLE_DATABASE ? 0 : ROLES - 1; i < ROLES; i++)
        n += (size_t)snprintf(lines + n, sizeof lines - n, "*:*:*:%s:%s\n", database_roles[i],
                              passwords->text[i]);
    bool good = file_replace(text("%s/pg.pass", folder), lines, n, 0600, err);
    keys_wipe(lines, sizeof lines);
    return good;
}

/* What the member remembers before it ever ran: the first record, decided by the root's signature. */
static bool write_store(const char *folder, const struct made *made, const struct cluster_member *m,
                        struct problem *err)
{
    static struct durable d;
    static uint8_t bytes[DURABLE_MAX];
    const struct record *first = &made->cluster.first;
    memset(&d, 0, sizeof d);
    d.lease_ms_max = first->lease_ms_max;
    d.decided.proposal.record = *first;
    d.dir = m->member.id == first->primary ? first->primary_dir : 0;
    const char *state = text("%s/state", folder);
    return folder_make(state, 0700, err) && store_create(state, bytes, wire_put_durable(bytes, &d), err);
}

static bool write_member(const char *out, const struct made *made, int i, const struct passwords *passwords,
                         struct problem *err)
{
    const struct cluster_member *m = &made->cluster.members[i];
    char folder[FILE_PATH_SIZE];
    if (!file_path(folder, out, m->member.name))
        return problem_fact(err, "the path of the folder is too long");
    return folder_make(folder, 0755, err) && cluster_write(text("%s/cluster", folder), &made->cluster, err) &&
           keys_write(text("%s/member.key", folder), made->seeds[i], err) &&
           file_replace(text("%s/node.conf", folder), made->node_conf[i], made->node_conf_len[i], 0644,
                        err) &&
           (m->member.role == ROLE_WITNESS || write_passwords(folder, m->member.role, passwords, err)) &&
           write_store(folder, made, m, err);
}

static bool write_operator_key(const char *folder, const struct made *made, struct problem *err)
{
    struct key k;
    sign_keypair(k.public, &k.secret, made->seeds[made->cluster.n - 1]);
    bool good = keys_sealed_write(text("%s/operator.key", folder), &k, made->operator_passphrase, false, err);
    keys_wipe(&k, sizeof k);
    return good;
}

static bool write_operator(const char *out, const struct made *made, struct problem *err)
{
    char folder[FILE_PATH_SIZE], *conf = NULL;
    size_t n = 0;
    const struct cluster *c = &made->cluster;
    FILE *f = open_memstream(&conf, &n);
    if (f == NULL)
        return problem_fact(err, "out of memory");
    fprintf(
        f,
        "# For pgmesh: copy this folder to the hosts that you operate the cluster from (/etc/pgmesh is looked at by\n"
        "# itself), and keep operator.key to yourself: whoever has it may command the cluster.\n\n"
        "# Control sockets of members on the same host, the first that answers is asked.\ncontrol = ");
    for (int i = 0; i + 1 < c->n; i++)
        fprintf(f, "%s../%s/state/control.sock", i == 0 ? "" : ", ", c->members[i].member.name);
    fprintf(f, "\nkey = operator.key\ncluster_file = cluster\noperator = %s\n",
            c->members[c->n - 1].member.name);
    fclose(f);
    bool good = file_path(folder, out, "operator") && folder_make(folder, 0755, err) &&
                cluster_write(text("%s/cluster", folder), c, err) && write_operator_key(folder, made, err) &&
                file_replace(text("%s/pgmesh.conf", folder), conf, n, 0644, err);
    free(conf);
    return good;
}

static bool write_all(const char *out, const struct made *made, struct problem *err)
{
    struct passwords passwords;
    uint8_t random[PASSWORD_BYTES];
    bool good = true;
    for (int i = 0; i < ROLES; i++) {
        keys_random(random, sizeof random);
        hex_put(passwords.text[i], random, sizeof random);
    }
    for (int i = 0; good && i + 1 < made->cluster.n; i++)
        good = write_member(out, made, i, &passwords, err);
    keys_wipe(&passwords, sizeof passwords);
    return good && write_operator(out, made, err) &&
           keys_sealed_write(text("%s/root.key", out), &made->root, made->passphrase, false, err);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

/* A rename is durable once the folder that holds the name is. */
static void sync_parent(const char *path)
{
    char parent[FILE_PATH_SIZE];
    snprintf(parent, sizeof parent, "%s", path);
    char *slash = strrchr(parent, '/');
    if (slash != NULL)
        slash[slash == parent] = '\0';
    int fd = open(slash == NULL ? "." : parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

/* What a newcomer remembers before it ever ran: the record in force, of which it has promised nothing below. */
static bool write_newcomer_store(const char *folder, const struct certificate *decided, struct problem *err)
{
    static struct durable d;
    static uint8_t bytes[DURABLE_MAX];
    memset(&d, 0, sizeof d);
    d.decided = *decided;
    d.promised = decided->proposal.ballot;
    d.round = decided->proposal.ballot.round;
    d.lease_ms_max = decided->proposal.record.lease_ms_max;
    return store_create(folder, bytes, wire_put_durable(bytes, &d), err);
}

static bool write_sealed_pass(const char *out, const uint8_t key[static KEY_SIZE],
                              const struct newcomer *from, struct problem *err)
{
    static char hex[SEALED_HEX_SIZE + 1];
    if (from->pass == NULL)
        return true;
    if (!keys_seal_for(hex, key, from->pass, from->pass_len))
        return problem_fact(err, "the passwords could not be closed for the new host's key");
    strcat(hex, "\n");
    return file_replace(text("%s/pg.pass.sealed", out), hex, strlen(hex), 0644, err);
}

static bool write_secrets(const char *out, const struct made *made, int at, const struct newcomer *from,
                          struct problem *err)
{
    if (from->elsewhere)
        return write_sealed_pass(out, made->cluster.members[at].member.key, from, err);
    return keys_write(text("%s/member.key", out), made->seeds[at], err) &&
           (from->pass == NULL ||
            file_replace(text("%s/pg.pass", out), from->pass, from->pass_len, 0600, err));
}

static bool write_newcomer(const char *out, const struct made *made, int at, const struct newcomer *from,
                           struct problem *err)
{
    const char *state = text("%s/state", out);
    return file_replace(text("%s/cluster", out), from->cluster_text, from->cluster_len, 0644, err) &&
           file_replace(text("%s/node.conf", out), made->node_conf[0], made->node_conf_len[0], 0644, err) &&
           write_secrets(out, made, at, from, err) && folder_make(state, 0700, err) &&
           write_newcomer_store(state, from->decided, err) &&
           file_replace(text("%s/roster", state), from->roster_text, from->roster_len, 0644, err);
}

void make_remove(const char *folder)
{
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

bool make_in_one_move(const char *out, make_files *write, const void *arg, struct problem *err)
{
    char partial[FILE_PATH_SIZE];
    if (snprintf(partial, sizeof partial, "%s.partial-%d", out, (int)getpid()) >= FILE_PATH_SIZE - 96) {
        problem_fact(err, "the path of the folder is too long");
        return problem_detail(err, "\"%.60s...\" leaves no room for the files in it.", out);
    }
    if (!folder_make(partial, 0755, err))
        return false;
    bool good = write(partial, arg, err);
    if (good && rename(partial, out) != 0) {
        problem_fact(err, "cannot give the folder its name \"%s\"", out);
        good = problem_detail(err, "%s.", strerror(errno));
    }
    if (good)
        sync_parent(out);
    else
        make_remove(partial);
    return good;
}

static bool whole(const char *partial, const void *arg, struct problem *err)
{
    return write_all(partial, arg, err);
}

bool make_write(const struct made *made, const struct plan *p, struct problem *err)
{
    return make_in_one_move(p->out, whole, made, err);
}

struct one {
    const struct made *made;
    int at;
    const struct newcomer *from;
};

static bool one(const char *partial, const void *arg, struct problem *err)
{
    const struct one *o = arg;
    return write_newcomer(partial, o->made, o->at, o->from, err);
}

bool make_write_one(const struct made *made, const struct plan *p, int at, const struct newcomer *from,
                    struct problem *err)
{
    return make_in_one_move(p->out, one, &(struct one){made, at, from}, err);
}
