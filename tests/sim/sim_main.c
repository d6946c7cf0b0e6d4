/* sim_main.c: runs seeds, alone or by the million, and tells of those that break an invariant.
 *
 * A failing seed is run a second time with narration on; both runs must have the same digest, or the simulator itself
 * is broken (a choice that does not come from the seed). */
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/sim.h"

enum mutant mutant_active = MUTANT_NONE;

static struct world world; /* large, and used again for every seed */

static const struct {
    const char *name, *invariant, *sentence;
} mutants[] = {
#define X(name, invariant, sentence) {#name, invariant, sentence},
    MUTANT_LIST(X)
#undef X
};

struct options {
    uint64_t first, seeds;
    double budget;
    int jobs, fails_max;
    bool trace, one, json, update, self_test;
    const char *scenario, *scenarios;
};

struct totals {
    uint64_t seeds, events, acks, takeovers, promotions, failures, two_leases, early_votes;
    double simulated;
    uint64_t by[11]; /* failures by invariant, 0: others */
};

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A failed assertion of the core is a violation like another: glibc's assert() calls this. */
void __assert_fail(const char *expression, const char *file, unsigned line, const char *function);
_Noreturn void __assert_fail(const char *expression, const char *file, unsigned line, const char *function)
{
    violate(&world, "assert", "%s:%u: %s: %s", file, line, function, expression);
}

static void died(int sig)
{
    char text[100];
    int n = snprintf(text, sizeof text, "seed %llu died of signal %d\n", (unsigned long long)world.seed, sig);
    if (write(2, text, (size_t)n) < 0)
        _exit(3);
    _exit(3);
}

/* ---- telling ------------------------------------------------------------------------------------------------------------ */

static void print_last_lines(char *text, size_t n, int lines)
{
    size_t at = n;
    while (at > 0 && lines >= 0)
        if (text[--at] == '\n')
            lines--;
    fwrite(text + at, 1, n - at, stdout);
}

/* The option that brings these faults back. */
static const char *faults_option(char *text, size_t size)
{
    int n = 0;
    text[0] = '\0';
    if (world.drift_ppm)
        n = snprintf(text, size, " --drift %d", world.drift_ppm);
    if (mutant_active)
        snprintf(text + n, size - (size_t)n, " --mutant %s", mutants[mutant_active].name);
    else if (world.bias)
        snprintf(text + n, size - (size_t)n, " --bias %s", mutants[world.bias->mutant].name);
    return text;
}

static void tell_failure(void)
{
    uint64_t seed = world.seed, digest = world.digest;
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    printf("seed %llu invariant %s: %s\n", (unsigned long long)seed, world.invariant, world.sentence);
    if (!out)
        return;
    world_run(&world, seed, true, out);
    fclose(out);
    print_last_lines(text, n, 60);
    free(text);
    char how[80];
    printf("replay: sim%s --seed %llu --trace\n", faults_option(how, sizeof how), (unsigned long long)seed);
    if (world.digest != digest)
        printf("the replay differs: the simulator is not deterministic\n");
    fflush(stdout);
}

static void tell_totals(const struct options *o, const struct totals *t, double took)
{
    if (o->json) {
        printf(
            "{\"seeds\":%llu,\"failures\":%llu,\"seconds\":%.1f,\"events\":%llu,\"simulated_s\":%.0f,\"acks\":%llu,\"takeovers\":%llu,"
            "\"mutant\":\"%s\"}\n",
            (unsigned long long)t->seeds, (unsigned long long)t->failures, took,
            (unsigned long long)t->events, t->simulated, (unsigned long long)t->acks,
            (unsigned long long)t->takeovers, mutants[mutant_active].name);
        return;
    }
    printf(
        "%llu seeds, %llu failed, %.1f s, %.0f seeds/s, %.0f s simulated, %llu events, %llu commits acknowledged, %llu takeovers\n",
        (unsigned long long)t->seeds, (unsigned long long)t->failures, took,
        (double)t->seeds / (took > 0 ? took : 1), t->simulated, (unsigned long long)t->events,
        (unsigned long long)t->acks, (unsigned long long)t->takeovers);
    if (world.drift_ppm)
        printf("  a voter before the end of its grant in %llu seeds, two leases at one instant in %llu\n",
               (unsigned long long)t->early_votes, (unsigned long long)t->two_leases);
    for (int i = 0; i < 11; i++)
        if (t->by[i] && i)
            printf("  I%d: %llu\n", i, (unsigned long long)t->by[i]);
        else if (t->by[i])
            printf("  lemmas and others: %llu\n", (unsigned long long)t->by[i]);
    printf("%s seeds (%llu from %llu on, %llu failed)\n", t->failures ? "not ok" : "ok",
           (unsigned long long)t->seeds, (unsigned long long)o->first, (unsigned long long)t->failures);
}

