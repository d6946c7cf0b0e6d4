/* The guard: what it judges, and a real guard over a dummy PostgreSQL, in a cgroup and by the ladder. */
// LINK: node/guard.c
// LINK: node/guard_anchor.c
// LINK: node/watchdog.c
// LINK: node/fence.c
// LINK: node/fence_page.c
#define _GNU_SOURCE
#include "node/guard.h"
#include "node/guard_anchor.h"
#include "node/watchdog.h"
#include "tests/unit/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- judging --------------------------------------------------------------------------------------------------------- */

enum { LEASE_MS = 600 };

static instant at(int64_t ms)
{
    return (instant){ms * 1000000, ms * 1000000};
}

static const struct judge_row {
    const char *name;
    enum guard_state state;
    uint64_t term, armed; /* watched until now, asked for */
    uint64_t lease_term;
    int64_t until_ms, frozen_ms, now_ms;
    enum guard_order order;
    enum guard_state then;
} judge_rows[] = {
    {"not armed: left alone", GUARD_IDLE, 0, 0, 1, 100, 0, 5000, GUARD_ORDER_NONE, GUARD_IDLE},
    {"armed under a lease", GUARD_IDLE, 0, 1, 1, 6000, 0, 5000, GUARD_ORDER_NONE, GUARD_WATCH},
    {"armed without a lease", GUARD_IDLE, 0, 1, 0, 0, 0, 5000, GUARD_ORDER_FREEZE, GUARD_FROZEN},
    {"lease of another term", GUARD_WATCH, 2, 2, 1, 6000, 0, 5000, GUARD_ORDER_FREEZE, GUARD_FROZEN},
    {"before the deadline", GUARD_WATCH, 1, 1, 1, 5001, 0, 5000, GUARD_ORDER_NONE, GUARD_WATCH},
    {"at the deadline", GUARD_WATCH, 1, 1, 1, 5000, 0, 5000, GUARD_ORDER_FREEZE, GUARD_FROZEN},
    {"frozen, still no lease", GUARD_FROZEN, 1, 1, 1, 5000, 5000, 5599, GUARD_ORDER_NONE, GUARD_FROZEN},
    {"frozen for one lease", GUARD_FROZEN, 1, 1, 1, 5000, 5000, 5600, GUARD_ORDER_KILL, GUARD_KILLED},
    {"the lease comes back", GUARD_FROZEN, 1, 1, 1, 6000, 5000, 5300, GUARD_ORDER_THAW, GUARD_WATCH},
    {"a lease of a new term thaws nothing of the old one", GUARD_FROZEN, 1, 1, 2, 6000, 5000, 5300,
     GUARD_ORDER_NONE, GUARD_FROZEN},
    {"killed is killed", GUARD_KILLED, 1, 1, 1, 9000, 5000, 6000, GUARD_ORDER_NONE, GUARD_KILLED},
    {"disarmed", GUARD_WATCH, 1, 0, 1, 9000, 0, 6000, GUARD_ORDER_NONE, GUARD_IDLE},
    {"disarmed while frozen: what starts next must run", GUARD_FROZEN, 1, 0, 1, 0, 5000, 5300,
     GUARD_ORDER_THAW, GUARD_IDLE},
};

START_TEST(judges)
{
    const struct judge_row *row = &judge_rows[_i];
    struct guard_watch w = {.state = row->state, .term = row->term, .frozen_at = at(row->frozen_ms)};
    struct fence_lease lease = {.term = row->lease_term, .until = at(row->until_ms)};
    instant next;
    EXPECT_INT(guard_judge(&w, row->armed, &lease, LEASE_MS, at(row->now_ms), &next), row->order, row);
    EXPECT_INT(w.state, row->then, row);
}
END_TEST

