/* source_world: a loop, a source and a record of all that it says (see source_world.h). */
#include "test/support/source_world.h"

#include "sidecar/base/logger.h"
#include "sidecar/source/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define WATCHDOG_MS    60000
#define RECEIVED_LIMIT (1 << 26)

/* ---- what the source says ---------------------------------------------------------------------*/

static void on_event(struct world *world, enum world_event event)
{
    assert_false(world->inside);
    assert_true(world->source != NULL || world->sources != NULL);
    world->count[event]++;
    if (world->close_at == event)
        world_close(world);
}

static struct buffer *received_by(struct world *world, uint64_t connection)
{
    assert_in_range(connection, 1, WORLD_MAX_CONNECTIONS - 1);
    world->last = connection;
    return &world->received[connection];
}

static void on_opened(void *context, struct connection *connection)
{
    struct world *world = context;
    assert_int_equal(buffer_text(received_by(world, connection->id)).length, 0);
    assert_int_equal(connection->id, world->count[WORLD_OPENED] + 1);
    on_event(world, WORLD_OPENED);
}

static void on_document(void *context, struct connection *connection, struct text line)
{
    struct world *world = context;
    struct buffer *received = received_by(world, connection->id);
    assert_false(world->paused);
    assert_true(line.length > 0);
    buffer_append(received, line);
    buffer_append_char(received, '\n');
    assert_false(received->failed);
    if (++world->burst > world->largest_burst)
        world->largest_burst = world->burst;
    if (world->count[WORLD_DOCUMENT] + 1 == world->pause_at)
        world_pause(world);
    on_event(world, WORLD_DOCUMENT);
}

static void on_too_long(void *context, struct connection *connection, struct text head,
                        uint64_t length)
{
    struct world *world = context;
    assert_false(world->paused);
    world->last = connection->id;
    world->too_long_length = length;
    (void)snprintf(world->head, sizeof(world->head), "%.*s", (int)head.length, head.data);
    on_event(world, WORLD_TOO_LONG);
}

static void on_drained(void *context)
{
    struct world *world = context;
    world->burst = 0;
    on_event(world, WORLD_DRAINED);
}

static void on_closed(void *context, struct connection *connection, uint64_t cut_bytes)
{
    struct world *world = context;
    world->last = connection->id;
    world->cut_bytes = cut_bytes;
    on_event(world, WORLD_CLOSED);
}

static void on_evicted(void *context, struct connection *connection)
{
    struct world *world = context;
    world->evicted++;
    world->last_evicted = connection->id;
}

static void on_finished(void *context)
{
    on_event(context, WORLD_FINISHED);
}

static void on_source_closed(void *context)
{
    struct world *world = context;
    assert_false(world->inside);
    world->source_closed++;
}

/* ---- the world --------------------------------------------------------------------------------*/

static void on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("what the test waits for did not happen");
}

int world_begin(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    struct error err;

    assert_non_null(world);
    world->close_at = WORLD_EVENT_COUNT;
    world->max_document = WORLD_MAX_DOCUMENT;
    world->max_bytes = WORLD_MAX_BYTES;
    for (size_t i = 0; i < WORLD_MAX_CONNECTIONS; i++)
        buffer_init(&world->received[i], RECEIVED_LIMIT);
    (void)snprintf(world->directory, sizeof(world->directory), "/tmp/test_source.XXXXXX");
    assert_non_null(mkdtemp(world->directory));
    (void)snprintf(world->socket_path, sizeof(world->socket_path), "%s/events.sock",
                   world->directory);
    world->log = memfd_create("log", MFD_CLOEXEC);
    assert_true(world->log >= 0);
    assert_int_equal(
        logger_new(world->log, LOG_LEVEL_DEBUG, LOG_FORMAT_LOGFMT, &world->logger, &err),
        ERROR_NONE);
    assert_int_equal(uv_loop_init(&world->loop), 0);
    uv_timer_init(&world->loop, &world->watchdog);
    uv_timer_start(&world->watchdog, on_watchdog, WATCHDOG_MS, 0);
    *state = world;
    return 0;
}

int world_end(void **state)
{
    struct world *world = *state;

    if (world->source != NULL || world->sources != NULL)
        world_close(world);
    uv_close((uv_handle_t *)&world->watchdog, NULL);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world->loop), 0);

    logger_free(world->logger);
    close(world->log);
    for (size_t i = 0; i < WORLD_MAX_CONNECTIONS; i++)
        buffer_fini(&world->received[i]);
    (void)unlink(world->socket_path);
    assert_int_equal(rmdir(world->directory), 0);
    free(world);
    return 0;
}

