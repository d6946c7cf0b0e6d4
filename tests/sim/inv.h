/* inv.h: the invariants of docs/protocol.md, section 16, each in its file, and the lemmas of their proofs. */
#ifndef PGMESH_TESTS_SIM_INV_H
#define PGMESH_TESTS_SIM_INV_H

#include "tests/sim/sim_host.h"

struct decided;
struct world;

void inv_reset(struct world *w);
void inv_i1_leases(struct world *w);
void inv_i2_acked(struct world *w, int primary, lsn_t lsn);
void inv_i2_ready(struct world *w, int i);
void inv_i2_forgive(struct world *w, int i);
void inv_i3_frame(struct world *w, int i, const struct frame *f);
void inv_i3_certificate(struct world *w, int i, const struct certificate *c);
void inv_i3_reformed(struct world *w, const struct certificate *c);
struct decided *inv_i3_entry(struct world *w, struct ballot b);
void inv_i4_promotion(struct world *w, int i, const struct pg_goal *goal);
bool inv_i4_verifies(struct world *w, const struct certificate *c, const char **why);
void inv_i5_takeover(struct world *w, const struct decided *d);
void inv_i5_links(struct world *w);
void inv_i6_alive(struct world *w);
bool inv_i6_recoverable(struct world *w);
void inv_i7_frame(struct world *w, int i, const struct frame *f);
void inv_i8_confirm(struct world *w, int standby, int from, uint64_t term);
void inv_i8_sealed(struct world *w, int i, const struct frame *f);
void inv_i9_ack(struct world *w, int i);
void inv_i10_step(struct world *w, int i, const struct effects *fx);
/* inv_lemmas.c */
void lemma_started(struct world *w, int i);
void lemma_forgets(struct world *w, int i);
void lemma_sent(struct world *w, int i, const struct frame *f);
void lemma_frame(struct world *w, int i, const struct frame *f);
void lemma_waits(struct world *w, int i);
void lemma_heartbeat(struct world *w, int i, const struct heartbeat *h);
void lemma_proposed(struct world *w, int i, struct decided *d);
void lemma_decided(struct world *w, const struct decided *d);
void lemma_setting(struct world *w, int i, const struct sync_set *set, lsn_t lsn);
void lemma_order(struct world *w, int i, uint64_t id);
void lemma_lease(struct world *w, int i, instant until);
void lemma_goal(struct world *w, int i, const struct pg_goal *goal);

#endif
