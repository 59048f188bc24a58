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
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/support/spool_directory.h"

static int flock_error; /* errno of the next flock(); 0: the system's own answer */

/* In front of the C library's. */
int flock(int fd, int operation)
{
    int error = flock_error;
    flock_error = 0;
    if (error == 0)
        return (int)syscall(SYS_flock, fd, operation);
    errno = error;
    return -1;
}

struct fixture {
    char directory[64];
    char path[96];
    struct spool_file *file;
    struct spool_opening opening; /* how the last open_file() found it */
    struct error err;
    char told[512]; /* what was read, one after another */
    size_t max;     /* the callback has had enough after so many */
    size_t count;
};

static void open_file(struct fixture *fixture)
{
    struct error err = {0};
    if (spool_file_open(fixture->directory, false, &fixture->file, &fixture->opening, &err) !=
        ERROR_NONE)
        fail_msg("%s", err.text);
    assert_string_equal(fixture->opening.quarantined, "");
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

static bool tell_record(void *context, const struct spool_record *record, bool intact)
{
    assert_true(record->id > 0);
    return tell(context, "%.*s/%.*s=%.*s%s ", (int)record->table.length, record->table.data,
                (int)record->uid.length, record->uid.data, (int)record->body.length,
                record->body.data, intact ? "" : "!");
}

static bool tell_letter(void *context, const struct dead_letter *letter)
{
    return tell(context, "%lld@%lld %.*s/%.*s:%.*s %lld %.*s %.*s%s;", (long long)letter->id,
                (long long)letter->at_us, (int)letter->table.length, letter->table.data,
                (int)letter->uid.length, letter->uid.data, (int)letter->version.length,
                letter->version.data, (long long)letter->number, (int)letter->reason.length,
                letter->reason.data, (int)letter->body.length, letter->body.data,
                letter->damaged ? "!" : "");
}

static bool tell_number(void *context, struct text name, int64_t value)
{
    return tell(context, "%.*s=%lld ", (int)name.length, name.data, (long long)value);
}

static bool tell_note(void *context, struct text name, struct text text, bool intact)
{
    return tell(context, "%.*s=%.*s%s ", (int)name.length, name.data, (int)text.length, text.data,
                intact ? "" : "!");
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
    assert_int_equal(usage.state.dead_letters, 3);
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

static bool is_odd(void *context, const struct spool_record *record, bool intact)
{
    struct fixture *fixture = context;
    assert_true(intact);
    assert_true(text_is(record->table, "job_info"));
    assert_int_equal(record->uid.length, 0);
    assert_true(text_equal(record->body, odd_bytes));
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
    struct spool_opening opening;
    struct spool_file *second;
    enum error_code code = spool_file_open(fixture->directory, false, &second, &opening, err);
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
    assert_int_equal(spool_file_open("/nowhere/at/all", false, &looking, &fixture->opening, &err),
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
    struct spool_opening openings[2];
    for (int round = 0; round < 2; round++) { /* two in one second have two names */
        put(fixture, "a", "1");
        write_over(fixture, 0, "no database at all");
        ok(fixture, spool_file_open(fixture->directory, true, &fixture->file, &openings[round],
                                    &fixture->err));
        assert_int_equal(access(openings[round].quarantined, F_OK), 0);
        assert_records(fixture, "");
    }
    assert_string_not_equal(openings[0].quarantined, openings[1].quarantined);
    assert_int_equal(access(openings[0].quarantined, F_OK), 0);
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

static void store(struct fixture *fixture, const char *uid)
{
    ok(fixture, spool_file_begin(fixture->file, &fixture->err));
    put(fixture, uid, "body");
    ok(fixture, spool_file_commit(fixture->file, &fixture->err));
}

static void name_of(const struct fixture *fixture, const char *name, char path[128])
{
    snprintf(path, 128, "%s/%s", fixture->directory, name);
}

static void remove_file(const struct fixture *fixture, const char *name)
{
    char path[128];
    name_of(fixture, name, path);
    assert_int_equal(unlink(path), 0);
}

static const char *const names[] = {"spool.db", "spool.db-wal", "spool.db-shm", "spool.lock"};

static void leave(struct fixture *fixture, bool records_are_held)
{
    ok(fixture, spool_file_leave(fixture->file, records_are_held, &fixture->err));
    fixture->file = NULL;
    open_file(fixture);
}

static void test_a_file_that_is_removed_is_noticed(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        store(fixture, "a");
        ok(fixture, spool_file_check(fixture->file, &fixture->err));
        remove_file(fixture, names[i]);
        assert_int_equal(spool_file_check(fixture->file, &fixture->err), ERROR_INPUT);
        assert_non_null(strstr(fixture->err.text, "removed"));
        ok(fixture, spool_file_begin(fixture->file, &fixture->err));
        put(fixture, "b", "body");
        assert_int_equal(spool_file_commit(fixture->file, &fixture->err), ERROR_INPUT);
        leave(fixture, true);
        ok(fixture, spool_file_check(fixture->file, &fixture->err));
    }
}

static void test_a_lock_file_that_another_one_made_is_theirs(void **state)
{
    struct fixture *fixture = *state;
    char path[128];
    remove_file(fixture, "spool.lock");
    name_of(fixture, "spool.lock", path);
    int theirs = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(flock(theirs, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(spool_file_check(fixture->file, &fixture->err), ERROR_INPUT);
    ok(fixture, spool_file_leave(fixture->file, true, &fixture->err));
    fixture->file = NULL;
    struct error err = {0};
    assert_int_equal(try_open(fixture, &err), ERROR_OPERATOR);
    assert_non_null(strstr(err.text, "another kubedl-shipper"));
    close(theirs);
    assert_int_equal(try_open(fixture, &err), ERROR_NONE);
}

static void put_one_letter(struct fixture *fixture)
{
    const struct dead_letter letter = {.at_us = 7, .table = TEXT("job_info"), .uid = TEXT("pod-1")};
    ok(fixture, spool_file_begin(fixture->file, &fixture->err));
    ok(fixture, spool_file_put_dead(fixture->file, &letter, &fixture->err));
    ok(fixture, spool_file_commit(fixture->file, &fixture->err));
}

/* Nobody but the file has the dead letters; the records may be in memory. */
static void test_what_only_a_removed_file_has_is_saved(void **state)
{
    struct fixture *fixture = *state;
    store(fixture, "a");
    put_one_letter(fixture);
    ok(fixture, spool_file_quarantine(fixture->file, 1, TEXT("odd"), &fixture->err));
    store(fixture, "b");
    for (int held = 0; held <= 1; held++) {
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
            remove_file(fixture, names[i]);
        leave(fixture, held != 0);
        struct spool_counts counts = {0};
        ok(fixture, spool_file_count(fixture->file, &counts, &fixture->err));
        assert_int_equal(counts.dead_letters, 1);
        assert_int_equal(counts.quarantined, 1);
        assert_int_equal(counts.records, held ? 0 : 1);
        assert_int_equal(counts.records_left, counts.records);
        assert_int_equal(fixture->opening.loss.records, 0);
        assert_int_equal(fixture->opening.loss.dead_letters, 0);
    }
}

static void test_a_directory_that_is_removed_says_what_could_not_be_saved(void **state)
{
    struct fixture *fixture = *state;
    store(fixture, "a");
    spool_directory_remove(fixture->directory);
    assert_int_equal(spool_file_check(fixture->file, &fixture->err), ERROR_INPUT);
    assert_int_equal(spool_file_leave(fixture->file, true, &fixture->err), ERROR_OPERATOR);
    fixture->file = NULL;
    assert_non_null(strstr(fixture->err.text, "No such file"));
    assert_int_equal(mkdir(fixture->directory, 0700), 0);
}

static void overwrite(const struct fixture *fixture, const char *name, size_t at, const char *bytes)
{
    char path[128];
    name_of(fixture, name, path);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, strlen(bytes), (off_t)at), strlen(bytes));
    close(fd);
}

static void test_a_file_that_is_overwritten_is_noticed(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < 2; i++) {
        store(fixture, "a");
        ok(fixture, spool_file_check(fixture->file, &fixture->err));
        overwrite(fixture, names[i], 5000, "garbage");
        assert_int_equal(spool_file_check(fixture->file, &fixture->err), ERROR_INPUT);
        assert_non_null(strstr(fixture->err.text, "another program"));
        ok(fixture, spool_file_leave(fixture->file, true, &fixture->err));
        ok(fixture, spool_file_open(fixture->directory, true, &fixture->file, &fixture->opening,
                                    &fixture->err));
    }
}

static void test_what_others_commit_is_no_overwriting(void **state)
{
    struct fixture *fixture = *state;
    put_one_letter(fixture);
    struct spool_file *other;
    ok(fixture, spool_file_attach(fixture->directory, &other, &fixture->err));
    ok(fixture, spool_file_begin(other, &fixture->err));
    ok(fixture, spool_file_drop_dead(other, 1, &fixture->err));
    ok(fixture, spool_file_commit(other, &fixture->err));
    spool_file_close(other);
    ok(fixture, spool_file_check(fixture->file, &fixture->err));
    struct spool_usage usage = {0};
    ok(fixture, spool_file_usage(fixture->file, &usage, &fixture->err));
    assert_int_equal(usage.state.dead_letters, 0);
    bool more;
    ok(fixture, spool_file_shrink(fixture->file, &more, &fixture->err));
    ok(fixture, spool_file_check(fixture->file, &fixture->err));
}

/* In the file, while nobody has it open. */
static void flip(struct fixture *fixture, const char *bytes)
{
    char content[1 << 16];
    spool_file_close(fixture->file);
    int fd = open(fixture->path, O_RDWR | O_CLOEXEC);
    ssize_t length = read(fd, content, sizeof(content));
    assert_true(length > 0);
    char *at = memmem(content, (size_t)length, bytes, strlen(bytes));
    assert_non_null(at);
    char flipped = (char)(*at ^ 1);
    assert_int_equal(pwrite(fd, &flipped, 1, at - content), 1);
    close(fd);
    open_file(fixture);
}

static void test_a_flipped_bit_is_noticed(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "uid-a", "body-a");
    put(fixture, "uid-b", "body-b");
    flip(fixture, "body-a");
    assert_records(fixture, "job_info/uid-a=cody-a! job_info/uid-b=body-b ");
}

/* The index still has the key as it was. */
static void test_a_record_with_a_flipped_bit_in_its_key_can_be_set_aside(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "uid-a", "body-a");
    put(fixture, "uid-b", "body-b");
    flip(fixture, "uid-abody-a");
    assert_records(fixture, "job_info/tid-a=body-a! job_info/uid-b=body-b ");
    ok(fixture, spool_file_quarantine(fixture->file, 1, TEXT("odd"), &fixture->err));
    assert_records(fixture, "job_info/uid-b=body-b ");
}

