/* source_listen: unix-listen:PATH, producers connect to us.
 *
 * Happy path: start() makes the socket file. Each producer is accepted, and read until it ends its stream.
 * The socket file is removed at the end.
 *
 * Failure modes:
 *   more than max_connections producers       the connection that has been silent longest, if that is at
 *                                             least SOURCE_SILENT_MS, is ended to make room; what its
 *                                             producer has sent is delivered. While there is none,
 *                                             further producers wait in the kernel's backlog
 *   accept fails (too many open files)        it is tried again when a connection ends, and each second
 *   the socket file is removed or replaced    a timer notices it within a second: the file is made again,
 *                                             unless another process listens there by now; open
 *                                             connections stay
 *   the socket cannot be made                 start() fails (socket_file says why) */
#include "lib/base/memory.h"
#include "sidecar/base/logger.h"
#include "sidecar/source/socket_file.h"
#include "sidecar/source/source_base.h"
#include "sidecar/source/source_kinds.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define RETRY_MS 1000
#define LOOK_MS  1000

/* uv_listen() is not used: when the process has too many open files, it accepts and drops the connections
 * that wait, or loops for ever; and at the end it removes the socket file even if it is another process's. */
struct source_listen {
    struct source_base base;
    struct socket_file file;
    uv_poll_t listener; /* polls file.fd; initialised by start() */
    uv_timer_t retry;   /* accept is tried again when it fires */
    uv_timer_t look;    /* checks each second whether the file is still there */
    bool said;          /* it was logged that the file is gone and can't be made again */
    struct source_connection_list unused;
    size_t max_connections;
    const char *path; /* it is in the same memory, after the connections */
    struct source_connection connections[];
};

static void on_connectable(uv_poll_t *listener, int status, int events);

static void listen_again(struct source_listen *self)
{
    uv_poll_start(&self->listener, UV_READABLE, on_connectable);
}

