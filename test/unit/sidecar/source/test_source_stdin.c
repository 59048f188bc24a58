/* source_stdin: a pipe, a file, a terminal; the end of input is the end of the source. */
#include "test/support/source_world.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* Takes fd as standard input, and closes it. */
static void use_as_stdin(int fd)
{
    assert_true(fd > STDIN_FILENO);
    assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    close(fd);
}

static int pipe_as_stdin(void)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    use_as_stdin(ends[0]);
    return ends[1];
}

/* A regular file with this content, to be read from its beginning. */
static void file_as_stdin(struct text content)
{
    char path[] = "/tmp/test_source_stdin.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(write(fd, content.data, content.length), content.length);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    use_as_stdin(fd);
}

/* Each test gets its standard input anew. */
static int begin(void **state)
{
    use_as_stdin(open("/dev/null", O_RDONLY));
    return world_begin(state);
}

static void write_all(int fd, struct text bytes)
{
    assert_int_equal(write(fd, bytes.data, bytes.length), bytes.length);
}

static void expect_refusal(struct world *world)
{
    struct error err = {0};
    assert_int_equal(world_try_start(world, "-", &err), ERROR_OPERATOR);
    assert_non_null(strstr(err.text, "standard input"));
}

static void test_a_pipe_is_read_to_its_end(void **state)
{
    struct world *world = *state;
    int writer = pipe_as_stdin();
    world_start(world, "-");
    write_all(writer, TEXT("a\nb"));
    world_wait(world, WORLD_DOCUMENT, 1);
    write_all(writer, TEXT("c\ncut"));
    close(writer);
    world_wait(world, WORLD_FINISHED, 1);
    world_expect(world, 1, TEXT("a\nbc\n"));
    assert_int_equal(world->count[WORLD_OPENED], 1);
    assert_int_equal(world->count[WORLD_CLOSED], 1);
    assert_int_equal(world->cut_bytes, 3);
}

