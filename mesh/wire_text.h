/* wire_text.h: what may stand in a text on the wire: UTF-8 (RFC 3629: shortest form, no surrogates, nothing above
 * U+10FFFF) without control characters (U+0000 to U+001F, U+007F to U+009F), so that no text can forge a line of a log
 * or move a terminal's cursor. */
#ifndef PGMESH_MESH_WIRE_TEXT_H
#define PGMESH_MESH_WIRE_TEXT_H

#include "policy/base.h"

/* Are these n bytes such a text? */
bool wire_text_valid(const char *text, size_t n);
/* Copies the text in `in` (an array of `size` bytes, ended by a NUL: asserted) to `out`, another of that size, padded
 * with NULs.  Each byte that may not stand there becomes '?': a text cut in the middle of a character, or one that
 * quotes somebody else's message, must not make a frame that every reader refuses.  Returns the length. */
size_t wire_text_clean(char *out, const char *in, size_t size);

#endif
