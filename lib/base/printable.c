/* printable: which characters are shown, and how wide they are (see printable.h). */
#include "lib/base/printable.h"

#include "lib/base/utf8.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ELLIPSIS "\xe2\x80\xa6"

struct range {
    unsigned long first, last;
};

/* Both lists of ranges are sorted. */
static const struct range hidden[] = {
    {0x0000, 0x001F}, {0x007F, 0x009F}, {0x00AD, 0x00AD}, {0x061C, 0x061C},
    {0x180E, 0x180E}, {0x200B, 0x200C}, {0x200E, 0x200F}, {0x2028, 0x202E},
    {0x2060, 0x206F}, {0xFEFF, 0xFEFF}, {0xFFF9, 0xFFFB}, {0xE0000, 0xE007F},
};

static const struct range combining[] = {
    {0x0300, 0x036F},   {0x0483, 0x0489},   {0x0591, 0x05BD}, {0x0610, 0x061A}, {0x064B, 0x065F},
    {0x0E31, 0x0E31},   {0x0E34, 0x0E3A},   {0x0E47, 0x0E4E}, {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF},
    {0x200D, 0x200D},   {0x20D0, 0x20FF},   {0x3099, 0x309A}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F},
    {0x1F3FB, 0x1F3FF}, {0xE0100, 0xE01EF},
};

static const struct range wide[] = {
    {0x1100, 0x115F},   {0x231A, 0x231B},   {0x2329, 0x232A},   {0x23E9, 0x23EC},
    {0x25FD, 0x25FE},   {0x2614, 0x2615},   {0x2648, 0x2653},   {0x26A1, 0x26A1},
    {0x26BD, 0x26BE},   {0x26D4, 0x26D4},   {0x2705, 0x2705},   {0x270A, 0x270B},
    {0x2728, 0x2728},   {0x274C, 0x274C},   {0x2753, 0x2755},   {0x2757, 0x2757},
    {0x2795, 0x2797},   {0x2B1B, 0x2B1C},   {0x2B50, 0x2B50},   {0x2E80, 0x303E},
    {0x3041, 0x33FF},   {0x3400, 0x4DBF},   {0x4E00, 0xA4CF},   {0xA960, 0xA97F},
    {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},   {0xFE10, 0xFE19},   {0xFE30, 0xFE6F},
    {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},   {0x1F004, 0x1F004}, {0x1F0CF, 0x1F0CF},
    {0x1F18E, 0x1F18E}, {0x1F191, 0x1F19A}, {0x1F200, 0x1F320}, {0x1F32D, 0x1F335},
    {0x1F337, 0x1F37C}, {0x1F37E, 0x1F393}, {0x1F3A0, 0x1F3CA}, {0x1F3CF, 0x1F3D3},
    {0x1F3E0, 0x1F3F0}, {0x1F3F4, 0x1F3F4}, {0x1F3F8, 0x1F43E}, {0x1F440, 0x1F440},
    {0x1F442, 0x1F4FC}, {0x1F4FF, 0x1F53D}, {0x1F54B, 0x1F54E}, {0x1F550, 0x1F567},
    {0x1F57A, 0x1F57A}, {0x1F595, 0x1F596}, {0x1F5A4, 0x1F5A4}, {0x1F5FB, 0x1F64F},
    {0x1F680, 0x1F6C5}, {0x1F6CC, 0x1F6CC}, {0x1F6D0, 0x1F6D2}, {0x1F6D5, 0x1F6DF},
    {0x1F6EB, 0x1F6EC}, {0x1F6F4, 0x1F6FC}, {0x1F7E0, 0x1F7EB}, {0x1F90C, 0x1F93A},
    {0x1F93C, 0x1F945}, {0x1F947, 0x1F9FF}, {0x1FA70, 0x1FAFF}, {0x20000, 0x3FFFD},
};

#define IS_IN(ranges, character) is_in(ranges, sizeof(ranges) / sizeof((ranges)[0]), character)

static bool is_in(const struct range *ranges, size_t count, unsigned long character)
{
    for (size_t i = 0; i < count && character >= ranges[i].first; i++) {
        if (character <= ranges[i].last)
            return true;
    }
    return false;
}

