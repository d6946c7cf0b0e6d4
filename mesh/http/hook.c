#define _GNU_SOURCE
#include "mesh/http/hook.h"

#include "mesh/io/file.h"
#include "mesh/io/log.h"

#include <curl/curl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ANSWER_MAX = 64 * 1024 };
static const time_t pauses[HOOK_TRIES] = {0, 1, 5, 25};

/* One post to one hook.  body NULL: a free place. */
struct post {
    char *body;
    int hook, tries;
    time_t due; /* CLOCK_MONOTONIC */
    uint64_t number;
};
struct hook_queue {
    pthread_mutex_t lock;
    pthread_cond_t more;
    uint64_t last;
    struct post posts[HOOK_QUEUE];
};

/* ---- the file ----------------------------------------------------------------------------------------------------------- */

static const char *const format_names[] = {
    [NOTE_JSON] = "json", [NOTE_SLACK] = "slack", [NOTE_PAGERDUTY] = "pagerduty"};

static bool parse_line(struct hooks *hooks, const char *line)
{
    char format[16], rest[2];
    struct hook h = {.format = NOTE_JSON};
    int n = sscanf(line, "%15s %511s %127s %1s", format, h.url, h.key, rest);
    bool known = false;
    for (int i = NOTE_JSON; i <= NOTE_PAGERDUTY; i++)
        if (strcmp(format, format_names[i]) == 0) {
            h.format = (enum note_format)i;
            known = true;
        }
    if (n < 2 || n > 3 || !known || hooks->n == HOOKS_MAX || strlen(h.url) == sizeof h.url - 1)
        return false;
    if (strncmp(h.url, "https://", 8) != 0 && strncmp(h.url, "http://", 7) != 0)
        return false;
    if (h.format == NOTE_PAGERDUTY && h.key[0] == '\0')
        return false;
    hooks->of[hooks->n++] = h;
    return true;
}

bool hook_parse(const char *text, const char *path, struct hooks *hooks, struct problem *err)
{
    char line[1024];
    int number = 0;
    hooks->n = 0;
    for (const char *p = text, *end; *p; p = *end ? end + 1 : end) {
        end = strchrnul(p, '\n');
        number++;
        snprintf(line, sizeof line, "%.*s", (int)(end - p < 1023 ? end - p : 1023), p);
        if (line[strspn(line, " \t\r")] == '\0' || line[strspn(line, " \t")] == '#')
            continue;
        if (parse_line(hooks, line))
            continue;
        problem_fact(err, "%s:%d: not a webhook", path, number);
        problem_detail(
            err, "A line is FORMAT URL [KEY], at most %d of them; the format is json, slack or pagerduty.",
            HOOKS_MAX);
        return problem_hint(
            err, "pagerduty needs its routing key: pagerduty https://events.pagerduty.com/v2/enqueue KEY");
    }
    return true;
}

bool hook_read(const char *path, struct hooks *hooks, struct problem *err)
{
    size_t n;
    hooks->n = 0;
    if (path[0] == '\0')
        return true;
    char *text = file_read(path, FILE_SECRET | FILE_TEXT, 64 * 1024, &n, err);
    bool good = text != NULL && hook_parse(text, path, hooks, err);
    free(text);
    return good;
}

/* ---- the thread ---------------------------------------------------------------------------------------------------------- */

static time_t now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

/* Under the lock: the oldest that is due; else when the next one will be in *next. */
static bool take_due(struct hook_queue *q, struct post *out, time_t *next)
{
    struct post *best = NULL;
    time_t now = now_s();
    *next = now + 3600;
    for (int i = 0; i < HOOK_QUEUE; i++) {
        struct post *p = &q->posts[i];
        if (p->body == NULL)
            continue;
        if (p->due > now) {
            if (p->due < *next)
                *next = p->due;
        } else if (best == NULL || p->number < best->number) {
            best = p;
        }
    }
    if (best == NULL)
        return false;
    *out = *best;
    best->body = NULL;
    return true;
}

static bool put(struct hook_queue *q, const struct post *p)
{
    for (int i = 0; i < HOOK_QUEUE; i++)
        if (q->posts[i].body == NULL) {
            q->posts[i] = *p;
            return true;
        }
    return false;
}

static size_t ignore(char *bytes, size_t size, size_t n, void *arg)
{
    size_t *taken = arg;
    (void)bytes;
    *taken += size * n;
    return *taken > ANSWER_MAX ? 0 : size * n;
}

