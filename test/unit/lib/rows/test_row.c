/* row: making rows, cutting what is too long, comparing versions, and each merge rule by itself. */
#include "lib/rows/row.h"
#include "test/support/rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_texts_are_copied_and_may_hold_nul(void **state)
{
    (void)state;
    char name[] = "a\0b";
    struct cell cells[TABLE_MAX_COLUMNS];
    job_cells(cells, "uid-1", "7");
    cells[JOB_NAME] = cell_text((struct text){name, 3});
    struct row *row = row_of(&table_job, ROW_UPSERT, cells);
    name[0] = 'x';
    assert_int_equal(row->cells[JOB_NAME].length, 3);
    assert_memory_equal(row->cells[JOB_NAME].data, "a\0b", 3);
    row_free(row);
}

static void test_row_without_uid_is_refused(void **state)
{
    (void)state;
    struct cell cells[TABLE_MAX_COLUMNS];
    job_cells(cells, "", "7");
    struct row *row;
    struct error err;
    assert_int_equal(row_new(&table_job, ROW_UPSERT, cells, 0, &row, &err), ERROR_INPUT);
    cells[JOB_UID] = cell_null();
    assert_int_equal(row_new(&table_job, ROW_UPSERT, cells, 0, &row, &err), ERROR_INPUT);
}

static void test_uid_and_version_are_never_cut(void **state)
{
    (void)state;
    char digits[80];
    memset(digits, '9', sizeof(digits));
    struct cell cells[TABLE_MAX_COLUMNS];
    struct row *row;
    struct error err;
    job_cells(cells, "u", "7");
    cells[JOB_VERSION] = cell_text((struct text){digits, 33});
    assert_int_equal(row_new(&table_job, ROW_UPSERT, cells, 0, &row, &err), ERROR_INPUT);
    job_cells(cells, "u", "7");
    cells[JOB_UID] = cell_text((struct text){digits, 65});
    assert_int_equal(row_new(&table_job, ROW_UPSERT, cells, 0, &row, &err), ERROR_INPUT);
    cells[JOB_UID] = cell_text((struct text){digits, 64});
    row_free(row_of(&table_job, ROW_UPSERT, cells));
}

static void test_empty_version_is_zero(void **state)
{
    (void)state;
    struct cell cells[TABLE_MAX_COLUMNS];
    job_cells(cells, "u", "");
    struct row *row = row_of(&table_job, ROW_UPSERT, cells);
    assert_true(text_is(row_version(row), "0"));
    row_free(row);
}

/* Fills text with `count` copies of `unit` and returns its length. */
static size_t repeat(char *text, const char *unit, size_t count)
{
    size_t length = strlen(unit);
    for (size_t i = 0; i < count; i++)
        memcpy(text + i * length, unit, length);
    return count * length;
}

static void assert_cut(const char *unit, size_t count, size_t column, size_t kept_units)
{
    char *text = malloc(strlen(unit) * count);
    assert_non_null(text);
    struct cell cells[TABLE_MAX_COLUMNS];
    job_cells(cells, "u", "7");
    cells[column] = cell_text((struct text){text, repeat(text, unit, count)});
    struct row *row = row_of(&table_job, ROW_UPSERT, cells);
    struct text kept = cell_as_text(&row->cells[column]);
    bool cut = kept_units < count;
    size_t marker = cut ? strlen(ROW_CUT_MARKER) : 0;
    assert_int_equal(row->cut_columns, cut ? 1U << column : 0);
    assert_int_equal(kept.length, kept_units * strlen(unit) + marker);
    assert_memory_equal(kept.data, text, kept_units * strlen(unit));
    assert_memory_equal(kept.data + kept.length - marker, ROW_CUT_MARKER, marker);
    row_free(row);
    free(text);
}

static void test_over_long_texts_are_cut_at_a_character(void **state)
{
    (void)state;
    size_t marker = strlen(ROW_CUT_MARKER);
    assert_cut("a", 253, JOB_NAME, 253);
    assert_cut("a", 254, JOB_NAME, 253 - marker);
    assert_cut("\xf0\x9f\x98\x80", 253, JOB_NAME, 253); /* 253 characters of four bytes */
    assert_cut("\xf0\x9f\x98\x80", 254, JOB_NAME, 253 - marker);
    assert_cut("a", TEXT_MAX_BYTES, JOB_REMARK, TEXT_MAX_BYTES);
    assert_cut("a", TEXT_MAX_BYTES + 1, JOB_REMARK, TEXT_MAX_BYTES - marker);
    assert_cut("\xc3\xa4", 40000, JOB_REMARK, (TEXT_MAX_BYTES - marker) / 2);
}

static int compare(const char *a, const char *b)
{
    int order = version_compare(text_from(a), text_from(b));
    return (order > 0) - (order < 0);
}