size_t printable_width(unsigned long character)
{
    if (character < 0x300)
        return 1;
    if (IS_IN(combining, character))
        return 0;
    return IS_IN(wide, character) ? 2 : 1;
}

/* Returns the code point of the valid character text[0..length). */
static unsigned long decode(const char *text, size_t length)
{
    static const unsigned char lead[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    unsigned long character = (unsigned char)text[0] & lead[length];
    for (size_t i = 1; i < length; i++)
        character = character << 6 | ((unsigned char)text[i] & 0x3FU);
    return character;
}

/* One character of a text, as it is shown. */
struct shown {
    size_t length; /* bytes that it has in the text */
    size_t width;
    char escape[24]; /* "": as it is */
};

/* Looks at the first character of the text, which is not empty. A byte that is no UTF-8 and a hidden character
 * are shown as an escape. */
static struct shown look_at(struct text text)
{
    static const char *const short_ones[] = {['\t'] = "\\t", ['\n'] = "\\n", ['\r'] = "\\r"};
    size_t length = utf8_character(text);
    struct shown shown = {.length = length > 0 ? length : 1};
    unsigned long character =
        length > 0 ? decode(text.data, length) : (unsigned long)(unsigned char)text.data[0];
    if (length > 0 && !IS_IN(hidden, character)) {
        shown.width = printable_width(character);
        return shown;
    }
    if (character <= '\r' && short_ones[character] != NULL)
        (void)snprintf(shown.escape, sizeof(shown.escape), "%s", short_ones[character]);
    else if (length <= 1)
        (void)snprintf(shown.escape, sizeof(shown.escape), "\\x%02lx", character);
    else
        (void)snprintf(shown.escape, sizeof(shown.escape), "\\u{%lx}", character);
    shown.width = strlen(shown.escape);
    return shown;
}

static size_t width_of(struct text text)
{
    size_t width = 0;
    while (text.length > 0) {
        struct shown shown = look_at(text);
        width += shown.width;
        text = text_skip(text, shown.length);
    }
    return width;
}

/* Appends as much of the text as fits into max_width cells. */
static size_t append(struct buffer *out, struct text text, size_t max_width)
{
    size_t width = 0;
    while (text.length > 0) {
        struct shown shown = look_at(text);
        if (width + shown.width > max_width)
            break;
        if (shown.escape[0] != '\0')
            buffer_append_string(out, shown.escape);
        else
            buffer_append(out, (struct text){text.data, shown.length});
        width += shown.width;
        text = text_skip(text, shown.length);
    }
    return width;
}

size_t printable_append(struct buffer *out, struct text text)
{
    return append(out, text, SIZE_MAX);
}

size_t printable_append_cut(struct buffer *out, struct text text, size_t max_width)
{
    if (width_of(text) <= max_width || max_width == 0)
        return append(out, text, max_width);
    size_t width = append(out, text, max_width - 1);
    buffer_append_string(out, ELLIPSIS);
    return width + 1;
}

/* A character beyond U+FFFF is escaped as a pair of surrogates (RFC 8259, section 7). */
static void append_json_escape(struct buffer *out, unsigned long character)
{
    if (character > 0xFFFF) {
        buffer_appendf(out, "\\u%04lx", 0xD800 + ((character - 0x10000) >> 10));
        character = 0xDC00 + ((character - 0x10000) & 0x3FF);
    }
    buffer_appendf(out, "\\u%04lx", character);
}

/* Line ends between values stay as they are. Within strings, JSON allows no control characters but DEL and
 * the C1 ones, which are escaped. */
void printable_append_json(struct buffer *out, struct text json)
{
    while (json.length > 0) {
        size_t length = utf8_character(json);
        unsigned long character = length > 0 ? decode(json.data, length) : 0xFFFD;
        if (length == 0 || (character > ' ' && IS_IN(hidden, character)))
            append_json_escape(out, character);
        else
            buffer_append(out, (struct text){json.data, length});
        json = text_skip(json, length > 0 ? length : 1);
    }
}
