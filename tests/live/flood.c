/* flood: an ill-mannered neighbour on the network.
 *
 *     flood ADDRESS PORT RATE
 *
 * Opens RATE TCP connections a second, until it is killed.  One of three says nothing (a handshake left half done), one sends
 * a kilobyte of noise, one the greeting of a ZeroMQ peer and then noise.  At most HELD are held open at a time; the oldest
 * gives way. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HELD = 900, NOISE = 1024, NOISY_AFTER = 100 };

static const unsigned char GREETING[] = {0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1, 'C', 'U', 'R', 'V', 'E'};

static int dial(const struct sockaddr_in *to)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        connect(fd, (const struct sockaddr *)to, sizeof *to); /* in progress, or refused: both are welcome */
    return fd;
}

static void speak(int fd, unsigned kind)
{
    unsigned char noise[NOISE];
    for (unsigned i = 0; i < sizeof noise; i++)
        noise[i] = (unsigned char)random();
    if (kind == 2)
        memcpy(noise, GREETING, sizeof GREETING);
    if (kind != 0)
        (void)!write(fd, noise, sizeof noise);
}

int main(int argc, char **argv)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    int held[HELD];
    long rate = argc == 4 ? atol(argv[3]) : 0;
    if (rate <= 0 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) {
        fprintf(stderr, "usage: flood ADDRESS PORT RATE\n");
        return 2;
    }
    to.sin_port = htons((unsigned short)atoi(argv[2]));
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < HELD; i++)
        held[i] = -1;
    struct timespec pause = {.tv_nsec = 1000000000 / rate > 999999999 ? 999999999 : 1000000000 / rate};
    for (unsigned i = 0;; i++) {
        int *slot = &held[i % HELD], *earlier = &held[(i + HELD - NOISY_AFTER) % HELD];
        if (*slot >= 0)
            close(*slot);
        *slot = dial(&to);
        if (*earlier >= 0)
            speak(*earlier, i % 3);
        nanosleep(&pause, NULL);
    }
}
