#include "node/route_file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "mesh/io/conninfo.h"

static const char TERM_FILE[] = "route.term";

uint64_t route_file_term(const struct config *c)
{
    char path[FILE_PATH_SIZE];
    size_t n;
    if (!file_path(path, c->state_dir, TERM_FILE))
        return 0;
    char *text = file_read(path, FILE_TEXT, 64, &n, NULL);
    uint64_t term = text ? strtoull(text, NULL, 10) : 0;
    free(text);
    return term;
}

static bool keep_term(const struct config *c, uint64_t term, struct problem *err)
{
    char path[FILE_PATH_SIZE], text[32];
    int n = snprintf(text, sizeof text, "%" PRIu64 "\n", term);
    return file_path(path, c->state_dir, TERM_FILE) && file_replace(path, text, (size_t)n, 0644, err);
}

static bool write_one(const char *path, const struct address *hosts, int n, struct problem *err)
{
    char text[CONNINFO_SIZE];
    size_t size = conninfo_print(text, CONNINFO_KEYWORDS, CONNINFO_READ_WRITE, hosts, n);
    return file_replace(path, text, size, 0644, err);
}

bool route_file_write(const struct config *c, const struct hand_member *members, int n,
                      const struct routing *r, struct problem *err)
{
    struct address hosts[CONNINFO_HOSTS_MAX];
    char all[FILE_PATH_SIZE + 8];
    int used = 0;
    for (int i = 0; i < n; i++)
        if (members[i].id == r->primary)
            hosts[used++] = members[i].pg;
    if (used == 0)
        return problem_fact(err, "the primary has no address in the cluster file");
    for (int i = 0; i < n && used < CONNINFO_HOSTS_MAX; i++)
        if (members[i].id != r->primary)
            hosts[used++] = members[i].pg;
    snprintf(all, sizeof all, "%s.all", c->route_file);
    return keep_term(c, r->term, err) && write_one(c->route_file, hosts, 1, err) &&
           write_one(all, hosts, used, err);
}
