/* json_parse: a text -> cJSON's tree, strictly, and only of what is read.
 *
 * cJSON's own parser takes what is no JSON, and needs 150 ns for each value, most of which nobody
 * looks at (see json.h). So the text is read here, in one pass, and cJSON's nodes are linked as cJSON
 * does it. They come from a pool, which gives all of them back at once: cJSON_Delete() is not for this
 * tree. Its strings lie in memory of the caller. In the tree
 *
 *   a string   is a cJSON_String; valueint is its length, since there may be NULs in it
 *   a number   is a cJSON_Raw: its text, so that none goes through a double, to be rounded
 *   a key      ends at its NUL; one that was in it is U+FFFD. It may be the mask's
 *
 * and invalid UTF-8 and lone surrogates are U+FFFD, one for each byte or escape. */
#ifndef LIB_JSON_PARSE_H
#define LIB_JSON_PARSE_H

#include "lib/base/error.h"
#include "lib/base/text.h"
#include "lib/json/json.h"
#include "lib/json/mask.h"
#include "lib/json/pool.h"

#include <stddef.h>

/* Room for the strings of a text. An invalid byte becomes the three of U+FFFD; so does no other, and
 * the NUL at the end of a string has its quotes' room. A number has none, but a comma or a bracket
 * beside it, unless it is all of the text. */
#define JSON_PARSE_BOUND(bytes) (3 * (bytes) + 2)

struct json_parsed {
    struct cJSON *root; /* of nodes of the pool; NULL if it failed */

    /* If it failed: */
    size_t offset;    /* of the text */
    const char *what; /* NULL: there was no memory */
};

/* Reads what the mask has; of the rest it only sees that it is JSON. A key that is written with
 * escapes counts as one of the mask's. out has room for JSON_PARSE_BOUND(text.length); nodes is a pool
 * of struct cJSON; both, and the mask, are left alone for as long as the tree is used. JSON_NO_MEMORY
 * says that there is none for the tree, or that it would have more than max_values. */
enum json_result json_parse(const struct mask *mask, size_t max_values, struct text text, char *out,
                            struct pool *nodes, struct json_parsed *result) MUST_CHECK;

#endif
