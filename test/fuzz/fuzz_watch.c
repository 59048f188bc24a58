/* fuzz_watch: the input is one line. Whatever it is, it has one fate; a row that comes of it can be
 * stored, and the same line makes the same row again. */
#include "lib/base/utf8.h"
#include "lib/kube/object.h"
#include "lib/kube/watch.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RECEIVED_US INT64_C(1798761600000000)

static void check(bool holds)
{
    if (!holds)
        abort();
}

static bool is_null(const struct row *row, size_t column)
{
    return row->cells[column].type == CELL_NULL;
}

static void check_upsert(const struct row *row)
{
    bool is_job = row->table == &table_job;
    check(!is_null(row, row->table->created));
    if (is_job) {
        check(!is_null(row, JOB_NAME) && !is_null(row, JOB_STATUS));
        check(!is_null(row, JOB_TENANT) && !is_null(row, JOB_OWNER));
    } else {
        check(!is_null(row, POD_NAME) && !is_null(row, POD_STATUS));
        check(!is_null(row, POD_JOB_UID) && object_is_uid(cell_as_text(&row->cells[POD_JOB_UID])));
    }
}

static void check_row(const struct row *row)
{
    bool is_job = row->table == &table_job;
    check(object_is_uid(row_uid(row)));
    check(version_is_valid(row_version(row)));
    check(!is_null(row, row->table->modified));
    for (size_t i = 0; i < row->table->column_count; i++)
        check(row->cells[i].type != CELL_TEXT || utf8_is_valid(cell_as_text(&row->cells[i])));
    if (row->mode == ROW_UPSERT)
        check_upsert(row);
    if (row->cells[row->table->deleted].integer != 0)
        check(!is_null(row, is_job ? (size_t)JOB_FINISHED : (size_t)POD_FINISHED));
}

static void check_text(const char *text, size_t size)
{
    check(utf8_is_valid((struct text){text, strnlen(text, size)}));
    check(strnlen(text, size) < size);
}

static void check_result(const struct watch_result *result)
{
    check((result->fate == WATCH_ROW) == (result->row != NULL));
    check(watch_fate_name(result->fate) != NULL);
    check_text(result->kind, sizeof(result->kind));
    check_text(result->namespace, sizeof(result->namespace));
    check_text(result->name, sizeof(result->name));
    check_text(result->uid, sizeof(result->uid));
    check_text(result->version, sizeof(result->version));
    check_text(result->reason, sizeof(result->reason));
    if (result->row != NULL)
        check_row(result->row);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text line = {(const char *)data, size};
    struct watch_settings settings = {.region = TEXT(""), .cluster_id = TEXT("c")};
    struct watch *watch = watch_new(&settings);
    struct watch_result first;
    struct watch_result again;

    watch_decode(watch, line, RECEIVED_US, &first);
    check_result(&first);
    watch_decode(watch, line, RECEIVED_US, &again);
    check(first.fate == again.fate);
    check(first.row == NULL || row_equal(first.row, again.row));
    row_free(first.row);
    row_free(again.row);

    watch_decode_head(watch, line, &first);
    check(first.fate == WATCH_TOO_LONG && first.row == NULL);
    watch_free(watch);
    return 0;
}
