/* logger: threshold, limit and whole lines, through a pipe. */
#include "sidecar/base/logger.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#define PIPE_SIZE 65536 /* what a pipe takes before a write blocks */

/* Stands in for the C library's, so that a test can move the time: that of day, and the steady one. */
static time_t seconds_ahead, steady_seconds_ahead;

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    now->tv_sec += clock == CLOCK_REALTIME ? seconds_ahead : steady_seconds_ahead;
    return result;
}

/* The same for write(): at most so many bytes at once, and every second call interrupted. */
static atomic_size_t write_at_most; /* a thread of a test before may still write */
static atomic_uint write_calls;

ssize_t write(int fd, const void *bytes, size_t count)
{
    if (write_at_most == 0)
        return syscall(SYS_write, fd, bytes, count);
    if (write_calls++ % 2 == 0) {
        errno = EINTR;
        return -1;
    }
    return syscall(SYS_write, fd, bytes, count < write_at_most ? count : write_at_most);
}

struct fixture {
    struct logger *logger;
    int pipe[2];
    char output[PIPE_SIZE + 1];
};

static void start(struct fixture *fixture, enum log_level level, enum log_format format)
{
    struct error err;
    assert_int_equal(pipe(fixture->pipe), 0);
    assert_int_equal(logger_new(fixture->pipe[1], level, format, &fixture->logger, &err),
                     ERROR_NONE);
}

/* Ends the logger and reads all that it wrote. */
static const char *finish(struct fixture *fixture)
{
    logger_free(fixture->logger);
    close(fixture->pipe[1]);
    size_t length = 0;
    ssize_t count;
    while ((count = read(fixture->pipe[0], fixture->output + length, PIPE_SIZE - length)) > 0)
        length += (size_t)count;
    close(fixture->pipe[0]);
    fixture->output[length] = '\0';
    return fixture->output;
}

static size_t count(const char *text, const char *part)
{
    size_t found = 0;
    for (; (text = strstr(text, part)) != NULL; text += strlen(part))
        found++;
    return found;
}

static void test_records_are_lines_in_the_chosen_format(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    LOG(fixture.logger, INFO, "connected", log_string("host", "db"), log_int("port", 3306));
    LOG(fixture.logger, ERROR, "gone");
    const char *output = finish(&fixture);
    assert_int_equal(strncmp(output, "time=20", 7), 0);
    assert_non_null(strstr(output, " level=info msg=\"connected\" host=db port=3306\n"));
    assert_non_null(strstr(output, " level=error msg=\"gone\"\n"));
    assert_int_equal(count(output, "\n"), 2);

    start(&fixture, LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    LOG(fixture.logger, INFO, "connected", log_string("host", "db"));
    output = finish(&fixture);
    assert_non_null(strstr(output, "\"level\":\"info\",\"msg\":\"connected\",\"host\":\"db\"}\n"));
}

static void test_less_important_records_are_left_out(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, LOG_LEVEL_WARN, LOG_FORMAT_LOGFMT);
    LOG(fixture.logger, DEBUG, "a");
    LOG(fixture.logger, INFO, "b");
    LOG(fixture.logger, WARN, "c");
    LOG(fixture.logger, ERROR, "d");
    const char *output = finish(&fixture);
    assert_int_equal(count(output, "\n"), 2);
    assert_non_null(strstr(output, "level=warn msg=\"c\""));
    assert_non_null(strstr(output, "level=error msg=\"d\""));
}

static void test_all_levels_are_limited(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, LOG_LEVEL_DEBUG, LOG_FORMAT_LOGFMT);
    for (int i = 0; i < 3 * LOG_BURST_INFO; i++) {
        LOG(fixture.logger, DEBUG, "a");
        LOG(fixture.logger, INFO, "b");
        LOG(fixture.logger, WARN, "c");
        LOG(fixture.logger, ERROR, "d");
    }
    const char *output = finish(&fixture);
    assert_int_equal(count(output, "\"a\""), LOG_BURST);
    assert_int_equal(count(output, "\"b\""), LOG_BURST_INFO);
    assert_int_equal(count(output, "\"c\""), LOG_BURST);
    assert_int_equal(count(output, "\"d\""), LOG_BURST);
}