static void test_a_flipped_bit_in_a_letter_or_a_note_is_noticed(void **state)
{
    struct fixture *fixture = *state;
    put_one_letter(fixture);
    ok(fixture, spool_file_put_note(fixture->file, "place", "1234", &fixture->err));
    flip(fixture, "1234");
    ok(fixture, spool_file_read_notes(fixture->file, tell_note, fixture, &fixture->err));
    assert_string_equal(fixture->told, "place=0234! ");
    flip(fixture, "pod-1");
    begin_telling(fixture);
    ok(fixture, spool_file_read_dead(fixture->file, tell_letter, fixture, &fixture->err));
    assert_string_equal(fixture->told, "1@7 job_info/qod-1: 0  !;");
}

static void copy_file(const struct fixture *from, const struct fixture *to, const char *name)
{
    char content[1 << 16], path[128];
    name_of(from, name, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = read(fd, content, sizeof(content));
    assert_in_range(length, 1, sizeof(content) - 1);
    close(fd);
    name_of(to, name, path);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, content, (size_t)length), length);
    close(fd);
}

/* As a kill leaves it, but for the write-ahead log. */
static void test_a_write_ahead_log_that_is_gone_is_noticed(void **state)
{
    struct fixture *fixture = *state;
    struct fixture killed = {.max = SIZE_MAX};
    bool more;
    spool_directory_make(killed.directory, sizeof(killed.directory));
    store(fixture, "a");
    put_one_letter(fixture);
    ok(fixture, spool_file_shrink(fixture->file, &more, &fixture->err)); /* empties the log */
    store(fixture, "b");
    store(fixture, "c");
    copy_file(fixture, &killed, "spool.db");
    copy_file(fixture, &killed, "spool.lock");
    open_file(&killed);
    assert_int_equal(killed.opening.loss.transactions, 2);
    assert_int_equal(killed.opening.loss.records, 2);
    assert_int_equal(killed.opening.loss.records_before, 3);
    assert_int_equal(killed.opening.loss.dead_letters, 0);
    open_again(&killed); /* said once, and kept */
    assert_int_equal(killed.opening.loss.transactions, 0);
    assert_int_equal(killed.opening.loss.records, 0);
    struct spool_usage usage = {0};
    ok(&killed, spool_file_usage(killed.file, &usage, &killed.err));
    assert_int_equal(usage.state.lost.transactions, 2);
    assert_int_equal(usage.state.lost.records, 2);
    spool_file_close(killed.file);
    spool_directory_remove(killed.directory);
}

