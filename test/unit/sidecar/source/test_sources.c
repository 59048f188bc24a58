/* sources: several at once share what they have to share, each has a state of its own, and silence is said. */
#include "sidecar/source/connection.h"
#include "sidecar/source/sources.h"
#include "test/support/source_world.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define HOUR 3600000
#define HALF (size_t)600000 /* bytes of a document that is not finished yet */
#define SAID "no events come from a source"

/* Starts "FIRST,unix-listen:SOCKET": the second one is that of world_connect(). */
static void start_beside(struct world *world, const char *first, uint64_t silence_ms)
{
    char event_source[256];
    struct error err = {0};
    (void)snprintf(event_source, sizeof(event_source), "%s,unix-listen:%s", first,
                   world->socket_path);
    if (world_try_start_all(world, event_source, silence_ms, &err) != ERROR_NONE)
        fail_msg("%s", err.text);
}

static const char *state_of(const struct world *world, size_t place)
{
    struct source_state state;
    assert_true(sources_state(world->sources, place, &state));
    return state.name;
}

/* Standard input becomes a file with this text. */
static void set_input(const char *text)
{
    char path[] = "/tmp/test_sources.XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    close(fd);
}

static void test_no_two_connections_have_the_same_id(void **state)
{
    struct world *world = *state;
    set_input("a\n");
    start_beside(world, "-", HOUR);
    int producer = world_connect(world);
    world_send_string(world, producer, "b\n");
    world_wait(world, WORLD_DOCUMENT, 2); /* the world demands that the ids are 1 and 2 */
    assert_int_equal(world->count[WORLD_OPENED], 2);
    close(producer);
}

static void test_one_ends_and_the_other_goes_on(void **state)
{
    struct world *world = *state;
    struct source_state none;
    set_input("a\n");
    start_beside(world, "-", HOUR);
    assert_string_equal(state_of(world, 0), "waiting");
    world_wait(world, WORLD_FINISHED, 1);
    assert_string_equal(state_of(world, 0), "ended");
    assert_string_equal(state_of(world, 1), "waiting");
    assert_false(sources_state(world->sources, 2, &none));
    assert_false(sources_have_ended(world->sources));

    int producer = world_connect(world);
    world_send_string(world, producer, "b\n");
    world_wait(world, WORLD_DOCUMENT, 2);
    assert_string_equal(state_of(world, 1), "open");
    sources_finish(world->sources);
    world_wait(world, WORLD_FINISHED, 2);
    assert_true(sources_have_ended(world->sources));
    close(producer);
}

static void test_a_pause_is_one_of_all_sources(void **state)
{
    struct world *world = *state;
    set_input("a\nb\nc\n");
    world->pause_at = 2;
    start_beside(world, "-", HOUR);
    world_wait(world, WORLD_DOCUMENT, 2);
    int producer = world_connect(world);
    world_send_string(world, producer, "d\n");
    world_rounds(world, 100);
    assert_int_equal(world->count[WORLD_DOCUMENT], 2);
    world_resume(world);
    world_wait(world, WORLD_DOCUMENT, 4);
    close(producer);
}

