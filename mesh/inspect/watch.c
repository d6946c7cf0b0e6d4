/* watch.c: pgmesh watch: the status, again and again.
 *
 * On a terminal: the alternate screen, drawn anew at every interval and every SIGWINCH; q, or a signal, ends it.  Whatever
 * way it ends (SIGKILL apart), the terminal is as it was.  Into a pipe: a plain snapshot per interval, or with --output
 * json one document a line. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "mesh/inspect/client.h"
#include "mesh/inspect/links.h"
#include "mesh/inspect/ready.h"

enum { WATCH_INTERVAL, WATCH_COUNT };
const struct option_row options_watch[] = {
    [WATCH_INTERVAL] = {"interval", "SECONDS", "between two looks (1)"},
    [WATCH_COUNT] = {"count", "N", "end after so many (never)"},
    {NULL, NULL, NULL},
};

enum { EVENTS_SHOWN = 6, EVENTS_BACK_S = 3600 };

struct watch {
    struct inspect *x;
    struct client client;
    int interval_ms;
    long long count; /* 0: no end */
    bool screen, links, events;
    int code; /* of the last look */
};

/* ---- the terminal --------------------------------------------------------------------------------------------------- */

static struct termios before;
static volatile sig_atomic_t taken, resized, ended;

/* Only what a signal handler may do. */
static void give_back(void)
{
    static const char leave[] = "\033[0m\033[?25h\033[?1049l";
    if (!taken)
        return;
    taken = 0;
    tcsetattr(STDIN_FILENO, TCSANOW, &before);
    ssize_t ignored = write(STDOUT_FILENO, leave, sizeof leave - 1);
    (void)ignored;
}

static void take(void)
{
    static const char enter[] = "\033[?1049h\033[?25l";
    struct termios raw;
    if (tcgetattr(STDIN_FILENO, &before) != 0)
        return;
    raw = before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    taken = 1;
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    ssize_t ignored = write(STDOUT_FILENO, enter, sizeof enter - 1);
    (void)ignored;
}

static void on_signal(int number)
{
    int error = errno;
    if (number == SIGWINCH) {
        resized = 1;
    } else if (number == SIGTSTP) {
        give_back();
        raise(SIGSTOP);
        take();
        resized = 1;
    } else if (number == SIGSEGV || number == SIGABRT || number == SIGBUS) {
        give_back();
        signal(number, SIG_DFL);
        raise(number);
    } else {
        ended = number;
    }
    errno = error;
}

static void signals(void)
{
    static const int numbers[] = {SIGWINCH, SIGTSTP, SIGINT,  SIGTERM, SIGHUP,
                                  SIGQUIT,  SIGSEGV, SIGABRT, SIGBUS};
    struct sigaction a = {.sa_handler = on_signal};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], &a, NULL);
    atexit(give_back);
}

/* ---- one look -------------------------------------------------------------------------------------------------------- */

static void events(struct watch *w, struct output *o)
{
    json_t *answer, *one;
    size_t i;
    json_t *request = json_pack("{s:s,s:I}", "command", "events", "since",
                                (json_int_t)((long long)(time(NULL) - EVENTS_BACK_S) * 1000000));
    if (client_ask(&w->client, request, &answer) != EXIT_OK)
        return;
    json_t *list = json_object_get(answer, "events");
    size_t n = json_array_size(list), from = n > EVENTS_SHOWN ? n - EVENTS_SHOWN : 0;
    output_blank(o);
    json_array_foreach(list, i, one)
    {
        const char *at = json_text(one, "at");
        if (i >= from)
            output_tone(o, TONE_FAINT, 4, "  %.8s %s %s", strlen(at) > 19 ? at + 11 : at,
                        json_text(one, "name"), json_text(one, "text"));
    }
    json_decref(answer);
}

static void findings(struct output *o, const struct view *v)
{
    struct view_estimate e;
    json_t *list, *one;
    size_t i;
    view_estimate(v, &e);
    enum readiness r = readiness_judge(v, &e, &list);
    json_array_foreach(list, i, one)
        output_tone(o, r == READY_NOT ? TONE_BAD : TONE_WARN, 4, "  %s", json_string_value(one));
    json_decref(list);
}

/* Everything of one look, complaints included, as text; to be freed. */
static char *look(struct watch *w)
{
    static struct view v;
    struct output own = w->x->out;
    char *drawn = NULL, now[32];
    size_t n;
    json_t *answer;
    time_t seconds = time(NULL);
    FILE *memory = open_memstream(&drawn, &n);
    if (memory == NULL)
        return NULL;
    strftime(now, sizeof now, "%H:%M:%S", localtime(&seconds));
    w->x->out.to = w->x->out.errors = memory;
    w->client.answering = -1;
    output_tone(&w->x->out, TONE_FAINT, 2, "%s", now);
    w->code = client_ask(&w->client, json_pack("{s:s}", "command", "status"), &answer);
    if (w->code == EXIT_OK) {
        view_read(&v, answer);
        status_print(&w->x->out, &v);
        findings(&w->x->out, &v);
        if (w->links) {
            output_blank(&w->x->out);
            links_print(&w->x->out, &v);
        }
        if (w->events)
            events(w, &w->x->out);
        w->code = v.serving ? EXIT_OK : EXIT_NO_PRIMARY;
        json_decref(answer);
    }
    fclose(memory);
    w->x->out = own;
    return drawn;
}

