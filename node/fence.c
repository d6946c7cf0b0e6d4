#include "node/fence.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <dirent.h>

enum { LADDER_MAX = 8192 };

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool write_text(const char *dir, const char *file, const char *text)
{
    char path[FENCE_PATH + 32];
    snprintf(path, sizeof path, "%s/%s", dir, file);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    return ok;
}

/* ---- finding a cgroup v2 -------------------------------------------------------------------------------------- */

/* The first cgroup2 mount: its mount point, and which part of the hierarchy is mounted there. */
static bool find_mount(char point[static FENCE_PATH], char root[static FENCE_PATH])
{
    FILE *f = fopen("/proc/self/mountinfo", "re");
    if (!f)
        return false;
    char line[2048];
    bool found = false;
    while (!found && fgets(line, sizeof line, f)) {
        const char *type = strstr(line, " - ");
        if (!type || strncmp(type, " - cgroup2 ", 11) != 0)
            continue;
        found = sscanf(line, "%*s %*s %*s %511s %511s", root, point) == 2;
    }
    fclose(f);
    return found;
}

/* Our own place in the hierarchy ("0::/path"), below the mount's root. */
static void find_own(const char *root, char own[static FENCE_PATH])
{
    own[0] = '\0';
    FILE *f = fopen("/proc/self/cgroup", "re");
    if (!f)
        return;
    char line[1024];
    while (fgets(line, sizeof line, f)) {
        if (strncmp(line, "0::", 3) != 0)
            continue;
        char *path = line + 3;
        path[strcspn(path, "\n")] = '\0';
        size_t skip = strcmp(root, "/") == 0 ? 0 : strlen(root);
        if (skip && strncmp(path, root, skip) != 0)
            break;
        snprintf(own, FENCE_PATH, "%s", path + skip);
        if (strcmp(own, "/") == 0)
            own[0] = '\0';
        break;
    }
    fclose(f);
}

static bool make_child(struct fence *f, const char *parent, const char *name, char *note, size_t note_size)
{
    int n = snprintf(f->cgroup, sizeof f->cgroup, "%s/%s", parent, name);
    bool ok = n > 0 && (size_t)n < sizeof f->cgroup && (mkdir(f->cgroup, 0755) == 0 || errno == EEXIST);
    if (ok) {
        /* A kernel without the freezer (before 5.2), or a directory that is no cgroup, is as good as none. */
        ok = write_text(f->cgroup, "cgroup.freeze", "0");
        int fd = fence_entry_fd(f);
        ok = ok && fd >= 0;
        if (fd >= 0)
            close(fd);
    }
    if (!ok) {
        snprintf(note, note_size, "cannot use cgroup \"%.300s\": %s", f->cgroup, strerror(errno));
        f->cgroup[0] = '\0';
    }
    return ok;
}

bool fence_open(struct fence *f, const char *spec, const char *name, const char *data_dir, char *note,
                size_t note_size)
{
    fence_attach(f, "", data_dir);
    note[0] = '\0';
    if (strcmp(spec, "none") == 0)
        return true;
    if (strcmp(spec, "auto") != 0)
        return make_child(f, spec, name, note, note_size);

    char point[FENCE_PATH] = "", root[FENCE_PATH] = "", own[FENCE_PATH], parent[2 * FENCE_PATH];
    if (!find_mount(point, root)) {
        snprintf(note, note_size, "no cgroup v2 is mounted");
        return true;
    }
    find_own(root, own);
    snprintf(parent, sizeof parent, "%s%s", point, own);
    make_child(f, parent, name, note, note_size);
    return true;
}

void fence_attach(struct fence *f, const char *cgroup, const char *data_dir)
{
    memset(f, 0, sizeof *f);
    snprintf(f->cgroup, sizeof f->cgroup, "%s", cgroup);
    snprintf(f->data_dir, sizeof f->data_dir, "%s", data_dir);
}

void fence_close(struct fence *f)
{
    if (f->cgroup[0])
        rmdir(f->cgroup);
    memset(f, 0, sizeof *f);
}

int fence_entry_fd(const struct fence *f)
{
    if (!f->cgroup[0])
        return -1;
    char path[FENCE_PATH + 32];
    snprintf(path, sizeof path, "%s/cgroup.procs", f->cgroup);
    return open(path, O_WRONLY | O_CLOEXEC);
}

/* ---- the cgroup ----------------------------------------------------------------------------------------------- */

/* The value of "key N" in cgroup.events, or -1. */
static int cgroup_event(const struct fence *f, const char *key)
{
    char path[FENCE_PATH + 32], text[256];
    snprintf(path, sizeof path, "%s/cgroup.events", f->cgroup);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n < 0)
        return -1;
    text[n] = '\0';
    const char *at = strstr(text, key);
    return at ? atoi(at + strlen(key)) : -1;
}

