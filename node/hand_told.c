/* hand_told.c: see hand_told.h. */
#include "node/hand_told.h"

#include <stdio.h>
#include <string.h>

bool hand_told_failed(struct hand_told *t, enum pg_goal_kind kind, const char *text, instant now,
                      uint32_t *times)
{
    bool same = t->told && t->kind == kind && strncmp(t->text, text, sizeof t->text - 1) == 0;
    *times = same ? t->silent : 0;
    if (same && instant_elapsed_least(now, t->at).ns < span_ms(TOLD_AGAIN_S * 1000).ns) {
        t->silent++;
        return false;
    }
    *t = (struct hand_told){.told = true, .kind = kind, .at = now};
    snprintf(t->text, sizeof t->text, "%s", text);
    return true;
}

void hand_told_reached(struct hand_told *t)
{
    t->told = false;
}
