/* commands: every way to write an option, and every way to write it wrong. */
#include "sidecar/commands/commands.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { TEAM, LIMIT, ALL };

static const struct command without_operand = {
    .name = "test",
    .synopsis = "[OPTION]...",
    .options = {{"team", 't', "NAME", "of this team"},
                {"limit", '\0', "N", "at most so many"},
                {"all", '\0', NULL, "do not ask"}},
};

static const struct command with_operand = {
    .name = "test",
    .synopsis = "JOB [OPTION]...",
    .options = {{"team", 't', "NAME", "of this team"},
                {"limit", '\0', "N", "at most so many"},
                {"all", '\0', NULL, "do not ask"}},
    .operand = "JOB",
};

static bool read_words(const struct command *command, const char *const *words,
                       struct invocation *invocation, int *status)
{
    static char *arguments[16]; /* which the invocation points into */
    int count = 1;
    arguments[0] = (char *)(uintptr_t)command->name;
    for (; words[count - 1] != NULL; count++)
        arguments[count] = (char *)(uintptr_t)words[count - 1];
    arguments[count] = NULL;
    return command_read(command, count, arguments, invocation, status);
}

#define READ(command, invocation, ...)                                                             \
    read_words(&(command), (const char *const[]){__VA_ARGS__, NULL}, (invocation), &(int){EXIT_OK})

static void test_nothing_is_given(void **state)
{
    (void)state;
    struct invocation invocation = {.version = "1"};
    int status;
    assert_true(read_words(&without_operand, (const char *const[]){NULL}, &invocation, &status));
    assert_null(invocation.values[TEAM]);
    assert_null(invocation.values[ALL]);
    assert_int_equal(invocation.operand_count, 0);
    assert_string_equal(invocation.version, "1");
}

static void test_ways_to_write_an_option(void **state)
{
    (void)state;
    struct invocation invocation = {0};
    assert_true(READ(with_operand, &invocation, "--team", "red", "job", "--all", "--limit=5"));
    assert_string_equal(invocation.values[TEAM], "red");
    assert_string_equal(invocation.values[LIMIT], "5");
    assert_non_null(invocation.values[ALL]);
    assert_string_equal(invocation.operands[0], "job");

    assert_true(READ(without_operand, &invocation, "-t", "red", "--team=", "--limit", "-5"));
    assert_string_equal(invocation.values[TEAM], "");
    assert_string_equal(invocation.values[LIMIT], "-5");

    assert_true(READ(with_operand, &invocation, "--", "--all"));
    assert_string_equal(invocation.operands[0], "--all");
    assert_null(invocation.values[ALL]);
    assert_true(READ(with_operand, &invocation, "-"));
    assert_string_equal(invocation.operands[0], "-");
}

/* What the command tells on standard error, which is one line about `problem`. */
static void assert_refused(const struct command *command, const char *const *words,
                           const char *problem)
{
    struct invocation invocation = {0};
    int status = EXIT_OK;
    char told[1024] = "", expected[1024];
    FILE *file = tmpfile();
    int kept = dup(STDERR_FILENO);
    assert_non_null(file);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
    bool read = read_words(command, words, &invocation, &status);
    fflush(stderr);
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    close(kept);
    rewind(file);
    assert_true(fread(told, 1, sizeof(told) - 1, file) > 0);
    fclose(file);
    assert_false(read);
    assert_int_equal(status, EXIT_USAGE);
    snprintf(expected, sizeof(expected), "kubedl-shipper: %s: see kubedl-shipper test --help\n",
             problem);
    assert_string_equal(told, expected);
}

#define REFUSED(command, problem, ...)                                                             \
    assert_refused(&(command), (const char *const[]){__VA_ARGS__, NULL}, (problem))

static void test_wrong_arguments(void **state)
{
    (void)state;
    REFUSED(without_operand, "there is no option --teams (did you mean --team?)", "--teams");
    REFUSED(without_operand, "there is no option --limti=x (did you mean --limit?)", "--limti=x");
    REFUSED(without_operand, "there is no option --verbose", "--verbose");
    REFUSED(without_operand, "there is no option -x", "-x");
    REFUSED(without_operand, "--team needs a value: NAME", "--all", "-t");
    REFUSED(without_operand, "--limit needs a value: N", "--limit");
    REFUSED(without_operand, "--all takes no value", "--all=no");
    REFUSED(without_operand, "--help takes no value", "--help=no");
    REFUSED(without_operand, "--version takes no value", "--version=no");
    REFUSED(without_operand, "one argument too many: job", "job");
    REFUSED(with_operand, "one argument too many: b", "a", "b");
    REFUSED(with_operand, "JOB is missing", "--all");
}

static void test_numbers(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",   "x", "5x", "0", "101", "99999999999999999999",
                                        "-1", "1 "};
    struct invocation invocation = {.command = &without_operand};
    struct error err;
    long number;
    assert_int_equal(command_number(&invocation, LIMIT, 1, 100, 7, &number, &err), ERROR_NONE);
    assert_int_equal(number, 7);
    invocation.values[LIMIT] = "100";
    assert_int_equal(command_number(&invocation, LIMIT, 1, 100, 7, &number, &err), ERROR_NONE);
    assert_int_equal(number, 100);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        invocation.values[LIMIT] = wrong[i];
        assert_int_equal(command_number(&invocation, LIMIT, 1, 100, 7, &number, &err), ERROR_INPUT);
    }
    assert_string_equal(err.text, "--limit takes a number from 1 to 100, not 1 ");
}

static void test_help_is_wrapped(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 4096);
    command_help_line(&out, "-o, --output FORMAT ",
                      "one two three four five six seven eight nine ten eleven twelve");
    command_help_line(&out, "--a-name-that-is-far-too-long", "help");
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
