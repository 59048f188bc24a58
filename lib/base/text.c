/* text: lines, and copies of bounded length (see text.h). */
#include "lib/base/text.h"

int text_compare(struct text a, struct text b)
{
    size_t shorter = a.length < b.length ? a.length : b.length;
    int order = shorter > 0 ? memcmp(a.data, b.data, shorter) : 0;
    return order != 0 ? order : (a.length > b.length) - (a.length < b.length);
}

bool text_contains(struct text text, const char *part)
{
    return text.length > 0 && memmem(text.data, text.length, part, strlen(part)) != NULL;
}

bool text_is_blank(struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] != ' ' && text.data[i] != '\t' && text.data[i] != '\r')
            return false;
    }
    return true;
}

struct text text_take_line(struct text *rest)
{
    const char *end = rest->length > 0 ? memchr(rest->data, '\n', rest->length) : NULL;
    struct text line = {rest->data, end != NULL ? (size_t)(end - rest->data) : rest->length};
    *rest = text_skip(*rest, end != NULL ? line.length + 1 : line.length);
    return line;
}

void text_copy(char *to, size_t size, struct text text)
{
    size_t length = text.length < size ? text.length : size - 1;
    while (length < text.length && length > 0 && ((unsigned char)text.data[length] & 0xC0) == 0x80)
        length--;
    if (length > 0)
        memcpy(to, text.data, length);
    for (char *nul; (nul = memchr(to, '\0', length)) != NULL;)
        *nul = '?';
    to[length] = '\0';
}

void text_flatten(char *string)
{
    for (; *string != '\0'; string++) {
        if ((unsigned char)*string < ' ' || *string == 0x7F)
            *string = ' ';
    }
}

void text_copy_line(char *to, size_t size, struct text text)
{
    text_copy(to, size, text);
    text_flatten(to);
}
