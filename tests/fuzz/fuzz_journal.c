/* A line of the journal: its parts lie within it. */
#include "mesh/io/journal.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct journal_line line;
    const char *text = (const char *)data;
    if (!journal_parse(&line, text, size))
        return 0;
    assert(line.at_us >= 0);
    if (line.kind == JOURNAL_DECIDED)
        assert(line.hex > text && line.hex + line.hex_len == text + size && line.hex_len % 2 == 0);
    else
        assert(line.kind == JOURNAL_EVENT && line.name[0] && line.text > text &&
               line.text + line.text_len == text + size);
    return 0;
}
