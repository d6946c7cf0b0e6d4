/* What Prometheus reads, out of a member's status. */
// LINK: mesh/http/metrics.c mesh/http/failover.c mesh/http/health.c mesh/http/watch.c
#include "mesh/http/metrics.h"
#include "mesh/io/json.h"
#include "tests/unit/suite.h"

#include <stdlib.h>
#include <string.h>

/* In place of snapshot.c, which asks a member over its socket: the status is of this moment. */
int64_t snapshot_age_ms(const struct snapshot *s, instant now)
{
    (void)s, (void)now;
    return 0;
}
int64_t snapshot_lease_left_ms(const struct snapshot *s, instant now)
{
    (void)s, (void)now;
    return 0;
}

/* The page of a member with that in its status, to be freed. */
static char *page_with(const char *key, const char *value)
{
    static struct cluster cluster = {.name = "orders"};
    static struct config config = {.member = "db2"};
    static struct http h = {.cluster = &cluster, .config = &config};
    struct request q = {.now = instant_never()};
    struct reply out = {0};
    json_t *status =
        json_pack("{s:s, s:s, s:o}", "cluster", "orders", "self", "db2", key, json_loads(value, 0, NULL));
    h.snapshot.status = status;
    view_read(&h.snapshot.view, status);
    metrics_answer(&h, &q, NULL, &out);
    json_decref(status);
    return out.own;
}

static char *page_of(const char *counters)
{
    return page_with("counters", counters);
}

#define OF_DB2(name, reason) "\n" name "{cluster=\"orders\",member=\"db2\",reason=\"" reason "\"} "
#define FRAMES               "pgmesh_frames_refused_total"
#define VOTES                "pgmesh_votes_refused_total"

static const struct row {
    const char *name, *counters, *there, *not_there;
} rows[] = {
    {"a frame that was refused", "{\"rejected\": {\"stale\": 5}}", OF_DB2(FRAMES, "stale") "5\n",
     OF_DB2(VOTES, "stale")},
    {"a vote that was refused", "{\"votes_refused\": {\"grant_runs\": 2}}", OF_DB2(VOTES, "grant_runs") "2\n",
     OF_DB2(FRAMES, "grant_runs")},
    {"another one", "{\"votes_refused\": {\"grant_runs\": 2, \"verdict\": 7}}",
     OF_DB2(VOTES, "verdict") "7\n", OF_DB2(FRAMES, "verdict")},
    {"none", "{\"votes_refused\": {}}", "\n# TYPE " VOTES " counter\n", "\n" VOTES "{"},
    {"a member that tells of none", "{}", "\n# TYPE " VOTES " counter\n", "\n" VOTES "{"},
};

START_TEST(what_was_refused_is_told_by_reason)
{
    const struct row *row = &rows[_i];
    char *page = page_of(row->counters);
    EXPECT(strstr(page, row->there) != NULL, row);
    EXPECT(strstr(page, row->not_there) == NULL, row);
    free(page);
}
END_TEST

START_TEST(goals_that_failed_are_counted)
{
    char *page = page_with("server", "{\"goal_failures\": 7}");
    ck_assert(strstr(page, "\npgmesh_goal_failures_total{cluster=\"orders\",member=\"db2\"} 7\n") != NULL);
    free(page);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("metrics");
    TCase *t = suite_case(s, "metrics");
    tcase_add_loop_test(t, what_was_refused_is_told_by_reason, 0, ROWS(rows));
    tcase_add_test(t, goals_that_failed_are_counted);
    return suite_run(s);
}
