/* refusal: malloc, calloc and realloc that give no memory when a test says so. For programs that are
 * linked with these three wrapped. */
#ifndef TEST_FAULT_REFUSAL_H
#define TEST_FAULT_REFUSAL_H

#include <stddef.h>

#define REFUSE_ALL ((size_t)-1)

/* From now on, of the allocations of at_least bytes or more: the first `given` are given, the next
 * `refused` are refused. */
void refuse(size_t at_least, size_t given, size_t refused);

/* All are given again. Returns how many refusals had not come yet. */
size_t refuse_none(void);

/* How many refusals are still to come. */
size_t refusals_left(void);

#endif
