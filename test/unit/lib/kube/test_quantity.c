/* The recorded cases (test/data/quantity.txt) and the rules they may not show. */
#include "lib/kube/quantity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Adds the quantities of a list "1|500m|2Gi" to total. False if one does not parse. */
static bool add_list(char *list, bool init, struct quantity_total *total)
{
    while (list != NULL && *list != '\0') {
        char *quantity_text = strsep(&list, "|");
        struct quantity quantity;
        if (quantity_parse(text_from(quantity_text), &quantity) != ERROR_NONE)
            return false;
        if (init)
            quantity_total_add_init(total, &quantity);
        else if (quantity_total_add(total, &quantity) != ERROR_NONE)
            return false;
    }
    return true;
}

static void check_line(char *line, unsigned number)
{
    line[strcspn(line, "\n")] = '\0';
    char *containers = strsep(&line, "\t");
    char *init = strsep(&line, "\t");
    const char *expected = line;
    assert_non_null(expected);

    struct quantity_total total = {0};
    char result[QUANTITY_TEXT_SIZE] = "error";
    if (add_list(containers, false, &total) && add_list(init, true, &total))
        quantity_format(quantity_total_get(&total), result);
    if (strcmp(result, expected) != 0)
        fail_msg("line %u: got %s, want %s", number, result, expected);
}

static void test_all_recorded_cases_agree(void **state)
{
    (void)state;
    const char *directory = getenv("TEST_DATA");
    char path[4096];
    snprintf(path, sizeof(path), "%s/quantity.txt", directory != NULL ? directory : "test/data");
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("%s cannot be opened", path);
    char line[1024];
    unsigned number = 0, cases = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        number++;
        if (line[0] == '#')
            continue;
        check_line(line, number);
        cases++;
    }
    fclose(file);
    assert_int_equal(cases, 2000);
}

static struct quantity parse(const char *text)
{
    struct quantity quantity;
    if (quantity_parse(text_from(text), &quantity) != ERROR_NONE)
        fail_msg("\"%s\" does not parse", text);
    return quantity;
}

static void assert_format(const struct quantity *quantity, const char *expected)
{
    char text[QUANTITY_TEXT_SIZE];
    size_t length = quantity_format(quantity, text);
    assert_string_equal(text, expected);
    assert_int_equal(length, strlen(expected));
}

static void assert_becomes(const char *text, const char *expected)
{
    struct quantity quantity = parse(text);
    assert_format(&quantity, expected);
}

static void assert_refused(const char *text)
{
    struct quantity quantity = parse("7");
    assert_int_equal(quantity_parse(text_from(text), &quantity), ERROR_INPUT);
    assert_format(&quantity, "7");
}

static void test_text_that_is_no_quantity_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "",     " ",     "K",   "1K",  "1KB",   "1 Gi",  "1.2.3", "--1",  "1e",   "1e+",
        "e",    "1ee",   "1kk", "1ki", "0x1",   "1,5",   "one",   "1e1e", "1e1.", "1e1Ki",
        "NaN",  "+-1",   "1k-", "1m1", "1Ei1",  "\xc2",  "null",  "1e 1", "1_0",  "- 1",
        "1e1x", "1e1 1", "1-",  "1+",  "1Gi\\", "1ie10", "1iE1"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_refused(refused[i]);
}

static void test_nul_bytes_are_no_part_of_a_quantity(void **state)
{
    (void)state;
    struct quantity quantity;
    assert_int_equal(quantity_parse((struct text){"1\0", 2}, &quantity), ERROR_INPUT);
    assert_int_equal(quantity_parse((struct text){NULL, 0}, &quantity), ERROR_INPUT);
}

static void test_white_space_around_it_is_allowed(void **state)
{
    (void)state;
    assert_becomes(" \t\n\v\f\r+1\t \r", "+1");
    assert_becomes("\t100m\t", "100m");
    assert_becomes("\r100m\r", "100m");
}

/* A plus sign tells the text as it was written from a canonical one. */
static void test_only_short_texts_are_kept_as_they_were_written(void **state)
{
    (void)state;
    assert_becomes("+12345678901Ki", "+12345678901Ki");
    assert_becomes("+123456789011Ki", "123456789011Ki");
    assert_becomes("+12345678Mi", "+12345678Mi");
    assert_becomes("+123456789Mi", "123456789Mi");
    assert_becomes("+12Ti", "+12Ti");
    assert_becomes("+123Ti", "123Ti");
    assert_becomes("+1Pi", "1Pi");
    assert_becomes("+16Ki", "16Ki");
    assert_becomes("+17Ki", "+17Ki");
    assert_becomes("+123456789012345678", "+123456789012345678");
    assert_becomes("+1234567890123456789", "1234567890123456789");
    assert_becomes("+123456789012345.678", "+123456789012345.678");
    assert_becomes("+1234567890123456.789", "1234567890123456789m");
}

