#define _GNU_SOURCE
#include "mesh/http/dial.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- the privileged half -------------------------------------------------------------------------------------------- */

/* Never waits: a member whose queue is full is one that does not answer. */
static int dial(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static bool hand_over(int channel, int fd, unsigned char error)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec byte = {.iov_base = &error, .iov_len = 1};
    struct msghdr message = {.msg_iov = &byte, .msg_iovlen = 1};
    if (fd >= 0) {
        message.msg_control = control.room;
        message.msg_controllen = sizeof control.room;
        control.head = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
    }
    return sendmsg(channel, &message, MSG_NOSIGNAL) == 1;
}

bool dial_serve(int channel, const char *socket_path, const volatile int *stop)
{
    char request;
    for (;;) {
        ssize_t got = *stop ? -1 : recv(channel, &request, 1, 0);
        if (*stop)
            return false;
        if (got < 0 && errno == EINTR)
            continue;
        if (got != 1)
            return true;
        int fd = dial(socket_path);
        bool sent = hand_over(channel, fd, fd >= 0 ? 0 : (unsigned char)errno);
        if (fd >= 0)
            close(fd);
        if (!sent)
            return true;
    }
}

/* ---- the other half ------------------------------------------------------------------------------------------------- */

bool dial_ask(int channel)
{
    return send(channel, "c", 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
}

int dial_receive(int channel, int *fd, int *error)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    unsigned char code = 0;
    struct iovec byte = {.iov_base = &code, .iov_len = 1};
    struct msghdr message = {.msg_iov = &byte,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof control.room};
    ssize_t got = recvmsg(channel, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (got != 1)
        return -1;
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    *error = code;
    *fd = -1;
    if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
        memcpy(fd, CMSG_DATA(c), sizeof *fd);
    else if (code == 0)
        *error = ECONNREFUSED;
    return 1;
}
