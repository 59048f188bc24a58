/* source_listen: several producers at once, and the socket file's life. */
#include "sidecar/base/logger.h"
#include "test/support/source_world.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define LISTEN       "unix-listen:"
#define MAX_AT_ONCE  64
#define NOBODY       65534
#define WAITING_ONES 3

/* Stands in for the C library's, which cannot be made to fail in the same way under valgrind: the
 * next `failures` calls fail with `failure`. */
static int failure;
static unsigned failures;

int accept4(int fd, __SOCKADDR_ARG address, socklen_t *length, int flags)
{
    (void)address;
    (void)length;
    if (failures > 0) {
        failures--;
        errno = failure;
        return -1;
    }
    return (int)syscall(SYS_accept4, fd, NULL, NULL, flags);
}

/* The same for the steady clock, which a test can move on. */
static time_t seconds_ahead;

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    now->tv_sec += clock == CLOCK_REALTIME ? 0 : seconds_ahead;
    return result;
}

static mode_t mode_of(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 ? status.st_mode : 0;
}

/* A socket file as a killed process leaves it. */
static void leave_stale_socket(struct world *world)
{
    close(world_listen(world));
    assert_true(S_ISSOCK(mode_of(world->socket_path)));
}

static void expect_refusal(struct world *world, enum error_code code, const char *reason)
{
    struct error err = {0};
    assert_int_equal(world_try_start(world, LISTEN, &err), code);
    assert_non_null(strstr(err.text, world->socket_path));
    if (strstr(err.text, reason) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.text, reason);
}

/* ---- producers --------------------------------------------------------------------------------*/

static void test_three_producers_at_once_do_not_mix(void **state)
{
    struct world *world = *state;
    int producers[3];
    char line[32];

    world_start(world, LISTEN);
    for (int i = 0; i < 3; i++)
        producers[i] = world_connect(world);
    world_wait(world, WORLD_OPENED, 3);
    /* Half a line of each in turn. */
    for (int n = 0; n < 20; n++) {
        for (int i = 0; i < 3; i++) {
            (void)snprintf(line, sizeof(line), n % 2 == 0 ? "%c" : "%c\n", 'a' + i);
            world_send_string(world, producers[i], line);
        }
        world_rounds(world, 3);
    }
    for (int i = 0; i < 3; i++)
        close(producers[i]);
    world_wait(world, WORLD_CLOSED, 3);
    world_expect(world, 1, TEXT("aa\naa\naa\naa\naa\naa\naa\naa\naa\naa\n"));
    world_expect(world, 2, TEXT("bb\nbb\nbb\nbb\nbb\nbb\nbb\nbb\nbb\nbb\n"));
    world_expect(world, 3, TEXT("cc\ncc\ncc\ncc\ncc\ncc\ncc\ncc\ncc\ncc\n"));
}

static void test_a_producer_killed_inside_a_line_disturbs_no_other(void **state)
{
    struct world *world = *state;
    world_start(world, LISTEN);
    int other = world_connect(world);
    world_wait(world, WORLD_OPENED, 1);

    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int fd = world_connect(world);
        (void)!write(fd, "whole\n{\"cut", 11);
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    world_wait(world, WORLD_CLOSED, 1);
    assert_int_equal(world->last, 2);
    assert_int_equal(world->cut_bytes, 5);
    world_expect(world, 2, TEXT("whole\n"));

    world_send_string(world, other, "a\n");
    close(other);
    world_wait(world, WORLD_CLOSED, 2);
    world_expect(world, 1, TEXT("a\n"));
}

