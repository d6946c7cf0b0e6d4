/* What others are told of, in which words, and how it is posted. */
// LINK: mesh/http/note.c mesh/http/hook.c
#define _GNU_SOURCE
#include "mesh/http/hook.h"
#include "mesh/http/note.h"
#include "mesh/io/json.h"
#include "tests/unit/suite.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What a witness sees: db1 is the primary, db2 its standby. */
static json_t *sight(const char *primary, int term, bool serving, bool quorum, bool paused, bool standby)
{
    json_t *j = json_pack(
        "{s:s, s:s, s:s, s:i, s:s, s:s, s:{s:i, s:[s]}, s:[s,s,s], s:b, s:s, s:[{s:i,s:s,s:s,s:s,s:s,s:b,s:b,s:s},"
        "{s:i,s:s,s:s,s:s,s:s,s:b,s:b,s:b,s:s},{s:i,s:s,s:s,s:s,s:s,s:b}]}",
        "cluster", "orders", "self", "wit1", "primary", primary, "term", term, "durability", "sync", "rule",
        "majority", "sync", "k", 1, "members", "db2", "voters", "db1", "db2", "wit1", "paused", (int)paused,
        "paused_why", "a look", "members", "id", 1, "name", "db1", "role", "database", "state",
        serving ? "up" : "silent", "postgres", "primary", "ready", (int)serving, "vote", 1, "lsn", "0/100",
        "id", 2, "name", "db2", "role", "database", "state", quorum && standby ? "up" : "silent", "postgres",
        "recovery", "streaming", 1, "vote", 1, "ready", serving && strcmp(primary, "db2") == 0, "lsn",
        "0/100", "id", 3, "name", "wit1", "role", "witness", "state", "up", "postgres", "none", "vote", 1);
    ck_assert_ptr_nonnull(j);
    return j;
}

struct scene {
    const char *primary;
    int term;
    bool serving, quorum, paused, standby;
    const char *said; /* kinds, parted by spaces; "!" before what is over */
};
static const struct story {
    const char *name;
    struct scene steps[14];
} stories[] = {
    {"nothing happens", {{"db1", 1, 1, 1, 0, 1, ""}, {"db1", 1, 1, 1, 0, 1, ""}, {"db1", 1, 1, 1, 0, 1, ""}}},
    {"what was so before us is no news",
     {{"db2", 7, 1, 1, 1, 1, ""}, {"db2", 7, 1, 1, 1, 1, ""}, {"db2", 7, 1, 1, 0, 1, "!paused"}}},
    {"another primary",
     {{"db1", 1, 1, 1, 0, 1, ""}, {"db2", 2, 1, 1, 0, 1, "primary_changed"}, {"db2", 2, 1, 1, 0, 1, ""}}},
    {"an older answer says nothing",
     {{"db2", 2, 1, 1, 0, 1, ""}, {"db1", 1, 1, 1, 0, 1, ""}, {"db2", 2, 1, 1, 0, 1, ""}}},
    {"a blink is no outage",
     {{"db1", 1, 1, 1, 0, 1, ""},
      {"db1", 1, 0, 1, 0, 1, ""},
      {"db1", 1, 0, 1, 0, 1, ""},
      {"db1", 1, 1, 1, 0, 1, ""}}},
    {"an outage, and its end",
     {{"db1", 1, 1, 1, 0, 1, ""},
      {"db1", 1, 0, 1, 0, 1, ""},
      {"db1", 1, 0, 1, 0, 1, ""},
      {"db1", 1, 0, 1, 0, 1, "primary_down"},
      {"db1", 1, 0, 1, 0, 1, ""},
      {"db1", 1, 1, 1, 0, 1, "!primary_down"},
      {"db1", 1, 1, 1, 0, 1, ""}}},
    {"no quorum",
     {{"db1", 1, 1, 1, 0, 1, ""},
      {"db1", 1, 0, 0, 0, 0, ""},
      {"db1", 1, 0, 0, 0, 0, ""},
      {"db1", 1, 0, 0, 0, 0, "primary_down quorum_lost"},
      {"db1", 1, 1, 1, 0, 1, "!primary_down !quorum_lost"}}},
    {"the last standby is lost",
     {{"db1", 1, 1, 1, 0, 1, ""},
      {"db1", 1, 1, 1, 0, 0, ""},
      {"db1", 1, 1, 1, 0, 0, ""},
      {"db1", 1, 1, 1, 0, 0, ""},
      {"db1", 1, 1, 1, 0, 0, ""},
      {"db1", 1, 1, 1, 0, 0, ""},
      {"db1", 1, 1, 1, 0, 0, ""},
      {"db1", 1, 1, 1, 0, 0, ""},
      {"db1", 1, 1, 1, 0, 0, ""},
      {"db1", 1, 1, 1, 0, 0, "no_takeover"},
      {"db1", 1, 1, 1, 0, 1, "!no_takeover"}}},
    {"paused and resumed",
     {{"db1", 1, 1, 1, 0, 1, ""}, {"db1", 1, 1, 1, 1, 1, "paused"}, {"db1", 1, 1, 1, 0, 1, "!paused"}}},
};

