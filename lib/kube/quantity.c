/* quantity: parsing, adding and printing of resource quantities (see quantity.h). */
#include "lib/kube/quantity.h"

#include "lib/base/invariant.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* The parts of a quantity's text, as Go's parser takes it apart. */
struct parts {
    bool negative;
    struct text whole;    /* digits before the point, without leading zeros; "0" if none */
    struct text fraction; /* digits behind the point */
    struct text suffix;
};

struct suffix {
    enum quantity_family family;
    int exponent; /* of 2 in the binary family, else of 10 */
};

struct named_suffix {
    char name[3];
    struct suffix suffix;
};

/* clang-format off */
static const struct named_suffix suffixes[] = {
    {"n", {QUANTITY_DECIMAL_SI, -9}}, {"u",  {QUANTITY_DECIMAL_SI, -6}},
    {"m", {QUANTITY_DECIMAL_SI, -3}}, {"",   {QUANTITY_DECIMAL_SI, 0}},
    {"k", {QUANTITY_DECIMAL_SI, 3}},  {"Ki", {QUANTITY_BINARY_SI, 10}},
    {"M", {QUANTITY_DECIMAL_SI, 6}},  {"Mi", {QUANTITY_BINARY_SI, 20}},
    {"G", {QUANTITY_DECIMAL_SI, 9}},  {"Gi", {QUANTITY_BINARY_SI, 30}},
    {"T", {QUANTITY_DECIMAL_SI, 12}}, {"Ti", {QUANTITY_BINARY_SI, 40}},
    {"P", {QUANTITY_DECIMAL_SI, 15}}, {"Pi", {QUANTITY_BINARY_SI, 50}},
    {"E", {QUANTITY_DECIMAL_SI, 18}}, {"Ei", {QUANTITY_BINARY_SI, 60}},
};
/* clang-format on */

#define SUFFIX_COUNT (sizeof(suffixes) / sizeof(suffixes[0]))
#define NANO         (-9) /* the finest exponent of 10 */
#define NANOS_IN_ONE 1000000000
#define EXBI         60 /* the largest exponent of 2 that has a suffix */

/* powers_of_ten[n] is 10^n. A factor or divisor has 32 bits (lib/base/wide): the two maxima are the
 * largest exponents that are applied in one step. */
static const uint32_t powers_of_ten[] = {1,      10,      100,      1000,      10000,
                                         100000, 1000000, 10000000, 100000000, 1000000000};
#define MAX_POWER_OF_TEN 9
#define MAX_POWER_OF_TWO 30

/* A larger exponent need not be told from this one: the value is too large, or so small that it is rounded
 * up. */
#define EXPONENT_LIMIT 1000000

/* The longest text that is parsed: more than a person writes, and it bounds the exponent. */
#define MAX_TEXT 1000