static void test_what_has_a_pace_of_its_own_is_not_limited(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    for (int i = 0; i < 3 * LOG_BURST_INFO; i++)
        logger_write_always(fixture.logger, LOG_LEVEL_INFO, "a", NULL, 0);
    logger_write_always(fixture.logger, LOG_LEVEL_DEBUG, "b", NULL, 0);
    const char *output = finish(&fixture);
    assert_int_equal(count(output, "\n"), 3 * LOG_BURST_INFO);
}

static void test_what_was_suppressed_is_counted_in_the_next_record(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    for (int i = 0; i < LOG_BURST + 5; i++)
        LOG(fixture.logger, WARN, "a", log_int("i", i));
    steady_seconds_ahead = LOG_INTERVAL_US / 1000000;
    LOG(fixture.logger, WARN, "a", log_int("i", 97));
    LOG(fixture.logger, WARN, "a", log_int("i", 98));
    steady_seconds_ahead *= 2;
    LOG(fixture.logger, WARN, "a", log_int("i", 99));
    steady_seconds_ahead = 0;
    const char *output = finish(&fixture);
    assert_int_equal(count(output, "\n"), LOG_BURST + 2);
    assert_int_equal(count(output, "suppressed"), 2);
    assert_non_null(strstr(output, " i=97 suppressed=5\n"));
    assert_non_null(strstr(output, " i=99 suppressed=1\n"));
}

static void test_a_clock_that_is_set_back_or_forward_changes_no_limit(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    for (int i = 0; i < LOG_BURST; i++)
        LOG(fixture.logger, WARN, "a");
    seconds_ahead = 3600;
    LOG(fixture.logger, WARN, "a");
    seconds_ahead = -3600;
    steady_seconds_ahead = LOG_INTERVAL_US / 1000000;
    LOG(fixture.logger, WARN, "a", log_int("i", 99));
    seconds_ahead = steady_seconds_ahead = 0;
    const char *output = finish(&fixture);
    assert_int_equal(count(output, "\n"), LOG_BURST + 1);
    assert_int_equal(count(output, " i=99 suppressed=1\n"), 1);
}

