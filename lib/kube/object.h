/* object: reads the fields of a Kubernetes object.
 *
 * A row can do without almost any field, so reading never fails. A field that is absent or null gives an
 * empty value. A field of a wrong type or form gives an empty value, too, and is counted each time it is
 * read.
 *
 * All texts and values point into the JSON document that the object was read from. */
#ifndef LIB_OBJECT_H
#define LIB_OBJECT_H

#include "lib/base/text.h"
#include "lib/json/json.h"
#include "lib/rows/row.h"

#include <stdbool.h>
#include <stdint.h>

struct object {
    const json_value *root;     /* the whole object */
    const json_value *metadata; /* its metadata; NULL if there is none */
    struct text name;           /* metadata.name; "" if it is absent */
    struct text namespace;      /* metadata.namespace; "" if it is absent */
    struct text uid;            /* metadata.uid; "" if it is absent */
    struct text version; /* its resourceVersion; "0" if absent or empty, "" if it is no string */
    bool gone;           /* its event was DELETED */
    int64_t received_us; /* when its event arrived, in microseconds since 1970 */
    uint32_t bad_fields; /* how often a field of a wrong type or form was read */
    const char *first_bad_field; /* the key of the first one, a literal; NULL if there is none */
    uint32_t bad_quantities;     /* resource quantities that do not parse (lib/kube/requirements) */
};

/* root: the object, borrowed. gone, received_us: as in struct object. */
void object_init(struct object *object, const json_value *root, bool gone, int64_t received_us);

/* What object_init() and object_stopped() read of an object, as paths for json_keep(); ends in NULL. */
extern const char *const object_paths[];

/* Counts the field `key`, which is of a wrong type or form. key: a string literal, here and below. */
void object_refuse(struct object *object, const char *key);

/* Return the member `key` of parent if it is an object (object_child) or an array (object_list), else NULL.
 * parent may be NULL, here and below; it then has no members. */
const json_value *object_child(struct object *object, const json_value *parent, const char *key);
const json_value *object_list(struct object *object, const json_value *parent, const char *key);

/* True if the member is a string, which *text then is; else *text is "". */
bool object_find_text(struct object *object, const json_value *parent, const char *key,
                      struct text *text);

/* Returns the member if it is a string; else "". */
struct text object_text(struct object *object, const json_value *parent, const char *key);

/* Returns the member if it is an integer; else 0. */
int64_t object_integer(struct object *object, const json_value *parent, const char *key);

/* Returns the member if it is a time in RFC 3339; else a NULL cell. Go's and Unix's zero times stand for "never"
 * and give a NULL cell, too. A time before the year 1000 does not fit DATETIME and counts as malformed. */
struct cell object_time(struct object *object, const json_value *parent, const char *key);

/* Returns the later of two times; a NULL cell is earlier than all others. */
struct cell object_later(struct cell a, struct cell b);

/* Returns the end of an object that does not state its end itself, or was stopped. stated: the end that its parts
 * state, or a NULL cell. Once the object is gone, the end is the later one of `stated` and its
 * deletionTimestamp; that is a deadline, and so counts only if it had passed when the event was received.
 * If neither is known, the object ended when the event was received. */
struct cell object_stopped(struct object *object, struct cell stated);

/* True if text can be the key of a row: it has 1 to 64 printable characters of ASCII, and no blanks. */
bool object_is_uid(struct text text);

/* Returns a cell with the text; a NULL cell for "". */
struct cell object_text_or_null(struct text text);

#endif
