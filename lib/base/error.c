/* error: formats and prefixes the text of a struct error. */
#include "lib/base/error.h"

#include "lib/base/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Drops the last character if it was cut in two. */
static void trim_to_character(char *text)
{
    size_t length = strlen(text);
    size_t start = length;
    while (start > 0 && ((unsigned char)text[--start] & 0xC0) == 0x80)
        ; /* back over the bytes that continue a character */
    unsigned char first = (unsigned char)text[start];
    size_t whole = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1;
    if (length - start < whole)
        text[start] = '\0';
}

/* Sets the text to what format says, then ": rest" if there is a rest. The new text is made in a buffer of
 * its own, so that an argument may point into the old text. */
PRINTF_LIKE(3, 0)
static void replace(struct error *err, const char *rest, const char *format, va_list args)
{
    char text[ERROR_TEXT_SIZE] = "";
    int length = vsnprintf(text, sizeof(text), format, args);
    if (rest != NULL && length >= 0 && (size_t)length < sizeof(text))
        length += snprintf(text + length, sizeof(text) - (size_t)length, ": %s", rest);
    if (length >= (int)sizeof(text))
        trim_to_character(text);
    text_flatten(text);
    memcpy(err->text, text, sizeof(text));
}

enum error_code error_set(struct error *err, enum error_code code, const char *format, ...)
{
    if (err == NULL)
        return code;
    va_list args;
    va_start(args, format);
    replace(err, NULL, format, args);
    va_end(args);
    err->code = code;
    return code;
}

enum error_code error_context(struct error *err, enum error_code code, const char *format, ...)
{
    if (err == NULL)
        return code;
    va_list args;
    va_start(args, format);
    replace(err, err->text, format, args);
    va_end(args);
    return err->code;
}
