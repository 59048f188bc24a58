/* timestamp: the proleptic Gregorian calendar in UTC, without leap seconds, as Go and MySQL have
 * it. */
#include "lib/base/timestamp.h"

#include <stdbool.h>
#include <stdio.h>

#define SECOND_US 1000000LL
#define DAY_US    (86400 * SECOND_US)

/* 0000-01-01T00:00:00Z, and the last microsecond of the year 9999. */
#define EARLIEST_US (-719528 * DAY_US)
#define LATEST_US   (2932897 * DAY_US - 1)

/* Each read function below takes what it reads off the front of *rest. */

static char take(struct text *rest)
{
    rest->length--;
    return *rest->data++;
}

static bool read_char(struct text *rest, char c)
{
    return rest->length > 0 && take(rest) == c;
}

static bool read_number(struct text *rest, int digits, int *number)
{
    *number = 0;
    for (int i = 0; i < digits; i++) {
        if (rest->length == 0 || !is_digit(rest->data[0]))
            return false;
        *number = *number * 10 + (take(rest) - '0');
    }
    return true;
}

/* Go's parser takes an hour of one digit where no second digit follows. */
static bool read_hour(struct text *rest, int *hour)
{
    bool one_digit = rest->length >= 2 && !is_digit(rest->data[1]);
    return read_number(rest, one_digit ? 1 : 2, hour);
}

/* Reads a fraction, if there is one: a point (Go also takes a comma) and digits. Returns microseconds. */
static int64_t read_fraction(struct text *rest)
{
    int64_t microseconds = 0;
    if (rest->length < 2 || (rest->data[0] != '.' && rest->data[0] != ',') ||
        !is_digit(rest->data[1]))
        return 0;
    take(rest);
    for (int64_t unit = SECOND_US / 10; rest->length > 0 && is_digit(rest->data[0]); unit /= 10)
        microseconds += unit * (take(rest) - '0');
    return microseconds;
}

/* Reads Z or an offset such as +hh:mm. Go allows 24 hours and 60 minutes here. */
static bool read_offset(struct text *rest, int *minutes)
{
    char sign = rest->length > 0 ? take(rest) : '\0';
    *minutes = 0;
    if (sign == 'Z')
        return true;
    int hour, minute;
    if ((sign != '+' && sign != '-') || !read_number(rest, 2, &hour) || !read_char(rest, ':') ||
        !read_number(rest, 2, &minute) || hour > 24 || minute > 60)
        return false;
    *minutes = (sign == '-' ? -1 : 1) * (hour * 60 + minute);
    return true;
}

static int days_in_month(int year, int month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : days[month - 1];
}

/* Returns the days from 1970-01-01 to the date. Years begin in March here, so that the leap day is the last
 * day of its year, and 400 years are one period of 146,097 days. year >= 0. */
static int64_t days_from_date(int year, int month, int day)
{
    int64_t y = month <= 2 ? year + 399 : year + 400; /* 400 more: January of year 0 is in -1 */
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return y * 365 + y / 4 - y / 100 + y / 400 + day_of_year - 719468 - 146097;
}

/* The inverse of days_from_date. */
static void date_from_days(int64_t days, struct civil_time *civil)
{
    int64_t z = days + 719468 + 146097;
    int64_t era = z / 146097;
    int64_t day_of_era = z % 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153; /* 0 is March */
    civil->day = (uint8_t)(day_of_year - (153 * month + 2) / 5 + 1);
    civil->month = (uint8_t)(month < 10 ? month + 3 : month - 9);
    civil->year = (int32_t)(era * 400 + year_of_era - 400 + (month < 10 ? 0 : 1));
}

enum error_code timestamp_parse(struct text text, int64_t *microseconds)
{
    int year, month, day, hour, minute, second, offset_minutes;
    if (!read_number(&text, 4, &year) || !read_char(&text, '-') || !read_number(&text, 2, &month) ||
        !read_char(&text, '-') || !read_number(&text, 2, &day) || !read_char(&text, 'T') ||
        !read_hour(&text, &hour) || !read_char(&text, ':') || !read_number(&text, 2, &minute) ||
        !read_char(&text, ':') || !read_number(&text, 2, &second))
        return ERROR_INPUT;
    int64_t fraction = read_fraction(&text);
    if (!read_offset(&text, &offset_minutes) || text.length > 0)
        return ERROR_INPUT;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || hour > 23 ||
        minute > 59 || second > 59)
        return ERROR_INPUT;

    int64_t seconds = (hour * 60 + minute - offset_minutes) * 60 + second;
    int64_t time = days_from_date(year, month, day) * DAY_US + seconds * SECOND_US + fraction;
    if (time < EARLIEST_US || time > LATEST_US)
        return ERROR_INPUT;
    *microseconds = time;
    return ERROR_NONE;
}

void timestamp_to_civil(int64_t microseconds, struct civil_time *civil)
{
    if (microseconds < EARLIEST_US)
        microseconds = EARLIEST_US;
    if (microseconds > LATEST_US)
        microseconds = LATEST_US;
    int64_t days = (microseconds - EARLIEST_US) / DAY_US + EARLIEST_US / DAY_US;
    int64_t rest = microseconds - days * DAY_US;
    date_from_days(days, civil);
    int64_t second = rest / SECOND_US;
    civil->hour = (uint8_t)(second / 3600);
    civil->minute = (uint8_t)(second / 60 % 60);
    civil->second = (uint8_t)(second % 60);
    civil->microsecond = (uint32_t)(rest % SECOND_US);
}

size_t timestamp_format(int64_t microseconds, char text[TIMESTAMP_TEXT_SIZE])
{
    struct civil_time civil;
    timestamp_to_civil(microseconds, &civil);
    int length =
        snprintf(text, TIMESTAMP_TEXT_SIZE, "%04d-%02u-%02uT%02u:%02u:%02u", (int)civil.year,
                 civil.month, civil.day, civil.hour, civil.minute, civil.second);
    size_t used = (size_t)length;
    if (civil.microsecond != 0)
        used += (size_t)snprintf(text + used, TIMESTAMP_TEXT_SIZE - used, ".%06u",
                                 (unsigned)civil.microsecond);
    text[used++] = 'Z';
    text[used] = '\0';
    return used;
}
