/* links.h: who hears whom, as a member's answer tells it. */
#ifndef PGMESH_INSPECT_LINKS_H
#define PGMESH_INSPECT_LINKS_H

#include "mesh/inspect/output.h"
#include "mesh/inspect/show.h"

enum link_state {
    LINK_UNKNOWN, /* the hearing member is not heard itself */
    LINK_DIRECT,  /* over its own link */
    LINK_RELAYED, /* that link is silent; what the other says comes by way of others */
    LINK_SILENT   /* not at all */
};
struct link {
    enum link_state state;
    bool one_way;     /* DIRECT, and the other does not hear it directly */
    long long rtt_us; /* -1 not measured */
    long long age_ms; /* since it heard the other, -1 never */
};
/* Does `a` hear `b`? */
struct link link_between(const struct view *v, const struct view_member *a, const struct view_member *b);
const char *link_state_name(enum link_state state);
/* Has a process that hears others. */
bool link_counts(const struct view_member *m);

/* The matrix, and a sentence for every link that is not as it should be; how many of those. */
int links_print(struct output *o, const struct view *v);
/* The sentences alone. */
json_t *links_troubles(const struct view *v);

#endif
