#include "mesh/io/clock.h"

#include <stdbool.h>
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

/* Days from 1970-01-01 to a date of the Gregorian calendar, by counting years from March on. */
static int64_t days_to(int year, int month, int day)
{
    int64_t y = year - (month <= 2), era = y / 400;
    int64_t of_era = y - era * 400, of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* A journal has some ten thousand of them, and is read while others wait: sscanf() and timegm() took twenty times as long. */
int64_t clock_parse(const char *text)
{
    static const char shape[] = "0000-00-00T00:00:00.000000Z";
    static const int month_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int field[7] = {0}, n = 0;
    for (int i = 0; shape[i]; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        if (shape[i] == '0' ? !digit : text[i] != shape[i]) /* the text's end is neither */
            return -1;
        if (digit)
            field[n] = field[n] * 10 + text[i] - '0';
        else
            n++;
    }
    if (field[0] < 1970 || field[1] < 1 || field[1] > 12 || field[2] < 1 ||
        field[2] > month_days[field[1] - 1] || field[3] > 23 || field[4] > 59 || field[5] > 60)
        return -1;
    int64_t seconds =
        days_to(field[0], field[1], field[2]) * 86400 + field[3] * 3600 + field[4] * 60 + field[5];
    return seconds * 1000000 + field[6];
}
