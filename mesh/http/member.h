/* member.h: conversations with the member through its control socket: one request each, lines of JSON back, none of them
 * waited for.  At most MEMBER_TALKS at a time, of CONTROL_CLIENTS_MAX that the member serves. */
#ifndef PGMESH_HTTP_MEMBER_H
#define PGMESH_HTTP_MEMBER_H

#include "policy/instant.h"

#include <poll.h>

struct json_t; /* jansson */
struct member_line;

enum { MEMBER_TALKS = 6, MEMBER_LINE_MAX = 8 * 1024 * 1024 };

/* Called with each answer; true: that was all.  `answer` NULL: the conversation broke off, and `why` says why; it is
 * over then.  The callee owns nothing. */
typedef bool member_take(void *arg, struct json_t *answer, const char *why);

/* `channel`: to the half that dials (dial.h). */
struct member_line *member_open(int channel);
void member_close(struct member_line **line);

/* Takes the reference to `request`.  false: too many conversations, or no memory; `take` is not called then. */
bool member_ask(struct member_line *line, struct json_t *request, int64_t timeout_ms, member_take *take,
                void *arg, instant now);
/* Adds what must be polled, returns how many (at most MEMBER_TALKS + 1). */
int member_poll(const struct member_line *line, struct pollfd *fds, int room);
/* Serves whatever is ready and ends what is late.  false: the half that dials is gone, nothing will ever come. */
bool member_serve(struct member_line *line, instant now);
/* When it wants to be called again at the latest. */
instant member_wake(const struct member_line *line);

#endif
