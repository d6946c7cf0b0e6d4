/* config.c: node.conf read by the option table (config_table.c). */
#define _GNU_SOURCE
#include "mesh/io/config.h"

#include "mesh/io/cluster.h"
#include "mesh/io/config_table.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { HEARTBEATS_PER_LEASE = 12, LINE_VALUE_SIZE = 1024 };

/* Where in which file we are, for messages. */
struct place {
    const char *path;
    int line; /* 0: a default, or the file as a whole */
    struct problem *err;
};

static const char *option_hint(const struct config_option *o, char *text, size_t size)
{
    switch (o->type) {
    case CONFIG_NAME:
        snprintf(text, size, "Write a name: a small letter, then letters, digits, - and _.");
        break;
    case CONFIG_TEXT: snprintf(text, size, "Write a text of less than %zu characters.", o->size); break;
    case CONFIG_PATH: snprintf(text, size, "Write a path of less than %d characters.", FILE_PATH_SIZE); break;
    case CONFIG_INTEGER:
        snprintf(text, size, "Write a number from %lld to %lld.", (long long)o->min, (long long)o->max);
        break;
    case CONFIG_TIME: {
        char min[24], max[24];
        snprintf(text, size, "Write a time with its unit (ms, s, min) from %s to %s.",
                 config_print_time(min, o->min), config_print_time(max, o->max));
        break;
    }
    case CONFIG_BOOL: snprintf(text, size, "Write on or off."); break;
    case CONFIG_CHOICE: snprintf(text, size, "Write one of: %s.", o->choices); break;
    case CONFIG_ADDRESSES:
        snprintf(text, size, "Write ADDRESS:PORT, numeric, up to %d of them parted by commas.",
                 ADDRESSES_MAX);
        break;
    case CONFIG_HBA:
        snprintf(text, size, "At most %d lines, each shorter than %d.", CONFIG_HBA_MAX, CONFIG_HBA_SIZE);
        break;
    case CONFIG_PARAMETERS:
        snprintf(text, size, "At most %d parameters, each once, shorter than %d.", CONFIG_PARAMETERS_MAX,
                 CONFIG_PARAMETER_SIZE);
        break;
    }
    return text;
}

static bool refuse(const struct place *at, const struct config_option *o, const char *name, const char *value)
{
    char hint[256];
    problem_fact(at->err, "%s:%d: \"%s\" cannot be \"%.100s\"", at->path, at->line, name, value);
    problem_detail(at->err, "%s: %s", name, o->help);
    return problem_hint(at->err, "%s", option_hint(o, hint, sizeof hint));
}

/* ---- one value of each type ---------------------------------------------------------------------------------- */

static bool read_integer(const struct config_option *o, const char *text, int64_t *value)
{
    char *end;
    if (!isdigit((unsigned char)text[0]) || strlen(text) > 12)
        return false;
    *value = strtoll(text, &end, 10);
    return *end == '\0' && *value >= o->min && *value <= o->max;
}

/* "600ms", "1.5 s", "5min"; a bare number only when it is 0. */
static bool read_time(const struct config_option *o, const char *text, int64_t *ms)
{
    static const struct {
        const char *unit;
        double ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"min", 60000}};
    char *end;
    if (!isdigit((unsigned char)text[0]) || strlen(text) > 16 || strpbrk(text, "xXeEpP"))
        return false;
    double value = strtod(text, &end);
    while (*end == ' ')
        end++;
    if (*end == '\0' && value == 0) {
        *ms = 0;
        return o->min <= 0;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(end, units[i].unit) == 0) {
            *ms = (int64_t)(value * units[i].ms + 0.5);
            return *ms >= o->min && *ms <= o->max;
        }
    return false;
}

static bool read_bool(const char *text, bool *value)
{
    static const char *const yes[] = {"on", "yes", "true", "1"}, *const no[] = {"off", "no", "false", "0"};
    for (int i = 0; i < 4; i++) {
        *value = strcasecmp(text, yes[i]) == 0;
        if (*value || strcasecmp(text, no[i]) == 0)
            return true;
    }
    return false;
}