/* The status, 0 when there was none; *retry_after_s as the receiver asks, 0: it does not. */
static long post_once(const struct hook *h, const char *body, long *retry_after_s)
{
    curl_off_t wait = 0;
    char authorization[HOOK_KEY_SIZE + 32];
    size_t taken = 0;
    long status = 0;
    CURL *c = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    if (h->format != NOTE_PAGERDUTY && h->key[0] != '\0') {
        snprintf(authorization, sizeof authorization, "Authorization: Bearer %s", h->key);
        headers = curl_slist_append(headers, authorization);
    }
    if (c != NULL && headers != NULL) {
        curl_easy_setopt(c, CURLOPT_URL, h->url);
        curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)HOOK_TIMEOUT_MS);
        curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)HOOK_TIMEOUT_MS / 2);
        curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, ignore);
        curl_easy_setopt(c, CURLOPT_WRITEDATA, &taken);
        curl_easy_setopt(c, CURLOPT_USERAGENT, "pgmesh");
        if (curl_easy_perform(c) == CURLE_OK) {
            curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
            curl_easy_getinfo(c, CURLINFO_RETRY_AFTER, &wait);
        }
    }
    curl_slist_free_all(headers);
    if (c != NULL)
        curl_easy_cleanup(c);
    *retry_after_s = wait < 0 || wait > LONG_MAX ? 0 : (long)wait;
    return status;
}

long hook_pause_s(int tries, long retry_after_s)
{
    long wait = retry_after_s < HOOK_RETRY_AFTER_MAX_S ? retry_after_s : HOOK_RETRY_AFTER_MAX_S;
    return wait > pauses[tries] ? wait : pauses[tries];
}

static void deliver(struct hooks *hooks, struct post *p)
{
    const struct hook *h = &hooks->of[p->hook];
    long retry_after_s, status = post_once(h, p->body, &retry_after_s);
    bool again = status == 0 || status == 408 || status == 429 || status >= 500;
    bool queued = false;
    p->tries++;
    if (status >= 200 && status < 300) {
        atomic_fetch_add(&hooks->sent, 1);
    } else if (again && p->tries < HOOK_TRIES) {
        p->due = now_s() + hook_pause_s(p->tries, retry_after_s);
        pthread_mutex_lock(&hooks->queue->lock);
        queued = put(hooks->queue, p);
        pthread_mutex_unlock(&hooks->queue->lock);
    }
    if (queued)
        return;
    if (status < 200 || status >= 300) {
        atomic_fetch_add(&hooks->failed, 1);
        log_event(LOG_LEVEL_WARNING, "webhook-failed",
                  "webhook %d (%s): given up after %d tries, last status %ld", p->hook + 1,
                  format_names[h->format], p->tries, status);
    }
    free(p->body);
}

static void *run(void *arg)
{
    struct hooks *hooks = arg;
    struct hook_queue *q = hooks->queue;
    struct post p;
    time_t next;
    for (;;) {
        pthread_mutex_lock(&q->lock);
        while (!take_due(q, &p, &next))
            pthread_cond_timedwait(&q->more, &q->lock, &(struct timespec){.tv_sec = next});
        pthread_mutex_unlock(&q->lock);
        deliver(hooks, &p);
    }
    return NULL;
}

bool hook_start(struct hooks *hooks)
{
    static struct hook_queue queue = {.lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_condattr_t clock;
    pthread_t thread;
    sigset_t all, before;
    if (hooks->n == 0)
        return true;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&queue.more, &clock);
    hooks->queue = &queue;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool good = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK &&
                pthread_create(&thread, NULL, run, hooks) == 0 && pthread_detach(thread) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return good;
}

void hook_post(struct hooks *hooks, const struct note *note, const char *cluster, const char *member)
{
    struct hook_queue *q = hooks->queue;
    for (int i = 0; q != NULL && i < hooks->n; i++) {
        struct post p = {.hook = i, .due = now_s()};
        p.body = note_body(hooks->of[i].format, note, cluster, member, hooks->of[i].key);
        pthread_mutex_lock(&q->lock);
        p.number = ++q->last;
        bool queued = p.body != NULL && put(q, &p);
        pthread_cond_signal(&q->more);
        pthread_mutex_unlock(&q->lock);
        if (queued)
            continue;
        free(p.body);
        atomic_fetch_add(&hooks->dropped, 1);
    }
}
