/* Receivers that answer as Slack and PagerDuty say that theirs do, and what is posted to them.
 *
 *   Slack, incoming webhooks    POST application/json, {"text": not empty, at most 40,000 characters}; 200 "ok", 400
 *                               "invalid_payload" or "no_text", 403, 404 "no_service", 410, 429 with Retry-After, 5xx
 *   PagerDuty, Events API v2    POST application/json to /v2/enqueue: routing_key (32 characters), event_action (trigger,
 *                               acknowledge, resolve), dedup_key (255 characters at most; wanted but for a trigger), for a
 *                               trigger payload: summary (1024 at most), source, severity (critical, error, warning,
 *                               info), timestamp in ISO 8601; 202, 400 with "errors", 429, 5xx */
// LINK: mesh/http/note.c mesh/http/hook.c
#define _GNU_SOURCE
#include "mesh/http/hook.h"
#include "mesh/io/clock.h"
#include "mesh/io/json.h"
#include "tests/unit/suite.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUTING_KEY "0123456789abcdef0123456789abcdef"
#define SLACK_PATH  "/services/T0001/B0001/secret"
#define DUTY_PATH   "/v2/enqueue"

/* ---- the receivers ----------------------------------------------------------------------------------------------------- */

static bool length(const json_t *j, const char *key, size_t least, size_t most)
{
    const char *text = json_string_value(json_object_get(j, key));
    return text != NULL && strlen(text) >= least && strlen(text) <= most;
}

static bool one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(*words, text) == 0)
            return true;
    return false;
}

static const char *slack(const char *path, const json_t *j)
{
    if (strcmp(path, SLACK_PATH) != 0)
        return "404 Not Found|no_service";
    if (!json_is_object(j))
        return "400 Bad Request|invalid_payload";
    return length(j, "text", 1, 40000) ? "200 OK|ok" : "400 Bad Request|no_text";
}

static bool duty_payload(const json_t *p)
{
    static const char *const severities[] = {"critical", "error", "warning", "info", NULL};
    const json_t *details = json_object_get(p, "custom_details");
    return length(p, "summary", 1, 1024) && length(p, "source", 1, 1024) &&
           one_of(json_text(p, "severity"), severities) && clock_parse(json_text(p, "timestamp")) > 0 &&
           length(p, "component", 0, 1024) && length(p, "group", 0, 1024) && length(p, "class", 0, 1024) &&
           (details == NULL || json_is_object(details));
}

static const char *duty(const char *path, const json_t *j)
{
    static const char *const actions[] = {"trigger", "acknowledge", "resolve", NULL};
    const char *action = json_text(j, "event_action");
    bool trigger = strcmp(action, "trigger") == 0;
    if (strcmp(path, DUTY_PATH) != 0)
        return "404 Not Found|";
    if (!length(j, "routing_key", 32, 32) || !one_of(action, actions) ||
        !length(j, "dedup_key", trigger ? 0 : 1, 255) ||
        (trigger && !duty_payload(json_object_get(j, "payload"))) || !length(j, "client", 0, 1024))
        return "400 Bad Request|{\"status\":\"invalid event\",\"message\":\"Event object is invalid\",\"errors\":[\"?\"]}";
    return "202 Accepted|{\"status\":\"success\",\"message\":\"Event processed\",\"dedup_key\":\"x\"}";
}

/* ---- one request ------------------------------------------------------------------------------------------------------------ */

static struct sockaddr_in address;
static int listening;
static char request[16384];

static void receiver_open(void)
{
    socklen_t size = sizeof address;
    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listening, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(listening, 16), 0);
    ck_assert_int_eq(getsockname(listening, (struct sockaddr *)&address, &size), 0);
}

static void receiver_close(void)
{
    close(listening);
}