/* ---- running ------------------------------------------------------------------------------------------------------------ */

static void count(struct totals *t)
{
    t->seeds++;
    t->events += world.steps;
    t->acks += world.acks;
    t->takeovers += world.takeovers;
    t->promotions += world.promotions;
    t->two_leases += world.two_leases;
    t->early_votes += world.early_votes;
    t->simulated += (double)world.now / 1e9;
    if (!world.failed)
        return;
    t->failures++;
    int which = world.invariant[0] == 'I' ? atoi(world.invariant + 1) : 0;
    t->by[which >= 0 && which <= 10 ? which : 0]++;
}

static void run_seeds(const struct options *o, uint64_t from, uint64_t step, struct totals *t)
{
    double end = seconds_now() + (o->budget > 0 ? o->budget : 1e12);
    for (uint64_t s = from; s < o->seeds; s += step) {
        if ((s / step) % 16 == 0 && seconds_now() > end)
            break;
        world_run(&world, o->first + s, false, NULL);
        count(t);
        if (!world.failed)
            continue;
        if ((int)t->failures <= o->fails_max)
            tell_failure();
        if ((int)t->failures >= o->fails_max)
            break;
    }
}

static void run_jobs(const struct options *o, struct totals *sum)
{
    int pipes[2];
    if (pipe(pipes))
        exit(2);
    for (int j = 0; j < o->jobs; j++) {
        if (fork())
            continue;
        struct totals t = {0};
        run_seeds(o, (uint64_t)j, (uint64_t)o->jobs, &t);
        fflush(stdout);
        if (write(pipes[1], &t, sizeof t) != sizeof t)
            _exit(2);
        _exit(0);
    }
    close(pipes[1]);
    for (struct totals t; read(pipes[0], &t, sizeof t) == sizeof t;) {
        sum->seeds += t.seeds;
        sum->events += t.events;
        sum->acks += t.acks;
        sum->takeovers += t.takeovers;
        sum->simulated += t.simulated;
        sum->failures += t.failures;
        sum->two_leases += t.two_leases;
        sum->early_votes += t.early_votes;
        for (int i = 0; i < 11; i++)
            sum->by[i] += t.by[i];
    }
    for (int status; wait(&status) > 0;)
        if (!WIFEXITED(status) || WEXITSTATUS(status))
            sum->failures++;
}

/* One seed, told in full; run twice and compared. */
static int run_one(const struct options *o)
{
    world_run(&world, o->first, o->trace, stdout);
    uint64_t digest = world.digest;
    bool failed = world.failed;
    if (failed && !o->trace)
        tell_failure();
    world_run(&world, o->first, false, NULL);
    printf("seed %llu: %s, digest %016llx%s, %llu events, %.3f s simulated\n", (unsigned long long)o->first,
           failed ? world.invariant : "clean", (unsigned long long)digest,
           world.digest == digest ? "" : " AND ANOTHER ONE THE SECOND TIME", (unsigned long long)world.steps,
           (double)world.now / 1e9);
    return failed || world.digest != digest ? 1 : 0;
}

/* A history is a function of its seed: told or not, run before or after others, it is the same. */
static int self_test(const struct options *o)
{
    enum { MANY = 60 };
    static uint64_t digests[MANY];
    int failed = 0;
    for (uint64_t s = 0; s < MANY; s++) {
        world_run(&world, o->first + s, false, NULL);
        digests[s] = world.digest;
    }
    FILE *nowhere = fopen("/dev/null", "w");
    for (uint64_t s = MANY; s-- > 0 && nowhere;) {
        world_run(&world, o->first + s, true, nowhere);
        if (world.digest == digests[s])
            continue;
        printf("not ok replay of seed %llu (another history the second time)\n",
               (unsigned long long)(o->first + s));
        failed++;
    }
    if (!nowhere || fclose(nowhere))
        failed++;
    printf("%s replay (%d seeds, forwards and backwards)\n", failed ? "not ok" : "ok", MANY);
    return failed > 0;
}

static int find_mutant(const char *name)
{
    for (int i = 0; i < MUTANT_COUNT; i++)
        if (strcmp(mutants[i].name, name) == 0)
            return i;
    fprintf(stderr, "there is no mutant \"%s\"\n", name);
    exit(2);
}

