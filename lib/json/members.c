/* members: sorting and de-duplicating (see members.h). */
#include "lib/json/members.h"

#include <stdlib.h>

void members_reset(struct members *members)
{
    members->count = 0;
    members->left_out = 0;
}

void members_add(struct members *members, const json_value *object, uint32_t group)
{
    for (const json_value *value = json_first(object); value != NULL; value = json_next(value)) {
        if (members->count == MEMBERS_MAX) {
            members->left_out++;
            continue;
        }
        members->items[members->count] = (struct member){
            .key = json_key(value),
            .value = value,
            .group = group,
            .order = (uint32_t)members->count,
        };
        members->count++;
    }
}

static int compare(const void *left, const void *right)
{
    const struct member *a = left;
    const struct member *b = right;
    int order = text_compare(a->key, b->key);
    return order != 0 ? order : (a->order > b->order) - (a->order < b->order);
}

void members_sort(struct members *members)
{
    qsort(members->items, members->count, sizeof(members->items[0]), compare);
    size_t kept = 0;
    for (size_t i = 0; i < members->count; i++) {
        const struct member *last = kept > 0 ? &members->items[kept - 1] : NULL;
        bool replaces = last != NULL && last->group == members->items[i].group &&
                        text_equal(last->key, members->items[i].key);
        members->items[replaces ? kept - 1 : kept++] = members->items[i];
    }
    members->count = kept;
}
