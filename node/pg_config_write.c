#include "node/pg_config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/hand_state.h"

/* Replaces DATA/name.  `sync`: it must survive a crash of the machine; what is written anew before every start need
 * not, and a seal has no time for it. */
static bool write_file(struct hand *h, const char *name, const char *text, size_t n, mode_t mode,
                       struct problem *err)
{
    char path[FILE_PATH_SIZE], tmp[FILE_PATH_SIZE + 8];
    if (!hand_path(path, h->config->data_dir, "%s", name))
        return problem_fact(err, "the path of the data directory is too long");
    snprintf(tmp, sizeof tmp, "%s.tmp", path);
    unlink(tmp);
    int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    bool ok = fd >= 0 && write(fd, text, n) == (ssize_t)n;
    if (fd >= 0 && h->drop)
        ok = fchown(fd, h->uid, h->gid) == 0 && ok;
    if (fd >= 0)
        close(fd);
    ok = ok && rename(tmp, path) == 0;
    if (!ok)
        problem_fact(err, "could not write \"%s\": %s", path, strerror(errno));
    return ok;
}

/* The whole of a file; NULL with errno when there is none, or more than `max` bytes (EFBIG).  To be freed. */
static char *read_whole(const char *path, size_t max)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    char *text = malloc(max + 1);
    ssize_t n = text ? read(fd, text, max + 1) : -1;
    int error = n > (ssize_t)max ? EFBIG : errno;
    close(fd);
    if (n < 0 || n > (ssize_t)max) {
        free(text);
        errno = error;
        return NULL;
    }
    text[n] = '\0';
    return text;
}

/* The directory's own file of that name, NULL without one; to be freed.  false: it is there and cannot be used, and going
 * on without it would shut applications out or lose settings. */
static bool read_own(struct hand *h, const char *name, char **text, struct problem *err)
{
    char path[FILE_PATH_SIZE];
    if (!hand_path(path, h->config->data_dir, "%s", name))
        return problem_fact(err, "the path of the data directory is too long");
    *text = read_whole(path, PG_CONFIG_TEXT / 2);
    if (*text || errno == ENOENT)
        return true;
    if (errno == EFBIG)
        return problem_fact(err, "\"%s\" is longer than %d bytes", path, PG_CONFIG_TEXT / 2);
    return problem_fact(err, "could not read \"%s\": %s", path, strerror(errno));
}

/* What ALTER SYSTEM has set of ours stands after all that we write. */
static bool strip_auto(struct hand *h, char *room, struct problem *err)
{
    char *text;
    if (!read_own(h, "postgresql.auto.conf", &text, err))
        return false;
    if (!text)
        return true;
    int removed;
    size_t n = pg_config_strip(room, PG_CONFIG_TEXT, text, &removed);
    free(text);
    return removed == 0 || write_file(h, "postgresql.auto.conf", room, n, 0600, err);
}

bool pg_config_write(struct hand *h, const struct pg_config_state *wanted, struct problem *err)
{
    struct pg_config_state state = *wanted;
    const struct pg_config_state *s = &state;
    if (h->postmaster) /* chosen for its start */
        memcpy(state.least, h->conf.least, sizeof state.least);
    char *room = malloc(PG_CONFIG_TEXT);
    if (!room)
        return problem_fact(err, "out of memory");
    size_t n = pg_config_text(room, PG_CONFIG_TEXT, h->config, h->setup.self, s, h->setup.members,
                              h->setup.n_members);
    bool ok =
        n > 0 ? write_file(h, "pgmesh.conf", room, n, 0600, err)
              : problem_fact(err, "the configuration of PostgreSQL is too long, or names an unknown member");
    if (ok && s->sealed) /* it asks no archive; if this cannot be had, a seal is better than none */
        strip_auto(h, room, NULL);
    free(room);
    if (ok) {
        pthread_mutex_lock(&h->lock);
        h->conf = *s;
        h->conf_known = true;
        pthread_mutex_unlock(&h->lock);
    }
    return ok;
}

static bool write_hba(struct hand *h, char *room, struct problem *err)
{
    char *adopted = NULL;
    if (h->config->bootstrap == CONFIG_BOOTSTRAP_ADOPT && !read_own(h, "pg_hba.conf", &adopted, err))
        return false;
    size_t n = pg_config_hba(room, PG_CONFIG_TEXT, h->config, h->setup.members, h->setup.n_members, adopted);
    free(adopted);
    return n > 0 ? write_file(h, "pgmesh_hba.conf", room, n, 0600, err)
                 : problem_fact(err, "the pg_hba lines are too long");
}

static bool write_ident(struct hand *h, char *room, struct problem *err)
{
    char *own;
    if (!read_own(h, "pg_ident.conf", &own, err))
        return false;
    size_t n = pg_config_ident(room, PG_CONFIG_TEXT, h->config, own);
    free(own);
    return n > 0 ? write_file(h, "pgmesh_ident.conf", room, n, 0600, err)
                 : problem_fact(err, "the lines of pg_ident.conf are too long");
}

bool pg_config_write_hba(struct hand *h, struct problem *err)
{
    char *room = malloc(PG_CONFIG_TEXT);
    bool ok = room ? write_hba(h, room, err) : problem_fact(err, "out of memory");
    free(room);
    return ok;
}

bool pg_config_write_all(struct hand *h, const struct pg_config_state *s, struct problem *err)
{
    char *room = malloc(PG_CONFIG_TEXT);
    char *pass = read_whole(h->config->pg_pass_file, 16384);
    bool ok = room && (pass || problem_fact(err, "could not read \"%s\": %s", h->config->pg_pass_file,
                                            strerror(errno)));
    ok = ok && write_file(h, "pgmesh.pass", pass, strlen(pass), 0600, err) && write_hba(h, room, err) &&
         write_ident(h, room, err) && strip_auto(h, room, err);
    free(pass);
    free(room);
    return ok && pg_config_write(h, s, err);
}
