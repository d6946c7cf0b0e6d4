/* pageout: tells the kernel to page a process out, as it would under memory pressure.
 *
 *     pageout PID
 *
 * Asks for each mapping of the process by itself (process_madvise, MADV_PAGEOUT); the kernel refuses that for locked memory,
 * which is what a process that must not wait for a disk relies on.  It needs no swap: pages of files go at once, others when
 * there is somewhere to go.  Prints
 *
 *     before KB after KB refused N taken N KB
 *
 * the resident set before and after, how many mappings were refused, and how many kilobytes of address space were not. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static FILE *open_proc(int pid, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    return fopen(path, "re");
}

static long resident_kb(int pid)
{
    char line[256];
    long kb = -1;
    FILE *f = open_proc(pid, "status");
    while (f && kb < 0 && fgets(line, sizeof line, f))
        sscanf(line, "VmRSS: %ld", &kb);
    if (f)
        fclose(f);
    return kb;
}

/* The kernel's own pages ([vdso] and its kind) belong to nobody. */
static int is_kernels(const char *line)
{
    return strstr(line, "[v") != NULL;
}

int main(int argc, char **argv)
{
    int pid = argc == 2 ? atoi(argv[1]) : 0;
    int fd = pid > 1 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    FILE *maps = fd >= 0 ? open_proc(pid, "maps") : NULL;
    if (!maps) {
        fprintf(stderr, "usage: pageout PID\n");
        return 2;
    }
    char line[1024];
    unsigned refused = 0;
    uint64_t taken = 0;
    long before = resident_kb(pid);
    while (fgets(line, sizeof line, maps)) {
        uint64_t from, to;
        if (is_kernels(line) || sscanf(line, "%" SCNx64 "-%" SCNx64, &from, &to) != 2)
            continue;
        struct iovec range = {(void *)(uintptr_t)from, to - from};
        if (syscall(SYS_process_madvise, fd, &range, 1UL, MADV_PAGEOUT, 0UL) >= 0) {
            taken += (to - from) / 1024;
        } else if (errno == EINVAL) {
            refused++;
        } else {
            perror("process_madvise");
            return 1;
        }
    }
    printf("before %ld after %ld refused %u taken %" PRIu64 "\n", before, resident_kb(pid), refused, taken);
    return 0;
}