static const struct anchor_row {
    const char *name;
    bool alone, dismissed;
    uint64_t armed, lease_term;
    int64_t until_ms;
    enum anchor_verdict verdict;
} anchor_rows[] = {
    {"both are gone", true, false, 1, 1, 9000, ANCHOR_KILL},
    {"both are gone, a standby", true, false, 0, 0, 0, ANCHOR_KILL},
    {"the agent fences: in time", false, false, 1, 1, 9000, ANCHOR_WAIT},
    {"the agent fences: not armed", false, false, 0, 1, 0, ANCHOR_WAIT},
    {"the agent has fenced", false, true, 1, 1, 9000, ANCHOR_LEAVE},
    {"the agent has fenced, and is gone", true, true, 1, 1, 9000, ANCHOR_LEAVE},
    {"the agent hangs: deadline", false, false, 1, 1, 5000, ANCHOR_KILL},
    {"the agent hangs: lease of another term", false, false, 2, 1, 9000, ANCHOR_KILL},
};

START_TEST(the_anchor_judges)
{
    const struct anchor_row *row = &anchor_rows[_i];
    struct fence_lease lease = {.term = row->lease_term, .until = at(row->until_ms)};
    EXPECT_INT(guard_anchor_judge(row->alone, row->dismissed, row->armed, &lease, at(5000)), row->verdict,
               row);
}
END_TEST

START_TEST(either_clock_ends_the_lease)
{
    struct guard_watch w = {.state = GUARD_WATCH, .term = 1};
    struct fence_lease lease = {.term = 1, .until = at(5000)};
    instant next, suspended = {at(9000).boot_ns, at(4000).raw_ns};
    ck_assert_int_eq(guard_judge(&w, 1, &lease, LEASE_MS, suspended, &next), GUARD_ORDER_FREEZE);
}
END_TEST

START_TEST(half_written_deadline_leaves_the_last_one)
{
    int fd;
    struct fence_page *page = fence_page_make(&fd);
    struct fence_lease got = {0};
    fence_page_lease(page, -1, at(7000), 3);
    ck_assert(fence_page_read(page, &got));
    ck_assert_uint_eq(got.term, 3);
    atomic_fetch_add(&page->lock, 1); /* the agent died here */
    got.term = 99;
    ck_assert(!fence_page_read(page, &got));
    ck_assert_uint_eq(got.term, 99);
    fence_page_lease(page, -1, at(8000), 4); /* the next agent */
    ck_assert(fence_page_read(page, &got));
    ck_assert_uint_eq(got.term, 4);
}
END_TEST

START_TEST(another_layout_is_not_known)
{
    int fd;
    struct fence_page *page = fence_page_make(&fd);
    ck_assert(fence_page_known(page));
    atomic_store(&page->layout, 0); /* a guard from before there were numbers */
    ck_assert(fence_page_known(page));
    atomic_store(&page->layout, FENCE_PAGE_LAYOUT + 1);
    ck_assert(!fence_page_known(page));
}
END_TEST

/* ---- a real one --------------------------------------------------------------------------------------------------------- */

/* The agent: this program again.  Starts a "postgres" with two children in the fence, tells its pid, and waits. */
static int be_agent(const char *folder)
{
    char path[512], data[512];
    struct fence fence;
    snprintf(data, sizeof data, "%s/data", folder);
    fence_attach(&fence, getenv("PGMESH_CGROUP"), data);
    if (fence_is_empty(&fence)) {
        int entry = fence_entry_fd(&fence);
        if (fork() == 0) {
            if (entry >= 0 && write(entry, "0", 1) != 1)
                _exit(1);
            snprintf(path, sizeof path, "%s/postgres", folder);
            if (chdir(data) < 0)
                _exit(1);
            close_range(3, ~0U, 0); /* as the hand does */
            if (fork() == 0)
                setsid();
            execl(path, "postgres", "1000", (char *)NULL);
            _exit(1);
        }
    }
    snprintf(path, sizeof path, "%s/agent.tmp", folder);
    FILE *f = fopen(path, "w");
    fprintf(f, "%d %s %s\n%s\n", (int)getpid(), getenv("PGMESH_GUARD_PAGE"), getenv("PGMESH_GUARD_BELL"),
            getenv("PGMESH_CGROUP"));
    fclose(f);
    char to[512];
    snprintf(to, sizeof to, "%s/agent", folder);
    rename(path, to);
    for (;;)
        pause();
}

static struct trial {
    char folder[64], data[128];
    pid_t guard, agent;
    int bell, fed; /* fed: the other end of what stands for a watchdog device; -1: none */
    struct fence_page *page;
    struct fence fence;
} trial = {.fed = -1};