/* Returns the file descriptor of a connection, or -errno. */
static int accept_next(const struct source_listen *self)
{
    int fd;
    do
        fd = accept4(self->file.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
    return fd >= 0 ? fd : -errno;
}

static void open_connection(struct source_listen *self, int fd)
{
    struct source_connection *connection = TAILQ_FIRST(&self->unused);
    TAILQ_REMOVE(&self->unused, connection, entry);
    uv_pipe_init(self->base.loop, &connection->handle.pipe, 0);
    source_connection_init(connection, &self->base, source_connection_read_stream);
    int status = uv_pipe_open(&connection->handle.pipe, fd);
    if (status == 0) {
        source_connection_open(connection);
    } else {
        close(fd);
        source_connection_abandon(connection, status);
    }
}

static void on_retry(uv_timer_t *timer)
{
    listen_again(timer->data);
}

/* error is -errno, which is also libuv's error. */
static void on_accept_failed(struct source_listen *self, int error)
{
    LOG(self->base.logger, WARN, "cannot accept a producer: trying again",
        log_string("path", self->path), log_string("error", uv_strerror(error)));
    uv_poll_stop(&self->listener);
    uv_timer_start(&self->retry, on_retry, RETRY_MS, 0);
}

/* All connections are in use: ends the most silent one, or waits until one has been silent for long enough.
 * gone() starts to listen again when a connection has ended. */
static void make_room(struct source_listen *self)
{
    struct source_base *base = &self->base;
    uint64_t silent_ms = 0;
    struct source_connection *connection = source_base_most_silent(base, &silent_ms);
    uv_poll_stop(&self->listener);
    if (connection == NULL || silent_ms < SOURCE_SILENT_MS) {
        LOG(base->logger, WARN, "too many producers: further ones have to wait",
            log_string("path", self->path), log_int("connections", (int64_t)self->max_connections));
        uv_timer_start(&self->retry, on_retry, SOURCE_SILENT_MS - silent_ms, 0);
        return;
    }
    LOG(base->logger, WARN, "too many producers: the one that was silent longest makes room",
        log_string("path", self->path), log_int("connection", (int64_t)connection->shared.id),
        log_int("silent_ms", (int64_t)silent_ms));
    if (base->events.evicted != NULL)
        base->events.evicted(base->events.context, &connection->shared);
    source_connection_end(connection);
}

static void on_connectable(uv_poll_t *listener, int status, int events)
{
    struct source_listen *self = listener->data;

    (void)events;
    if (status >= 0 && TAILQ_EMPTY(&self->unused) && !self->base.finishing)
        make_room(self);
    while (status >= 0 && !TAILQ_EMPTY(&self->unused)) {
        status = accept_next(self);
        if (status >= 0)
            open_connection(self, status);
    }
    if (status < 0 && status != -EAGAIN)
        on_accept_failed(self, status);
}

/* The producers that wait for the old socket are accepted first. */
static void make_file_again(struct source_listen *self)
{
    struct error err;
    on_connectable(&self->listener, 0, UV_READABLE);
    uv_poll_stop(&self->listener);
    enum error_code code = socket_file_renew(&self->file, &err);
    if (code == ERROR_NONE)
        LOG(self->base.logger, WARN, "the socket file was removed: it is made again",
            log_string("path", self->path));
    else if (!self->said)
        LOG(self->base.logger, ERROR,
            "the socket file was removed, and cannot be made again for now: no producer can "
            "connect",
            log_string("error", err.text));
    self->said = code != ERROR_NONE;
    listen_again(self);
}

static void on_look(uv_timer_t *timer)
{
    struct source_listen *self = timer->data;
    if (!socket_file_is_there(&self->file))
        make_file_again(self);
}

static enum error_code start(struct source_base *base, struct error *err)
{
    struct source_listen *self = (struct source_listen *)base;
    enum error_code code = socket_file_open(&self->file, self->path, err);
    if (code != ERROR_NONE)
        return code;
    int status = uv_poll_init(base->loop, &self->listener, self->file.fd);
    if (status != 0) {
        socket_file_close(&self->file);
        return error_set(err, ERROR_OPERATOR, "cannot wait for producers on %s: %s", self->path,
                         uv_strerror(status));
    }
    self->listener.data = self;
    uv_timer_start(&self->look, on_look, LOOK_MS, LOOK_MS);
    listen_again(self);
    return ERROR_NONE;
}

static void gone(struct source_connection *connection)
{
    struct source_listen *self = (struct source_listen *)connection->base;
    TAILQ_INSERT_HEAD(&self->unused, connection, entry);
    listen_again(self);
}

static void close_listener(struct source_listen *self)
{
    if (self->file.fd >= 0)
        source_base_close_handle(&self->base, (uv_handle_t *)&self->listener);
    socket_file_close(&self->file);
}

/* The producers that wait in the backlog are accepted first: they may have sent documents already. */
static void finish(struct source_base *base)
{
    struct source_listen *self = (struct source_listen *)base;
    on_connectable(&self->listener, 0, UV_READABLE);
    uv_timer_stop(&self->retry);
    uv_timer_stop(&self->look);
    close_listener(self);
}

static void stop(struct source_base *base)
{
    struct source_listen *self = (struct source_listen *)base;
    source_base_close_handle(base, (uv_handle_t *)&self->retry);
    source_base_close_handle(base, (uv_handle_t *)&self->look);
    close_listener(self);
}

static const struct source_kind kind = {
    .answers = true, .start = start, .gone = gone, .finish = finish, .stop = stop};

struct source *source_listen_new(uv_loop_t *loop, const struct source_settings *settings,
                                 const char *path)
{
    size_t path_size = strlen(path) + 1;
    size_t count = settings->max_connections;
    struct source_listen *self =
        memory_new(sizeof(*self) + count * sizeof(self->connections[0]) + path_size);
    source_base_init(&self->base, &kind, loop, settings);
    self->file.fd = -1;
    uv_timer_init(loop, &self->retry);
    self->retry.data = self;
    uv_timer_init(loop, &self->look);
    self->look.data = self;
    TAILQ_INIT(&self->unused);
    self->max_connections = count;
    for (size_t i = 0; i < count; i++)
        TAILQ_INSERT_TAIL(&self->unused, &self->connections[i], entry);
    self->path = memcpy(&self->connections[count], path, path_size);
    return &self->base.source;
}
