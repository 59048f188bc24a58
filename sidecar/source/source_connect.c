/* source_connect: unix:PATH, tails the socket that a producer listens on.
 *
 * Happy path: it connects, reads until the producer ends the stream, and connects again after a moment.
 *
 * Failure modes:
 *   nobody listens, no such file, no permission   it tries again with back-off for ever; this is logged
 *                                                 once for each outage, and when the reason changes
 *   connected, but the stream ends at once        it connects again with back-off, which only bytes that
 *                                                 come reset, unless they are no JSON
 *   the source is closed while it connects        libuv cancels the request */
#include "lib/base/backoff.h"
#include "lib/base/memory.h"
#include "sidecar/base/logger.h"
#include "sidecar/source/source_base.h"
#include "sidecar/source/source_kinds.h"

#include <unistd.h>

#define RETRY_FIRST_MS   100
#define RETRY_CEILING_MS 5000

struct source_connect {
    struct source_base base;
    struct source_connection connection; /* there is one at a time */
    uv_connect_t request;
    uv_timer_t retry;
    struct backoff backoff;
    int trouble; /* libuv's error that was logged for the present outage; 0: there is none */
    char path[]; /* ends in NUL */
};

static const char *advice(int error)
{
    switch (error) {
    case UV_ENOENT:
        return "the producer has not made the socket yet, or its volume is not mounted here";
    case UV_ECONNREFUSED:
        return "nobody listens on it: the producer is not ready or has ended, or the file is no "
               "socket";
    case UV_EACCES:
    case UV_EPERM:
        return "this user needs write permission on the socket and search permission on its path";
    case UV_EPROTOTYPE:
        return "it must be a stream socket";
    case UV_EAGAIN:
        return "the producer does not accept connections";
    default:
        return "trying again";
    }
}

static void log_failure(struct source_connect *self, int error, uint32_t retry_ms)
{
    if (error == self->trouble) {
        LOG(self->base.logger, DEBUG, "still cannot connect to the event socket",
            log_string("path", self->path), log_int("retry_ms", retry_ms));
        return;
    }
    self->trouble = error;
    LOG(self->base.logger, WARN, "cannot connect to the event socket: trying until it works",
        log_string("path", self->path), log_string("error", uv_strerror(error)),
        log_string("advice", advice(error)), log_int("uid", (int64_t)geteuid()),
        log_int("retry_ms", retry_ms));
}

static void on_connected(uv_connect_t *request, int status)
{
    struct source_connect *self = request->data;
    if (status == UV_ECANCELED) /* the source closes */
        return;
    if (status != 0) {
        source_connection_abandon(&self->connection, status);
        return;
    }
    self->trouble = 0;
    source_connection_open(&self->connection);
}

static void connect_to_producer(struct source_connect *self)
{
    uv_pipe_init(self->base.loop, &self->connection.handle.pipe, 0);
    source_connection_init(&self->connection, &self->base, source_connection_read_stream);
    self->request.data = self;
    uv_pipe_connect(&self->request, &self->connection.handle.pipe, self->path, on_connected);
}

static void on_retry(uv_timer_t *timer)
{
    connect_to_producer(timer->data);
}

static enum error_code start(struct source_base *base, struct error *err)
{
    (void)err;
    connect_to_producer((struct source_connect *)base);
    return ERROR_NONE;
}

static void gone(struct source_connection *connection)
{
    struct source_connect *self = (struct source_connect *)connection->base;
    uint32_t random = 0;

    if (connection->received > 0 && !connection->shared.refused)
        backoff_reset(&self->backoff);
    (void)uv_random(NULL, NULL, &random, sizeof(random), 0, NULL); /* on failure: no jitter */
    uint32_t retry_ms = backoff_next_ms(&self->backoff, random);
    if (connection->shared.id == 0)
        log_failure(self, connection->end, retry_ms);
    uv_timer_start(&self->retry, on_retry, retry_ms, 0);
}

static void finish(struct source_base *base)
{
    struct source_connect *self = (struct source_connect *)base;
    uv_timer_stop(&self->retry);
}

static void stop(struct source_base *base)
{
    struct source_connect *self = (struct source_connect *)base;
    source_base_close_handle(base, (uv_handle_t *)&self->retry);
}

static const struct source_kind kind = {
    .answers = true, .start = start, .gone = gone, .finish = finish, .stop = stop};

struct source *source_connect_new(uv_loop_t *loop, const struct source_settings *settings,
                                  const char *path)
{
    size_t path_size = strlen(path) + 1;
    struct source_connect *self = memory_new(sizeof(*self) + path_size);
    source_base_init(&self->base, &kind, loop, settings);
    uv_timer_init(loop, &self->retry);
    self->retry.data = self;
    self->backoff = (struct backoff){.first_ms = RETRY_FIRST_MS, .ceiling_ms = RETRY_CEILING_MS};
    memcpy(self->path, path, path_size);
    return &self->base.source;
}