/* Waits for a change of cgroup.events until the key has the value. */
static bool cgroup_await(const struct fence *f, const char *key, int value, int wait_ms)
{
    char path[FENCE_PATH + 32], text[256];
    snprintf(path, sizeof path, "%s/cgroup.events", f->cgroup);
    int64_t end = now_ms() + wait_ms;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return cgroup_event(f, key) == value;
    bool reached = false;
    for (;;) {
        ssize_t n = pread(fd, text, sizeof text - 1, 0);
        text[n < 0 ? 0 : n] = '\0';
        const char *at = strstr(text, key);
        reached = at && atoi(at + strlen(key)) == value;
        int64_t left = end - now_ms();
        if (reached || left <= 0)
            break;
        struct pollfd p = {.fd = fd, .events = POLLPRI};
        poll(&p, 1, left > 50 ? 50 : (int)left); /* 50: the kernel coalesces notices */
    }
    close(fd);
    return reached;
}

static FILE *cgroup_procs(const struct fence *f)
{
    char path[FENCE_PATH + 32];
    snprintf(path, sizeof path, "%s/cgroup.procs", f->cgroup);
    return fopen(path, "re");
}

/* For kernels between 5.2 and 5.14: no cgroup.kill, but SIGKILL works on processes frozen by cgroup v2. */
static void cgroup_kill_each(const struct fence *f)
{
    FILE *procs = cgroup_procs(f);
    if (!procs)
        return;
    int pid;
    while (fscanf(procs, "%d", &pid) == 1)
        if (pid > 1)
            kill(pid, SIGKILL);
    fclose(procs);
}

/* ---- the ladder ----------------------------------------------------------------------------------------------- */

struct ladder_process {
    pid_t pid, parent;
    bool inside; /* one of ours */
    bool root;   /* a postgres whose parent is not one: the postmaster, or an orphan */
    bool stopped;
};
struct ladder {
    int n;
    struct ladder_process p[LADDER_MAX];
};

static bool runs_postgres(pid_t pid, const struct stat *data_dir)
{
    char path[64], exe[FENCE_PATH];
    struct stat cwd;
    snprintf(path, sizeof path, "/proc/%d/cwd", (int)pid);
    if (stat(path, &cwd) < 0 || cwd.st_dev != data_dir->st_dev || cwd.st_ino != data_dir->st_ino)
        return false;
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    ssize_t n = readlink(path, exe, sizeof exe - 1);
    if (n < 0)
        return false;
    exe[n] = '\0';
    const char *base = strrchr(exe, '/');
    base = base ? base + 1 : exe;
    return strcmp(base, "postgres") == 0 || strcmp(base, "postgres (deleted)") == 0;
}

static bool read_stat(pid_t pid, struct ladder_process *p)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    const char *after = strrchr(text, ')'); /* the name may hold anything */
    char state;
    int parent;
    if (!after || sscanf(after + 1, " %c %d", &state, &parent) != 2 || state == 'Z' || state == 'X')
        return false;
    *p = (struct ladder_process){.pid = pid, .parent = parent, .stopped = state == 'T'};
    return true;
}

static struct ladder_process *ladder_find(struct ladder *l, pid_t pid)
{
    for (int i = 0; i < l->n; i++)
        if (l->p[i].pid == pid)
            return &l->p[i];
    return NULL;
}

/* Everything of this PostgreSQL that lives; returns how many. */
static int ladder_scan(const struct fence *f, struct ladder *l)
{
    struct stat data_dir;
    l->n = 0;
    DIR *proc = stat(f->data_dir, &data_dir) == 0 ? opendir("/proc") : NULL;
    if (!proc)
        return 0;
    for (struct dirent *d; (d = readdir(proc)) && l->n < LADDER_MAX;) {
        pid_t pid = atoi(d->d_name);
        if (pid <= 1 || !read_stat(pid, &l->p[l->n]))
            continue;
        l->p[l->n].inside = runs_postgres(pid, &data_dir);
        l->n++;
    }
    closedir(proc);
    int inside = 0;
    for (bool grew = true; grew;) { /* what they started (archive_command and the like) is theirs */
        grew = false;
        inside = 0;
        for (int i = 0; i < l->n; i++) {
            struct ladder_process *p = &l->p[i], *parent = ladder_find(l, p->parent);
            bool below = parent && parent->inside;
            if (!p->inside && below)
                p->inside = grew = true;
            p->root = p->inside && !below;
            inside += p->inside;
        }
    }
    return inside;
}

