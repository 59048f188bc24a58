/* source_base: what all sources of bytes share (see source_base.h).
 *
 * Happy path: a connection opens and is ready. In its turn opened() is called, a read starts, and the
 * connection waits. When bytes have come, it is ready again. In its next turn the lines are delivered, and
 * the next read starts. The end of the stream makes it ready, too: closed() is called in its turn.
 *
 * on_turn() calls all events but evicted(), and finished() of standard input. It does a bounded amount of
 * work and goes on in the next round of the loop, so that timers, signals and other handles are served in
 * between. After each callback it checks whether the callback has paused or closed the source. The memory
 * stays until the last handle is closed, which is never in the same round.
 *
 * Failure modes:
 *   the producer dies or half-closes    what it sent is delivered, an unfinished line is counted in
 *                                       closed(), the connection is closed
 *   reading fails                       what was read is delivered, the error is logged, the connection
 *                                       is closed
 *   it sends no JSON, or replay's file  logged once; nothing is delivered, the connection is closed (see
 *   is empty                            source_beginning.h)
 *   no memory to read into              nothing is lost: the read is tried again a little later
 *   many documents are unfinished       connections that need more memory than max_bytes leaves are not
 *                                       read further, except one at a time; if that one is silent, it is
 *                                       ended
 *   the producer does not read          one acknowledgement waits in its connection, no more
 *   finish() was called                 sockets are shut down for reading: what is in them is
 *                                       delivered, the producers' next write fails
 *   close() in any state                connect requests are cancelled by libuv, all handles are
 *                                       closed, the last close callback frees the source
 */
#include "sidecar/source/source_base.h"

#include "lib/stream/beginning.h"
#include "sidecar/base/logger.h"
#include "sidecar/source/source_beginning.h"
#include "sidecar/source/source_memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Documents and reads in one round of the loop, which take some milliseconds. */
#define TURN_WORK 256

#define STARVED_MS 100

/* A pointer to the struct source is cast to the base, and the base is the memory that is freed. */
_Static_assert(offsetof(struct source_base, source) == 0, "struct source comes first");

/* A pointer to the struct connection is cast to the source_connection. */
_Static_assert(offsetof(struct source_connection, shared) == 0, "struct connection comes first");

void source_connection_move(struct source_connection *connection, enum source_state state)
{
    struct source_connection_list *lists = connection->base->lists;
    if (connection->state != SOURCE_CLOSED)
        TAILQ_REMOVE(&lists[connection->state], connection, entry);
    connection->state = state;
    if (state != SOURCE_CLOSED)
        TAILQ_INSERT_TAIL(&lists[state], connection, entry);
}

static void on_turn(uv_idle_t *handle);

static bool may_deliver(const struct source_base *base)
{
    return !base->paused && !base->stopped;
}

/* True if the source has finished, and only the event finished() is left to be called. */
static bool is_at_end(const struct source_base *base)
{
    return base->finishing && !base->source.ended && base->connections == 0;
}

/* Starts or stops on_turn(). To be called when a flag, the ready list or `connections` has changed. */
static void schedule_turn(struct source_base *base)
{
    if (base->stopped)
        return;
    if ((may_deliver(base) && !TAILQ_EMPTY(&base->lists[SOURCE_READY])) || is_at_end(base))
        uv_idle_start(&base->turn, on_turn);
    else
        uv_idle_stop(&base->turn);
}

char *source_connection_room(struct source_connection *connection, size_t *room)
{
    return input_room(&connection->input, room);
}

void source_base_make_ready(struct source_base *base, enum source_state from)
{
    while (!base->stopped && !TAILQ_EMPTY(&base->lists[from]))
        source_connection_move(TAILQ_FIRST(&base->lists[from]), SOURCE_READY);
    schedule_turn(base);
}

/* ---- closing ----------------------------------------------------------------------------------*/

