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

#define AT(seconds)     cell_time((seconds)*INT64_C(1000000))
#define STRING(literal) cell_text(TEXT(literal))
#define NOTHING         cell_null()

/* Of a row that meets another one. */
struct side {
    const char *version;
    const char *stated; /* NULL: no tombstone over it */
    struct cell cell;   /* of the column that is looked at */
};

/* One column of two rows, and what is to come of it, whichever of them is there first. */
struct merge_case {
    const char *what;
    size_t column;
    struct side a, b;
    struct cell expected;
};

/* When each object was made, in seconds. */
#define CREATED (-1)

/* Each row was modified at the second that is its version. */
static struct row *row_of_side(const struct side *side, size_t column)
{
    struct cell cells[TABLE_MAX_COLUMNS];
    pod_cells(cells, "u", side->version);
    cells[POD_CREATED] = AT(CREATED);
    cells[POD_MODIFIED] = AT(strtoll(side->version, NULL, 10));
    if (side->stated != NULL)
        cells[POD_STATED] = cell_text(text_from(side->stated));
    cells[column] = side->cell;
    return row_of(&table_pod, ROW_UPSERT, cells);
}

static void assert_merged(const struct row *there, const struct row *comes,
                          const struct merge_case *test)
{
    struct row *merged;
    struct error err;
    assert_int_equal(row_merge(there, comes, &merged, &err), ERROR_NONE);
    const struct cell *cell = &merged->cells[test->column];
    assert_int_equal(cell->type, test->expected.type);
    if (cell->type == CELL_TEXT)
        assert_true(text_equal(cell_as_text(cell), cell_as_text(&test->expected)));
    else if (cell->type != CELL_NULL)
        assert_int_equal(cell->integer, test->expected.integer);
    row_free(merged);
}

static void run_case(const struct merge_case *test)
{
    struct row *a = row_of_side(&test->a, test->column);
    struct row *b = row_of_side(&test->b, test->column);
    print_message("  %s\n", test->what);
    assert_merged(a, b, test);
    assert_merged(b, a, test);
    row_free(a);
    row_free(b);
}

#define EVENT(version, cell)                                                                       \
    {                                                                                              \
        version, NULL, cell                                                                        \
    }
#define TOMBSTONE(version, cell)                                                                   \
    {                                                                                              \
        version, "", cell                                                                          \
    }
#define CLOSED(version, of_event, cell)                                                            \
    {                                                                                              \
        version, of_event, cell                                                                    \
    }

