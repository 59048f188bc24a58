/* logger: applies the level and the rate limit, and has a thread that writes the records.
 *
 * Happy path: any thread formats its record under the lock and appends it to the queue; the writing thread
 * takes all records in the queue and writes them, one write() for each record.
 *
 * Failure modes:
 *   nobody reads standard error   the writing thread waits in write(), no other thread does; when the
 *                                 queue is full, records are dropped and counted; when the writing goes
 *                                 on, a record says how many were dropped
 *   a write fails                 the record is lost
 *   nobody reads at the end       logger_free() waits FLUSH_MS for what is queued; then it leaves the thread
 *                                 behind, which frees the logger if its write ever returns
 */
#include "sidecar/base/logger.h"

#include "lib/base/buffer.h"
#include "lib/base/memory.h"
#include "sidecar/base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#define RECORD_LIMIT (1 << 20) /* bytes; all fields, each byte escaped, take less */
#define QUEUE_LIMIT  RECORD_LIMIT
#define NOTE_LIMIT   1024 /* bytes of the record that tells of those that were dropped */
#define FLUSH_MS     1000

struct logger {
    int fd; /* borrowed */
    enum log_level level;
    enum log_format format;
    uv_thread_t thread;
    struct buffer writing; /* the thread's own */

    uv_mutex_t mutex; /* guards what follows */
    uv_cond_t changed;
    struct log_limiter limiter;
    struct buffer line;
    struct buffer queue; /* whole records */
    uint64_t dropped;
    uint64_t told; /* of those that were dropped */
    bool busy;     /* the thread writes */
    bool closing;
    bool abandoned; /* the thread is the last one to use it */
};

static void free_logger(struct logger *logger)
{
    uv_cond_destroy(&logger->changed);
    uv_mutex_destroy(&logger->mutex);
    buffer_fini(&logger->writing);
    buffer_fini(&logger->queue);
    buffer_fini(&logger->line);
    free(logger);
}

/* ---- the thread ------------------------------------------------------------------------------ */

/* Each record is one write(), so that no other process that writes to the same pipe writes into a record. If a
 * write fails, the record is lost. */
static void write_records(int fd, struct text records)
{
    while (records.length > 0) {
        const char *end = memchr(records.data, '\n', records.length);
        size_t left = end != NULL ? (size_t)(end - records.data) + 1 : records.length;
        while (left > 0) {
            ssize_t written = write(fd, records.data, left);
            if (written < 0 && errno == EINTR)
                continue;
            size_t done = written > 0 ? (size_t)written : left;
            records = text_skip(records, done);
            left -= done;
        }
    }
}

static void logger_main(void *argument)
{
    struct logger *logger = argument;
    uv_mutex_lock(&logger->mutex);
    while (!logger->abandoned && (logger->queue.length > 0 || !logger->closing)) {
        if (logger->queue.length == 0) {
            uv_cond_broadcast(&logger->changed); /* for logger_flush() */
            uv_cond_wait(&logger->changed, &logger->mutex);
            continue;
        }
        if (logger->dropped > logger->told) { /* at the end, as they came after the queued ones */
            const struct log_field count =
                log_int("records", (int64_t)(logger->dropped - logger->told));
            log_format_record(&logger->queue, logger->format, clock_now_us(), LOG_LEVEL_WARN,
                              "records of the log were dropped: nobody read standard error", &count,
                              1);
            logger->told = logger->dropped;
        }
        struct buffer taken = logger->queue;
        logger->queue = logger->writing;
        logger->writing = taken;
        logger->busy = true;
        uv_mutex_unlock(&logger->mutex);
        write_records(logger->fd, buffer_text(&logger->writing));
        buffer_reset(&logger->writing);
        uv_mutex_lock(&logger->mutex);
        logger->busy = false;
    }
    bool abandoned = logger->abandoned;
    uv_mutex_unlock(&logger->mutex);
    if (!abandoned)
        return;
    pthread_detach(pthread_self());
    free_logger(logger);
}

