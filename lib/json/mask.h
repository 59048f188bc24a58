/* mask: which members of a document are read (see json_keep in json.h), as the tree that the paths
 * make. */
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

/* The root, with no path yet. */
struct mask *mask_new(void) __attribute__((returns_nonnull));
void mask_free(struct mask *mask);

/* The mask at the end of a path ("": mask itself), which is added where it is not there yet. */
struct mask *mask_reach(struct mask *mask, const char *path) __attribute__((returns_nonnull));

/* The first byte is compared first, since it differs nearly always. */
static inline bool mask_has_key(const struct mask *mask, struct text key)
{
    return mask->length == key.length && key.length > 0 && mask->key[0] == key.data[0] &&
           memcmp(mask->key, key.data, key.length) == 0;
}

/* The mask of the member `key`; NULL if that is not read. */
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
