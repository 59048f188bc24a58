/* fake_store: see fake_store.h. */
#include "test/support/fake_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sidecar/store/isolate.h"

/* ---- the rows -------------------------------------------------------------------------------- */

static struct row **find(const struct fake_store *fake, const struct table *table, struct text uid)
{
    for (size_t i = 0; i < fake->row_count; i++) {
        if (fake->rows[i]->table == table && text_equal(row_uid(fake->rows[i]), uid))
            return &fake->rows[i];
    }
    return NULL;
}

const struct row *fake_store_find(const struct fake_store *fake, const struct table *table,
                                  const char *uid)
{
    struct row **found = find(fake, table, text_from(uid));
    return found != NULL ? *found : NULL;
}

static void insert(struct fake_store *fake, const struct row *row)
{
    if (fake->row_count == fake->row_capacity) {
        fake->row_capacity = fake->row_capacity == 0 ? 64 : 2 * fake->row_capacity;
        fake->rows = realloc(fake->rows, fake->row_capacity * sizeof(*fake->rows));
        assert_non_null(fake->rows);
    }
    assert_int_equal(row_new(row->table, ROW_UPSERT, row->cells, row->received_us,
                             &fake->rows[fake->row_count], NULL),
                     ERROR_NONE);
    fake->row_count++;
}

static void keep(struct fake_store *fake, const struct row *row)
{
    struct row **there = find(fake, row->table, row_uid(row));
    if (there == NULL) {
        if (row->mode == ROW_UPSERT)
            insert(fake, row);
        return;
    }
    struct row *merged;
    assert_int_equal(row_merge(*there, row, &merged, NULL), ERROR_NONE);
    row_free(*there);
    *there = merged;
}

static bool is_refused(const struct fake_store *fake, const struct row *row)
{
    for (size_t i = 0; i < fake->refused_count; i++) {
        if (text_is(row_uid(row), fake->refused[i]))
            return true;
    }
    return false;
}

/* All or nothing, like a transaction. */
static enum error_code write_rows(void *context, struct row *const *rows, size_t count,
                                  struct db_error *err)
{
    struct fake_store *fake = context;
    for (size_t i = 0; i < count; i++) {
        if (is_refused(fake, rows[i])) {
            *err = (struct db_error){
                .class = DBERROR_ROW, .number = 1406, .row = i + 1, .affects = DB_AFFECTS_ROWS};
            return error_set(&err->error, ERROR_INPUT, "refused by the fake at row %zu", i + 1);
        }
        if (fake->failing != NULL && text_is(row_uid(rows[i]), fake->failing)) {
            *err = (struct db_error){.class = fake->failing_class, .affects = DB_AFFECTS_ROWS};
            return error_set(&err->error, ERROR_AGAIN, "%s fails", fake->failing);
        }
    }
    for (size_t i = 0; i < count; i++)
        keep(fake, rows[i]);
    fake->writes++;
    fake->rows_written += count;
    return ERROR_NONE;
}

/* All of the table that live: it knows no clusters. */
static void list_alive(struct fake_store *fake, struct store_listing *listing)
{
    buffer_reset(&listing->uids);
    for (size_t i = 0; i < fake->row_count; i++) {
        const struct row *row = fake->rows[i];
        if (row->table != listing->resource->table || row->cells[row->table->in_etcd].integer != 1)
            continue;
        buffer_append(&listing->uids, row_uid(row));
        buffer_append_char(&listing->uids, '\t');
        buffer_append(&listing->uids, row_version(row));
        const struct cell *status = &row->cells[row->table->status];
        bool is_final =
            status->type == CELL_TEXT && (table_status_is_final(cell_as_text(status)) ||
                                          text_is(cell_as_text(status), STATUS_STOPPED));
        buffer_append_string(&listing->uids, is_final ? "\t1\n" : "\t0\n");
    }
}

/* ---- requests -------------------------------------------------------------------------------- */

static void check_batch(const struct batch *batch)
{
    assert_in_range(batch->count, 0, batch->capacity);
    for (size_t i = 0; i < batch->count; i++) {
        assert_ptr_equal(batch->rows[i]->table, batch->table);
        assert_int_equal(batch->rows[i]->mode, batch->mode);
        if (i == 0)
            continue;
        struct text before = row_uid(batch->rows[i - 1]);
        struct text uid = row_uid(batch->rows[i]);
        size_t length = before.length < uid.length ? before.length : uid.length;
        int order = memcmp(before.data, uid.data, length);
        assert_true(order < 0 || (order == 0 && before.length < uid.length));
    }
}

