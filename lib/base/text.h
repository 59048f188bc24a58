/* text: a borrowed piece of bytes with its length; it may contain NUL. */
#ifndef LIB_TEXT_H
#define LIB_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct text {
    const char *data; /* not NUL-terminated, not owned */
    size_t length;    /* bytes */
};

#define TEXT(literal) ((struct text){(literal), sizeof(literal) - 1})

static inline struct text text_from(const char *string)
{
    return (struct text){string, strlen(string)};
}

static inline bool text_equal(struct text a, struct text b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

static inline bool text_is(struct text a, const char *string)
{
    return text_equal(a, text_from(string));
}

static inline bool text_starts_with(struct text text, struct text start)
{
    return text.length >= start.length &&
           (start.length == 0 || memcmp(text.data, start.data, start.length) == 0);
}

static inline bool text_ends_in(struct text text, struct text end)
{
    return text.length >= end.length &&
           memcmp(text.data + text.length - end.length, end.data, end.length) == 0;
}

/* The text without its first n <= length bytes. */
static inline struct text text_skip(struct text text, size_t n)
{
    return (struct text){text.data + n, text.length - n};
}

/* Returns whether c is a digit of ASCII, regardless of the locale. */
static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Returns a number below, equal to or above 0, as memcmp() does; a text sorts before any longer one that begins
 * with it. */
int text_compare(struct text a, struct text b);

bool text_contains(struct text text, const char *part);

/* True if there are only blanks, tabs and carriage returns in it, or nothing. */
bool text_is_blank(struct text text);

/* Takes the first line off the front of *rest and returns it without its newline. */
struct text text_take_line(struct text *rest);

/* Copies as much as fits into `size` > 0 bytes, never a part of a character of UTF-8, and ends it with a NUL.
 * A NUL within the text, which would end it, becomes a question mark. text.data may be NULL. */
void text_copy(char *to, size_t size, struct text text);

/* Copies as text_copy() does, but onto one line: control characters of ASCII become blanks. */
void text_copy_line(char *to, size_t size, struct text text);

/* Turns control characters of ASCII into blanks: a server's message may hold newlines, a name any byte. */
void text_flatten(char *string);

#endif
