/* doctor.h: what "pgmesh doctor" finds, gathered from what a member says (doctor.c) and from its own host
 * (doctor_host.c). */
#ifndef PGMESH_INSPECT_DOCTOR_H
#define PGMESH_INSPECT_DOCTOR_H

#include "mesh/inspect/client.h"
#include "mesh/inspect/show.h"
#include "mesh/io/config.h"

enum finding { FINDING_GOOD, FINDING_NOTE, FINDING_WARN, FINDING_BAD };

struct doctor {
    struct inspect *x;
    struct client client;
    json_t *checks; /* {"area", "level", "fact", "hint"} */
    int counts[4];  /* by level */
    bool host;      /* `config` is that of a member on this host */
    struct config config;
    json_t *status; /* NULL: no member answers; else `view` points into it */
    struct view view;
};

/* `hint` may be NULL. */
void doctor_say(struct doctor *d, const char *area, enum finding level, const char *fact, const char *hint);

/* Each takes for granted that d->host. */
void doctor_files(struct doctor *d);
void doctor_disks(struct doctor *d);
void doctor_postgres(struct doctor *d);
/* The judgement alone: `answer` is what PostgreSQL said, {"settings": {...}, "overrides": [...]}. */
void doctor_settings(struct doctor *d, const json_t *answer);

#endif