static void test_a_pipe_is_left_as_it_was(void **state)
{
    struct world *world = *state;
    int writer = pipe_as_stdin();
    assert_int_equal(fcntl(STDIN_FILENO, F_GETFL) & O_NONBLOCK, 0);
    world_start(world, "-");
    assert_int_equal(fcntl(STDIN_FILENO, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    world_close(world);
    world_wait_until(world, &world->source_closed, 1);
    assert_int_equal(fcntl(STDIN_FILENO, F_GETFL) & O_NONBLOCK, 0);
    close(writer);
}

static void test_a_file_is_read_to_its_end(void **state)
{
    struct world *world = *state;
    size_t length = 1000000;
    char *lines = malloc(length);
    assert_non_null(lines);
    for (size_t i = 0; i < length; i += 10)
        memcpy(lines + i, "{\"a\":123}\n", 10);

    file_as_stdin((struct text){lines, length});
    world_start(world, "-");
    assert_int_equal(world->count[WORLD_OPENED], 0);
    world_wait(world, WORLD_FINISHED, 1);
    world_expect(world, 1, (struct text){lines, length});
    assert_int_equal(world->count[WORLD_CLOSED], 1);
    assert_true(world->largest_burst <= 256);
    free(lines);
}

static void test_a_file_without_last_newline_is_cut(void **state)
{
    struct world *world = *state;
    file_as_stdin(TEXT("a\n{\"b\":2}"));
    world_start(world, "-");
    world_wait(world, WORLD_FINISHED, 1);
    world_expect(world, 1, TEXT("a\n"));
    assert_int_equal(world->cut_bytes, 7);
}

static void test_a_file_of_one_endless_line_does_not_hold_the_loop_up(void **state)
{
    struct world *world = *state;
    int fd = memfd_create("zeros", 0);
    assert_int_equal(pwrite(fd, "{ ", 2, 0), 2); /* what begins with zeros is refused */
    assert_int_equal(ftruncate(fd, 100 << 20), 0);
    use_as_stdin(fd);
    world_start(world, "-");
    world_wait(world, WORLD_DRAINED, 6); /* 16 MiB in a round at most */
    assert_int_equal(world->count[WORLD_CLOSED], 0);
    world_wait(world, WORLD_FINISHED, 1);
    assert_int_equal(world->cut_bytes, 100 << 20);
}

static void test_a_file_can_be_paused(void **state)
{
    struct world *world = *state;
    file_as_stdin(TEXT("a\nb\nc\n"));
    world->pause_at = 2;
    world_start(world, "-");
    world_wait(world, WORLD_DOCUMENT, 2);
    world_rounds(world, 10);
    assert_int_equal(world->count[WORLD_DOCUMENT], 2);
    world_resume(world);
    world_wait(world, WORLD_FINISHED, 1);
    world_expect(world, 1, TEXT("a\nb\nc\n"));
}

/* kubectl get -o json >pods.json in Windows PowerShell. */
static void test_case_utf16_replay(void **state)
{
    struct world *world = *state;
    static const char content[] = "\xff\xfe{\0\n\0}\0\n\0{\0}\0\n\0";
    file_as_stdin((struct text){content, sizeof(content) - 1});
    world_start(world, SOURCE_REPLAY);
    world_wait(world, WORLD_FINISHED, 1);
    assert_int_equal(world->count[WORLD_DOCUMENT], 0);
    assert_int_equal(world->cut_bytes, sizeof(content) - 1);
    assert_int_equal(world_logged(world, "is UTF-16: write it as UTF-8"), 1);
    assert_int_equal(world_logged(world, "msg"), 1);
}

static void test_utf16_is_known_without_a_mark_and_in_pieces(void **state)
{
    struct world *world = *state;
    int writer = pipe_as_stdin();
    world_start(world, "-");
    write_all(writer, TEXT("\0"));
    world_rounds(world, 10);
    write_all(writer, TEXT("{\0\n"));
    world_wait(world, WORLD_FINISHED, 1);
    close(writer);
    assert_int_equal(world->count[WORLD_DOCUMENT], 0);
    assert_int_equal(world->cut_bytes, 4);
}

static void test_an_empty_input_is_finished_at_once(void **state)
{
    struct world *world = *state; /* /dev/null */
    world_start(world, "-");
    world_wait(world, WORLD_FINISHED, 1);
    assert_int_equal(world->count[WORLD_OPENED], 1);
    assert_int_equal(world->count[WORLD_CLOSED], 1);
    assert_int_equal(world->count[WORLD_DOCUMENT], 0);
}

static void test_a_terminal_is_read_to_its_end(void **state)
{
    struct world *world = *state;
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(master >= 0);
    assert_int_equal(grantpt(master), 0);
    assert_int_equal(unlockpt(master), 0);
    use_as_stdin(open(ptsname(master), O_RDWR | O_NOCTTY));

    world_start(world, "-");
    write_all(master, TEXT("a\n"));
    world_wait(world, WORLD_DOCUMENT, 1);
    write_all(master, TEXT("b\n\4"));
    world_wait(world, WORLD_FINISHED, 1);
    world_expect(world, 1, TEXT("a\nb\n"));
    close(master);
}

static void test_a_unix_socket_is_read_to_its_end(void **state)
{
    struct world *world = *state;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    use_as_stdin(ends[0]);
    world_start(world, "-");
    write_all(ends[1], TEXT("a\n"));
    close(ends[1]);
    world_wait(world, WORLD_FINISHED, 1);
    world_expect(world, 1, TEXT("a\n"));
}

static void test_a_directory_is_refused(void **state)
{
    struct world *world = *state;
    use_as_stdin(open(world->directory, O_RDONLY));
    expect_refusal(world);
}

static void test_a_closed_standard_input_is_refused(void **state)
{
    struct world *world = *state;
    close(STDIN_FILENO);
    expect_refusal(world);
    assert_int_equal(open("/dev/null", O_RDONLY), STDIN_FILENO);
}

static void test_a_file_that_cannot_be_read_ends_with_a_warning(void **state)
{
    struct world *world = *state;
    use_as_stdin(open("/dev/null", O_WRONLY));
    world_start(world, "-");
    world_wait(world, WORLD_FINISHED, 1);
    assert_int_equal(world_logged(world, "stream broken"), 1);
}

/* ---- documents in any layout ------------------------------------------------------------------*/

static void test_a_replay_takes_documents_apart_however_they_are_laid_out(void **state)
{
    struct world *world = *state;
    int writer = pipe_as_stdin();
    world_start(world, SOURCE_REPLAY);
    write_all(writer, TEXT("{\n\"object\":\n{}}\n{\"items\":[\n{\"a\":"));
    world_wait(world, WORLD_DOCUMENT, 1);
    write_all(writer, TEXT("1},{}"));
    world_wait(world, WORLD_DOCUMENT, 3);
    write_all(writer, TEXT("]}"));
    close(writer);
    world_wait(world, WORLD_FINISHED, 1);
    world_expect(world, 1,
                 TEXT("{\n\"object\":\n{}}\n{\"type\":\"ADDED\",\"object\":{\"a\":1}}\n"
                      "{\"type\":\"ADDED\",\"object\":{}}\n"));
    assert_int_equal(world->cut_bytes, 0);
}

static void test_a_replay_of_a_file_can_be_paused(void **state)
{
    struct world *world = *state;
    file_as_stdin(TEXT("{\"items\":[1,2,3]}"));
    world->pause_at = 2;
    world_start(world, SOURCE_REPLAY);
    world_wait(world, WORLD_DOCUMENT, 2);
    world_rounds(world, 10);
    assert_int_equal(world->count[WORLD_DOCUMENT], 2);
    world_resume(world);
    world_wait(world, WORLD_FINISHED, 1);
    world_expect(world, 1, TEXT("1\n2\n3\n"));
}

/* Its end shows that the first document was cut, and has swallowed the second. */
static void test_a_replay_can_be_finished_inside_a_document(void **state)
{
    struct world *world = *state;
    int writer = pipe_as_stdin();
    world_start(world, SOURCE_REPLAY);
    write_all(writer, TEXT("{\"items\":[1,{\"a\":"));
    world_wait(world, WORLD_DOCUMENT, 1);
    world_rounds(world, 3);
    world->source->finish(world->source);
    world_wait(world, WORLD_FINISHED, 1);
    assert_int_equal(world->count[WORLD_DOCUMENT], 1);
    assert_int_equal(world->cut_bytes, 5);
    close(writer);
}

static void test_closing_a_replay_inside_a_document(void **state)
{
    struct world *world = *state;
    file_as_stdin(TEXT("{\"items\":[1,{\"a\":"));
    world->close_at = WORLD_DOCUMENT;
    world_start(world, SOURCE_REPLAY);
    world_wait_until(world, &world->source_closed, 1);
    assert_int_equal(world->count[WORLD_DOCUMENT], 1);
}

/* ---- closing ----------------------------------------------------------------------------------*/

static void close_in(struct world *world, enum world_event event)
{
    world->close_at = event;
    world_start(world, "-");
    world_wait_until(world, &world->source_closed, 1);
    assert_int_equal(world->count[event], 1);
}

static void test_closing_in_opened(void **state)
{
    file_as_stdin(TEXT("a\nb\n"));
    close_in(*state, WORLD_OPENED);
}

static void test_closing_in_document(void **state)
{
    file_as_stdin(TEXT("a\nb\n"));
    close_in(*state, WORLD_DOCUMENT);
}

static void test_closing_in_closed(void **state)
{
    file_as_stdin(TEXT("a\nb\n"));
    close_in(*state, WORLD_CLOSED);
}

static void test_closing_in_finished(void **state)
{
    file_as_stdin(TEXT("a\nb\n"));
    close_in(*state, WORLD_FINISHED);
}

static void test_closing_while_a_pipe_is_open(void **state)
{
    struct world *world = *state;
    int writer = pipe_as_stdin();
    world_start(world, "-");
    world_wait(world, WORLD_OPENED, 1);
    world_rounds(world, 3);
    world_close(world);
    world_wait_until(world, &world->source_closed, 1);
    close(writer);
}

#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, begin, world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_a_pipe_is_read_to_its_end),
        WORLD_TEST(test_a_pipe_is_left_as_it_was),
        WORLD_TEST(test_a_file_is_read_to_its_end),
        WORLD_TEST(test_a_file_without_last_newline_is_cut),
        WORLD_TEST(test_a_file_of_one_endless_line_does_not_hold_the_loop_up),
        WORLD_TEST(test_a_file_can_be_paused),
        WORLD_TEST(test_case_utf16_replay),
        WORLD_TEST(test_utf16_is_known_without_a_mark_and_in_pieces),
        WORLD_TEST(test_an_empty_input_is_finished_at_once),
        WORLD_TEST(test_a_terminal_is_read_to_its_end),
        WORLD_TEST(test_a_unix_socket_is_read_to_its_end),
        WORLD_TEST(test_a_directory_is_refused),
        WORLD_TEST(test_a_closed_standard_input_is_refused),
        WORLD_TEST(test_a_file_that_cannot_be_read_ends_with_a_warning),
        WORLD_TEST(test_a_replay_takes_documents_apart_however_they_are_laid_out),
        WORLD_TEST(test_a_replay_of_a_file_can_be_paused),
        WORLD_TEST(test_a_replay_can_be_finished_inside_a_document),
        WORLD_TEST(test_closing_a_replay_inside_a_document),
        WORLD_TEST(test_closing_in_opened),
        WORLD_TEST(test_closing_in_document),
        WORLD_TEST(test_closing_in_closed),
        WORLD_TEST(test_closing_in_finished),
        WORLD_TEST(test_closing_while_a_pipe_is_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
