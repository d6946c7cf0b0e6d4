/* wire: a cable with the properties of a bad one, for kernels without netem.
 *
 *     wire TAP TAP [--delay-ms N] [--jitter-ms N] [--reorder] [--duplicate PERCENT] [--kbit N [--classes]]
 *
 * Makes two TAP devices in the network namespace that it runs in and carries frames from one to the other, both ways: each is
 * held back for the delay and up to the jitter more, in the order in which they came unless --reorder; some are delivered
 * twice; --kbit bounds the rate of each direction, with a queue of 256 kB that drops what does not fit, as routers do; with
 * --classes packets marked as network control (DSCP CS6) pass the queue, as on routers that honour it.
 * Takes real-time priority where it may: a cable is as good as it is told to be, however busy the machine.
 * Prints a line when the devices exist; whoever started it joins them to bridges. Killed, it takes them along. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { FRAME_SIZE = 2048, HELD_MAX = 16384, QUEUE_BYTES = 256 * 1024 };

struct held {
    int64_t due_us;
    uint64_t number; /* equal times: in the order in which they came */
    int to;
    size_t len;
    unsigned char *bytes;
};

static struct options {
    int64_t delay_us, jitter_us, kbit;
    int duplicate;
    bool reorder, classes;
} options;
static struct held heap[HELD_MAX]; /* the soonest first */
static int n_held;
static uint64_t numbers;
static int64_t last_due_us[2][2]; /* of the last frame, by direction and class */
static int64_t free_us[2][2];     /* when the line is free again for them */

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static bool sooner(const struct held *a, const struct held *b)
{
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->number < b->number;
}

static void push(struct held h)
{
    int i = n_held++;
    for (; i > 0 && sooner(&h, &heap[(i - 1) / 2]); i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = h;
}

static struct held pop(void)
{
    struct held first = heap[0], last = heap[--n_held];
    int i = 0;
    for (int child; (child = 2 * i + 1) < n_held; i = child) {
        if (child + 1 < n_held && sooner(&heap[child + 1], &heap[child]))
            child++;
        if (!sooner(&heap[child], &last))
            break;
        heap[i] = heap[child];
    }
    heap[i] = last;
    return first;
}

static bool is_control(const unsigned char *frame, size_t len)
{
    return options.classes && len > 15 && frame[12] == 0x08 && frame[13] == 0 && frame[15] >> 5 == 6;
}

static void hold(int to, const unsigned char *bytes, size_t len, int64_t now)
{
    bool control = is_control(bytes, len);
    int64_t due = now + options.delay_us + (options.jitter_us ? random() % options.jitter_us : 0);
    if (options.kbit) {
        /* What passes first waits for its like alone, and holds up the rest. */
        int64_t *line = &free_us[to][control], takes = (int64_t)len * 8000 / options.kbit;
        int64_t start = *line > now ? *line : now;
        if ((start - now) * options.kbit / 8000 > QUEUE_BYTES)
            return;
        *line = start + takes;
        due += *line - now;
        if (control)
            free_us[to][0] = (free_us[to][0] > now ? free_us[to][0] : now) + takes;
    }
    if (!options.reorder && due < last_due_us[to][control])
        due = last_due_us[to][control];
    last_due_us[to][control] = due;
    unsigned char *copy = n_held < HELD_MAX ? malloc(len) : NULL;
    if (!copy)
        return;
    memcpy(copy, bytes, len);
    push((struct held){.due_us = due, .number = numbers++, .to = to, .len = len, .bytes = copy});
}

static int open_tap(const char *name)
{
    struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    snprintf(r.ifr_name, sizeof r.ifr_name, "%s", name);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &r) < 0) {
        perror("wire: could not make a TAP device");
        exit(1);
    }
    return fd;
}

static void carry(const int fd[2])
{
    unsigned char frame[FRAME_SIZE];
    for (;;) {
        int64_t now = now_us();
        while (n_held > 0 && heap[0].due_us <= now) {
            struct held h = pop();
            (void)!write(fd[h.to], h.bytes, h.len); /* a device that is down takes nothing */
            free(h.bytes);
        }
        struct timespec wait = {.tv_sec = 1};
        if (n_held > 0 && heap[0].due_us - now < 1000000)
            wait = (struct timespec){.tv_nsec = (heap[0].due_us - now) * 1000};
        struct pollfd p[2] = {{.fd = fd[0], .events = POLLIN}, {.fd = fd[1], .events = POLLIN}};
        if (ppoll(p, 2, &wait, NULL) <= 0)
            continue;
        now = now_us();
        for (int from = 0; from < 2; from++)
            for (ssize_t n; p[from].revents && (n = read(fd[from], frame, sizeof frame)) > 0;) {
                hold(1 - from, frame, (size_t)n, now);
                if (random() % 100 < options.duplicate)
                    hold(1 - from, frame, (size_t)n, now);
            }
    }
}

int main(int argc, char **argv)
{
    static const struct option known[] = {{"delay-ms", 1, NULL, 'd'}, {"jitter-ms", 1, NULL, 'j'},
                                          {"reorder", 0, NULL, 'r'},  {"duplicate", 1, NULL, 'u'},
                                          {"kbit", 1, NULL, 'k'},     {"classes", 0, NULL, 'c'},
                                          {NULL, 0, NULL, 0}};
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;)
        switch (c) {
        case 'd': options.delay_us = atoll(optarg) * 1000; break;
        case 'j': options.jitter_us = atoll(optarg) * 1000; break;
        case 'r': options.reorder = true; break;
        case 'u': options.duplicate = atoi(optarg); break;
        case 'c': options.classes = true; break;
        case 'k': options.kbit = atoll(optarg); break;
        default: return 2;
        }
    if (optind + 2 != argc) {
        fprintf(
            stderr,
            "usage: wire TAP TAP [--delay-ms N] [--jitter-ms N] [--reorder] [--duplicate PERCENT] [--kbit N [--classes]]\n");
        return 2;
    }
    mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
    sched_setscheduler(0, SCHED_RR, &(struct sched_param){.sched_priority = 5});
    int fd[2] = {open_tap(argv[optind]), open_tap(argv[optind + 1])};
    puts("ready");
    fflush(stdout);
    carry(fd);
}
