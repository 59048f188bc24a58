/* quantity: the laws of sums and order, and that what is printed reads as the same value. SEED=n
 * replays a run. */
#include "lib/kube/quantity.h"
#include "test/support/chance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ROUNDS 20000

static void random_text(struct chance *chance, char *text, size_t size)
{
    static const char *const signs[] = {"", "", "", "-", "+"};
    static const char *const suffixes[] = {"",   "",   "n",  "u",   "m",   "k",  "M",  "G",
                                           "T",  "P",  "E",  "Ki",  "Mi",  "Gi", "Ti", "Pi",
                                           "Ei", "e0", "e3", "E-9", "e+6", "e1", "e7", "e-20"};
    static const char *const fractions[] = {"", "", "", ".", ".0", ".5", ".25", ".125", ".500"};
    uint64_t whole = chance_bits(chance) >> (chance_below(chance, 62) + 1);
    const char *sign = signs[chance_below(chance, 5)];
    const char *suffix = suffixes[chance_below(chance, 24)];
    if (chance_below(chance, 4) == 0)
        snprintf(text, size, "%s%llu.%06u%s", sign, (unsigned long long)whole,
                 chance_below(chance, 1000000), suffix);
    else
        snprintf(text, size, "%s%llu%s%s", sign, (unsigned long long)whole,
                 fractions[chance_below(chance, 9)], suffix);
}

static struct quantity parse(const char *text)
{
    struct quantity quantity;
    if (quantity_parse(text_from(text), &quantity) != ERROR_NONE)
        fail_msg("%s does not parse", text);
    return quantity;
}

static struct quantity random_quantity(struct chance *chance)
{
    char text[64];
    random_text(chance, text, sizeof(text));
    return parse(text);
}

static struct quantity sum_of(struct quantity a, const struct quantity *b)
{
    assert_int_equal(quantity_add(&a, b), ERROR_NONE);
    return a;
}

static void test_what_is_printed_reads_as_the_same_value(void **state)
{
    struct chance *chance = *state;
    for (int i = 0; i < ROUNDS; i++) {
        char text[64], printed[QUANTITY_TEXT_SIZE];
        random_text(chance, text, sizeof(text));
        struct quantity quantity = parse(text);
        size_t length = quantity_format(&quantity, printed);
        assert_int_equal(length, strlen(printed));
        struct quantity reread = parse(printed);
        if (quantity_compare(&quantity, &reread) != 0)
            fail_msg("%s is printed as %s", text, printed);
    }
}

static void assert_verbatim_only_if_printed_so(const char *text)
{
    char padded[96], printed[QUANTITY_TEXT_SIZE];
    struct quantity quantity = parse(text);
    quantity_format(&quantity, printed);
    snprintf(padded, sizeof(padded), " %s\n", text);
    struct text verbatim = quantity_verbatim(text_from(padded));
    if (text_is(verbatim, text) != (quantity.verbatim[0] != '\0'))
        fail_msg("%s is taken for %.*s", text, (int)verbatim.length, verbatim.data);
    if (verbatim.length > 0)
        assert_string_equal(printed, text);
}

static void test_what_is_taken_verbatim_is_printed_so(void **state)
{
    struct chance *chance = *state;
    for (int i = 0; i < ROUNDS; i++) {
        char text[64];
        random_text(chance, text, sizeof(text));
        assert_verbatim_only_if_printed_so(text);
    }
    assert_int_equal(quantity_verbatim(TEXT("")).length, 0);
    assert_int_equal(quantity_verbatim(TEXT("4Gb")).length, 0);
}