static void test_producers_over_the_bound_wait_and_lose_nothing(void **state)
{
    struct world *world = *state;
    int producers[MAX_AT_ONCE + WAITING_ONES];

    world_start(world, LISTEN);
    for (int i = 0; i < MAX_AT_ONCE + WAITING_ONES; i++) {
        producers[i] = world_connect(world);
        world_send_string(world, producers[i], "a\n");
        world_rounds(world, 2);
    }
    world_wait(world, WORLD_DOCUMENT, MAX_AT_ONCE);
    world_rounds(world, 10);
    assert_int_equal(world->count[WORLD_OPENED], MAX_AT_ONCE);
    assert_int_equal(world_logged(world, "too many producers"), 1);

    for (int i = 0; i < MAX_AT_ONCE + WAITING_ONES; i++)
        close(producers[i]);
    world_wait(world, WORLD_CLOSED, MAX_AT_ONCE + WAITING_ONES);
    assert_int_equal(world->count[WORLD_DOCUMENT], MAX_AT_ONCE + WAITING_ONES);
}

static void test_the_most_silent_producer_makes_room_for_a_newcomer(void **state)
{
    struct world *world = *state;
    int producers[MAX_AT_ONCE + 2];

    world_start(world, LISTEN);
    for (int i = 0; i < MAX_AT_ONCE; i++) {
        producers[i] = world_connect(world);
        world_send_string(world, producers[i], "a\n");
        world_wait(world, WORLD_DOCUMENT, (size_t)i + 1);
    }
    world_send_string(world, producers[0], "a\ncut"); /* then the second is the most silent one */
    world_wait(world, WORLD_DOCUMENT, MAX_AT_ONCE + 1);
    for (int i = MAX_AT_ONCE; i < MAX_AT_ONCE + 2; i++) {
        producers[i] = world_connect(world);
        world_send_string(world, producers[i], "a\n");
    }
    world_rounds(world, 10);
    assert_int_equal(world->evicted, 0);
    seconds_ahead = 11;
    world_wait(world, WORLD_DOCUMENT, MAX_AT_ONCE + 3);
    seconds_ahead = 0;
    assert_int_equal(world->evicted, 2);
    assert_int_equal(world->last_evicted, 3);
    assert_int_equal(world->count[WORLD_CLOSED], 2);
    assert_int_equal(world->cut_bytes, 0);
    assert_int_equal(read(producers[1], &(char){0}, 1), 0);
    for (int i = 0; i < MAX_AT_ONCE + 2; i++)
        close(producers[i]);
    world_wait(world, WORLD_CLOSED, MAX_AT_ONCE + 2);
}

/* ---- memory of all of them together ---- */

#define LONG      (1 << 20)
#define LONG_ONES 8

struct long_line {
    int fd;
    size_t sent;
};

/* As much as is taken of a line of LONG bytes and its newline; without the newline, if it is to stay
 * unfinished. Whether anything was. */
