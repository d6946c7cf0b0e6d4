/* invites.c: see invites.h. */
#define _GNU_SOURCE
#include "mesh/io/invites.h"

#include "mesh/io/file.h"
#include "mesh/io/json.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char prefix[] = "invite.";
enum { NAME_DIGITS = 16, FILE_MAX = INVITE_BASE64_SIZE + 4096 };
static const char *const state_names[] = {
    [INVITE_WAITING] = "waiting", [INVITE_TAKEN] = "taken", [INVITE_RECALLED] = "recalled"};

const char *invite_state_name(const struct invite *i, int64_t now)
{
    return i->state == INVITE_WAITING && invite_ended(i, now) ? "ended" : state_names[i->state];
}

static bool path_of(char path[static FILE_PATH_SIZE], const struct invites *v, const struct invite *i)
{
    char name[sizeof prefix + 2 * HASH_SIZE + 1];
    hex_put(stpcpy(name, prefix), i->ticket.id, NAME_DIGITS / 2);
    return file_path(path, v->dir, name);
}

static struct invite *find(struct invites *v, const uint8_t id[static HASH_SIZE])
{
    for (int i = 0; i < v->n; i++)
        if (keys_equal(v->of[i].ticket.id, id, HASH_SIZE))
            return &v->of[i];
    return NULL;
}

/* ---- files ------------------------------------------------------------------------------------------------------------ */

static json_t *hex_json(const void *bytes, size_t n)
{
    char hex[2 * SIGNATURE_SIZE + 1];
    hex_put(hex, bytes, n);
    return json_string(hex);
}

static bool get_hex(void *bytes, size_t n, const json_t *object, const char *key)
{
    const char *hex = json_text(object, key);
    return hex_get(bytes, n, hex, strlen(hex));
}

static bool parse(struct invite *i, const json_t *json)
{
    struct invite_ticket *t = &i->ticket;
    const char *state = json_text(json, "state"), *name = json_text(json, "name");
    bool known = false;
    memset(i, 0, sizeof *i);
    for (size_t s = 0; s < sizeof state_names / sizeof state_names[0]; s++)
        if (strcmp(state, state_names[s]) == 0) {
            i->state = (enum invite_state)s;
            known = true;
        }
    if (!known || json_number(json, "format", 0) != 1 || !cluster_name_valid(name))
        return false;
    snprintf(t->name, sizeof t->name, "%s", name);
    snprintf(i->from, sizeof i->from, "%s", json_text(json, "from"));
    t->member = (member_id)json_number(json, "member", 0);
    t->until = json_number(json, "until", 0);
    i->taken = json_number(json, "taken", 0);
    i->closed = *json_text(json, "closed") != '\0';
    return get_hex(t->id, HASH_SIZE, json, "id") && get_hex(t->hash, HASH_SIZE, json, "hash") &&
           get_hex(t->signature, SIGNATURE_SIZE, json, "ticket") &&
           (i->state != INVITE_TAKEN || get_hex(i->taker, HASH_SIZE, json, "taker"));
}

static json_t *read_file(const char *path, struct problem *err)
{
    size_t n;
    char *text = file_read(path, FILE_SECRET | FILE_TEXT, FILE_MAX, &n, err);
    json_t *json = text != NULL ? json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (text != NULL && json == NULL)
        problem_fact(err, "\"%s\" was damaged", path);
    free(text);
    return json;
}

/* `base64` NULL: without what is closed. */
static bool write_file(const struct invites *v, const struct invite *i, const char *base64,
                       struct problem *err)
{
    const struct invite_ticket *t = &i->ticket;
    char path[FILE_PATH_SIZE];
    json_t *json = json_pack("{s:i, s:s, s:i, s:s, s:I, s:o, s:o, s:o}", "format", 1, "state",
                             state_names[i->state], "member", (int)t->member, "name", t->name, "until",
                             (json_int_t)t->until, "id", hex_json(t->id, HASH_SIZE), "hash",
                             hex_json(t->hash, HASH_SIZE), "ticket", hex_json(t->signature, SIGNATURE_SIZE));
    if (i->state == INVITE_TAKEN) {
        json_object_set_new(json, "taken", json_integer((json_int_t)i->taken));
        json_object_set_new(json, "taker", hex_json(i->taker, HASH_SIZE));
        json_object_set_new(json, "from", json_string(i->from));
    }
    if (base64 != NULL)
        json_object_set_new(json, "closed", json_string(base64));
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    if (text == NULL || !path_of(path, v, i)) {
        free(text);
        return problem_fact(err, text == NULL ? "out of memory" : "the path of the state folder is too long");
    }
    bool good = file_replace(path, text, strlen(text), 0600, err);
    free(text);
    return good;
}

void invites_load(struct invites *v, const char *state_dir, struct problem *err)
{
    char path[FILE_PATH_SIZE];
    v->dir = state_dir;
    v->n = 0; /* the places themselves are not touched: few members of a witness's many clusters invite */
    err->fact[0] = '\0';
    DIR *folder = opendir(state_dir);
    for (struct dirent *e = folder ? readdir(folder) : NULL; e != NULL; e = readdir(folder)) {
        if (strncmp(e->d_name, prefix, sizeof prefix - 1) != 0 ||
            strspn(e->d_name + sizeof prefix - 1, "0123456789abcdef") != NAME_DIGITS ||
            e->d_name[sizeof prefix - 1 + NAME_DIGITS] != '\0' || !file_path(path, state_dir, e->d_name))
            continue;
        json_t *json = read_file(path, err);
        if (json != NULL && (v->n == INVITES_MAX || !parse(&v->of[v->n], json)))
            problem_fact(err, "\"%s\" is no invitation, or one too many", path);
        else if (json != NULL)
            v->n++;
        json_decref(json);
    }
    if (folder)
        closedir(folder);
}

