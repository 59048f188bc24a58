/* wide: the laws of arithmetic for random numbers of any length. SEED=n replays a run. */
#include "lib/base/wide.h"
#include "test/support/chance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ROUNDS 100000

/* Of 0..limbs limbs; now and then all bits of one are the same, for carries that run far. */
static struct wide random_wide(struct chance *chance, uint32_t limbs)
{
    struct wide wide = wide_from(0);
    uint32_t used = chance_below(chance, limbs + 1);
    for (uint32_t i = 0; i < used; i++) {
        uint32_t form = chance_below(chance, 4);
        wide.limbs[i] = form == 0 ? 0 : form == 1 ? UINT32_MAX : (uint32_t)chance_bits(chance);
    }
    return wide;
}

/* Never 0. */
static uint32_t random_limb(struct chance *chance)
{
    uint32_t bits = (uint32_t)chance_bits(chance) >> chance_below(chance, 32);
    return bits != 0 ? bits : 1;
}

static bool is_equal(const struct wide *a, const struct wide *b)
{
    return memcmp(a->limbs, b->limbs, sizeof(a->limbs)) == 0;
}

static void test_subtraction_undoes_addition(void **state)
{
    struct chance *chance = *state;
    for (int i = 0; i < ROUNDS; i++) {
        struct wide a = random_wide(chance, WIDE_LIMBS), b = random_wide(chance, WIDE_LIMBS);
        struct wide sum = a, other_way = b;
        bool fits = wide_add(&sum, &b);
        assert_int_equal(wide_add(&other_way, &a), fits);
        if (!fits) {
            assert_true(is_equal(&sum, &a));
            assert_true(is_equal(&other_way, &b));
            continue;
        }
        assert_true(is_equal(&sum, &other_way));
        assert_true(wide_compare(&sum, &a) >= 0 && wide_compare(&sum, &b) >= 0);
        wide_subtract(&sum, &b);
        assert_true(is_equal(&sum, &a));
    }
}

static void test_an_addition_overflows_exactly_where_the_room_is_too_small(void **state)
{
    struct chance *chance = *state;
    struct wide largest;
    memset(&largest, 0xFF, sizeof(largest));
    for (int i = 0; i < ROUNDS; i++) {
        struct wide a = random_wide(chance, WIDE_LIMBS), b = random_wide(chance, WIDE_LIMBS);
        struct wide room = largest;
        wide_subtract(&room, &a);
        assert_int_equal(wide_add(&a, &b), wide_compare(&b, &room) <= 0);
    }
}

static void test_multiplication_undoes_division(void **state)
{
    struct chance *chance = *state;
    for (int i = 0; i < ROUNDS; i++) {
        struct wide a = random_wide(chance, WIDE_LIMBS), quotient = a;
        uint32_t divisor = random_limb(chance);
        uint32_t rest = wide_divide(&quotient, divisor);
        assert_true(rest < divisor);
        struct wide again = quotient;
        assert_true(wide_multiply_add(&again, divisor, rest));
        assert_true(is_equal(&again, &a));
        assert_int_equal(wide_divide_exactly(&again, divisor), rest == 0);
        assert_true(is_equal(&again, rest == 0 ? &quotient : &a));
    }
}

static void test_a_multiplication_that_overflows_changes_nothing(void **state)
{
    struct chance *chance = *state;
    struct wide largest;
    memset(&largest, 0xFF, sizeof(largest));
    for (int i = 0; i < ROUNDS; i++) {
        struct wide a = random_wide(chance, WIDE_LIMBS), product = a, bound = largest;
        uint32_t factor = random_limb(chance);
        (void)wide_divide(&bound, factor);
        bool fits = wide_multiply_add(&product, factor, 0);
        assert_int_equal(fits, wide_compare(&a, &bound) <= 0);
        assert_true(fits || is_equal(&product, &a));
    }
}

static void test_digits_read_as_the_same_number(void **state)
{
    struct chance *chance = *state;
    for (int i = 0; i < ROUNDS / 10; i++) {
        struct wide a = random_wide(chance, WIDE_LIMBS), again = wide_from(0);
        char text[WIDE_TEXT_SIZE];
        size_t length = wide_format(&a, text);
        assert_int_equal(length, strlen(text));
        assert_true(length == 1 || text[0] != '0');
        for (size_t k = 0; k < length; k++)
            assert_true(wide_multiply_add(&again, 10, (uint32_t)(text[k] - '0')));
        assert_true(is_equal(&again, &a));
    }
}

static __int128 to_int128(const struct wide *wide)
{
    __int128 value = 0;
    for (size_t i = 4; i-- > 0;)
        value = (__int128)((unsigned __int128)value << 32 | wide->limbs[i]);
    return value;
}

static void test_small_numbers_are_those_of_the_compiler(void **state)
{
    struct chance *chance = *state;
    for (int i = 0; i < ROUNDS; i++) {
        struct wide a = random_wide(chance, 3), b = random_wide(chance, 3);
        __int128 x = to_int128(&a), y = to_int128(&b);
        assert_int_equal(wide_compare(&a, &b), (x > y) - (x < y));
        assert_int_equal(wide_is_zero(&a), x == 0);
        uint32_t limb = random_limb(chance) >> 2;
        struct wide quotient = a, sum = a;
        assert_true((__int128)wide_divide(&quotient, limb + 1) == x % (limb + 1));
        assert_true(to_int128(&quotient) == x / (limb + 1));
        assert_true(wide_add(&sum, &b));
        assert_true(to_int128(&sum) == x + y);
    }
}

int main(void)
{
    struct chance chance = chance_from_environment();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_subtraction_undoes_addition, &chance),
        cmocka_unit_test_prestate(test_an_addition_overflows_exactly_where_the_room_is_too_small,
                                  &chance),
        cmocka_unit_test_prestate(test_multiplication_undoes_division, &chance),
        cmocka_unit_test_prestate(test_a_multiplication_that_overflows_changes_nothing, &chance),
        cmocka_unit_test_prestate(test_digits_read_as_the_same_number, &chance),
        cmocka_unit_test_prestate(test_small_numbers_are_those_of_the_compiler, &chance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
