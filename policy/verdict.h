/* verdict.h: is the primary gone?  A pure function of evidence, as a table of rules tried from the top
 * (docs/protocol.md, "The verdict").  "Unknown" is a value of its own in every field, never zero by accident. */
#ifndef PGMESH_POLICY_VERDICT_H
#define PGMESH_POLICY_VERDICT_H

#include "policy/base.h"
#include "policy/record.h"

enum verdict { VERDICT_UNKNOWN, VERDICT_ALIVE, VERDICT_RELEASED, VERDICT_UNFENCED, VERDICT_GONE };
enum { EVIDENCE_NEVER = UINT32_MAX };

struct evidence {
    bool has_primary;         /* the decided record names one */
    bool released;            /* a valid RELEASE for the decided term is known */
    bool grant_runs;          /* my grant to the primary of the decided term */
    bool granted_since_start; /* I granted the primary of the decided term since my start */
    bool
        asks_anew; /* a start of the primary that I have not granted anything yet was heard just now, asking for its term */
    uint32_t
        silent_ms; /* since my last grant ended, or since the term was learnt plus one lease; 0: not yet silent */
    uint32_t over_ms; /* since my last grant of that term ended; 0: it runs, or there was none */
    uint32_t uptime_ms;
    bool wal_since; /* WAL or a keepalive of the primary reached my walreceiver after my grant ended */
    uint8_t observers_since; /* observers with an SQL answer of the primary later than that */
    uint32_t proof_for_ms;   /* how long such proof has been holding a takeover up; 0: it does not */
};
struct verdict_settings {
    uint32_t boot_grace_ms;
    uint32_t unfenced_max_ms;
    uint32_t
        return_ms; /* for so long a primary that asks anew may fetch its lease: its guard has not killed PostgreSQL yet */
    bool sealing; /* durability sync or strict: UNFENCED does not protect data that sealing protects */
};
struct verdict_rule {
    const char *id; /* stable name for logs and documentation */
    enum verdict verdict;
    const char *sentence; /* for people */
    bool (*applies)(const struct evidence *, const struct verdict_settings *);
};
extern const struct verdict_rule verdict_rules[];
extern const size_t verdict_rules_n;

/* The first rule that applies; never NULL (the last one always does). */
const struct verdict_rule *verdict_judge(const struct evidence *e, const struct verdict_settings *s);
const char *verdict_name(enum verdict v);
/* Would a voter with this verdict promise a takeover?  GONE, RELEASED; UNFENCED where sealing protects the data. */
bool verdict_promises(enum verdict v, enum durability durability);

#endif
