/* verdict.c: the rule table, tried from the top. */
#include "policy/verdict.h"

#include "policy/mutant.h"

enum { OBSERVERS_WANTED = 2 }; /* one observer may see what nobody else does */

typedef const struct evidence evidence;
typedef const struct verdict_settings settings;

/* Did a promise of mine end?  One that was never given counts once I have been up for long enough to
 * have given it. */
static bool grant_over(evidence *e, settings *s)
{
    return e->has_primary && e->silent_ms > 0 && !e->grant_runs &&
           (e->granted_since_start || e->uptime_ms >= s->boot_grace_ms);
}

/* Where sealing protects the data, proof of life holds nothing up, so it need not be bounded. */
static bool proof_counts(evidence *e, settings *s)
{
    return s->sealing || e->proof_for_ms < s->unfenced_max_ms;
}

static bool released(evidence *e, settings *s)
{
    (void)s;
    return e->released;
}

static bool grant_runs_still(evidence *e, settings *s)
{
    (void)s;
    return e->grant_runs;
}

/* A failover costs more than the rest of its way: clients see a stall, then the same primary. */
static bool returning(evidence *e, settings *s)
{
    return grant_over(e, s) && e->asks_anew && !MUTANT(NO_RETURN) &&
           (e->over_ms <= s->return_ms || MUTANT(RETURN_FOREVER));
}

static bool wal_arrives(evidence *e, settings *s)
{
    return grant_over(e, s) && e->wal_since && proof_counts(e, s);
}

static bool observers_served(evidence *e, settings *s)
{
    return grant_over(e, s) && e->observers_since >= OBSERVERS_WANTED && proof_counts(e, s);
}

static bool proof_too_long(evidence *e, settings *s)
{
    return grant_over(e, s) && (e->wal_since || e->observers_since >= OBSERVERS_WANTED) &&
           !proof_counts(e, s);
}

static bool silent_after_grant(evidence *e, settings *s)
{
    return grant_over(e, s) && e->granted_since_start;
}

static bool silent_since_start(evidence *e, settings *s)
{
    return grant_over(e, s);
}

static bool nobody_named(evidence *e, settings *s)
{
    return !e->has_primary && e->uptime_ms >= s->boot_grace_ms;
}

static bool always(evidence *e, settings *s)
{
    (void)e;
    (void)s;
    return true;
}

// clang-format off
const struct verdict_rule verdict_rules[] = {
    {"released", VERDICT_RELEASED, "the primary released its term", released},
    {"grant-runs", VERDICT_ALIVE, "my grant to the primary runs", grant_runs_still},
    {"returning", VERDICT_UNKNOWN, "my grant ended, but the primary's agent was started anew and asks for its lease",
     returning},
    {"wal-arrives", VERDICT_UNFENCED, "my grant ended, but WAL of the primary still arrives here",
     wal_arrives},
    {"observers-served", VERDICT_UNFENCED, "my grant ended, but the primary still answers observers",
     observers_served},
    {"proof-too-long", VERDICT_GONE, "my grant ended, and signs of life have held a takeover up for too long",
     proof_too_long},
    {"silent-after-grant", VERDICT_GONE, "my grant ended and nothing shows that the primary serves",
     silent_after_grant},
    {"silent-since-start", VERDICT_GONE, "the primary has not been heard of for the boot grace",
     silent_since_start},
    {"nobody-named", VERDICT_GONE, "the record names no primary", nobody_named},
    {"unknown", VERDICT_UNKNOWN, "nothing is known about the primary yet", always},
};
// clang-format on
const size_t verdict_rules_n = sizeof verdict_rules / sizeof verdict_rules[0];

const struct verdict_rule *verdict_judge(const struct evidence *e, const struct verdict_settings *s)
{
    const struct verdict_rule *rule = verdict_rules;
    while (!rule->applies(e, s))
        rule++;
    return rule;
}

const char *verdict_name(enum verdict v)
{
    switch (v) {
    case VERDICT_UNKNOWN: return "unknown";
    case VERDICT_ALIVE: return "alive";
    case VERDICT_RELEASED: return "released";
    case VERDICT_UNFENCED: return "unfenced";
    case VERDICT_GONE: return "gone";
    }
    return "invalid";
}

bool verdict_promises(enum verdict v, enum durability durability)
{
    switch (v) {
    case VERDICT_GONE:
    case VERDICT_RELEASED: return true;
    case VERDICT_UNFENCED: return durability != DURABILITY_ASYNC;
    case VERDICT_ALIVE:
    case VERDICT_UNKNOWN: return false;
    }
    return false;
}
