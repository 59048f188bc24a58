/* rowjson: a row comes back as it was, and what is no row is refused. */
#include "lib/rows/rowjson.h"
#include "test/support/rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define RECEIVED_US INT64_C(1795420651123456)

struct fixture {
    struct json *json;
    struct buffer text;
};

static int set_up(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof(*fixture));
    fixture->json = json_new();
    assert_non_null(fixture->json);
    buffer_init(&fixture->text, 1 << 20);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    json_free(fixture->json);
    buffer_fini(&fixture->text);
    test_free(fixture);
    return 0;
}

static enum error_code read_text(struct fixture *fixture, struct text text, struct row **row)
{
    const json_value *root;
    struct error err;
    assert_int_equal(json_read(fixture->json, text, &root, &err), JSON_OK);
    return rowjson_read(root, row, &err);
}

static void assert_comes_back(struct fixture *fixture, const struct row *row)
{
    struct row *back;
    buffer_reset(&fixture->text);
    rowjson_append(&fixture->text, row);
    assert_false(fixture->text.failed);
    assert_int_equal(read_text(fixture, buffer_text(&fixture->text), &back), ERROR_NONE);
    assert_true(row_equal(row, back));
    assert_int_equal(row->received_us, back->received_us);
    row_free(back);
}

static void test_a_row_comes_back_as_it_was(void **state)
{
    struct fixture *fixture = *state;
    struct cell cells[TABLE_MAX_COLUMNS];
    job_cells(cells, "u", "12345678901234567890");
    cells[JOB_NAME] = cell_text((struct text){"bell \a quote \" \xf0\x9f\x98\x80", 19});
    cells[JOB_REMARK] = cell_text(TEXT(""));
    cells[JOB_CREATED] = cell_time(1795420651123456);
    cells[JOB_FINISHED] = cell_time(-1000001);
    struct row *row = row_of(&table_job, ROW_UPSERT, cells);
    row->received_us = 1795420651123456;
    assert_comes_back(fixture, row);
    row_free(row);
    pod_cells(cells, "u", "0");
    cells[POD_NAMESPACE] = cell_text(TEXT("team"));
    cells[POD_POD_IP] = cell_text(TEXT("10.0.0.1"));
    row = row_of(&table_pod, ROW_UPDATE, cells);
    assert_comes_back(fixture, row);
    row_free(row);
}

static void test_a_tombstone_comes_back_as_it_was(void **state)
{
    struct row *row;
    struct error err;
    assert_int_equal(row_new_tombstone(&table_job, TEXT("u"), TEXT("9"), RECEIVED_US, &row, &err),
                     ERROR_NONE);
    assert_comes_back(*state, row);
    row_free(row);
}

/* The spool of an older shipper may be read. */
static void test_an_update_without_a_name_is_an_older_shippers_tombstone(void **state)
{
    struct row *row;
    assert_int_equal(read_text(*state,
                               TEXT("{\"table\":\"job_info\",\"mode\":\"update\","
                                    "\"received\":\"2026-11-23T08:17:31Z\",\"cells\":{"
                                    "\"job_id\":\"u\",\"version\":\"9\",\"status\":\"Stopped\"}}"),
                               &row),
                     ERROR_NONE);
    assert_int_equal(row->cells[JOB_STATED].type, CELL_TEXT);
    assert_int_equal(row->cells[JOB_STATED].length, 0);
    row_free(row);
}

static void test_a_cut_row_is_not_cut_again(void **state)
{
    struct fixture *fixture = *state;
    static char name[400];
    memset(name, 'x', sizeof(name));
    struct cell cells[TABLE_MAX_COLUMNS];
    job_cells(cells, "u", "1");
    cells[JOB_NAME] = cell_text((struct text){name, sizeof(name)});
    struct row *row = row_of(&table_job, ROW_UPSERT, cells);
    assert_comes_back(fixture, row);
    row_free(row);
}

static void test_another_versions_columns(void **state)
{
    struct fixture *fixture = *state;
    struct row *row;
    assert_int_equal(read_text(fixture,
                               TEXT("{\"table\":\"job_info\",\"mode\":\"upsert\",\"new\":1,"
                                    "\"received\":\"2026-11-23T08:17:31Z\",\"cells\":{"
                                    "\"job_id\":\"u\",\"version\":\"1\",\"not_known_here\":[1]}}"),
                               &row),
                     ERROR_NONE);
    assert_int_equal(row->cells[JOB_NAME].type, CELL_NULL);
    row_free(row);
}

static void test_what_is_no_row_is_refused(void **state)
{
    struct fixture *fixture = *state;
#define ROW(table, mode, cells)                                                                    \
    "{\"table\":\"" table "\",\"mode\":\"" mode                                                    \
    "\",\"received\":\"2026-11-23T08:17:31Z\",\"cells\":" cells "}"
    static const char *const bad[] = {
        "[]",
        "{}",
        "null",
        ROW("other_table", "upsert", "{\"job_id\":\"u\",\"version\":\"1\"}"),
        ROW("job_info", "other_mode", "{\"job_id\":\"u\",\"version\":\"1\"}"),
        ROW("job_info", "upsert", "{\"version\":\"1\"}"),
        ROW("job_info", "upsert", "{\"job_id\":\"u\"}"),
        ROW("job_info", "upsert", "{\"job_id\":\"u\",\"version\":1}"),
        ROW("job_info", "upsert", "{\"job_id\":\"u\",\"version\":\"1\",\"deleted\":\"1\"}"),
        ROW("job_info", "upsert", "{\"job_id\":\"u\",\"version\":\"1\",\"gmt_created\":\"now\"}"),
        ROW("job_info", "upsert", "[]"),
        "{\"table\":\"job_info\",\"mode\":\"upsert\",\"received\":1,\"cells\":{\"job_id\":\"u\"}}",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct row *row;
        print_message("  %s\n", bad[i]);
        assert_int_equal(read_text(fixture, text_from(bad[i]), &row), ERROR_INPUT);
    }
}

#define ROW_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW_TEST(test_a_row_comes_back_as_it_was),
        ROW_TEST(test_a_tombstone_comes_back_as_it_was),
        ROW_TEST(test_an_update_without_a_name_is_an_older_shippers_tombstone),
        ROW_TEST(test_a_cut_row_is_not_cut_again),
        ROW_TEST(test_another_versions_columns),
        ROW_TEST(test_what_is_no_row_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
