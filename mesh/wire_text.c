#include "mesh/wire_text.h"

#include <assert.h>
#include <string.h>

/* The length of the character that `s` begins with, at most n bytes; 0: none that may stand there. */
static size_t character(const uint8_t *s, size_t n)
{
    static const uint32_t lowest[5] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first = s[0];
    if (first < 0x80)
        return first >= 0x20 && first != 0x7f;
    size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || length > n)
        return 0;
    uint32_t c = first & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3f);
    }
    if (c < lowest[length] || c < 0xa0 || (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff)
        return 0;
    return length;
}

bool wire_text_valid(const char *text, size_t n)
{
    const uint8_t *s = (const uint8_t *)text;
    for (size_t i = 0; i < n;) {
        size_t length = character(s + i, n - i);
        if (length == 0)
            return false;
        i += length;
    }
    return true;
}

size_t wire_text_clean(char *out, const char *in, size_t size)
{
    const char *nul = memchr(in, 0, size);
    assert(nul);
    size_t n = (size_t)(nul - in);
    memcpy(out, in, n);
    memset(out + n, 0, size - n);
    for (size_t i = 0; i < n;) {
        size_t length = character((const uint8_t *)out + i, n - i);
        if (length == 0) {
            out[i] = '?';
            length = 1;
        }
        i += length;
    }
    return n;
}
