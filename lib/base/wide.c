/* wide: arithmetic as it is done by hand, with limbs of 32 bits for digits. */
#include "lib/base/wide.h"

bool wide_is_zero(const struct wide *wide)
{
    uint32_t any = 0;
    for (size_t i = 0; i < WIDE_LIMBS; i++)
        any |= wide->limbs[i];
    return any == 0;
}

int wide_compare(const struct wide *a, const struct wide *b)
{
    for (size_t i = WIDE_LIMBS; i-- > 0;) {
        if (a->limbs[i] != b->limbs[i])
            return a->limbs[i] < b->limbs[i] ? -1 : 1;
    }
    return 0;
}

bool wide_multiply_add(struct wide *wide, uint32_t factor, uint32_t addend)
{
    struct wide result;
    uint64_t carry = addend;
    for (size_t i = 0; i < WIDE_LIMBS; i++) {
        carry += (uint64_t)wide->limbs[i] * factor;
        result.limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry == 0)
        *wide = result;
    return carry == 0;
}

bool wide_add(struct wide *sum, const struct wide *term)
{
    struct wide result;
    uint64_t carry = 0;
    for (size_t i = 0; i < WIDE_LIMBS; i++) {
        carry += (uint64_t)sum->limbs[i] + term->limbs[i];
        result.limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry == 0)
        *sum = result;
    return carry == 0;
}

void wide_subtract(struct wide *wide, const struct wide *term)
{
    uint64_t borrow = 0;
    for (size_t i = 0; i < WIDE_LIMBS; i++) {
        uint64_t difference = (uint64_t)wide->limbs[i] - term->limbs[i] - borrow;
        wide->limbs[i] = (uint32_t)difference;
        borrow = difference >> 63;
    }
}

/* Returns the number of limbs without the leading zeros: mostly two or three. */
static size_t significant(const struct wide *wide)
{
    size_t count = WIDE_LIMBS;
    while (count > 0 && wide->limbs[count - 1] == 0)
        count--;
    return count;
}

uint32_t wide_divide(struct wide *wide, uint32_t divisor)
{
    uint64_t remainder = 0;
    for (size_t i = significant(wide); i-- > 0;) {
        uint64_t dividend = remainder << 32 | wide->limbs[i];
        wide->limbs[i] = (uint32_t)(dividend / divisor);
        remainder = dividend % divisor;
    }
    return (uint32_t)remainder;
}

bool wide_divide_exactly(struct wide *wide, uint32_t divisor)
{
    struct wide quotient = *wide;
    if (wide_divide(&quotient, divisor) != 0)
        return false;
    *wide = quotient;
    return true;
}

#define DIGITS_AT_ONCE 9
#define BILLION        1000000000

size_t wide_format(const struct wide *wide, char text[WIDE_TEXT_SIZE])
{
    struct wide rest = *wide;
    char digits[WIDE_TEXT_SIZE + DIGITS_AT_ONCE]; /* the last one first */
    size_t length = 0;
    do {
        uint32_t group = wide_divide(&rest, BILLION);
        for (int i = 0; i < DIGITS_AT_ONCE; i++, group /= 10)
            digits[length++] = (char)('0' + group % 10);
    } while (!wide_is_zero(&rest));
    while (length > 1 && digits[length - 1] == '0')
        length--;
    for (size_t i = 0; i < length; i++)
        text[i] = digits[length - 1 - i];
    text[length] = '\0';
    return length;
}
