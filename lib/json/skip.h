/* skip: finds the end of a JSON value that nobody reads.
 *
 * Most of a Kubernetes object is never looked at, and most of what decoding an event costs is
 * finding out that this part is well formed. So skip is written for speed, and it does not say
 * why a value is not valid: strain reads the value again to find the reason. */
#ifndef LIB_SKIP_H
#define LIB_SKIP_H

#include <stddef.h>

/* Returns the first byte from `at` on that is not white space, or end. */
static inline const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && (unsigned char)*at <= ' ' &&
           (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

#define SKIP_MAX_DEPTH 64

/* Returns the end of the value that begins at `at`, where white space may come first; NULL if the value is not
 * valid by RFC 8259 or nested deeper than max_depth (at most SKIP_MAX_DEPTH). UTF-8 is not checked. */
const char *skip_value(const char *at, const char *end, size_t max_depth);

/* Returns the place behind the closing quote of the string whose opening quote is before `at`; NULL if the
 * string is not valid, or if there is an escape in it. */
const char *skip_plain_string(const char *at, const char *end);

#endif