static void test_digits_may_be_missing(void **state)
{
    (void)state;
    assert_becomes(".", "0");
    assert_becomes("+", "0");
    assert_becomes("-", "0");
    assert_becomes("Ki", "0");
    assert_becomes("k", "0");
    assert_becomes(".5", "500m");
    assert_becomes("5.", "5.");
}

static void test_a_suffix_beyond_exa_becomes_an_exponent(void **state)
{
    (void)state;
    assert_becomes("999E", "999E");
    assert_becomes("1000E", "1e21");
    assert_becomes("1000000E", "1e24");
    struct quantity sum = parse("999E");
    struct quantity one = parse("1E");
    assert_int_equal(quantity_add(&sum, &one), ERROR_NONE);
    assert_format(&sum, "1e21");
}

/* 2^256 - 1 is a number of 78 digits. */
#define LARGEST "115792089237316195423570985008687907853269984665640564039457584007913129639935"

static void test_values_beyond_256_bits_are_refused(void **state)
{
    (void)state;
    assert_becomes(LARGEST "n", LARGEST "n");
    assert_becomes("-" LARGEST "e-9", "-" LARGEST "e-9");
    assert_refused(
        "115792089237316195423570985008687907853269984665640564039457584007913129639936n");
    assert_refused(
        "1000000000000000000000000000000000000000000000000000000000000000000000000000000n");
    assert_becomes("1e68", "100e66");
    assert_refused("2e68");
    assert_refused("1e4294967296");
    assert_refused("1e99999999999999999999");
    assert_refused("1000000000000000000000000000000000000000000000000000Ei");
    assert_refused("1000000000000000000000000000000000000000000000000000000000000Ei");
    assert_becomes("0e99999999999999999999", "0");
    assert_becomes("1e-99999999999999999999", "1e-9");
    assert_becomes("-1e-99999999999999999999", "-1e-9");
}

static void test_a_long_text_is_printed_canonically_instead_of_verbatim(void **state)
{
    (void)state;
    char text[1100];
    memset(text, '0', sizeof(text));
    strcpy(text + QUANTITY_TEXT_SIZE - 2, "7");
    assert_becomes(text, text);
    memset(text, '0', sizeof(text));
    strcpy(text + QUANTITY_TEXT_SIZE - 1, "7");
    assert_becomes(text, "7");
    memset(text, '0', sizeof(text));
    strcpy(text + 999, "7");
    assert_becomes(text, "7");
    memset(text, '0', sizeof(text));
    strcpy(text + 1000, "7");
    assert_refused(text);
}

static void test_a_sum_that_overflows_is_refused_and_keeps_its_value(void **state)
{
    (void)state;
    struct quantity sum = parse(LARGEST "n"), debt = parse("-" LARGEST "n");
    struct quantity nano = parse("1n"), minus_nano = parse("-1n");
    assert_int_equal(quantity_add(&sum, &nano), ERROR_INPUT);
    assert_int_equal(quantity_add(&debt, &minus_nano), ERROR_INPUT);
    assert_format(&sum, LARGEST "n");
    assert_format(&debt, "-" LARGEST "n");
    assert_int_equal(quantity_add(&sum, &debt), ERROR_NONE);
    assert_format(&sum, "0");

    struct quantity_total total = {0};
    assert_int_equal(quantity_total_add(&total, &debt), ERROR_NONE);
    assert_int_equal(quantity_total_add(&total, &minus_nano), ERROR_INPUT);
    assert_format(quantity_total_get(&total), "-" LARGEST "n");
}

static void test_signs_are_kept_in_sums_and_comparisons(void **state)
{
    (void)state;
    struct quantity two = parse("2"), minus_three = parse("-3");
    struct quantity sum = two;
    assert_int_equal(quantity_add(&sum, &minus_three), ERROR_NONE);
    assert_format(&sum, "-1");
    assert_int_equal(quantity_add(&sum, &two), ERROR_NONE);
    assert_format(&sum, "1");
    assert_true(quantity_compare(&two, &minus_three) > 0);
    assert_true(quantity_compare(&minus_three, &two) < 0);
    assert_true(quantity_compare(&minus_three, &sum) < 0);
    struct quantity minus_four = parse("-4");
    assert_true(quantity_compare(&minus_four, &minus_three) < 0);
    struct quantity zero = parse("-0"), plus_zero = parse("0");
    assert_int_equal(quantity_compare(&zero, &plus_zero), 0);
    assert_format(&zero, "0");
}

