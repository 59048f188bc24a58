/* frame: lines come out whole, bounded, and without what is not a document. */
#include "lib/stream/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void feed(struct frame *frame, struct text bytes)
{
    while (bytes.length > 0) {
        size_t room = 0;
        char *start = frame_room(frame, &room);
        assert_non_null(start);
        assert_in_range(room, 1, FRAME_READ_SIZE);
        size_t part = room < bytes.length ? room : bytes.length;
        memcpy(start, bytes.data, part);
        frame_fed(frame, part);
        bytes.data += part;
        bytes.length -= part;
        if (bytes.length > 0)
            assert_int_equal(frame_next(frame).kind, FRAME_NONE);
    }
}

static void feed_string(struct frame *frame, const char *string)
{
    feed(frame, text_from(string));
}

static void feed_repeated(struct frame *frame, char c, size_t count)
{
    char *bytes = malloc(count);
    assert_non_null(bytes);
    memset(bytes, c, count);
    feed(frame, (struct text){bytes, count});
    free(bytes);
}

static void expect(struct frame *frame, enum frame_kind kind, struct text text, uint64_t length)
{
    struct frame_line line = frame_next(frame);
    assert_int_equal(line.kind, kind);
    assert_int_equal(line.text.length, text.length);
    if (text.length > 0)
        assert_memory_equal(line.text.data, text.data, text.length);
    assert_int_equal(line.length, length);
}

static void expect_line(struct frame *frame, const char *string)
{
    expect(frame, FRAME_LINE, text_from(string), strlen(string));
}

static void expect_none(struct frame *frame)
{
    assert_int_equal(frame_next(frame).kind, FRAME_NONE);
}

static void expect_empty_end(struct frame *frame)
{
    assert_int_equal(frame_end(frame).kind, FRAME_NONE);
}

static void test_a_new_frame_holds_no_memory(void **state)
{
    struct frame frame;
    (void)state;
    frame_init(&frame, 100);
    expect_none(&frame);
    expect_empty_end(&frame);
    assert_null(frame.window.data);
    assert_null(frame.head.data);
    frame_fini(&frame);
}

static void test_lines_of_one_read_come_one_by_one(void **state)
{
    struct frame frame;
    (void)state;
    frame_init(&frame, 100);
    feed_string(&frame, "{\"a\":1}\n{\"b\":2}\nc\n");
    expect_line(&frame, "{\"a\":1}");
    expect_line(&frame, "{\"b\":2}");
    expect_line(&frame, "c");
    expect_none(&frame);
    expect_none(&frame);
    expect_empty_end(&frame);
    frame_fini(&frame);
}

static void test_a_line_that_comes_byte_by_byte_is_whole(void **state)
{
    struct frame frame;
    (void)state;
    frame_init(&frame, 100);
    for (const char *c = "abc\r"; *c != '\0'; c++) {
        feed(&frame, (struct text){c, 1});
        expect_none(&frame);
    }
    feed_string(&frame, "\n");
    expect(&frame, FRAME_LINE, TEXT("abc"), 4);
    expect_none(&frame);
    frame_fini(&frame);
}

static void test_only_the_return_before_the_newline_is_taken_off(void **state)
{
    struct frame frame;
    (void)state;
    frame_init(&frame, 100);
    feed_string(&frame, "a\r\nb\rc\nd\r\r\n");
    expect(&frame, FRAME_LINE, TEXT("a"), 2);
    expect_line(&frame, "b\rc");
    expect(&frame, FRAME_LINE, TEXT("d\r"), 3);
    expect_none(&frame);
    frame_fini(&frame);
}

static void test_blank_lines_are_not_documents(void **state)
{
    struct frame frame;
    (void)state;
    frame_init(&frame, 100);
    feed_string(&frame, "\n\r\n \t \n\n x\n\n");
    expect_line(&frame, " x");
    expect_none(&frame);
    expect_empty_end(&frame);
    frame_fini(&frame);
}

static void test_nul_bytes_are_bytes(void **state)
{
    struct frame frame;
    (void)state;
    frame_init(&frame, 100);
    feed(&frame, TEXT("a\0b\n\0\nc"));
    expect(&frame, FRAME_LINE, TEXT("a\0b"), 3);
    expect(&frame, FRAME_LINE, TEXT("\0"), 1);
    expect_none(&frame);
    feed_string(&frame, "\n");
    expect_line(&frame, "c");
    frame_fini(&frame);
}

static void test_the_bound_is_exact(void **state)
{
    struct frame frame;
    (void)state;
    frame_init(&frame, 4);
    feed_string(&frame, "1234\n1234\r\n12345\n12345\r\n1\n");
    expect_line(&frame, "1234");
    expect(&frame, FRAME_LINE, TEXT("1234"), 5);
    expect(&frame, FRAME_TOO_LONG, TEXT("1234"), 5);
    expect(&frame, FRAME_TOO_LONG, TEXT("1234"), 6);
    expect_line(&frame, "1");
    expect_none(&frame);
    frame_fini(&frame);
}

