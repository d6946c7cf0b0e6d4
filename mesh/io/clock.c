#include "mesh/io/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

instant clock_now(void)
{
    return (instant){.boot_ns = read_ns(CLOCK_BOOTTIME), .raw_ns = read_ns(CLOCK_MONOTONIC_RAW)};
}

int64_t clock_wall_us(void)
{
    return read_ns(CLOCK_REALTIME) / 1000;
}

const char *clock_print(char out[static CLOCK_TEXT_SIZE], int64_t wall_us)
{
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm tm;
    char day[24];
    if (wall_us < 0 || gmtime_r(&seconds, &tm) == NULL || tm.tm_year > 8099) {
        strcpy(out, "-");
        return out;
    }
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out, CLOCK_TEXT_SIZE, "%s.%06dZ", day, (int)(wall_us % 1000000));
    return out;
}

int64_t clock_parse(const char *text)
{
    struct tm tm = {0};
    int micros = 0, n = 0;
    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%6dZ%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
               &tm.tm_min, &tm.tm_sec, &micros, &n) != 7 ||
        n != 27)
        return -1;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    time_t seconds = timegm(&tm);
    return seconds < 0 || micros < 0 ? -1 : (int64_t)seconds * 1000000 + micros;
}
