#define _GNU_SOURCE
#include "mesh/io/status_phases.h"

#include <jansson.h>
#include <string.h>

/* "+verdict" tells of any verdict but "alive"; only some of them say that the primary is lost. */
static bool says_lost(const struct journal_line *line)
{
    static const char *const words[] = {": gone (", ": released (", ": unfenced ("};
    bool said = false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        said = said || memmem(line->text, line->text_len, words[i], strlen(words[i])) != NULL;
    return said && strcmp(line->name, "+verdict") == 0;
}

void status_phases_see(struct status_phases *p, const struct journal_line *line, uint64_t term)
{
    if (line->kind != JOURNAL_EVENT || line->term != term)
        return;
    if (says_lost(line) && p->judged_us == 0)
        p->judged_us = line->at_us;
    else if (strcmp(line->name, "+takeover") == 0 && p->asked_us == 0)
        p->asked_us = line->at_us;
    else if (strcmp(line->name, "-suspect") == 0)
        *p = (struct status_phases){0};
}

void status_phases_tell(struct status_phases *p, const struct justification *why, int64_t decided_us,
                        json_t *row)
{
    uint32_t waited = 0;
    for (int i = 0; why->takeover && i < why->n_promises; i++)
        if (why->promises[i].verdict != VERDICT_RELEASED && why->promises[i].silent_ms > waited)
            waited = why->promises[i].silent_ms;
    if (waited > 0)
        json_object_set_new(row, "waited_ms", json_integer(waited));
    if (why->takeover && p->judged_us > 0)
        json_object_set_new(row, "judged_ms", json_integer((decided_us - p->judged_us) / 1000));
    if (why->takeover && p->asked_us > 0)
        json_object_set_new(row, "asked_ms", json_integer((decided_us - p->asked_us) / 1000));
    *p = (struct status_phases){0};
}
