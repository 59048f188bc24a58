/* spool_directory: see spool_directory.h. */
#include "test/support/spool_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

void spool_directory_make(char *directory, size_t size)
{
    const char *parent = getenv("TMPDIR");
    snprintf(directory, size, "%s/kubedl-t-XXXXXX", parent != NULL ? parent : "/tmp");
    assert_non_null(mkdtemp(directory));
}

void spool_directory_remove(const char *directory)
{
    DIR *entries = opendir(directory);
    assert_non_null(entries);
    for (const struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries))
        unlinkat(dirfd(entries), entry->d_name, 0); /* fails for "." and "..", as it should */
    closedir(entries);
    assert_int_equal(rmdir(directory), 0);
}
