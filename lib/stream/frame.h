/* frame: a byte stream -> documents, one a line.
 *
 * Framing is by newline, never by counting braces: after one damaged line the next one is whole
 * again (Kubernetes' encoder ends each document with a newline). A line longer than the bound is
 * skipped up to its newline; its head is kept so that it can be said what it was. A byte order mark
 * before the first line is passed over.
 *
 * What comes out depends on the bytes only, never on how they were split:
 *
 *   read into frame_room(), tell frame_fed(), call frame_next() until FRAME_NONE, read again ...
 *   at the end of the stream: frame_end()
 */
#ifndef LIB_FRAME_H
#define LIB_FRAME_H

#include "lib/base/buffer.h"
#include "lib/base/error.h"
#include "lib/base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_HEAD_SIZE 8192  /* bytes kept of a line that is too long, if max_line is not less */
#define FRAME_READ_SIZE 65536 /* bytes read at a time */

struct frame {
    struct buffer window; /* bytes that were not delivered; no memory while empty */
    struct buffer head;   /* of the line that is being skipped */
    size_t max_line;      /* bytes of the longest line that is delivered */
    size_t scanned;       /* bytes of the window that are known to hold no newline */
    size_t taken;         /* bytes of the window that the last line was; dropped by the next call */
    bool begun;           /* it is known whether the stream begins with a byte order mark */
    bool skipping;        /* inside a line that is too long */
    uint64_t skipped;     /* bytes of that line that are no longer in the window */
};

enum frame_kind {
    FRAME_NONE,     /* no whole line yet: feed more */
    FRAME_LINE,     /* text is a line without its "\n" or "\r\n"; never one of white space only */
    FRAME_TOO_LONG, /* text is the head of a line that was skipped */
    FRAME_CUT,      /* after frame_end only: text is an unfinished last line, or its head */
};

struct frame_line {
    enum frame_kind kind;
    struct text text; /* valid until the next call */
    uint64_t length;  /* bytes of the whole line before its "\n" */
};

void frame_init(struct frame *frame, size_t max_line);
void frame_fini(struct frame *frame);

/* Where to read to: 1 to FRAME_READ_SIZE bytes, NULL when there is no memory. Only after frame_next
 * said FRAME_NONE. Call frame_fed with what was read. */
char *frame_room(struct frame *frame, size_t *room) MUST_CHECK;
void frame_fed(struct frame *frame, size_t bytes);

/* The next line, until it says FRAME_NONE. */
struct frame_line frame_next(struct frame *frame);

/* The stream has ended, and frame_next said FRAME_NONE: what is left over (FRAME_CUT or
 * FRAME_NONE). The frame is then as new. */
struct frame_line frame_end(struct frame *frame);

#endif
