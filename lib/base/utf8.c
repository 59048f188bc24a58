/* utf8: the table of well-formed byte sequences of the Unicode standard (3.9, D92), as code. */
#include "lib/base/utf8.h"

static bool is_between(char byte, unsigned low, unsigned high)
{
    return (unsigned char)byte >= low && (unsigned char)byte <= high;
}

/* Some first bytes allow only a part of the second bytes, since with the others the form would be overlong, a
 * surrogate or too large. */
static bool is_second(unsigned char first, char second)
{
    switch (first) {
    case 0xE0:
        return is_between(second, 0xA0, 0xBF);
    case 0xED:
        return is_between(second, 0x80, 0x9F);
    case 0xF0:
        return is_between(second, 0x90, 0xBF);
    case 0xF4:
        return is_between(second, 0x80, 0x8F);
    default:
        return is_between(second, 0x80, 0xBF);
    }
}

size_t utf8_character(struct text text)
{
    if (text.length == 0)
        return 0;
    unsigned char first = (unsigned char)text.data[0];
    if (first < 0x80)
        return 1;
    if (first < 0xC2 || first > 0xF4)
        return 0;
    size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (text.length < length || !is_second(first, text.data[1]))
        return 0;
    for (size_t i = 2; i < length; i++) {
        if (!is_between(text.data[i], 0x80, 0xBF))
            return 0;
    }
    return length;
}

bool utf8_is_valid(struct text text)
{
    while (text.length > 0) {
        size_t length = utf8_character(text);
        if (length == 0)
            return false;
        text.data += length;
        text.length -= length;
    }
    return true;
}
