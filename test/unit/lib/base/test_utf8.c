/* utf8: characters and other bytes, against a plain encoder. */
#include "lib/base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The one encoding of a character; its length. */
static size_t encode(uint32_t character, char bytes[4])
{
    if (character < 0x80) {
        bytes[0] = (char)character;
        return 1;
    }
    size_t length = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--, character >>= 6)
        bytes[i] = (char)(0x80 | (character & 0x3F));
    static const unsigned char leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
    bytes[0] = (char)(leads[length] | character);
    return length;
}

static bool is_surrogate(uint32_t character)
{
    return character >= 0xD800 && character <= 0xDFFF;
}

static void test_every_character_has_its_length(void **state)
{
    (void)state;
    /* All of one, two and three bytes; of the others every 63rd, so that all bytes occur. */
    for (uint32_t character = 0; character <= 0x1FFFFF; character += character < 0x10000 ? 1 : 63) {
        char bytes[5] = {0};
        size_t length = encode(character, bytes);
        bool is_valid = character <= 0x10FFFF && !is_surrogate(character);
        size_t expected = is_valid ? length : 0;
        if (utf8_character((struct text){bytes, length}) != expected ||
            utf8_character((struct text){bytes, length + 1}) != expected ||
            utf8_character((struct text){bytes, length - 1}) != 0)
            fail_msg("U+%04X", character);
    }
}

/* Whether bytes are the encoding of some character of at most three bytes. */
static bool is_encoding(const unsigned char *bytes, size_t length)
{
    uint32_t character = bytes[0];
    if (length == 2)
        character = (bytes[0] & 0x1FU) << 6 | (bytes[1] & 0x3FU);
    if (length == 3)
        character = (bytes[0] & 0x0FU) << 12 | (bytes[1] & 0x3FU) << 6 | (bytes[2] & 0x3FU);
    char again[4];
    return !is_surrogate(character) && encode(character, again) == length &&
           memcmp(again, bytes, length) == 0;
}

/* All pairs of bytes, and behind them the bytes where something changes. */
static void test_any_three_bytes_begin_with_a_character_or_do_not(void **state)
{
    (void)state;
    static const unsigned char thirds[] = {0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0};
    for (uint32_t i = 0; i < 65536 * sizeof(thirds); i++) {
        const unsigned char bytes[] = {(unsigned char)(i >> 8), (unsigned char)i, thirds[i >> 16]};
        size_t expected = 0;
        for (size_t length = 1; length <= 3 && expected == 0; length++)
            expected = is_encoding(bytes, length) ? length : 0;
        if (utf8_character((struct text){(const char *)bytes, 3}) != expected)
            fail_msg("%02X %02X %02X", bytes[0], bytes[1], bytes[2]);
    }
}

static void test_texts_are_valid_as_a_whole(void **state)
{
    (void)state;
    assert_true(utf8_is_valid(TEXT("")));
    assert_true(utf8_is_valid((struct text){NULL, 0}));
    assert_true(utf8_is_valid(TEXT("a\0\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z")));
    assert_false(utf8_is_valid(TEXT("ab\xc3")));
    assert_false(utf8_is_valid(TEXT("ab\xff"
                                    "c")));
    assert_true(utf8_is_valid(TEXT("\xf4\x8f\xbf\xbf")));
    assert_false(utf8_is_valid(TEXT("\xf4\x90\x80\x80")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_character_has_its_length),
        cmocka_unit_test(test_any_three_bytes_begin_with_a_character_or_do_not),
        cmocka_unit_test(test_texts_are_valid_as_a_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