static bool send_on(struct long_line *line, bool finish)
{
    static char bytes[LONG + 1];
    memset(bytes, 'a', LONG);
    bytes[LONG] = '\n';
    size_t end = finish ? LONG + 1 : LONG;
    ssize_t length =
        send(line->fd, bytes + line->sent, end - line->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (length > 0)
        line->sent += (size_t)length;
    return length > 0;
}

static size_t send_all(struct world *world, struct long_line lines[LONG_ONES], bool finish)
{
    size_t sent = 0;
    for (int idle = 0; idle < 20; idle++) {
        for (int i = 0; i < LONG_ONES; i++) {
            if (send_on(&lines[i], finish))
                idle = 0;
        }
        world_rounds(world, 5);
    }
    for (int i = 0; i < LONG_ONES; i++)
        sent += lines[i].sent;
    return sent;
}

static void begin_long_lines(struct world *world, struct long_line lines[LONG_ONES])
{
    world->max_document = LONG;
    world->max_bytes = LONG / 4;
    world_start(world, LISTEN);
    for (int i = 0; i < LONG_ONES; i++)
        lines[i] = (struct long_line){.fd = world_connect(world)};
    world_wait(world, WORLD_OPENED, LONG_ONES);
}

static void close_long_lines(struct world *world, struct long_line lines[LONG_ONES])
{
    for (int i = 0; i < LONG_ONES; i++)
        close(lines[i].fd);
    world_wait(world, WORLD_CLOSED, LONG_ONES);
}

/* A socket holds some 200 KiB by itself. */
static void test_unfinished_documents_share_a_bound_and_all_get_finished(void **state)
{
    struct world *world = *state;
    struct long_line lines[LONG_ONES];
    begin_long_lines(world, lines);
    size_t sent = send_all(world, lines, false);
    assert_in_range(sent, LONG, LONG / 4 + LONG + LONG_ONES * (400 << 10));
    assert_true(world_logged(world, "all the memory that they may") > 0);

    int other = world_connect(world); /* who sends short ones is not held up */
    world_send_string(world, other, "short\n");
    world_wait(world, WORLD_DOCUMENT, 1);
    close(other);
    world_wait(world, WORLD_CLOSED, 1);

    assert_int_equal(send_all(world, lines, true), LONG_ONES * (LONG + 1));
    world_wait(world, WORLD_DOCUMENT, 1 + LONG_ONES);
    assert_int_equal(world->count[WORLD_TOO_LONG], 0);
    for (int i = 0; i < LONG_ONES; i++)
        close(lines[i].fd);
    world_wait(world, WORLD_CLOSED, 1 + LONG_ONES);
}

static void test_a_producer_that_stops_inside_a_document_does_not_keep_the_others_out(void **state)
{
    struct world *world = *state;
    struct long_line lines[LONG_ONES];
    begin_long_lines(world, lines);
    (void)send_all(world, lines, false);
    seconds_ahead = 11;
    world_wait(world, WORLD_CLOSED, 1);
    seconds_ahead = 0;
    assert_int_equal(world_logged(world, "silent inside an event"), 1);
    assert_true(world->cut_bytes > 0);
    (void)send_all(world, lines, true);
    world_wait(world, WORLD_DOCUMENT, LONG_ONES - 1);
    close_long_lines(world, lines);
}

static void test_closing_while_producers_are_crowded_out(void **state)
{
    struct world *world = *state;
    struct long_line lines[LONG_ONES];
    begin_long_lines(world, lines);
    (void)send_all(world, lines, false);
    world_close(world);
    world_wait_until(world, &world->source_closed, 1);
    for (int i = 0; i < LONG_ONES; i++)
        close(lines[i].fd);
}

static void test_finishing_while_producers_are_crowded_out(void **state)
{
    struct world *world = *state;
    struct long_line lines[LONG_ONES];
    begin_long_lines(world, lines);
    (void)send_all(world, lines, false);
    world->inside = true;
    world->source->finish(world->source);
    world->inside = false;
    world_wait(world, WORLD_FINISHED, 1);
    assert_int_equal(world->count[WORLD_CLOSED], LONG_ONES);
    for (int i = 0; i < LONG_ONES; i++)
        close(lines[i].fd);
}

static void test_connections_are_used_again_with_new_ids(void **state)
{
    struct world *world = *state;
    world_start(world, LISTEN);
    for (size_t i = 1; i <= 2 * MAX_AT_ONCE; i++) {
        int producer = world_connect(world);
        world_send_string(world, producer, "a\ncut");
        close(producer);
        world_wait(world, WORLD_CLOSED, i);
        assert_int_equal(world->last, i);
        assert_int_equal(world->cut_bytes, 3);
        world_expect(world, i, TEXT("a\n"));
    }
}

static void test_closing_with_producers_waiting_in_the_backlog(void **state)
{
    struct world *world = *state;
    int producers[MAX_AT_ONCE + WAITING_ONES];

    world_start(world, LISTEN);
    for (int i = 0; i < MAX_AT_ONCE + WAITING_ONES; i++) {
        producers[i] = world_connect(world);
        world_rounds(world, 2);
    }
    world_wait(world, WORLD_OPENED, MAX_AT_ONCE);
    world_close(world);
    world_wait_until(world, &world->source_closed, 1);
    for (int i = 0; i < MAX_AT_ONCE + WAITING_ONES; i++)
        close(producers[i]);
}

static void test_at_the_bound_of_open_files_producers_wait_until_there_is_one(void **state)
{
    struct world *world = *state;
    world_start(world, LISTEN);
    failure = EMFILE;
    failures = 2;
    int producer = world_connect(world);
    world_send_string(world, producer, "a\n");
    while (world_logged(world, "cannot accept a producer") == 0)
        uv_run(&world->loop, UV_RUN_ONCE);
    world_rounds(world, 10);
    assert_int_equal(failures, 1); /* not tried again at once */
    world_wait(world, WORLD_DOCUMENT, 1);
    assert_int_equal(world_logged(world, "cannot accept a producer"), 2);
    close(producer);
}

static void test_while_accept_fails_the_end_of_a_connection_is_the_time_to_try(void **state)
{
    struct world *world = *state;
    world_start(world, LISTEN);
    int first = world_connect(world);
    world_wait(world, WORLD_OPENED, 1);
    failure = EMFILE;
    failures = 1;
    int second = world_connect(world);
    while (failures > 0)
        uv_run(&world->loop, UV_RUN_ONCE);
    close(first);
    world_wait(world, WORLD_CLOSED, 1);
    world_rounds(world, 10);
    assert_int_equal(world->count[WORLD_OPENED], 2);
    close(second);
}

static void count_timer(uv_handle_t *handle, void *count)
{
    if (handle->type == UV_TIMER && uv_is_active(handle))
        ++*(size_t *)count;
}

/* It would use the listener, which is closed by then. */
static void test_finishing_while_accept_fails_leaves_no_timer_behind(void **state)
{
    struct world *world = *state;
    size_t timers = 0;
    world_start(world, LISTEN);
    failure = EMFILE;
    failures = UINT_MAX;
    int producer = world_connect(world);
    while (world_logged(world, "cannot accept a producer") == 0)
        uv_run(&world->loop, UV_RUN_ONCE);

    world->source->finish(world->source);
    failures = 0;
    uv_walk(&world->loop, count_timer, &timers);
    assert_int_equal(timers, 1); /* the world's own */
    world_wait(world, WORLD_FINISHED, 1);
    close(producer);
}

static void test_an_interrupted_accept_and_a_lost_producer_are_no_trouble(void **state)
{
    struct world *world = *state;
    static const int harmless[] = {EINTR, ECONNABORTED};
    world_start(world, LISTEN);
    for (size_t i = 0; i < 2; i++) {
        failure = harmless[i];
        failures = 3;
        close(world_connect(world));
        world_wait(world, WORLD_CLOSED, i + 1);
        assert_int_equal(failures, 0);
    }
    assert_int_equal(world_logged(world, "cannot accept"), 0);
}

/* ---- the socket file --------------------------------------------------------------------------*/

static void test_the_file_is_for_user_and_group_and_goes_at_the_end(void **state)
{
    struct world *world = *state;
    mode_t mask = umask(0);
    world_start(world, LISTEN);
    umask(mask);
    assert_int_equal(mode_of(world->socket_path), S_IFSOCK | 0660);
    world_close(world);
    world_wait_until(world, &world->source_closed, 1);
    assert_int_equal(mode_of(world->socket_path), 0);
}

static void test_a_tight_umask_does_not_lock_the_group_out(void **state)
{
    struct world *world = *state;
    mode_t mask = umask(0077);
    world_start(world, LISTEN);
    umask(mask);
    assert_int_equal(mode_of(world->socket_path), S_IFSOCK | 0660);
}

static void test_a_stale_socket_is_replaced(void **state)
{
    struct world *world = *state;
    leave_stale_socket(world);
    world_start(world, LISTEN);
    int producer = world_connect(world);
    world_send_string(world, producer, "a\n");
    world_wait(world, WORLD_DOCUMENT, 1);
    close(producer);

    /* Nothing is locked any more. */
    int directory = open(world->directory, O_RDONLY | O_DIRECTORY);
    assert_int_equal(flock(directory, LOCK_EX | LOCK_NB), 0);
    close(directory);
}

static void test_a_live_listener_is_not_robbed(void **state)
{
    struct world *world = *state;
    int listener = world_listen(world);
    expect_refusal(world, ERROR_OPERATOR, "stop that one");
    assert_true(S_ISSOCK(mode_of(world->socket_path)));
    world_close(world);
    world_wait_until(world, &world->source_closed, 1);
    close(world_connect(world));
    close(listener);
}

/* connect() then says EAGAIN, and not that somebody is there. */
static void test_a_live_listener_with_a_full_backlog_is_not_robbed(void **state)
{
    struct world *world = *state;
    int listener = world_listen(world);
    int waiting[32];
    size_t count = 0;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, world->socket_path, strlen(world->socket_path));
    do {
        assert_true(count < 32);
        waiting[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    } while (connect(waiting[count++], (struct sockaddr *)&address, sizeof(address)) == 0);
    assert_int_equal(errno, EAGAIN);

    expect_refusal(world, ERROR_OPERATOR, "stop that one");
    while (count > 0)
        close(waiting[--count]);
    close(listener);
}

static void test_a_datagram_socket_in_use_is_not_robbed(void **state)
{
    struct world *world = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int other = socket(AF_UNIX, SOCK_DGRAM, 0);
    memcpy(address.sun_path, world->socket_path, strlen(world->socket_path));
    assert_int_equal(bind(other, (struct sockaddr *)&address, sizeof(address)), 0);
    expect_refusal(world, ERROR_OPERATOR, "stop that one");
    close(other);
}

static void test_a_file_that_is_no_socket_is_left_alone(void **state)
{
    struct world *world = *state;
    close(open(world->socket_path, O_CREAT | O_WRONLY, 0600));
    expect_refusal(world, ERROR_OPERATOR, "not a socket");
    assert_int_equal(mode_of(world->socket_path), S_IFREG | 0600);
}

static void test_a_link_is_left_alone(void **state)
{
    struct world *world = *state;
    assert_int_equal(symlink("elsewhere", world->socket_path), 0);
    expect_refusal(world, ERROR_OPERATOR, "not a socket");
    assert_true(S_ISLNK(mode_of(world->socket_path)));
}

static void test_a_file_that_another_put_in_its_place_stays_at_the_end(void **state)
{
    struct world *world = *state;
    world_start(world, LISTEN);
    leave_stale_socket(world);
    world_close(world);
    world_wait_until(world, &world->source_closed, 1);
    assert_true(S_ISSOCK(mode_of(world->socket_path)));
}

/* Waits for the log line, not for a time. */
static void wait_until_logged(struct world *world, const char *text)
{
    while (world_logged(world, text) == 0)
        uv_run(&world->loop, UV_RUN_ONCE);
}

static void test_a_file_that_is_removed_is_made_again(void **state)
{
    struct world *world = *state;
    world_start(world, LISTEN);
    int first = world_connect(world);
    world_send_string(world, first, "a\n");
    world_wait(world, WORLD_DOCUMENT, 1);
    assert_int_equal(unlink(world->socket_path), 0);
    wait_until_logged(world, "it is made again");
    assert_int_equal(mode_of(world->socket_path) & 0777, 0660);
    int second = world_connect(world);
    world_send_string(world, second, "b\n");
    world_send_string(world, first, "c\n");
    world_wait(world, WORLD_DOCUMENT, 2);
    close(first);
    close(second);
    world_wait(world, WORLD_CLOSED, 2);
}

/* It is not robbed; once it is gone the file is ours again. */
static void test_a_listener_in_the_place_of_a_removed_file_is_waited_for(void **state)
{
    struct world *world = *state;
    world_start(world, LISTEN);
    assert_int_equal(unlink(world->socket_path), 0);
    int other = world_listen(world);
    wait_until_logged(world, "another process listens on it");
    close(other);
    wait_until_logged(world, "it is made again");
    int producer = world_connect(world);
    world_send_string(world, producer, "a\n");
    world_wait(world, WORLD_DOCUMENT, 1);
    close(producer);
    world_wait(world, WORLD_CLOSED, 1);
}

static void test_two_that_start_at_once_do_not_rob_each_other(void **state)
{
    struct world *world = *state;
    int directory = open(world->directory, O_RDONLY | O_DIRECTORY);
    leave_stale_socket(world);
    assert_int_equal(flock(directory, LOCK_EX), 0);
    expect_refusal(world, ERROR_AGAIN, "just now");
    close(directory);
    assert_true(S_ISSOCK(mode_of(world->socket_path)));
}

static void test_a_missing_directory_is_named_with_what_to_do(void **state)
{
    struct world *world = *state;
    (void)snprintf(world->socket_path, sizeof(world->socket_path), "%s/none/a.sock",
                   world->directory);
    expect_refusal(world, ERROR_OPERATOR, "directory does not exist");
}

static void test_a_directory_without_permission_is_named_with_what_to_do(void **state)
{
    struct world *world = *state;
    uid_t user = geteuid();
    if (user == 0) {
        assert_int_equal(seteuid(NOBODY), 0);
        expect_refusal(world, ERROR_OPERATOR, "must be writable");
        assert_int_equal(seteuid(user), 0);
    } else {
        assert_int_equal(chmod(world->directory, 0500), 0);
        expect_refusal(world, ERROR_OPERATOR, "must be writable");
        assert_int_equal(chmod(world->directory, 0700), 0);
    }
}

#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, world_begin, world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_three_producers_at_once_do_not_mix),
        WORLD_TEST(test_a_producer_killed_inside_a_line_disturbs_no_other),
        WORLD_TEST(test_producers_over_the_bound_wait_and_lose_nothing),
        WORLD_TEST(test_the_most_silent_producer_makes_room_for_a_newcomer),
        WORLD_TEST(test_unfinished_documents_share_a_bound_and_all_get_finished),
        WORLD_TEST(test_a_producer_that_stops_inside_a_document_does_not_keep_the_others_out),
        WORLD_TEST(test_closing_while_producers_are_crowded_out),
        WORLD_TEST(test_finishing_while_producers_are_crowded_out),
        WORLD_TEST(test_connections_are_used_again_with_new_ids),
        WORLD_TEST(test_closing_with_producers_waiting_in_the_backlog),
        WORLD_TEST(test_at_the_bound_of_open_files_producers_wait_until_there_is_one),
        WORLD_TEST(test_while_accept_fails_the_end_of_a_connection_is_the_time_to_try),
        WORLD_TEST(test_finishing_while_accept_fails_leaves_no_timer_behind),
        WORLD_TEST(test_an_interrupted_accept_and_a_lost_producer_are_no_trouble),
        WORLD_TEST(test_the_file_is_for_user_and_group_and_goes_at_the_end),
        WORLD_TEST(test_a_tight_umask_does_not_lock_the_group_out),
        WORLD_TEST(test_a_stale_socket_is_replaced),
        WORLD_TEST(test_a_live_listener_is_not_robbed),
        WORLD_TEST(test_a_live_listener_with_a_full_backlog_is_not_robbed),
        WORLD_TEST(test_a_datagram_socket_in_use_is_not_robbed),
        WORLD_TEST(test_a_file_that_is_no_socket_is_left_alone),
        WORLD_TEST(test_a_link_is_left_alone),
        WORLD_TEST(test_a_file_that_another_put_in_its_place_stays_at_the_end),
        WORLD_TEST(test_a_listener_in_the_place_of_a_removed_file_is_waited_for),
        WORLD_TEST(test_a_file_that_is_removed_is_made_again),
        WORLD_TEST(test_two_that_start_at_once_do_not_rob_each_other),
        WORLD_TEST(test_a_missing_directory_is_named_with_what_to_do),
        WORLD_TEST(test_a_directory_without_permission_is_named_with_what_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
