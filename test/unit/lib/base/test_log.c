/* log: records as lines, and the rate limit. */
#include "lib/base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define NOW    INT64_C(1795421851123456) /* 2026-11-23T08:17:31.123456Z */
#define PREFIX "time=2026-11-23T08:17:31.123456Z level="

static void assert_record(enum log_format format, enum log_level level, const char *message,
                          const struct log_field *fields, size_t count, const char *expected)
{
    struct buffer out;
    buffer_init(&out, 1 << 20);
    log_format_record(&out, format, NOW, level, message, fields, count);
    assert_false(out.failed);
    assert_string_equal(buffer_cstring(&out), expected);
    buffer_fini(&out);
}

static void test_records_have_time_level_message_and_fields(void **state)
{
    (void)state;
    const struct log_field fields[] = {log_string("host", "db"), log_int("port", 3306),
                                       log_int("delta", INT64_MIN)};
    assert_record(LOG_FORMAT_LOGFMT, LOG_LEVEL_INFO, "connected", fields, 3,
                  PREFIX "info msg=\"connected\" host=db port=3306 delta=-9223372036854775808\n");
    assert_record(LOG_FORMAT_JSON, LOG_LEVEL_INFO, "connected", fields, 3,
                  "{\"time\":\"2026-11-23T08:17:31.123456Z\",\"level\":\"info\","
                  "\"msg\":\"connected\",\"host\":\"db\",\"port\":3306,"
                  "\"delta\":-9223372036854775808}\n");
}

static void test_levels_have_their_names(void **state)
{
    (void)state;
    assert_record(LOG_FORMAT_LOGFMT, LOG_LEVEL_DEBUG, "m", NULL, 0, PREFIX "debug msg=\"m\"\n");
    assert_record(LOG_FORMAT_LOGFMT, LOG_LEVEL_WARN, "m", NULL, 0, PREFIX "warn msg=\"m\"\n");
    assert_record(LOG_FORMAT_LOGFMT, LOG_LEVEL_ERROR, "m", NULL, 0, PREFIX "error msg=\"m\"\n");
}

/* The value as logfmt and as JSON write it. */
static void assert_value(struct text value, const char *logfmt, const char *json)
{
    static char expected[8192];
    const struct log_field field = log_text("k", value);
    snprintf(expected, sizeof(expected), PREFIX "info msg=\"m\" k=%s\n", logfmt);
    assert_record(LOG_FORMAT_LOGFMT, LOG_LEVEL_INFO, "m", &field, 1, expected);
    snprintf(
        expected, sizeof(expected),
        "{\"time\":\"2026-11-23T08:17:31.123456Z\",\"level\":\"info\",\"msg\":\"m\",\"k\":%s}\n",
        json);
    assert_record(LOG_FORMAT_JSON, LOG_LEVEL_INFO, "m", &field, 1, expected);
}

static void assert_quoted(struct text value, const char *quoted)
{
    assert_value(value, quoted, quoted);
}

static void test_values_are_quoted_where_logfmt_needs_it(void **state)
{
    (void)state;
    assert_value(TEXT("a-b_c/1.2:3,[x]"), "a-b_c/1.2:3,[x]", "\"a-b_c/1.2:3,[x]\"");
    assert_value(TEXT("a"), "a", "\"a\"");
    assert_value(TEXT("!~"), "!~", "\"!~\"");
    assert_quoted(TEXT(""), "\"\"");
    assert_quoted((struct text){NULL, 0}, "\"\"");
    assert_quoted(TEXT("a b"), "\"a b\"");
    assert_quoted(TEXT("a=b"), "\"a=b\"");
    assert_quoted(TEXT("a\"b"), "\"a\\\"b\"");
    assert_quoted(TEXT("a\\b"), "\"a\\\\b\"");
    assert_quoted(TEXT("\xc3\xa9"), "\"\xc3\xa9\"");
}

