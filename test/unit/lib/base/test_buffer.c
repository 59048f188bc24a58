/* buffer: what was appended is what is read, and the bound holds. */
#include "lib/base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_content(const struct buffer *buffer, const char *expected)
{
    struct text text = buffer_text(buffer);

    assert_int_equal(text.length, strlen(expected));
    assert_memory_equal(text.data, expected, text.length);
}

static void append_bytes(struct buffer *buffer, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buffer_append_char(buffer, (char)('a' + i % 26));
}

static void test_a_new_buffer_is_empty_and_takes_no_memory(void **state)
{
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, 100);
    assert_null(buffer.data);
    assert_content(&buffer, "");
    assert_non_null(buffer_text(&buffer).data);
    buffer_append(&buffer, (struct text){NULL, 0});
    assert_null(buffer.data);
    assert_false(buffer.failed);
    buffer_fini(&buffer);
}

static void test_appends_come_out_in_order(void **state)
{
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, 4096);
    buffer_append(&buffer, TEXT("one"));
    buffer_append_char(&buffer, ',');
    buffer_append_string(&buffer, "two,");
    buffer_appendf(&buffer, "%d,%s", 3, "four");
    assert_content(&buffer, "one,two,3,four");
    assert_false(buffer.failed);
    buffer_fini(&buffer);
}

static void test_nul_bytes_are_content(void **state)
{
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, 100);
    buffer_append(&buffer, TEXT("a\0b"));
    buffer_append_char(&buffer, '\0');
    assert_true(text_equal(buffer_text(&buffer), TEXT("a\0b\0")));
    buffer_fini(&buffer);
}

static void test_growing_keeps_the_content(void **state)
{
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, 100000);
    append_bytes(&buffer, 70000);
    assert_false(buffer.failed);
    assert_int_equal(buffer_text(&buffer).length, 70000);
    for (size_t i = 0; i < 70000; i++)
        assert_int_equal(buffer_text(&buffer).data[i], 'a' + i % 26);
    assert_true(buffer.capacity <= 100000);
    buffer_fini(&buffer);
}

static void test_growing_doubles_so_that_appending_is_linear(void **state)
{
    struct buffer buffer;
    size_t growths = 0;

    (void)state;
    buffer_init(&buffer, (size_t)1 << 20);
    for (size_t i = 0, capacity = 0; i < 1 << 20; i++) {
        buffer_append_char(&buffer, 'x');
        growths += buffer.capacity != capacity;
        capacity = buffer.capacity;
    }
    assert_false(buffer.failed);
    assert_true(growths <= 20);
    buffer_fini(&buffer);
}

static void test_the_limit_can_be_filled_to_the_last_byte(void **state)
{
    static const size_t limits[] = {1, 10, 255, 256, 257, 1000};

    (void)state;
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        struct buffer buffer;

        buffer_init(&buffer, limits[i]);
        append_bytes(&buffer, limits[i]);
        assert_false(buffer.failed);
        assert_int_equal(buffer.capacity, limits[i]);
        buffer_append_char(&buffer, '!');
        assert_true(buffer.failed);
        assert_int_equal(buffer_text(&buffer).length, limits[i]);
        assert_int_equal(buffer.capacity, limits[i]);
        buffer_fini(&buffer);
    }
}

static void test_a_failed_append_leaves_the_content_and_stops_the_builder(void **state)
{
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, 8);
    buffer_append(&buffer, TEXT("12345"));
    buffer_append(&buffer, TEXT("6789"));
    assert_true(buffer.failed);
    buffer_append(&buffer, TEXT("6"));
    buffer_append_char(&buffer, '7');
    buffer_appendf(&buffer, "%d", 8);
    assert_content(&buffer, "12345");
    assert_null(buffer_cstring(&buffer));

    buffer_reset(&buffer);
    assert_false(buffer.failed);
    buffer_append(&buffer, TEXT("12345678"));
    assert_content(&buffer, "12345678");
    buffer_fini(&buffer);
}

static void test_appendf_fails_whole_rather_than_cut(void **state)
{
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, 8);
    buffer_appendf(&buffer, "%s", "1234567");
    assert_content(&buffer, "1234567");
    buffer_reset(&buffer);
    buffer_appendf(&buffer, "%s", "12345678");
    assert_true(buffer.failed);
    assert_content(&buffer, "");
    buffer_fini(&buffer);
}

static void test_a_length_that_overflows_is_refused(void **state)
{
    struct buffer buffer;
    size_t room = 0;

    (void)state;
    buffer_init(&buffer, 100);
    buffer_append(&buffer, TEXT("ab"));
    assert_null(buffer_room(&buffer, SIZE_MAX, &room));
    assert_null(buffer_room(&buffer, SIZE_MAX - 1, &room));
    assert_content(&buffer, "ab");
    buffer_fini(&buffer);
}