static void show(struct watch *w, const char *drawn, int rows)
{
    FILE *to = w->x->out.to;
    int line = 0;
    fputs("\033[H", to);
    for (const char *s = drawn; *s != '\0' && line < rows - 1; line++) {
        size_t n = strcspn(s, "\n");
        fprintf(to, "%.*s\033[K\r\n", (int)n, s);
        s += n + (s[n] == '\n');
    }
    fprintf(to, "\033[J\033[%d;1H\033[2m%.*s\033[0m\033[K", rows, w->x->out.width - 1,
            "q quit   l links   e events");
    fflush(to);
}

static void draw(struct watch *w)
{
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    w->x->out.width = size.ws_col < 20 ? 20 : size.ws_col;
    char *drawn = look(w);
    if (drawn != NULL)
        show(w, drawn, size.ws_row < 2 ? 2 : size.ws_row);
    free(drawn);
}

/* Waits for the interval, a key, or a signal; true: draw again. */
static bool wait_key(struct watch *w)
{
    struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
    char key = 0;
    int n = resized || ended ? 0 : poll(&p, 1, w->interval_ms);
    resized = 0;
    if (n > 0 && (p.revents & POLLIN) && read(STDIN_FILENO, &key, 1) == 1) {
        w->links ^= key == 'l';
        w->events ^= key == 'e';
    }
    bool hung_up = n > 0 && (p.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
    return !ended && !hung_up && key != 'q' && key != 'Q' && key != 3;
}

static int on_screen(struct watch *w)
{
    signals();
    take();
    long long n = 0;
    do
        draw(w);
    while ((w->count == 0 || ++n < w->count) && wait_key(w));
    give_back();
    return ended != 0 && ended != SIGINT ? 128 + ended : EXIT_OK;
}

/* ---- into a pipe ------------------------------------------------------------------------------------------------------ */

static bool snapshot(struct watch *w)
{
    json_t *answer;
    FILE *to = w->x->out.to;
    if (!w->x->out.json) {
        char *drawn = look(w);
        fprintf(to, "%s\n", drawn == NULL ? "" : drawn);
        free(drawn);
    } else if ((w->code = client_ask(&w->client, json_pack("{s:s}", "command", "status"), &answer)) ==
               EXIT_OK) {
        json_dumpf(answer, to, JSON_COMPACT | JSON_ENSURE_ASCII);
        fputc('\n', to);
        json_decref(answer);
    } else {
        w->client.answering = -1;
    }
    return fflush(to) == 0;
}

static int in_pipe(struct watch *w)
{
    for (long long n = 1;; n++) {
        if (!snapshot(w))
            return EXIT_REFUSED;
        if (w->count > 0 && n >= w->count)
            return w->code;
        poll(NULL, 0, w->interval_ms);
    }
}

/* ---- the command ------------------------------------------------------------------------------------------------------ */

static bool number(const char *s, double least, double most, double *n)
{
    char *end;
    *n = strtod(s, &end);
    return end != s && *end == '\0' && *n >= least && *n <= most;
}

int command_watch(struct inspect *x)
{
    static struct watch w;
    const char *value;
    double n = 0;
    int code = EXIT_OK, option;
    w = (struct watch){.x = x, .interval_ms = 1000, .links = true, .events = true};
    while ((option = args_next(x, &value, &code)) >= 0) {
        if (!number(value, option == WATCH_INTERVAL ? 0.1 : 1, option == WATCH_INTERVAL ? 3600 : 1e9, &n))
            return usage(x, text("\"%s\" is no %s", value, option == WATCH_INTERVAL ? "interval" : "count"),
                         option == WATCH_INTERVAL ? "0.1 to 3600 seconds." : "A number from 1 on.");
        if (option == WATCH_INTERVAL)
            w.interval_ms = (int)(n * 1000);
        else
            w.count = (long long)n;
    }
    if (option == ARGS_STOP)
        return code;
    if (option == ARGS_WORD)
        return usage(x, text("unexpected word \"%s\"", value), "\"watch\" takes none.");
    if ((code = client_open(&w.client, x)) != EXIT_OK)
        return code;
    w.screen = !x->out.json && isatty(STDIN_FILENO) && isatty(fileno(x->out.to));
    if (!w.screen)
        w.links = w.events = false;
    return w.screen ? on_screen(&w) : in_pipe(&w);
}
