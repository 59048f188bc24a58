/* spool_file: what is committed is there after a new start, and what is not is not. Real SQLite in a
 * directory of its own. */
#include "sidecar/spool/spool_file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/support/spool_directory.h"

struct fixture {
    char directory[64];
    char path[96];
    struct spool_file *file;
    struct error err;
    char told[512]; /* what was read, one after another */
    size_t max;     /* the callback has had enough after so many */
    size_t count;
};

static void open_file(struct fixture *fixture)
{
    struct error err = {0};
    char quarantined[ERROR_TEXT_SIZE];
    if (spool_file_open(fixture->directory, &fixture->file, quarantined, &err) != ERROR_NONE)
        fail_msg("%s", err.text);
    assert_string_equal(quarantined, "");
}

static void open_again(struct fixture *fixture)
{
    spool_file_close(fixture->file);
    fixture->file = NULL;
    open_file(fixture);
}

static int set_up(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof(*fixture));
    spool_directory_make(fixture->directory, sizeof(fixture->directory));
    snprintf(fixture->path, sizeof(fixture->path), "%s/spool.db", fixture->directory);
    fixture->max = SIZE_MAX;
    open_file(fixture);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    spool_file_close(fixture->file);
    spool_directory_remove(fixture->directory);
    test_free(fixture);
    return 0;
}

static void ok(const struct fixture *fixture, enum error_code code)
{
    if (code != ERROR_NONE)
        fail_msg("%s", fixture->err.text);
}

static void put(struct fixture *fixture, const char *uid, const char *body)
{
    ok(fixture, spool_file_put(fixture->file, TEXT("job_info"), text_from(uid), text_from(body),
                               &fixture->err));
}

PRINTF_LIKE(2, 3) static bool tell(struct fixture *fixture, const char *format, ...)
{
    size_t length = strlen(fixture->told);
    va_list args;
    va_start(args, format);
    vsnprintf(fixture->told + length, sizeof(fixture->told) - length, format, args);
    va_end(args);
    return ++fixture->count < fixture->max;
}

static bool tell_record(void *context, int64_t id, struct text table, struct text uid,
                        struct text body)
{
    assert_true(id > 0);
    return tell(context, "%.*s/%.*s=%.*s ", (int)table.length, table.data, (int)uid.length,
                uid.data, (int)body.length, body.data);
}

static bool tell_letter(void *context, const struct dead_letter *letter)
{
    return tell(context, "%lld@%lld %.*s/%.*s:%.*s %lld %.*s %.*s;", (long long)letter->id,
                (long long)letter->at_us, (int)letter->table.length, letter->table.data,
                (int)letter->uid.length, letter->uid.data, (int)letter->version.length,
                letter->version.data, (long long)letter->number, (int)letter->reason.length,
                letter->reason.data, (int)letter->body.length, letter->body.data);
}

static bool tell_number(void *context, struct text name, int64_t value)
{
    return tell(context, "%.*s=%lld ", (int)name.length, name.data, (long long)value);
}

static bool tell_note(void *context, struct text name, struct text text)
{
    return tell(context, "%.*s=%.*s ", (int)name.length, name.data, (int)text.length, text.data);
}

static void begin_telling(struct fixture *fixture)
{
    fixture->told[0] = '\0';
    fixture->count = 0;
}

static void assert_records(struct fixture *fixture, const char *expected)
{
    int64_t after = 0;
    begin_telling(fixture);
    ok(fixture, spool_file_read(fixture->file, &after, 1000, tell_record, fixture, &fixture->err));
    assert_string_equal(fixture->told, expected);
}

static void test_what_is_committed_outlives_the_process(void **state)
{
    struct fixture *fixture = *state;
    ok(fixture, spool_file_begin(fixture->file, &fixture->err));
    put(fixture, "a", "1");
    put(fixture, "b", "2");
    put(fixture, "a", "3");
    ok(fixture, spool_file_commit(fixture->file, &fixture->err));
    open_again(fixture);
    assert_records(fixture, "job_info/a=3 job_info/b=2 ");
}

