/* The order in which an operator's program hears of events: a gate goes before all that only tell. */
// LINK: node/route_hook.c
// LINK: node/route_run.c
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include "node/route_hook.h"
#include "tests/unit/scratch.h"
#include "tests/unit/suite.h"

static struct folder folder;
static int told_fd;

static void quiet(void *arg)
{
    (void)arg;
}

/* The hook writes a line for each event; the first one then waits until something is written to "go". */
static struct route_hook *hook(void)
{
    struct problem why = {0};
    char text[1024];
    ck_assert_int_eq(mkfifo(scratch_path("go"), 0600), 0);
    ck_assert_int_eq(mkfifo(scratch_path("told"), 0600), 0);
    snprintf(text, sizeof text, "#!/bin/sh\necho $1 >%s\n[ -e %s ] && exit\ntouch %s\nread line <%s\n",
             scratch_path("told"), scratch_path("first"), scratch_path("first"), scratch_path("go"));
    scratch_write("hook", text, strlen(text), 0755);
    told_fd = open(scratch_path("told"), O_RDWR | O_CLOEXEC);
    static struct cluster_member self = {.member = {.id = 1, .name = "db1", .role = ROLE_DATABASE}};
    folder.self = &self;
    strcpy(folder.cluster.name, "orders");
    strcpy(folder.config.member, "db1");
    strcpy(folder.config.user, "root");
    snprintf(folder.config.hook, sizeof folder.config.hook, "%s", scratch_path("hook"));
    folder.config.hook_timeout_ms = 60000;
    struct route_hook *h = route_hook_open(&folder, quiet, NULL, &why);
    ck_assert_msg(h != NULL, "%s", why.fact);
    return h;
}

/* The next event that the program heard of, or "" when there is none within 10 s. */
static const char *heard(void)
{
    static char line[64];
    size_t n = 0;
    struct pollfd p = {.fd = told_fd, .events = POLLIN};
    while (n < sizeof line - 1 && poll(&p, 1, 10000) > 0 && read(told_fd, line + n, 1) == 1 &&
           line[n] != '\n')
        n++;
    line[n] = '\0';
    return line;
}

static void let_go(void)
{
    int fd = open(scratch_path("go"), O_WRONLY | O_CLOEXEC);
    ck_assert_int_eq(write(fd, "\n", 1), 1);
    close(fd);
}

START_TEST(a_gate_goes_first)
{
    struct route_hook *h = hook();
    struct routing to = {.term = 2, .primary = 1}, from = {.term = 3, .primary = 2};
    route_hook_self(h, HOOK_PROMOTE, 2);
    ck_assert_str_eq(heard(), "promote"); /* it runs */
    route_hook_route(h, &to);
    route_hook_self(h, HOOK_PROMOTE, 4); /* over before its turn */
    route_hook_route(h, &from);
    ck_assert(!route_hook_gated(h));
    route_hook_self(h, HOOK_DEMOTE, 4);
    ck_assert(route_hook_gated(h));
    let_go();
    ck_assert_str_eq(heard(), "demote");
    ck_assert_str_eq(heard(), "primary");
    ck_assert_str_eq(heard(), "primary");
    route_hook_close(&h);
    ck_assert_int_eq(poll(&(struct pollfd){.fd = told_fd, .events = POLLIN}, 1, 0), 0);
    close(told_fd);
}
END_TEST

/* What comes on top of a full queue is dropped, a gate never. */
START_TEST(a_gate_always_has_room)
{
    struct route_hook *h = hook();
    route_hook_self(h, HOOK_PROMOTE, 1);
    ck_assert_str_eq(heard(), "promote");
    for (uint64_t term = 2; term < 60; term++)
        route_hook_route(h, &(struct routing){.term = term, .primary = 1});
    route_hook_self(h, HOOK_DEMOTE, 60);
    ck_assert(route_hook_gated(h));
    let_go();
    ck_assert_str_eq(heard(), "demote");
    int n = 0;
    route_hook_close(&h);
    while (poll(&(struct pollfd){.fd = told_fd, .events = POLLIN}, 1, 0) > 0 &&
           strcmp(heard(), "primary") == 0)
        n++;
    ck_assert_int_eq(n, 30);
    close(told_fd);
}
END_TEST

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* as the agent does */
    Suite *suite = suite_create("route_hook");
    TCase *tcase = suite_case(suite, "route_hook");
    tcase_add_checked_fixture(tcase, scratch_open, scratch_close);
    tcase_add_test(tcase, a_gate_goes_first);
    tcase_add_test(tcase, a_gate_always_has_room);
    return suite_run(suite);
}
