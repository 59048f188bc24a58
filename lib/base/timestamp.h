/* timestamp: RFC 3339 <-> microseconds since 1970-01-01T00:00:00Z, and civil dates. */
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

/* Takes what Go's time.Parse(time.RFC3339) takes: upper-case T and Z, offsets, fractions of any
 * length (truncated to microseconds). ERROR_INPUT for all else; a leap second is refused as Go
 * refuses it. The result is within the years 0..9999 in UTC, else ERROR_INPUT. */
enum error_code timestamp_parse(struct text text, int64_t *microseconds) MUST_CHECK;

void timestamp_to_civil(int64_t microseconds, struct civil_time *civil);

/* RFC 3339 UTC; fraction only if there is one (6 digits). Returns the length. */
size_t timestamp_format(int64_t microseconds, char text[TIMESTAMP_TEXT_SIZE]);

#endif
