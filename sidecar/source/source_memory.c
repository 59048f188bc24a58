/* source_memory: the sum of what the inputs of all connections hold (see source_memory.h). */
#include "sidecar/source/source_memory.h"

#include "sidecar/base/logger.h"

/* Bytes that the input of a connection may always take: a connection that sends only short documents is
 * always read. */
#define SMALL_INPUT (2 * FRAME_READ_SIZE)

#define CROWD_MS 1000 /* so often the privileged connection is looked at */

void source_memory_note(struct source_connection *connection, size_t held)
{
    struct source_shared *shared = connection->base->shared;
    bool better = held < connection->held;
    shared->held += held - connection->held;
    connection->held = held;
    if (shared->privileged == connection && held <= SMALL_INPUT) {
        shared->privileged = NULL;
        better = true;
    }
    struct source_base *base;
    LIST_FOREACH(base, &shared->bases, entry)
    {
        if (better && !base->stopped) {
            uv_timer_stop(&base->crowd);
            source_base_make_ready(base, SOURCE_CROWDED);
        }
    }
}

bool source_memory_has_room(struct source_connection *connection)
{
    struct source_shared *shared = connection->base->shared;
    size_t next = input_memory_next(&connection->input);
    if (next <= SMALL_INPUT || shared->held - connection->held + next <= shared->max_bytes)
        return true;
    if (shared->privileged == NULL) {
        shared->privileged = connection;
        connection->heard_ms = uv_now(connection->base->loop);
    }
    return shared->privileged == connection;
}

static void on_crowd(uv_timer_t *timer)
{
    const struct source_base *base = timer->data;
    struct source_connection *connection = base->shared->privileged;
    if (connection == NULL || connection->state != SOURCE_WAITING ||
        uv_now(base->loop) - connection->heard_ms < SOURCE_SILENT_MS)
        return;
    LOG(base->logger, WARN,
        "a producer is silent inside an event while others wait for its memory: its stream is "
        "ended",
        log_int("connection", (int64_t)connection->shared.id),
        log_int("bytes", (int64_t)connection->held));
    source_connection_end(connection);
}

void source_memory_crowd_out(struct source_connection *connection)
{
    struct source_base *base = connection->base;
    LOG(base->logger, WARN,
        "unfinished events take all the memory that they may: a producer is not read for now",
        log_int("connection", (int64_t)connection->shared.id),
        log_int("bytes", (int64_t)base->shared->held));
    source_connection_move(connection, SOURCE_CROWDED);
    uv_timer_start(&base->crowd, on_crowd, CROWD_MS, CROWD_MS);
}
