#include "mesh/io/problem.h"

#include <stdarg.h>
#include <string.h>

static void shorten(char *out, size_t size, const char *format, va_list args)
{
    int n = vsnprintf(out, size, format, args);
    if (n >= (int)size)
        memcpy(out + size - 4, "...", 4);
}

bool problem_fact(struct problem *p, const char *format, ...)
{
    if (p == NULL)
        return false;
    va_list args;
    va_start(args, format);
    shorten(p->fact, sizeof p->fact, format, args);
    va_end(args);
    p->detail[0] = p->hint[0] = '\0';
    return false;
}

bool problem_detail(struct problem *p, const char *format, ...)
{
    if (p == NULL)
        return false;
    va_list args;
    va_start(args, format);
    shorten(p->detail, sizeof p->detail, format, args);
    va_end(args);
    return false;
}

bool problem_hint(struct problem *p, const char *format, ...)
{
    if (p == NULL)
        return false;
    va_list args;
    va_start(args, format);
    shorten(p->hint, sizeof p->hint, format, args);
    va_end(args);
    return false;
}

void problem_print(FILE *out, const char *program, const struct problem *p)
{
    fprintf(out, "%s: %s\n", program, p->fact);
    if (p->detail[0])
        fprintf(out, "DETAIL: %s\n", p->detail);
    if (p->hint[0])
        fprintf(out, "HINT: %s\n", p->hint);
}

int problem_usage(const char *program, const char *fact)
{
    fprintf(stderr, "%s: %s\nHINT: Try \"%s --help\".\n", program, fact, program);
    return 2;
}