static void test_more_fields_than_fit_are_left_out(void **state)
{
    (void)state;
    struct fixture fixture;
    struct log_field fields[100];
    for (size_t i = 0; i < 100; i++)
        fields[i] = log_int("n", (int64_t)i);
    start(&fixture, LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    logger_write(fixture.logger, LOG_LEVEL_INFO, "many", fields, 100);
    const char *output = finish(&fixture);
    assert_int_equal(count(output, " n="), LOGGER_MAX_FIELDS);
    assert_int_equal(count(output, "\n"), 1);
}

static void test_a_write_that_is_interrupted_or_partial_is_carried_on(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    write_at_most = 10;
    LOG(fixture.logger, INFO, "a message", log_string("of", "some length"));
    const char *output = finish(&fixture);
    write_at_most = 0;
    assert_non_null(strstr(output, " level=info msg=\"a message\" of=\"some length\"\n"));
    assert_int_equal(count(output, "time="), 1);
}

static void test_a_failing_write_is_dropped(void **state)
{
    (void)state;
    struct logger *logger;
    struct error err;
    assert_int_equal(logger_new(-1, LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, &logger, &err), ERROR_NONE);
    LOG(logger, INFO, "lost");
    logger_free(logger);
    logger_free(NULL);
}

/* ---- nobody reads ---- */

/* A reader that comes late. */
static struct {
    char bytes[4 << 20];
    size_t length;
} late;

static void *read_all(void *argument)
{
    const struct fixture *fixture = argument;
    ssize_t length;
    while ((length = read(fixture->pipe[0], late.bytes + late.length,
                          sizeof(late.bytes) - 1 - late.length)) > 0)
        late.length += (size_t)length;
    late.bytes[late.length] = '\0';
    return NULL;
}

/* More than the pipe and the queue take. No call waits for a reader: the test would not end. */
static uint64_t log_until_some_are_dropped(struct logger *logger)
{
    static char text[2000];
    memset(text, 'x', sizeof(text) - 1);
    for (int i = 0; logger_dropped(logger) < 7; i++) {
        assert_true(i < 10000);
        logger_write_always(logger, LOG_LEVEL_INFO, "much",
                            (struct log_field[]){log_string("x", text)}, 1);
    }
    return logger_dropped(logger);
}

/* The thread may run for the first time when some records are dropped already. Then it tells of them twice. */
static uint64_t count_told(const char *records)
{
    static const char told[] = "nobody read standard error\" records=";
    uint64_t sum = 0;
    while ((records = strstr(records, told)) != NULL) {
        records += sizeof(told) - 1;
        sum += strtoull(records, NULL, 10);
    }
    return sum;
}

static void test_nobody_waits_for_a_reader_and_what_is_dropped_is_told(void **state)
{
    (void)state;
    struct fixture fixture;
    pthread_t reader;
    start(&fixture, LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    uint64_t dropped = log_until_some_are_dropped(fixture.logger);
    assert_int_equal(pthread_create(&reader, NULL, read_all, &fixture), 0);
    logger_free(fixture.logger);
    close(fixture.pipe[1]);
    pthread_join(reader, NULL);
    close(fixture.pipe[0]);
    assert_int_equal(count_told(late.bytes), dropped);
}

static void test_the_end_does_not_wait_for_a_reader(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    (void)log_until_some_are_dropped(fixture.logger);
    const uint64_t begun = uv_hrtime();
    logger_free(fixture.logger);
    assert_true(uv_hrtime() - begun >= UINT64_C(1000000000));
    /* The thread's writes fail, and it frees the logger. The other end stays open, so that no other
     * file gets its number meanwhile. */
    close(fixture.pipe[0]);
}

static void write_records(void *context)
{
    struct logger *logger = context;
    for (int i = 0; i < 100; i++)
        logger_write_always(
            logger, LOG_LEVEL_INFO, "from a thread",
            (struct log_field[]){log_string("text", "0123456789012345678901234567890")}, 1);
}

static void test_records_of_threads_do_not_mix(void **state)
{
    (void)state;
    struct fixture fixture;
    uv_thread_t threads[4];
    start(&fixture, LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(uv_thread_create(&threads[i], write_records, fixture.logger), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(uv_thread_join(&threads[i]), 0);
    char *rest = (char *)finish(&fixture);
    size_t lines = 0;
    for (char *line = strsep(&rest, "\n"); rest != NULL; line = strsep(&rest, "\n"), lines++) {
        assert_int_equal(strncmp(line, "time=", 5), 0);
        assert_string_equal(
            strstr(line, " level="),
            " level=info msg=\"from a thread\" text=0123456789012345678901234567890");
    }
    assert_int_equal(lines, 400);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records_are_lines_in_the_chosen_format),
        cmocka_unit_test(test_less_important_records_are_left_out),
        cmocka_unit_test(test_all_levels_are_limited),
        cmocka_unit_test(test_what_was_suppressed_is_counted_in_the_next_record),
        cmocka_unit_test(test_what_has_a_pace_of_its_own_is_not_limited),
        cmocka_unit_test(test_a_clock_that_is_set_back_or_forward_changes_no_limit),
        cmocka_unit_test(test_nobody_waits_for_a_reader_and_what_is_dropped_is_told),
        cmocka_unit_test(test_the_end_does_not_wait_for_a_reader),
        cmocka_unit_test(test_more_fields_than_fit_are_left_out),
        cmocka_unit_test(test_a_write_that_is_interrupted_or_partial_is_carried_on),
        cmocka_unit_test(test_a_failing_write_is_dropped),
        cmocka_unit_test(test_records_of_threads_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
