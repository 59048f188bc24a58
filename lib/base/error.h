/* error: what went wrong, as a code for the program and a text for the person.
 *
 * A function that can fail returns an error_code and, where a person may have
 * to read about it, fills a struct error. The code says what the caller may do;
 * the text says what happened and what to do about it. Each level that knows
 * more than the one below puts its part in front with error_context(). */
#ifndef LIB_ERROR_H
#define LIB_ERROR_H

#include <stdarg.h>

#define ERROR_TEXT_SIZE 512

/* A caller must look at the result. */
#define MUST_CHECK                       __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_index, first) __attribute__((format(printf, format_index, first)))

enum error_code {
    ERROR_NONE = 0,
    ERROR_NOMEM,    /* no memory: nothing was changed; free something or give this operation up */
    ERROR_INPUT,    /* this input can never be accepted: count it, skip it, go on */
    ERROR_FULL,     /* a stated bound is reached: make room, then try again */
    ERROR_AGAIN,    /* the world outside is not ready: the same again after a back-off */
    ERROR_OPERATOR, /* a person has to act (settings, grants): try again slowly, say what to do */
};

struct error {
    enum error_code code;
    char text[ERROR_TEXT_SIZE]; /* one line of UTF-8, ends in NUL, cut where it is too long */
};

/* Fills *err and returns code, so that a failing function can end in
 * `return error_set(err, ERROR_INPUT, "...", ...);`. err may be NULL. */
enum error_code error_set(struct error *err, enum error_code code, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Puts "context: " in front of the text that is there and returns err->code. err may be NULL,
 * then it returns code. */
enum error_code error_context(struct error *err, enum error_code code, const char *format, ...)
    PRINTF_LIKE(3, 4);

#endif
