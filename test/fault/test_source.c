/* frame and source without memory: what comes is delivered later, and nothing is lost but the head
 * of a line that was too long anyway. */
#include "lib/stream/frame.h"
#include "test/fault/refusal.h"
#include "test/support/source_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static void feed(struct frame *frame, struct text bytes)
{
    size_t room = 0;
    char *start = frame_room(frame, &room);
    assert_non_null(start);
    assert_true(bytes.length <= room);
    memcpy(start, bytes.data, bytes.length);
    frame_fed(frame, bytes.length);
}

static void test_a_frame_without_room_keeps_what_it_has(void **state)
{
    struct frame frame;
    size_t room;
    char part[FRAME_READ_SIZE];

    (void)state;
    memset(part, 'a', sizeof(part));
    frame_init(&frame, 1 << 20);
    feed(&frame, (struct text){part, sizeof(part)});
    assert_int_equal(frame_next(&frame).kind, FRAME_NONE);

    refuse(0, 0, 1);
    assert_null(frame_room(&frame, &room));
    assert_int_equal(refusals_left(), 0);
    feed(&frame, TEXT("b\n"));
    struct frame_line line = frame_next(&frame);
    assert_int_equal(line.kind, FRAME_LINE);
    assert_int_equal(line.text.length, sizeof(part) + 1);
    assert_memory_equal(line.text.data, part, sizeof(part));
    frame_fini(&frame);
}

static void test_an_overlong_line_without_memory_for_its_head_is_still_skipped(void **state)
{
    struct frame frame;
    (void)state;
    frame_init(&frame, 4);
    feed(&frame, TEXT("too long"));
    refuse(0, 0, 1);
    assert_int_equal(frame_next(&frame).kind, FRAME_NONE);
    assert_int_equal(refusals_left(), 0);
    feed(&frame, TEXT(" by far\nnext\n"));

    struct frame_line line = frame_next(&frame);
    assert_int_equal(line.kind, FRAME_TOO_LONG);
    assert_int_equal(line.length, 15);
    assert_int_equal(line.text.length, 0);
    line = frame_next(&frame);
    assert_int_equal(line.kind, FRAME_LINE);
    assert_true(text_equal(line.text, TEXT("next")));

    /* The next one has its head again. */
    assert_int_equal(frame_next(&frame).kind, FRAME_NONE);
    feed(&frame, TEXT("too long"));
    assert_int_equal(frame_next(&frame).kind, FRAME_NONE);
    feed(&frame, TEXT("\n"));
    assert_true(text_equal(frame_next(&frame).text, TEXT("too ")));
    frame_fini(&frame);
}

static void test_a_window_that_cannot_be_made_smaller_stays(void **state)
{
    struct frame frame;
    static char part[FRAME_READ_SIZE];

    (void)state;
    memset(part, 'a', sizeof(part));
    frame_init(&frame, 1 << 20);
    for (int i = 0; i < 10; i++) {
        feed(&frame, (struct text){part, sizeof(part)});
        assert_int_equal(frame_next(&frame).kind, FRAME_NONE);
    }
    feed(&frame, TEXT("\nre"));
    assert_int_equal(frame_next(&frame).kind, FRAME_LINE);
    refuse(0, 0, 1);
    assert_int_equal(frame_next(&frame).kind, FRAME_NONE);
    assert_int_equal(refusals_left(), 0);
    feed(&frame, TEXT("st\n"));
    assert_true(text_equal(frame_next(&frame).text, TEXT("rest")));
    frame_fini(&frame);
}

static void test_a_source_without_memory_reads_later_and_loses_nothing(void **state)
{
    struct world *world = *state;
    world_start(world, "unix-listen:");
    int producer = world_connect(world);
    world_send_string(world, producer, "a\nb");
    world_wait(world, WORLD_DOCUMENT, 1);
    world_rounds(world, 3);

    refuse(FRAME_READ_SIZE, 0, 3);
    world_send_string(world, producer, "c\nd\n");
    close(producer);
    world_wait(world, WORLD_CLOSED, 1);
    assert_int_equal(refusals_left(), 0);
    world_expect(world, 1, TEXT("a\nbc\nd\n"));
    assert_int_equal(world_logged(world, "no memory to read"), 3);
}

static void test_a_file_without_memory_is_read_later(void **state)
{
    struct world *world = *state;
    char path[] = "/tmp/test_source.XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(write(fd, "a\nb\n", 4), 4);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    close(fd);

    refuse(FRAME_READ_SIZE, 0, 1);
    world_start(world, "-");
    world_wait(world, WORLD_FINISHED, 1);
    assert_int_equal(refusals_left(), 0);
    world_expect(world, 1, TEXT("a\nb\n"));
}

static void test_closing_while_memory_is_waited_for(void **state)
{
    struct world *world = *state;
    world_start(world, "unix-listen:");
    int producer = world_connect(world);
    refuse(FRAME_READ_SIZE, 0, REFUSE_ALL);
    world_send_string(world, producer, "a\n");
    while (world_logged(world, "no memory to read") == 0)
        uv_run(&world->loop, UV_RUN_ONCE);
    world_close(world);
    world_wait_until(world, &world->source_closed, 1);
    refuse_none();
    close(producer);
}

#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, world_begin, world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_frame_without_room_keeps_what_it_has),
        cmocka_unit_test(test_an_overlong_line_without_memory_for_its_head_is_still_skipped),
        cmocka_unit_test(test_a_window_that_cannot_be_made_smaller_stays),
        WORLD_TEST(test_a_source_without_memory_reads_later_and_loses_nothing),
        WORLD_TEST(test_a_file_without_memory_is_read_later),
        WORLD_TEST(test_closing_while_memory_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