/* A whole request into `request`; its connection. */
static int take(void)
{
    struct pollfd p = {.fd = listening, .events = POLLIN};
    ck_assert_int_eq(poll(&p, 1, 20000), 1);
    int fd = accept(listening, NULL, NULL);
    size_t n = 0, wanted = sizeof request;
    while (n < wanted) {
        ssize_t got = recv(fd, request + n, sizeof request - 1 - n, 0);
        ck_assert_int_gt(got, 0);
        n += (size_t)got;
        request[n] = '\0';
        const char *body = strstr(request, "\r\n\r\n"), *header = strcasestr(request, "\r\ncontent-length:");
        if (body != NULL && header != NULL)
            wanted = (size_t)(body + 4 - request) + (size_t)atol(header + 17);
    }
    return fd;
}

static void answer(int fd, const char *status, const char *headers, const char *body)
{
    char text[1024];
    int n = snprintf(text, sizeof text, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
                     status, headers, strlen(body), body);
    ck_assert_int_eq(send(fd, text, (size_t)n, MSG_NOSIGNAL), n);
    close(fd);
}

/* Serves one request as the service would; the status that it was answered with. */
static int serve(void)
{
    char method[16], path[128], status[64];
    int fd = take();
    ck_assert_int_eq(sscanf(request, "%15s %127s HTTP/1.1", method, path), 2);
    ck_assert_str_eq(method, "POST");
    ck_assert_ptr_nonnull(strcasestr(request, "\r\ncontent-type: application/json\r\n"));
    json_t *j = json_loads(strstr(request, "\r\n\r\n") + 4, 0, NULL);
    const char *said = strncmp(path, "/v2", 3) == 0 ? duty(path, j) : slack(path, j);
    json_decref(j);
    snprintf(status, sizeof status, "%.*s", (int)strcspn(said, "|"), said);
    answer(fd, status, "", strchr(said, '|') + 1);
    return atoi(status);
}

/* ---- what is posted ------------------------------------------------------------------------------------------------------- */

static struct hooks hooks;

static void hook_to(enum note_format format, const char *path, const char *key)
{
    hooks.n = 1;
    hooks.of[0].format = format;
    snprintf(hooks.of[0].url, sizeof hooks.of[0].url, "http://127.0.0.1:%u%s", ntohs(address.sin_port), path);
    snprintf(hooks.of[0].key, sizeof hooks.of[0].key, "%s", key);
    ck_assert(hook_start(&hooks));
}

static struct note note_of(enum note_kind kind, bool over)
{
    struct note n = {.kind = kind, .over = over, .severity = "warning", .at_us = clock_wall_us(), .term = 7};
    snprintf(n.key, sizeof n.key, "pgmesh/orders/%s/7", note_kind_name(kind));
    memset(n.text, 'x', sizeof n.text - 1); /* the longest there is */
    memcpy(n.text, "<db2> & \"db1\"\n", 14);
    return n;
}

static void await_counts(unsigned long sent, unsigned long failed)
{
    for (int i = 0; i < 2000 && (atomic_load(&hooks.sent) != sent || atomic_load(&hooks.failed) != failed);
         i++)
        poll(NULL, 0, 10);
    ck_assert_uint_eq(atomic_load(&hooks.sent), sent);
    ck_assert_uint_eq(atomic_load(&hooks.failed), failed);
    ck_assert_int_eq(poll(&(struct pollfd){.fd = listening, .events = POLLIN}, 1, 0), 0);
}

static const struct service_row {
    const char *name, *path, *key;
    enum note_format format;
    int status;
} services[] = {
    {"Slack", SLACK_PATH, "", NOTE_SLACK, 200},
    {"PagerDuty", DUTY_PATH, ROUTING_KEY, NOTE_PAGERDUTY, 202},
};

START_TEST(every_kind_is_accepted)
{
    const struct service_row *row = &services[_i];
    unsigned long sent = 0;
    hook_to(row->format, row->path, row->key);
    for (int kind = 0; kind < NOTE_KINDS; kind++)
        for (int over = 0; over < 2; over++) {
            struct note n = note_of((enum note_kind)kind, over);
            hook_post(&hooks, &n, "orders", "wit1");
            EXPECT_INT(serve(), row->status, row);
            sent++;
        }
    await_counts(sent, 0);
}
END_TEST

