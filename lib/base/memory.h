/* memory: small allocations succeed, or the process ends.
 *
 * What was acknowledged is in the database or the spool, so a process that ends loses nothing; one that
 * goes on without a few bytes has to be right in places that nobody can test. So the objects of the program
 * come from here, and their makers cannot fail. What is sized by input (documents, batches, buffers) does
 * not: it is checked where it is asked for, and what cannot be had is said there. */
#ifndef LIB_MEMORY_H
#define LIB_MEMORY_H

#include <stddef.h>

/* Zeroed; never NULL. Freed by free(). */
void *memory_new(size_t size) __attribute__((malloc, returns_nonnull));
void *memory_new_array(size_t count, size_t size) __attribute__((malloc, returns_nonnull));

/* A copy of the string; never NULL. */
char *memory_copy_string(const char *string) __attribute__((malloc, returns_nonnull));

/* Says on standard error what there is no memory for ("a dead letter"), and ends the process with status 1, at
 * once and without any allocation. What was not acknowledged comes again. */
_Noreturn void memory_exhausted(const char *what);

#endif
