/* source_connect: tails a producer's socket, and comes back whenever it does. */
#include "test/support/source_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define CONNECT        "unix:"
#define CANNOT_CONNECT "msg=\"cannot connect"
#define STILL_CANNOT   "msg=\"still cannot connect"
#define NOBODY         65534

static void wait_until_logged(struct world *world, const char *text, size_t n)
{
    while (world_logged(world, text) < n)
        uv_run(&world->loop, UV_RUN_ONCE);
}

static void remove_listener(struct world *world, int listener)
{
    close(listener);
    assert_int_equal(unlink(world->socket_path), 0);
}

static void test_it_connects_and_tails(void **state)
{
    struct world *world = *state;
    int listener = world_listen(world);
    world_start(world, CONNECT);
    int producer = world_accept(world, listener);
    world_send_string(world, producer, "a\nb\n");
    world_wait(world, WORLD_DOCUMENT, 2);
    world_send_string(world, producer, "c\n");
    world_wait(world, WORLD_DOCUMENT, 3);
    world_expect(world, 1, TEXT("a\nb\nc\n"));
    assert_int_equal(world_logged(world, CANNOT_CONNECT), 0);
    close(producer);
    close(listener);
}

static void test_it_connects_again_when_the_producer_ends_its_stream(void **state)
{
    struct world *world = *state;
    int listener = world_listen(world);
    world_start(world, CONNECT);
    int first = world_accept(world, listener);
    world_send_string(world, first, "a\ncu");
    close(first);
    int second = world_accept(world, listener);
    assert_int_equal(world->count[WORLD_CLOSED], 1);
    assert_int_equal(world->cut_bytes, 2);
    world_send_string(world, second, "t\nb\n");
    world_wait(world, WORLD_DOCUMENT, 3);
    world_expect(world, 1, TEXT("a\n"));
    world_expect(world, 2, TEXT("t\nb\n"));
    close(second);
    close(listener);
}

static void test_it_connects_to_a_restarted_producer(void **state)
{
    struct world *world = *state;
    int listener = world_listen(world);
    world_start(world, CONNECT);
    int producer = world_accept(world, listener);
    world_send_string(world, producer, "a\n");
    world_wait(world, WORLD_DOCUMENT, 1);

    close(producer);
    close(listener); /* the file stays: connection refused */
    wait_until_logged(world, "connection refused", 1);
    assert_int_equal(unlink(world->socket_path), 0);
    wait_until_logged(world, "no such file", 1);

    listener = world_listen(world);
    producer = world_accept(world, listener);
    world_send_string(world, producer, "b\n");
    world_wait(world, WORLD_DOCUMENT, 2);
    world_expect(world, 2, TEXT("b\n"));
    close(producer);
    close(listener);
}

static void test_an_outage_is_logged_once_with_what_to_do(void **state)
{
    struct world *world = *state;
    world_start(world, CONNECT);
    wait_until_logged(world, CANNOT_CONNECT, 1);
    assert_int_equal(world_logged(world, "its volume is not mounted"), 1);
    wait_until_logged(world, STILL_CANNOT, 3);
    assert_int_equal(world_logged(world, CANNOT_CONNECT), 1);

    /* The next outage is another one. */
    int listener = world_listen(world);
    int producer = world_accept(world, listener);
    world_send_string(world, producer, "a\n");
    world_wait(world, WORLD_DOCUMENT, 1);
    remove_listener(world, listener);
    close(producer);
    wait_until_logged(world, CANNOT_CONNECT, 2);
}

static void test_a_missing_permission_is_logged_with_what_to_do(void **state)
{
    struct world *world = *state;
    uid_t user = geteuid();
    int listener = world_listen(world);
    if (user == 0)
        assert_int_equal(seteuid(NOBODY), 0);
    else
        assert_int_equal(chmod(world->socket_path, 0), 0);
    world_start(world, CONNECT);
    wait_until_logged(world, CANNOT_CONNECT, 1);
    assert_int_equal(world_logged(world, "needs write permission"), 1);
    if (user == 0)
        assert_int_equal(seteuid(user), 0);
    else
        assert_int_equal(chmod(world->socket_path, 0600), 0);
    close(world_accept(world, listener));
    close(listener);
}

static void test_a_socket_of_another_type_is_logged_with_what_to_do(void **state)
{
    struct world *world = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int other = socket(AF_UNIX, SOCK_DGRAM, 0);
    memcpy(address.sun_path, world->socket_path, strlen(world->socket_path));
    assert_int_equal(bind(other, (struct sockaddr *)&address, sizeof(address)), 0);
    world_start(world, CONNECT);
    wait_until_logged(world, "must be a stream socket", 1);
    close(other);
}

/* The delay that the last record names. */
static int last_retry_ms(const struct world *world)
{
    char log[65536];
    int retry_ms = -1;
    ssize_t length = pread(world->log, log, sizeof(log) - 1, 0);
    assert_true(length >= 0);
    log[length] = '\0';
    for (const char *at = log; (at = strstr(at, "retry_ms=")) != NULL; at++)
        retry_ms = atoi(at + strlen("retry_ms="));
    return retry_ms;
}

static void test_the_delay_grows_until_bytes_come(void **state)
{
    struct world *world = *state;
    world_start(world, CONNECT);
    wait_until_logged(world, STILL_CANNOT, 3);
    assert_in_range(last_retry_ms(world), 400, 800);

    int listener = world_listen(world);
    int producer = world_accept(world, listener);
    world_send_string(world, producer, "x");
    remove_listener(world, listener);
    close(producer);
    wait_until_logged(world, CANNOT_CONNECT, 2);
    assert_in_range(last_retry_ms(world), 100, 200);
}