static void ladder_signal(const struct ladder *l, int signal, bool roots, bool others)
{
    for (int i = 0; i < l->n; i++)
        if (l->p[i].inside && (l->p[i].root ? roots : others))
            kill(l->p[i].pid, signal);
}

static bool ladder_all_stopped(const struct ladder *l)
{
    for (int i = 0; i < l->n; i++)
        if (l->p[i].inside && !l->p[i].stopped)
            return false;
    return true;
}

/* The guard is one thread; in the agent only the hand's worker fences. */
static struct ladder *ladder_room(void)
{
    static struct ladder room;
    return &room;
}

static void short_pause(void)
{
    poll(NULL, 0, 1);
} /* /proc offers nothing to wait on */

static bool ladder_freeze(const struct fence *f)
{
    struct ladder *l = ladder_room();
    for (int i = 0; i < 20; i++) { /* a fork that raced with us is caught in the next round */
        if (ladder_scan(f, l) == 0 || ladder_all_stopped(l))
            return true;
        ladder_signal(l, SIGSTOP, true, false);
        ladder_signal(l, SIGSTOP, false, true);
    }
    return ladder_scan(f, l) == 0 || ladder_all_stopped(l);
}

static bool ladder_kill(const struct fence *f, int wait_ms)
{
    struct ladder *l = ladder_room();
    int64_t end = now_ms() + wait_ms;
    while (ladder_scan(f, l) > 0) {
        ladder_signal(l, SIGSTOP, true, false); /* it must not start another child meanwhile */
        ladder_signal(l, SIGKILL, false, true);
        ladder_signal(l, SIGKILL, true, false);
        if (now_ms() >= end)
            return ladder_scan(f, l) == 0;
        short_pause();
    }
    return true;
}

/* ---- both ----------------------------------------------------------------------------------------------------- */

bool fence_freeze(const struct fence *f)
{
    return f->cgroup[0] ? write_text(f->cgroup, "cgroup.freeze", "1") : ladder_freeze(f);
}

bool fence_is_frozen(const struct fence *f)
{
    if (f->cgroup[0])
        return cgroup_event(f, "frozen ") == 1;
    struct ladder *l = ladder_room();
    return ladder_scan(f, l) > 0 && ladder_all_stopped(l);
}

bool fence_thaw(const struct fence *f)
{
    if (f->cgroup[0])
        return write_text(f->cgroup, "cgroup.freeze", "0");
    struct ladder *l = ladder_room();
    ladder_scan(f, l);
    ladder_signal(l, SIGCONT, false, true);
    ladder_signal(l, SIGCONT, true, false);
    return true;
}

bool fence_kill(const struct fence *f, int wait_ms)
{
    if (!f->cgroup[0])
        return ladder_kill(f, wait_ms);
    int64_t end = now_ms() + wait_ms;
    do { /* again: without cgroup.kill a fork may slip through */
        if (!write_text(f->cgroup, "cgroup.kill", "1"))
            cgroup_kill_each(f);
        int64_t left = end - now_ms();
        if (cgroup_await(f, "populated ", 0, left < 0 ? 0 : left > 100 ? 100 : (int)left)) {
            write_text(f->cgroup, "cgroup.freeze", "0"); /* the next start must not find itself frozen */
            return true;
        }
    } while (now_ms() < end);
    return false;
}

bool fence_is_empty(const struct fence *f)
{
    if (f->cgroup[0])
        return cgroup_event(f, "populated ") == 0 || (access(f->cgroup, F_OK) < 0 && errno == ENOENT);
    return ladder_scan(f, ladder_room()) == 0;
}

bool fence_has(const struct fence *f, pid_t pid)
{
    if (!f->cgroup[0]) {
        struct ladder_process *p = ladder_scan(f, ladder_room()) > 0 ? ladder_find(ladder_room(), pid) : NULL;
        return p && p->inside;
    }
    FILE *procs = cgroup_procs(f);
    if (!procs)
        return false;
    bool found = false;
    int each;
    while (!found && fscanf(procs, "%d", &each) == 1)
        found = each == pid;
    fclose(procs);
    return found;
}

int fence_list(const struct fence *f, pid_t *pids, int max)
{
    int n = 0;
    if (!f->cgroup[0]) {
        const struct ladder *l = ladder_room();
        ladder_scan(f, ladder_room());
        for (int i = 0; i < l->n && n < max; i++)
            if (l->p[i].inside)
                pids[n++] = l->p[i].pid;
        return n;
    }
    FILE *procs = cgroup_procs(f);
    while (procs && n < max && fscanf(procs, "%d", &pids[n]) == 1)
        n++;
    if (procs)
        fclose(procs);
    return n;
}
