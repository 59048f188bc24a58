/* timestamp: converts between RFC 3339, microseconds since 1970-01-01T00:00:00Z, and civil dates. */
#ifndef LIB_TIMESTAMP_H
#define LIB_TIMESTAMP_H

#include "lib/base/error.h"
#include "lib/base/text.h"

#include <stdint.h>

/* "2026-11-23T08:17:31.123456Z" and a NUL. */
#define TIMESTAMP_TEXT_SIZE 28

struct civil_time {
    int32_t year;                             /* 0..9999 */
    uint8_t month, day, hour, minute, second; /* month and day from 1 */
    uint32_t microsecond;
};

/* Reads what Go's time.Parse(time.RFC3339) reads: upper-case T and Z, offsets, fractions of any length
 * (truncated to microseconds). ERROR_INPUT: the text is something else, has a leap second, which Go refuses
 * as well, or is outside of the years 0..9999 in UTC. */
enum error_code timestamp_parse(struct text text, int64_t *microseconds) MUST_CHECK;

void timestamp_to_civil(int64_t microseconds, struct civil_time *civil);

/* Writes RFC 3339 in UTC, with a fraction of 6 digits only if it is not 0. Returns the length. */
size_t timestamp_format(int64_t microseconds, char text[TIMESTAMP_TEXT_SIZE]);

#endif
