/* scenario.c: a narrated scenario: a plain LAN, perfect clocks, a short script, and the narration expected word for word.
 *
 *   # comments
 *   layout 3 1 sites a b a c durability sync k 1      databases, witnesses (and observers: layout 3 1 1 ...)
 *   seed 7
 *   at 2.000 host-crash db1 for 1.500                  any fault's name; `for` heals it
 *   at 3.000 cut-one-way db1 w1 for 1
 *   at 4.000 switchover db2
 *   until 6.000
 *   ---
 *   what is told from then on */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

struct script {
    struct layout layout;
    uint64_t seed;
    ns_t until;
    int n;
    struct {
        struct fault fault;
        char who[NAME_SIZE], other[NAME_SIZE];
    } line[SIM_FAULTS];
};

static bool parse_layout(struct script *s, char *rest)
{
    struct layout *l = &s->layout;
    char *save = NULL, *word = strtok_r(rest, " ", &save);
    int *counts[] = {&l->databases, &l->witnesses, &l->observers}, n = 0;
    for (; word && n < 3 && word[0] >= '0' && word[0] <= '9'; word = strtok_r(NULL, " ", &save))
        *counts[n++] = atoi(word);
    while (word) {
        if (strcmp(word, "sites") == 0) {
            int total = l->databases + l->witnesses + l->observers;
            for (int i = 0; i < total && (word = strtok_r(NULL, " ", &save)); i++) {
                l->site_of[i] = word[0] - 'a';
                if (l->site_of[i] >= l->sites)
                    l->sites = l->site_of[i] + 1;
            }
            if (!word)
                return false;
        } else if (strcmp(word, "durability") == 0 && (word = strtok_r(NULL, " ", &save))) {
            l->durability = word[0] == 'a'                ? DURABILITY_ASYNC
                            : strcmp(word, "strict") == 0 ? DURABILITY_STRICT
                                                          : DURABILITY_SYNC;
        } else if (strcmp(word, "k") == 0 && (word = strtok_r(NULL, " ", &save))) {
            l->k = (uint8_t)atoi(word);
        } else if (strcmp(word, "rule") == 0 && (word = strtok_r(NULL, " ", &save))) {
            l->rule = strcmp(word, "sites") == 0 ? RULE_SITES : RULE_MAJORITY;
        } else {
            return false;
        }
        word = strtok_r(NULL, " ", &save);
    }
    return l->databases > 0;
}

static ns_t parse_time(const char *text)
{
    return (ns_t)(strtod(text, NULL) * 1e9 + 0.5);
}

static bool parse_at(struct script *s, char *rest)
{
    char *save = NULL, *word = strtok_r(rest, " ", &save);
    if (!word || s->n == SIM_FAULTS)
        return false;
    struct fault *f = &s->line[s->n].fault;
    *f = (struct fault){.at = parse_time(word), .who = -1, .other = -1, .arg = 1};
    word = strtok_r(NULL, " ", &save);
    if (!word || !fault_parse(word, &f->kind))
        return false;
    char *names[] = {s->line[s->n].who, s->line[s->n].other};
    names[0][0] = names[1][0] = 0;
    for (int n = 0; (word = strtok_r(NULL, " ", &save));) {
        if (strcmp(word, "for") == 0 && (word = strtok_r(NULL, " ", &save)))
            f->lasts = parse_time(word);
        else if (strcmp(word, "arg") == 0 && (word = strtok_r(NULL, " ", &save)))
            f->arg = (uint32_t)atoi(word);
        else if (n < 2)
            snprintf(names[n++], NAME_SIZE, "%s", word);
        else
            return false;
    }
    s->n++;
    return true;
}

static bool parse(struct script *s, char *text, const char *path)
{
    memset(s, 0, sizeof *s);
    s->layout = (struct layout){.quiet = true, .k = 1, .durability = DURABILITY_SYNC};
    s->until = SECONDS(5);
    int number = 0;
    for (char *save = NULL, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        number++;
        bool good = true;
        if (line[0] == '#')
            continue;
        if (strncmp(line, "layout ", 7) == 0)
            good = parse_layout(s, line + 7);
        else if (strncmp(line, "seed ", 5) == 0)
            s->seed = strtoull(line + 5, NULL, 10);
        else if (strncmp(line, "until ", 6) == 0)
            s->until = parse_time(line + 6);
        else if (strncmp(line, "at ", 3) == 0)
            good = parse_at(s, line + 3);
        else
            good = line[0] == 0;
        if (!good) {
            fprintf(stderr, "%s: line %d is not understood\n", path, number);
            return false;
        }
    }
    return true;
}

