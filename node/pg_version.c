#include "node/pg_version.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/hand_state.h"
#include "node/pg_run.h"

/* In what `postgres --version` prints: "postgres (PostgreSQL) 15.14 (Debian ...)", "... 18beta1". */
static int named_in(const char *words)
{
    static const char before[] = "(PostgreSQL) ";
    const char *at = strstr(words, before);
    int major = at ? atoi(at + strlen(before)) : 0;
    return major > 0 ? major : 0;
}

static int of_directory(struct hand *h)
{
    char path[FILE_PATH_SIZE], text[16] = "";
    int fd = hand_path(path, h->config->data_dir, "PG_VERSION") ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
    if (fd >= 0)
        close(fd);
    int major = n > 0 ? atoi(text) : 0;
    return major > 0 ? major : 0;
}

static int of_programs(struct hand *h)
{
    static struct pg_run run; /* the worker's alone */
    char path[FILE_PATH_SIZE];
    struct stat st;
    if (!hand_path(path, h->config->bin_dir, "postgres") || stat(path, &st) < 0)
        return 0;
    if (h->server_major && st.st_ino == h->server_inode && st.st_mtime == h->server_made)
        return h->server_major;
    run = (struct pg_run){.program = "postgres", .args = {"--version", NULL}, .steady = true};
    h->server_major = pg_run(h, &run) == 0 ? named_in(run.output) : 0;
    h->server_inode = st.st_ino;
    h->server_made = st.st_mtime;
    return h->server_major;
}

bool pg_version_fits(struct hand *h, struct problem *err)
{
    int data = of_directory(h), server = data ? of_programs(h) : 0;
    if (!data || !server || data == server)
        return true;
    return problem_fact(
        err, "data_dir is of PostgreSQL %d, bin_dir of PostgreSQL %d: upgrade the one or set the other", data,
        server);
}
