/* suspects: the objects whose rows a refused sweep would have closed, as a note of the spool that outlives the
 * process.
 *
 * The text is a line "VERSION LIVE VANISHED" and then a line for each uid. VERSION is that of the
 * snapshot's mark, or "-" if the kind is not installed. LIVE is the number of rows that had not ended by
 * themselves, and VANISHED is how many of these the snapshot did not show: because of this ratio the sweep
 * was refused. */
#ifndef LIB_SUSPECTS_H
#define LIB_SUSPECTS_H

#include "lib/base/buffer.h"
#include "lib/base/text.h"

#include <stdbool.h>
#include <stddef.h>

/* The name of such a note is this prefix and the title of the resource (lib/kube/kind). */
#define SUSPECTS_NOTES "refused/"

struct suspects {
    char *text;            /* a copy of the note, into which the uids point; owned */
    char version[33];      /* VERSION; "" if the kind is not installed */
    size_t live, vanished; /* LIVE and VANISHED */
    size_t count;          /* the number of uids */
    struct text uids[];    /* sorted by text_compare() */
};

/* Appends the first line; the caller then appends the uids, each with a newline behind it. */
void suspects_begin(struct buffer *out, const char *version, size_t live, size_t vanished);

/* Reads a note; the caller frees the result. NULL if the text is no such note or there is no memory. */
struct suspects *suspects_read(const char *text) MUST_CHECK;
void suspects_free(struct suspects *suspects);

/* True if the note has the uid. */
bool suspects_have(const struct suspects *suspects, struct text uid);

#endif