static void test_nothing_breaks_out_of_its_line(void **state)
{
    (void)state;
    assert_quoted(TEXT("a\nlevel=error"), "\"a\\nlevel=error\"");
    assert_quoted(TEXT("\r\t\0\x1f\x7f"), "\"\\r\\t\\u0000\\u001f\\u007f\"");
    assert_quoted(TEXT("\x1b[31m"), "\"\\u001b[31m\"");
    assert_quoted(TEXT("\xc2\x80\xc2\x9f\xc2\xa0"), "\"\\u0080\\u009f\xc2\xa0\"");
}

static void test_invalid_utf8_is_replaced(void **state)
{
    (void)state;
    assert_quoted(TEXT("a\xff"
                       "b"),
                  "\"a\xef\xbf\xbd"
                  "b\"");
    assert_quoted((struct text){"ab\xe2\x82\xac", 4}, "\"ab\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_quoted(TEXT("\xe2\x82"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_quoted(TEXT("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_quoted(TEXT("\xf0\x9f\x98\x80"), "\"\xf0\x9f\x98\x80\"");
}

static void test_long_values_are_cut_between_characters(void **state)
{
    (void)state;
    char value[LOG_TEXT_MAX + 4], expected[LOG_TEXT_MAX + 16];
    memset(value, 'x', sizeof(value));
    value[0] = ' ';
    snprintf(expected, sizeof(expected), "\"%.*s\"", LOG_TEXT_MAX, value);
    assert_quoted((struct text){value, LOG_TEXT_MAX}, expected);
    value[0] = 'x';
    snprintf(expected, sizeof(expected), "\"%.*s...\"", LOG_TEXT_MAX, value);
    assert_quoted((struct text){value, LOG_TEXT_MAX + 1}, expected);
    memcpy(value + LOG_TEXT_MAX - 2, "\xe2\x82\xac", 3);
    snprintf(expected, sizeof(expected), "\"%.*s...\"", LOG_TEXT_MAX - 2, value);
    assert_quoted((struct text){value, LOG_TEXT_MAX + 1}, expected);
}

static void test_the_limit_admits_a_burst_and_counts_the_rest(void **state)
{
    (void)state;
    struct log_limiter limiter = {0};
    uint32_t suppressed = 99;
    for (int i = 0; i < LOG_BURST; i++) {
        assert_true(log_limiter_admit(&limiter, "m", LOG_BURST, NOW, &suppressed));
        assert_int_equal(suppressed, 0);
    }
    for (int i = 0; i < 7; i++)
        assert_false(
            log_limiter_admit(&limiter, "m", LOG_BURST, NOW + LOG_INTERVAL_US - 1, &suppressed));
    assert_true(log_limiter_admit(&limiter, "m", LOG_BURST, NOW + LOG_INTERVAL_US, &suppressed));
    assert_int_equal(suppressed, 7);
    assert_false(log_limiter_admit(&limiter, "m", LOG_BURST, NOW + LOG_INTERVAL_US, &suppressed));
    assert_true(
        log_limiter_admit(&limiter, "m", LOG_BURST, NOW + 2 * LOG_INTERVAL_US, &suppressed));
    assert_int_equal(suppressed, 1);
}

/* How many records in a row are let through at now_us. */
static unsigned count_admitted(struct log_limiter *limiter, const char *message, int64_t now_us)
{
    uint32_t suppressed;
    unsigned admitted = 0;
    while (log_limiter_admit(limiter, message, LOG_BURST, now_us, &suppressed))
        admitted++;
    return admitted;
}

static void test_a_quiet_time_earns_one_burst_at_most(void **state)
{
    (void)state;
    struct log_limiter limiter = {0};
    assert_int_equal(count_admitted(&limiter, "m", NOW), LOG_BURST);
    assert_int_equal(count_admitted(&limiter, "m", NOW + 3 * LOG_INTERVAL_US), 3);
    assert_int_equal(count_admitted(&limiter, "m", NOW + 10000 * (int64_t)LOG_INTERVAL_US),
                     LOG_BURST);
}

static void test_a_full_bucket_earns_nothing_in_advance(void **state)
{
    (void)state;
    struct log_limiter limiter = {0};
    uint32_t suppressed;
    assert_true(log_limiter_admit(&limiter, "m", LOG_BURST, NOW, &suppressed));
    int64_t later = NOW + 100 * (int64_t)LOG_INTERVAL_US + LOG_INTERVAL_US - 1;
    assert_int_equal(count_admitted(&limiter, "m", later), LOG_BURST);
    assert_int_equal(count_admitted(&limiter, "m", later + 1), 0);
}

static void test_the_interval_begins_when_the_bucket_is_full(void **state)
{
    (void)state;
    struct log_limiter limiter = {0};
    uint32_t suppressed;
    assert_true(log_limiter_admit(&limiter, "m", LOG_BURST, NOW, &suppressed));
    int64_t full = NOW + LOG_INTERVAL_US + LOG_INTERVAL_US - 1;
    assert_int_equal(count_admitted(&limiter, "m", full), LOG_BURST);
    assert_int_equal(count_admitted(&limiter, "m", full + LOG_INTERVAL_US - 1), 0);
    assert_int_equal(count_admitted(&limiter, "m", full + LOG_INTERVAL_US), 1);
}

static void test_a_site_has_the_burst_of_its_records(void **state)
{
    (void)state;
    struct log_limiter limiter = {0};
    uint32_t suppressed;
    for (int i = 0; i < 3; i++)
        assert_true(log_limiter_admit(&limiter, "m", 3, NOW, &suppressed));
    assert_false(log_limiter_admit(&limiter, "m", 3, NOW, &suppressed));
    const int64_t later = NOW + 100 * (int64_t)LOG_INTERVAL_US;
    for (int i = 0; i < 3; i++)
        assert_true(log_limiter_admit(&limiter, "m", 3, later, &suppressed));
    assert_false(log_limiter_admit(&limiter, "m", 3, later, &suppressed));
}

static void test_each_message_has_its_own_limit(void **state)
{
    (void)state;
    struct log_limiter limiter = {0};
    char same_text[] = "a";
    assert_int_equal(count_admitted(&limiter, "a", NOW), LOG_BURST);
    assert_int_equal(count_admitted(&limiter, "b", NOW), LOG_BURST);
    assert_int_equal(count_admitted(&limiter, same_text, NOW), 0);
}

static void test_messages_beyond_the_sites_share_the_last_one(void **state)
{
    (void)state;
    static char messages[LOG_SITES + 2][8];
    struct log_limiter limiter = {0};
    for (int i = 0; i < LOG_SITES + 2; i++)
        snprintf(messages[i], sizeof(messages[i]), "m%d", i);
    for (int i = 0; i < LOG_SITES; i++)
        assert_int_equal(count_admitted(&limiter, messages[i], NOW), LOG_BURST);
    assert_int_equal(count_admitted(&limiter, messages[LOG_SITES], NOW), 0);
    int64_t later = NOW + 4 * (int64_t)LOG_INTERVAL_US;
    assert_int_equal(count_admitted(&limiter, messages[LOG_SITES + 1], later), 4);
    assert_int_equal(count_admitted(&limiter, messages[LOG_SITES - 1], later), 0);
    assert_int_equal(count_admitted(&limiter, messages[LOG_SITES - 2], later), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records_have_time_level_message_and_fields),
        cmocka_unit_test(test_levels_have_their_names),
        cmocka_unit_test(test_values_are_quoted_where_logfmt_needs_it),
        cmocka_unit_test(test_nothing_breaks_out_of_its_line),
        cmocka_unit_test(test_invalid_utf8_is_replaced),
        cmocka_unit_test(test_long_values_are_cut_between_characters),
        cmocka_unit_test(test_the_limit_admits_a_burst_and_counts_the_rest),
        cmocka_unit_test(test_a_quiet_time_earns_one_burst_at_most),
        cmocka_unit_test(test_a_full_bucket_earns_nothing_in_advance),
        cmocka_unit_test(test_the_interval_begins_when_the_bucket_is_full),
        cmocka_unit_test(test_a_site_has_the_burst_of_its_records),
        cmocka_unit_test(test_each_message_has_its_own_limit),
        cmocka_unit_test(test_messages_beyond_the_sites_share_the_last_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