static bool is_zero(char c)
{
    return c == '0';
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct text trim(struct text text)
{
    while (text.length > 0 && is_space(text.data[0])) {
        text.data++;
        text.length--;
    }
    while (text.length > 0 && is_space(text.data[text.length - 1]))
        text.length--;
    return text;
}

/* Takes characters from the front of rest, as long as belongs() is true of them. */
static struct text take_while(struct text *rest, bool (*belongs)(char))
{
    struct text taken = {rest->data, 0};
    while (taken.length < rest->length && belongs(rest->data[taken.length]))
        taken.length++;
    rest->data += taken.length;
    rest->length -= taken.length;
    return taken;
}

/* Takes a sign from the front of rest, if there is one. True if it is a minus. */
static bool take_sign(struct text *rest)
{
    if (rest->length == 0 || (rest->data[0] != '+' && rest->data[0] != '-'))
        return false;
    bool minus = rest->data[0] == '-';
    rest->data++;
    rest->length--;
    return minus;
}

/* Splits the text into its parts. Each of them may be missing: Go reads ".", "+" and "Ki" as zero. */
static struct parts split(struct text text)
{
    struct parts parts = {.negative = take_sign(&text)};
    take_while(&text, is_zero);
    parts.whole = take_while(&text, is_digit);
    if (parts.whole.length == 0)
        parts.whole = TEXT("0");
    if (text.length > 0 && text.data[0] == '.') {
        text.data++;
        text.length--;
        parts.fraction = take_while(&text, is_digit);
    }
    parts.suffix = text;
    return parts;
}

static bool parse_suffix(struct text name, struct suffix *suffix)
{
    const char first = name.length > 0 ? name.data[0] : '\0'; /* nearly always decides */
    for (size_t i = 0; i < SUFFIX_COUNT; i++) {
        if (suffixes[i].name[0] == first && text_is(name, suffixes[i].name)) {
            *suffix = suffixes[i].suffix;
            return true;
        }
    }
    /* The name is not empty here, since the empty suffix is in the table. */
    if (name.data[0] != 'e' && name.data[0] != 'E')
        return false;
    struct text rest = {name.data + 1, name.length - 1};
    bool minus = take_sign(&rest);
    struct text digits = take_while(&rest, is_digit);
    if (digits.length == 0 || rest.length > 0)
        return false;
    int exponent = 0;
    for (size_t i = 0; i < digits.length && exponent < EXPONENT_LIMIT; i++)
        exponent = exponent * 10 + (digits.data[i] - '0');
    *suffix = (struct suffix){QUANTITY_DECIMAL_EXPONENT, minus ? -exponent : exponent};
    return true;
}

/* Digit i of the whole part and the fraction, taken as one row of digits. */
static int digit(const struct parts *parts, size_t i)
{
    size_t whole = parts->whole.length;
    return (i < whole ? parts->whole.data[i] : parts->fraction.data[i - whole]) - '0';
}

static size_t digit_count(const struct parts *parts)
{
    return parts->whole.length + parts->fraction.length;
}

/* True if Go prints the text as it was written. Go does so if the value fits its fast path (an int64, with
 * rough bounds on the number of digits) and a quick check finds the text canonical. */
static bool is_kept_verbatim(const struct parts *parts, const struct suffix *suffix)
{
    size_t count = digit_count(parts);
    int last_three = 0;
    for (size_t i = count > 3 ? count - 3 : 0; i < count; i++)
        last_three = last_three * 10 + digit(parts, i);

    if (suffix->family == QUANTITY_BINARY_SI) {
        int max_digits = 14 - 3 * (suffix->exponent / 10);
        return parts->fraction.length == 0 && (int)count <= max_digits && last_three % 8 != 0;
    }
    int exponent = suffix->exponent - (int)parts->fraction.length;
    return count <= 18 && exponent >= NANO && exponent % 3 == 0 && digit(parts, 0) != 0 &&
           last_three != 0;
}

static int at_most(int value, int bound)
{
    return value < bound ? value : bound;
}

/* *magnitude *= 10^exponent, rounded up to an integer. False on overflow. */
static bool scale(struct wide *magnitude, int exponent)
{
    if (wide_is_zero(magnitude))
        return true;
    while (exponent > 0) {
        int step = at_most(exponent, MAX_POWER_OF_TEN);
        if (!wide_multiply_add(magnitude, powers_of_ten[step], 0))
            return false;
        exponent -= step;
    }
    bool inexact = false;
    while (exponent < 0 && !wide_is_zero(magnitude)) {
        int step = at_most(-exponent, MAX_POWER_OF_TEN);
        inexact |= wide_divide(magnitude, powers_of_ten[step]) != 0;
        exponent += step;
    }
    return !inexact || wide_multiply_add(magnitude, 1, 1);
}

/* Computes the value without its sign. False on overflow. */
static bool evaluate(const struct parts *parts, const struct suffix *suffix, struct wide *nano)
{
    size_t count = digit_count(parts);
    *nano = wide_from(0);
    for (size_t i = 0; i < count;) {
        uint32_t digits = 0;
        size_t end = count - i < MAX_POWER_OF_TEN ? count : i + MAX_POWER_OF_TEN;
        uint32_t factor = powers_of_ten[end - i];
        for (; i < end; i++)
            digits = digits * 10 + (uint32_t)digit(parts, i);
        if (!wide_multiply_add(nano, factor, digits))
            return false;
    }
    int exponent = -(int)parts->fraction.length - NANO;
    if (suffix->family != QUANTITY_BINARY_SI)
        return scale(nano, exponent + suffix->exponent);
    for (int left = suffix->exponent; left > 0; left -= MAX_POWER_OF_TWO) {
        if (!wide_multiply_add(nano, UINT32_C(1) << at_most(left, MAX_POWER_OF_TWO), 0))
            return false;
    }
    return scale(nano, exponent);
}

static struct wide nanos_of(uint64_t value)
{
    struct wide nano = wide_from(value);
    invariant(wide_multiply_add(&nano, NANOS_IN_ONE, 0)); /* the product has 64 + 30 bits */
    return nano;
}

/* Go limits a quantity with a binary suffix to the range of int64, and prints one between 0 and 1 as
 * decimal. */
static void apply_binary_rules(struct quantity *quantity)
{
    const struct wide max = nanos_of(INT64_MAX);
    const struct wide one = nanos_of(1);
    if (wide_compare(&quantity->nano, &max) > 0)
        quantity->nano = max;
    if (!wide_is_zero(&quantity->nano) && wide_compare(&quantity->nano, &one) < 0)
        quantity->family = QUANTITY_DECIMAL_SI;
}

struct text quantity_verbatim(struct text text)
{
    struct suffix suffix;
    text = trim(text);
    if (text.length == 0 || text.length >= QUANTITY_TEXT_SIZE)
        return TEXT("");
    struct parts parts = split(text);
    return parse_suffix(parts.suffix, &suffix) && is_kept_verbatim(&parts, &suffix) ? text
                                                                                    : TEXT("");
}

enum error_code quantity_parse(struct text text, struct quantity *quantity)
{
    struct suffix suffix;
    struct wide nano;
    text = trim(text);
    if (text.length == 0 || text.length > MAX_TEXT)
        return ERROR_INPUT;
    struct parts parts = split(text);
    if (!parse_suffix(parts.suffix, &suffix) || !evaluate(&parts, &suffix, &nano))
        return ERROR_INPUT;
    *quantity = (struct quantity){
        .nano = nano,
        .negative = parts.negative && !wide_is_zero(&nano),
        .family = suffix.family,
    };
    if (suffix.family == QUANTITY_BINARY_SI)
        apply_binary_rules(quantity);
    if (text.length < QUANTITY_TEXT_SIZE && is_kept_verbatim(&parts, &suffix))
        memcpy(quantity->verbatim, text.data, text.length);
    return ERROR_NONE;
}

enum error_code quantity_add(struct quantity *sum, const struct quantity *term)
{
    struct quantity result = {
        .nano = sum->nano,
        .negative = sum->negative,
        .family = wide_is_zero(&sum->nano) ? term->family : sum->family,
    };
    if (sum->negative == term->negative) {
        if (!wide_add(&result.nano, &term->nano))
            return ERROR_INPUT;
    } else if (wide_compare(&sum->nano, &term->nano) >= 0) {
        wide_subtract(&result.nano, &term->nano);
    } else {
        result.nano = term->nano;
        result.negative = term->negative;
        wide_subtract(&result.nano, &sum->nano);
    }
    result.negative = result.negative && !wide_is_zero(&result.nano);
    *sum = result;
    return ERROR_NONE;
}

int quantity_compare(const struct quantity *a, const struct quantity *b)
{
    if (a->negative != b->negative)
        return a->negative ? -1 : 1;
    return a->negative ? wide_compare(&b->nano, &a->nano) : wide_compare(&a->nano, &b->nano);
}

/* The suffix for the exponent; NULL if the family has none. */
static const char *suffix_name(enum quantity_family family, int exponent)
{
    if (exponent == 0)
        return "";
    for (size_t i = 0; i < SUFFIX_COUNT; i++) {
        if (suffixes[i].suffix.family == family && suffixes[i].suffix.exponent == exponent)
            return suffixes[i].name;
    }
    return NULL;
}

/* The size of the longest suffix or exponent, with its NUL. */
#define SUFFIX_TEXT_SIZE 16
_Static_assert(1 + WIDE_TEXT_SIZE + SUFFIX_TEXT_SIZE <= QUANTITY_TEXT_SIZE, "text fits");

static size_t print(const struct quantity *quantity, const struct wide *mantissa, int exponent,
                    enum quantity_family family, char text[QUANTITY_TEXT_SIZE])
{
    size_t length = 0;
    if (quantity->negative)
        text[length++] = '-';
    length += wide_format(mantissa, text + length);
    const char *suffix = suffix_name(family, exponent);
    if (suffix == NULL)
        return length + (size_t)snprintf(text + length, SUFFIX_TEXT_SIZE, "e%d", exponent);
    const size_t suffix_length = strlen(suffix);
    memcpy(text + length, suffix, suffix_length + 1);
    return length + suffix_length;
}

/* True if the quantity is of the binary family, an integer, and at least 1024. *value is then that
 * integer. */
static bool is_binary_integer(const struct quantity *quantity, struct wide *value)
{
    const struct wide smallest = nanos_of(1024);
    *value = quantity->nano;
    return quantity->family == QUANTITY_BINARY_SI && wide_compare(value, &smallest) >= 0 &&
           wide_divide_exactly(value, NANOS_IN_ONE);
}

static size_t print_canonical(const struct quantity *quantity, char text[QUANTITY_TEXT_SIZE])
{
    struct wide mantissa;
    if (is_binary_integer(quantity, &mantissa)) {
        int exponent = 0;
        while (exponent < EXBI && wide_divide_exactly(&mantissa, 1024))
            exponent += 10;
        return print(quantity, &mantissa, exponent, QUANTITY_BINARY_SI, text);
    }
    int exponent = NANO;
    mantissa = quantity->nano;
    while (wide_divide_exactly(&mantissa, 1000))
        exponent += 3;
    enum quantity_family family =
        quantity->family == QUANTITY_BINARY_SI ? QUANTITY_DECIMAL_SI : quantity->family;
    return print(quantity, &mantissa, exponent, family, text);
}

size_t quantity_format(const struct quantity *quantity, char text[QUANTITY_TEXT_SIZE])
{
    if (quantity->verbatim[0] != '\0') {
        memcpy(text, quantity->verbatim, QUANTITY_TEXT_SIZE);
        return strlen(text);
    }
    if (wide_is_zero(&quantity->nano)) {
        text[0] = '0';
        text[1] = '\0';
        return 1;
    }
    return print_canonical(quantity, text);
}

enum error_code quantity_total_add(struct quantity_total *total, const struct quantity *container)
{
    if (total->has_sum)
        return quantity_add(&total->sum, container);
    total->sum = *container;
    total->has_sum = true;
    return ERROR_NONE;
}

void quantity_total_add_init(struct quantity_total *total, const struct quantity *init_container)
{
    if (total->has_largest && quantity_compare(init_container, &total->largest) < 0)
        return;
    total->largest = *init_container;
    total->has_largest = true;
}

const struct quantity *quantity_total_get(const struct quantity_total *total)
{
    if (!total->has_largest)
        return total->has_sum ? &total->sum : NULL;
    bool is_sum = total->has_sum && quantity_compare(&total->sum, &total->largest) >= 0;
    return is_sum ? &total->sum : &total->largest;
}