/* Awaits what another process brings about. */
#define AWAIT(condition) \
    do { \
        int tries_ = 10000; \
        while (!(condition) && --tries_) \
            poll(NULL, 0, 1); \
        ck_assert_msg(tries_, "never came: %s", #condition); \
    } while (0)

static bool read_agent(struct trial *t, pid_t not_this)
{
    char path[128], cgroup[FENCE_PATH] = "";
    int page, bell;
    snprintf(path, sizeof path, "%s/agent", t->folder);
    FILE *f = fopen(path, "r");
    if (!f)
        return false;
    bool ok = fscanf(f, "%d %d %d\n", &t->agent, &page, &bell) == 3;
    if (ok && fgets(cgroup, sizeof cgroup, f))
        cgroup[strcspn(cgroup, "\n")] = '\0';
    fclose(f);
    if (!ok || t->agent == not_this)
        return false;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)t->agent, page);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    t->page = fd >= 0 ? fence_page_map(fd) : NULL;
    close(fd);
    int agent = (int)syscall(SYS_pidfd_open, t->agent, 0);
    t->bell = (int)syscall(SYS_pidfd_getfd, agent, bell, 0);
    close(agent);
    fence_attach(&t->fence, cgroup, t->data);
    return t->page && t->bell >= 0;
}

static void copy_program(const char *from, const char *to)
{
    char command[512];
    snprintf(command, sizeof command, "cp '%s' '%s'", from, to);
    ck_assert_int_eq(system(command), 0);
}