/* ---- everybody else -------------------------------------------------------------------------- */

enum error_code logger_new(int fd, enum log_level level, enum log_format format,
                           struct logger **result, struct error *err)
{
    struct logger *logger = memory_new(sizeof(*logger));
    if (uv_mutex_init(&logger->mutex) != 0 || uv_cond_init(&logger->changed) != 0)
        memory_exhausted("the log");
    logger->fd = fd;
    logger->level = level;
    logger->format = format;
    buffer_init(&logger->line, RECORD_LIMIT);
    buffer_init(&logger->queue, QUEUE_LIMIT + NOTE_LIMIT);
    buffer_init(&logger->writing, QUEUE_LIMIT + NOTE_LIMIT);
    int status = uv_thread_create(&logger->thread, logger_main, logger);
    if (status != 0) {
        free_logger(logger);
        return error_set(err, ERROR_AGAIN, "a thread for the log: %s", uv_strerror(status));
    }
    *result = logger;
    return ERROR_NONE;
}

void logger_flush(struct logger *logger)
{
    const uint64_t end = uv_hrtime() + UINT64_C(1000000) * FLUSH_MS;
    uv_mutex_lock(&logger->mutex);
    uint64_t now;
    while ((logger->busy || logger->queue.length > 0) && (now = uv_hrtime()) < end)
        uv_cond_timedwait(&logger->changed, &logger->mutex, end - now);
    uv_mutex_unlock(&logger->mutex);
}

void logger_free(struct logger *logger)
{
    if (logger == NULL)
        return;
    logger_flush(logger);
    uv_mutex_lock(&logger->mutex);
    logger->closing = true;
    bool abandoned = logger->busy;
    logger->abandoned = abandoned;
    uv_cond_broadcast(&logger->changed);
    uv_mutex_unlock(&logger->mutex);
    if (abandoned)
        return;
    uv_thread_join(&logger->thread);
    free_logger(logger);
}

uint64_t logger_dropped(struct logger *logger)
{
    uv_mutex_lock(&logger->mutex);
    uint64_t dropped = logger->dropped;
    uv_mutex_unlock(&logger->mutex);
    return dropped;
}

static void enqueue(struct logger *logger)
{
    if (logger->line.failed || logger->queue.length + logger->line.length > QUEUE_LIMIT) {
        logger->dropped++;
        return;
    }
    buffer_append(&logger->queue, buffer_text(&logger->line));
    logger->dropped += logger->queue.failed;
    logger->queue.failed = false;
    uv_cond_broadcast(&logger->changed);
}

static void log_record(struct logger *logger, enum log_level level, bool limited,
                       const char *message, const struct log_field *fields, size_t field_count)
{
    if (level < logger->level)
        return;
    struct log_field all[LOGGER_MAX_FIELDS + 1];
    size_t count = field_count < LOGGER_MAX_FIELDS ? field_count : LOGGER_MAX_FIELDS;
    if (count > 0)
        memcpy(all, fields, count * sizeof(all[0]));

    const uint32_t burst = level == LOG_LEVEL_INFO ? LOG_BURST_INFO : LOG_BURST;
    uint32_t suppressed = 0;
    uv_mutex_lock(&logger->mutex);
    if (!limited ||
        log_limiter_admit(&logger->limiter, message, burst, clock_steady_us(), &suppressed)) {
        if (suppressed > 0)
            all[count++] = log_int("suppressed", suppressed);
        buffer_reset(&logger->line);
        log_format_record(&logger->line, logger->format, clock_now_us(), level, message, all,
                          count);
        enqueue(logger);
    }
    uv_mutex_unlock(&logger->mutex);
}

void logger_write(struct logger *logger, enum log_level level, const char *message,
                  const struct log_field *fields, size_t field_count)
{
    log_record(logger, level, true, message, fields, field_count);
}

void logger_write_always(struct logger *logger, enum log_level level, const char *message,
                         const struct log_field *fields, size_t field_count)
{
    log_record(logger, level, false, message, fields, field_count);
}
