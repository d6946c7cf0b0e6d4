/* instant.h: a point in time and a span of time, as two types that do not mix.
 *
 * An instant holds two readings of elapsed time, CLOCK_BOOTTIME and CLOCK_MONOTONIC_RAW: the first goes on while
 * the machine is suspended, the second is free of NTP slewing.  Who holds a lease trusts the reading that says
 * "later" (instant_due_any), who granted one trusts the reading that says "earlier" (instant_due_all), so that one
 * bent clock never makes a lease outlive its grants (Gray & Cheriton 1989, section 3: the holder must err early).
 *
 * Instants of one host only are comparable; none ever travels: the wire carries spans.  Pure: no clock is read here. */
#ifndef PGMESH_POLICY_INSTANT_H
#define PGMESH_POLICY_INSTANT_H

#include <stdbool.h>
#include <stdint.h>

typedef struct instant {
    int64_t boot_ns; /* CLOCK_BOOTTIME */
    int64_t raw_ns;  /* CLOCK_MONOTONIC_RAW */
} instant;

typedef struct span {
    int64_t ns;
} span;

/* The instant before all others: "never", and "not yet heard". */
static inline instant instant_never(void)
{
    return (instant){0, 0};
}
static inline bool instant_is_never(instant t)
{
    return t.boot_ns == 0 && t.raw_ns == 0;
}

static inline span span_ms(int64_t ms)
{
    return (span){ms * 1000000};
}
static inline span span_us(int64_t us)
{
    return (span){us * 1000};
}
static inline int64_t span_to_ms(span s)
{
    return s.ns / 1000000;
}
static inline int64_t span_to_us(span s)
{
    return s.ns / 1000;
}

static inline instant instant_add(instant t, span s)
{
    return (instant){t.boot_ns + s.ns, t.raw_ns + s.ns};
}
static inline instant instant_sub(instant t, span s)
{
    return (instant){t.boot_ns - s.ns, t.raw_ns - s.ns};
}

/* Time passed from `then` to `now`, by the reading that shows more, or less, of it. */
static inline span instant_elapsed_most(instant now, instant then)
{
    int64_t b = now.boot_ns - then.boot_ns, r = now.raw_ns - then.raw_ns;
    return (span){b > r ? b : r};
}
static inline span instant_elapsed_least(instant now, instant then)
{
    int64_t b = now.boot_ns - then.boot_ns, r = now.raw_ns - then.raw_ns;
    return (span){b < r ? b : r};
}

/* Has `when` come by either reading (a holder's question), by both (a granter's)? */
static inline bool instant_due_any(instant now, instant when)
{
    return now.boot_ns >= when.boot_ns || now.raw_ns >= when.raw_ns;
}
static inline bool instant_due_all(instant now, instant when)
{
    return now.boot_ns >= when.boot_ns && now.raw_ns >= when.raw_ns;
}

/* The earlier and the later of two instants, reading by reading. */
static inline instant instant_min(instant a, instant b)
{
    return (instant){a.boot_ns < b.boot_ns ? a.boot_ns : b.boot_ns,
                     a.raw_ns < b.raw_ns ? a.raw_ns : b.raw_ns};
}
static inline instant instant_max(instant a, instant b)
{
    return (instant){a.boot_ns > b.boot_ns ? a.boot_ns : b.boot_ns,
                     a.raw_ns > b.raw_ns ? a.raw_ns : b.raw_ns};
}

#endif
