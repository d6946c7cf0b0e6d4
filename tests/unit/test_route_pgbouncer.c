/* The file that PgBouncer includes, and the options that belong to it. */
// LINK: node/route_pgbouncer.c
// LINK: node/pg_pooler.c
// LINK: node/pg_link.c
#include "node/pg_pooler.h"
#include "node/route_pgbouncer.h"
#include "tests/unit/suite.h"

#include <string.h>

static const struct hand_member members[] = {{.id = 1, .name = "db1", .pg = {"10.0.1.1", 5432}},
                                             {.id = 2, .name = "db2", .pg = {"10.0.2.1", 5432}},
                                             {.id = 3, .name = "db3", .pg = {"fd00::3", 5432}},
                                             {.id = 4, .name = "db4", .pg = {"10.0.4.1", 5499}}};
static const char names[][64] = {"orders", "stock"};
#define HEAD "; Written by pgmesh with every change of route; do not edit.\n[databases]\n"

static const struct text_row {
    const char *name;
    struct routing route;
    int n_names;
    const char *text;
} text_rows[] = {
    {"readers go to the replicas",
     {.term = 7, .primary = 1, .n_replicas = 2, .replicas = {2, 3}},
     1,
     "; pgmesh: term 7, primary db1\n" HEAD "orders = host=10.0.1.1 port=5432 dbname=orders\n"
     "orders_ro = host=10.0.2.1,fd00::3 port=5432 dbname=orders\n"},
    {"without one, to the primary",
     {.term = 8, .primary = 2},
     1,
     "; pgmesh: term 8, primary db2\n" HEAD "orders = host=10.0.2.1 port=5432 dbname=orders\n"
     "orders_ro = host=10.0.2.1 port=5432 dbname=orders\n"},
    {"an entry has one port; the primary is no replica of itself",
     {.term = 8, .primary = 2, .n_replicas = 3, .replicas = {2, 3, 4}},
     1,
     "; pgmesh: term 8, primary db2\n" HEAD "orders = host=10.0.2.1 port=5432 dbname=orders\n"
     "orders_ro = host=fd00::3 port=5432 dbname=orders\n"},
    {"several databases",
     {.term = 1, .primary = 4},
     2,
     "; pgmesh: term 1, primary db4\n" HEAD "orders = host=10.0.4.1 port=5499 dbname=orders\n"
     "orders_ro = host=10.0.4.1 port=5499 dbname=orders\nstock = host=10.0.4.1 port=5499 dbname=stock\n"
     "stock_ro = host=10.0.4.1 port=5499 dbname=stock\n"},
    {"a primary without an address", {.term = 1, .primary = 9}, 1, ""},
};

START_TEST(texts)
{
    const struct text_row *row = &text_rows[_i];
    char out[ROUTE_PGBOUNCER_SIZE] = "";
    size_t n = route_pgbouncer_text(out, &row->route, members, 4, names, row->n_names);
    EXPECT_INT(n, strlen(row->text), row);
    EXPECT_TEXT(out, row->text, row);
    EXPECT_INT(route_pgbouncer_term(out), n ? row->route.term : 0, row);
}
END_TEST

START_TEST(terms)
{
    ck_assert_uint_eq(route_pgbouncer_term(""), 0);
    ck_assert_uint_eq(route_pgbouncer_term("[databases]\n"), 0);
    ck_assert_uint_eq(route_pgbouncer_term("; pgmesh: term x"), 0);
    ck_assert_uint_eq(route_pgbouncer_term("; pgmesh: term 18446744073709551615, primary a"), UINT64_MAX);
}
END_TEST

static const struct names_row {
    const char *name, *list;
    int n; /* -1: refused */
} names_rows[] = {
    {"one", "orders", 1},
    {"three, with blanks", "orders, stock ,Log_2", 3},
    {"none", "", -1},
    {"a comma too many", "orders,", -1},
    {"a quote", "orders\"; KILL \"", -1},
    {"a dash", "my-db", -1},
    {"two words", "orders stock", -1},
    {"as many as there may be", "a,b,c,d,e,f,g,h", 8},
    {"one more", "a,b,c,d,e,f,g,h,i", -1},
};

START_TEST(names_of_databases)
{
    const struct names_row *row = &names_rows[_i];
    struct pg_pooler p;
    struct problem why = {0};
    EXPECT_INT(pg_pooler_names(&p, row->list, &why), row->n >= 0, row);
    if (row->n >= 0)
        EXPECT_INT(p.n, row->n, row);
    else
        EXPECT(strstr(why.fact, "route_pgbouncer_databases") != NULL, row);
}
END_TEST

static const struct host_row {
    const char *name, *addr, *host;
    bool same;
} host_rows[] = {
    {"as written", "10.0.1.1", "10.0.1.1", true},
    {"another", "10.0.1.1", "10.0.2.1", false},
    {"IPv6 written at length", "fd00::3", "fd00:0:0:0:0:0:0:3", true},
    {"another IPv6", "fd00::3", "fd00::4", false},
    {"a name", "127.0.0.1", "localhost", true},
    {"a name of another", "10.0.1.1", "localhost", false},
};

START_TEST(addresses_of_a_host)
{
    const struct host_row *row = &host_rows[_i];
    EXPECT_INT(pg_pooler_same_host(row->addr, row->host), row->same, row);
}
END_TEST

START_TEST(options_belong_together)
{
    static struct config c;
    struct problem why = {0};
    config_default(&c);
    ck_assert(route_pgbouncer_check(&c, &why));
    strcpy(c.route_pgbouncer, "host=127.0.0.1");
    ck_assert(!route_pgbouncer_check(&c, &why));
    strcpy(c.route_pgbouncer_file, "/tmp/x");
    strcpy(c.route_pgbouncer_databases, "orders");
    ck_assert(route_pgbouncer_check(&c, &why));
    strcpy(c.route_pgbouncer_databases, "or ders");
    ck_assert(!route_pgbouncer_check(&c, &why));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("route_pgbouncer");
    TCase *tcase = suite_case(suite, "file");
    tcase_add_loop_test(tcase, texts, 0, ROWS(text_rows));
    tcase_add_test(tcase, terms);
    tcase = suite_case(suite, "options");
    tcase_add_loop_test(tcase, names_of_databases, 0, ROWS(names_rows));
    tcase_add_loop_test(tcase, addresses_of_a_host, 0, ROWS(host_rows));
    tcase_add_test(tcase, options_belong_together);
    return suite_run(suite);
}