START_TEST(told)
{
    const struct story *row = &stories[_i];
    struct note_watch w = {0};
    for (int i = 0; i < 14 && row->steps[i].primary != NULL; i++) {
        const struct scene *s = &row->steps[i];
        json_t *j = sight(s->primary, s->term, s->serving, s->quorum, s->paused, s->standby);
        struct view v;
        struct note notes[NOTES_MAX];
        char said[200] = "";
        view_read(&v, j);
        int n = note_look(&w, &v, 1000000, notes);
        for (int k = 0; k < n; k++)
            snprintf(said + strlen(said), sizeof said - strlen(said), "%s%s%s", k ? " " : "",
                     notes[k].over ? "!" : "", note_kind_name(notes[k].kind));
        ck_assert_msg(strcmp(said, s->said) == 0, "row \"%s\", step %d: said \"%s\", expected \"%s\"",
                      row->name, i, said, s->said);
        json_decref(j);
    }
}
END_TEST

static const struct event_row {
    const char *name, *event, *text; /* NULL: others are not told */
} event_rows[] = {
    {"an alarm", "{\"name\":\"+sync-empty\",\"text\":\"nobody\",\"at_us\":5,\"term\":3}",
     "+sync-empty: nobody"},
    {"a daily thing", "{\"name\":\"+goal\",\"text\":\"follow\"}", NULL},
    {"no name", "{}", NULL},
    {"a name that is a number", "{\"name\":7}", NULL},
};

START_TEST(events)
{
    const struct event_row *row = &event_rows[_i];
    struct note n;
    json_t *j = json_loads(row->event, 0, NULL);
    bool told_of = note_event(j, "orders", "wit1", &n);
    EXPECT(told_of == (row->text != NULL), row);
    if (told_of)
        EXPECT_TEXT(n.text, row->text, row);
    json_decref(j);
}
END_TEST

START_TEST(bodies)
{
    struct note n = {.kind = NOTE_PRIMARY_DOWN,
                     .severity = "critical",
                     .key = "pgmesh/orders/primary_down",
                     .text = "<no> primary & so on \"x\"\n",
                     .at_us = 1795265044673581,
                     .term = 7};
    char *text = note_body(NOTE_SLACK, &n, "orders", "wit1", "");
    json_t *j = json_loads(text, 0, NULL);
    ck_assert_ptr_nonnull(strstr(json_text(j, "text"), "*orders*: &lt;no&gt; primary &amp; so on \"x\""));
    json_decref(j);
    free(text);
    text = note_body(NOTE_PAGERDUTY, &n, "orders", "wit1", "the-key");
    j = json_loads(text, 0, NULL);
    ck_assert_str_eq(json_text(j, "routing_key"), "the-key");
    ck_assert_str_eq(json_text(j, "event_action"), "trigger");
    ck_assert_str_eq(json_text(j, "dedup_key"), "pgmesh/orders/primary_down");
    const json_t *payload = json_object_get(j, "payload");
    ck_assert_str_eq(json_text(payload, "severity"), "critical");
    ck_assert_str_eq(json_text(payload, "source"), "wit1");
    ck_assert_str_eq(json_text(payload, "timestamp"), "2026-11-21T12:44:04.673581Z");
    json_decref(j);
    free(text);
    n.over = true;
    text = note_body(NOTE_PAGERDUTY, &n, "orders", "wit1", "the-key");
    ck_assert_ptr_nonnull(strstr(text, "\"event_action\":\"resolve\""));
    free(text);
    text = note_body(NOTE_JSON, &n, "orders", "wit1", "");
    j = json_loads(text, 0, NULL);
    ck_assert_str_eq(json_text(j, "event"), "primary_down");
    ck_assert(json_flag(j, "over"));
    json_decref(j);
    free(text);
}
END_TEST