/* While the document of one source is read to its end, that of another source waits for memory. */
static void test_unfinished_documents_of_all_sources_share_the_memory(void **state)
{
    struct world *world = *state;
    char *half = malloc(HALF);
    assert_non_null(half);
    memset(half, 'x', HALF);
    char one[256];
    struct error err = {0};
    (void)snprintf(one, sizeof(one), "unix-listen:%s.2,unix-listen:%s", world->socket_path,
                   world->socket_path);
    world->max_document = 10 * HALF;
    world->max_bytes = 2 * HALF;
    assert_int_equal(world_try_start_all(world, one, HOUR, &err), ERROR_NONE);
    int first = world_connect(world);
    world_send(world, first, (struct text){half, HALF});
    world_wait(world, WORLD_OPENED, 1);
    char path[sizeof(world->socket_path)];
    memcpy(path, world->socket_path, sizeof(path));
    (void)snprintf(world->socket_path, sizeof(world->socket_path), "%.96s.2", path);
    int second = world_connect(world);
    memcpy(world->socket_path, path, sizeof(path));
    world_send(world, second, (struct text){half, HALF});
    while (world_logged(world, "unfinished events take all the memory") == 0) {
        (void)send(first, half, 10000, MSG_DONTWAIT | MSG_NOSIGNAL);
        uv_run(&world->loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(world->count[WORLD_DOCUMENT], 0);
    world_send_string(world, second, "\n");
    world_wait(world, WORLD_DOCUMENT, 1);
    assert_int_equal(world->last, 2);
    world_send_string(world, first, "\n");
    world_wait(world, WORLD_DOCUMENT, 2);
    free(half);
    close(first);
    close(second);
}

/* Runs the loop, with ticks, until something was logged so often. */
static void tick_until(struct world *world, const char *text, size_t times)
{
    while (world_logged(world, text) < times) {
        uv_run(&world->loop, UV_RUN_NOWAIT);
        sources_tick(world->sources);
    }
}

static void test_silence_is_a_warning_at_growing_intervals(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    char event_source[128];
    (void)snprintf(event_source, sizeof(event_source), "unix-listen:%s", world->socket_path);
    assert_int_equal(world_try_start_all(world, event_source, 500, &err), ERROR_NONE);
    sources_tick(world->sources);
    assert_int_equal(world_logged(world, SAID), 0);
    tick_until(world, SAID, 2);
    assert_int_equal(world_logged(world, "level=warn msg=\"" SAID), 2);
    assert_int_equal(world_logged(world, "state=waiting"), 2);
    assert_int_equal(world_logged(world, "nobody is connected to the socket"), 2);
    assert_int_equal(world_logged(world, "said_again_s=1"), 1);
    assert_int_equal(world_logged(world, "said_again_s=2"), 1);
}

static void test_silence_beside_a_source_that_is_open_is_no_warning(void **state)
{
    struct world *world = *state;
    start_beside(world, "unix:/nowhere", 100);
    int producer = world_connect(world);
    world_wait(world, WORLD_OPENED, 1);
    tick_until(world, SAID, 1);
    assert_int_equal(world_logged(world, "level=info msg=\"" SAID), 1);
    assert_int_equal(world_logged(world, "nobody listens on the socket"), 1);
    assert_int_equal(world_logged(world, "state=open"), 0);
    close(producer);
}

static void test_one_that_cannot_be_opened_keeps_all_from_starting(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    char event_source[256];
    (void)snprintf(event_source, sizeof(event_source), "unix-listen:%s,unix-listen:/nowhere/x",
                   world->socket_path);
    assert_int_equal(world_try_start_all(world, event_source, HOUR, &err), ERROR_OPERATOR);
    assert_non_null(strstr(err.text, "/nowhere/x"));
    assert_string_equal(state_of(world, 0), "closed");
    world_close(world);
    world_wait_until(world, &world->source_closed, 1);
    assert_int_not_equal(access(world->socket_path, F_OK), 0);
}

static void test_closing_before_the_start(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    const struct sources_settings settings = {.event_source = "-,unix:/a,unix-listen:/b",
                                              .logger = world->logger};
    assert_int_equal(sources_new(&world->loop, &settings, &world->sources, &err), ERROR_NONE);
}

#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, world_begin, world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_no_two_connections_have_the_same_id),
        WORLD_TEST(test_one_ends_and_the_other_goes_on),
        WORLD_TEST(test_a_pause_is_one_of_all_sources),
        WORLD_TEST(test_unfinished_documents_of_all_sources_share_the_memory),
        WORLD_TEST(test_silence_is_a_warning_at_growing_intervals),
        WORLD_TEST(test_silence_beside_a_source_that_is_open_is_no_warning),
        WORLD_TEST(test_one_that_cannot_be_opened_keeps_all_from_starting),
        WORLD_TEST(test_closing_before_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