static bool read_choice(const struct config_option *o, const char *text, int *value)
{
    size_t n = strlen(text);
    *value = 0;
    for (const char *p = o->choices; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL, ++*value)
        if (n > 0 && strncmp(p, text, n) == 0 && (p[n] == '|' || p[n] == '\0'))
            return true;
    return false;
}

static void put_integer(void *field, size_t size, int64_t value)
{
    switch (size) {
    case 1: *(uint8_t *)field = (uint8_t)value; break;
    case 2: *(uint16_t *)field = (uint16_t)value; break;
    case 4: *(uint32_t *)field = (uint32_t)value; break;
    }
}

static bool add_hba(struct config *c, const char *text)
{
    if (c->n_hba == CONFIG_HBA_MAX || text[0] == '\0' || strlen(text) >= CONFIG_HBA_SIZE)
        return false;
    strcpy(c->hba[c->n_hba++], text);
    return true;
}

static bool add_parameter(struct config *c, const char *name, const char *value)
{
    if (c->n_parameters == CONFIG_PARAMETERS_MAX || strlen(value) >= CONFIG_PARAMETER_SIZE)
        return false;
    if (name[0] == '\0' || strlen(name) >= CONFIG_PARAMETER_NAME_SIZE)
        return false;
    for (const char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p) && *p != '_' && *p != '.')
            return false;
    for (int i = 0; i < c->n_parameters; i++)
        if (strcasecmp(c->parameters[i].name, name) == 0)
            return false;
    struct config_parameter *p = &c->parameters[c->n_parameters++];
    strcpy(p->name, name);
    strcpy(p->value, value);
    return true;
}

/* A path is completed by the folder; "" and the words of "cgroup" stay as they are. */
static bool put_path(const struct config *c, const struct config_option *o, char *field, const char *value)
{
    bool word =
        value[0] == '\0' || (o->choices && (strcmp(value, "auto") == 0 || strcmp(value, "none") == 0));
    if (!word)
        return file_path(field, c->folder, value);
    strcpy(field, value);
    return true;
}

static bool put(struct config *c, const struct config_option *o, const char *name, const char *value)
{
    void *field = (char *)c + o->offset;
    int64_t number;
    int choice;
    switch (o->type) {
    case CONFIG_NAME:
        if (!cluster_name_valid(value))
            return false;
        strcpy(field, value);
        return true;
    case CONFIG_TEXT:
        if (strlen(value) >= o->size)
            return false;
        strcpy(field, value);
        return true;
    case CONFIG_PATH: return put_path(c, o, field, value);
    case CONFIG_INTEGER:
    case CONFIG_TIME:
        if (!(o->type == CONFIG_TIME ? read_time : read_integer)(o, value, &number))
            return false;
        put_integer(field, o->size, number);
        return true;
    case CONFIG_BOOL: return read_bool(value, field);
    case CONFIG_CHOICE:
        if (!read_choice(o, value, &choice))
            return false;
        memcpy(field, &choice, sizeof choice);
        return true;
    case CONFIG_ADDRESSES: {
        int n = value[0] ? address_parse_list(field, ADDRESSES_MAX, value, strlen(value), true) : 0;
        *(field == c->listen ? &c->n_listen : &c->n_http_listen) = (uint8_t)(n < 0 ? 0 : n);
        return n >= 0;
    }
    case CONFIG_HBA: return add_hba(c, value);
    case CONFIG_PARAMETERS: return add_parameter(c, name + strlen(o->name), value);
    }
    return false;
}

/* ---- lines ---------------------------------------------------------------------------------------------------- */

static const struct config_option *find(const char *name)
{
    for (size_t i = 0; i < config_options_n; i++) {
        const struct config_option *o = &config_options[i];
        if (o->type == CONFIG_PARAMETERS ? strncmp(name, o->name, strlen(o->name)) == 0
                                         : strcmp(name, o->name) == 0)
            return o;
    }
    return NULL;
}

