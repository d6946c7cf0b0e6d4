/* The control socket: one line in, one line out; whoever is late, too long or too many is no trouble to the others. */
#define _GNU_SOURCE
#include "mesh/io/control.h"
#include "tests/unit/scratch.h"
#include "tests/unit/suite.h"

#include <jansson.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct control *control;
static struct problem problem;
static instant now;
static control_client waiting; /* who asked "wait" */
static int requests;

static void handle(void *arg, control_client client, struct json_t *request, instant at)
{
    const char *command = json_string_value(json_object_get(request, "command"));
    (void)arg;
    requests++;
    if (command && strcmp(command, "wait") == 0)
        waiting = client;
    else
        control_answer(control, client, json_pack("{s:s}", "echo", command ? command : "?"), true, at);
}

static void setup(void)
{
    scratch_open();
    now = (instant){1000, 1000};
    control = control_open(scratch_path("control.sock"), handle, NULL, &problem);
    ck_assert_msg(control != NULL, "%s", problem.fact);
}

static void teardown(void)
{
    control_close(&control);
    scratch_close();
}

static int dial(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    strcpy(address.sun_path, scratch_path("control.sock"));
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    control_serve(control, now);
    return fd;
}

static void say(int fd, const char *text)
{
    ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
    control_serve(control, now);
}

/* What came back: text, "" when nothing is there yet, "closed". */
static const char *hear(int fd)
{
    static char text[4096];
    control_serve(control, now);
    ssize_t n = recv(fd, text, sizeof text - 1, 0);
    if (n < 0)
        return "";
    text[n] = '\0';
    return n == 0 ? "closed" : text;
}

START_TEST(a_line_in_a_line_out)
{
    int fd = dial();
    say(fd, "{\"command\":\"status\"}\n");
    ck_assert_str_eq(hear(fd), "{\"echo\":\"status\"}\n");
    say(fd, "{\"command\":");
    ck_assert_str_eq(hear(fd), "");
    say(fd, "\"again\"}\n{\"command\":\"third\"}\n");
    ck_assert_str_eq(hear(fd), "{\"echo\":\"again\"}\n{\"echo\":\"third\"}\n");
    ck_assert_int_eq(requests, 3);
    close(fd);
}
END_TEST

START_TEST(an_answer_may_come_later_and_in_parts)
{
    int fd = dial();
    say(fd, "{\"command\":\"wait\"}\n");
    ck_assert(control_waits(control, waiting));
    control_answer(control, waiting, json_pack("{s:i}", "part", 1), false, now);
    ck_assert_str_eq(hear(fd), "{\"part\":1}\n");
    control_answer(control, waiting, json_pack("{s:i}", "part", 2), true, now);
    ck_assert_str_eq(hear(fd), "{\"part\":2}\n");
    ck_assert(!control_waits(control, waiting));
    control_answer(control, waiting, json_pack("{s:i}", "part", 3), true, now);
    control_answer(control, 4711, json_pack("{s:i}", "part", 4), true, now);
    close(fd);
}
END_TEST

START_TEST(who_went_away_is_not_waited_for)
{
    int fd = dial();
    say(fd, "{\"command\":\"wait\"}\n");
    close(fd);
    control_serve(control, now);
    ck_assert(!control_waits(control, waiting));
}
END_TEST

static const struct bad_row {
    const char *name, *line;
} bad_rows[] = {
    {"empty", "\n"},
    {"no JSON", "hello\n"},
    {"no object", "[1]\n"},
    {"a key twice", "{\"a\":1,\"a\":2}\n"},
    {"something after it", "{} {}\n"},
    {"bad UTF-8", "{\"a\":\"\xff\"}\n"},
    {"an HTTP request", "GET / HTTP/1.1\n"},
};

START_TEST(what_is_no_request)
{
    int fd = dial();
    say(fd, bad_rows[_i].line);
    EXPECT(strstr(hear(fd), "not a JSON object") != NULL, &bad_rows[_i]);
    EXPECT_INT(requests, 0, &bad_rows[_i]);
    close(fd);
}
END_TEST

