/* source: which addresses there are, and what all kinds of source have in common: what a connection's
 * bytes become, pausing, bounded work, and closing in every state. */
#include "lib/settings/config.h"
#include "sidecar/source/sources.h"
#include "test/support/source_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define LISTEN "unix-listen:"

static void test_addresses_that_can_be_used(void **state)
{
    static const char *const good[] = {"unix:/run/a.sock",
                                       "unix-listen:/run/a.sock",
                                       "-",
                                       "unix:relative",
                                       "kube:",
                                       "kube+unix:/run/a.sock",
                                       "unix:/a,unix:a,unix:/a/b,unix:/ab,unix:/a/.b"};
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct error err = {0};
        assert_int_equal(source_check(good[i], NULL, &err), ERROR_NONE);
    }
}

static void test_several_sources_are_named_with_commas(void **state)
{
    static const char *const expected[] = {"unix:/a", "unix-listen:/b", "kube:", "-", "unix:/c"};
    struct source_list list;
    struct error err = {0};
    (void)state;
    assert_int_equal(source_list_read(&list, "unix:/a,unix-listen:/b, kube: ,\t- ,unix:/c", &err),
                     ERROR_NONE);
    assert_int_equal(list.count, 5);
    for (size_t i = 0; i < list.count; i++)
        assert_string_equal(list.addresses[i], expected[i]);
}

