/* logger: threshold, rate limit and one write for each record. */
#include "sidecar/base/logger.h"

#include "lib/base/buffer.h"
#include "sidecar/base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#define RECORD_LIMIT (1 << 20) /* bytes; all fields, each byte escaped, take less */

struct logger {
    int fd; /* borrowed */
    enum log_level level;
    enum log_format format;
    uv_mutex_t mutex; /* guards what follows, and keeps records apart that take several writes */
    struct log_limiter limiter;
    struct buffer line;
};

enum error_code logger_new(int fd, enum log_level level, enum log_format format,
                           struct logger **logger, struct error *err)
{
    struct logger *new = calloc(1, sizeof(*new));
    if (new == NULL || uv_mutex_init(&new->mutex) != 0) {
        free(new);
        return error_set(err, ERROR_NOMEM, "no memory for the log");
    }
    new->fd = fd;
    new->level = level;
    new->format = format;
    buffer_init(&new->line, RECORD_LIMIT);
    *logger = new;
    return ERROR_NONE;
}

void logger_free(struct logger *logger)
{
    if (logger == NULL)
        return;
    uv_mutex_destroy(&logger->mutex);
    buffer_fini(&logger->line);
    free(logger);
}

static void write_line(int fd, struct text line)
{
    while (line.length > 0) {
        ssize_t written = write(fd, line.data, line.length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        line.data += written;
        line.length -= (size_t)written;
    }
}

/* What happens often and is told each time: info records are rare by themselves. */
static bool is_limited(enum log_level level)
{
    return level != LOG_LEVEL_INFO;
}

void logger_write(struct logger *logger, enum log_level level, const char *message,
                  const struct log_field *fields, size_t field_count)
{
    if (level < logger->level)
        return;
    struct log_field all[LOGGER_MAX_FIELDS + 1];
    size_t count = field_count < LOGGER_MAX_FIELDS ? field_count : LOGGER_MAX_FIELDS;
    if (count > 0)
        memcpy(all, fields, count * sizeof(all[0]));

    uv_mutex_lock(&logger->mutex);
    int64_t now_us = clock_now_us();
    uint32_t suppressed = 0;
    if (!is_limited(level) || log_limiter_admit(&logger->limiter, message, now_us, &suppressed)) {
        if (suppressed > 0)
            all[count++] = log_int("suppressed", suppressed);
        buffer_reset(&logger->line);
        log_format_record(&logger->line, logger->format, now_us, level, message, all, count);
        if (!logger->line.failed)
            write_line(logger->fd, buffer_text(&logger->line));
    }
    uv_mutex_unlock(&logger->mutex);
}
