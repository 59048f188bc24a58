/* wide: unsigned integers of 256 bits, for exact sums of resource quantities. */
#ifndef LIB_WIDE_H
#define LIB_WIDE_H

#include "lib/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIDE_LIMBS 8

/* Decimal digits of the largest one, and a NUL. */
#define WIDE_TEXT_SIZE 79

struct wide {
    uint32_t limbs[WIDE_LIMBS]; /* the least significant first; {0} is zero */
};

static inline struct wide wide_from(uint64_t value)
{
    return (struct wide){{(uint32_t)value, (uint32_t)(value >> 32)}};
}

bool wide_is_zero(const struct wide *wide);

/* Returns a number <0, 0 or >0 if a is less than, equal to or greater than b. */
int wide_compare(const struct wide *a, const struct wide *b);

/* *wide = *wide * factor + addend. False on overflow: *wide is then not touched. */
bool wide_multiply_add(struct wide *wide, uint32_t factor, uint32_t addend) MUST_CHECK;

/* *sum += *term. False on overflow: *sum is then not touched. */
bool wide_add(struct wide *sum, const struct wide *term) MUST_CHECK;

/* *wide -= *term, which must not be larger. */
void wide_subtract(struct wide *wide, const struct wide *term);

/* *wide /= divisor, which must not be 0; returns the remainder. */
uint32_t wide_divide(struct wide *wide, uint32_t divisor);

/* Divides and returns true if there is no remainder; else leaves *wide as it is. */
bool wide_divide_exactly(struct wide *wide, uint32_t divisor);

/* Writes the decimal digits and returns their number. */
size_t wide_format(const struct wide *wide, char text[WIDE_TEXT_SIZE]);

#endif
