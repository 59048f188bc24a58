/* text: lines, and copies that keep to a size and never cut a character. */
#include "lib/base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_text(struct text text, const char *expected)
{
    assert_int_equal(text.length, strlen(expected));
    assert_memory_equal(text.data, expected, text.length);
}

static void test_lines(void **state)
{
    (void)state;
    struct text rest = TEXT("one\n\ntwo");
    assert_text(text_take_line(&rest), "one");
    assert_text(text_take_line(&rest), "");
    assert_text(text_take_line(&rest), "two");
    assert_int_equal(rest.length, 0);
    assert_int_equal(text_take_line(&rest).length, 0);
}

static void test_parts(void **state)
{
    (void)state;
    assert_true(text_starts_with(TEXT("Reason: x"), TEXT("Reason: ")));
    assert_false(text_starts_with(TEXT("Reas"), TEXT("Reason: ")));
    assert_true(text_ends_in(TEXT("TFJobSuspended"), TEXT("Suspended")));
    assert_true(text_contains(TEXT("a plugin could not be loaded"), "could not"));
    assert_false(text_contains(TEXT(""), "could not"));
    assert_true(text_is_blank(TEXT(" \t\r")));
    assert_true(text_is_blank(TEXT("")));
    assert_false(text_is_blank(TEXT(" \n")));
}

static void test_order(void **state)
{
    (void)state;
    static const char *const ordered[] = {"", "a", "ab", "b", "\xc3\xa4"};
    for (int i = 0; i < 5; i++) {
        for (int j = 0; j < 5; j++) {
            int order = text_compare(text_from(ordered[i]), text_from(ordered[j]));
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
    }
    assert_int_equal(text_compare((struct text){NULL, 0}, TEXT("")), 0);
}

static void test_copies_keep_to_their_size(void **state)
{
    (void)state;
    char to[6];
    text_copy(to, sizeof(to), TEXT("short"));
    assert_string_equal(to, "short");
    text_copy(to, sizeof(to), TEXT("longer"));
    assert_string_equal(to, "longe");
    text_copy(to, sizeof(to), TEXT("abc\xe2\x82\xac")); /* the euro sign would need six */
    assert_string_equal(to, "abc");
    text_copy(to, sizeof(to), TEXT("a\0b\n"));
    assert_string_equal(to, "a?b\n");
    text_copy_line(to, sizeof(to), TEXT("a\tb\x7f\n"));
    assert_string_equal(to, "a b  ");
    text_copy(to, sizeof(to), (struct text){NULL, 0});
    assert_string_equal(to, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_copies_keep_to_their_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