static void usage(void)
{
    puts(
        "sim [--seeds N] [--first S] [--jobs J, 0: all] [--budget SECONDS] [--fails N]   many seeds\n"
        "sim --seed S [--trace]                                               one, told\n"
        "sim --self-test [--first S]                                          is a seed one history?\n"
        "sim --scenario FILE | --scenarios DIR [--update]                     narrated, compared word for word\n"
        "    --mutant NAME   leave one rule out (with the faults under which it matters)\n"
        "    --bias NAME     those faults, and the rule stays in\n"
        "    --drift PPM     clocks that are wrong by so much, beyond what leases allow for: I1 and L1 are counted\n"
        "    --list-mutants  --json");
}

static void list_mutants(void)
{
    for (int i = 1; i < MUTANT_COUNT; i++)
        printf("%-22s %-4s %s\n", mutants[i].name, mutants[i].invariant, mutants[i].sentence);
}

/* The options; those that are an answer by themselves end the program. */
static struct options read_options(int argc, char **argv)
{
    enum {
        SEEDS = 256,
        FIRST,
        SEED,
        TRACE,
        BUDGET,
        JOBS,
        MUTANT_OPTION,
        BIAS,
        DRIFT,
        SCENARIO,
        SCENARIOS,
        LIST,
        JSON,
        UPDATE,
        FAILS,
        HELP,
        SELF_TEST
    };
    static const struct option table[] = {{"seeds", 1, 0, SEEDS},
                                          {"first", 1, 0, FIRST},
                                          {"seed", 1, 0, SEED},
                                          {"trace", 0, 0, TRACE},
                                          {"budget", 1, 0, BUDGET},
                                          {"jobs", 1, 0, JOBS},
                                          {"mutant", 1, 0, MUTANT_OPTION},
                                          {"bias", 1, 0, BIAS},
                                          {"drift", 1, 0, DRIFT},
                                          {"scenario", 1, 0, SCENARIO},
                                          {"scenarios", 1, 0, SCENARIOS},
                                          {"list-mutants", 0, 0, LIST},
                                          {"json", 0, 0, JSON},
                                          {"update", 0, 0, UPDATE},
                                          {"fails", 1, 0, FAILS},
                                          {"self-test", 0, 0, SELF_TEST},
                                          {"help", 0, 0, HELP},
                                          {0, 0, 0, 0}};
    struct options o = {.seeds = 1000, .jobs = 1, .fails_max = 1};
    for (int c; (c = getopt_long(argc, argv, "", table, NULL)) != -1;) {
        switch (c) {
        case SEEDS: o.seeds = strtoull(optarg, NULL, 10); break;
        case FIRST: o.first = strtoull(optarg, NULL, 10); break;
        case SEED: o.first = strtoull(optarg, NULL, 10), o.one = true; break;
        case TRACE: o.trace = true; break;
        case BUDGET: o.budget = strtod(optarg, NULL), o.seeds = o.seeds == 1000 ? UINT64_MAX : o.seeds; break;
        case JOBS: o.jobs = atoi(optarg) > 0 ? atoi(optarg) : (int)sysconf(_SC_NPROCESSORS_ONLN); break;
        case MUTANT_OPTION:
            mutant_active = (enum mutant)find_mutant(optarg), world.bias = mutant_bias(mutant_active);
            break;
        case BIAS: world.bias = mutant_bias((enum mutant)find_mutant(optarg)); break;
        case DRIFT: world.drift_ppm = atoi(optarg); break;
        case SELF_TEST: o.self_test = true; break;
        case SCENARIO: o.scenario = optarg; break;
        case SCENARIOS: o.scenarios = optarg; break;
        case LIST: list_mutants(); exit(0);
        case JSON: o.json = true; break;
        case UPDATE: o.update = true; break;
        case FAILS: o.fails_max = atoi(optarg); break;
        case HELP: usage(); exit(0);
        default: usage(); exit(2);
        }
    }
    return o;
}

int main(int argc, char **argv)
{
    struct options o = read_options(argc, argv);
    signal(SIGSEGV, died);
    signal(SIGFPE, died);
    if (o.scenario)
        return scenario_file(&world, o.scenario, o.update);
    if (o.scenarios)
        return scenario_dir(&world, o.scenarios, o.update);
    if (o.self_test)
        return self_test(&o);
    if (o.one)
        return run_one(&o);
    struct totals t = {0};
    double start = seconds_now();
    if (o.jobs > 1)
        run_jobs(&o, &t);
    else
        run_seeds(&o, 0, 1, &t);
    tell_totals(&o, &t, seconds_now() - start);
    return t.failures > 0;
}
