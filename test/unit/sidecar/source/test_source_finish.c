/* source: finish(), after which nothing more is taken in and nothing that was sent is lost. */
#include "test/support/source_world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define LISTEN  "unix-listen:"
#define CONNECT "unix:"

static void finish(struct world *world)
{
    world->inside = true;
    world->source->finish(world->source);
    world->inside = false;
}

/* Without running the loop. Returns how many lines are now in the socket. */
static size_t fill(int producer)
{
    size_t lines = 0;
    while (send(producer, "0123456789\n", 11, MSG_DONTWAIT | MSG_NOSIGNAL) == 11)
        lines++;
    assert_int_equal(errno, EAGAIN);
    return lines;
}

static void expect_refused(int producer)
{
    assert_int_equal(send(producer, "x\n", 2, MSG_DONTWAIT | MSG_NOSIGNAL), -1);
    assert_int_equal(errno, EPIPE);
}

/* It can still be told what is safe. */
static void expect_open_for_answers(int producer)
{
    char byte;
    assert_int_equal(recv(producer, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
}

static void test_what_is_in_the_sockets_is_delivered_first(void **state)
{
    struct world *world = *state;
    world_start(world, LISTEN);
    int first = world_connect(world);
    int second = world_connect(world);
    world_send_string(world, first, "a\n");
    world_wait(world, WORLD_DOCUMENT, 1);
    size_t lines = fill(first) + fill(second);
    assert_true(lines > 256);

    finish(world);
    expect_open_for_answers(first);
    expect_refused(first);
    expect_refused(second);
    world_wait(world, WORLD_FINISHED, 1);
    assert_int_equal(world->count[WORLD_DOCUMENT], 1 + lines);
    assert_int_equal(world->count[WORLD_CLOSED], 2);
    close(first);
    close(second);
}

static void test_what_waits_to_be_accepted_is_delivered_too(void **state)
{
    struct world *world = *state;
    world_start(world, LISTEN);
    int producer = world_connect(world);
    size_t lines = fill(producer);
    finish(world);
    world_wait(world, WORLD_FINISHED, 1);
    assert_int_equal(world->count[WORLD_OPENED], 1);
    assert_int_equal(world->count[WORLD_DOCUMENT], lines);
    close(producer);
}

static void test_nobody_can_connect_any_more(void **state)
{
    struct world *world = *state;
    world_start(world, LISTEN);
    world_rounds(world, 3);
    finish(world);
    assert_int_equal(access(world->socket_path, F_OK), -1);
    world_wait(world, WORLD_FINISHED, 1);
    assert_int_equal(world->count[WORLD_OPENED], 0);
}

static void test_an_unfinished_line_is_counted_and_not_a_document(void **state)
{
    struct world *world = *state;
    world_start(world, LISTEN);
    int producer = world_connect(world);
    world_send_string(world, producer, "a\ncut");
    finish(world);
    world_wait(world, WORLD_FINISHED, 1);
    world_expect(world, 1, TEXT("a\n"));
    assert_int_equal(world->cut_bytes, 3);
    close(producer);
}

static void test_a_pause_holds_it_up(void **state)
{
    struct world *world = *state;
    world_start(world, LISTEN);
    int producer = world_connect(world);
    world_send_string(world, producer, "a\nb\nc\n");
    world->pause_at = 2;
    world_wait(world, WORLD_DOCUMENT, 2);
    finish(world);
    world_rounds(world, 20);
    assert_int_equal(world->count[WORLD_FINISHED], 0);
    world_resume(world);
    world_wait(world, WORLD_FINISHED, 1);
    world_expect(world, 1, TEXT("a\nb\nc\n"));
    world_pause(world);
    world_resume(world);
    world_rounds(world, 20);
    assert_int_equal(world->count[WORLD_FINISHED], 1);
    close(producer);
}

static void test_a_tailed_producer_is_read_and_not_connected_to_again(void **state)
{
    struct world *world = *state;
    int listener = world_listen(world);
    world_start(world, CONNECT);
    int producer = world_accept(world, listener);
    world_send_string(world, producer, "a\n");
    world_wait(world, WORLD_DOCUMENT, 1);
    size_t lines = fill(producer);
    finish(world);
    world_wait(world, WORLD_FINISHED, 1);
    assert_int_equal(world->count[WORLD_DOCUMENT], 1 + lines);
    assert_int_equal(world->count[WORLD_OPENED], 1);
    assert_int_equal(accept(listener, NULL, NULL), -1);
    close(producer);
    close(listener);
}

static void test_while_it_connects(void **state)
{
    struct world *world = *state;
    int listener = world_listen(world);
    world_start(world, CONNECT);
    finish(world);
    world_wait(world, WORLD_FINISHED, 1);
    assert_int_equal(world->count[WORLD_OPENED], 0);
    close(listener);
}

static void test_between_two_attempts_to_connect(void **state)
{
    struct world *world = *state;
    world_start(world, CONNECT);
    while (world_logged(world, "cannot connect") == 0)
        uv_run(&world->loop, UV_RUN_ONCE);
    world_rounds(world, 3);
    finish(world);
    world_wait(world, WORLD_FINISHED, 1);
}

static int pipe_as_stdin(void)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    close(ends[0]);
    return ends[1];
}

static void test_standard_input_ends_where_it_is(void **state)
{
    struct world *world = *state;
    int writer = pipe_as_stdin();
    world_start(world, "-");
    assert_int_equal(write(writer, "a\nb\nc", 5), 5);
    world->pause_at = 1;
    world_wait(world, WORLD_DOCUMENT, 1);
    finish(world);
    world_resume(world);
    world_wait(world, WORLD_FINISHED, 1);
    world_expect(world, 1, TEXT("a\nb\n"));
    assert_int_equal(world->cut_bytes, 1);
    world_rounds(world, 20);
    assert_int_equal(world->count[WORLD_FINISHED], 1);
    close(writer);
}

static void test_standard_input_that_waits(void **state)
{
    struct world *world = *state;
    int writer = pipe_as_stdin();
    world_start(world, "-");
    world_rounds(world, 5);
    finish(world);
    world_wait(world, WORLD_FINISHED, 1);
    close(writer);
}

/* world_end() closes the source that a test leaves open, here with lines to deliver. */
static void test_closing_at_once_afterwards(void **state)
{
    struct world *world = *state;
    world_start(world, LISTEN);
    int producer = world_connect(world);
    fill(producer);
    finish(world);
    world_close(world);
    world_wait_until(world, &world->source_closed, 1);
    assert_int_equal(world->count[WORLD_FINISHED], 0);
    close(producer);
}

static void test_closing_in_the_last_event(void **state)
{
    struct world *world = *state;
    world_start(world, LISTEN);
    world->close_at = WORLD_FINISHED;
    finish(world);
    world_wait_until(world, &world->source_closed, 1);
}

#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, world_begin, world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_what_is_in_the_sockets_is_delivered_first),
        WORLD_TEST(test_what_waits_to_be_accepted_is_delivered_too),
        WORLD_TEST(test_nobody_can_connect_any_more),
        WORLD_TEST(test_an_unfinished_line_is_counted_and_not_a_document),
        WORLD_TEST(test_a_pause_holds_it_up),
        WORLD_TEST(test_a_tailed_producer_is_read_and_not_connected_to_again),
        WORLD_TEST(test_while_it_connects),
        WORLD_TEST(test_between_two_attempts_to_connect),
        WORLD_TEST(test_standard_input_ends_where_it_is),
        WORLD_TEST(test_standard_input_that_waits),
        WORLD_TEST(test_closing_at_once_afterwards),
        WORLD_TEST(test_closing_in_the_last_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