static int find(const struct world *w, const char *name)
{
    for (int i = 0; i < w->n; i++)
        if (strcmp(world_name(w, i), name) == 0)
            return i;
    return -1;
}

static bool play(struct world *w, const struct script *s, FILE *out)
{
    w->bias = NULL;
    world_begin(w, s->seed, true, out);
    w->scenario = true;
    if (setjmp(w->stop))
        return false;
    layout_make(w, &s->layout);
    w->healed_at = s->until;
    for (int i = 0; i < s->n; i++) {
        struct fault *f = &w->fault[w->n_faults];
        *f = s->line[i].fault;
        f->who = find(w, s->line[i].who);
        f->other = find(w, s->line[i].other);
        world_push(w, f->at, EV_FAULT, 0, 0, (uint32_t)w->n_faults, 0);
        if (f->lasts)
            world_push(w, f->at + f->lasts, EV_HEAL, 0, 0, (uint32_t)w->n_faults, 0);
        w->n_faults++;
    }
    world_start_members(w);
    world_loop(w, s->until);
    return true;
}

/* Says where two narrations part. */
static int compare(const char *path, const char *want, const char *have)
{
    int line = 1;
    const char *start_w = want, *start_h = have;
    for (; *want && *want == *have; want++, have++)
        if (*want == '\n') {
            line++;
            start_w = want + 1;
            start_h = have + 1;
        }
    if (*want == *have) {
        printf("ok scenario %s\n", path);
        return 0;
    }
    printf("not ok scenario %s (told line %d)\n  expected: %.*s\n  told:     %.*s\n", path, line,
           (int)strcspn(start_w, "\n"), start_w, (int)strcspn(start_h, "\n"), start_h);
    return 1;
}

static char *read_all(const char *path)
{
    FILE *f = fopen(path, "r");
    if (!f)
        return NULL;
    static char text[1 << 20];
    size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = 0;
    fclose(f);
    return text;
}

int scenario_file(struct world *w, const char *path, bool update)
{
    static struct script s;
    char *text = read_all(path);
    if (!text) {
        perror(path);
        return 2;
    }
    char *mark = strstr(text, "---\n"), *want = mark ? mark + 4 : text + strlen(text);
    size_t head = mark ? (size_t)(mark - text) : strlen(text);
    char *script = strndup(text, head), *copy = strndup(text, head), *told = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&told, &n);
    if (!script || !copy || !out || !parse(&s, script, path))
        return 2;
    bool good = play(w, &s, out);
    fclose(out);
    int result = 0;
    if (update) {
        FILE *f = fopen(path, "w");
        if (!f)
            return 2;
        fprintf(f, "%s---\n%s", copy, told);
        fclose(f);
        printf("wrote %s\n", path);
    } else {
        result = compare(path, want, told);
    }
    if (!good)
        printf("not ok scenario %s (invariant %s: %s)\n", path, w->invariant, w->sentence);
    free(script);
    free(copy);
    free(told);
    return good ? result : 1;
}

static int text_file(const struct dirent *d)
{
    size_t n = strlen(d->d_name);
    return n > 4 && strcmp(d->d_name + n - 4, ".txt") == 0;
}

int scenario_dir(struct world *w, const char *dir, bool update)
{
    struct dirent **list;
    int n = scandir(dir, &list, text_file, alphasort), failed = 0;
    if (n < 0) {
        perror(dir);
        return 2;
    }
    for (int i = 0; i < n; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", dir, list[i]->d_name);
        failed += scenario_file(w, path, update) != 0;
        free(list[i]);
    }
    free(list);
    printf("%d scenarios, %d failed\n", n, failed);
    return failed > 0;
}
