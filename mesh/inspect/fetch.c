/* fetch.c: see fetch.h. */
#define _GNU_SOURCE
#include "mesh/inspect/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 24, WORDS_SIZE = 16, NOT_FOUND = 127 };

struct pipes {
    int in[2], out[2], errors[2]; /* as the child sees them */
};

static void close_both(int pair[2])
{
    for (int i = 0; i < 2; i++)
        if (pair[i] >= 0)
            close(pair[i]);
    pair[0] = pair[1] = -1;
}

static void close_all(struct pipes *p)
{
    close_both(p->in);
    close_both(p->out);
    close_both(p->errors);
}

static bool open_all(struct pipes *p, struct problem *err)
{
    *p = (struct pipes){{-1, -1}, {-1, -1}, {-1, -1}};
    if (pipe2(p->in, O_CLOEXEC) == 0 && pipe2(p->out, O_CLOEXEC) == 0 && pipe2(p->errors, O_CLOEXEC) == 0)
        return true;
    problem_fact(err, "could not make a pipe: %s", strerror(errno));
    close_all(p);
    return false;
}

/* curl's own configuration is not read (-q), redirections are not followed, and nothing but HTTP is spoken. */
static void become_curl(const struct fetch *f, const struct pipes *p)
{
    char most[WORDS_SIZE], url[1100];
    const char *argv[ARGUMENTS_MAX];
    int n = 0;
    snprintf(most, sizeof most, "%u", f->timeout_s);
    snprintf(url, sizeof url, "%s", f->url);
    const char *fixed[] = {"curl",          "-q",          "-sS", "-g",
                           "--proto",       "=http,https", "-H",  "Content-Type: application/json",
                           "--data-binary", "@-",          "-w",  "\n%{http_code}",
                           "--max-time",    most};
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        argv[n++] = fixed[i];
    if (f->ca_file != NULL) {
        argv[n++] = "--cacert";
        argv[n++] = f->ca_file;
    }
    argv[n++] = "--";
    argv[n++] = url;
    argv[n] = NULL;
    if (dup2(p->in[0], 0) == 0 && dup2(p->out[1], 1) == 1 && dup2(p->errors[1], 2) == 2)
        execvp("curl", (char *const *)(void *)argv);
    _exit(NOT_FOUND);
}

/* All of it, up to `max`; NULL: there is more, or no memory. */
static char *read_all(int fd, size_t max)
{
    char *text = malloc(max + 1);
    size_t n = 0;
    for (ssize_t got = 1; text != NULL && got != 0;) {
        got = n <= max ? read(fd, text + n, max + 1 - n) : 0;
        if (got < 0 && errno != EINTR)
            break;
        n += got > 0 ? (size_t)got : 0;
    }
    if (text == NULL || n > max) {
        free(text);
        return NULL;
    }
    text[n] = '\0';
    return text;
}

static int judge(int status, char *text, const char *said, const char *url, struct problem *err)
{
    char *last = text != NULL ? strrchr(text, '\n') : NULL;
    int code = last != NULL ? atoi(last + 1) : 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_FOUND) {
        problem_fact(err, "the program curl is not installed");
        problem_hint(
            err,
            "Install it (apt-get install curl); or take the folder here by hand: \"pgmesh member add\".");
        return 0;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || code < 100) {
        problem_fact(err, "nothing answers at %s", url);
        if (said != NULL && *said != '\0')
            problem_detail(err, "%.*s", (int)strcspn(said, "\n"), said);
        problem_hint(
            err,
            "There pgmesh-http must run beside the member that holds the invitation, and listen for this "
            "host (http_listen).");
        return 0;
    }
    *last = '\0';
    return code;
}

int fetch_post(const struct fetch *f, const char *body, char **answer, struct problem *err)
{
    struct pipes p;
    int status = 0;
    size_t n = strlen(body);
    *answer = NULL;
    if (!open_all(&p, err))
        return 0;
    /* Fits into a pipe: nobody has to read it yet. */
    bool good = write(p.in[1], body, n) == (ssize_t)n;
    pid_t child = good ? fork() : -1;
    if (child == 0)
        become_curl(f, &p);
    close_both(p.in);
    close(p.out[1]);
    close(p.errors[1]);
    p.out[1] = p.errors[1] = -1;
    char *text = child > 0 ? read_all(p.out[0], FETCH_MAX) : NULL;
    char *said = child > 0 ? read_all(p.errors[0], FETCH_BODY_MAX) : NULL;
    close_all(&p);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    int code = child > 0 ? judge(status, text, said, f->url, err) : 0;
    if (child <= 0)
        problem_fact(err, "could not start curl: %s", strerror(errno));
    free(said);
    if (code == 0)
        free(text);
    else
        *answer = text;
    return code;
}