/* ---- in and out ------------------------------------------------------------------------------------------------------- */

static void forget(struct invites *v, struct invite *i)
{
    char path[FILE_PATH_SIZE];
    if (path_of(path, v, i))
        unlink(path);
    *i = v->of[--v->n];
}

/* Of those that wait for nobody any more the one that ended first. */
static bool make_room(struct invites *v)
{
    struct invite *oldest = NULL;
    for (int i = 0; i < v->n; i++)
        if (!v->of[i].closed && (oldest == NULL || v->of[i].ticket.until < oldest->ticket.until))
            oldest = &v->of[i];
    if (oldest != NULL)
        forget(v, oldest);
    return oldest != NULL;
}

bool invites_keep(struct invites *v, const struct invite_ticket *t, const char *base64, int64_t now,
                  struct problem *err)
{
    struct invite new = {.state = INVITE_WAITING, .ticket = *t, .closed = true};
    char path[FILE_PATH_SIZE];
    if (t->until <= now || t->until > now + INVITE_VALID_MAX_S) {
        problem_fact(err,
                     t->until <= now ? "the invitation has ended already" : "the invitation lasts too long");
        return problem_hint(err, "It lasts a week at most, by this member's clock: do the clocks agree?");
    }
    if (find(v, t->id) != NULL || (path_of(path, v, &new) && access(path, F_OK) == 0))
        return problem_fact(err, "there is an invitation of that number");
    if (v->n == INVITES_MAX && !make_room(v)) {
        problem_fact(err, "%d hosts are invited already", INVITES_MAX);
        return problem_hint(err, "Wait, or take one back: \"pgmesh member invite --withdraw NAME\".");
    }
    if (!write_file(v, &new, base64, err))
        return false;
    v->of[v->n++] = new;
    return true;
}

static char *closed_of(const struct invites *v, const struct invite *i, struct problem *err)
{
    char path[FILE_PATH_SIZE];
    json_t *json = path_of(path, v, i) ? read_file(path, err) : NULL;
    const char *base64 = json_text(json, "closed");
    char *out = *base64 != '\0' ? strdup(base64) : NULL;
    json_decref(json);
    if (out == NULL && err->fact[0] == '\0')
        problem_fact(err, "the folder of \"%s\" is not there any more", i->ticket.name);
    return out;
}

static bool may_again(const struct invite *i, const uint8_t taker[static HASH_SIZE], int64_t now)
{
    return i->closed && now <= i->taken + INVITE_AGAIN_S && keys_equal(i->taker, taker, HASH_SIZE);
}

static enum invite_got give(struct invites *v, struct invite *i, const uint8_t taker[static HASH_SIZE],
                            const char *from, int64_t now, char **base64, struct problem *err)
{
    struct invite taken = *i;
    char *closed = closed_of(v, i, err);
    if (closed == NULL)
        return INVITE_FAILED;
    if (i->state == INVITE_WAITING) {
        taken.state = INVITE_TAKEN;
        taken.taken = now;
        memcpy(taken.taker, taker, HASH_SIZE);
        snprintf(taken.from, sizeof taken.from, "%s", from);
        if (!write_file(v, &taken, closed, err)) {
            free(closed);
            return INVITE_FAILED;
        }
        *i = taken;
    }
    *base64 = closed;
    return INVITE_GIVEN;
}

enum invite_got invites_take(struct invites *v, const uint8_t id[static HASH_SIZE],
                             const uint8_t taker[static HASH_SIZE], const char *from, int64_t now,
                             char **base64, struct invite **which, struct problem *err)
{
    struct invite *i = find(v, id);
    *base64 = NULL;
    *which = i;
    if (i == NULL)
        return INVITE_UNKNOWN;
    switch (i->state) {
    case INVITE_WAITING:
        return invite_ended(i, now) || !i->closed ? INVITE_ENDED : give(v, i, taker, from, now, base64, err);
    case INVITE_TAKEN:
        if (may_again(i, taker, now))
            return give(v, i, taker, from, now, base64, err);
        i->again++;
        return INVITE_USED;
    case INVITE_RECALLED: break;
    }
    return INVITE_GONE;
}

struct invite *invites_recall(struct invites *v, const uint8_t id[static HASH_SIZE], struct problem *err)
{
    struct invite *i = find(v, id), recalled;
    if (i == NULL || i->state != INVITE_WAITING) {
        problem_fact(err, i == NULL ? "there is no such invitation"
                                    : "the invitation is used or recalled already");
        return NULL;
    }
    recalled = *i;
    recalled.state = INVITE_RECALLED;
    recalled.closed = false;
    if (!write_file(v, &recalled, NULL, err))
        return NULL;
    *i = recalled;
    return i;
}

/* Without what is closed; a file that cannot be written so goes altogether. */
static void strip(struct invites *v, struct invite *i)
{
    char path[FILE_PATH_SIZE];
    i->closed = false;
    if (!write_file(v, i, NULL, NULL) && path_of(path, v, i))
        unlink(path);
}

const char *invites_tend(struct invites *v, int64_t now)
{
    for (int n = v->n - 1; n >= 0; n--) {
        struct invite *i = &v->of[n];
        bool over = invite_ended(i, now) || (i->state == INVITE_TAKEN && now > i->taken + INVITE_AGAIN_S);
        if (i->closed && over) {
            strip(v, i);
            if (i->state == INVITE_WAITING)
                return i->ticket.name;
        }
        if (now > i->ticket.until + INVITE_REMEMBERED_S)
            forget(v, i);
    }
    return NULL;
}
