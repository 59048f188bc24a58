/* file_watch: one uv_fs_poll for each file, since inotify does not notice a change behind several links. */
#include "sidecar/base/file_watch.h"

#include "lib/base/memory.h"

#include <stdlib.h>

struct one_file {
    struct file_watch *watch;
    const char *path;
    uv_fs_poll_t poll;
};

struct file_watch {
    void (*changed)(void *context, const char *path);
    void *context;
    size_t count; /* handles that are not closed yet */
    struct one_file files[];
};

static void on_closed(uv_handle_t *handle)
{
    struct file_watch *watch = ((struct one_file *)handle->data)->watch;
    if (--watch->count == 0)
        free(watch);
}

/* status < 0: the file is gone or does not exist yet, so that there is nothing to read. */
static void on_change(uv_fs_poll_t *poll, int status, const uv_stat_t *before,
                      const uv_stat_t *after)
{
    const struct one_file *file = poll->data;
    (void)before;
    (void)after;
    if (status == 0)
        file->watch->changed(file->watch->context, file->path);
}

enum error_code file_watch_new(uv_loop_t *loop, unsigned interval_ms, const char *const *paths,
                               size_t count, void (*changed)(void *context, const char *path),
                               void *context, struct file_watch **result, struct error *err)
{
    size_t wanted = 0;
    for (size_t i = 0; i < count; i++)
        wanted += paths[i][0] != '\0';
    *result = NULL;
    if (wanted == 0)
        return ERROR_NONE;
    struct file_watch *watch = memory_new(sizeof(*watch) + wanted * sizeof(watch->files[0]));
    watch->changed = changed;
    watch->context = context;
    for (size_t i = 0; i < count; i++) {
        if (paths[i][0] == '\0')
            continue;
        struct one_file *file = &watch->files[watch->count++];
        *file = (struct one_file){.watch = watch, .path = paths[i]};
        uv_fs_poll_init(loop, &file->poll);
        file->poll.data = file;
        int status = uv_fs_poll_start(&file->poll, on_change, paths[i], interval_ms);
        if (status != 0) {
            file_watch_close(watch);
            return error_set(err, ERROR_AGAIN, "watching %s: %s", paths[i], uv_strerror(status));
        }
    }
    *result = watch;
    return ERROR_NONE;
}

void file_watch_close(struct file_watch *watch)
{
    if (watch == NULL)
        return;
    for (size_t i = 0; i < watch->count; i++)
        uv_close((uv_handle_t *)&watch->files[i].poll, on_closed);
}