static void test_a_producer_that_ends_at_once_is_tried_again_with_growing_delays(void **state)
{
    struct world *world = *state;
    int listener = world_listen(world);
    world_start(world, CONNECT);
    for (size_t i = 1; i <= 3; i++) {
        int producer = world_accept(world, listener);
        if (i == 3)
            remove_listener(world, listener);
        close(producer);
        world_wait(world, WORLD_CLOSED, i);
    }
    assert_int_equal(world->count[WORLD_OPENED], 3);
    wait_until_logged(world, CANNOT_CONNECT, 1);
    assert_in_range(last_retry_ms(world), 400, 800);
}

static void test_a_half_closed_producer_has_ended_its_stream(void **state)
{
    struct world *world = *state;
    int listener = world_listen(world);
    char byte;
    world_start(world, CONNECT);
    int producer = world_accept(world, listener);
    world_send_string(world, producer, "a\n");
    assert_int_equal(shutdown(producer, SHUT_WR), 0);
    int next = world_accept(world, listener);
    world_expect(world, 1, TEXT("a\n"));
    assert_int_equal(recv(producer, &byte, 1, MSG_DONTWAIT), 0);
    close(producer);
    close(next);
    close(listener);
}

static void test_a_pause_holds_across_a_reconnect(void **state)
{
    struct world *world = *state;
    int listener = world_listen(world);
    world_start(world, CONNECT);
    world_pause(world);
    int producer = world_accept(world, listener);
    world_send_string(world, producer, "a\n");
    close(producer);
    world_rounds(world, 10);
    assert_int_equal(world->count[WORLD_OPENED], 0);
    world_resume(world);
    producer = world_accept(world, listener);
    world_pause(world);
    world_send_string(world, producer, "b\n");
    world_rounds(world, 10);
    assert_int_equal(world->count[WORLD_DOCUMENT], 1);
    world_resume(world);
    world_wait(world, WORLD_DOCUMENT, 2);
    close(producer);
    close(listener);
}

/* ---- closing ----------------------------------------------------------------------------------*/

static void test_closing_while_it_connects(void **state)
{
    struct world *world = *state;
    int listener = world_listen(world);
    world_start(world, CONNECT);
    world_close(world);
    world_wait_until(world, &world->source_closed, 1);
    assert_int_equal(world->count[WORLD_OPENED], 0);
    close(listener);
}

static void test_closing_before_a_failed_attempt_is_known(void **state)
{
    struct world *world = *state;
    world_start(world, CONNECT);
    world_close(world);
    world_wait_until(world, &world->source_closed, 1);
    assert_int_equal(world_logged(world, CANNOT_CONNECT), 0);
}

static void test_closing_between_two_attempts(void **state)
{
    struct world *world = *state;
    world_start(world, CONNECT);
    wait_until_logged(world, CANNOT_CONNECT, 1);
    world_rounds(world, 3);
    world_close(world);
    world_wait_until(world, &world->source_closed, 1);
}

static void on_check(uv_check_t *check)
{
    struct world *world = check->data;
    uv_close((uv_handle_t *)check, NULL);
    world_close(world);
}

/* The check comes after the failure is known and before its handle is closed. */
static void test_closing_while_a_failed_attempt_closes(void **state)
{
    struct world *world = *state;
    uv_check_t check;
    world_start(world, CONNECT);
    uv_check_init(&world->loop, &check);
    check.data = world;
    uv_check_start(&check, on_check);
    world_wait_until(world, &world->source_closed, 1);
    assert_int_equal(world_logged(world, CANNOT_CONNECT), 0);
}

static void test_closing_in_opened(void **state)
{
    struct world *world = *state;
    int listener = world_listen(world);
    world->close_at = WORLD_OPENED;
    world_start(world, CONNECT);
    world_wait_until(world, &world->source_closed, 1);
    close(listener);
}

static void test_closing_in_closed(void **state)
{
    struct world *world = *state;
    int listener = world_listen(world);
    world->close_at = WORLD_CLOSED;
    world_start(world, CONNECT);
    close(world_accept(world, listener));
    world_wait_until(world, &world->source_closed, 1);
    close(listener);
}

#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, world_begin, world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_it_connects_and_tails),
        WORLD_TEST(test_it_connects_again_when_the_producer_ends_its_stream),
        WORLD_TEST(test_it_connects_to_a_restarted_producer),
        WORLD_TEST(test_an_outage_is_logged_once_with_what_to_do),
        WORLD_TEST(test_a_missing_permission_is_logged_with_what_to_do),
        WORLD_TEST(test_a_socket_of_another_type_is_logged_with_what_to_do),
        WORLD_TEST(test_the_delay_grows_until_bytes_come),
        WORLD_TEST(test_a_producer_that_ends_at_once_is_tried_again_with_growing_delays),
        WORLD_TEST(test_a_half_closed_producer_has_ended_its_stream),
        WORLD_TEST(test_a_pause_holds_across_a_reconnect),
        WORLD_TEST(test_closing_while_it_connects),
        WORLD_TEST(test_closing_before_a_failed_attempt_is_known),
        WORLD_TEST(test_closing_between_two_attempts),
        WORLD_TEST(test_closing_while_a_failed_attempt_closes),
        WORLD_TEST(test_closing_in_opened),
        WORLD_TEST(test_closing_in_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