static const struct file_row {
    const char *name, *text;
    int n; /* -1: refused */
} file_rows[] = {
    {"empty", "", 0},
    {"comments", "# x\n\n  \n", 0},
    {"each format", "json http://a/\nslack https://b/c\npagerduty https://d/ KEY\n", 3},
    {"json with a token", "json https://a/ secret", 1},
    {"no format", "https://a/\n", -1},
    {"another format", "teams https://a/\n", -1},
    {"another protocol", "json file:///etc/passwd\n", -1},
    {"pagerduty without its key", "pagerduty https://d/\n", -1},
    {"a word too many", "json https://a/ b c\n", -1},
    {"nine",
     "json http://a/\njson http://a/\njson http://a/\njson http://a/\njson http://a/\njson http://a/\njson http://a/\njson http://a/\n"
     "json http://a/\n",
     -1},
    {"garbage", "\x01\x02\xff\n", -1},
};

START_TEST(files)
{
    const struct file_row *row = &file_rows[_i];
    struct hooks hooks = {0};
    struct problem err = {.fact = ""};
    bool good = hook_parse(row->text, "webhooks", &hooks, &err);
    EXPECT_INT(good ? hooks.n : -1, row->n, row);
    EXPECT(good || (err.fact[0] && err.hint[0]), row);
}
END_TEST

/* Takes one request on the listening socket and answers it. */
static void serve_one(int listening, const char *answer, char *request, size_t size)
{
    struct pollfd p = {.fd = listening, .events = POLLIN};
    ck_assert_int_eq(poll(&p, 1, 20000), 1);
    int fd = accept(listening, NULL, NULL);
    ck_assert_int_ge(fd, 0);
    size_t n = 0;
    const char *body;
    long length = -1;
    do {
        ssize_t got = recv(fd, request + n, size - 1 - n, 0);
        ck_assert_int_gt(got, 0);
        n += (size_t)got;
        request[n] = '\0';
        body = strstr(request, "\r\n\r\n");
        const char *header = strcasestr(request, "content-length:");
        length = header != NULL ? atol(header + 15) : -1;
    } while (body == NULL || length < 0 || strlen(body + 4) < (size_t)length);
    ck_assert_int_eq(send(fd, answer, strlen(answer), MSG_NOSIGNAL), (ssize_t)strlen(answer));
    close(fd);
}

/* A receiver that fails once is asked again; one that refuses is not. */
START_TEST(posted)
{
    static struct hooks hooks = {.n = 1, .of = {{.format = NOTE_JSON, .key = "secret"}}};
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof a;
    static char request[8192];
    struct note n = {
        .kind = NOTE_PAUSED, .severity = "info", .key = "k", .text = "paused", .at_us = 1, .term = 2};
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listening, (struct sockaddr *)&a, sizeof a), 0);
    ck_assert_int_eq(listen(listening, 4), 0);
    ck_assert_int_eq(getsockname(listening, (struct sockaddr *)&a, &size), 0);
    snprintf(hooks.of[0].url, sizeof hooks.of[0].url, "http://127.0.0.1:%u/hook", ntohs(a.sin_port));
    ck_assert(hook_start(&hooks));
    hook_post(&hooks, &n, "orders", "wit1");
    serve_one(listening, "HTTP/1.1 500 Sorry\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", request,
              sizeof request);
    ck_assert_ptr_nonnull(strstr(request, "POST /hook HTTP/1.1"));
    ck_assert_ptr_nonnull(strstr(request, "Authorization: Bearer secret"));
    ck_assert_ptr_nonnull(strstr(request, "\"event\":\"paused\""));
    serve_one(listening, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", request,
              sizeof request);
    hook_post(&hooks, &n, "orders", "wit1");
    serve_one(listening, "HTTP/1.1 403 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", request,
              sizeof request);
    for (int i = 0; i < 2000 && (atomic_load(&hooks.sent) != 1 || atomic_load(&hooks.failed) != 1); i++)
        poll(NULL, 0, 10);
    ck_assert_uint_eq(atomic_load(&hooks.sent), 1);
    ck_assert_uint_eq(atomic_load(&hooks.failed), 1);
    close(listening);

    /* Nobody there any more: what does not fit the queue is dropped, and nobody waits. */
    for (int i = 0; i < HOOK_QUEUE + 10; i++)
        hook_post(&hooks, &n, "orders", "wit1");
    ck_assert_uint_ge(atomic_load(&hooks.dropped), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("note");
    tcase_add_loop_test(suite_case(suite, "told"), told, 0, ROWS(stories));
    tcase_add_loop_test(suite_case(suite, "events"), events, 0, ROWS(event_rows));
    tcase_add_test(suite_case(suite, "bodies"), bodies);
    tcase_add_loop_test(suite_case(suite, "files"), files, 0, ROWS(file_rows));
    TCase *post = suite_case(suite, "post");
    tcase_set_timeout(post, 60);
    tcase_add_test(post, posted);
    return suite_run(suite);
}