static void test_a_file_that_is_gone_at_the_start_is_noticed(void **state)
{
    struct fixture *fixture = *state;
    store(fixture, "a");
    put_one_letter(fixture);
    spool_file_close(fixture->file);
    remove_file(fixture, "spool.db");
    open_file(fixture);
    assert_int_equal(fixture->opening.loss.records, 1);
    assert_int_equal(fixture->opening.loss.dead_letters, 1);
}

static void test_nothing_is_missing_after_ordinary_work(void **state)
{
    struct fixture *fixture = *state;
    store(fixture, "a");
    store(fixture, "a");
    store(fixture, "b");
    put_one_letter(fixture);
    ok(fixture, spool_file_begin(fixture->file, &fixture->err));
    put(fixture, "c", "body");
    spool_file_rollback(fixture->file);
    ok(fixture, spool_file_begin(fixture->file, &fixture->err));
    ok(fixture, spool_file_delete(fixture->file, TEXT("job_info"), TEXT("a"), &fixture->err));
    ok(fixture, spool_file_delete(fixture->file, TEXT("job_info"), TEXT("a"), &fixture->err));
    ok(fixture, spool_file_commit(fixture->file, &fixture->err));
    open_again(fixture);
    assert_int_equal(fixture->opening.loss.transactions, 0);
    assert_int_equal(fixture->opening.loss.records, 0);
    assert_int_equal(fixture->opening.loss.records_before, 1);
    assert_int_equal(fixture->opening.loss.dead_letters_before, 1);
}

