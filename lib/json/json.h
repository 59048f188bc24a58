/* json: strict, typed, case-sensitive reading of JSON. The only user of cJSON.
 *
 * A document becomes a tree of cJSON's. cJSON alone would accept texts that are not JSON, cut strings at a
 * NUL, and build a tree of the whole document. So it gets only what lib/json/strain has checked and copied:
 * the grammar is exactly that of RFC 8259, nesting is bounded, invalid UTF-8, lone surrogates and \u0000
 * become U+FFFD, and members that nobody reads are checked but not kept. Numbers are doubles: exact for
 * integers up to JSON_MAX_INTEGER, which Kubernetes does not exceed. Of duplicate keys the last one wins. A
 * member that is null counts as absent. */
#ifndef LIB_JSON_H
#define LIB_JSON_H

#include "lib/base/error.h"
#include "lib/base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json; /* a reader: the document that was read last, and memory used again */
typedef struct cJSON json_value; /* opaque here */

#define JSON_MAX_DEPTH   64
#define JSON_MAX_TEXT    ((size_t)64 << 20) /* bytes of a document */
#define JSON_MAX_VALUES  ((size_t)1 << 19)  /* kept ones; each takes some 100 bytes */
#define JSON_MAX_INTEGER 9007199254740991.0 /* 2^53 - 1 */
#define JSON_NUMBER_SIZE 32

/* JSON_NO_MEMORY: there is no memory (the code in err is ERROR_NOMEM), or the document is over JSON_MAX_TEXT
 * or JSON_MAX_VALUES (the code is ERROR_INPUT). */
enum json_result { JSON_OK, JSON_MALFORMED, JSON_TOO_DEEP, JSON_NO_MEMORY };

struct json *json_new(void) __attribute__((returns_nonnull));
void json_free(struct json *json);

/* Sets which part of a document is read; until the first call the whole document is. Each call adds `paths`,
 * a list that ends in NULL; the paths begin at the path `base` ("": at the root). A path is a list of keys
 * with blanks between them:
 *
 *     metadata labels replica-type     the member of the member of the member
 *     spec containers image            arrays are not named: all their elements count
 *     spec * replicas                  * is any key; where it stands, no other may
 *
 * Everything below the end of a path is read. On the way there, a value is read whatever its type is; but of
 * an object only the members on a path are read, and those whose keys contain escapes. */
void json_keep(struct json *json, const char *base, const char *const *paths);

/* Reads one document; only white space may stand around it. *root is valid until the next json_read() or
 * json_free(). On failure *root is NULL, and err says where and why: "offset 12: ...". */
enum json_result json_read(struct json *json, struct text text, const json_value **root,
                           struct error *err) MUST_CHECK;

/* Reads the beginning of a text that may be cut off or damaged: the values that are whole before that place.
 * Returns NULL if there is no such value, or no memory. */
const json_value *json_read_beginning(struct json *json, struct text text);

/* Returns the member `key` of an object; NULL if it is absent or null, or if value is NULL or no object. */
const json_value *json_member(const json_value *value, const char *key);

/* Returns the member at the end of a path: json_path(root, "metadata", "uid", NULL). */
const json_value *json_path(const json_value *value, ...) __attribute__((sentinel));

/* The numbers are those of cJSON, which json.c checks. */
enum json_type {
    JSON_ABSENT = 0, /* there is no value */
    JSON_FALSE = 1 << 0,
    JSON_TRUE = 1 << 1,
    JSON_NULL = 1 << 2,
    JSON_NUMBER = 1 << 3,
    JSON_STRING = 1 << 4,
    JSON_ARRAY = 1 << 5,
    JSON_OBJECT = 1 << 6,
};

/* Returns the type of the value; JSON_ABSENT if value is NULL. */
enum json_type json_type(const json_value *value);

/* Return the elements of an array or the members of an object in the order of the text (duplicate keys and
 * nulls are included); NULL at the end. */
const json_value *json_first(const json_value *value);
const json_value *json_next(const json_value *element);
struct text json_key(const json_value *member);

/* Return true and set *text or *integer if the value has the type; else they return false. */

/* A string has no NUL in it. *text is valid as long as the document. */
bool json_text(const json_value *value, struct text *text);

/* *text becomes the shortest text, in `number`, that reads back as the same number. */
bool json_number_text(const json_value *value, char number[JSON_NUMBER_SIZE], struct text *text);

/* An integer is a number without a fraction that is not beyond JSON_MAX_INTEGER. */
bool json_integer(const json_value *value, int64_t *integer);

#endif