/* The value of a line into out: quoted, or up to a comment.  NULL, or what is wrong with it. */
static const char *unquote(char out[static LINE_VALUE_SIZE], const char *p, const char *end)
{
    size_t n = 0;
    bool quoted = p < end && *p == '\'', closed = false;
    if (quoted)
        p++;
    for (; p < end && !closed; p++) {
        if (n == LINE_VALUE_SIZE - 1)
            return "the value is too long";
        if (quoted && *p == '\'' && p + 1 < end && p[1] == '\'')
            out[n++] = *p++;
        else if (quoted && *p == '\'')
            closed = true;
        else if (!quoted && *p == '#')
            break;
        else
            out[n++] = *p;
    }
    if (quoted && !closed)
        return "the closing quote is missing";
    while (quoted && p < end && isspace((unsigned char)*p))
        p++;
    if (quoted && p < end && *p != '#')
        return "something follows the closing quote";
    while (!quoted && n > 0 && isspace((unsigned char)out[n - 1]))
        n--;
    out[n] = '\0';
    return NULL;
}

static bool unknown(const struct place *at, const char *name)
{
    const char *near = config_nearest(name);
    problem_fact(at->err, "%s:%d: unknown option \"%s\"", at->path, at->line, name);
    if (near)
        return problem_hint(at->err, "Did you mean \"%s\"?", near);
    return problem_hint(at->err, "\"--help\" lists the options.");
}

static bool read_line(struct config *c, struct place *at, const char *p, const char *end, int *seen)
{
    char name[CONFIG_PARAMETER_NAME_SIZE + 8], value[LINE_VALUE_SIZE];
    while (p < end && isspace((unsigned char)*p))
        p++;
    if (p == end || *p == '#')
        return true;
    const char *word = p;
    while (p < end && !isspace((unsigned char)*p) && *p != '=')
        p++;
    size_t n = (size_t)(p - word);
    snprintf(name, sizeof name, "%.*s", (int)n, word);
    while (p < end && isspace((unsigned char)*p))
        p++;
    if (p == end || *p != '=' || n == 0) {
        problem_fact(at->err, "%s:%d: not an option: \"%.60s\"", at->path, at->line, name);
        return problem_hint(at->err, "A line is \"key = value\", or begins with #.");
    }
    for (p++; p < end && isspace((unsigned char)*p);)
        p++;
    const char *why = n >= sizeof name ? "the name is too long" : unquote(value, p, end);
    if (why)
        return problem_fact(at->err, "%s:%d: \"%s\": %s", at->path, at->line, name, why);

    const struct config_option *o = find(name);
    if (o == NULL)
        return unknown(at, name);
    bool repeats = o->type == CONFIG_HBA || o->type == CONFIG_PARAMETERS;
    if (seen[o - config_options] && !repeats) {
        problem_fact(at->err, "%s:%d: \"%s\" is set twice", at->path, at->line, name);
        return problem_detail(at->err, "It is set in line %d already.", seen[o - config_options]);
    }
    seen[o - config_options] = at->line;
    return put(c, o, name, value) || refuse(at, o, name, value);
}

/* ---- the whole ------------------------------------------------------------------------------------------------ */

void config_default(struct config *c)
{
    memset(c, 0, sizeof *c);
    strcpy(c->folder, ".");
    for (size_t i = 0; i < config_options_n; i++) {
        const struct config_option *o = &config_options[i];
        if (o->fallback && o->type != CONFIG_HBA && o->type != CONFIG_PARAMETERS)
            put(c, o, o->name, o->fallback);
    }
}

