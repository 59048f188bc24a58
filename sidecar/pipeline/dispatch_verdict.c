/* dispatch_verdict: what becomes of the rows of a request that was answered (see dispatch_private.h).
 *
 *   what the store says of a row               what becomes of the row
 *   it was written                             leaves the outbox
 *   it is refused, which is believed           becomes a dead letter and leaves the outbox
 *   it is refused, which is not believed yet   waits with its table, which is paused; one that was tried
 *                                              alone is set aside again
 *   it failed alone for another reason         is set aside
 *   nothing: its table takes no row            waits with its table, which is paused; one that was tried
 *                                              alone is set aside again
 *   nothing: the connection was lost           waits; it is set aside if it was alone in the batch, because
 *                                              batches with it have lost the connection again and again
 *   nothing: there is no connection            waits, until its lane or another one has a connection
 *
 * Rows that wait go back to the outbox, below the rows of their objects that came meanwhile. */
#include "lib/base/histogram.h"
#include "sidecar/base/clock.h"
#include "sidecar/pipeline/dispatch_private.h"

/* If a table has refused more than REFUSED_ROWS rows and taken none, the table is believed to be wrong. If it
 * has refused at most so many, a row is believed to be wrong when it was refused REFUSED_TIMES times: by the
 * back-off of DBERROR_ROW that takes some ten seconds, in which other rows may come and be taken. */
#define REFUSED_ROWS  16
#define REFUSED_TIMES 5

/* Returns how many rows were written. */
static size_t settle_written(struct lane *lane)
{
    struct dispatch_settings *settings = &lane->dispatch->settings;
    struct store_request *request = &lane->request;
    int64_t now_us = clock_now_us();
    size_t written = 0;
    for (size_t i = 0; i < request->batch.count; i++) {
        if (request->fates[i] != ROW_WRITTEN)
            continue;
        written++;
        int64_t lag_us = now_us - request->batch.rows[i]->received_us;
        /* The time of day may have been set back meanwhile. */
        histogram_observe(&settings->metrics->lag_us, lag_us > 0 ? (uint64_t)lag_us : 0);
        outbox_done(settings->outbox, &request->batch, i);
    }
    settings->ledger->rows[table_number(request->batch.table)].written += written;
    return written;
}

/* Hands the refused row over as a dead letter; it leaves the outbox. */
static void make_dead_letter(struct lane *lane, const struct refusal *refusal)
{
    struct dispatch_settings *settings = &lane->dispatch->settings;
    struct batch *batch = &lane->request.batch;
    const struct row *row = batch->rows[refusal->row];
    LOG(settings->logger, ERROR, "row refused by the database",
        log_string("table", row->table->name), log_text("uid", row_uid(row)),
        log_text("version", row_version(row)), log_int("errno", refusal->number),
        log_string("error", refusal->text));
    settings->refused(settings->context, row, refusal);
    settings->ledger->rows[table_number(row->table)].dead_lettered++;
    outbox_done(settings->outbox, batch, refusal->row);
}

/* True if the row is believed to be wrong, and not its table: the table has taken other rows since the row
 * was refused first, or only few rows were refused, and this one again and again. */
static bool is_proven(const struct dispatch *dispatch, const struct experience *experience,
                      struct outbox_trial *trial, size_t refusals, size_t written)
{
    if (trial->refusals++ == 0)
        trial->taken = experience->taken;
    if (experience->taken + written > trial->taken)
        return true;
    return !dispatch->draining && trial->refusals >= REFUSED_TIMES &&
           experience->refused + refusals <= REFUSED_ROWS;
}

/* Returns how many rows were refused, but are not believed to be wrong yet. They wait. */
static size_t settle_refusals(struct lane *lane, struct experience *experience, size_t written)
{
    struct store_request *request = &lane->request;
    size_t refused = 0, open = 0;
    for (size_t i = 0; i < request->refusal_count; i++)
        refused += request->fates[request->refusals[i].row] == ROW_REFUSED;
    for (size_t i = 0; i < request->refusal_count; i++) {
        const struct refusal *refusal = &request->refusals[i];
        bool is_alone = request->fates[refusal->row] == ROW_ALONE;
        if (!is_alone && is_proven(lane->dispatch, experience,
                                   outbox_trial(&request->batch, refusal->row), refused, written)) {
            make_dead_letter(lane, refusal);
            experience->refused++;
        } else if (is_alone || lane->alone) {
            retry_row(lane, refusal->row, refusal->class, refusal->text);
        } else {
            open++;
        }
    }
    return open;
}

/* Pauses the table: rows of it were refused, and it is not known whether the rows or the table are wrong. */
static void pause_refused(struct lane *lane, size_t refused)
{
    const struct store_request *request = &lane->request;
    const char *last = request->refusals[request->refusal_count - 1].text;
    struct error why;
    bool is_table = refused > REFUSED_ROWS;
    error_set(&why, ERROR_OPERATOR,
              is_table ? "all of %zu rows were refused, which looks like a wrong column of %s "
                         "rather than wrong rows; they wait until it is put right; the last one: %s"
                       : "%zu rows were refused, and none is known that %s takes; the last one: %s",
              refused, request->batch.table->name, last);
    retry_table(lane, is_table ? DBERROR_OPERATOR : DBERROR_ROW, why.text);
}

void verdict_settle_rows(struct lane *lane)
{
    struct dispatch *dispatch = lane->dispatch;
    struct store_request *request = &lane->request;
    struct batch *batch = &request->batch;
    if (batch->count == 0)
        return;
    struct experience *experience = &dispatch->experiences[table_number(batch->table)][batch->mode];
    size_t before = experience->refused;
    size_t written = settle_written(lane);
    size_t open = settle_refusals(lane, experience, written);
    if (written > 0 || experience->refused > before)
        dispatch->progress_ms = dispatch_now_ms(dispatch);
    if (written > 0) { /* the table works: what it refuses from now on is a wrong row */
        experience->taken += written;
        experience->refused = 0;
        if (!lane->alone)
            retry_table_taken(lane);
    }

    bool failed = request->error.code != ERROR_NONE;
    bool is_culprit = failed && request->class == DBERROR_RECONNECT && lane->max_rows == 1;
    if (batch->entries[0] != NULL && failed && (lane->alone ? request->others_may : is_culprit))
        retry_row(lane, 0, request->class, request->error.text);
    else if (failed && request->others_may)
        retry_table(lane, request->class, request->error.text);
    else if (open > 0)
        pause_refused(lane, before + open);
    outbox_return(dispatch->settings.outbox, batch);
}
