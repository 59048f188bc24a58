/* suspects: the objects whose rows a refused sweep would close, as a text that outlives the process.
 *
 * "VERSION LIVE VANISHED\n" and then a uid on each line. VERSION is the mark's, "-" where the kind itself is
 * absent; VANISHED of LIVE rows that had not ended by themselves is why the sweep was refused. */
#ifndef LIB_SUSPECTS_H
#define LIB_SUSPECTS_H

#include "lib/base/buffer.h"
#include "lib/base/text.h"

#include <stdbool.h>
#include <stddef.h>

/* What the names of such notes begin with; the title of a resource follows (lib/kube/kind). */
#define SUSPECTS_NOTES "refused/"

struct suspects {
    char *text;       /* all of it; what follows points into it */
    char version[33]; /* "": the kind is absent */
    size_t live, vanished;
    size_t count;
    struct text uids[]; /* sorted */
};

/* The first line; the uids are the caller's to append. */
void suspects_begin(struct buffer *out, const char *version, size_t live, size_t vanished);

/* NULL: no memory, or no such text. */
struct suspects *suspects_read(const char *text) MUST_CHECK;
void suspects_free(struct suspects *suspects);

bool suspects_have(const struct suspects *suspects, struct text uid);

#endif
