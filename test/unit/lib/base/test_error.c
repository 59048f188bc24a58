/* error: codes, texts and contexts. */
#include "lib/base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_set_fills_code_and_text_and_returns_the_code(void **state)
{
    (void)state;
    struct error err;
    assert_int_equal(error_set(&err, ERROR_INPUT, "line %d: %s", 7, "no JSON"), ERROR_INPUT);
    assert_int_equal(err.code, ERROR_INPUT);
    assert_string_equal(err.text, "line 7: no JSON");
}

static void test_context_goes_in_front_and_keeps_the_code(void **state)
{
    (void)state;
    struct error err;
    error_set(&err, ERROR_AGAIN, "refused");
    assert_int_equal(error_context(&err, ERROR_INPUT, "host %s", "db"), ERROR_AGAIN);
    assert_int_equal(error_context(&err, ERROR_INPUT, "connecting"), ERROR_AGAIN);
    assert_int_equal(err.code, ERROR_AGAIN);
    assert_string_equal(err.text, "connecting: host db: refused");
}

static void test_without_a_struct_only_the_code_is_returned(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, ERROR_FULL, "%s", "x"), ERROR_FULL);
    assert_int_equal(error_context(NULL, ERROR_NOMEM, "%s", "x"), ERROR_NOMEM);
}

static void test_the_text_is_one_line(void **state)
{
    (void)state;
    struct error err;
    error_set(&err, ERROR_INPUT, "a\nb\r\tc\x1b[31m\x7f\xc3\xa9");
    assert_string_equal(err.text, "a b  c [31m \xc3\xa9");
}

static void test_an_argument_may_be_the_text_that_is_replaced(void **state)
{
    (void)state;
    struct error err;
    error_set(&err, ERROR_INPUT, "inner");
    error_set(&err, ERROR_OPERATOR, "outer (%s)", err.text);
    assert_string_equal(err.text, "outer (inner)");
    error_context(&err, ERROR_OPERATOR, "%s", err.text);
    assert_string_equal(err.text, "outer (inner): outer (inner)");
}

/* Texts in which the character is the last that fits, or is cut. */
static void assert_stays_whole(const char *character)
{
    struct error err;
    int length = (int)strlen(character);
    int padding = ERROR_TEXT_SIZE - 1 - length;
    error_set(&err, ERROR_INPUT, "%0*d%s", padding, 0, character);
    assert_int_equal(strlen(err.text), ERROR_TEXT_SIZE - 1);
    error_set(&err, ERROR_INPUT, "%0*d%sx", padding, 0, character);
    assert_int_equal(strlen(err.text), ERROR_TEXT_SIZE - 1);
    for (int missing = 1; missing < length; missing++) {
        error_set(&err, ERROR_INPUT, "%0*d%s", padding + missing, 0, character);
        assert_int_equal(strlen(err.text), padding + missing);
    }
}

static void test_characters_of_every_length_stay_whole(void **state)
{
    (void)state;
    assert_stays_whole("x");
    assert_stays_whole("\xc0\x80"); /* not valid, but nothing here has to know */
    assert_stays_whole("\xdf\xbf");
    assert_stays_whole("\xe0\xa0\x80");
    assert_stays_whole("\xef\xbf\xbf");
    assert_stays_whole("\xf0\x90\x80\x80");
    assert_stays_whole("\xf4\x8f\xbf\xbf");
}

/* A text of `padding` letters and a character of three bytes. */
static void set_padded(struct error *err, int padding)
{
    error_set(err, ERROR_INPUT, "%0*d\xe2\x82\xac", padding, 0);
}

static void test_a_long_text_is_cut_between_characters(void **state)
{
    (void)state;
    struct error err;
    set_padded(&err, ERROR_TEXT_SIZE - 4);
    assert_int_equal(strlen(err.text), ERROR_TEXT_SIZE - 1);
    assert_string_equal(err.text + ERROR_TEXT_SIZE - 4, "\xe2\x82\xac");
    set_padded(&err, ERROR_TEXT_SIZE - 3);
    assert_int_equal(strlen(err.text), ERROR_TEXT_SIZE - 3);
    set_padded(&err, ERROR_TEXT_SIZE - 2);
    assert_int_equal(strlen(err.text), ERROR_TEXT_SIZE - 2);
    set_padded(&err, ERROR_TEXT_SIZE - 1);
    assert_int_equal(strlen(err.text), ERROR_TEXT_SIZE - 1);
    set_padded(&err, 3 * ERROR_TEXT_SIZE);
    assert_int_equal(strlen(err.text), ERROR_TEXT_SIZE - 1);
}

static void test_a_context_pushes_the_end_out_between_characters(void **state)
{
    (void)state;
    struct error err;
    set_padded(&err, ERROR_TEXT_SIZE - 4);
    error_context(&err, ERROR_INPUT, "x");
    assert_int_equal(strncmp(err.text, "x: 000", 6), 0);
    assert_int_equal(strlen(err.text), ERROR_TEXT_SIZE - 1);
    set_padded(&err, ERROR_TEXT_SIZE - 8);
    error_context(&err, ERROR_INPUT, "xxx");
    assert_int_equal(strlen(err.text), ERROR_TEXT_SIZE - 3);
    set_padded(&err, 10);
    error_context(&err, ERROR_INPUT, "%0*d", ERROR_TEXT_SIZE, 0);
    assert_int_equal(strlen(err.text), ERROR_TEXT_SIZE - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_fills_code_and_text_and_returns_the_code),
        cmocka_unit_test(test_context_goes_in_front_and_keeps_the_code),
        cmocka_unit_test(test_without_a_struct_only_the_code_is_returned),
        cmocka_unit_test(test_the_text_is_one_line),
        cmocka_unit_test(test_an_argument_may_be_the_text_that_is_replaced),
        cmocka_unit_test(test_a_long_text_is_cut_between_characters),
        cmocka_unit_test(test_characters_of_every_length_stay_whole),
        cmocka_unit_test(test_a_context_pushes_the_end_out_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
