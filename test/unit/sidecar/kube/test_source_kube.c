/* source_kube: it starts, finishes and closes in every state, and leaves the loop empty. What it makes of
 * answers is seen in the integration tests. */
#include "lib/settings/config.h"
#include "sidecar/base/logger.h"
#include "sidecar/source/connection.h"
#include "sidecar/source/source.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    uv_loop_t loop;
    uv_timer_t watchdog;
    struct logger *logger;
    struct config config;
    struct source_shared shared;
    struct source *source; /* NULL: closed */
    char directory[64];
    int listener; /* where a server should be; -1: nothing is */
    unsigned finished, closed;
};

static void on_connection(void *context, struct connection *connection)
{
    (void)context;
    fail_msg("connection %llu, and there is no server", (unsigned long long)connection->id);
}

static void on_drained(void *context)
{
    (void)context;
}

static void on_finished(void *context)
{
    ((struct world *)context)->finished++;
}

static void on_closed(void *context)
{
    ((struct world *)context)->closed++;
}

static void on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("what the test waits for did not happen");
}

static int set_up(void **state)
{
    struct world *world = test_calloc(1, sizeof(*world));
    int log = open("/dev/null", O_WRONLY | O_CLOEXEC);
    assert_true(log >= 0);
    assert_int_equal(logger_new(log, LOG_LEVEL_DEBUG, LOG_FORMAT_JSON, &world->logger, NULL),
                     ERROR_NONE);
    assert_int_equal(uv_loop_init(&world->loop), 0);
    uv_timer_init(&world->loop, &world->watchdog);
    uv_timer_start(&world->watchdog, on_watchdog, 60000, 0);
    (void)snprintf(world->directory, sizeof(world->directory), "/tmp/test_kube.XXXXXX");
    assert_non_null(mkdtemp(world->directory));
    (void)snprintf(world->config.event_source, sizeof(world->config.event_source), "kube+unix:%s/s",
                   world->directory);
    world->config.kube_silence_ms = 60000;
    world->config.kube_discovery_ms = 60000;
    world->listener = -1;
    *state = world;
    return 0;
}

static const char *path_of(const struct world *world)
{
    return world->config.event_source + sizeof("kube+unix:") - 1;
}

/* It takes connections, and says nothing. */
static void listen_mutely(struct world *world)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path_of(world));
    world->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(world->listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(world->listener, 64), 0);
}

static void make(struct world *world)
{
    const struct source_settings settings = {
        .address = world->config.event_source,
        .max_document = 65536,
        .shared = &world->shared,
        .events = {.context = world,
                   .opened = on_connection,
                   .drained = on_drained,
                   .finished = on_finished},
        .logger = world->logger,
        .config = &world->config,
    };
    world->source = source_new(&world->loop, &settings);
}

static void start(struct world *world)
{
    struct error err;
    make(world);
    assert_int_equal(world->source->start(world->source, &err), ERROR_NONE);
}

static void turn(struct world *world, int times)
{
    while (times-- > 0)
        uv_run(&world->loop, UV_RUN_NOWAIT);
}

static void close_source(struct world *world)
{
    struct source *source = world->source;
    world->source = NULL;
    source->close(source, on_closed, world);
    assert_int_equal(world->closed, 0);
    while (world->closed == 0)
        uv_run(&world->loop, UV_RUN_ONCE);
}

static int tear_down(void **state)
{
    struct world *world = *state;
    if (world->source != NULL)
        close_source(world);
    uv_close((uv_handle_t *)&world->watchdog, NULL);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    assert_int_equal(world->closed, 1);
    logger_free(world->logger);
    if (world->listener >= 0)
        close(world->listener);
    (void)unlink(path_of(world));
    assert_int_equal(rmdir(world->directory), 0);
    test_free(world);
    return 0;
}

static void finish(struct world *world)
{
    world->source->finish(world->source);
    assert_int_equal(world->finished, 0); /* never from inside */
    while (world->finished == 0)
        uv_run(&world->loop, UV_RUN_ONCE);
    assert_int_equal(world->finished, 1);
}

static void test_it_is_closed_before_it_is_started(void **state)
{
    make(*state);
}

static void test_it_is_closed_at_once(void **state)
{
    start(*state);
}

static void test_it_is_closed_while_it_waits_to_try_again(void **state)
{
    struct world *world = *state;
    start(world);
    turn(world, 20);
}

static void test_it_is_closed_while_the_server_is_silent(void **state)
{
    struct world *world = *state;
    listen_mutely(world);
    start(world);
    turn(world, 20);
}

static void test_it_finishes_without_a_server(void **state)
{
    struct world *world = *state;
    start(world);
    turn(world, 20);
    finish(world);
}

static void test_it_finishes_while_the_server_is_silent(void **state)
{
    struct world *world = *state;
    listen_mutely(world);
    start(world);
    turn(world, 20);
    finish(world);
}

static void test_it_finishes_once_it_is_resumed(void **state)
{
    struct world *world = *state;
    start(world);
    world->source->pause(world->source);
    turn(world, 20);
    world->source->finish(world->source);
    turn(world, 20);
    assert_int_equal(world->finished, 0);
    world->source->resume(world->source);
    turn(world, 20);
    assert_int_equal(world->finished, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_it_is_closed_before_it_is_started),
        TEST(test_it_is_closed_at_once),
        TEST(test_it_is_closed_while_it_waits_to_try_again),
        TEST(test_it_is_closed_while_the_server_is_silent),
        TEST(test_it_finishes_without_a_server),
        TEST(test_it_finishes_while_the_server_is_silent),
        TEST(test_it_finishes_once_it_is_resumed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
