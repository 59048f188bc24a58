/* utf8: where a character of UTF-8 ends. */
#ifndef LIB_UTF8_H
#define LIB_UTF8_H

#include "lib/base/text.h"

#include <stdbool.h>
#include <stddef.h>

/* Returns the bytes of the character at the front of text: 1..4; 0 if it is no valid one (RFC 3629: no
 * overlong forms, no surrogates, nothing above U+10FFFF), or if text is empty. */
size_t utf8_character(struct text text);

bool utf8_is_valid(struct text text);

#endif
