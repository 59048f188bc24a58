/* frame: a byte stream -> documents, one a line.
 *
 * Framing is by newline, never by counting braces: after one damaged line the next one is whole
 * again (Kubernetes' encoder ends each document with a newline). A line longer than the bound is
 * skipped up to its newline; its head is kept so that it can be said what it was. */
#ifndef LIB_FRAME_H
#define LIB_FRAME_H

#include "lib/buffer.h"
#include "lib/error.h"
#include "lib/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_HEAD_SIZE 8192 /* bytes kept of a line that is too long */

struct frame {
    struct buffer window;
    size_t max_line;  /* bytes of the longest line that is delivered */
    size_t scanned;   /* bytes of the window that are known to hold no newline */
    bool skipping;    /* inside a line that is too long; the window holds its head */
    uint64_t skipped; /* bytes of that line so far */
};

enum frame_kind {
    FRAME_NONE,     /* no whole line yet: feed more */
    FRAME_LINE,     /* text is a line without its "\n" or "\r\n"; blank lines are never delivered */
    FRAME_TOO_LONG, /* text is the head of a line that was skipped; length its length in bytes */
    FRAME_CUT,      /* after frame_end only: text is an unfinished last line */
};

struct frame_line {
    enum frame_kind kind;
    struct text text; /* valid until the next call */
    uint64_t length;  /* bytes of the whole line */
};

void frame_init(struct frame *frame, size_t max_line);
void frame_fini(struct frame *frame);

/* Where to read to: at least one byte, NULL when there is no memory. Small when idle; grows with
 * the line, never over max_line by more than one read. Call frame_fed with what was read. */
char *frame_room(struct frame *frame, size_t *room) MUST_CHECK;
void frame_fed(struct frame *frame, size_t bytes);

/* The next line, until it says FRAME_NONE. */
struct frame_line frame_next(struct frame *frame);

/* The stream has ended: what is left over (FRAME_CUT, FRAME_TOO_LONG or FRAME_NONE). The frame is
 * then as new. */
struct frame_line frame_end(struct frame *frame);

#endif
