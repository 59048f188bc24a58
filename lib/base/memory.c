/* memory: ends the process where there is none (see memory.h). */
#include "lib/base/memory.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_MS 1000 /* with a reader of standard error that does not read */

/* This is the only function in lib/ that touches the world outside: it may, since the process ends with it. */
_Noreturn void memory_exhausted(const char *what)
{
    char line[256];
    struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
    (void)snprintf(
        line, sizeof(line),
        "kubedl-shipper: no memory for %s: the process ends, to be started again; raise the "
        "memory limit of its container\n",
        what);
    if (poll(&ready, 1, PATIENCE_MS) == 1)
        (void)!write(STDERR_FILENO, line, strlen(line));
    _exit(1);
}

void *memory_new(size_t size)
{
    return memory_new_array(1, size);
}

void *memory_new_array(size_t count, size_t size)
{
    void *memory = calloc(count > 0 ? count : 1, size);
    if (memory == NULL)
        memory_exhausted("an object");
    return memory;
}

char *memory_copy_string(const char *string)
{
    size_t size = strlen(string) + 1;
    char *copy = memory_new(size);
    memcpy(copy, string, size);
    return copy;
}
