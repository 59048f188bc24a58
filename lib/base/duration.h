/* duration: writes and reads durations as people do. */
#ifndef LIB_DURATION_H
#define LIB_DURATION_H

#include "lib/base/error.h"
#include "lib/base/text.h"

#include <stddef.h>
#include <stdint.h>

/* "9223372036854775807d" and a NUL, with room to spare. */
#define DURATION_TEXT_SIZE 32

/* Writes a duration as kubectl prints ages (apimachinery's HumanDuration): two units at the most, and
 * one where that says enough: 45s, 5m10s, 17m, 3h5m, 30h, 3d4h, 20d, 2y30d. A duration of less than minus one
 * second becomes "<invalid>". Returns the length. */
size_t duration_format(int64_t microseconds, char text[DURATION_TEXT_SIZE]);

/* Reads numbers with units, such as "7d", "1d12h" or "90m"; the units are s, m, h, d (24 hours) and w.
 * ERROR_INPUT: the text is something else, or more than a hundred years. */
enum error_code duration_parse(struct text text, int64_t *microseconds) MUST_CHECK;

#endif
