/* main.c: pgmesh, the mesh inspector and the operator's hand: a table of commands. */
#include "mesh/inspect/inspect.h"
#include "mesh/io/process.h"

#include <string.h>

// clang-format off
const struct command_row commands[] = {
    {"status", "", "the cluster at a glance: primary, lease, members, what if the primary died now",
     "Asks one member and prints what it knows: a headline, a table of the members, and who would take over.\n"
     "Exit code 0: a primary serves; 4: there is none, or this member does not reach a quorum.\n"
     "\n"
     "Example:\n"
     "    pgmesh status --config /etc/pgmesh/node.conf\n"
     "    pgmesh status --output json | jq -r .primary",
     options_none, command_status},
    {"members", "", "each member in detail: addresses, health, readiness to take over, what it reports",
     "The same facts as \"status\", one paragraph for each member, with every address and what bars a promotion.\n"
     "\n"
     "Example:\n"
     "    pgmesh members",
     options_none, command_members},
    {"links", "", "who hears whom: the matrix with round trips, cuts that go one way, paths by way of others",
     "Each row is a member, each column one that it should hear: the round trip over their own link in milliseconds,\n"
     "or what is wrong with it; below, a sentence for each link that is not as it should be. While any path is left\n"
     "between two members heartbeats find it, so a silent link alone changes nothing.\n"
     "\n"
     "Example:\n"
     "    pgmesh links\n"
     "    pgmesh links --output json | jq -r '.troubles[]'",
     options_none, command_links},
    {"ready", "", "if the primary died now: who takes over, how soon, what is at risk, what blocks it",
     "For monitoring, and before any work. Exit code 0: ready; 1: degraded (somebody would take over, but something is\n"
     "not as it should be); 2: not ready (nobody would, by itself); 3: no contact with a member.\n"
     "\n"
     "Example:\n"
     "    pgmesh ready\n"
     "    pgmesh ready --output json | jq -r '.findings[]'",
     options_none, command_ready},
    {"watch", "[--interval SECONDS]", "the status, links and events, live; q quits",
     "Draws the whole terminal anew every second, also after it was resized. Keys: q quits, l and e show and hide links\n"
     "and events. Into a pipe it prints a plain snapshot per interval, with --output json one document a line.\n"
     "\n"
     "Example:\n"
     "    pgmesh watch\n"
     "    pgmesh watch --interval 5 --count 12 > minute.txt",
     options_watch, command_watch},
    {"doctor", "", "checks network, clock, disks, files, PostgreSQL's settings and the layout, with a hint each",
     "What any member tells is checked from anywhere. On a member's host, as root and with its own node.conf, its disks\n"
     "(a write and a flush in a file that has no name), the modes of its secrets, and PostgreSQL's settings (through\n"
     "psql) are checked as well. Nothing is changed. Exit code 1 when there is a warning or worse.\n"
     "\n"
     "Example:\n"
     "    pgmesh doctor --config /etc/pgmesh/db1/node.conf\n"
     "    pgmesh doctor --output json | jq -r '.checks[] | select(.level == \"bad\") | .fact, .hint'",
     options_none, command_doctor},
    {"simulate", "cut SITE... | lose MEMBER...", "what each side would do if a site were cut off or members were lost",
     "Counts quorums, sync sets and candidates by the very rules that the members follow, from what one of them sees\n"
     "now. Nothing is changed. \"cut\" takes members as well: their hosts go on without the network.\n"
     "\n"
     "Example:\n"
     "    pgmesh simulate cut fra\n"
     "    pgmesh simulate lose db1 wit1 --output json | jq -r .writes",
     options_none, command_simulate},
    {"where", "", "where the primary or the replicas are, for scripts",
     "Prints a connection string without user, database and password. The replicas are the standbys that stream and\n"
     "replay within replica_lag_kb, as the asked member knows; their string prefers standbys and takes any of them.\n"
     "Exit code 4, and nothing on standard output, when no primary serves or there is no such replica.\n"
     "\n"
     "Example:\n"
     "    pgmesh where --role replica --format uri\n"
     "    psql \"$(pgmesh where) dbname=orders user=app\"\n"
     "    export $(pgmesh where --format env); pg_dump orders",
     options_where, command_where},
    {"why", "[TERM]", "the dossier of a failover: who agreed, on which evidence, sealed data, times",
     "Prints the certificate by which a term was decided, and verifies it offline against the cluster file: the\n"
     "signatures of those who promised, sealed and accepted, and that they were enough. Without TERM: the last\n"
     "change of primary. Exit code 1 when the certificate does not hold.\n"
     "\n"
     "Example:\n"
     "    pgmesh why          the last one\n"
     "    pgmesh why 7        how term 7 came about\n"
     "    pgmesh why --certificate FILE --cluster-file cluster     one that somebody sent, without any member\n"
     "    pgmesh why --from why.json --cluster-file cluster        a saved answer",
     options_why, command_why},
    {"why-not", "[--since TIME]", "the takeovers that were considered and refused: who answered what",
     "Each database notes when it would have taken over and a quorum did not agree, when it asked and was refused,\n"
     "when a pause held it back, and when too few standbys were there to prove that no commit is lost. So ask a\n"
     "database; each has a journal of its own.\n"
     "\n"
     "Example:\n"
     "    pgmesh why-not --since 12h\n"
     "    pgmesh why-not --control /etc/pgmesh/db2/state/control.sock",
     options_why_not, command_why_not},
    {"history", "", "the terms so far: when, who, why, how soon it was ready",
     "One row for each change of primary that the member's journal holds.\n"
     "\n"
     "Example:\n"
     "    pgmesh history --output json",
     options_none, command_history},
    {"switchover", "--to MEMBER", "make a standby the primary, as planned, without losing anything",
     "The primary stops cleanly once the standby has all its WAL, and the standby takes over; clients see writes wait\n"
     "for a fraction of a second. Refused, with the reason, when the standby does not qualify. Needs the operator's\n"
     "key (pgmesh.conf names it).\n"
     "\n"
     "Example:\n"
     "    pgmesh switchover --to db2",
     options_to, command_switchover},
    {"drill", "[--to MEMBER]", "a planned switchover and back, with the outage as applications saw it",
     "For a monthly timer: proves that the other host can serve, and that the way back works. It begins only when\n"
     "\"pgmesh ready\" says ready, waits after each leg until it says so again, and ends where it stands when that takes\n"
     "too long (exit code 1). The observers measure; --output json keeps the figures. Needs the operator's key.\n"
     "\n"
     "Example:\n"
     "    pgmesh drill\n"
     "    pgmesh drill --to db3 --output json >> /var/log/pgmesh-drills.json",
     options_drill, command_drill},
    {"failover", "--to MEMBER", "make a standby the primary when there is none",
     "For what the mesh does not do by itself: while paused, or with data at risk. The votes of a quorum are needed all\n"
     "the same. With --allow-data-loss it goes on without the seals that would prove that no acknowledged commit is\n"
     "missing; then the cluster's name and the current term must be typed, as \"pgmesh status\" shows them.\n"
     "\n"
     "Example:\n"
     "    pgmesh failover --to db2\n"
     "    pgmesh failover --to db3 --allow-data-loss --cluster orders --term 7",
     options_failover, command_failover},
    {"pause", "[--reason TEXT]", "no automatic failover until \"resume\"; lease and fencing go on",
     "For maintenance. The reason is kept in the record and shown by every \"status\".\n"
     "\n"
     "Example:\n"
     "    pgmesh pause --reason 'network works, back at 14:00'",
     options_reason, command_pause},
    {"resume", "", "automatic failover again",
     "Ends a pause.\n"
     "\n"
     "Example:\n"
     "    pgmesh resume",
     options_none, command_resume},
    {"readmit", "MEMBER", "let a voter that lost its votes (its store) vote again",
     "A voter whose store is lost or rolled back does not vote, for it may have promised what it no longer knows.\n"
     "Readmitting gives it a new epoch; do it when its disk is as it shall stay.\n"
     "\n"
     "Example:\n"
     "    pgmesh readmit wit1",
     options_none, command_readmit},
    {"reinit", "MEMBER", "clone a standby anew from the primary",
     "The standby's data directory is put aside and copied again. Never the primary's.\n"
     "\n"
     "Example:\n"
     "    pgmesh reinit db3",
     options_none, command_reinit},
    {"durability", "async|sync|strict", "whether a commit waits for standbys, from now on",
     "sync: a standby confirms each commit, as long as there is one. strict: writes wait for one. async: none confirms.\n"
     "Towards more safety the answer comes when it is true: PostgreSQL waits for a set of standbys that have caught up.\n"
     "\n"
     "Example:\n"
     "    pgmesh durability strict",
     options_none, command_durability},
    {"member", "add SPEC | invite SPEC | vote MEMBER on|off | rotate MEMBER | renew MEMBER | remove MEMBER",
     "who belongs to the cluster and who votes: one change at a time",
     "\"add\" makes key, certificate and a ready folder as \"init\" does, and tells all members. SPEC is that of \"init\":\n"
     "NAME,ROLE,SITE,ADDRESS[,...]. A database gets its place at once: started, it copies its data from the primary and\n"
     "follows.\n"
     "\n"
     "\"invite\" makes the same, and leaves the folder with the member that is asked, closed by a token that is shown once.\n"
     "The new host fetches it there, by way of pgmesh-http: \"pgmesh join --from URL\". A token is used up by that, and ends\n"
     "after --valid. --list shows who is invited at the member and who has come, --withdraw takes one back.\n"
     "\n"
     "\"vote\" gives a database or witness a vote, or takes it; the others go on deciding by majority (or by sites).\n"
     "\"remove\" takes a member's vote and, of a database, its place: it leaves the sync set first, then the record, and\n"
     "stops its PostgreSQL. Refused: the primary, and whatever would leave too few voters that answer.\n"
     "\n"
     "With the root key its certificate is revoked as well: no member takes its key any more.\n"
     "\n"
     "\"rotate\" gives a member another key, while it serves: the member makes it itself, the root key signs it, and both are\n"
     "good until every voter has heard; then the former one is refused. Ask the member on its own host; where the root key\n"
     "is elsewhere, --request writes a file there, and --sign takes it here. \"renew\" makes a new certificate for the key\n"
     "that it has.\n"
     "\n"
     "Example:\n"
     "    pgmesh member add db4,database,fra,10.0.1.4:7400 --root-key root.key --like /etc/pgmesh/db1 --out db4\n"
     "    pgmesh member invite wit3,witness,lux,10.0.3.3:7400 --root-key root.key --valid 2h\n"
     "    pgmesh member vote wit3 on\n"
     "    pgmesh member rotate db1 --root-key root.key\n"
     "    pgmesh member remove db3 --root-key root.key",
     options_member, command_member},
    {"recover", "--root-key FILE", "new voters, when a majority of the old ones is lost for good",
     "Asks one member that is left, shows who is left, what their stores and databases hold, whether acknowledged\n"
     "commits may be missing, and who must certainly be dead; asks for the cluster's name; then the root key's word makes\n"
     "those left the voters, and a takeover follows by itself. Lost voters that come back have no vote, and their data is\n"
     "rewound. Refused while a majority is heard. \"docs/runbooks/lost-majority.md\" goes through it.\n"
     "\n"
     "A voter that is cut off and goes on looks as one that is lost: pgmesh cannot tell. Cut the power of those first.\n"
     "\n"
     "Example:\n"
     "    pgmesh recover --dry-run --config /etc/pgmesh/db3/node.conf\n"
     "    pgmesh recover --root-key root.key --config /etc/pgmesh/db3/node.conf\n"
     "    pgmesh recover --root-key root.key --confirm orders --fenced db1,wit1,wit2 --output json",
     options_recover, command_recover},
    {"join", "--from URL | --key FILE --request FILE | --key FILE --folder FOLDER",
     "on a new host: fetches its folder by a token; or makes its key, which never leaves",
     "With --from, fetches the folder that \"pgmesh member invite\" left with a member, from pgmesh-http on that member's host.\n"
     "The token is asked for, or read from --token-file: it alone opens what comes, so the URL may be http. The folder is\n"
     "checked against the cluster's root key, which the token names, and is there in full or not at all. Wants curl.\n"
     "\n"
     "With --request, makes a key in --key FILE and writes what it asks for, which is no secret. Where the root key is,\n"
     "\"pgmesh member add SPEC --sign REQUEST\" certifies it and makes a folder without any secret in it. With --folder, here\n"
     "again, the folder and the key come together: the certificate must be for this very key, and PostgreSQL's passwords are\n"
     "opened by it. Compare the root key's fingerprint that both print.\n"
     "\n"
     "Example:\n"
     "    pgmesh join --from http://10.0.1.1:8008\n"
     "    pgmesh join --key db4.key --request db4.request\n"
     "    pgmesh join --key db4.key --folder db4",
     options_join, command_join},
    {"root", "rotate | passphrase", "another root key for the cluster, another passphrase for its file",
     "The root key signs who belongs to the cluster. Keep it offline, under a passphrase. \"passphrase\" changes that, or adds\n"
     "one; no member is asked.\n"
     "\n"
     "\"rotate\" makes a new root key in --new FILE; the present one signs it, and the new one signs anew whatever stands. All\n"
     "members take it at once, those that are away when they come back. From then on what the former one signs is\n"
     "refused. Needs the operator's key.\n"
     "\n"
     "Example:\n"
     "    pgmesh root passphrase --root-key root.key\n"
     "    pgmesh root rotate --root-key root.key --new root-2027.key",
     options_root, command_root},
    {"operator", "list | key --out FILE | passphrase | add NAME | remove NAME | two-persons auto|on|off", "who may order what: viewers, operators, admins",
     "Each person has a key of their own. \"key\" makes one under a passphrase and prints its public part; \"passphrase\" gives\n"
     "the file of one another passphrase; \"add\" certifies it\n"
     "with the root key and tells all members; \"remove\" revokes it, for good. A viewer orders nothing; an operator orders\n"
     "switchover, drill, pause, resume, reinit, and failover without loss; an admin everything.\n"
     "\n"
     "From the second admin on, orders that destroy (failover --allow-data-loss, member remove, durability async) take two:\n"
     "they wait until another admin approves them (\"pgmesh approve\"), ten minutes at most. \"two-persons\" says always or\n"
     "never instead (auto: as said).\n"
     "\n"
     "Example:\n"
     "    pgmesh operator key --out ~/.config/pgmesh/operator.key\n"
     "    pgmesh operator passphrase --key orders/operator/operator.key\n"
     "    pgmesh operator add anna --role admin --public HEX --root-key root.key\n"
     "    pgmesh operator add bert --role operator --out bert.key --root-key root.key --valid 365\n"
     "    pgmesh operator remove bert --root-key root.key",
     options_operator, command_operator},
    {"pending", "", "the orders that wait for a second person",
     "Every member knows them. An order is forgotten after ten minutes, and when the record changes meanwhile.\n"
     "\n"
     "Example:\n"
     "    pgmesh pending",
     options_none, command_pending},
    {"approve", "NUMBER", "sign another admin's order as the second person",
     "The order is shown as its first signature covers it, signed with your key, and carried out. The beginning of the number\n"
     "will do. Both names are in the journal.\n"
     "\n"
     "Example:\n"
     "    pgmesh approve 5f3a --key ~/.config/pgmesh/operator.key",
     options_none, command_approve},
    {"init", "--cluster NAME --out FOLDER --member SPEC ...", "make keys, certificates and one ready folder per member",
     "Makes FOLDER with a folder for each member (copy it to its host; \"pgmesh-node --config FOLDER/node.conf\" or\n"
     "\"pgmesh-witness\" is then all there is to start), the operator's folder, and the cluster's root key. Root key and\n"
     "operator's key are closed by a passphrase: it is asked for at the terminal, twice, or read from --passphrase-file. Only\n"
     "--open-root-key leaves both to the modes of their files, --open-operator-key the operator's.\n"
     "\n"
     "A member is NAME,ROLE,SITE,ADDRESS[,ADDRESS...][,pg=HOST:PORT][,data=FOLDER][,OPTION=VALUE...]. ROLE: database,\n"
     "witness (votes, holds no data) or observer (an application host). ADDRESS: HOST:PORT at which the others reach it.\n"
     "OPTION: any option of node.conf, see \"pgmesh config sample\"; a VALUE with commas stands in '...'.\n"
     "\n"
     "Example:\n"
     "    pgmesh init --cluster orders --out orders \\\n"
     "        --member db1,database,fra,10.0.1.1:7400 --member db2,database,ams,10.0.2.1:7400 \\\n"
     "        --member wit1,witness,lux,10.0.3.1:7400",
     options_init, command_init},
    {"config", "check FILE... | show FILE | sample", "check configuration files, show what is in force, print a sample",
     "\"check\" reads node.conf files as the daemons would (with cluster file and keys) and complains with file and\n"
     "line. It explains settings of other programs and of older PostgreSQL, and finds them in a postgresql.conf,\n"
     "recovery.conf, repmgr.conf or patroni.yml as well. \"show\" prints every option as it is in force, \"sample\" each with\n"
     "its default.\n"
     "\n"
     "Example:\n"
     "    pgmesh config check orders/*/node.conf /etc/patroni/patroni.yml\n"
     "    pgmesh config show /etc/pgmesh/node.conf\n"
     "    pgmesh config sample > node.conf",
     options_none, command_config},
    {"completion", "bash | zsh", "completion of commands, options and members for the shell",
     "Prints a script for the shell, made from this program's own table of commands. Names of members are asked of the\n"
     "member that the configuration names.\n"
     "\n"
     "Example:\n"
     "    pgmesh completion bash > /etc/bash_completion.d/pgmesh\n"
     "    . <(pgmesh completion bash)",
     options_none, command_completion},
};
// clang-format on
enum { COMMANDS = sizeof commands / sizeof *commands };
const int commands_n = COMMANDS;

