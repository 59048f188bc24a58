/* buffer: bytes that grow up to a bound (see buffer.h). */
#include "lib/base/buffer.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define SMALLEST_CAPACITY 256

void buffer_init(struct buffer *buffer, size_t limit)
{
    *buffer = (struct buffer){.limit = limit};
}

void buffer_fini(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){.limit = buffer->limit};
}

void buffer_reset(struct buffer *buffer)
{
    buffer->start = 0;
    buffer->length = 0;
    buffer->failed = false;
}

struct text buffer_text(const struct buffer *buffer)
{
    /* NULL + 0 is not defined in C, and an empty text should still be printable. */
    if (buffer->data == NULL)
        return TEXT("");
    return (struct text){buffer->data + buffer->start, buffer->length};
}

static void move_to_front(struct buffer *buffer)
{
    if (buffer->start == 0)
        return;
    memmove(buffer->data, buffer->data + buffer->start, buffer->length);
    buffer->start = 0;
}

/* Doubles the capacity until `needed` (<= limit) bytes fit, so that n appended bytes cost O(n) in all. */
static bool grow(struct buffer *buffer, size_t needed)
{
    size_t capacity = buffer->capacity < SMALLEST_CAPACITY ? SMALLEST_CAPACITY : buffer->capacity;

    while (capacity < needed && capacity <= buffer->limit / 2)
        capacity *= 2;
    if (capacity < needed || capacity > buffer->limit)
        capacity = buffer->limit;

    char *data = realloc(buffer->data, capacity);

    if (data == NULL)
        return false;
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

/* Makes room for `want` bytes after the content. */
static bool reserve(struct buffer *buffer, size_t want)
{
    if (want <= buffer->capacity - buffer->start - buffer->length)
        return true;
    if (want > buffer->limit - buffer->length)
        return false;
    move_to_front(buffer);
    return want <= buffer->capacity - buffer->length || grow(buffer, buffer->length + want);
}

static char *end_of(const struct buffer *buffer)
{
    return buffer->data + buffer->start + buffer->length;
}

void buffer_append(struct buffer *buffer, struct text text)
{
    if (buffer->failed || text.length == 0)
        return;
    if (!reserve(buffer, text.length)) {
        buffer->failed = true;
        return;
    }
    memcpy(end_of(buffer), text.data, text.length);
    buffer->length += text.length;
}

void buffer_append_string(struct buffer *buffer, const char *string)
{
    buffer_append(buffer, text_from(string));
}

void buffer_append_char(struct buffer *buffer, char c)
{
    if (buffer->start + buffer->length < buffer->capacity && !buffer->failed)
        buffer->data[buffer->start + buffer->length++] = c;
    else
        buffer_append(buffer, (struct text){&c, 1});
}

void buffer_appendf(struct buffer *buffer, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    buffer_vappendf(buffer, format, args);
    va_end(args);
}

void buffer_vappendf(struct buffer *buffer, const char *format, va_list args)
{
    va_list again;

    if (buffer->failed)
        return;

    size_t room = buffer->capacity - buffer->start - buffer->length;
    va_copy(again, args);
    int length = vsnprintf(room > 0 ? end_of(buffer) : NULL, room, format, args);
    if (length < 0 || !reserve(buffer, (size_t)length + 1))
        buffer->failed = true;
    else if ((size_t)length >= room)
        (void)vsnprintf(end_of(buffer), (size_t)length + 1, format, again);
    if (!buffer->failed)
        buffer->length += (size_t)length;
    va_end(again);
}

void buffer_append_wrapped(struct buffer *buffer, struct text text, size_t indent, size_t width)
{
    size_t column = indent;
    while (text.length > 0) {
        const char *blank = memchr(text.data, ' ', text.length);
        struct text word = {text.data, blank != NULL ? (size_t)(blank - text.data) : text.length};
        if (column > indent && column + 1 + word.length > width) {
            buffer_appendf(buffer, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            buffer_append_char(buffer, ' ');
            column++;
        }
        buffer_append(buffer, word);
        column += word.length;
        text = text_skip(text, blank != NULL ? word.length + 1 : word.length);
    }
    buffer_append_char(buffer, '\n');
}

char *buffer_room(struct buffer *buffer, size_t want, size_t *room)
{
    if (!reserve(buffer, want) || buffer->data == NULL)
        return NULL;
    *room = buffer->capacity - buffer->start - buffer->length;
    return end_of(buffer);
}

void buffer_commit(struct buffer *buffer, size_t written)
{
    buffer->length += written;
}

void buffer_consume(struct buffer *buffer, size_t n)
{
    buffer->length -= n;
    /* An empty buffer starts over, so that a window that keeps up never moves its bytes. */
    buffer->start = buffer->length == 0 ? 0 : buffer->start + n;
}

const char *buffer_cstring(struct buffer *buffer)
{
    if (buffer->failed || !reserve(buffer, 1))
        return NULL;
    *end_of(buffer) = '\0';
    return buffer->data + buffer->start;
}
