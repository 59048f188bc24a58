/* members: members of JSON objects in the order in which Go prints a map.
 *
 * Add one or more objects, sort, read items[0..count): sorted by the bytes of the key, equal keys
 * as they were added. Of duplicate keys within one object the last one is left. */
#ifndef LIB_MEMBERS_H
#define LIB_MEMBERS_H

#include "lib/base/text.h"
#include "lib/json/json.h"

#include <stddef.h>
#include <stdint.h>

/* Far more than any real object has. */
#define MEMBERS_MAX 4096

struct member {
    struct text key;
    const json_value *value; /* a null is a member too */
    uint32_t group;          /* the number of the object that it is from */
    uint32_t order;          /* its place among all that were added */
};

struct members {
    size_t count;
    size_t left_out; /* members beyond MEMBERS_MAX: they are not kept */
    struct member items[MEMBERS_MAX];
};

void members_reset(struct members *members);

/* Appends the members of object; NULL has none. Keys and values are borrowed from the document. Each object
 * needs a group of its own. */
void members_add(struct members *members, const json_value *object, uint32_t group);

void members_sort(struct members *members);

#endif
