/* act.c: the commands that change something: each fills one order. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "mesh/inspect/order.h"

enum { TO_TO };
const struct option_row options_to[] = {
    [TO_TO] = {"to", "MEMBER", "the standby that shall be primary"},
    {NULL, NULL, NULL},
};
enum { FAILOVER_TO, FAILOVER_LOSS, FAILOVER_CLUSTER, FAILOVER_TERM };
const struct option_row options_failover[] = {
    [FAILOVER_TO] = {"to", "MEMBER", "the database that shall be primary"},
    [FAILOVER_LOSS] = {"allow-data-loss", NULL, "even if acknowledged commits may be missing there"},
    [FAILOVER_CLUSTER] = {"cluster", "NAME", "with --allow-data-loss: the cluster's name, typed"},
    [FAILOVER_TERM] = {"term", "N", "with --allow-data-loss: the current term, typed"},
    {NULL, NULL, NULL},
};
enum { REASON_REASON };
const struct option_row options_reason[] = {
    [REASON_REASON] = {"reason", "TEXT", "shown by every status until the pause ends"},
    {NULL, NULL, NULL},
};

static struct order order;

static int refuse(struct order *o, enum exit_code code, const char *fact, const char *detail,
                  const char *hint)
{
    output_fail(&o->x->out, code, fact, detail, hint);
    order_close(o);
    return code;
}

/* What can be seen from here already; the members judge again. */
static int check_takeover(struct order *o, const struct cluster_member *to, const char *what)
{
    const struct view_member *m = view_find(&o->view, to->member.name);
    if (strcmp(o->view.primary, to->member.name) == 0)
        return output_fail(&o->x->out, EXIT_REFUSED, text("cannot %s to %s", what, to->member.name),
                           text("It is the primary of term %llu already.", o->view.term), NULL);
    if (m != NULL && *view_barred(m) != '\0')
        return output_fail(&o->x->out, EXIT_REFUSED, text("cannot %s to %s", what, to->member.name),
                           text("Its pre-flight check says \"%s\", which bars a promotion.", view_barred(m)),
                           "Mend that, or name another member; \"pgmesh members\" shows who is fit.");
    return EXIT_OK;
}

int command_switchover(struct inspect *x)
{
    const char *value, *to = NULL;
    int code = EXIT_OK, option;
    while ((option = args_next(x, &value, &code)) >= 0)
        to = value;
    if (option == ARGS_STOP)
        return code;
    if (option == ARGS_WORD || to == NULL)
        return usage(x, option == ARGS_WORD ? text("unexpected word \"%s\"", value) : "no target is named",
                     "The standby is named with --to MEMBER.");
    if ((code = order_open(&order, x)) != EXIT_OK)
        return code;
    const struct cluster_member *m = order_target(&order, to, true, &code);
    if (m != NULL && *order.view.primary == '\0')
        return refuse(&order, EXIT_NO_PRIMARY, text("cannot switch over to %s", to),
                      "There is no primary to switch from.",
                      text("\"pgmesh failover --to %s\" is for that.", to));
    if (m == NULL || (code = check_takeover(&order, m, "switch over")) != EXIT_OK) {
        order_close(&order);
        return code;
    }
    return order_execute(&order, COMMAND_SWITCHOVER, "switch over to", m->member.id);
}

/* ---- failover ----------------------------------------------------------------------------------------------------- */

struct failover {
    const char *to, *cluster, *term;
    bool loss;
};

static int read_failover(struct inspect *x, struct failover *f)
{
    const char *value;
    int code = EXIT_OK, option;
    while ((option = args_next(x, &value, &code)) >= 0) {
        if (option == FAILOVER_TO)
            f->to = value;
        else if (option == FAILOVER_CLUSTER)
            f->cluster = value;
        else if (option == FAILOVER_TERM)
            f->term = value;
        else
            f->loss = true;
    }
    if (option == ARGS_STOP)
        return code == EXIT_OK ? -1 : code;
    if (option == ARGS_WORD || f->to == NULL)
        return usage(x, option == ARGS_WORD ? text("unexpected word \"%s\"", value) : "no target is named",
                     "The database is named with --to MEMBER.");
    if (f->loss && (f->cluster == NULL || f->term == NULL))
        return usage(
            x, "to allow data loss, cluster and term must be typed",
            "Data loss is final: --cluster NAME and --term N say that this very cluster is meant, as it is now. "
            "\"pgmesh status\" shows both.");
    return EXIT_OK;
}

