/* buffer: bytes that grow up to a bound, which every buffer has (`limit`). It has two uses:
 *
 *   building:  buffer_append...() adds the pieces; .failed is checked once at the end;
 *   a window:  buffer_room() and buffer_commit() add at the end, buffer_consume() drops at the front. */
#ifndef LIB_BUFFER_H
#define LIB_BUFFER_H

#include "lib/base/error.h"
#include "lib/base/text.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buffer {
    char *data;      /* owned; NULL until first needed */
    size_t start;    /* first byte that is not consumed */
    size_t length;   /* bytes from start on */
    size_t capacity; /* bytes allocated */
    size_t limit;    /* the most that capacity may become */
    bool failed;     /* an append did not fit or found no memory; the content is not whole */
};

/* Makes an empty buffer. It cannot fail, since memory is allocated when first needed. limit: in bytes. */
void buffer_init(struct buffer *buffer, size_t limit);
void buffer_fini(struct buffer *buffer);

/* Empties the buffer and clears .failed; keeps the memory. */
void buffer_reset(struct buffer *buffer);

/* Returns the content, which is valid until the next call that changes the buffer. */
struct text buffer_text(const struct buffer *buffer);

/* Append to the content. A failure sets .failed and leaves the content as it was; further appends then do
 * nothing, so that the caller needs to check .failed only once. text must not lie in the buffer itself.
 * buffer_appendf() needs room for one byte more than it appends. */
void buffer_append(struct buffer *buffer, struct text text);
void buffer_append_string(struct buffer *buffer, const char *string);
void buffer_append_char(struct buffer *buffer, char c);
void buffer_appendf(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);
void buffer_vappendf(struct buffer *buffer, const char *format, va_list args) PRINTF_LIKE(2, 0);

/* Appends the words of text and a newline, broken into lines of at most `width` bytes (a longer word has a
 * line of its own). The first line goes on at column `indent`, where the buffer ends; the other lines are
 * indented by `indent` blanks. */
void buffer_append_wrapped(struct buffer *buffer, struct text text, size_t indent, size_t width);

/* Makes room for at least `want` further bytes and returns where to write them, with *room the
 * bytes that fit (>= want); NULL when the bound or memory does not allow it (content unchanged,
 * .failed not set). buffer_commit() then adds what was written. */
char *buffer_room(struct buffer *buffer, size_t want, size_t *room) MUST_CHECK;
void buffer_commit(struct buffer *buffer, size_t written);

/* Drops n <= length bytes at the front. */
void buffer_consume(struct buffer *buffer, size_t n);

/* Returns the content as a C string, with a NUL after it. Returns NULL if there is no room for that, or if an
 * append has failed: half of a statement is never passed on. */
const char *buffer_cstring(struct buffer *buffer) MUST_CHECK;

#endif
