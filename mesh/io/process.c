#define _GNU_SOURCE
#include "mesh/io/process.h"

#include "mesh/io/log.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct {
    bool lowered;
    struct rlimit former;
} core;

void process_begin(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            abort(); /* the lowest free descriptor is this one, unless there is no /dev/null */
}

int process_end(const char *program, int status)
{
    bool lost = ferror(stdout);
    errno = 0;
    lost = fflush(stdout) != 0 || lost;
    if (!lost)
        return status;
    fprintf(stderr, "%s: could not write to standard output%s%s\n", program, errno ? ": " : "",
            errno ? strerror(errno) : "");
    return status == 0 ? 1 : status;
}

void process_no_core(void)
{
    if (core.lowered || getrlimit(RLIMIT_CORE, &core.former) != 0)
        return;
    struct rlimit none = {.rlim_cur = 0, .rlim_max = core.former.rlim_max};
    core.lowered = setrlimit(RLIMIT_CORE, &none) == 0;
}

static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* A library's code and constants: whatever of them is needed again is read from the file's pages in memory.  Relocated data
 * lies in writable segments and stays. */
static int give_back_segments(struct dl_phdr_info *object, size_t size, void *main_seen)
{
    bool *seen = main_seen;
    (void)size;
    for (int i = 0; *seen && i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &object->dlpi_phdr[i];
        uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE),
                  from = (object->dlpi_addr + p->p_vaddr) & ~(page - 1);
        if (p->p_type == PT_LOAD && !(p->p_flags & PF_W))
            madvise((void *)from, object->dlpi_addr + p->p_vaddr + p->p_memsz - from, MADV_DONTNEED);
    }
    *seen = true; /* the first one is the program itself, which is kept whole */
    return 0;
}

/* Linking touches every library's symbols and relocations, also of the thirty that came with others and are never called:
 * a third of what would be locked. */
static void give_back_start(void)
{
    bool main_seen = false;
    dl_iterate_phdr(give_back_segments, &main_seen);
}

static bool write_oom_score(const char *score, size_t n)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    bool good = fd >= 0 && write(fd, score, n) == (ssize_t)n;
    if (fd >= 0)
        close(fd);
    return good;
}

bool process_harden(bool realtime)
{
    process_no_core();
    mallopt(M_ARENA_MAX, 1);
    give_back_start();
    raise_descriptors();
    if (!realtime)
        return false;
    struct sched_param priority = {.sched_priority = 1};
    bool granted = sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &priority) == 0;
    if (!granted)
        log_event(LOG_LEVEL_INFO, "realtime", "no real-time priority: %s", strerror(errno));
    /* ONFAULT: locks what is used, so the price is what the process needs and not what the libraries reserve. */
    if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0)
        log_event(LOG_LEVEL_INFO, "realtime", "memory is not locked: %s", strerror(errno));
    write_oom_score("-900", 4);
    return granted;
}

void process_child(void)
{
    write_oom_score("0", 1);
    if (core.lowered)
        setrlimit(RLIMIT_CORE, &core.former);
}

void process_notify(const char *message)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path == NULL || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof address.sun_path)
        return;
    memcpy(address.sun_path, path, strlen(path));
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    sendto(fd, message, strlen(message), MSG_NOSIGNAL, (struct sockaddr *)&address,
           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)));
    close(fd);
}
