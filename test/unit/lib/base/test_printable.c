/* printable: nothing that a terminal would obey comes through, and widths are right. */
#include "lib/base/printable.h"
#include "lib/base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LIMIT 65536

static void assert_shown(struct text text, const char *expected, size_t width)
{
    struct buffer out;
    buffer_init(&out, LIMIT);
    assert_int_equal(printable_append(&out, text), width);
    assert_string_equal(buffer_cstring(&out), expected);
    buffer_fini(&out);
}

static void assert_cut(const char *text, size_t max_width, const char *expected, size_t width)
{
    struct buffer out;
    buffer_init(&out, LIMIT);
    assert_int_equal(printable_append_cut(&out, text_from(text), max_width), width);
    const char *shown = buffer_cstring(&out);
    assert_string_equal(shown, expected);
    buffer_fini(&out);
}

static void test_plain_text_stays(void **state)
{
    (void)state;
    assert_shown(TEXT(""), "", 0);
    assert_shown(TEXT("train-1 ~\"\\\\"), "train-1 ~\"\\\\", 12);
    assert_shown(TEXT("h\xc3\xa9"), "h\xc3\xa9", 2);
}

static void test_commands_of_a_terminal_are_shown(void **state)
{
    (void)state;
    assert_shown(TEXT("\x1b[31mred"), "\\x1b[31mred", 11);
    assert_shown(TEXT("a\nb\tc\rd\0e\x7f"), "a\\nb\\tc\\rd\\x00e\\x7f", 19);
    assert_shown(TEXT("\xc2\x9b"
                      "2J"),
                 "\\u{9b}2J", 8);
    assert_shown(TEXT("\xe2\x80\xae"
                      "txt.exe"),
                 "\\u{202e}txt.exe", 15);
    assert_shown(TEXT("\xef\xbb\xbf|\xe2\x80\xa8|\xf3\xa0\x80\x81"),
                 "\\u{feff}|\\u{2028}|\\u{e0001}", 27);
}

static void test_bytes_that_are_no_text_are_shown(void **state)
{
    (void)state;
    assert_shown(TEXT("a\xff\xc3"), "a\\xff\\xc3", 9);
    assert_shown(TEXT("\xed\xa0\x80"), "\\xed\\xa0\\x80", 12);
}

static void test_wide_and_combining_characters(void **state)
{
    (void)state;
    assert_shown(TEXT("\xe8\xae\xad\xe7\xbb\x83"), "\xe8\xae\xad\xe7\xbb\x83", 4);
    assert_shown(TEXT("e\xcc\x81"), "e\xcc\x81", 1);
    assert_shown(TEXT("\xf0\x9f\x9a\x80"), "\xf0\x9f\x9a\x80", 2);
    assert_int_equal(printable_width(0x2026), 1);
    assert_int_equal(printable_width(0x10FFFF), 1);
    assert_int_equal(printable_width(0xFF01), 2);
}

static void test_what_does_not_fit_is_cut(void **state)
{
    (void)state;
    assert_cut("abcd", 4, "abcd", 4);
    assert_cut("abcde", 4, "abc\xe2\x80\xa6", 4);
    assert_cut("abcde", 1, "\xe2\x80\xa6", 1);
    assert_cut("abcde", 0, "", 0);
    /* No half of a wide character, and no half of an escape. */
    assert_cut("a\xe8\xae\xad\xe8\xae\xad", 4, "a\xe8\xae\xad\xe2\x80\xa6", 4);
    assert_cut("a\xe8\xae\xad\xe8\xae\xad", 3, "a\xe2\x80\xa6", 2);
    assert_cut("a\x1b\x1b", 6, "a\\x1b\xe2\x80\xa6", 6);
    assert_cut("a\x1b\x1b", 5, "a\xe2\x80\xa6", 2);
}

static void test_json_keeps_its_value(void **state)
{
    (void)state;
    static const char json[] =
        "{\"a\": \"\x7f\xc2\x9b\xe2\x80\xae\xf3\xa0\x80\x81\xe8\xae\xad\xff\",\n\t\"b\":[1]}";
    struct buffer out;
    buffer_init(&out, LIMIT);
    printable_append_json(&out, text_from(json));
    assert_string_equal(
        buffer_cstring(&out),
        "{\"a\": \"\\u007f\\u009b\\u202e\\udb40\\udc01\xe8\xae\xad\\ufffd\",\n\t\"b\":[1]}");
    buffer_fini(&out);
}

/* Whatever the bytes are: what comes out is UTF-8 without control characters, as wide as it says. */
static void test_any_two_bytes(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, LIMIT);
    for (unsigned n = 0; n < 0x10000; n++) {
        const char bytes[2] = {(char)(n >> 8), (char)n};
        buffer_reset(&out);
        size_t width = printable_append(&out, (struct text){bytes, sizeof(bytes)});
        struct text shown = buffer_text(&out);
        assert_true(utf8_is_valid(shown));
        assert_true(width <= shown.length);
        for (size_t i = 0; i < shown.length; i++)
            assert_true((unsigned char)shown.data[i] >= ' ' && shown.data[i] != 0x7F);
        assert_true(shown.length < 2 || (unsigned char)shown.data[0] != 0xC2 ||
                    (unsigned char)shown.data[1] >= 0xA0);
    }
    buffer_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_text_stays),
        cmocka_unit_test(test_commands_of_a_terminal_are_shown),
        cmocka_unit_test(test_bytes_that_are_no_text_are_shown),
        cmocka_unit_test(test_wide_and_combining_characters),
        cmocka_unit_test(test_what_does_not_fit_is_cut),
        cmocka_unit_test(test_json_keeps_its_value),
        cmocka_unit_test(test_any_two_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