static void free_when_closed(struct source_base *base)
{
    if (base->pending_closes > 0 || !base->stopped)
        return;
    void (*closed)(void *) = base->closed;
    void *context = base->closed_context;
    LIST_REMOVE(base, entry);
    free(base);
    closed(context);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct source_base *base = handle->data;
    base->pending_closes--;
    free_when_closed(base);
}

void source_base_close_handle(struct source_base *base, uv_handle_t *handle)
{
    handle->data = base;
    base->pending_closes++;
    uv_close(handle, on_handle_closed);
}

static void on_connection_closed(uv_handle_t *handle)
{
    struct source_connection *connection = handle->data;
    struct source_base *base = connection->base;
    input_fini(&connection->input);
    source_memory_note(connection, 0);
    base->pending_closes--;
    base->connections--;
    if (base->stopped)
        free_when_closed(base);
    else if (base->finishing)
        schedule_turn(base);
    else
        base->kind->gone(connection);
}

static void close_connection(struct source_connection *connection)
{
    source_connection_move(connection, SOURCE_CLOSED);
    connection->base->pending_closes++;
    uv_close(&connection->handle.any, on_connection_closed);
}

static void close_source(struct source *source, void (*closed)(void *context), void *context)
{
    struct source_base *base = (struct source_base *)source;
    base->stopped = true;
    base->closed = closed;
    base->closed_context = context;
    base->kind->stop(base);
    for (unsigned state = 0; state < SOURCE_STATE_COUNT; state++) {
        while (!TAILQ_EMPTY(&base->lists[state]))
            close_connection(TAILQ_FIRST(&base->lists[state]));
    }
    source_base_close_handle(base, (uv_handle_t *)&base->crowd);
    source_base_close_handle(base, (uv_handle_t *)&base->turn);
    source_base_close_handle(base, (uv_handle_t *)&base->starvation);
}

/* ---- reading ----------------------------------------------------------------------------------*/

static void on_starvation(uv_timer_t *handle)
{
    source_base_make_ready(handle->data, SOURCE_STARVED);
}

void source_connection_fed(struct source_connection *connection, ssize_t result)
{
    struct source_base *base = connection->base;
    if (result == UV_ENOBUFS) {
        LOG(base->logger, ERROR, "no memory to read the stream: trying again",
            log_int("connection", (int64_t)connection->shared.id));
        source_connection_move(connection, SOURCE_STARVED);
        uv_timer_start(&base->starvation, on_starvation, STARVED_MS, 0);
        return;
    }
    if (result > 0) {
        bool begins = connection->received < BEGINNING_SIZE;
        connection->received += (uint64_t)result;
        connection->heard_ms = uv_now(base->loop);
        input_fed(&connection->input, (size_t)result);
        if (begins)
            source_beginning_judge(connection);
        else
            connection->is_filled = true;
    } else {
        connection->end = (int)result;
        if (!connection->is_filled)
            source_beginning_judge(connection);
    }
    source_connection_move(connection, SOURCE_READY);
    schedule_turn(base);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct source_connection *connection = handle->data;
    size_t room = 0;
    (void)suggested;
    buf->base = source_connection_room(connection, &room);
    buf->len = room;
}

static void on_read(uv_stream_t *stream, ssize_t result, const uv_buf_t *buf)
{
    (void)buf;
    if (result == 0) /* EAGAIN: the read goes on */
        return;
    uv_read_stop(stream);
    source_connection_fed(stream->data, result);
}

void source_connection_read_stream(struct source_connection *connection)
{
    int status = uv_read_start(&connection->handle.stream, on_room, on_read);
    if (status == 0)
        source_connection_move(connection, SOURCE_WAITING);
    else
        source_connection_fed(connection, status);
}

/* ---- delivering -------------------------------------------------------------------------------*/

static void end_connection(struct source_connection *connection)
{
    struct source_base *base = connection->base;
    bool refused = connection->shared.refused;
    uint64_t cut_bytes = refused ? connection->received : input_end(&connection->input).length;
    if (connection->end != UV_EOF && !refused)
        LOG(base->logger, WARN, "stream broken: it cannot be read further",
            log_int("connection", (int64_t)connection->shared.id),
            log_string("error", uv_strerror(connection->end)));
    close_connection(connection);
    base->streams--;
    base->events.closed(base->events.context, &connection->shared, cut_bytes);
}

