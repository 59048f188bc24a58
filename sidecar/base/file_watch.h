/* file_watch: tells when one of a few files has changed: secrets and certificates that are renewed
 * while the process runs. */
#ifndef SIDECAR_FILE_WATCH_H
#define SIDECAR_FILE_WATCH_H

#include "lib/base/error.h"

#include <stddef.h>
#include <uv.h>

struct file_watch;

/* Looks at the files every interval_ms, through all symbolic links, and calls changed() on the loop thread
 * when a file has changed, is new or was replaced (kubelet replaces a symbolic link to a directory). Paths
 * that are "" are left out; if no path is left, *watch is NULL. The paths must live as long as the watch. */
enum error_code file_watch_new(uv_loop_t *loop, unsigned interval_ms, const char *const *paths,
                               size_t count, void (*changed)(void *context, const char *path),
                               void *context, struct file_watch **watch,
                               struct error *err) MUST_CHECK;

/* Closes every handle; the watch is freed when the loop runs next. changed() is not called any more. */
void file_watch_close(struct file_watch *watch);

#endif