static bool name_files(struct config *c, const char *path)
{
    const char *slash = strrchr(path, '/');
    int n = snprintf(c->file, sizeof c->file, "%s", path);
    snprintf(c->folder, sizeof c->folder, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    if (slash == path)
        strcpy(c->folder, "/");
    return n < (int)sizeof c->file;
}

/* A line of the file counts more than its profile, wherever the two stand. */
static void apply_profile(struct config *c, const int *seen)
{
    for (size_t i = 0; i < config_choices_n; i++) {
        const struct config_choice *choice = &config_choices[i];
        const struct config_option *o = find(choice->name);
        bool good = choice->profile != c->profile || seen[o - config_options] ||
                    put(c, o, choice->name, choice->value);
        assert(good);
    }
}

/* What no single option can say. */
static bool check_together(const struct config *c, struct problem *err)
{
    uint32_t lease = c->core.lease_ms, margin = c->core.fence_ms + lease / 100;
    uint32_t beats = 3 * lease / HEARTBEATS_PER_LEASE; /* one of them is lost */
    if (margin + beats >= lease) {
        problem_fact(err, "%s: \"lease\" is too short for \"fence\"", c->file);
        problem_detail(
            err,
            "Of %u ms, %u ms are the margin for fencing and clock error, and three heartbeats take %u ms.",
            lease, margin, beats);
        return problem_hint(err, "Raise lease to %u ms or more, or lower fence.",
                            (margin * 6 / 5 + 10) * 6 / 5);
    }
    return true;
}

bool config_parse(const char *text, size_t n, const char *path, struct config *c, struct problem *err)
{
    int seen[CONFIG_OPTIONS_MAX] = {0};
    struct place at = {.path = path, .err = err};
    const char *end = text + n;

    config_default(c);
    if (!name_files(c, path))
        return problem_fact(err, "\"%.100s...\": the path is too long", path);
    if (memchr(text, '\0', n))
        return problem_fact(err, "\"%s\" contains a NUL byte", path);
    for (size_t i = 0; i < config_options_n; i++) {
        const struct config_option *o = &config_options[i];
        if (o->type == CONFIG_PATH && !put(c, o, o->name, o->fallback))
            return problem_fact(err, "\"%.100s...\": the path is too long", path);
    }
    for (const char *p = text; p < end;) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        at.line++;
        if (!read_line(c, &at, p, newline ? newline : end, seen))
            return false;
        p = newline ? newline + 1 : end;
    }
    apply_profile(c, seen);
    for (size_t i = 0; i < config_options_n; i++)
        if (config_options[i].fallback == NULL && !seen[i]) {
            problem_fact(err, "%s: \"%s\" is not set", path, config_options[i].name);
            return problem_hint(err, "%s = ...   # %s", config_options[i].name, config_options[i].help);
        }
    return check_together(c, err);
}

bool config_load(const char *path, struct config *c, struct problem *err)
{
    size_t n;
    char *text = file_read(path, FILE_TEXT | FILE_ITSELF, FILE_TEXT_MAX, &n, err);
    if (text == NULL)
        return false;
    bool good = config_parse(text, n, path, c, err);
    free(text);
    return good;
}

bool config_check_cluster(const struct config *c, const struct cluster *cluster, struct problem *err)
{
    const struct cluster_member *m = cluster_find(cluster, c->member);
    if (m == NULL) {
        problem_fact(err, "%s: \"%s\" is not a member of cluster \"%s\"", c->file, c->member, cluster->name);
        problem_detail(err, "The members are listed in \"%s\".", c->cluster_file);
        return problem_hint(
            err, "Name one of them in \"member\", or use the cluster file that names this member.");
    }
    if (m->member.role == ROLE_DATABASE && c->data_dir[0] == '\0') {
        problem_fact(err, "%s: \"data_dir\" is not set", c->file);
        problem_detail(err, "\"%s\" is a database.", c->member);
        return problem_hint(err, "data_dir = /var/lib/postgresql/15/main");
    }
    if (m->member.role == ROLE_DATABASE && !m->has_pg) {
        problem_fact(err, "%s: database \"%s\" has no pg= address", c->cluster_file, c->member);
        return problem_hint(err, "The others replicate from that address: add pg=HOST:PORT to its line.");
    }
    if (c->core.lease_ms > cluster->first.lease_ms_max) {
        problem_fact(err, "%s: \"lease\" is longer than the cluster allows", c->file);
        return problem_detail(err, "It is %u ms; the longest agreed on is %u ms.", c->core.lease_ms,
                              cluster->first.lease_ms_max);
    }
    if (c->n_listen == 0 && m->n_mesh == 0) {
        problem_fact(err, "%s: \"listen\" is not set and \"%s\" has no mesh= address", c->file, c->member);
        return problem_hint(err, "listen = ADDRESS:PORT");
    }
    return m->member.role != ROLE_DATABASE || config_check_parameters(c, err);
}
