/* nearest: which of several names somebody has probably meant who has written a word that is none of them. */
#ifndef LIB_NEAREST_H
#define LIB_NEAREST_H

#include "lib/base/text.h"

#include <stddef.h>

struct nearest {
    struct text word; /* what was written; borrowed */
    const char *name; /* the nearest name so far; NULL: none is near enough */
    size_t distance;  /* from the word to it */
};

struct nearest nearest_to(struct text word);

/* Compares the name, which is borrowed, with the word. A name is near if the word is its beginning, or if one
 * edit (a letter that is missing, added, wrong, or swapped with its neighbour) for every three letters makes
 * the one of the other. Of two names that are equally near the first one stays. Upper case counts as lower
 * case. */
void nearest_try(struct nearest *nearest, const char *name);

#endif
