/* memory: the last line of a process, without any allocation. */
#include "sidecar/base/memory.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_MS 1000 /* with a reader of standard error that does not read */

void memory_exhausted(const char *what)
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