static int help(struct inspect *x)
{
    struct output *o = &x->out;
    output_text(o, 0,
                "pgmesh inspects and commands a mesh of PostgreSQL servers, by way of one of its members.");
    output_blank(o);
    output_text(o, 0, "usage: pgmesh COMMAND [OPTIONS]");
    for (int i = 0; i < COMMANDS; i++)
        output_text(o, 14, "  %-11s %s", commands[i].name, commands[i].summary);
    output_blank(o);
    output_text(
        o, 0,
        "\"pgmesh COMMAND --help\" explains each, with an example; \"pgmesh --version\" prints the version. "
        "The member is found by --control SOCKET, "
        "--config FILE, $PGMESH_CONFIG or /etc/pgmesh/pgmesh.conf.");
    output_text(
        o, 0,
        "Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 no contact with a member, "
        "4 no primary or no quorum, 5 no permission, 6 unknown or ambiguous name, 7 another cluster, "
        "8 what it rested on has changed, 9 it waits for a second person. \"ready\" has its own: 0 ready, 1 degraded, 2 not ready.");
    return EXIT_OK;
}

static const struct command_row *command_find(const char *name)
{
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

/* What scripts, patronictl, repmgr and pg_autoctl call it. */
static const char *elsewhere(const char *name)
{
    static const struct {
        const char *word, *command;
    } words[] = {{"list", "status"},        {"show", "status"},      {"cluster", "status"},
                 {"topology", "links"},     {"check", "ready"},      {"health", "ready"},
                 {"monitor", "watch"},      {"promote", "failover"}, {"standby", "failover"},
                 {"perform", "switchover"}, {"validate", "config"},  {"show-config", "config"},
                 {"edit-config", "config"}, {"dsn", "where"},        {"events", "why-not"},
                 {"test", "drill"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i].word, name) == 0)
            return words[i].command;
    return NULL;
}