static void test_what_is_not_committed_is_not_there(void **state)
{
    struct fixture *fixture = *state;
    ok(fixture, spool_file_begin(fixture->file, &fixture->err));
    put(fixture, "a", "1");
    ok(fixture, spool_file_commit(fixture->file, &fixture->err));
    ok(fixture, spool_file_begin(fixture->file, &fixture->err));
    put(fixture, "a", "2");
    put(fixture, "b", "2");
    spool_file_rollback(fixture->file);
    assert_records(fixture, "job_info/a=1 ");
    ok(fixture, spool_file_begin(fixture->file, &fixture->err));
    put(fixture, "c", "3");
    open_again(fixture);
    assert_records(fixture, "job_info/a=1 ");
}

static void test_a_record_is_one_object_of_one_table(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "a", "job");
    ok(fixture,
       spool_file_put(fixture->file, TEXT("replica_info"), TEXT("a"), TEXT("pod"), &fixture->err));
    ok(fixture, spool_file_delete(fixture->file, TEXT("job_info"), TEXT("a"), &fixture->err));
    ok(fixture, spool_file_delete(fixture->file, TEXT("job_info"), TEXT("nobody"), &fixture->err));
    assert_records(fixture, "replica_info/a=pod ");
}

static void test_reading_goes_on_behind_the_last_one(void **state)
{
    struct fixture *fixture = *state;
    for (char uid[] = "a"; uid[0] <= 'e'; uid[0]++)
        put(fixture, uid, "");
    int64_t after = 0;
    begin_telling(fixture);
    ok(fixture, spool_file_read(fixture->file, &after, 2, tell_record, fixture, &fixture->err));
    assert_string_equal(fixture->told, "job_info/a= job_info/b= ");
    begin_telling(fixture);
    fixture->max = 1; /* stops at this one, which is then read again */
    ok(fixture, spool_file_read(fixture->file, &after, 2, tell_record, fixture, &fixture->err));
    assert_string_equal(fixture->told, "job_info/c= ");
    begin_telling(fixture);
    fixture->max = SIZE_MAX;
    ok(fixture, spool_file_read(fixture->file, &after, 9, tell_record, fixture, &fixture->err));
    assert_string_equal(fixture->told, "job_info/c= job_info/d= job_info/e= ");
    begin_telling(fixture);
    ok(fixture, spool_file_read(fixture->file, &after, 9, tell_record, fixture, &fixture->err));
    assert_string_equal(fixture->told, "");
}

static void test_dead_letters_keep_all_that_is_known(void **state)
{
    struct fixture *fixture = *state;
    const struct dead_letter letter = {.at_us = 1700000000000001,
                                       .table = TEXT("job_info"),
                                       .uid = TEXT("a"),
                                       .version = TEXT("7"),
                                       .number = 1406,
                                       .reason = TEXT("too long"),
                                       .body = TEXT("{}")};
    ok(fixture, spool_file_put_dead(fixture->file, &letter, &fixture->err));
    open_again(fixture);
    ok(fixture, spool_file_read_dead(fixture->file, tell_letter, fixture, &fixture->err));
    assert_string_equal(fixture->told, "1@1700000000000001 job_info/a:7 1406 too long {};");
    ok(fixture, spool_file_drop_dead(fixture->file, 1, &fixture->err));
    ok(fixture, spool_file_put_dead(fixture->file, &letter, &fixture->err));
    begin_telling(fixture);
    ok(fixture, spool_file_read_dead(fixture->file, tell_letter, fixture, &fixture->err));
    assert_non_null(strstr(fixture->told, "2@")); /* an id is never used again */
}

static void put_letter(struct fixture *fixture, const char *table, const char *uid,
                       const char *version)
{
    const struct dead_letter letter = {.table = text_from(table),
                                       .uid = text_from(uid),
                                       .version = text_from(version),
                                       .reason = TEXT("too long"),
                                       .body = TEXT("{}")};
    ok(fixture, spool_file_put_dead(fixture->file, &letter, &fixture->err));
}

static void test_one_dead_letter_an_object_the_newest(void **state)
{
    struct fixture *fixture = *state;
    put_letter(fixture, "job_info", "a", "9");
    put_letter(fixture, "job_info", "a", "10");
    put_letter(fixture, "job_info", "a", "7"); /* late */
    put_letter(fixture, "job_info", "b", "1");
    put_letter(fixture, "replica_info", "a", "1");
    begin_telling(fixture);
    ok(fixture, spool_file_read_dead(fixture->file, tell_letter, fixture, &fixture->err));
    assert_string_equal(fixture->told, "2@0 job_info/a:10 0 too long {};"
                                       "4@0 job_info/b:1 0 too long {};"
                                       "5@0 replica_info/a:1 0 too long {};");
    struct spool_usage usage;
    ok(fixture, spool_file_usage(fixture->file, &usage, &fixture->err));
    assert_int_equal(usage.dead_letters, 3);
}

