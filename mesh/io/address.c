#define _GNU_SOURCE /* memrchr */
#include "mesh/io/address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

static bool port_parse(uint16_t *port, const char *text, size_t n)
{
    unsigned value = 0;
    if (n == 0 || n > 5)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!isdigit((unsigned char)text[i]))
            return false;
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    *port = (uint16_t)value;
    return value <= UINT16_MAX;
}

/* RFC 1123, loosely: letters, digits, '-', '_' and dots, beginning with a letter or digit. */
static bool host_name(const char *host)
{
    if (!isalnum((unsigned char)host[0]))
        return false;
    for (const char *p = host; *p; p++)
        if (!isalnum((unsigned char)*p) && strchr("-_.", *p) == NULL)
            return false;
    return true;
}

bool address_parse(struct address *a, const char *text, size_t n, bool numeric)
{
    struct in_addr v4;
    struct in6_addr v6;
    bool bracket = n > 0 && text[0] == '[';
    const char *colon = memrchr(text, ':', n);
    size_t length;

    if (colon == NULL || !port_parse(&a->port, colon + 1, n - (size_t)(colon + 1 - text)))
        return false;
    length = (size_t)(colon - text);
    if (bracket && (length < 3 || text[length - 1] != ']'))
        return false;
    if (bracket)
        text++, length -= 2;
    if (length == 0 || length >= sizeof a->host || memchr(text, '\0', length))
        return false;
    memset(a->host, 0, sizeof a->host);
    memcpy(a->host, text, length);
    if (bracket)
        return inet_pton(AF_INET6, a->host, &v6) == 1;
    return inet_pton(AF_INET, a->host, &v4) == 1 || (!numeric && host_name(a->host));
}

int address_parse_list(struct address *a, int max, const char *text, size_t n, bool numeric)
{
    int count = 0;
    for (;;) {
        const char *comma = memchr(text, ',', n);
        size_t length = comma ? (size_t)(comma - text) : n;
        if (count == max || !address_parse(&a[count++], text, length, numeric))
            return -1;
        if (comma == NULL)
            return count;
        text = comma + 1;
        n -= length + 1;
    }
}

const char *address_print(char out[static ADDRESS_TEXT_SIZE], const struct address *a)
{
    snprintf(out, ADDRESS_TEXT_SIZE, strchr(a->host, ':') ? "[%s]:%u" : "%s:%u", a->host, (unsigned)a->port);
    return out;
}

bool address_equal(const struct address *a, const struct address *b)
{
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}
