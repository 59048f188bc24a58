/* process: figures from the kernel. */
#include "sidecar/base/process.h"

#include <dirent.h>
#include <math.h>
#include <stddef.h>
#include <sys/resource.h>
#include <time.h>
#include <uv.h>

static double cpu_seconds(void)
{
    struct timespec used;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0)
        return NAN;
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static double resident_bytes(void)
{
    size_t bytes;
    return uv_resident_set_memory(&bytes) == 0 ? (double)bytes : NAN;
}

static double open_fds(void)
{
    DIR *directory = opendir("/proc/self/fd");
    if (directory == NULL)
        return NAN;
    int count = -3; /* ".", ".." and the directory itself */
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static double max_fds(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return NAN;
    return limit.rlim_cur == RLIM_INFINITY ? INFINITY : (double)limit.rlim_cur;
}

struct process_usage process_usage(void)
{
    return (struct process_usage){
        .cpu_seconds = cpu_seconds(),
        .resident_bytes = resident_bytes(),
        .open_fds = open_fds(),
        .max_fds = max_fds(),
    };
}