/* The magnitude in nano by a way of its own: digits and powers of ten only. */
static void test_decimal_values_are_their_digits(void **state)
{
    struct chance *chance = *state;
    static const char suffixes[] = {'n', 'u', 'm', 0, 'k', 'M', 'G'};
    for (int i = 0; i < ROUNDS; i++) {
        uint32_t whole = chance_below(chance, 1000000), fraction = chance_below(chance, 1000);
        uint32_t power = 1 + chance_below(chance, 6);
        char text[64], nano_text[64];
        snprintf(text, sizeof(text), "%u.%03u%c", whole, fraction, suffixes[power]);
        if (suffixes[power] == 0)
            snprintf(text, sizeof(text), "%u.%03u", whole, fraction);
        snprintf(nano_text, sizeof(nano_text), "%u%03u%.*sn", whole, fraction,
                 (int)(3 * (power - 1)), "000000000000000");
        struct quantity value = parse(text), nano = parse(nano_text);
        if (quantity_compare(&value, &nano) != 0)
            fail_msg("%s is not %s", text, nano_text);
    }
}

static void test_sums_do_not_depend_on_the_order(void **state)
{
    struct chance *chance = *state;
    for (int i = 0; i < ROUNDS; i++) {
        struct quantity a = random_quantity(chance), b = random_quantity(chance),
                        c = random_quantity(chance);
        struct quantity ab = sum_of(a, &b), ba = sum_of(b, &a), bc = sum_of(b, &c);
        struct quantity left = sum_of(ab, &c), right = sum_of(a, &bc);
        assert_int_equal(quantity_compare(&ab, &ba), 0);
        assert_int_equal(quantity_compare(&left, &right), 0);
    }
}

static void test_zero_changes_no_value_and_an_opposite_makes_zero(void **state)
{
    struct chance *chance = *state;
    const struct quantity zero = parse("0");
    for (int i = 0; i < ROUNDS; i++) {
        struct quantity a = random_quantity(chance), opposite = a;
        opposite.negative = !a.negative && !wide_is_zero(&a.nano); /* zero has no sign */
        struct quantity same = sum_of(a, &zero), nothing = sum_of(a, &opposite);
        assert_int_equal(quantity_compare(&same, &a), 0);
        assert_int_equal(same.family, wide_is_zero(&a.nano) ? zero.family : a.family);
        assert_int_equal(quantity_compare(&nothing, &zero), 0);
        assert_false(nothing.negative);
    }
}

static void test_order_is_total_and_kept_by_sums(void **state)
{
    struct chance *chance = *state;
    for (int i = 0; i < ROUNDS; i++) {
        struct quantity a = random_quantity(chance), b = random_quantity(chance),
                        c = random_quantity(chance);
        int order = quantity_compare(&a, &b);
        struct quantity ac = sum_of(a, &c), bc = sum_of(b, &c);
        int reverse = quantity_compare(&b, &a), after = quantity_compare(&ac, &bc);
        assert_true((order < 0) == (reverse > 0) && (order == 0) == (reverse == 0));
        assert_true((order < 0) == (after < 0) && (order == 0) == (after == 0));
    }
}

static void test_any_bytes_are_taken_or_refused(void **state)
{
    struct chance *chance = *state;
    static const char letters[] = "0123456789+-.eEinumkKMGTP \t_";
    for (int i = 0; i < 4 * ROUNDS; i++) {
        char text[24], printed[QUANTITY_TEXT_SIZE];
        size_t length = chance_below(chance, sizeof(text));
        for (size_t k = 0; k < length; k++)
            text[k] = letters[chance_below(chance, sizeof(letters) - 1)];
        struct quantity quantity;
        if (quantity_parse((struct text){text, length}, &quantity) == ERROR_NONE)
            assert_in_range(quantity_format(&quantity, printed), 1, QUANTITY_TEXT_SIZE - 1);
    }
}

int main(void)
{
    struct chance chance = chance_from_environment();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_what_is_printed_reads_as_the_same_value, &chance),
        cmocka_unit_test_prestate(test_what_is_taken_verbatim_is_printed_so, &chance),
        cmocka_unit_test_prestate(test_decimal_values_are_their_digits, &chance),
        cmocka_unit_test_prestate(test_sums_do_not_depend_on_the_order, &chance),
        cmocka_unit_test_prestate(test_zero_changes_no_value_and_an_opposite_makes_zero, &chance),
        cmocka_unit_test_prestate(test_order_is_total_and_kept_by_sums, &chance),
        cmocka_unit_test_prestate(test_any_bytes_are_taken_or_refused, &chance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
