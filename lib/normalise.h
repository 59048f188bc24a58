/* normalise: checks that a text is JSON and writes a copy of it that cJSON cannot misread.
 *
 * The grammar is RFC 8259's to the letter. The copy has no white space between values and none of
 * the members that are to be skipped; invalid UTF-8 and lone surrogates are U+FFFD in it, one for
 * each byte or escape. It is JSON, but for two bytes that are in no UTF-8:
 *
 *   NORMALISE_NUMBER  at the start of a string: this is a number, and the rest is its text. So none
 *                     goes through a double, to be rounded.
 *   NORMALISE_NUL     stands for a NUL, which would end a C string. In a key a NUL is U+FFFD. */
#ifndef LIB_NORMALISE_H
#define LIB_NORMALISE_H

#include "lib/error.h"
#include "lib/json.h"
#include "lib/text.h"

#include <stdbool.h>
#include <stddef.h>

#define NORMALISE_NUMBER '\xff'
#define NORMALISE_NUL    '\xfe'

/* Room for the copy of a text. An invalid byte becomes the three of U+FFFD. So does no other: a
 * number of one digit becomes four bytes, but has a comma or a bracket beside it that stays one.
 * The two are for a text that is a single digit, and for the NUL. */
#define NORMALISE_BOUND(bytes) (3 * (bytes) + 2)

struct normalise_options {
    size_t max_values; /* that are kept */
    size_t skip_count;
    const struct text *skip_keys; /* as they stand in the text: a key with escapes matches none */
};

struct normalised {
    size_t length; /* of the copy, without its NUL */
    bool has_nul;  /* NORMALISE_NUL is in it */

    /* If it failed: */
    size_t offset; /* of the text */
    const char *what;
};

/* Writes the copy and a NUL to out, which has room for NORMALISE_BOUND(text.length). It does not
 * fail for want of memory; JSON_NO_MEMORY says that there are more than max_values. */
enum json_result normalise(const struct normalise_options *options, struct text text, char *out,
                           struct normalised *result) MUST_CHECK;

#endif