/* What the receivers refuse, they refuse: or the test above would prove nothing. */
static const struct wrong_row {
    const char *name, *path, *body;
    int status;
} wrong_rows[] = {
    {"no text", SLACK_PATH, "{\"message\":\"x\"}", 400},
    {"an empty text", SLACK_PATH, "{\"text\":\"\"}", 400},
    {"no JSON", SLACK_PATH, "text=x", 400},
    {"another webhook", "/services/T0001/B0001/other", "{\"text\":\"x\"}", 404},
    {"no routing key", DUTY_PATH, "{\"event_action\":\"resolve\",\"dedup_key\":\"x\",\"client\":\"x\"}", 400},
    {"a short routing key", DUTY_PATH,
     "{\"routing_key\":\"x\",\"event_action\":\"resolve\",\"dedup_key\":\"x\",\"client\":\"x\"}", 400},
    {"another action", DUTY_PATH,
     "{\"routing_key\":\"" ROUTING_KEY "\",\"event_action\":\"close\",\"dedup_key\":\"x\",\"client\":\"x\"}",
     400},
    {"a resolve of nothing", DUTY_PATH,
     "{\"routing_key\":\"" ROUTING_KEY "\",\"event_action\":\"resolve\",\"dedup_key\":\"\",\"client\":\"x\"}",
     400},
    {"a trigger without payload", DUTY_PATH,
     "{\"routing_key\":\"" ROUTING_KEY
     "\",\"event_action\":\"trigger\",\"dedup_key\":\"x\",\"client\":\"x\"}",
     400},
};

START_TEST(what_is_wrong_is_refused)
{
    const struct wrong_row *row = &wrong_rows[_i];
    json_t *j = json_loads(row->body, 0, NULL);
    EXPECT_INT(atoi(strncmp(row->path, "/v2", 3) == 0 ? duty(row->path, j) : slack(row->path, j)),
               row->status, row);
    json_decref(j);
}
END_TEST

static const struct answer_row {
    const char *name, *status, *headers;
    bool again;
} answer_rows[] = {
    {"too many, and when to come again", "429 Too Many Requests", "Retry-After: 1\r\n", true},
    {"too many", "429 Too Many Requests", "", true},
    {"a fault of theirs", "500 Internal Server Error", "", true},
    {"they are down", "503 Service Unavailable", "Retry-After: 1\r\n", true},
    {"not understood", "400 Bad Request", "", false},
    {"forbidden", "403 Forbidden", "", false},
    {"no such webhook", "404 Not Found", "", false},
    {"an archived channel", "410 Gone", "", false},
};

START_TEST(answers)
{
    const struct answer_row *row = &answer_rows[_i];
    struct note n = note_of(NOTE_PRIMARY_DOWN, false);
    hook_to(NOTE_PAGERDUTY, DUTY_PATH, ROUTING_KEY);
    hook_post(&hooks, &n, "orders", "wit1");
    answer(take(), row->status, row->headers, "");
    if (row->again)
        EXPECT_INT(serve(), 202, row);
    await_counts(row->again, !row->again);
}
END_TEST

static const struct pause_row {
    const char *name;
    int tries;
    long asked_s, pause_s;
} pause_rows[] = {
    {"the first", 1, 0, 1},
    {"the third", 3, 0, 25},
    {"as asked", 1, 30, 30},
    {"not sooner than ours", 3, 2, 25},
    {"not later than that", 1, 86400, HOOK_RETRY_AFTER_MAX_S},
};

START_TEST(pauses)
{
    const struct pause_row *row = &pause_rows[_i];
    EXPECT_INT(hook_pause_s(row->tries, row->asked_s), row->pause_s, row);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hook");
    TCase *post = suite_case(suite, "post");
    tcase_set_timeout(post, 60);
    tcase_add_checked_fixture(post, receiver_open, receiver_close);
    tcase_add_loop_test(post, every_kind_is_accepted, 0, ROWS(services));
    tcase_add_loop_test(post, answers, 0, ROWS(answer_rows));
    tcase_add_loop_test(suite_case(suite, "wrong"), what_is_wrong_is_refused, 0, ROWS(wrong_rows));
    tcase_add_loop_test(suite_case(suite, "pauses"), pauses, 0, ROWS(pause_rows));
    return suite_run(suite);
}