static void start_with(const char *cgroup, bool watched)
{
    struct trial *t = &trial;
    char path[128], self[512], name[64], device[128];
    strcpy(t->folder, "/tmp/pgmesh-guard-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(t->folder));
    snprintf(t->data, sizeof t->data, "%s/data", t->folder);
    mkdir(t->data, 0700);
    snprintf(path, sizeof path, "%s/postgres", t->folder);
    copy_program("/bin/sleep", path);
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    ck_assert_int_gt((int)n, 0);
    self[n] = '\0';
    snprintf(name, sizeof name, "pgmesh-unit-%d", (int)getpid());
    snprintf(device, sizeof device, "%s/watchdog", t->folder);
    ck_assert_int_eq(mkfifo(device, 0600), 0);
    t->fed = watched ? open(device, O_RDONLY | O_NONBLOCK | O_CLOEXEC) : -1;
    t->guard = fork();
    if (t->guard == 0) {
        char *const agent[] = {self, (char[]){"--agent"}, t->folder, NULL};
        struct guard_options o = {.cgroup = cgroup,
                                  .name = name,
                                  .data_dir = t->data,
                                  .lease_ms = 1000, /* as long a test has between freeze and kill */
                                  .stop_ms = 200,
                                  .realtime = false,
                                  .watchdog = watched ? device : NULL,
                                  .agent = agent};
        _exit(guard_run(&o));
    }
    AWAIT(read_agent(t, 0));
    AWAIT(!fence_is_empty(&t->fence));
}

static void start(const char *cgroup)
{
    start_with(cgroup, false);
}

static void stop(void)
{
    struct trial *t = &trial;
    int status;
    if (t->guard > 0) {
        kill(t->guard, SIGTERM);
        waitpid(t->guard, &status, 0);
        ck_assert(fence_is_empty(&t->fence));
        ck_assert(t->fence.cgroup[0] == '\0' || access(t->fence.cgroup, F_OK) < 0);
    }
    char command[256];
    snprintf(command, sizeof command, "rm -rf '%s'", t->folder);
    ck_assert_int_eq(system(command), 0);
}

static void lease_for(int ms, uint64_t term)
{
    fence_page_lease(trial.page, trial.bell, instant_add(fence_now(), span_ms(ms)), term);
}

/* "auto" where a cgroup can be had, else the test says nothing new over the ladder and is passed. */
static const char *const kinds[] = {"auto", "none"};

START_TEST(freezes_thaws_and_kills)
{
    struct trial *t = &trial;
    start(kinds[_i]);
    poll(NULL, 0, 30);
    ck_assert_uint_eq(t->page->freezes, 0); /* not armed */
    instant begun = fence_now();
    lease_for(100, 1);
    ck_assert(fence_page_arm(t->page, t->bell, 1, 1000));
    AWAIT(t->page->freezes == 1);
    ck_assert_int_ge(span_to_ms(instant_elapsed_most(fence_now(), begun)), 100); /* not before its time */
    AWAIT(fence_is_frozen(&t->fence));
    lease_for(150, 2); /* another term's */
    poll(NULL, 0, 20);
    ck_assert(fence_is_frozen(&t->fence));
    lease_for(150, 1);
    AWAIT(t->page->thaws == 1);
    AWAIT(!fence_is_frozen(&t->fence));
    AWAIT(t->page->freezes == 2);
    AWAIT(t->page->kills == 1);
    AWAIT(fence_is_empty(&t->fence));
    stop();
}
END_TEST

START_TEST(takes_the_lease_back_at_once)
{
    struct trial *t = &trial;
    start(kinds[_i]);
    lease_for(3600000, 1);
    ck_assert(fence_page_arm(t->page, t->bell, 1, 1000));
    ck_assert_uint_eq(t->page->freezes, 0);
    fence_page_lease(t->page, t->bell, instant_never(), 1);
    AWAIT(t->page->freezes == 1);
    stop();
}
END_TEST

START_TEST(holds_the_deadline_for_a_dead_agent_and_starts_another)
{
    struct trial *t = &trial;
    start(kinds[_i]);
    lease_for(3600000, 1);
    ck_assert(fence_page_arm(t->page, t->bell, 1, 1000));
    pid_t first = t->agent;
    kill(first, SIGKILL);
    AWAIT(read_agent(t, first));
    ck_assert(!fence_is_empty(&t->fence)); /* PostgreSQL never noticed */
    ck_assert_uint_eq(t->page->freezes, 0);
    ck_assert_uint_eq(t->page->armed_term, 1);
    fence_page_lease(t->page, t->bell, instant_never(), 1);
    AWAIT(t->page->kills == 1);
    AWAIT(fence_is_empty(&t->fence));
    stop();
}
END_TEST

/* The guard is gone: whatever it held is left to agent and anchor. */
static void kill_guard(bool agent_too)
{
    struct trial *t = &trial;
    if (agent_too) { /* which the guard has no time to start anew */
        kill(t->guard, SIGSTOP);
        waitpid(t->guard, NULL, WUNTRACED);
        kill(t->agent, SIGKILL);
    }
    kill(t->guard, SIGKILL);
    waitpid(t->guard, NULL, 0);
    t->guard = 0;
}

static void clean_up(void)
{
    kill(trial.agent, SIGKILL);
    fence_kill(&trial.fence, 5000);
    fence_close(&trial.fence);
    stop();
}

START_TEST(guard_and_agent_killed_at_once)
{
    struct trial *t = &trial;
    start(kinds[_i]);
    lease_for(3600000, 1);
    ck_assert(fence_page_arm(t->page, t->bell, 1, 1000));
    kill_guard(true);
    AWAIT(fence_is_empty(&t->fence));
    clean_up();
}
END_TEST

START_TEST(guard_killed_while_the_agent_hangs)
{
    struct trial *t = &trial;
    start(kinds[_i]);
    instant begun = fence_now();
    lease_for(300, 1);
    ck_assert(fence_page_arm(t->page, t->bell, 1, 1000));
    kill_guard(false); /* this agent does nothing about it */
    AWAIT(fence_is_empty(&t->fence));
    ck_assert_int_ge(span_to_ms(instant_elapsed_least(fence_now(), begun)), 290);
    clean_up();
}
END_TEST

START_TEST(guard_killed_and_the_agent_takes_over)
{
    struct trial *t = &trial;
    start(kinds[_i]);
    lease_for(50, 1);
    ck_assert(fence_page_arm(t->page, t->bell, 1, 1000));
    atomic_store(&t->page->dismissed, 1);
    kill_guard(true);
    poll(NULL, 0, 150);                    /* nothing comes that could be awaited */
    ck_assert(!fence_is_empty(&t->fence)); /* what runs now belongs to the next guard */
    clean_up();
}
END_TEST

/* The last byte that the device got since the last call; 0: none. */
static char last_fed(void)
{
    char bytes[64], last = 0;
    for (ssize_t n; (n = read(trial.fed, bytes, sizeof bytes)) > 0;)
        last = bytes[n - 1];
    return last;
}

static bool is_shut(void)
{
    struct pollfd p = {.fd = trial.fed};
    return poll(&p, 1, 0) > 0 && (p.revents & POLLHUP);
}

START_TEST(the_watchdog_is_fed_by_a_guard_that_runs)
{
    struct trial *t = &trial;
    start_with(kinds[_i], true);
    for (int i = 0; i < 3; i++)
        AWAIT(last_fed() == 'k');
    kill(t->guard, SIGSTOP);
    waitpid(t->guard, NULL, WUNTRACED);
    last_fed();
    poll(NULL, 0, 3 * WATCHDOG_TICK_MS / 2); /* nothing comes that could be awaited */
    ck_assert_int_eq(last_fed(), 0);
    ck_assert(!is_shut()); /* and not stopped: the host is reset */
    kill(t->guard, SIGCONT);
    AWAIT(last_fed() == 'k');
    stop();
    ck_assert_int_eq(last_fed(), 'V');
    ck_assert(is_shut());
}
END_TEST

START_TEST(the_watchdog_of_a_killed_guard_waits_for_the_next)
{
    struct trial *t = &trial;
    start_with(kinds[_i], true);
    AWAIT(last_fed() == 'k');
    lease_for(3600000, 1);
    ck_assert(fence_page_arm(t->page, t->bell, 1, 1000));
    kill_guard(false); /* its anchor holds the deadline for this agent */
    AWAIT(is_shut());  /* only one process may have it open */
    ck_assert_int_ne(last_fed(), 'V');
    ck_assert(!fence_is_empty(&t->fence));
    clean_up();
}
END_TEST

START_TEST(no_watchdog_no_harm)
{
    char note[640];
    ck_assert_int_eq(watchdog_open("/nowhere/watchdog", note, sizeof note), -1);
    ck_assert_ptr_nonnull(strstr(note, "could not open watchdog \"/nowhere/watchdog\": No such file"));
    ck_assert_ptr_nonnull(strstr(note, "HINT:  Load its driver"));
}
END_TEST

START_TEST(a_file_is_no_watchdog)
{
    char path[] = "/tmp/pgmesh-watchdog-XXXXXX", note[640];
    struct stat st;
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(watchdog_open(path, note, sizeof note), -1);
    ck_assert_ptr_nonnull(strstr(note, "it is no character device"));
    ck_assert_int_eq(fstat(fd, &st), 0);
    ck_assert_int_eq(st.st_size, 0);
    close(fd);
    unlink(path);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--agent") == 0)
        return be_agent(argv[2]);
    Suite *suite = suite_create("guard");
    TCase *judge = suite_case(suite, "judge"), *real = suite_case(suite, "real");
    tcase_add_loop_test(judge, judges, 0, ROWS(judge_rows));
    tcase_add_loop_test(judge, the_anchor_judges, 0, ROWS(anchor_rows));
    tcase_add_test(judge, either_clock_ends_the_lease);
    tcase_add_test(judge, half_written_deadline_leaves_the_last_one);
    tcase_add_test(judge, another_layout_is_not_known);
    tcase_add_loop_test(real, freezes_thaws_and_kills, 0, 2);
    tcase_add_loop_test(real, takes_the_lease_back_at_once, 0, 2);
    tcase_add_loop_test(real, holds_the_deadline_for_a_dead_agent_and_starts_another, 0, 2);
    tcase_add_loop_test(real, guard_and_agent_killed_at_once, 0, 2);
    tcase_add_loop_test(real, guard_killed_while_the_agent_hangs, 0, 2);
    tcase_add_loop_test(real, guard_killed_and_the_agent_takes_over, 0, 2);
    tcase_add_loop_test(real, the_watchdog_is_fed_by_a_guard_that_runs, 0, 2);
    tcase_add_loop_test(real, the_watchdog_of_a_killed_guard_waits_for_the_next, 0, 2);
    tcase_add_test(real, no_watchdog_no_harm);
    tcase_add_test(real, a_file_is_no_watchdog);
    return suite_run(suite);
}