static void test_a_line_of_the_bound_may_still_end_with_a_return(void **state)
{
    struct frame frame;
    (void)state;
    frame_init(&frame, 4);
    feed_string(&frame, "1234\r");
    expect_none(&frame);
    feed_string(&frame, "\n");
    expect(&frame, FRAME_LINE, TEXT("1234"), 5);
    feed_string(&frame, "1234\r");
    expect_none(&frame);
    feed_string(&frame, "5\n");
    expect(&frame, FRAME_TOO_LONG, TEXT("1234"), 6);
    expect_none(&frame);
    frame_fini(&frame);
}

static void test_an_overlong_line_costs_its_head_and_the_next_line_is_whole(void **state)
{
    struct frame frame;
    (void)state;
    frame_init(&frame, 100000);
    feed_string(&frame, "before\nhead");
    expect_line(&frame, "before");
    for (int i = 0; i < 100; i++) {
        feed_repeated(&frame, 'x', 60000);
        expect_none(&frame);
        if (i > 2)
            assert_true(frame.window.capacity + frame.head.capacity <= FRAME_HEAD_SIZE);
    }
    feed_string(&frame, "\nafter\n");

    struct frame_line line = frame_next(&frame);
    assert_int_equal(line.kind, FRAME_TOO_LONG);
    assert_int_equal(line.length, 4 + 100 * 60000);
    assert_int_equal(line.text.length, FRAME_HEAD_SIZE);
    assert_memory_equal(line.text.data, "headxxxx", 8);
    expect_line(&frame, "after");
    expect_none(&frame);
    assert_null(frame.head.data);
    frame_fini(&frame);
}

static void test_each_of_two_overlong_lines_has_its_own_head(void **state)
{
    struct frame frame;
    (void)state;
    frame_init(&frame, 4);
    feed_string(&frame, "aaaaaaaa");
    expect_none(&frame);
    feed_string(&frame, "\nbbbbbbbb");
    expect(&frame, FRAME_TOO_LONG, TEXT("aaaa"), 8);
    expect_none(&frame);
    feed_string(&frame, "\n");
    expect(&frame, FRAME_TOO_LONG, TEXT("bbbb"), 8);
    expect_none(&frame);
    frame_fini(&frame);
}

static void test_the_window_never_exceeds_the_bound_by_more_than_a_read(void **state)
{
    struct frame frame;
    (void)state;
    frame_init(&frame, 100000);
    for (int i = 0; i < 50; i++) {
        feed_repeated(&frame, (char)('a' + i % 26), 9973);
        assert_true(frame.window.capacity <= 100000 + 1 + FRAME_READ_SIZE);
        expect_none(&frame);
    }
    frame_fini(&frame);
}

static void test_an_idle_frame_gives_its_memory_back(void **state)
{
    struct frame frame;
    (void)state;
    frame_init(&frame, 1 << 24);
    feed_repeated(&frame, 'x', 5000000);
    expect_none(&frame);
    feed_string(&frame, "\nrest");
    assert_int_equal(frame_next(&frame).kind, FRAME_LINE);
    expect_none(&frame);
    assert_true(frame.window.capacity <= 4 * FRAME_READ_SIZE);
    feed_string(&frame, " of it\n");
    expect_line(&frame, "rest of it");
    expect_none(&frame);
    assert_null(frame.window.data);
    frame_fini(&frame);
}

static void test_a_line_stays_valid_until_the_next_call(void **state)
{
    struct frame frame;
    (void)state;
    frame_init(&frame, 100);
    feed_string(&frame, "only\n");
    struct frame_line line = frame_next(&frame);
    assert_true(text_equal(line.text, TEXT("only")));
    expect_none(&frame);
    frame_fini(&frame);
}

static void test_an_unfinished_last_line_is_cut_not_a_line(void **state)
{
    struct frame frame;
    (void)state;
    frame_init(&frame, 100);
    feed_string(&frame, "whole\n{\"type\":");
    expect_line(&frame, "whole");
    expect_none(&frame);

    struct frame_line rest = frame_end(&frame);
    assert_int_equal(rest.kind, FRAME_CUT);
    assert_true(text_equal(rest.text, TEXT("{\"type\":")));
    assert_int_equal(rest.length, 8);
    frame_fini(&frame);
}

static void test_white_space_at_the_end_is_not_cut(void **state)
{
    struct frame frame;
    (void)state;
    frame_init(&frame, 100);
    feed_string(&frame, "whole\n \r");
    expect_line(&frame, "whole");
    expect_none(&frame);
    expect_empty_end(&frame);
    frame_fini(&frame);
}