static void test_equal_values_of_different_spelling_compare_equal(void **state)
{
    (void)state;
    struct quantity a = parse("1Ki"), b = parse("1024"), c = parse("1.024k"), d = parse("1024e0");
    assert_int_equal(quantity_compare(&a, &b), 0);
    assert_int_equal(quantity_compare(&b, &c), 0);
    assert_int_equal(quantity_compare(&c, &d), 0);
}

static void test_binary_values_are_capped_and_small_ones_are_decimal(void **state)
{
    (void)state;
    assert_becomes("8Ei", "9223372036854775807");
    assert_becomes("-8Ei", "-9223372036854775807");
    assert_becomes("7Ei", "7Ei");
    assert_becomes("0.5Ki", "512");
    assert_becomes("0.0005Ki", "512m");
    struct quantity sum = parse("0.0005Ki"), term = parse("2Ki");
    assert_int_equal(quantity_add(&sum, &term), ERROR_NONE);
    assert_format(&sum, "2048512m");
    sum = parse("4Ei");
    for (int i = 0; i < 8; i++)
        assert_int_equal(quantity_add(&sum, &sum), ERROR_NONE);
    assert_format(&sum, "1024Ei");
}

static void assert_sum(const char *a, const char *b, const char *expected)
{
    struct quantity sum = parse(a), term = parse(b);
    assert_int_equal(quantity_add(&sum, &term), ERROR_NONE);
    assert_format(&sum, expected);
}

static void test_the_family_of_a_sum_is_the_first_ones(void **state)
{
    (void)state;
    assert_sum("2Ki", "2k", "4048");
    assert_sum("2k", "2Ki", "4048");
    assert_sum("1Ki", "1024", "2Ki");
    assert_sum("1024", "1Ki", "2048");
    assert_sum("0", "1Ki", "1Ki");
    assert_sum("0Ki", "1000", "1k");
    assert_sum("1e3", "1k", "2e3");
    assert_sum("1k", "1e3", "2k");
    assert_sum("0.5Ki", "512", "1Ki");
    assert_sum("0.5Ki", "511", "1023");
    assert_sum("0.00048828125Ki", "2047.5", "2048"); /* below 1 it is decimal */
    assert_sum("0.0009765625Ki", "2047", "2Ki");
    assert_sum("0.00146484375Ki", "2046.5", "2Ki");
}

static void test_the_total_of_nothing_is_nothing(void **state)
{
    (void)state;
    struct quantity_total total = {0};
    assert_null(quantity_total_get(&total));
}

static void test_the_total_prefers_the_sum_and_later_init_containers(void **state)
{
    (void)state;
    struct quantity_total total = {0};
    struct quantity kilo = parse("1k"), exponent = parse("1e3"), plain = parse("1000.0");
    quantity_total_add_init(&total, &plain);
    quantity_total_add_init(&total, &kilo);
    assert_format(quantity_total_get(&total), "1k");
    quantity_total_add_init(&total, &exponent);
    assert_format(quantity_total_get(&total), "1e3");
    assert_int_equal(quantity_total_add(&total, &kilo), ERROR_NONE);
    assert_format(quantity_total_get(&total), "1k");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_recorded_cases_agree),
        cmocka_unit_test(test_text_that_is_no_quantity_is_refused_and_changes_nothing),
        cmocka_unit_test(test_nul_bytes_are_no_part_of_a_quantity),
        cmocka_unit_test(test_white_space_around_it_is_allowed),
        cmocka_unit_test(test_only_short_texts_are_kept_as_they_were_written),
        cmocka_unit_test(test_digits_may_be_missing),
        cmocka_unit_test(test_a_suffix_beyond_exa_becomes_an_exponent),
        cmocka_unit_test(test_values_beyond_256_bits_are_refused),
        cmocka_unit_test(test_a_long_text_is_printed_canonically_instead_of_verbatim),
        cmocka_unit_test(test_a_sum_that_overflows_is_refused_and_keeps_its_value),
        cmocka_unit_test(test_signs_are_kept_in_sums_and_comparisons),
        cmocka_unit_test(test_equal_values_of_different_spelling_compare_equal),
        cmocka_unit_test(test_binary_values_are_capped_and_small_ones_are_decimal),
        cmocka_unit_test(test_the_family_of_a_sum_is_the_first_ones),
        cmocka_unit_test(test_the_total_of_nothing_is_nothing),
        cmocka_unit_test(test_the_total_prefers_the_sum_and_later_init_containers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
