/* mask: the tree that the paths make (see mask.h). */
#include "lib/json/mask.h"

#include "lib/base/invariant.h"
#include "lib/base/memory.h"

#include <stdlib.h>

const struct mask mask_whole = {.whole = true};

static struct mask *new_mask(struct text key)
{
    struct mask *mask = memory_new(sizeof(*mask) + key.length + 1);
    mask->any = text_is(key, "*");
    mask->length = key.length;
    memcpy(mask->key, key.data, key.length);
    return mask;
}

struct mask *mask_new(void)
{
    return new_mask(TEXT(""));
}

/* The recursion is as deep as the longest path. */
void mask_free(struct mask *mask)
{
    while (mask != NULL) {
        struct mask *next = mask->next;
        mask_free(mask->members);
        free(mask);
        mask = next;
    }
}

static struct mask *find_or_add(struct mask *mask, struct text key)
{
    struct mask **end = &mask->members;
    for (; *end != NULL; end = &(*end)->next) {
        if (text_equal(key, (struct text){(*end)->key, (*end)->length}))
            return *end;
        invariant(!(*end)->any && !text_is(key, "*"));
    }
    *end = new_mask(key);
    mask->lengths |= (*end)->any ? UINT64_MAX : UINT64_C(1) << key.length % MASK_LENGTHS;
    return *end;
}

struct mask *mask_reach(struct mask *mask, const char *path)
{
    while (*path != '\0') {
        size_t length = strcspn(path, " ");
        mask = find_or_add(mask, (struct text){path, length});
        path += length;
        if (*path == ' ')
            path++;
    }
    return mask;
}