static void test_sources_that_do_not_go_together_are_refused(void **state)
{
    static const struct {
        const char *event_source, *problem;
    } bad[] = {
        {"unix:/a,unix:/a", "\"unix:/a\" is named twice"},
        {"kube:,unix:/a,kube:", "\"kube:\" is named twice"},
        {"unix:/a,unix-listen:/a", "are the same socket"},
        {"unix:/a/b,unix-listen://a/././b", "are the same socket"},
        {"unix:a,kube+unix:./a", "are the same socket"},
        {"kube:,kube+unix:/a", "are both the API server"},
        {"-,unix:/a,-", "\"-\" is named twice"},
        {"-,replay:-", "are both standard input"},
        {"unix:/a,", "\"\" is not a source"},
        {",unix:/a", "\"\" is not a source"},
        {"unix:/a unix:/b,kube", "\"kube\" is not a source"},
        {"unix:/1,unix:/2,unix:/3,unix:/4,unix:/5,unix:/6,unix:/7,unix:/8,unix:/9", "more than 8"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct error err = {0};
        assert_int_equal(source_check(bad[i].event_source, NULL, &err), ERROR_OPERATOR);
        if (strstr(err.text, bad[i].problem) == NULL)
            fail_msg("%s: %s", bad[i].event_source, err.text);
    }
}

static void test_only_a_source_that_connects_may_stand_by(void **state)
{
    (void)state;
    assert_true(source_may_stand_by("unix:/run/a.sock"));
    assert_false(source_may_stand_by("unix-listen:/run/a.sock"));
    assert_false(source_may_stand_by("-"));
    assert_false(source_may_stand_by(SOURCE_REPLAY));
    assert_false(source_may_stand_by("tcp:1"));
    assert_true(source_may_stand_by("unix:/run/a.sock,kube:"));
    assert_false(source_may_stand_by("kube:,unix-listen:/run/a.sock"));
}

static void test_who_tells_the_cluster(void **state)
{
    (void)state;
    assert_true(source_needs_cluster_id("unix:/run/a.sock"));
    assert_true(source_needs_cluster_id("unix-listen:/run/a.sock,unix:/run/b.sock"));
    assert_false(source_needs_cluster_id("unix-listen:/run/a.sock,kube:"));
    assert_false(source_needs_cluster_id("kube+unix:/run/a.sock"));
    assert_false(source_needs_cluster_id("-"));
    assert_false(source_needs_cluster_id("tcp:1"));
}

static void test_other_addresses_are_refused_with_what_can_be_used(void **state)
{
    static const char *const bad[] = {"",     "--",      "-x",   "/run/a.sock", "tcp:1",
                                      "unix", "UNIX:/a", "kube", "kube:x"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct error err = {0};
        assert_int_equal(source_check(bad[i], NULL, &err), ERROR_OPERATOR);
        assert_non_null(strstr(err.text, "unix:PATH"));
        assert_non_null(strstr(err.text, "unix-listen:PATH"));
    }
}

static void assert_lacks(const char *address, const struct config *config, const char *name)
{
    struct error err = {0};
    assert_int_equal(source_check(address, config, &err), ERROR_OPERATOR);
    assert_non_null(strstr(err.text, name));
}

static void test_what_else_has_to_be_set_to_list_and_watch(void **state)
{
    struct error err;
    static struct config config;
    (void)state;
    assert_lacks("kube:", &config, "KUBERNETES_SERVICE_HOST");
    (void)snprintf(config.kubernetes_service_host, CONFIG_TEXT_SIZE, "10.96.0.1");
    assert_lacks("kube:", &config, "KUBERNETES_SERVICE_PORT");
    (void)snprintf(config.kubernetes_service_port, CONFIG_TEXT_SIZE, "443");
    assert_int_equal(source_check("kube:", &config, &err), ERROR_NONE);
    (void)snprintf(config.kube_label_selector, CONFIG_TEXT_SIZE, "a=b");
    assert_lacks("kube:", &config, "CLUSTER_ID");
    assert_lacks("kube+unix:/a", &config, "CLUSTER_ID");
    assert_lacks("unix:/b,kube:", &config, "no other source");
    assert_int_equal(source_check("unix:/a", &config, &err), ERROR_NONE);
    (void)snprintf(config.cluster_id, CONFIG_TEXT_SIZE, "blue");
    assert_int_equal(source_check("kube:", &config, &err), ERROR_NONE);
}

static void test_an_address_without_path_is_refused(void **state)
{
    struct error err;
    (void)state;
    assert_int_equal(source_check("unix:", NULL, &err), ERROR_OPERATOR);
    assert_non_null(strstr(err.text, "path"));
    assert_int_equal(source_check("unix-listen:", NULL, &err), ERROR_OPERATOR);
}

/* libuv would use the first 108 bytes of it. */
static void test_a_path_too_long_for_a_socket_is_refused(void **state)
{
    char address[200] = "unix:";
    struct error err;
    (void)state;
    memset(address + 5, 'x', 107);
    assert_int_equal(source_check(address, NULL, &err), ERROR_NONE);
    address[5 + 107] = 'x';
    assert_int_equal(source_check(address, NULL, &err), ERROR_OPERATOR);
    assert_non_null(strstr(err.text, "108"));

    struct sources *sources = NULL;
    const struct sources_settings settings = {.event_source = address};
    assert_int_equal(sources_new(NULL, &settings, &sources, &err), ERROR_OPERATOR);
    assert_null(sources);
}

/* ---- from bytes to events ---------------------------------------------------------------------*/

static void test_documents_come_in_order_between_opened_and_closed(void **state)
{
    struct world *world = *state;
    world_start(world, LISTEN);
    int producer = world_connect(world);
    world_send_string(world, producer, "{\"a\":1}\n{\"b\":2}\n{\"c\":3}\n");
    world_wait(world, WORLD_DOCUMENT, 3);
    assert_int_equal(world->count[WORLD_OPENED], 1);
    assert_int_equal(world->count[WORLD_CLOSED], 0);
    close(producer);
    world_wait(world, WORLD_CLOSED, 1);
    world_expect(world, 1, TEXT("{\"a\":1}\n{\"b\":2}\n{\"c\":3}\n"));
    assert_int_equal(world->cut_bytes, 0);
    assert_int_equal(world->count[WORLD_FINISHED], 0);
    assert_int_equal(world_logged(world, "stream broken"), 0);
}

static void test_a_cut_between_any_two_bytes_changes_nothing(void **state)
{
    static const char stream[] = "{\"type\":\"ADDED\"}\r\n\n{\"b\":2}\n";
    struct world *world = *state;
    world_start(world, LISTEN);
    for (size_t cut = 1; cut < sizeof(stream) - 1; cut++) {
        int producer = world_connect(world);
        world_send(world, producer, (struct text){stream, cut});
        world_wait(world, WORLD_OPENED, cut);
        world_rounds(world, 5);
        world_send_string(world, producer, stream + cut);
        close(producer);
        world_wait(world, WORLD_CLOSED, cut);
        world_expect(world, cut, TEXT("{\"type\":\"ADDED\"}\n{\"b\":2}\n"));
    }
}

static void test_blank_lines_returns_and_nul_bytes(void **state)
{
    struct world *world = *state;
    world_start(world, LISTEN);
    int producer = world_connect(world);
    world_send(world, producer, TEXT("\r\n\na\r\n \n\0b\0\n\n"));
    close(producer);
    world_wait(world, WORLD_CLOSED, 1);
    world_expect(world, 1, TEXT("a\n\0b\0\n"));
    assert_int_equal(world->count[WORLD_DOCUMENT], 2);
}

static void test_an_unfinished_last_line_is_counted_and_not_a_document(void **state)
{
    struct world *world = *state;
    world_start(world, LISTEN);
    int producer = world_connect(world);
    world_send_string(world, producer, "whole\n{\"type\":\"ADD");
    close(producer);
    world_wait(world, WORLD_CLOSED, 1);
    world_expect(world, 1, TEXT("whole\n"));
    assert_int_equal(world->cut_bytes, strlen("{\"type\":\"ADD"));
}

static void test_an_overlong_line_in_the_middle_disturbs_nothing(void **state)
{
    struct world *world = *state;
    size_t length = 1000000;
    char *line = malloc(length);
    assert_non_null(line);
    memset(line, 'x', length);
    memcpy(line, "{\"kind\"", 7);

    world_start(world, LISTEN);
    int producer = world_connect(world);
    world_send_string(world, producer, "before\n");
    world_send(world, producer, (struct text){line, length});
    world_send_string(world, producer, "\nafter\n");
    world_wait(world, WORLD_DOCUMENT, 2);
    world_expect(world, 1, TEXT("before\nafter\n"));
    assert_int_equal(world->count[WORLD_TOO_LONG], 1);
    assert_int_equal(world->too_long_length, length);
    assert_memory_equal(world->head, "{\"kind\"xx", 9);

    /* One that is not finished is no document at all. */
    world_send(world, producer, (struct text){line, length});
    close(producer);
    world_wait(world, WORLD_CLOSED, 1);
    assert_int_equal(world->count[WORLD_TOO_LONG], 1);
    assert_int_equal(world->cut_bytes, length);
    free(line);
}

static void test_a_document_of_the_largest_size_is_whole(void **state)
{
    struct world *world = *state;
    world->max_document = 1 << 24;
    char *line = malloc(world->max_document + 1);
    assert_non_null(line);
    for (size_t i = 0; i < world->max_document; i++)
        line[i] = (char)('a' + i % 23);
    line[world->max_document] = '\n';

    world_start(world, LISTEN);
    int producer = world_connect(world);
    world_send(world, producer, (struct text){line, world->max_document + 1});
    world_wait(world, WORLD_DOCUMENT, 1);
    world_expect(world, 1, (struct text){line, world->max_document + 1});
    close(producer);
    free(line);
}

static void test_a_half_closed_producer_has_ended_its_stream(void **state)
{
    struct world *world = *state;
    char byte;
    world_start(world, LISTEN);
    int producer = world_connect(world);
    world_send_string(world, producer, "a\nb\n");
    assert_int_equal(shutdown(producer, SHUT_WR), 0);
    world_wait(world, WORLD_CLOSED, 1);
    world_rounds(world, 5);
    world_expect(world, 1, TEXT("a\nb\n"));
    assert_int_equal(recv(producer, &byte, 1, MSG_DONTWAIT), 0);
    close(producer);
}

/* ---- bounded work -----------------------------------------------------------------------------*/

static void on_check(uv_check_t *check)
{
    size_t *rounds = check->data;
    ++*rounds;
}

static void test_many_lines_of_one_read_are_delivered_in_small_bursts(void **state)
{
    struct world *world = *state;
    char lines[60000];
    size_t rounds = 0;
    uv_check_t check;

    for (size_t i = 0; i < sizeof(lines); i += 2)
        memcpy(lines + i, "x\n", 2);
    world_start(world, LISTEN);
    int producer = world_connect(world);
    world_wait(world, WORLD_OPENED, 1);
    world_send(world, producer, (struct text){lines, sizeof(lines)});

    uv_check_init(&world->loop, &check);
    check.data = &rounds;
    uv_check_start(&check, on_check);
    world_wait(world, WORLD_DOCUMENT, sizeof(lines) / 2);
    uv_close((uv_handle_t *)&check, NULL);
    world_rounds(world, 2);

    world_expect(world, 1, (struct text){lines, sizeof(lines)});
    assert_true(world->largest_burst <= 256);
    assert_true(rounds >= sizeof(lines) / 2 / 256);
    close(producer);
}

static void test_a_busy_producer_does_not_keep_others_waiting(void **state)
{
    struct world *world = *state;
    char lines[60000];
    memset(lines, '\n', sizeof(lines));
    for (size_t i = 0; i < sizeof(lines); i += 2)
        lines[i] = 'x';
    world_start(world, LISTEN);
    int busy = world_connect(world);
    int quiet = world_connect(world);
    world_wait(world, WORLD_OPENED, 2);
    world_send(world, busy, (struct text){lines, sizeof(lines)});
    world_send_string(world, quiet, "y\n");
    while (buffer_text(&world->received[2]).length == 0)
        uv_run(&world->loop, UV_RUN_ONCE);
    assert_true(world->count[WORLD_DOCUMENT] <= 1024);
    close(busy);
    close(quiet);
}

static void test_without_anything_to_deliver_the_loop_sleeps(void **state)
{
    struct world *world = *state;
    world_start(world, LISTEN);
    int producer = world_connect(world);
    world_send_string(world, producer, "a\nb\n");
    world->pause_at = 1;
    world_wait(world, WORLD_DOCUMENT, 1);
    world_rounds(world, 3);
    assert_true(uv_backend_timeout(&world->loop) > 0);
    world_resume(world);
    assert_int_equal(uv_backend_timeout(&world->loop), 0);
    world_wait(world, WORLD_DOCUMENT, 2);
    world_rounds(world, 3);
    assert_true(uv_backend_timeout(&world->loop) > 0);
    close(producer);
}

/* ---- pausing ----------------------------------------------------------------------------------*/

static void test_no_document_comes_while_paused_and_none_is_lost(void **state)
{
    struct world *world = *state;
    char lines[60001];
    for (size_t i = 0; i < 10000; i++)
        (void)snprintf(lines + 6 * i, 7, "%05zu\n", i);
    world_start(world, LISTEN);
    int producer = world_connect(world);
    world_send(world, producer, (struct text){lines, 60000});

    /* Pausing at each of many places: in the middle of a burst, and at the end of a read. */
    for (size_t at = 1; at <= 10000; at += 97) {
        world->pause_at = at;
        world_wait(world, WORLD_DOCUMENT, at);
        world_rounds(world, 10);
        assert_int_equal(world->count[WORLD_DOCUMENT], at);
        world->pause_at = 0;
        world_resume(world);
        assert_int_equal(world->count[WORLD_DOCUMENT], at);
    }
    close(producer);
    world_wait(world, WORLD_CLOSED, 1);
    world_expect(world, 1, (struct text){lines, 60000});
}

static void test_the_producer_feels_a_pause(void **state)
{
    struct world *world = *state;
    char line[1024];
    size_t sent = 0;

    memset(line, 'x', sizeof(line));
    line[sizeof(line) - 1] = '\n';
    world_start(world, LISTEN);
    int producer = world_connect(world);
    world_pause(world);
    for (int refused = 0; refused < 10;) {
        ssize_t result = send(producer, line, sizeof(line), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (result > 0) {
            sent += (size_t)result;
            refused = 0;
        } else {
            refused++;
        }
        world_rounds(world, 5);
        assert_true(sent < 16U << 20);
    }
    assert_int_equal(world->count[WORLD_DOCUMENT], 0);
    world_resume(world);
    world_wait(world, WORLD_DOCUMENT, sent / sizeof(line));
    close(producer);
}

static void test_an_end_during_a_pause_is_told_after_it(void **state)
{
    struct world *world = *state;
    world_start(world, LISTEN);
    int producer = world_connect(world);
    world_send_string(world, producer, "a\nb\n");
    world->pause_at = 1;
    world_wait(world, WORLD_DOCUMENT, 1);
    close(producer);
    world_rounds(world, 10);
    assert_int_equal(world->count[WORLD_DOCUMENT], 1);
    assert_int_equal(world->count[WORLD_CLOSED], 0);
    world_resume(world);
    world_wait(world, WORLD_CLOSED, 1);
    world_expect(world, 1, TEXT("a\nb\n"));
}

static void test_pausing_and_resuming_before_the_start_and_twice(void **state)
{
    struct world *world = *state;
    world_start(world, LISTEN);
    world_pause(world);
    world_pause(world);
    int producer = world_connect(world);
    world_send_string(world, producer, "a\n");
    world_rounds(world, 10);
    assert_int_equal(world->count[WORLD_DOCUMENT], 0);
    world_resume(world);
    world_resume(world);
    world_wait(world, WORLD_DOCUMENT, 1);
    close(producer);
}

/* ---- closing ----------------------------------------------------------------------------------*/

static void close_in(struct world *world, enum world_event event)
{
    char *line = malloc(2 * WORLD_MAX_DOCUMENT);
    assert_non_null(line);
    memset(line, 'x', 2 * WORLD_MAX_DOCUMENT);

    world->close_at = event;
    world_start(world, LISTEN);
    int producer = world_connect(world);
    int other = world_connect(world);
    world_send_string(world, other, "c\nd\ncut");
    world_send_string(world, producer, "a\nb\n");
    world_send(world, producer, (struct text){line, 2 * WORLD_MAX_DOCUMENT});
    world_send_string(world, producer, "\ne\ncut");
    close(producer);
    world_wait_until(world, &world->source_closed, 1);
    assert_int_equal(world->count[event], 1);
    close(other);
    free(line);
}

static void test_closing_in_opened(void **state)
{
    close_in(*state, WORLD_OPENED);
}

static void test_closing_in_document(void **state)
{
    close_in(*state, WORLD_DOCUMENT);
}

static void test_closing_in_drained(void **state)
{
    close_in(*state, WORLD_DRAINED);
}

static void test_closing_in_closed(void **state)
{
    close_in(*state, WORLD_CLOSED);
}

/* The lines before it would close the source first: alone in its stream. */
static void test_closing_in_too_long(void **state)
{
    struct world *world = *state;
    world->max_document = 10;
    world->close_at = WORLD_TOO_LONG;
    world_start(world, LISTEN);
    int producer = world_connect(world);
    world_send_string(world, producer, "a\nlonger than that\nb\n");
    world_wait_until(world, &world->source_closed, 1);
    world_expect(world, 1, TEXT("a\n"));
    close(producer);
}

static void test_closing_while_paused_with_lines_waiting(void **state)
{
    struct world *world = *state;
    world_start(world, LISTEN);
    int producer = world_connect(world);
    int other = world_connect(world);
    world->pause_at = 1;
    world_send_string(world, producer, "a\nb\nc\n");
    world_send_string(world, other, "d\n");
    world_wait(world, WORLD_DOCUMENT, 1);
    world_rounds(world, 5);
    world_close(world);
    world_wait_until(world, &world->source_closed, 1);
    assert_int_equal(world->count[WORLD_DOCUMENT], 1);
    close(producer);
    close(other);
}

static void test_closing_while_connections_read_and_while_one_closes(void **state)
{
    struct world *world = *state;
    world_start(world, LISTEN);
    int ended = world_connect(world);
    int idle = world_connect(world);
    world_wait(world, WORLD_OPENED, 2);
    close(ended);
    world_wait(world, WORLD_CLOSED, 1);
    world_close(world);
    world_wait_until(world, &world->source_closed, 1);
    close(idle);
}

static void test_closing_before_the_start(void **state)
{
    struct world *world = *state;
    static const char *const addresses[] = {"-", "unix:/nowhere", "unix-listen:/nowhere"};
    for (size_t i = 0; i < 3; i++) {
        const struct source_settings settings = {
            .address = addresses[i], .max_document = 10, .shared = &world->shared};
        world->source = source_new(&world->loop, &settings);
        world_close(world);
        assert_int_equal(world->source_closed, i);
        world_wait_until(world, &world->source_closed, i + 1);
    }
}

#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, world_begin, world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_that_can_be_used),
        cmocka_unit_test(test_several_sources_are_named_with_commas),
        cmocka_unit_test(test_sources_that_do_not_go_together_are_refused),
        cmocka_unit_test(test_only_a_source_that_connects_may_stand_by),
        cmocka_unit_test(test_who_tells_the_cluster),
        cmocka_unit_test(test_other_addresses_are_refused_with_what_can_be_used),
        cmocka_unit_test(test_what_else_has_to_be_set_to_list_and_watch),
        cmocka_unit_test(test_an_address_without_path_is_refused),
        cmocka_unit_test(test_a_path_too_long_for_a_socket_is_refused),
        WORLD_TEST(test_documents_come_in_order_between_opened_and_closed),
        WORLD_TEST(test_a_cut_between_any_two_bytes_changes_nothing),
        WORLD_TEST(test_blank_lines_returns_and_nul_bytes),
        WORLD_TEST(test_an_unfinished_last_line_is_counted_and_not_a_document),
        WORLD_TEST(test_an_overlong_line_in_the_middle_disturbs_nothing),
        WORLD_TEST(test_a_document_of_the_largest_size_is_whole),
        WORLD_TEST(test_a_half_closed_producer_has_ended_its_stream),
        WORLD_TEST(test_many_lines_of_one_read_are_delivered_in_small_bursts),
        WORLD_TEST(test_a_busy_producer_does_not_keep_others_waiting),
        WORLD_TEST(test_without_anything_to_deliver_the_loop_sleeps),
        WORLD_TEST(test_no_document_comes_while_paused_and_none_is_lost),
        WORLD_TEST(test_the_producer_feels_a_pause),
        WORLD_TEST(test_an_end_during_a_pause_is_told_after_it),
        WORLD_TEST(test_pausing_and_resuming_before_the_start_and_twice),
        WORLD_TEST(test_closing_in_opened),
        WORLD_TEST(test_closing_in_document),
        WORLD_TEST(test_closing_in_drained),
        WORLD_TEST(test_closing_in_closed),
        WORLD_TEST(test_closing_in_too_long),
        WORLD_TEST(test_closing_while_paused_with_lines_waiting),
        WORLD_TEST(test_closing_while_connections_read_and_while_one_closes),
        WORLD_TEST(test_closing_before_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