static void test_room_is_at_least_what_was_asked_for(void **state)
{
    struct buffer buffer;
    size_t room = 0;

    (void)state;
    buffer_init(&buffer, 1000);
    char *at = buffer_room(&buffer, 300, &room);
    assert_non_null(at);
    assert_true(room >= 300 && room <= 1000);
    assert_ptr_equal(at + room, buffer.data + buffer.capacity);
    memset(at, 'x', room);
    buffer_commit(&buffer, 3);
    assert_content(&buffer, "xxx");

    at = buffer_room(&buffer, 997, &room);
    assert_non_null(at);
    assert_int_equal(room, 997);
    assert_content(&buffer, "xxx");

    buffer_consume(&buffer, 2);
    at = buffer_room(&buffer, 1, &room);
    assert_ptr_equal(at + room, buffer.data + buffer.capacity);
    assert_content(&buffer, "x");
    buffer_fini(&buffer);
}

static void test_room_beyond_the_limit_is_refused_and_is_not_a_failed_append(void **state)
{
    struct buffer buffer;
    size_t room = 0;

    (void)state;
    buffer_init(&buffer, 10);
    buffer_append(&buffer, TEXT("123456"));
    assert_null(buffer_room(&buffer, 5, &room));
    assert_false(buffer.failed);
    assert_content(&buffer, "123456");
    assert_non_null(buffer_room(&buffer, 4, &room));
    assert_int_equal(room, 4);
    buffer_fini(&buffer);
}

static void test_consumed_bytes_make_room_again_without_growing(void **state)
{
    struct buffer buffer;
    size_t room = 0;

    (void)state;
    buffer_init(&buffer, 10);
    buffer_append(&buffer, TEXT("0123456789"));
    buffer_consume(&buffer, 4);
    assert_content(&buffer, "456789");
    assert_non_null(buffer_room(&buffer, 4, &room));
    assert_int_equal(room, 4);
    assert_content(&buffer, "456789");
    buffer_append(&buffer, TEXT("abcd"));
    assert_content(&buffer, "456789abcd");
    assert_int_equal(buffer.capacity, 10);
    buffer_fini(&buffer);
}

static void test_growing_after_consuming_keeps_what_is_left(void **state)
{
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, 2000);
    append_bytes(&buffer, 256);
    buffer_consume(&buffer, 250);
    append_bytes(&buffer, 1000);
    assert_int_equal(buffer_text(&buffer).length, 1006);
    assert_memory_equal(buffer_text(&buffer).data, "qrstuvabcd", 10);
    buffer_fini(&buffer);
}

static void test_an_emptied_window_starts_over(void **state)
{
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, 10);
    buffer_append(&buffer, TEXT("0123456789"));
    buffer_consume(&buffer, 10);
    assert_int_equal(buffer.start, 0);
    assert_content(&buffer, "");
    buffer_append(&buffer, TEXT("abcdefghij"));
    assert_content(&buffer, "abcdefghij");
    buffer_fini(&buffer);
}

static void test_cstring_ends_in_nul_and_does_not_change_the_content(void **state)
{
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, 6);
    assert_string_equal(buffer_cstring(&buffer), "");
    buffer_append(&buffer, TEXT("xhello"));
    assert_null(buffer_cstring(&buffer));
    assert_false(buffer.failed);
    buffer_consume(&buffer, 1);
    assert_string_equal(buffer_cstring(&buffer), "hello");
    assert_content(&buffer, "hello");
    buffer_fini(&buffer);
}

static void test_reset_keeps_the_memory_and_fini_gives_it_back(void **state)
{
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, 100);
    buffer_append(&buffer, TEXT("abc"));
    buffer_consume(&buffer, 1);
    buffer_reset(&buffer);
    assert_int_equal(buffer.capacity, 100);
    assert_int_equal(buffer.start, 0);
    assert_content(&buffer, "");
    buffer_fini(&buffer);
    assert_null(buffer.data);
    buffer_append(&buffer, TEXT("again"));
    assert_content(&buffer, "again");
    buffer_fini(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_buffer_is_empty_and_takes_no_memory),
        cmocka_unit_test(test_appends_come_out_in_order),
        cmocka_unit_test(test_nul_bytes_are_content),
        cmocka_unit_test(test_growing_keeps_the_content),
        cmocka_unit_test(test_growing_doubles_so_that_appending_is_linear),
        cmocka_unit_test(test_the_limit_can_be_filled_to_the_last_byte),
        cmocka_unit_test(test_a_failed_append_leaves_the_content_and_stops_the_builder),
        cmocka_unit_test(test_appendf_fails_whole_rather_than_cut),
        cmocka_unit_test(test_a_length_that_overflows_is_refused),
        cmocka_unit_test(test_room_is_at_least_what_was_asked_for),
        cmocka_unit_test(test_room_beyond_the_limit_is_refused_and_is_not_a_failed_append),
        cmocka_unit_test(test_consumed_bytes_make_room_again_without_growing),
        cmocka_unit_test(test_growing_after_consuming_keeps_what_is_left),
        cmocka_unit_test(test_an_emptied_window_starts_over),
        cmocka_unit_test(test_cstring_ends_in_nul_and_does_not_change_the_content),
        cmocka_unit_test(test_reset_keeps_the_memory_and_fini_gives_it_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