static void test_numbers_are_kept_by_name(void **state)
{
    struct fixture *fixture = *state;
    ok(fixture, spool_file_put_number(fixture->file, "b", INT64_MAX, &fixture->err));
    ok(fixture, spool_file_put_number(fixture->file, "a", 1, &fixture->err));
    ok(fixture, spool_file_put_number(fixture->file, "a", -2, &fixture->err));
    open_again(fixture);
    ok(fixture, spool_file_read_numbers(fixture->file, tell_number, fixture, &fixture->err));
    assert_string_equal(fixture->told, "a=-2 b=9223372036854775807 ");
}

static void test_notes_are_kept_by_name(void **state)
{
    struct fixture *fixture = *state;
    ok(fixture, spool_file_put_note(fixture->file, "b", "two", &fixture->err));
    ok(fixture, spool_file_put_note(fixture->file, "a", "one", &fixture->err));
    ok(fixture, spool_file_put_note(fixture->file, "a", "", &fixture->err));
    open_again(fixture);
    ok(fixture, spool_file_read_notes(fixture->file, tell_note, fixture, &fixture->err));
    assert_string_equal(fixture->told, "a= b=two ");
}

static void test_a_quarantined_record_is_out_of_the_way_and_counted(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "a", "1");
    put(fixture, "b", "2");
    ok(fixture, spool_file_quarantine(fixture->file, 1, TEXT("odd"), &fixture->err));
    assert_records(fixture, "job_info/b=2 ");
    struct spool_counts counts = {0};
    ok(fixture, spool_file_count(fixture->file, &counts, &fixture->err));
    assert_int_equal(counts.records, 1);
    assert_int_equal(counts.quarantined, 1);
    assert_int_equal(counts.dead_letters, 0);
}

static const struct text odd_bytes = {"a\0b\xf0\x9f\x98\x80'\"\\", 10};

static bool is_odd(void *context, int64_t id, struct text table, struct text uid, struct text body)
{
    (void)id;
    struct fixture *fixture = context;
    assert_true(text_is(table, "job_info"));
    assert_int_equal(uid.length, 0);
    assert_true(text_equal(body, odd_bytes));
    fixture->count++;
    return true;
}

static void test_bytes_of_any_kind_come_back(void **state)
{
    struct fixture *fixture = *state;
    ok(fixture,
       spool_file_put(fixture->file, TEXT("job_info"), TEXT(""), odd_bytes, &fixture->err));
    open_again(fixture);
    int64_t after = 0;
    ok(fixture, spool_file_read(fixture->file, &after, 1, is_odd, fixture, &fixture->err));
    assert_int_equal(fixture->count, 1);
}

static void test_it_shrinks_once_it_is_empty(void **state)
{
    struct fixture *fixture = *state;
    char body[4096];
    struct spool_usage full = {0}, empty = {0};
    memset(body, 'x', sizeof(body) - 1);
    body[sizeof(body) - 1] = '\0';
    ok(fixture, spool_file_begin(fixture->file, &fixture->err));
    for (int i = 0; i < 5000; i++) {
        char uid[16];
        snprintf(uid, sizeof(uid), "%d", i);
        put(fixture, uid, body);
    }
    ok(fixture, spool_file_commit(fixture->file, &fixture->err));
    ok(fixture, spool_file_usage(fixture->file, &full, &fixture->err));
    assert_true(full.bytes > 5000 * 4096);
    assert_true(full.file_bytes >= full.bytes);
    assert_true(full.free_bytes > 0);

    ok(fixture, spool_file_begin(fixture->file, &fixture->err));
    for (int i = 0; i < 5000; i++) {
        char uid[16];
        snprintf(uid, sizeof(uid), "%d", i);
        ok(fixture,
           spool_file_delete(fixture->file, TEXT("job_info"), text_from(uid), &fixture->err));
    }
    ok(fixture, spool_file_commit(fixture->file, &fixture->err));
    ok(fixture, spool_file_usage(fixture->file, &empty, &fixture->err));
    assert_true(empty.bytes < 100000);
    assert_true(empty.file_bytes >= full.bytes); /* not given back yet */
    unsigned slices = 0;
    for (bool more = true; more; slices++)
        ok(fixture, spool_file_shrink(fixture->file, &more, &fixture->err));
    assert_in_range(slices, 3, 20);
    ok(fixture, spool_file_usage(fixture->file, &empty, &fixture->err));
    assert_true(empty.file_bytes < 200000);
}