static void test_versions_compare_by_length_then_text(void **state)
{
    (void)state;
    assert_int_equal(compare("9", "10"), -1);
    assert_int_equal(compare("10", "9"), 1);
    assert_int_equal(compare("10", "10"), 0);
    assert_int_equal(compare("19", "20"), -1);
    assert_int_equal(compare("9007199254740992", "9007199254740993"), -1);          /* over 2^53 */
    assert_int_equal(compare("99999999999999999999", "100000000000000000000"), -1); /* over 2^64 */
}

static void test_valid_versions(void **state)
{
    (void)state;
    assert_true(version_is_valid(text_from("0")));
    assert_true(version_is_valid(text_from("1234567890")));
    const char *bad[] = {"", "00", "01", "-1", "+1", "1 ", " 1", "abc", "1a", "1.0"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(version_is_valid(text_from(bad[i])));
    char digits[40];
    memset(digits, '1', sizeof(digits));
    assert_true(version_is_valid((struct text){digits, 32}));
    assert_false(version_is_valid((struct text){digits, 33}));
}

/* One column of O and N, and what is to come of it. */
struct merge_case {
    const char *what;
    size_t column;
    struct cell there, comes, expected;
    const char *version; /* of N; O has 10 */
    enum row_mode mode;  /* of N */
    bool there_deleted;
};

#define AT(seconds)     cell_time((seconds)*INT64_C(1000000))
#define STRING(literal) cell_text(TEXT(literal))
#define NOTHING         cell_null()

static void run_pod_case(const struct merge_case *test)
{
    struct cell there[TABLE_MAX_COLUMNS], comes[TABLE_MAX_COLUMNS];
    pod_cells(there, "u", "10");
    pod_cells(comes, "u", test->version);
    there[POD_DELETED] = cell_int(test->there_deleted);
    there[test->column] = test->there;
    comes[test->column] = test->comes;
    struct row *old = row_of(&table_pod, ROW_UPSERT, there);
    struct row *new = row_of(&table_pod, test->mode, comes);
    struct row *merged;
    struct error err;
    assert_int_equal(row_merge(old, new, &merged, &err), ERROR_NONE);
    struct cell *cell = &merged->cells[test->column];
    print_message("  %s\n", test->what);
    assert_int_equal(cell->type, test->expected.type);
    if (cell->type == CELL_TEXT)
        assert_true(text_equal(cell_as_text(cell), cell_as_text(&test->expected)));
    else if (cell->type != CELL_NULL)
        assert_int_equal(cell->integer, test->expected.integer);
    row_free(old);
    row_free(new);
    row_free(merged);
}

static void test_merge_rules(void **state)
{
    (void)state;
    const struct merge_case cases[] = {
        {"NEWEST: newer", POD_IMAGE, STRING("o"), STRING("n"), STRING("n"), "11", ROW_UPSERT, 0},
        {"NEWEST: newer NULL", POD_IMAGE, STRING("o"), NOTHING, NOTHING, "11", ROW_UPSERT, 0},
        {"NEWEST: equal", POD_IMAGE, STRING("o"), STRING("n"), STRING("o"), "10", ROW_UPSERT, 0},
        {"NEWEST: older", POD_IMAGE, STRING("o"), STRING("n"), STRING("o"), "9", ROW_UPSERT, 0},
        {"NEWEST: older, O NULL", POD_IMAGE, NOTHING, STRING("n"), NOTHING, "9", ROW_UPSERT, 0},
        {"NEWEST: update", POD_IMAGE, STRING("o"), STRING("n"), STRING("n"), "11", ROW_UPDATE, 0},
        {"NEWEST: update NULL", POD_IMAGE, STRING("o"), NOTHING, STRING("o"), "11", ROW_UPDATE, 0},
        {"LAST_KNOWN: newer", POD_POD_IP, STRING("o"), STRING("n"), STRING("n"), "11", ROW_UPSERT,
         0},
        {"LAST_KNOWN: newer NULL", POD_POD_IP, STRING("o"), NOTHING, STRING("o"), "11", ROW_UPSERT,
         0},
        {"LAST_KNOWN: older", POD_POD_IP, STRING("o"), STRING("n"), STRING("o"), "9", ROW_UPSERT,
         0},
        {"LAST_KNOWN: older, O NULL", POD_POD_IP, NOTHING, STRING("n"), STRING("n"), "9",
         ROW_UPSERT, 0},
        {"LAST_KNOWN: equal, O NULL", POD_CLUSTER, NOTHING, STRING("n"), STRING("n"), "10",
         ROW_UPSERT, 0},
        {"FIRST_KNOWN: newer", POD_STARTED, AT(1), AT(2), AT(1), "11", ROW_UPSERT, 0},
        {"FIRST_KNOWN: newer, O NULL", POD_STARTED, NOTHING, AT(2), AT(2), "11", ROW_UPSERT, 0},
        {"FIRST_KNOWN: older, O NULL", POD_STARTED, NOTHING, AT(2), NOTHING, "9", ROW_UPSERT, 0},
        {"STATUS: newer", POD_STATUS, STRING("Failed"), STRING("Stopped"), STRING("Stopped"), "11",
         ROW_UPSERT, 0},
        {"STATUS: update stops what runs", POD_STATUS, STRING("Running"), STRING("Stopped"),
         STRING("Stopped"), "11", ROW_UPDATE, 0},
        {"STATUS: update leaves what ended", POD_STATUS, STRING("Failed"), STRING("Stopped"),
         STRING("Failed"), "11", ROW_UPDATE, 0},
        {"STATUS: update knows better", POD_STATUS, STRING("Running"), STRING("Succeeded"),
         STRING("Succeeded"), "11", ROW_UPDATE, 0},
        {"FIRST_FINISH: newer", POD_FINISHED, AT(1), AT(2), AT(1), "11", ROW_UPSERT, 0},
        {"FIRST_FINISH: revived", POD_FINISHED, AT(1), NOTHING, NOTHING, "11", ROW_UPSERT, 1},
        {"FIRST_FINISH: older cannot revive", POD_FINISHED, AT(1), NOTHING, AT(1), "9", ROW_UPSERT,
         1},
        {"FIRST_FINISH: update", POD_FINISHED, AT(1), AT(2), AT(1), "11", ROW_UPDATE, 0},
        {"FIRST_FINISH: update, O NULL", POD_FINISHED, NOTHING, AT(2), AT(2), "11", ROW_UPDATE, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        run_pod_case(&cases[i]);
}

static void test_finish_of_a_job_follows_the_newest_but_not_an_update(void **state)
{
    (void)state;
    struct cell there[TABLE_MAX_COLUMNS], comes[TABLE_MAX_COLUMNS];
    job_cells(there, "u", "10");
    job_cells(comes, "u", "11");
    there[JOB_FINISHED] = AT(1);
    struct row *old = row_of(&table_job, ROW_UPSERT, there);
    struct row *upsert = row_of(&table_job, ROW_UPSERT, comes);
    comes[JOB_FINISHED] = AT(2);
    struct row *update = row_of(&table_job, ROW_UPDATE, comes);
    struct row *merged;
    struct error err;
    assert_int_equal(row_merge(old, upsert, &merged, &err), ERROR_NONE);
    assert_int_equal(merged->cells[JOB_FINISHED].type, CELL_NULL);
    row_free(merged);
    assert_int_equal(row_merge(old, update, &merged, &err), ERROR_NONE);
    assert_int_equal(merged->cells[JOB_FINISHED].integer, 1000000);
    row_free(merged);
    row_free(old);
    row_free(upsert);
    row_free(update);
}

static enum row_mode merged_mode(enum row_mode there_mode, enum row_mode comes_mode,
                                 const char *version)
{
    struct cell cells[TABLE_MAX_COLUMNS];
    job_cells(cells, "u", "10");
    struct row *there = row_of(&table_job, there_mode, cells);
    job_cells(cells, "u", version);
    struct row *comes = row_of(&table_job, comes_mode, cells);
    struct row *merged;
    struct error err;
    assert_int_equal(row_merge(there, comes, &merged, &err), ERROR_NONE);
    enum row_mode mode = merged->mode;
    row_free(there);
    row_free(comes);
    row_free(merged);
    return mode;
}

static void test_mode_of_a_merged_row(void **state)
{
    (void)state;
    assert_int_equal(merged_mode(ROW_UPSERT, ROW_UPDATE, "11"), ROW_UPSERT);
    assert_int_equal(merged_mode(ROW_UPSERT, ROW_UPDATE, "9"), ROW_UPSERT);
    assert_int_equal(merged_mode(ROW_UPDATE, ROW_UPSERT, "11"), ROW_UPSERT);
    assert_int_equal(merged_mode(ROW_UPDATE, ROW_UPSERT, "9"), ROW_UPDATE);
    assert_int_equal(merged_mode(ROW_UPDATE, ROW_UPDATE, "11"), ROW_UPDATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_are_copied_and_may_hold_nul),
        cmocka_unit_test(test_row_without_uid_is_refused),
        cmocka_unit_test(test_uid_and_version_are_never_cut),
        cmocka_unit_test(test_empty_version_is_zero),
        cmocka_unit_test(test_over_long_texts_are_cut_at_a_character),
        cmocka_unit_test(test_versions_compare_by_length_then_text),
        cmocka_unit_test(test_valid_versions),
        cmocka_unit_test(test_merge_rules),
        cmocka_unit_test(test_finish_of_a_job_follows_the_newest_but_not_an_update),
        cmocka_unit_test(test_mode_of_a_merged_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