static void test_a_lock_that_fails_says_why(void **state)
{
    static const struct {
        int error;
        enum error_code code;
        const char *text;
    } cases[] = {
        {EWOULDBLOCK, ERROR_OPERATOR, "another kubedl-shipper"},
        {ENOLCK, ERROR_AGAIN, "NFS"},
        {ENOSYS, ERROR_OPERATOR, "does not lock files"},
        {EINTR, ERROR_NONE, ""},
    };
    struct fixture *fixture = *state;
    spool_file_close(fixture->file);
    fixture->file = NULL;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err = {0};
        flock_error = cases[i].error;
        assert_int_equal(try_open(fixture, &err), cases[i].code);
        assert_non_null(strstr(err.text, cases[i].text));
    }
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
        TEST(test_a_file_that_is_removed_is_noticed),
        TEST(test_a_lock_file_that_another_one_made_is_theirs),
        TEST(test_what_only_a_removed_file_has_is_saved),
        TEST(test_a_directory_that_is_removed_says_what_could_not_be_saved),
        TEST(test_a_file_that_is_overwritten_is_noticed),
        TEST(test_what_others_commit_is_no_overwriting),
        TEST(test_a_flipped_bit_is_noticed),
        TEST(test_a_record_with_a_flipped_bit_in_its_key_can_be_set_aside),
        TEST(test_a_flipped_bit_in_a_letter_or_a_note_is_noticed),
        TEST(test_a_write_ahead_log_that_is_gone_is_noticed),
        TEST(test_a_file_that_is_gone_at_the_start_is_noticed),
        TEST(test_nothing_is_missing_after_ordinary_work),
        TEST(test_a_lock_that_fails_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
