/* json: strict, typed, case-sensitive reading of JSON. The only user of cJSON.
 *
 * A document becomes a tree of cJSON's. cJSON alone would take what is no JSON, cut strings at a NUL, and
 * make a tree of all there is; so it is given only what lib/json/strain has checked and copied: the
 * grammar is RFC 8259's to the letter, nesting is bounded, invalid UTF-8, lone surrogates and \u0000 become
 * U+FFFD, and what nobody reads is checked but not kept. Numbers are doubles: exact for integers up to
 * JSON_MAX_INTEGER, which is more than Kubernetes has. Of duplicate keys the last one wins; a member that
 * is null is as one that is absent. */
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

/* JSON_NO_MEMORY: there is none, or the document would take more than its share, that is, it is
 * over JSON_MAX_TEXT or JSON_MAX_VALUES. The code in err tells: ERROR_NOMEM or ERROR_INPUT. */
enum json_result { JSON_OK, JSON_MALFORMED, JSON_TOO_DEEP, JSON_NO_MEMORY };

struct json *json_new(void) __attribute__((returns_nonnull));
void json_free(struct json *json);

/* Says what is read of a document, which is all of it until the first call: what the paths name that
 * lie below base ("": at the root) and end in NULL. A path is keys with blanks between them:
 *
 *     metadata labels replica-type     the member of the member of the member
 *     spec containers image            arrays are not named: all their elements count
 *     spec * replicas                  * is any key; where it stands, no other may
 *
 * Where a path ends all that lies below is read. On the way there a value is read whatever its type
 * is; of objects only the members that are on a path, or whose keys are written with escapes. */
void json_keep(struct json *json, const char *base, const char *const *paths);

/* Reads one document; white space around it is allowed, anything else is not. *root is valid until
 * the next json_read or json_free. err says where and why: "offset 12: ...". On failure *root is
 * NULL. Memory for its strings is kept for the next document, unless this one was huge. */
enum json_result json_read(struct json *json, struct text text, const json_value **root,
                           struct error *err) MUST_CHECK;

/* Reads a text that may be cut off or damaged: the values that are whole before that place. NULL if there
 * is none, or no memory. */
const json_value *json_read_beginning(struct json *json, struct text text);

/* The member `key` of an object; NULL if it is absent or null, or if value is NULL or no object. */
const json_value *json_member(const json_value *value, const char *key);

/* The member at the end of a path: json_path(root, "metadata", "uid", NULL). */
const json_value *json_path(const json_value *value, ...) __attribute__((sentinel));

bool json_is_object(const json_value *value);
bool json_is_array(const json_value *value);
bool json_is_string(const json_value *value);
bool json_is_number(const json_value *value);
bool json_is_true(const json_value *value);
bool json_is_null(const json_value *value); /* false for NULL: that is absent */

/* Elements of an array or members of an object, in the order of the text (duplicate keys and nulls
 * are included); NULL at the end. */
const json_value *json_first(const json_value *value);
const json_value *json_next(const json_value *element);
struct text json_key(const json_value *member);

/* True and *text if value is a string, which has no NUL in it. Valid as long as the document. */
bool json_text(const json_value *value, struct text *text);

/* True and *text if value is a number: the shortest text, written into `number`, that reads back as the
 * same one. */
bool json_number_text(const json_value *value, char number[JSON_NUMBER_SIZE], struct text *text);

/* True and *integer if value is a number without a fraction and not beyond JSON_MAX_INTEGER. */
bool json_integer(const json_value *value, int64_t *integer);

#endif