/* All documents that were read are delivered: ends the connection, or starts its next read. */
static void go_on_reading(struct source_connection *connection)
{
    if (connection->end != 0) {
        end_connection(connection);
        return;
    }
    source_memory_note(connection, input_memory(&connection->input));
    if (source_memory_has_room(connection))
        connection->read(connection);
    else
        source_memory_crowd_out(connection);
}

/* Gives the connection its turn: up to *work lines and one read. If lines are left, it stays ready. */
static void serve(struct source_connection *connection, unsigned *work)
{
    struct source_base *base = connection->base;
    const struct source_events *events = &base->events;
    if (!connection->announced) {
        connection->announced = true;
        base->source.opened++;
        base->streams++;
        events->opened(events->context, &connection->shared);
    }
    while (*work > 0 && may_deliver(base)) {
        struct frame_line line = input_next(&connection->input);
        --*work;
        connection->shared.line = line.line;
        if (line.kind == FRAME_LINE) {
            events->document(events->context, &connection->shared, line.text);
        } else if (line.kind == FRAME_TOO_LONG) {
            events->too_long(events->context, &connection->shared, line.text, line.length);
        } else {
            go_on_reading(connection);
            return;
        }
    }
    if (may_deliver(base))
        source_connection_move(connection, SOURCE_READY); /* after the others */
}

static void on_turn(uv_idle_t *handle)
{
    struct source_base *base = handle->data;
    unsigned work = TURN_WORK;
    while (work > 0 && may_deliver(base) && !TAILQ_EMPTY(&base->lists[SOURCE_READY]))
        serve(TAILQ_FIRST(&base->lists[SOURCE_READY]), &work);
    if (base->stopped)
        return;
    bool at_end = is_at_end(base);
    base->source.ended |= at_end;
    schedule_turn(base);
    if (at_end)
        base->events.finished(base->events.context);
    else
        base->events.drained(base->events.context);
}

/* ---- acknowledging ----------------------------------------------------------------------------*/

static void tell(struct source_connection *connection);

/* An error needs no treatment here, because the next read of the connection returns it, too. */
static void on_told(uv_write_t *request, int status)
{
    struct source_connection *connection = request->data;
    connection->telling = false;
    if (status == 0)
        tell(connection);
}

/* Only one line is with libuv at a time, so that a producer that does not read costs no memory. When it
 * reads again, it gets the newest number. */
static void tell(struct source_connection *connection)
{
    if (connection->telling || connection->safe <= connection->told)
        return;
    int length = snprintf(connection->ack_line, sizeof(connection->ack_line),
                          "{\"acked\":%" PRIu64 "}\n", connection->safe);
    uv_buf_t buf = uv_buf_init(connection->ack_line, (unsigned)length);
    connection->ack.data = connection;
    connection->told = connection->safe;
    connection->telling =
        uv_write(&connection->ack, &connection->handle.stream, &buf, 1, on_told) == 0;
}

static void acknowledge(struct source *source, struct connection *shared, uint64_t documents)
{
    struct source_connection *connection = (struct source_connection *)shared;
    (void)source;
    connection->safe = documents;
    tell(connection);
}

/* ---- finishing --------------------------------------------------------------------------------*/

/* A socket that is shut down still returns the bytes that are in it, and then the end of the stream. Any
 * other stream ends here. */
void source_connection_end(struct source_connection *connection)
{
    uv_os_fd_t fd;
    if (connection->shared.id == 0) {
        source_connection_abandon(connection, UV_ECANCELED);
        return;
    }
    if (uv_fileno(&connection->handle.any, &fd) == 0 && shutdown(fd, SHUT_RD) == 0)
        return;
    if (connection->end == 0) {
        uv_read_stop(&connection->handle.stream);
        source_connection_fed(connection, UV_EOF);
    }
}

