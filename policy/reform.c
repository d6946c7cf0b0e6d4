/* reform.c: the record that the root's word decides. */
#include "policy/reform.h"

#include <string.h>

#include "policy/lineage.h"

struct ballot reform_ballot(const struct reform *f)
{
    return (struct ballot){.round = (uint64_t)f->epoch << REFORM_SHIFT, .nonce = f->nonce};
}

static uint64_t above(uint64_t n)
{
    return (n / REFORM_JUMP + 1) * REFORM_JUMP;
}

bool reform_record(struct record *r, const struct voters *voters, const struct sync_member *primary,
                   const char **why)
{
    *why = "the cluster has no data yet";
    if (r->system_id == 0 || r->timeline == 0 || r->primary == MEMBER_NONE)
        return false;
    *why = "no timeline is left";
    if (r->timeline > UINT32_MAX - REFORM_TIMELINES)
        return false;
    r->version = above(r->version);
    r->term = above(r->term);
    r->voters = *voters;
    if (primary) {
        r->primary = primary->id;
        r->primary_dir = primary->dir;
    }
    r->switchover_from = r->switchover_to = MEMBER_NONE;
    r->switchover_deadline_ms = 0;
    r->paused = false;
    memset(r->paused_why, 0, sizeof r->paused_why);
    lineage_append(r, r->timeline,
                   (struct history_row){.timeline = r->timeline + REFORM_TIMELINES,
                                        .switch_lsn = UINT64_MAX,
                                        .term = r->term});
    return record_valid(r, why);
}
