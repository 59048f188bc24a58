/* memory: ends the process where there is none (see memory.h). */
#include "lib/base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The only place in lib that touches the world outside, since it is the last thing that is done. */
_Noreturn void memory_exhausted(void)
{
    static const char text[] = "kubedl-shipper: out of memory: raise the container's limit, or "
                               "lower OUTBOX_MAX_BYTES; what was"
                               " acknowledged is in the database or the spool\n";
    ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);
    (void)written;
    abort();
}

void *memory_new(size_t size)
{
    return memory_new_array(1, size);
}

void *memory_new_array(size_t count, size_t size)
{
    void *memory = calloc(count > 0 ? count : 1, size);
    if (memory == NULL)
        memory_exhausted();
    return memory;
}

char *memory_copy_string(const char *string)
{
    size_t size = strlen(string) + 1;
    char *copy = memory_new(size);
    memcpy(copy, string, size);
    return copy;
}