static int unknown_command(struct inspect *x, const char *name)
{
    const char *names[COMMANDS], *near = elsewhere(name);
    if (near != NULL)
        return usage(x, text("unknown command \"%s\"", name), text("Here it is called \"%s\".", near));
    for (int i = 0; i < COMMANDS; i++)
        names[i] = commands[i].name;
    near = text_nearest(name, names, COMMANDS);
    return usage(x, text("unknown command \"%s\"", name),
                 near == NULL ? NULL : text("Perhaps \"%s\" was meant.", near));
}

/* A complaint about the first argument already comes in the form that the last one asks for. */
static bool wants_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--output=json") == 0 ||
            (i + 1 < argc && strcmp(argv[i + 1], "json") == 0 &&
             (strcmp(argv[i], "--output") == 0 || strcmp(argv[i], "-o") == 0)))
            return true;
    return false;
}

static int run(int argc, char **argv)
{
    static char option[] = "--help";
    struct inspect x = {.argc = argc, .argv = argv, .at = 1};
    int code = EXIT_OK;
    output_begin(&x.out, stdout, stderr);
    x.out.json = wants_json(argc, argv);
    while (x.at < argc && argv[x.at][0] == '-') {
        if (strcmp(argv[x.at], "--version") == 0) {
            output_text(&x.out, 0, "pgmesh %s", PGMESH_VERSION);
            return EXIT_OK;
        }
        if (!args_common(&x, &code))
            return code;
        if (strcmp(argv[x.at - 1], "--help") == 0)
            return help(&x);
    }
    if (x.at < argc && strcmp(argv[x.at], "help") == 0 && x.at + 1 < argc) {
        argv[x.at] = argv[x.at + 1];
        argv[x.at + 1] = option;
    }
    if (x.at >= argc || strcmp(argv[x.at], "help") == 0) {
        help(&x);
        return x.at >= argc ? EXIT_USAGE : EXIT_OK;
    }
    const struct command_row *command = command_find(argv[x.at]);
    if (command == NULL)
        return unknown_command(&x, argv[x.at]);
    x.command = command;
    x.at++;
    return command->run(&x);
}

int main(int argc, char **argv)
{
    process_begin();
    process_no_core();
    return process_end("pgmesh", run(argc, argv));
}
