/* spool_directory: a directory for a spool, for tests. */
#ifndef TEST_UNIT_SPOOL_DIRECTORY_H
#define TEST_UNIT_SPOOL_DIRECTORY_H

#include <stddef.h>

/* Makes one, and writes its name to directory. */
void spool_directory_make(char *directory, size_t size);

/* Removes it with the files in it. */
void spool_directory_remove(const char *directory);

#endif
