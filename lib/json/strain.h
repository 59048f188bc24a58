/* strain: copies of a document only what is read of it, in a form that cJSON can be trusted with.
 *
 * A Kubernetes object is large, a quarter of it is read, and cJSON needs 150 ns for each value. cJSON's
 * parser is lax, too: it takes trailing text, control characters, invalid UTF-8 and numbers that are
 * none. So one pass over the text checks all of it against RFC 8259 and copies what a mask names. What
 * is copied is compact, valid JSON: white space is left out; invalid UTF-8, lone surrogates and \u0000
 * become U+FFFD, one for each byte or escape, so that no string ends early and none is refused by a
 * database; other escapes stay as they are. */
#ifndef LIB_STRAIN_H
#define LIB_STRAIN_H

#include "lib/base/error.h"
#include "lib/base/text.h"
#include "lib/json/json.h"
#include "lib/json/mask.h"

#include <stdbool.h>
#include <stddef.h>

/* Room for what is copied of a text: an invalid byte becomes the three of U+FFFD. */
#define STRAIN_BOUND(bytes) (3 * (bytes))

/* Characters of a number that is read. cJSON understands no longer one. */
#define STRAIN_MAX_NUMBER 63

struct strained {
    size_t length; /* bytes that were copied */
    size_t values; /* JSON values in these bytes */

    /* They say where and why the text was refused. */
    size_t offset;
    const char *what;
};

/* Copies to out, which has room for STRAIN_BOUND(text.length) bytes. What is not in the mask is checked, but not
 * copied. A member whose key is written with escapes is copied, whatever it is. JSON_NO_MEMORY says that more
 * than max_values values would be copied. */
enum json_result strain(const struct mask *mask, size_t max_values, struct text text, char *out,
                        struct strained *result) MUST_CHECK;

/* Strains a text that is cut off or damaged: copies the values that are whole before that place, and closes the
 * containers that are open there. Returns false if there is no such value. */
bool strain_beginning(const struct mask *mask, size_t max_values, struct text text, char *out,
                      struct strained *result);

#endif