static struct source_events events_of(struct world *world)
{
    return (struct source_events){.context = world,
                                  .opened = on_opened,
                                  .document = on_document,
                                  .too_long = on_too_long,
                                  .drained = on_drained,
                                  .closed = on_closed,
                                  .evicted = on_evicted,
                                  .finished = on_finished};
}

enum error_code world_try_start_all(struct world *world, const char *event_source,
                                    uint64_t silence_ms, struct error *err)
{
    const struct sources_settings settings = {
        .event_source = event_source,
        .max_document = world->max_document,
        .max_connections = WORLD_MAX_AT_ONCE,
        .max_bytes = world->max_bytes,
        .events = events_of(world),
        .logger = world->logger,
        .silence_ms = silence_ms,
    };
    assert_int_equal(sources_new(&world->loop, &settings, &world->sources, err), ERROR_NONE);
    world->inside = true;
    enum error_code code = sources_start(world->sources, err);
    world->inside = false;
    return code;
}

enum error_code world_try_start(struct world *world, const char *prefix, struct error *err)
{
    char address[128];
    (void)snprintf(address, sizeof(address), "%s%s", prefix,
                   prefix[strlen(prefix) - 1] == '-' ? "" : world->socket_path);
    const struct source_settings settings = {
        .address = address,
        .max_document = world->max_document,
        .shared = &world->shared,
        .max_connections = WORLD_MAX_AT_ONCE,
        .events = events_of(world),
        .logger = world->logger,
    };
    world->shared.max_bytes = world->max_bytes;
    world->source = source_new(&world->loop, &settings);
    memset(address, '?', sizeof(address));

    world->inside = true;
    enum error_code code = world->source->start(world->source, err);
    world->inside = false;
    return code;
}

void world_start(struct world *world, const char *prefix)
{
    struct error err = {0};
    if (world_try_start(world, prefix, &err) != ERROR_NONE)
        fail_msg("%s", err.text);
}

void world_pause(struct world *world)
{
    world->inside = true;
    world->paused = true;
    if (world->sources != NULL)
        sources_pause(world->sources);
    else
        world->source->pause(world->source);
    world->inside = false;
}

void world_resume(struct world *world)
{
    world->inside = true;
    world->paused = false;
    if (world->sources != NULL)
        sources_resume(world->sources);
    else
        world->source->resume(world->source);
    world->inside = false;
}

/* The world keeps no pointer: an event after this fails the test. */
void world_close(struct world *world)
{
    struct source *source = world->source;
    struct sources *sources = world->sources;
    world->source = NULL;
    world->sources = NULL;
    world->inside = true;
    if (sources != NULL)
        sources_close(sources, on_source_closed, world);
    else
        source->close(source, on_source_closed, world);
    world->inside = false;
}

void world_wait_until(struct world *world, const size_t *counter, size_t n)
{
    while (*counter < n)
        uv_run(&world->loop, UV_RUN_ONCE);
}

void world_wait(struct world *world, enum world_event event, size_t n)
{
    world_wait_until(world, &world->count[event], n);
}

void world_rounds(struct world *world, int rounds)
{
    for (int i = 0; i < rounds; i++)
        uv_run(&world->loop, UV_RUN_NOWAIT);
}

void world_expect(const struct world *world, uint64_t connection, struct text documents)
{
    struct text received = buffer_text(&world->received[connection]);
    assert_int_equal(received.length, documents.length);
    assert_memory_equal(received.data, documents.data, documents.length);
}

size_t world_logged(const struct world *world, const char *text)
{
    char log[65536];
    size_t count = 0;
    logger_flush(world->logger);
    ssize_t length = pread(world->log, log, sizeof(log) - 1, 0);

    assert_true(length >= 0);
    log[length] = '\0';
    for (const char *at = log; (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

/* ---- the other end ----------------------------------------------------------------------------*/

static int make_socket(const struct world *world, struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path, world->socket_path, strlen(world->socket_path));
    return fd;
}

int world_connect(struct world *world)
{
    struct sockaddr_un address;
    int fd = make_socket(world, &address);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

int world_listen(struct world *world)
{
    struct sockaddr_un address;
    int fd = make_socket(world, &address);
    (void)unlink(world->socket_path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

int world_accept(struct world *world, int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0) {
        assert_int_equal(errno, EAGAIN);
        uv_run(&world->loop, UV_RUN_ONCE);
    }
    return fd;
}

void world_send(struct world *world, int producer, struct text bytes)
{
    while (bytes.length > 0) {
        ssize_t sent = send(producer, bytes.data, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0) {
            assert_int_equal(errno, EAGAIN);
            uv_run(&world->loop, UV_RUN_ONCE);
            continue;
        }
        bytes.data += sent;
        bytes.length -= (size_t)sent;
    }
}

void world_send_string(struct world *world, int producer, const char *string)
{
    world_send(world, producer, text_from(string));
}
