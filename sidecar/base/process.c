/* process: reads the figures from the kernel. */
#include "sidecar/base/process.h"

#include <dirent.h>
#include <math.h>
#include <stddef.h>
#include <sys/resource.h>
#include <time.h>
#include <uv.h>

struct process_usage process_usage(void)
{
    struct process_usage usage = {NAN, NAN, NAN, NAN};
    struct timespec used;
    struct rlimit limit;
    size_t bytes;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0)
        usage.cpu_seconds = (double)used.tv_sec + (double)used.tv_nsec / 1e9;
    if (uv_resident_set_memory(&bytes) == 0)
        usage.resident_bytes = (double)bytes;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        usage.max_fds = limit.rlim_cur == RLIM_INFINITY ? INFINITY : (double)limit.rlim_cur;
    DIR *directory = opendir("/proc/self/fd");
    if (directory != NULL) {
        usage.open_fds = -3; /* ".", ".." and the directory itself do not count */
        while (readdir(directory) != NULL)
            usage.open_fds++;
        closedir(directory);
    }
    return usage;
}