static enum error_code try_open(struct fixture *fixture, struct error *err)
{
    char quarantined[ERROR_TEXT_SIZE];
    struct spool_file *second;
    enum error_code code = spool_file_open(fixture->directory, &second, quarantined, err);
    if (code == ERROR_NONE)
        spool_file_close(second);
    return code;
}

static void test_a_second_process_may_only_look(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    put(fixture, "a", "1");
    assert_int_equal(try_open(fixture, &err), ERROR_OPERATOR);
    assert_non_null(strstr(err.text, "another"));
    struct spool_file *looking;
    ok(fixture, spool_file_attach(fixture->directory, &looking, &fixture->err));
    struct spool_counts counts = {0};
    ok(fixture, spool_file_count(looking, &counts, &fixture->err));
    assert_int_equal(counts.records, 1);
    put(fixture, "b", "2"); /* it does not stand in the way */
    ok(fixture, spool_file_count(looking, &counts, &fixture->err));
    assert_int_equal(counts.records, 2);
    spool_file_close(looking);
}

static void test_nothing_to_look_at(void **state)
{
    struct fixture *fixture = *state;
    struct spool_file *looking = NULL;
    struct error err = {0};
    assert_int_equal(spool_file_attach("/nowhere/at/all", &looking, &err), ERROR_OPERATOR);
    assert_non_null(strstr(err.text, "/nowhere/at/all"));
    assert_int_equal(spool_file_attach("", &looking, &err), ERROR_OPERATOR);
    assert_non_null(strstr(err.text, "SPOOL_DIR"));
    assert_null(looking);
    spool_file_close(fixture->file);
    fixture->file = NULL;
    char longer[600];
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    assert_int_equal(spool_file_attach(longer, &looking, &err), ERROR_OPERATOR);
    char quarantined[ERROR_TEXT_SIZE];
    assert_int_equal(spool_file_open("/nowhere/at/all", &looking, quarantined, &err),
                     ERROR_OPERATOR);
    assert_null(looking);
}

static void write_over(struct fixture *fixture, size_t at, const char *bytes)
{
    spool_file_close(fixture->file);
    fixture->file = NULL;
    int fd = open(fixture->path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, strlen(bytes), (off_t)at), strlen(bytes));
    close(fd);
}

static void test_a_damaged_file_is_set_aside_and_kept(void **state)
{
    struct fixture *fixture = *state;
    char quarantined[2][ERROR_TEXT_SIZE];
    for (int round = 0; round < 2; round++) { /* two in one second have two names */
        put(fixture, "a", "1");
        write_over(fixture, 0, "no database at all");
        ok(fixture,
           spool_file_open(fixture->directory, &fixture->file, quarantined[round], &fixture->err));
        assert_int_equal(access(quarantined[round], F_OK), 0);
        assert_records(fixture, "");
    }
    assert_string_not_equal(quarantined[0], quarantined[1]);
    assert_int_equal(access(quarantined[0], F_OK), 0);
}

static void test_a_newer_layout_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    put(fixture, "a", "1");
    write_over(fixture, 60, "\x01\x01\x01\x01"); /* SQLite's user_version */
    assert_int_equal(try_open(fixture, &err), ERROR_OPERATOR);
    assert_non_null(strstr(err.text, "newer"));
    assert_int_equal(access(fixture->path, F_OK), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_committed_outlives_the_process),
        TEST(test_what_is_not_committed_is_not_there),
        TEST(test_a_record_is_one_object_of_one_table),
        TEST(test_reading_goes_on_behind_the_last_one),
        TEST(test_dead_letters_keep_all_that_is_known),
        TEST(test_one_dead_letter_an_object_the_newest),
        TEST(test_numbers_are_kept_by_name),
        TEST(test_notes_are_kept_by_name),
        TEST(test_a_quarantined_record_is_out_of_the_way_and_counted),
        TEST(test_bytes_of_any_kind_come_back),
        TEST(test_it_shrinks_once_it_is_empty),
        TEST(test_a_second_process_may_only_look),
        TEST(test_nothing_to_look_at),
        TEST(test_a_damaged_file_is_set_aside_and_kept),
        TEST(test_a_newer_layout_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
