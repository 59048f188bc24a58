/* duration: lengths of time to text and back (see duration.h). */
#include "lib/base/duration.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#define SECOND_US INT64_C(1000000)
#define MINUTE    INT64_C(60)
#define HOUR      (60 * MINUTE)
#define DAY       (24 * HOUR)
#define WEEK      (7 * DAY)
#define YEAR      (365 * DAY)

#define LONGEST (100 * YEAR)

struct unit {
    char name;
    int64_t seconds;
};

static const struct unit units[] = {
    {'w', WEEK}, {'d', DAY}, {'h', HOUR}, {'m', MINUTE}, {'s', 1},
};

/* A duration of less than `below` seconds is written in whole `unit`s, and its remainder in `rest`s. */
struct scale {
    int64_t below;
    struct unit unit;
    struct unit rest; /* .seconds == 0: it is not told */
};

static const struct scale scales[] = {
    {2 * MINUTE, {'s', 1}, {0, 0}},    {10 * MINUTE, {'m', MINUTE}, {'s', 1}},
    {3 * HOUR, {'m', MINUTE}, {0, 0}}, {8 * HOUR, {'h', HOUR}, {'m', MINUTE}},
    {2 * DAY, {'h', HOUR}, {0, 0}},    {8 * DAY, {'d', DAY}, {'h', HOUR}},
    {2 * YEAR, {'d', DAY}, {0, 0}},    {8 * YEAR, {'y', YEAR}, {'d', DAY}},
    {INT64_MAX, {'y', YEAR}, {0, 0}},
};

size_t duration_format(int64_t microseconds, char text[DURATION_TEXT_SIZE])
{
    int64_t seconds = microseconds / SECOND_US;
    if (seconds < -1)
        return (size_t)snprintf(text, DURATION_TEXT_SIZE, "<invalid>");
    if (seconds < 0)
        seconds = 0;
    const struct scale *scale = scales;
    while (seconds >= scale->below)
        scale++;
    int64_t whole = seconds / scale->unit.seconds;
    int64_t rest = 0;
    if (scale->rest.seconds > 0)
        rest = seconds % scale->unit.seconds / scale->rest.seconds;
    int length = rest == 0
                     ? snprintf(text, DURATION_TEXT_SIZE, "%" PRId64 "%c", whole, scale->unit.name)
                     : snprintf(text, DURATION_TEXT_SIZE, "%" PRId64 "%c%" PRId64 "%c", whole,
                                scale->unit.name, rest, scale->rest.name);
    return (size_t)length;
}

/* Reads a number of at least one digit. Returns false for a number that is larger than any useful one. */
static bool read_number(struct text *text, int64_t *number)
{
    size_t digits = 0;
    *number = 0;
    while (digits < text->length && is_digit(text->data[digits])) {
        if (*number > LONGEST)
            return false;
        *number = *number * 10 + (text->data[digits++] - '0');
    }
    *text = text_skip(*text, digits);
    return digits > 0;
}

static int64_t read_unit(struct text *text)
{
    for (size_t i = 0; text->length > 0 && i < sizeof(units) / sizeof(units[0]); i++) {
        if (text->data[0] != units[i].name)
            continue;
        text->data++;
        text->length--;
        return units[i].seconds;
    }
    return 0;
}

enum error_code duration_parse(struct text text, int64_t *microseconds)
{
    int64_t seconds = 0;
    if (text.length == 0)
        return ERROR_INPUT;
    while (text.length > 0) {
        int64_t number;
        if (!read_number(&text, &number))
            return ERROR_INPUT;
        int64_t unit = read_unit(&text);
        if (unit == 0 || number > LONGEST / unit)
            return ERROR_INPUT;
        seconds += number * unit;
        if (seconds > LONGEST)
            return ERROR_INPUT;
    }
    *microseconds = seconds * SECOND_US;
    return ERROR_NONE;
}
