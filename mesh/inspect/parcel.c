/* parcel.c: see parcel.h. */
#define _GNU_SOURCE
#include "mesh/inspect/parcel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mesh/inspect/output.h"
#include "mesh/io/file.h"

static const char heading[] = "pgmesh-parcel 1\n";
static const struct part {
    const char *path;
    mode_t mode;
    bool needed;
} parts[] = {{"cluster", 0644, true},  {"node.conf", 0644, true},   {"member.key", 0600, true},
             {"pg.pass", 0600, false}, {"state/store", 0600, true}, {"state/roster", 0644, true}};
enum { PARTS = sizeof parts / sizeof parts[0] };

static bool append(uint8_t *to, size_t *n, const void *bytes, size_t more, struct problem *err)
{
    if (more > INVITE_PARCEL_MAX - *n) {
        problem_fact(err, "the folder is too large to be fetched by a token");
        problem_detail(err, "At most %d bytes are.", INVITE_PARCEL_MAX);
        return problem_hint(err, "Make it with \"pgmesh member add --out FOLDER\", and copy it.");
    }
    memcpy(to + *n, bytes, more);
    *n += more;
    return true;
}

static bool pack_one(uint8_t *to, size_t *n, const char *folder, const struct part *p, struct problem *err)
{
    const char *path = text("%s/%s", folder, p->path);
    size_t size;
    if (!p->needed && access(path, F_OK) != 0)
        return true;
    char *bytes = file_read(path, p->mode == 0600 ? FILE_SECRET : FILE_PUBLIC, INVITE_PARCEL_MAX, &size, err);
    if (bytes == NULL)
        return false;
    const char *head = text("%s %zu\n", p->path, size);
    bool good = append(to, n, head, strlen(head), err) && append(to, n, bytes, size, err);
    keys_wipe(bytes, size);
    free(bytes);
    return good;
}

uint8_t *parcel_pack(const char *folder, size_t *n, struct problem *err)
{
    uint8_t *to = malloc(INVITE_PARCEL_MAX);
    bool good = to != NULL || problem_fact(err, "out of memory");
    *n = 0;
    good = good && append(to, n, heading, sizeof heading - 1, err);
    for (int i = 0; good && i < PARTS; i++)
        good = pack_one(to, n, folder, &parts[i], err);
    if (!good && to != NULL) {
        keys_wipe(to, INVITE_PARCEL_MAX);
        free(to);
        to = NULL;
    }
    return to;
}

/* The head of the next file, if it is this one's; its size, else -1. */
static long take_head(const uint8_t **at, size_t *left, const struct part *p)
{
    const uint8_t *end = memchr(*at, '\n', *left < 64 ? *left : 64);
    size_t name = strlen(p->path), head = end ? (size_t)(end - *at) : 0,
           digits = head > name ? head - name - 1 : 0;
    long size = 0;
    if (digits == 0 || digits > 6 || memcmp(*at, p->path, name) != 0 || (*at)[name] != ' ')
        return -1;
    for (const uint8_t *d = *at + name + 1; d < end; d++) {
        if (*d < '0' || *d > '9')
            return -1;
        size = 10 * size + (*d - '0');
    }
    *at += head + 1;
    *left -= head + 1;
    return (size_t)size <= *left ? size : -1;
}

static bool is_damaged(struct problem *err)
{
    problem_fact(err, "the folder that came is not one that this program reads");
    return problem_hint(err, "Is the program where the token was made newer than this one?");
}

bool parcel_unpack(const char *folder, const uint8_t *bytes, size_t n, struct problem *err)
{
    const size_t head = sizeof heading - 1;
    if (n < head || memcmp(bytes, heading, head) != 0)
        return is_damaged(err);
    if (mkdir(text("%s/state", folder), 0700) != 0)
        return problem_fact(err, "cannot make the folder \"%s/state\": %s", folder, strerror(errno));
    bytes += head;
    n -= head;
    for (int i = 0; i < PARTS; i++) {
        long size = take_head(&bytes, &n, &parts[i]);
        if (size < 0 && !parts[i].needed)
            continue;
        if (size < 0)
            return is_damaged(err);
        if (!file_replace(text("%s/%s", folder, parts[i].path), bytes, (size_t)size, parts[i].mode, err))
            return false;
        bytes += size;
        n -= (size_t)size;
    }
    return n == 0 || is_damaged(err);
}