static int check_typed(struct order *o, const struct failover *f)
{
    char *end;
    if (f->cluster != NULL && strcmp(f->cluster, o->cluster.name) != 0)
        return output_fail(&o->x->out, EXIT_OTHER_CLUSTER,
                           text("this is cluster %s, not %s", o->cluster.name, f->cluster),
                           "Nothing was done.", "Look at \"pgmesh status\" and at --config.");
    if (f->term != NULL && (strtoull(f->term, &end, 10) != o->view.term || *end != '\0'))
        return output_fail(&o->x->out, EXIT_STALE, text("the term is %llu, not %s", o->view.term, f->term),
                           "The primary has changed since, or the number is mistyped. Nothing was done.",
                           "Look at \"pgmesh status\" again before you decide.");
    return EXIT_OK;
}

int command_failover(struct inspect *x)
{
    struct failover f = {0};
    int code = read_failover(x, &f);
    if (code != EXIT_OK)
        return code < 0 ? EXIT_OK : code;
    if ((code = order_open(&order, x)) != EXIT_OK)
        return code;
    const struct cluster_member *m = order_target(&order, f.to, true, &code);
    if (m == NULL || (code = check_typed(&order, &f)) != EXIT_OK ||
        (code = check_takeover(&order, m, "fail over")) != EXIT_OK) {
        order_close(&order);
        return code;
    }
    order.command.allow_data_loss = f.loss;
    return order_execute(&order, COMMAND_FAILOVER, "fail over to", m->member.id);
}

/* ---- the rest ----------------------------------------------------------------------------------------------------- */

int command_pause(struct inspect *x)
{
    const char *value, *reason = "";
    int code = EXIT_OK, option;
    while ((option = args_next(x, &value, &code)) >= 0)
        reason = value;
    if (option == ARGS_STOP)
        return code;
    if (option == ARGS_WORD)
        return usage(x, text("unexpected word \"%s\"", value), "A reason is given with --reason 'TEXT'.");
    if (strlen(reason) >= TEXT_SIZE)
        return usage(x, "the reason is too long",
                     text("It has %zu bytes; %d are kept.", strlen(reason), TEXT_SIZE - 1));
    if ((code = order_open(&order, x)) != EXIT_OK)
        return code;
    snprintf(order.command.why, sizeof order.command.why, "%s", reason);
    return order_execute(&order, COMMAND_PAUSE, "pause", MEMBER_NONE);
}

int command_resume(struct inspect *x)
{
    int code = EXIT_OK;
    if (!args_none(x, &code) || (code = order_open(&order, x)) != EXIT_OK)
        return code;
    return order_execute(&order, COMMAND_RESUME, "resume", MEMBER_NONE);
}

/* readmit MEMBER, reinit MEMBER */
static int command_on_member(struct inspect *x, enum command_kind kind)
{
    const char *value = NULL, *name = NULL;
    int code = EXIT_OK, option;
    while ((option = args_next(x, &value, &code)) == ARGS_WORD && name == NULL)
        name = value;
    if (option == ARGS_STOP)
        return code;
    if (option == ARGS_WORD || name == NULL)
        return usage(x, name == NULL ? "no member is named" : text("unexpected word \"%s\"", value),
                     "One member is named.");
    if ((code = order_open(&order, x)) != EXIT_OK)
        return code;
    const struct cluster_member *m = order_target(&order, name, kind == COMMAND_REINIT, &code);
    if (m != NULL && kind == COMMAND_REINIT && strcmp(order.view.primary, name) == 0)
        return refuse(&order, EXIT_REFUSED, text("cannot clone %s anew", name),
                      "It is the primary: its data are the cluster's.",
                      "Switch over to another database first.");
    if (m == NULL) {
        order_close(&order);
        return code;
    }
    return order_execute(&order, kind, kind == COMMAND_REINIT ? "clone anew" : "readmit", m->member.id);
}

int command_readmit(struct inspect *x)
{
    return command_on_member(x, COMMAND_READMIT);
}

int command_reinit(struct inspect *x)
{
    return command_on_member(x, COMMAND_REINIT);
}
