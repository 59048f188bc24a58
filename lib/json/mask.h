/* mask: the tree of the members of a document that are read (see json_keep() in json.h). */
#ifndef LIB_MASK_H
#define LIB_MASK_H

#include "lib/base/text.h"

#include <stdbool.h>
#include <stdint.h>

#define MASK_LENGTHS 64 /* that have a bit of their own; longer ones share them */

struct mask {
    struct mask *members; /* the list of those that are read; owned, as the next one */
    struct mask *next;    /* the next member of the same object */
    bool whole;           /* all that lies below is read */
    bool any;             /* it stands for members of any key */
    uint64_t lengths;     /* a bit for each length that a member's key has, see mask_member() */
    size_t length;
    char key[]; /* with a NUL; ASCII without escapes: it is compared with the text as that stands */
};

extern const struct mask mask_whole; /* all is read */

/* Returns the root of a new tree, which has no path yet. */
struct mask *mask_new(void) __attribute__((returns_nonnull));
void mask_free(struct mask *mask);

/* Returns the mask at the end of a path ("": mask itself). What is missing of the path is added. */
struct mask *mask_reach(struct mask *mask, const char *path) __attribute__((returns_nonnull));

/* Returns whether the mask's key is `key`. The first byte is compared first, since it mostly differs. */
static inline bool mask_has_key(const struct mask *mask, struct text key)
{
    return mask->length == key.length && key.length > 0 && mask->key[0] == key.data[0] &&
           memcmp(mask->key, key.data, key.length) == 0;
}

/* Returns the mask of the member `key`; NULL if that member is not read. */
static inline const struct mask *mask_member(const struct mask *mask, struct text key)
{
    if (mask->whole)
        return mask;
    if ((mask->lengths >> (key.length & (MASK_LENGTHS - 1)) & 1) == 0)
        return NULL;
    const struct mask *member = mask->members;
    while (member != NULL && !member->any && !mask_has_key(member, key))
        member = member->next;
    return member;
}

#endif