START_TEST(nested_without_end)
{
    static char deep[100000];
    memset(deep, '[', sizeof deep - 2);
    deep[sizeof deep - 2] = '\n';
    int fd = dial();
    say(fd, deep);
    for (int i = 0; i < 10; i++)
        control_serve(control, now);
    ck_assert_ptr_nonnull(strstr(hear(fd), "not a JSON object"));
    close(fd);
}
END_TEST

START_TEST(a_request_without_end)
{
    static char block[16 * 1024];
    const char *answer = "";
    memset(block, 'x', sizeof block);
    int fd = dial();
    for (int i = 0; i < 100 && *answer == '\0'; i++) {
        ssize_t sent = send(fd, block, sizeof block, MSG_NOSIGNAL);
        (void)sent;
        answer = hear(fd);
    }
    ck_assert_ptr_nonnull(strstr(answer, "too long"));
    close(fd);
}
END_TEST

START_TEST(who_says_nothing_is_dropped)
{
    int slow = dial(), fd;
    say(slow, "{");
    now = instant_add(now, span_ms(CONTROL_READ_MS - 1));
    ck_assert_str_eq(hear(slow), "");
    now = instant_add(now, span_ms(1));
    ck_assert_str_eq((control_serve(control, now), hear(slow)), "closed");
    fd = dial();
    say(fd, "{\"command\":\"status\"}\n");
    ck_assert_str_eq(hear(fd), "{\"echo\":\"status\"}\n");
    close(fd);
    close(slow);
}
END_TEST

START_TEST(too_many_wait_for_a_place)
{
    int fds[CONTROL_CLIENTS_MAX + 1];
    struct pollfd polled = {.fd = control_fd(control), .events = POLLIN};
    for (int i = 0; i <= CONTROL_CLIENTS_MAX; i++) {
        fds[i] = dial();
        control_serve(control, now);
    }
    ck_assert_int_eq(poll(&polled, 1, 0), 0); /* the one outside wakes nobody */
    say(fds[CONTROL_CLIENTS_MAX], "{\"command\":\"late\"}\n");
    ck_assert_str_eq(hear(fds[CONTROL_CLIENTS_MAX]), "");
    close(fds[0]);
    control_serve(control, now);
    control_serve(control, now);
    ck_assert_str_eq(hear(fds[CONTROL_CLIENTS_MAX]), "{\"echo\":\"late\"}\n");
    for (int i = 1; i <= CONTROL_CLIENTS_MAX; i++)
        close(fds[i]);
}
END_TEST

START_TEST(only_its_owner_may_connect)
{
    struct stat st;
    ck_assert_int_eq(stat(scratch_path("control.sock"), &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0600);
    control_close(&control);
    ck_assert_int_ne(stat(scratch_path("control.sock"), &st), 0);
    static char path[300];
    memset(path, 'a', sizeof path - 1);
    ck_assert_ptr_null(control_open(path, handle, NULL, &problem));
    ck_assert_ptr_nonnull(strstr(problem.fact, "too long"));
}
END_TEST

START_TEST(a_file_in_its_place_is_left_alone)
{
    scratch_text("cluster", "who belongs to it\n");
    ck_assert_ptr_null(control_open(scratch_path("cluster"), handle, NULL, &problem));
    ck_assert_ptr_nonnull(strstr(problem.fact, "is no socket"));
    ck_assert_int_eq(access(scratch_path("cluster"), F_OK), 0);
    ck_assert_ptr_null(control_open(scratch, handle, NULL, &problem));
    ck_assert_ptr_nonnull(strstr(problem.fact, "is no socket"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control");
    TCase *tcase = suite_case(suite, "control");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_line_in_a_line_out);
    tcase_add_test(tcase, an_answer_may_come_later_and_in_parts);
    tcase_add_test(tcase, who_went_away_is_not_waited_for);
    tcase_add_loop_test(tcase, what_is_no_request, 0, ROWS(bad_rows));
    tcase_add_test(tcase, nested_without_end);
    tcase_add_test(tcase, a_request_without_end);
    tcase_add_test(tcase, who_says_nothing_is_dropped);
    tcase_add_test(tcase, too_many_wait_for_a_place);
    tcase_add_test(tcase, only_its_owner_may_connect);
    tcase_add_test(tcase, a_file_in_its_place_is_left_alone);
    return suite_run(suite);
}
