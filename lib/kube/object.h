/* object: reading the fields of a Kubernetes object.
 *
 * A row can do without almost any field. One that is absent or null reads as nothing; one of a
 * wrong type or form reads as nothing too, and is counted each time it is read. */
#ifndef LIB_OBJECT_H
#define LIB_OBJECT_H

#include "lib/base/text.h"
#include "lib/json/json.h"
#include "lib/rows/row.h"

#include <stdbool.h>
#include <stdint.h>

struct object {
    const json_value *root;     /* never NULL */
    const json_value *metadata; /* NULL if there is none */
    struct text name;           /* of the metadata; "" if absent, as the next two */
    struct text namespace;
    struct text uid;
    struct text version; /* resourceVersion; "0" if absent or empty, "" if it is no string */
    bool gone;           /* its event was DELETED */
    int64_t received_us; /* when its event arrived, microseconds since 1970 */
    uint32_t bad_fields;
    const char *first_bad_field; /* its key; NULL if there is none */
    uint32_t bad_quantities;
};

void object_init(struct object *object, const json_value *root, bool gone, int64_t received_us);

/* What is read here of an object, as paths for json_keep(); ends in NULL. */
extern const char *const object_paths[];

/* Counts a field that is of a wrong type or form. key: a string literal. */
void object_refuse(struct object *object, const char *key);

/* The member `key` of parent, if it is an object or an array; NULL if not, or if parent is NULL.
 * This and the next ones: key is a string literal. */
const json_value *object_child(struct object *object, const json_value *parent, const char *key);
const json_value *object_list(struct object *object, const json_value *parent, const char *key);

/* True and *text if it is a string; *text is "" if it is not. */
bool object_find_text(struct object *object, const json_value *parent, const char *key,
                      struct text *text);

/* The string, "" if there is none. */
struct text object_text(struct object *object, const json_value *parent, const char *key);

/* The integer, 0 if there is none. */
int64_t object_integer(struct object *object, const json_value *parent, const char *key);

/* The time, a NULL cell if there is none, if it is Go's or Unix's zero time, which stand for "never", or
 * if it is before the year 1000 and so no DATETIME. */
struct cell object_time(struct object *object, const json_value *parent, const char *key);

/* The later of two times; a NULL cell is earlier than all others. */
struct cell object_later(struct cell a, struct cell b);

/* When an object ended that does not say so itself, or did not end by itself. That is the newest of
 * `stated`, the end that its parts state (a NULL cell if they state none), and, once it is gone, its
 * deletionTimestamp: that is a deadline, which counts where it had passed when the event came. If there
 * is neither, the object ended when the event came. */
struct cell object_stopped(struct object *object, struct cell stated);

/* Whether text can be a key: 1..64 printable ASCII characters, no blanks. */
bool object_is_uid(struct text text);

/* A NULL cell for "". */
struct cell object_text_or_null(struct text text);

#endif
