/* frame: a byte stream -> documents, one a line.
 *
 * Framing is by newline, never by counting braces: after one damaged line the next one is whole
 * again (Kubernetes' encoder ends each document with a newline). A line longer than the bound is
 * skipped up to its newline; its first bytes are kept, so that a log line can tell which object it
 * was. A byte order mark before the first line is skipped.
 *
 * The result depends on the bytes only, never on how the reads split them. The caller reads into
 * frame_room(), passes the count to frame_fed(), calls frame_next() until it returns FRAME_NONE, and
 * reads again; at the end of the stream it calls frame_end().
 */
#ifndef LIB_FRAME_H
#define LIB_FRAME_H

#include "lib/base/buffer.h"
#include "lib/base/error.h"
#include "lib/base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_HEAD_SIZE 8192  /* bytes kept of a line that is too long; max_line if that is less */
#define FRAME_READ_SIZE 65536 /* bytes read at a time */

struct frame {
    struct buffer window; /* bytes that were not delivered; it has no memory while it is empty */
    struct buffer head;   /* the first bytes of the line that is being skipped */
    size_t max_line;      /* bytes of the longest line that is delivered */
    size_t scanned;       /* bytes of the window that are known to hold no newline */
    size_t taken;     /* bytes of the window that the next call drops, since they were delivered */
    uint64_t lines;   /* lines that were taken off the window so far */
    bool begun;       /* a byte order mark was looked for, and skipped if there was one */
    bool skipping;    /* a line that is too long is being skipped */
    uint64_t skipped; /* bytes of the line that is being skipped which have left the window */
};

enum frame_kind {
    FRAME_NONE,     /* there is no whole line yet; the caller is to read more */
    FRAME_LINE,     /* text is a line without its "\n" or "\r\n"; blank lines are not delivered */
    FRAME_TOO_LONG, /* text is the head of a line that was skipped */
    FRAME_CUT,      /* from frame_end() only: text is an unfinished last line, or its head */
};

struct frame_line {
    enum frame_kind kind;
    struct text text; /* valid until the next call */
    uint64_t length;  /* bytes of the whole line before its "\n" */
    uint64_t line;    /* the line of the stream on which it begins, from 1 */
};

void frame_init(struct frame *frame, size_t max_line);
void frame_fini(struct frame *frame);

/* Returns where the caller is to read to, and sets *room to 1 to FRAME_READ_SIZE bytes; NULL if there
 * is no memory. To be called only after frame_next() has returned FRAME_NONE. frame_fed() is to be
 * called with the number of bytes that were read. */
char *frame_room(struct frame *frame, size_t *room) MUST_CHECK;
void frame_fed(struct frame *frame, size_t bytes);

/* Returns the next line; FRAME_NONE if there is no whole one. */
struct frame_line frame_next(struct frame *frame);

/* To be called when the stream has ended and frame_next() has returned FRAME_NONE. Returns what is left
 * over (FRAME_CUT or FRAME_NONE). The frame may then be used for another stream. */
struct frame_line frame_end(struct frame *frame);

#endif