/* The producer connects again, and shows all objects at the beginning. */
static void begin_again(struct source *source, struct connection *connection)
{
    const struct source_base *base = (struct source_base *)source;
    LOG(base->logger, WARN, "stream ended, to be begun again with all objects",
        log_int("connection", (int64_t)connection->id));
    source_connection_end((struct source_connection *)connection);
}

static void finish_source(struct source *source)
{
    struct source_base *base = (struct source_base *)source;
    base->finishing = true;
    if (base->kind->finish != NULL)
        base->kind->finish(base);
    for (unsigned state = 0; state < SOURCE_STATE_COUNT; state++) {
        struct source_connection *connection = TAILQ_FIRST(&base->lists[state]);
        while (connection != NULL) { /* the call may move or close the connection */
            struct source_connection *next = TAILQ_NEXT(connection, entry);
            source_connection_end(connection);
            connection = next;
        }
    }
    schedule_turn(base);
}

/* ---- what the kinds call ----------------------------------------------------------------------*/

static enum error_code start_source(struct source *source, struct error *err)
{
    struct source_base *base = (struct source_base *)source;
    return base->kind->start(base, err);
}

static size_t count_streams(const struct source *source)
{
    return ((const struct source_base *)source)->streams;
}

static void pause_source(struct source *source)
{
    struct source_base *base = (struct source_base *)source;
    base->paused = true;
    schedule_turn(base);
}

static void resume_source(struct source *source)
{
    struct source_base *base = (struct source_base *)source;
    base->paused = false;
    schedule_turn(base);
}

void source_base_init(struct source_base *base, const struct source_kind *kind, uv_loop_t *loop,
                      const struct source_settings *settings)
{
    *base = (struct source_base){
        .source = {.streams = count_streams,
                   .start = start_source,
                   .pause = pause_source,
                   .resume = resume_source,
                   .acknowledge = kind->answers ? acknowledge : NULL,
                   .begin_again = kind->answers ? begin_again : NULL,
                   .finish = finish_source,
                   .close = close_source},
        .kind = kind,
        .loop = loop,
        .max_document = settings->max_document,
        .shared = settings->shared,
        .events = settings->events,
        .logger = settings->logger,
    };
    LIST_INSERT_HEAD(&base->shared->bases, base, entry);
    for (unsigned state = 0; state < SOURCE_STATE_COUNT; state++)
        TAILQ_INIT(&base->lists[state]);
    uv_idle_init(loop, &base->turn);
    uv_timer_init(loop, &base->starvation);
    uv_timer_init(loop, &base->crowd);
    base->crowd.data = base;
    base->turn.data = base;
    base->starvation.data = base;
}

void source_connection_init(struct source_connection *connection, struct source_base *base,
                            void (*read)(struct source_connection *connection))
{
    /* The handle, the last member, has been initialised before. */
    memset(connection, 0, offsetof(struct source_connection, handle));
    base->connections++;
    connection->shared.source = &base->source;
    connection->base = base;
    connection->state = SOURCE_CLOSED;
    connection->read = read;
    connection->handle.any.data = connection;
    input_init(&connection->input, base->kind->layout, base->max_document);
    source_connection_move(connection, SOURCE_WAITING);
}

/* A connection goes to the end of the list with each read, so that the first is the most silent one. */
struct source_connection *source_base_most_silent(const struct source_base *base,
                                                  uint64_t *silent_ms)
{
    struct source_connection *connection = TAILQ_FIRST(&base->lists[SOURCE_WAITING]);
    if (connection != NULL)
        *silent_ms = uv_now(base->loop) - connection->heard_ms;
    return connection;
}

void source_connection_open(struct source_connection *connection)
{
    connection->shared.id = ++connection->base->shared->opened;
    connection->heard_ms = uv_now(connection->base->loop);
    source_connection_move(connection, SOURCE_READY);
    schedule_turn(connection->base);
}

void source_connection_abandon(struct source_connection *connection, int error)
{
    connection->end = error;
    close_connection(connection);
}
