/* skip: one loop without recursion; strings a block at a time (see skip.h). */
#include "lib/json/skip.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* ---- strings --------------------------------------------------------------------------------- */

#define BLOCK 16

typedef unsigned char block __attribute__((vector_size(BLOCK)));

/* Returns the place of the first marked byte of eight. All bits of a marked byte are set, none of others. */
static size_t first_marked(uint64_t marks)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return (size_t)__builtin_clzll(marks) / 8;
#else
    return (size_t)__builtin_ctzll(marks) / 8;
#endif
}

/* Returns how many of the BLOCK bytes at `at` come before the first quote, backslash or control character. */
static inline size_t plain_bytes(const char *at)
{
    block bytes;
    uint64_t marks[BLOCK / sizeof(uint64_t)];
    memcpy(&bytes, at, sizeof(bytes));
    block special = (block)((bytes == '"') | (bytes == '\\') | (bytes < 0x20));
    memcpy(marks, &special, sizeof(special));
    if (marks[0] != 0)
        return first_marked(marks[0]);
    return marks[1] != 0 ? sizeof(uint64_t) + first_marked(marks[1]) : BLOCK;
}

static bool is_hex_digit(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Returns the end of the escape whose backslash is at `at`. */
static const char *skip_escape(const char *at, const char *end)
{
    if (end - at < 2)
        return NULL;
    switch (at[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return at + 2;
    case 'u':
        if (end - at >= 6 && is_hex_digit(at[2]) && is_hex_digit(at[3]) && is_hex_digit(at[4]) &&
            is_hex_digit(at[5]))
            return at + 6;
        return NULL;
    default:
        return NULL;
    }
}

static bool is_plain(char c)
{
    return c != '"' && c != '\\' && (unsigned char)c >= 0x20;
}

/* Returns the first byte from `at` on that is not plain, or end. */
static inline const char *skip_plain(const char *at, const char *end)
{
    while ((size_t)(end - at) >= BLOCK) {
        size_t plain = plain_bytes(at);
        at += plain;
        if (plain < BLOCK)
            return at;
    }
    while (at < end && is_plain(*at))
        at++;
    return at;
}

const char *skip_plain_string(const char *at, const char *end)
{
    at = skip_plain(at, end);
    return at < end && *at == '"' ? at + 1 : NULL;
}

/* Returns the end of the string from the byte on that ends its plain beginning. It is apart from skip_string(),
 * since few strings have escapes: in one function, decoding takes 1.6 % more instructions. */
static const char *skip_rest_of_string(const char *at, const char *end)
{
    while (at != NULL && at < end && *at == '\\') {
        at = skip_escape(at, end);
        if (at != NULL)
            at = skip_plain(at, end);
    }
    return at != NULL && at < end && *at == '"' ? at + 1 : NULL;
}

static const char *skip_string(const char *at, const char *end)
{
    at = skip_plain(at, end);
    return at < end && *at == '"' ? at + 1 : skip_rest_of_string(at, end);
}

/* ---- numbers and words ----------------------------------------------------------------------- */

static bool at_digit(const char *at, const char *end)
{
    return at < end && *at >= '0' && *at <= '9';
}

static const char *skip_digits(const char *at, const char *end)
{
    if (!at_digit(at, end))
        return NULL;
    while (at_digit(at, end))
        at++;
    return at;
}

static const char *skip_number(const char *at, const char *end)
{
    if (at < end && *at == '-')
        at++;
    at = at < end && *at == '0' ? at + 1 : skip_digits(at, end);
    if (at != NULL && at < end && *at == '.')
        at = skip_digits(at + 1, end);
    if (at != NULL && at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        at = skip_digits(at, end);
    }
    return at;
}

static const char *skip_word(const char *at, const char *end, const char *word, size_t length)
{
    return (size_t)(end - at) >= length && memcmp(at, word, length) == 0 ? at + length : NULL;
}

/* Returns the end of the number or word that begins at `at`; NULL if it is not valid. */
static const char *skip_scalar(const char *at, const char *end)
{
    switch (*at) {
    case 't':
        return skip_word(at, end, "true", 4);
    case 'f':
        return skip_word(at, end, "false", 5);
    case 'n':
        return skip_word(at, end, "null", 4);
    default:
        return skip_number(at, end);
    }
}

/* ---- containers ------------------------------------------------------------------------------ */

/* Returns the place behind the colon of the key that comes next; NULL if there is no valid key. */
static inline const char *skip_key(const char *at, const char *end)
{
    at = skip_blanks(at, end);
    if (at == end || *at != '"')
        return NULL;
    at = skip_string(at + 1, end);
    if (at == NULL)
        return NULL;
    at = skip_blanks(at, end);
    return at < end && *at == ':' ? at + 1 : NULL;
}

/* Returns the place of the first value of the container whose opening bracket is before `at`, or, if *is_empty
 * becomes true, the place behind its closing bracket; NULL if it is not valid. */
static inline const char *skip_opening(const char *at, const char *end, bool is_object,
                                       bool *is_empty)
{
    at = skip_blanks(at, end);
    if (at == end)
        return NULL;
    *is_empty = *at == (is_object ? '}' : ']');
    if (*is_empty)
        return at + 1;
    return is_object ? skip_key(at, end) : at;
}

/* The helpers of skip_value() are short, and all of them are called for each of some hundred strings of an
 * event: inlined, they cost a tenth less. */
__attribute__((flatten)) const char *skip_value(const char *at, const char *end, size_t max_depth)
{
    uint64_t objects = 0; /* a bit for each open container, the innermost lowest: is it an object */
    size_t depth = 0;
    for (;;) {
        bool behind_value = true;
        at = skip_blanks(at, end);
        if (at == end)
            return NULL;
        if (*at == '"') {
            at = skip_string(at + 1, end);
        } else if (*at != '{' && *at != '[') {
            at = skip_scalar(at, end);
        } else if (depth == max_depth) {
            return NULL;
        } else {
            bool is_object = *at == '{';
            at = skip_opening(at + 1, end, is_object, &behind_value);
            if (!behind_value) {
                objects = objects << 1 | (is_object ? 1 : 0);
                depth++;
            }
        }
        while (at != NULL && behind_value) {
            if (depth == 0)
                return at;
            bool in_object = (objects & 1) != 0;
            at = skip_blanks(at, end);
            if (at == end)
                return NULL;
            if (*at == ',') {
                at = in_object ? skip_key(at + 1, end) : at + 1;
                behind_value = false;
            } else if (*at == (in_object ? '}' : ']')) {
                at++;
                objects >>= 1;
                depth--;
            } else {
                return NULL;
            }
        }
        if (at == NULL)
            return NULL;
    }
}