static void test_merge_rules(void **state)
{
    (void)state;
    const struct merge_case cases[] = {
        {"EVENT", POD_REMARK, EVENT("9", STRING("o")), EVENT("11", STRING("n")), STRING("n")},
        {"EVENT: NULL", POD_REMARK, EVENT("9", STRING("o")), EVENT("11", NOTHING), NOTHING},
        {"EVENT: under a tombstone", POD_REMARK, CLOSED("30", "9", STRING("o")),
         EVENT("11", STRING("n")), STRING("n")},
        {"EVENT: a tombstone says nothing", POD_REMARK, EVENT("9", STRING("o")),
         TOMBSTONE("30", NOTHING), STRING("o")},
        {"SETTLED", POD_IMAGE, EVENT("9", STRING("o")), EVENT("11", STRING("n")), STRING("n")},
        {"SETTLED: newer NULL", POD_IMAGE, EVENT("9", STRING("o")), EVENT("11", NOTHING),
         STRING("o")},
        {"SETTLED: same version, one NULL", POD_CLUSTER, EVENT("9", NOTHING),
         EVENT("9", STRING("n")), STRING("n")},
        {"LAST_KNOWN", POD_POD_IP, EVENT("9", STRING("o")), EVENT("11", STRING("n")), STRING("n")},
        {"LAST_KNOWN: newer NULL", POD_POD_IP, EVENT("9", STRING("o")), EVENT("11", NOTHING),
         STRING("o")},
        {"LAST_KNOWN: when", POD_POD_IP_AT, EVENT("9", NOTHING), EVENT("11", NOTHING), NOTHING},
        {"EARLIEST", POD_STARTED, EVENT("9", AT(2)), EVENT("11", AT(1)), AT(1)},
        {"EARLIEST: one is assumed", POD_STARTED, EVENT("9", AT(CREATED)), EVENT("11", AT(2)),
         AT(2)},
        {"EARLIEST: assumed, or not known", POD_STARTED, EVENT("9", AT(CREATED)),
         EVENT("11", NOTHING), AT(CREATED)},
        {"EARLIEST: one NULL", POD_STARTED, EVENT("9", AT(2)), EVENT("11", NOTHING), AT(2)},
        {"STATUS", POD_STATUS, EVENT("9", STRING("Failed")), EVENT("11", STRING("Running")),
         STRING("Running")},
        {"STATUS: closed", POD_STATUS, EVENT("9", STRING("Running")), TOMBSTONE("11", NOTHING),
         STRING("Stopped")},
        {"STATUS: closed, but final", POD_STATUS, EVENT("9", STRING("Failed")),
         TOMBSTONE("11", NOTHING), STRING("Failed")},
        {"STATUS: late, final", POD_STATUS, CLOSED("30", "9", STRING("Stopped")),
         EVENT("11", STRING("Succeeded")), STRING("Succeeded")},
        {"STATUS: late, not final", POD_STATUS, CLOSED("30", "9", STRING("Failed")),
         EVENT("11", STRING("Running")), STRING("Stopped")},
        {"STATUS: revived", POD_STATUS, CLOSED("30", "9", STRING("Stopped")),
         EVENT("31", STRING("Running")), STRING("Running")},
        {"STATUS: revived at the tombstone's version", POD_STATUS,
         CLOSED("30", "9", STRING("Stopped")), EVENT("30", STRING("Running")), STRING("Running")},
        {"END", POD_FINISHED, EVENT("9", AT(1)), EVENT("11", AT(2)), AT(2)},
        {"END: runs again", POD_FINISHED, EVENT("9", AT(1)), EVENT("11", NOTHING), NOTHING},
        {"END: closed", POD_FINISHED, EVENT("9", NOTHING), TOMBSTONE("11", AT(11)), AT(11)},
        {"END: closed, has one", POD_FINISHED, EVENT("9", AT(1)), TOMBSTONE("11", AT(11)), AT(1)},
        {"END: late", POD_FINISHED, CLOSED("30", "9", AT(30)), EVENT("11", AT(2)), AT(2)},
        {"END: late, none", POD_FINISHED, CLOSED("30", "9", AT(1)), EVENT("11", NOTHING), AT(30)},
        {"END: of the newer tombstone", POD_FINISHED, CLOSED("30", "9", AT(30)),
         TOMBSTONE("40", AT(40)), AT(40)},
        {"END: of the event, under two tombstones", POD_FINISHED, CLOSED("30", "9", AT(1)),
         TOMBSTONE("40", AT(40)), AT(1)},
        {"END: revived", POD_FINISHED, CLOSED("30", "9", AT(30)), EVENT("31", NOTHING), NOTHING},
        {"LATEST", POD_DELETED, EVENT("9", cell_int(0)), TOMBSTONE("11", cell_int(1)), cell_int(1)},
        {"LATEST: late", POD_DELETED, CLOSED("30", "9", cell_int(1)), EVENT("11", cell_int(0)),
         cell_int(1)},
        {"LATEST: revived", POD_DELETED, CLOSED("30", "9", cell_int(1)), EVENT("30", cell_int(0)),
         cell_int(0)},
        {"LATEST: alive and deleted at the same version", POD_DELETED, EVENT("9", cell_int(1)),
         EVENT("9", cell_int(0)), cell_int(0)},
        {"LATEST: deleted at the version of a tombstone", POD_DELETED,
         CLOSED("30", "9", cell_int(1)), EVENT("30", cell_int(1)), cell_int(1)},
        {"STATED: closed", POD_STATED, EVENT("9", NOTHING), {"11", "", STRING("")}, STRING("9")},
        {"STATED: late", POD_STATED, {"30", "9", STRING("9")}, EVENT("11", NOTHING), STRING("11")},
        {"STATED: revived", POD_STATED, {"30", "9", STRING("9")}, EVENT("31", NOTHING), NOTHING},
        {"VERSION: late",
         POD_VERSION,
         {"30", "9", STRING("30")},
         EVENT("11", STRING("11")),
         STRING("30")},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        run_case(&cases[i]);
}

/* Of two older rows the newer one's value wins, though the newest row knows none. */
static void test_the_last_known_value_is_known_by_its_version(void **state)
{
    (void)state;
    const char *const orders[] = {"1 2 3", "1 3 2", "2 1 3", "2 3 1", "3 1 2", "3 2 1"};
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        struct row *all = NULL;
        for (const char *version = orders[i]; version - orders[i] < 5; version += 2) {
            struct cell cells[TABLE_MAX_COLUMNS];
            char digit[2] = {*version, '\0'};
            struct error err;
            pod_cells(cells, "u", digit);
            if (*version != '3')
                cells[POD_POD_IP] = *version == '1' ? STRING("b") : STRING("a");
            struct row *row = row_of(&table_pod, ROW_UPSERT, cells);
            struct row *merged = row;
            if (all != NULL) {
                assert_int_equal(row_merge(all, row, &merged, &err), ERROR_NONE);
                row_free(all);
                row_free(row);
            }
            all = merged;
        }
        assert_true(text_is(cell_as_text(&all->cells[POD_POD_IP]), "a"));
        assert_true(text_is(cell_as_text(&all->cells[POD_POD_IP_AT]), "2"));
        row_free(all);
    }
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

/* What a new column gets wrong most easily. */
static void test_each_last_known_column_has_its_version_behind_it(void **state)
{
    (void)state;
    for (size_t t = 0; tables[t] != NULL; t++) {
        for (size_t i = 0; i < tables[t]->column_count; i++) {
            bool is_known_at = tables[t]->columns[i].merge == MERGE_KNOWN_AT;
            bool follows = i > 0 && tables[t]->columns[i - 1].merge == MERGE_LAST_KNOWN;
            if (is_known_at != follows)
                fail_msg("%s.%s", tables[t]->name, tables[t]->columns[i].name);
        }
    }
}

static void test_mode_of_a_merged_row(void **state)
{
    (void)state;
    assert_int_equal(merged_mode(ROW_UPSERT, ROW_UPDATE, "11"), ROW_UPSERT);
    assert_int_equal(merged_mode(ROW_UPSERT, ROW_UPDATE, "9"), ROW_UPSERT);
    assert_int_equal(merged_mode(ROW_UPDATE, ROW_UPSERT, "11"), ROW_UPSERT);
    assert_int_equal(merged_mode(ROW_UPDATE, ROW_UPSERT, "9"), ROW_UPSERT);
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
        cmocka_unit_test(test_the_last_known_value_is_known_by_its_version),
        cmocka_unit_test(test_each_last_known_column_has_its_version_behind_it),
        cmocka_unit_test(test_mode_of_a_merged_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
