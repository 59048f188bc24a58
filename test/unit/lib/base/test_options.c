/* options: every way to write an option, and every way to write it wrong. */
#include "lib/base/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TEAM, LIMIT, YES };
static const struct option_spec specs[] = {
    [TEAM] = {"--team", "-t", "NAME", "of this team"},
    [LIMIT] = {"--limit", NULL, "N", "at most so many"},
    [YES] = {"--yes", NULL, NULL, "do not ask"},
    {0},
};

static enum error_code read_words(const char *operand, const char *const *words,
                                  struct options *options, struct error *err)
{
    char *arguments[16];
    int count = 0;
    while (words[count] != NULL) {
        arguments[count] = (char *)(uintptr_t)words[count];
        count++;
    }
    return options_read(specs, operand, count, arguments, options, err);
}

#define READ(operand, options, err, ...)                                                           \
    read_words((operand), (const char *const[]){__VA_ARGS__, NULL}, (options), (err))

static void test_nothing_is_given(void **state)
{
    (void)state;
    struct options options;
    struct error err;
    assert_int_equal(options_read(specs, NULL, 0, NULL, &options, &err), ERROR_NONE);
    assert_null(options.values[TEAM]);
    assert_null(options.values[YES]);
    assert_null(options.operand);
}

static void test_ways_to_write_an_option(void **state)
{
    (void)state;
    struct options options;
    struct error err;
    assert_int_equal(READ("JOB", &options, &err, "--team", "red", "job", "--yes", "--limit=5"),
                     ERROR_NONE);
    assert_string_equal(options.values[TEAM], "red");
    assert_string_equal(options.values[LIMIT], "5");
    assert_non_null(options.values[YES]);
    assert_string_equal(options.operand, "job");

    assert_int_equal(READ(NULL, &options, &err, "-t", "red", "--team=", "--limit", "-5"),
                     ERROR_NONE);
    assert_string_equal(options.values[TEAM], "");
    assert_string_equal(options.values[LIMIT], "-5");

    assert_int_equal(READ("JOB", &options, &err, "--", "--yes"), ERROR_NONE);
    assert_string_equal(options.operand, "--yes");
    assert_null(options.values[YES]);
    assert_int_equal(READ("JOB", &options, &err, "-"), ERROR_NONE);
    assert_string_equal(options.operand, "-");
}

static void assert_refused(const char *operand, const char *const *words, const char *text)
{
    struct options options;
    struct error err;
    assert_int_equal(read_words(operand, words, &options, &err), ERROR_INPUT);
    assert_string_equal(err.text, text);
}

#define REFUSED(operand, text, ...)                                                                \
    assert_refused((operand), (const char *const[]){__VA_ARGS__, NULL}, (text))

static void test_wrong_arguments(void **state)
{
    (void)state;
    REFUSED(NULL, "there is no option --tea", "--tea");
    REFUSED(NULL, "there is no option --teams=x", "--teams=x");
    REFUSED(NULL, "there is no option -x", "-x");
    REFUSED(NULL, "there is no option -t=x", "-t=x");
    REFUSED(NULL, "--team needs a value: NAME", "--yes", "-t");
    REFUSED(NULL, "--yes takes no value", "--yes=no");
    REFUSED(NULL, "one argument too many: job", "job");
    REFUSED("JOB", "one argument too many: b", "a", "b");
    REFUSED("JOB", "JOB is missing", "--yes");
}

static void test_numbers(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",   "x", "5x", "0", "101", "99999999999999999999",
                                        "-1", "1 "};
    struct error err;
    long number;
    assert_int_equal(options_number(&specs[LIMIT], "1", 1, 100, &number, &err), ERROR_NONE);
    assert_int_equal(options_number(&specs[LIMIT], "100", 1, 100, &number, &err), ERROR_NONE);
    assert_int_equal(number, 100);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(options_number(&specs[LIMIT], wrong[i], 1, 100, &number, &err),
                         ERROR_INPUT);
    assert_string_equal(err.text, "--limit takes a number from 1 to 100, not 1 ");
}

static void test_help_is_wrapped(void **state)
{
    (void)state;
    static const struct option_spec long_ones[] = {
        {"--output", "-o", "FORMAT",
         "one two three four five six seven eight nine ten eleven twelve"},
        {"--a-name-that-is-far-too-long", NULL, NULL, "help"},
        {0},
    };
    struct buffer out;
    buffer_init(&out, 4096);
    options_help(&out, long_ones);
    assert_string_equal(
        buffer_cstring(&out),
        "  -o, --output FORMAT     one two three four five six seven eight nine ten\n"
        "                          eleven twelve\n"
        "  --a-name-that-is-far-too-long\n"
        "                          help\n");
    buffer_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_given), cmocka_unit_test(test_ways_to_write_an_option),
        cmocka_unit_test(test_wrong_arguments),  cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_help_is_wrapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
