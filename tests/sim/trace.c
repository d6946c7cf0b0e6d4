/* trace.c: what happened, told; and what must not have happened. */
#include <stdarg.h>
#include <string.h>

#include "tests/sim/sim.h"

/* One line: seconds and milliseconds, then a sentence. */
void say(struct world *w, const char *fmt, ...)
{
    if (!w->out)
        return;
    va_list args;
    fprintf(w->out, "%3lld.%03lld  ", (long long)(w->now / SECONDS(1)), (long long)(w->now / MS(1) % 1000));
    va_start(args, fmt);
    vfprintf(w->out, fmt, args);
    va_end(args);
    fputc('\n', w->out);
}

/* Ends the seed. */
_Noreturn void violate(struct world *w, const char *invariant, const char *fmt, ...)
{
    va_list args;
    w->failed = true;
    snprintf(w->invariant, sizeof w->invariant, "%s", invariant);
    va_start(args, fmt);
    vsnprintf(w->sentence, sizeof w->sentence, fmt, args);
    va_end(args);
    TELL(w, "VIOLATED %s: %s", invariant, w->sentence);
    longjmp(w->stop, 1);
}