static void submit(struct store *base, struct store_request *request)
{
    struct fake_store *fake = (struct fake_store *)base;
    unsigned lane = request->lane;
    assert_false(fake->closed);
    assert_in_range(lane, 0, fake->store.lanes - 1);
    assert_false(fake->busy[lane]);
    assert_in_range(request->batch.count, 0, fake->store.max_batch_rows);
    check_batch(&request->batch);
    fake->busy[lane] = true;
    fake->waiting[fake->waiting_count++] = request;
    uv_async_send(&fake->wake);
}

static void fail_request(struct store_request *request, enum dberror_class class)
{
    for (size_t i = 0; i < request->batch.count; i++)
        request->fates[i] = ROW_WAITS;
    request->refusal_count = 0;
    request->class = class;
    request->others_may = false;
    error_set(&request->error, class == DBERROR_OPERATOR ? ERROR_OPERATOR : ERROR_AGAIN,
              "the fake fails: %s", dberror_class_name(class));
}

static void answer(struct fake_store *fake, struct store_request *request)
{
    fake->requests++;
    bool fails = fake->requests >= fake->fail_first && fake->requests <= fake->fail_last;
    bool is_down = fake->is_down[request->lane];
    fake->served[request->lane] += request->batch.count > 0;
    fake->description.connected = !fake->aborted && !fails && !is_down;
    if (fake->aborted)
        fail_request(request, DBERROR_RECONNECT);
    else if (fails || is_down)
        fail_request(request, is_down ? DBERROR_WAIT : fake->fail_class);
    else
        isolate_batch(request, write_rows, fake);
    if (request->listing != NULL && request->error.code == ERROR_NONE)
        list_alive(fake, request->listing);
    request->attempts = 1;
    request->tally = (struct store_tally){.connects = fake->requests == 1};
    if (request->error.code != ERROR_NONE)
        request->tally.errors[request->class]++;
    request->write_us = 1;
    fake->busy[request->lane] = false;
    request->done(request);
}

/* done() may submit again: what it submits is answered the next time. */
static void on_wake(uv_async_t *wake)
{
    struct fake_store *fake = wake->data;
    struct store_request *waiting[FAKE_STORE_MAX_LANES];
    size_t count = fake->waiting_count;
    if (fake->held && !fake->aborted)
        return;
    memcpy(waiting, fake->waiting, sizeof(waiting));
    fake->waiting_count = 0;
    for (size_t i = 0; i < count; i++)
        answer(fake, waiting[i]);
}

static void abort_writes(struct store *base)
{
    struct fake_store *fake = (struct fake_store *)base;
    fake->aborted = true;
    uv_async_send(&fake->wake);
}

static void describe(struct store *base, struct store_description *description)
{
    *description = ((struct fake_store *)base)->description;
}

static void on_closed(uv_handle_t *handle)
{
    struct fake_store *fake = handle->data;
    fake->closed_callback(fake->closed_context);
}

static void close_store(struct store *base, void (*closed)(void *context), void *context)
{
    struct fake_store *fake = (struct fake_store *)base;
    assert_false(fake->closed);
    assert_int_equal(fake->waiting_count, 0);
    for (unsigned lane = 0; lane < fake->store.lanes; lane++)
        assert_false(fake->busy[lane]);
    fake->closed = true;
    fake->closed_callback = closed;
    fake->closed_context = context;
    uv_close((uv_handle_t *)&fake->wake, on_closed);
}

/* ---- what the test calls --------------------------------------------------------------------- */

void fake_store_init(struct fake_store *fake, uv_loop_t *loop, unsigned lanes)
{
    assert_in_range(lanes, 1, FAKE_STORE_MAX_LANES);
    *fake = (struct fake_store){
        .store =
            {
                .name = "fake",
                .lanes = lanes,
                .max_batch_rows = 1024,
                .submit = submit,
                .abort = abort_writes,
                .describe = describe,
                .close = close_store,
            },
    };
    assert_int_equal(uv_async_init(loop, &fake->wake, on_wake), 0);
    fake->wake.data = fake;
}

void fake_store_fini(struct fake_store *fake)
{
    assert_true(fake->closed);
    for (size_t i = 0; i < fake->row_count; i++)
        row_free(fake->rows[i]);
    free(fake->rows);
}

void fake_store_fail(struct fake_store *fake, size_t first, size_t last, enum dberror_class class)
{
    fake->fail_first = first;
    fake->fail_last = last;
    fake->fail_class = class;
}

void fake_store_refuse(struct fake_store *fake, const char *uid)
{
    assert_true(fake->refused_count < FAKE_STORE_MAX_REFUSED);
    fake->refused[fake->refused_count++] = uid;
}

void fake_store_hold(struct fake_store *fake)
{
    fake->held = true;
}

void fake_store_release(struct fake_store *fake)
{
    fake->held = false;
    uv_async_send(&fake->wake);
}
