/* memory: small allocations succeed, or the process ends.
 *
 * Acknowledged documents are in the database or the spool, so a process that ends loses nothing, whereas a
 * process that goes on without a few bytes needs error paths that nobody can test. So the program's objects
 * are allocated here, and the functions that make them cannot fail. Memory whose size depends on input
 * (documents, batches, buffers) is not allocated here: each such allocation is checked where it is made. */
#ifndef LIB_MEMORY_H
#define LIB_MEMORY_H

#include <stddef.h>

/* Returns zeroed memory, never NULL. The caller frees it by free(). */
void *memory_new(size_t size) __attribute__((malloc, returns_nonnull));
void *memory_new_array(size_t count, size_t size) __attribute__((malloc, returns_nonnull));

/* Returns a copy of the string, never NULL. The caller frees it by free(). */
char *memory_copy_string(const char *string) __attribute__((malloc, returns_nonnull));

/* Says on standard error what there is no memory for ("a dead letter"), and ends the process with status 1
 * without any allocation. Documents that were not acknowledged are sent again to the next process. */
_Noreturn void memory_exhausted(const char *what);

#endif
