/* What a member's status says of its core: the votes that it refused. */
// LINK: tests/unit/rig.c tests/unit/rig_word.c
#include "mesh/io/status.h"
#include "tests/unit/rig.h"
#include "tests/unit/suite.h"

#include <jansson.h>

static json_t *counter_of(const struct rig *r, const char *name)
{
    static struct cluster cluster = {.name = "orders"};
    const struct status_view v = {.cluster = &cluster, .core = r->core, .now = r->core->now};
    json_t *status = status_json(&v), *counter = json_object_get(json_object_get(status, "counters"), name);
    json_incref(counter);
    json_decref(status);
    return counter;
}

START_TEST(no_vote_was_refused)
{
    json_t *told = counter_of(rig_running(DB2), "votes_refused");
    ck_assert(json_is_object(told) && json_object_size(told) == 0);
    json_decref(told);
}
END_TEST

/* One PREPARE, one ACCEPT and one SEAL below what db2 has promised and sealed for; another SEAL below the decided record. */
START_TEST(votes_refused_are_counted_by_reason)
{
    struct rig *r = rig_running(DB2);
    rig_silence(r);
    r->core->disk.promised = r->core->disk.sealed_for = rig_ballot(50, DB3);
    rig_prepare(r, DB3, 20, true);
    rig_accept(r, rig_takeover(r, 20, DB3));
    rig_seal(r, DB3, 20);
    r->core->disk.sealed_for = (struct ballot){0};
    rig_seal(r, DB3, 1);
    json_t *told = counter_of(r, "votes_refused");
    json_t *wanted = json_pack("{s:i, s:i}", "newer_ballot", 3, "no_record", 1);
    ck_assert_msg(json_equal(told, wanted), "%s", json_dumps(told, 0));
    json_decref(wanted);
    json_decref(told);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("status");
    TCase *t = suite_case(s, "status");
    tcase_add_test(t, no_vote_was_refused);
    tcase_add_test(t, votes_refused_are_counted_by_reason);
    return suite_run(s);
}
