/* source_stdin: reads standard input to its end. With the address "-" it holds one document a line; with
 * "replay:-" its documents may be laid out in any way (lib/stream/items).
 *
 * Happy path: start() opens one connection. At the end of input closed() is called, then finished().
 *
 * A pipe, a Unix socket and a terminal are streams for libuv. A regular file (or /dev/null) is not, because
 * epoll refuses it. Such a file is read directly, one piece in each turn, so that a read blocks no longer
 * than the disk takes.
 *
 * Failure modes:
 *   not open, or a directory   start() fails
 *   reading fails              source_base logs it and ends the connection, as at the end of input */
#include "lib/base/memory.h"
#include "sidecar/source/source_base.h"
#include "sidecar/source/source_kinds.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

struct source_stdin {
    struct source_base base;
    struct source_connection connection;
    int flags; /* file status flags to restore: libuv makes a pipe non-blocking. -1: none */
};

static void read_file(struct source_connection *connection)
{
    size_t room;
    char *start = source_connection_room(connection, &room);
    ssize_t result = UV_ENOBUFS;

    if (start != NULL) {
        do
            result = read(STDIN_FILENO, start, room);
        while (result < 0 && errno == EINTR);
        if (result <= 0)
            result = result == 0 ? UV_EOF : -errno;
    }
    source_connection_fed(connection, result);
}

/* Once source_connection_init() was called, the base closes the handle, also if a later step fails. */
static int open_pipe(struct source_stdin *self)
{
    self->flags = fcntl(STDIN_FILENO, F_GETFL);
    uv_pipe_init(self->base.loop, &self->connection.handle.pipe, 0);
    source_connection_init(&self->connection, &self->base, source_connection_read_stream);
    return uv_pipe_open(&self->connection.handle.pipe, STDIN_FILENO);
}

static int open_terminal(struct source_stdin *self)
{
    int status = uv_tty_init(self->base.loop, &self->connection.handle.tty, STDIN_FILENO, 1);
    if (status == 0)
        source_connection_init(&self->connection, &self->base, source_connection_read_stream);
    return status;
}

/* The pipe is not opened: it is only the handle that the base closes. */
static int open_file(struct source_stdin *self)
{
    uv_pipe_init(self->base.loop, &self->connection.handle.pipe, 0);
    source_connection_init(&self->connection, &self->base, read_file);
    return 0;
}

static enum error_code start(struct source_base *base, struct error *err)
{
    struct source_stdin *self = (struct source_stdin *)base;
    int status;

    switch (uv_guess_handle(STDIN_FILENO)) {
    case UV_NAMED_PIPE:
        status = open_pipe(self);
        break;
    case UV_TTY:
        status = open_terminal(self);
        break;
    case UV_FILE:
        status = open_file(self);
        break;
    default:
        return error_set(err, ERROR_OPERATOR,
                         "standard input is not open, or is no file, pipe or terminal");
    }
    if (status != 0)
        return error_set(err, ERROR_OPERATOR, "cannot read standard input: %s",
                         uv_strerror(status));
    source_connection_open(&self->connection);
    return ERROR_NONE;
}

static void gone(struct source_connection *connection)
{
    struct source_events *events = &connection->base->events;
    connection->base->source.ended = true;
    events->finished(events->context);
}

static void stop(struct source_base *base)
{
    struct source_stdin *self = (struct source_stdin *)base;
    if (self->flags != -1)
        (void)fcntl(STDIN_FILENO, F_SETFL, self->flags);
}

static const struct source_kind lines = {.start = start, .gone = gone, .stop = stop};
static const struct source_kind any_layout = {
    .layout = INPUT_ITEMS, .start = start, .gone = gone, .stop = stop};

static struct source *make(const struct source_kind *kind, uv_loop_t *loop,
                           const struct source_settings *settings)
{
    struct source_stdin *self = memory_new(sizeof(*self));
    source_base_init(&self->base, kind, loop, settings);
    self->flags = -1;
    return &self->base.source;
}

struct source *source_stdin_new(uv_loop_t *loop, const struct source_settings *settings,
                                const char *path)
{
    (void)path;
    return make(&lines, loop, settings);
}

struct source *source_replay_new(uv_loop_t *loop, const struct source_settings *settings,
                                 const char *path)
{
    (void)path;
    return make(&any_layout, loop, settings);
}
