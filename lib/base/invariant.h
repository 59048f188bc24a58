/* invariant: ends the program where something is not true that must be true whatever the input is. Then the
 * program itself is wrong, and only an end at once cannot make it worse. Input is never checked by it. */
#ifndef LIB_INVARIANT_H
#define LIB_INVARIANT_H

#include <stdbool.h>
#include <stdlib.h>

static inline void invariant(bool holds)
{
    if (!holds)
        abort();
}

#endif
