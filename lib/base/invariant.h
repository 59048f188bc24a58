/* invariant: what must be true whatever the input. If it is not, the program itself is wrong, and
 * stopping at once is the only thing that cannot make it worse. Never used for input. */
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