static void test_an_overlong_last_line_is_cut_with_its_head_and_length(void **state)
{
    struct frame frame;
    (void)state;
    frame_init(&frame, 4);
    feed_string(&frame, "123456");
    expect_none(&frame);
    feed_string(&frame, "789");
    expect_none(&frame);

    struct frame_line rest = frame_end(&frame);
    assert_int_equal(rest.kind, FRAME_CUT);
    assert_true(text_equal(rest.text, TEXT("1234")));
    assert_int_equal(rest.length, 9);
    frame_fini(&frame);
}

static void test_after_the_end_a_frame_is_as_new(void **state)
{
    struct frame frame;
    (void)state;
    frame_init(&frame, 4);
    feed_string(&frame, "123456");
    expect_none(&frame);
    assert_int_equal(frame_end(&frame).kind, FRAME_CUT);
    feed_string(&frame, "ab");
    expect_none(&frame);
    assert_int_equal(frame_end(&frame).kind, FRAME_CUT);
    feed_string(&frame, "cd\n");
    expect_line(&frame, "cd");
    expect_none(&frame);
    expect_empty_end(&frame);
    frame_fini(&frame);
}

static void test_a_byte_order_mark_costs_no_document(void **state)
{
    struct frame frame;
    (void)state;
    frame_init(&frame, 100);
    feed_string(&frame, "\xef\xbb\xbf{\"a\":1}\n\xef\xbb\xbf{}\n");
    expect_line(&frame, "{\"a\":1}");
    expect_line(&frame, "\xef\xbb\xbf{}"); /* only the stream begins with one */
    expect_none(&frame);
    expect_empty_end(&frame);
    frame_fini(&frame);
}

static void test_a_byte_order_mark_may_come_in_pieces(void **state)
{
    struct frame frame;
    (void)state;
    frame_init(&frame, 100);
    for (const char *c = "\xef\xbb\xbf{}"; *c != '\0'; c++) {
        feed(&frame, (struct text){c, 1});
        expect_none(&frame);
    }
    feed_string(&frame, "\n");
    expect_line(&frame, "{}");
    expect_none(&frame);
    expect_empty_end(&frame);
    feed_string(&frame, "\xef\xbb\xbf\n\xef\xbb!\n");
    expect_line(&frame, "\xef\xbb!");
    frame_fini(&frame);
}

static void test_half_a_byte_order_mark_is_cut(void **state)
{
    struct frame frame;
    (void)state;
    frame_init(&frame, 100);
    feed_string(&frame, "\xef\xbb");
    expect_none(&frame);
    assert_int_equal(frame_end(&frame).kind, FRAME_CUT);
    feed_string(&frame, "\xef!\n");
    expect_line(&frame, "\xef!");
    frame_fini(&frame);
}

static void test_each_line_has_its_number(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {2, 4, 5, 6};
    struct frame frame;
    frame_init(&frame, 4);
    feed_string(&frame, "\nab\n\r\ntoo long\ncd\nef");
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(frame_next(&frame).line, numbers[i]);
    expect_none(&frame);
    assert_int_equal(frame_end(&frame).line, numbers[3]);
    frame_fini(&frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_frame_holds_no_memory),
        cmocka_unit_test(test_lines_of_one_read_come_one_by_one),
        cmocka_unit_test(test_a_line_that_comes_byte_by_byte_is_whole),
        cmocka_unit_test(test_only_the_return_before_the_newline_is_taken_off),
        cmocka_unit_test(test_blank_lines_are_not_documents),
        cmocka_unit_test(test_nul_bytes_are_bytes),
        cmocka_unit_test(test_the_bound_is_exact),
        cmocka_unit_test(test_a_line_of_the_bound_may_still_end_with_a_return),
        cmocka_unit_test(test_an_overlong_line_costs_its_head_and_the_next_line_is_whole),
        cmocka_unit_test(test_each_of_two_overlong_lines_has_its_own_head),
        cmocka_unit_test(test_the_window_never_exceeds_the_bound_by_more_than_a_read),
        cmocka_unit_test(test_an_idle_frame_gives_its_memory_back),
        cmocka_unit_test(test_a_line_stays_valid_until_the_next_call),
        cmocka_unit_test(test_an_unfinished_last_line_is_cut_not_a_line),
        cmocka_unit_test(test_white_space_at_the_end_is_not_cut),
        cmocka_unit_test(test_an_overlong_last_line_is_cut_with_its_head_and_length),
        cmocka_unit_test(test_after_the_end_a_frame_is_as_new),
        cmocka_unit_test(test_a_byte_order_mark_costs_no_document),
        cmocka_unit_test(test_a_byte_order_mark_may_come_in_pieces),
        cmocka_unit_test(test_half_a_byte_order_mark_is_cut),
        cmocka_unit_test(test_each_line_has_its_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
