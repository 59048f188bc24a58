/* dispatch: hands the rows of the outbox to the lanes of the store.
 *
 * Happy path of a lane: IDLE; a row comes: LINGERS for a moment so that others can join it, or not
 * at all where a batch is full already; the batch goes to the store: BUSY; it is committed: the rows
 * leave the outbox; if others have come meanwhile it LINGERS again, else it is IDLE.
 *
 * Failure modes; one thing that is wrong never holds up the others:
 *   a lane has no connection, or its       its rows go back to the outbox, it BACKS OFF: the delay grows
 *   server has no room                     with each failure, by the class of trouble. A lane that is
 *                                          well takes its rows over; it has them again once it is well,
 *                                          too. A row that is in flight is in no queue, so that rows of
 *                                          one object are never in flight twice
 *   a row can never be written             counted and logged with the reason; the others go on. It is
 *                                          believed once the table takes others; until then it waits
 *   a table takes no row                   the table is paused, the other one goes on; nothing of it is
 *                                          refused
 *   a row fails alone, such as a locked    set aside in the outbox: it is tried again alone, and what
 *   one                                    comes of its object waits with it
 *   a batch loses its connection again     the lane's batches are halved, down to the row that does it,
 *   and again                              which is set aside
 *   drain while the database is away       back-off is kept short, but where a person has to act; the
 *                                          caller bounds the time
 *   stop while a lane is BUSY              the write is aborted; stopped() when it has come back
 */
#include "sidecar/pipeline/dispatch.h"

#include "lib/base/backoff.h"
#include "lib/base/invariant.h"
#include "sidecar/base/clock.h"

#include <inttypes.h>
#include <stdlib.h>

enum lane_state { LANE_IDLE, LANE_LINGERS, LANE_BUSY, LANE_BACKS_OFF, LANE_STATE_COUNT };

#define BIT(state) (1U << (state))

/* From a state to which others a lane may go. */
static const unsigned lane_moves[LANE_STATE_COUNT] = {
    [LANE_IDLE] = BIT(LANE_LINGERS) | BIT(LANE_BUSY),
    [LANE_LINGERS] = BIT(LANE_BUSY) | BIT(LANE_IDLE),
    [LANE_BUSY] = BIT(LANE_IDLE) | BIT(LANE_BACKS_OFF),
    [LANE_BACKS_OFF] = BIT(LANE_BUSY) | BIT(LANE_IDLE),
};

/* A table that took none of a lane's rows: they are left alone until then. */
struct pause {
    bool is_on;
    int64_t until_ms;
    enum dberror_class class;
    struct backoff backoff;
};

struct lane {
    struct dispatch *dispatch;
    unsigned number;
    enum lane_state state;
    struct store_request request;
    uv_timer_t timer; /* lingering or backing off */
    struct backoff backoff;
    size_t max_rows; /* of a batch; halved where it loses its connection, grows by success */
    unsigned turn;   /* of the request: whose rows they are; the next lane's turn is next */
    bool alone;      /* of the request: its row was set aside before */
    bool heard;      /* there was an answer, good or bad */
    bool failing;    /* the last answer was that it has no connection that can be used */
    enum dberror_class class;         /* failing: why */
    struct pause pauses[TABLE_COUNT]; /* of its rows in the outbox */
};

/* What a table made of its rows, by mode: an UPDATE may do what an INSERT may not. */
struct experience {
    uint64_t taken;
    size_t refused; /* since it took one: rows that were believed to be bad */
};

struct dispatch {
    struct dispatch_settings settings;
    uv_async_t settle;             /* to call drained and stopped from the loop */
    uv_timer_t later;              /* the next pause is over, or a row that was set aside is due */
    struct store_listing *listing; /* a question that waits for a lane, or is with it; NULL: none */
    bool asked;                    /* it is with a lane */
    void (*answered)(void *context, bool ok);
    void *answered_context;
    struct experience experiences[TABLE_COUNT][ROW_MODE_COUNT];
    int64_t progress_ms; /* when a row has left the outbox last */
    bool draining;
    bool stopping;
    void (*drained)(void *context);
    void *drained_context;
    void (*stopped)(void *context);
    void *stopped_context;
    void (*closed)(void *context);
    void *closed_context;
    unsigned open_handles;
    unsigned lane_count;
    struct lane lanes[];
};

/* How long to wait before the first retry and at the most. */
struct pace {
    uint32_t first_ms;
    uint32_t ceiling_ms;
};

/* By the class of trouble. */
static const struct pace paces[] = {
    [DBERROR_RETRY] = {50, 2000},       [DBERROR_RECONNECT] = {100, 10000},
    [DBERROR_ELSEWHERE] = {200, 10000}, [DBERROR_WAIT] = {500, 30000},
    [DBERROR_OPERATOR] = {5000, 60000}, [DBERROR_SPLIT] = {1, 1000},
    [DBERROR_ROW] = {1000, 60000},
};

/* Of a row that was set aside. To try one that is locked takes its lane a second. */
static const struct pace aside_pace = {1000, 30000};

/* While the process is about to end nobody gains by waiting longer than this, unless somebody has to
 * act: then a try too many may lock the account. */
#define DRAIN_CEILING_MS 250

/* How many rows a table may refuse, and take none, before it is the table that is thought to be wrong;
 * and how often a row that has no others to be compared with is refused before it is believed. By the
 * pace of DBERROR_ROW that is some ten seconds: time enough for others to come. */
#define REFUSED_ROWS  16
#define REFUSED_TIMES 5

/* No row has left the outbox for so long, though the store answers. */
#define STUCK_MS 20000

static void lane_move(struct lane *lane, enum lane_state state)
{
    invariant((lane_moves[lane->state] & BIT(state)) != 0);
    lane->state = state;
}

static int64_t now_ms(const struct dispatch *dispatch)
{
    return (int64_t)uv_now(dispatch->later.loop);
}

/* Nobody gains by a try before its time where a person has to act. */
static bool may_hurry(enum dberror_class class)
{
    return class != DBERROR_OPERATOR && class != DBERROR_ROW;
}

static uint32_t next_delay(const struct dispatch *dispatch, struct backoff *backoff,
                           struct pace pace, enum dberror_class class)
{
    backoff->first_ms = pace.first_ms;
    backoff->ceiling_ms = pace.ceiling_ms;
    uint32_t delay_ms = backoff_next_ms(backoff, clock_random());
    bool is_hurried = dispatch->draining && may_hurry(class);
    return is_hurried && delay_ms > DRAIN_CEILING_MS ? DRAIN_CEILING_MS : delay_ms;
}

/* ---- what a lane is to do ---------------------------------------------------------------------- */

static bool any_is_well(const struct dispatch *dispatch)
{
    for (unsigned i = 0; i < dispatch->lane_count; i++) {
        if (dispatch->lanes[i].heard && !dispatch->lanes[i].failing)
            return true;
    }
    return false;
}

/* Whose rows the lane is to write: its own, or those of a lane that has no connection, in turns. NULL:
 * there are none. One that has no connection itself only has its own. */
static const struct lane *next_owner(const struct lane *lane)
{
    const struct dispatch *dispatch = lane->dispatch;
    for (unsigned i = 1; i <= dispatch->lane_count; i++) {
        const struct lane *owner = &dispatch->lanes[(lane->turn + i) % dispatch->lane_count];
        if ((owner == lane || (owner->failing && !lane->failing)) &&
            outbox_pending(dispatch->settings.outbox, owner->number) > 0)
            return owner;
    }
    return NULL;
}

static bool is_aside_due(const struct dispatch *dispatch)
{
    return outbox_aside_due_ms(dispatch->settings.outbox) <= now_ms(dispatch);
}

/* A question, a row that was set aside, rows, or else nothing, which is a sign of life. Rows and those
 * that were set aside take turns. */
static void fill_request(struct lane *lane)
{
    struct dispatch *dispatch = lane->dispatch;
    struct outbox *outbox = dispatch->settings.outbox;
    struct store_request *request = &lane->request;
    const struct lane *owner = next_owner(lane);
    bool was_alone = lane->alone;
    lane->alone = false;
    request->batch.count = 0;
    request->listing = dispatch->asked ? NULL : dispatch->listing;
    if (request->listing != NULL)
        dispatch->asked = true;
    else if (lane->failing && any_is_well(dispatch))
        return; /* the others write its rows, and none is to wait for what may not come about */
    else if ((owner == NULL || !was_alone) && is_aside_due(dispatch))
        lane->alone = outbox_take_aside(outbox, now_ms(dispatch), &request->batch);
    else if (owner != NULL) {
        lane->turn = owner->number;
        outbox_take(outbox, owner->number, lane->max_rows, dispatch->settings.batch_max_bytes,
                    &request->batch);
    }
}

static void lane_write(struct lane *lane)
{
    struct dispatch *dispatch = lane->dispatch;
    lane->request.lane = lane->number;
    fill_request(lane);
    lane_move(lane, LANE_BUSY);
    dispatch->settings.store->submit(dispatch->settings.store, &lane->request);
}

/* Another lane may have taken the rows meanwhile. */
static void on_linger_over(uv_timer_t *timer)
{
    struct lane *lane = timer->data;
    if (next_owner(lane) != NULL)
        lane_write(lane);
    else
        lane_move(lane, LANE_IDLE);
}

static void on_backoff_over(uv_timer_t *timer)
{
    lane_write(timer->data);
}

/* There may be something to do for an idle lane. */
static void lane_wake(struct lane *lane)
{
    struct dispatch *dispatch = lane->dispatch;
    if (dispatch->stopping)
        return;
    if (lane->state != LANE_IDLE && lane->state != LANE_LINGERS)
        return;
    const struct lane *owner = next_owner(lane);
    bool at_once = (dispatch->listing != NULL && !dispatch->asked) || is_aside_due(dispatch);
    if (owner == NULL && !at_once)
        return;
    if (at_once || dispatch->draining || dispatch->settings.linger_ms == 0 ||
        outbox_pending(dispatch->settings.outbox, owner->number) >= lane->max_rows) {
        uv_timer_stop(&lane->timer);
        lane_write(lane);
    } else if (lane->state == LANE_IDLE) {
        lane_move(lane, LANE_LINGERS);
        uv_timer_start(&lane->timer, on_linger_over, dispatch->settings.linger_ms, 0);
    }
}

/* ---- what waits for its time ------------------------------------------------------------------- */

static void resume(struct lane *lane, size_t table)
{
    lane->pauses[table].is_on = false;
    outbox_pause(lane->dispatch->settings.outbox, lane->number, tables[table], false);
}

static void wait_for_later(struct dispatch *dispatch);

static void on_later(uv_timer_t *timer)
{
    struct dispatch *dispatch = timer->data;
    for (unsigned i = 0; i < dispatch->lane_count; i++) {
        for (size_t table = 0; table < TABLE_COUNT; table++) {
            const struct pause *pause = &dispatch->lanes[i].pauses[table];
            if (pause->is_on && pause->until_ms <= now_ms(dispatch))
                resume(&dispatch->lanes[i], table);
        }
    }
    dispatch_wake(dispatch);
    wait_for_later(dispatch);
}

static void wait_for_later(struct dispatch *dispatch)
{
    int64_t due_ms = outbox_aside_due_ms(dispatch->settings.outbox);
    if (due_ms <= now_ms(dispatch))
        due_ms = INT64_MAX; /* the next lane that is free takes it */
    for (unsigned i = 0; i < dispatch->lane_count; i++) {
        for (size_t table = 0; table < TABLE_COUNT; table++) {
            const struct pause *pause = &dispatch->lanes[i].pauses[table];
            if (pause->is_on && pause->until_ms < due_ms)
                due_ms = pause->until_ms;
        }
    }
    if (due_ms == INT64_MAX || dispatch->stopping)
        uv_timer_stop(&dispatch->later);
    else
        uv_timer_start(&dispatch->later, on_later,
                       due_ms > now_ms(dispatch) ? (uint64_t)(due_ms - now_ms(dispatch)) : 0, 0);
}

/* ---- what came of a request -------------------------------------------------------------------- */

static void log_wait(const struct lane *lane, enum dberror_class class, const char *table,
                     const char *error, uint32_t delay_ms, uint32_t failures)
{
    const struct dispatch_settings *settings = &lane->dispatch->settings;
    LOG(settings->logger, WARN, "rows wait: the store could not take them",
        log_string("store", settings->store->name), log_int("lane", lane->number),
        log_string("table", table), log_string("class", dberror_class_name(class)),
        log_string("error", error), log_int("retry_in_ms", delay_ms),
        log_int("failures", failures));
}

static void lane_back_off(struct lane *lane, enum dberror_class class)
{
    uint32_t delay_ms = next_delay(lane->dispatch, &lane->backoff, paces[class], class);
    lane_move(lane, LANE_BACKS_OFF);
    uv_timer_start(&lane->timer, on_backoff_over, delay_ms, 0);
    log_wait(lane, class, "", lane->request.error.text, delay_ms, lane->backoff.failures);
}

static void pause_table(struct lane *lane, enum dberror_class class, const char *error)
{
    struct dispatch *dispatch = lane->dispatch;
    const struct table *table = lane->request.batch.table;
    struct lane *owner = &dispatch->lanes[lane->turn];
    struct pause *pause = &owner->pauses[table_number(table)];
    uint32_t delay_ms = next_delay(dispatch, &pause->backoff, paces[class], class);
    pause->is_on = true;
    pause->class = class;
    pause->until_ms = now_ms(dispatch) + delay_ms;
    outbox_pause(dispatch->settings.outbox, owner->number, table, true);
    log_wait(owner, class, table->name, error, delay_ms, pause->backoff.failures);
}

/* Row i of the request failed alone. */
static void set_aside(struct lane *lane, size_t i, enum dberror_class class, const char *error)
{
    struct dispatch *dispatch = lane->dispatch;
    struct batch *batch = &lane->request.batch;
    const struct row *row = batch->rows[i];
    struct backoff backoff = {.failures = outbox_trial(batch, i)->failures};
    struct pace pace = class == DBERROR_OPERATOR ? paces[class] : aside_pace;
    uint32_t delay_ms = next_delay(dispatch, &backoff, pace, class);
    LOG(dispatch->settings.logger, WARN, "row waits alone: the store could not take it",
        log_string("table", row->table->name), log_text("uid", row_uid(row)),
        log_string("class", dberror_class_name(class)), log_string("error", error),
        log_int("retry_in_ms", delay_ms), log_int("failures", backoff.failures));
    outbox_set_aside(dispatch->settings.outbox, batch, i, now_ms(dispatch) + delay_ms);
}

/* The row of the refusal is done with. */
static void bury(struct lane *lane, const struct refusal *refusal)
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

/* The time of day may have been set back meanwhile. */
static void observe_lag(struct metrics *metrics, int64_t lag_us)
{
    histogram_observe(&metrics->lag_us, lag_us > 0 ? (uint64_t)lag_us : 0);
}

static void count_tally(struct metrics *metrics, const struct store_tally *tally)
{
    metrics->database_connects += tally->connects;
    for (unsigned class = 0; class < DBERROR_CLASS_COUNT; class ++) {
        metrics->reconnects[class] += tally->reconnects[class];
        metrics->database_errors[class] += tally->errors[class];
    }
}

static void count_batch(const struct dispatch_settings *settings, size_t rows, uint64_t write_us)
{
    settings->ledger->batches++;
    histogram_observe(&settings->metrics->batch_rows, rows);
    histogram_observe(&settings->metrics->commit_us, write_us);
}

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
        observe_lag(settings->metrics, now_us - request->batch.rows[i]->received_us);
        outbox_done(settings->outbox, &request->batch, i);
    }
    settings->ledger->rows[table_number(request->batch.table)].written += written;
    return written;
}

/* The table takes rows: what it refuses from now on is wrong by itself. */
static void learn_taken(struct lane *lane, struct experience *experience, size_t written)
{
    struct dispatch *dispatch = lane->dispatch;
    const struct table *table = lane->request.batch.table;
    struct lane *owner = &dispatch->lanes[lane->turn];
    struct pause *pause = &owner->pauses[table_number(table)];
    experience->taken += written;
    experience->refused = 0;
    if (lane->alone || pause->backoff.failures == 0)
        return;
    backoff_reset(&pause->backoff);
    LOG(dispatch->settings.logger, INFO, "the store takes rows again",
        log_string("store", dispatch->settings.store->name), log_int("lane", owner->number),
        log_string("table", table->name));
}

/* Whether the row is believed to be wrong, rather than its table: the table has taken others since it
 * was refused first, or there are only few, which were refused time and again. */
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

/* Those that are not believed yet wait; *open of them. */
static void settle_refusals(struct lane *lane, struct experience *experience, size_t written,
                            size_t *open)
{
    struct store_request *request = &lane->request;
    size_t refused = 0;
    for (size_t i = 0; i < request->refusal_count; i++)
        refused += request->fates[request->refusals[i].row] == ROW_REFUSED;
    for (size_t i = 0; i < request->refusal_count; i++) {
        const struct refusal *refusal = &request->refusals[i];
        bool is_alone = request->fates[refusal->row] == ROW_ALONE;
        if (!is_alone && is_proven(lane->dispatch, experience,
                                   outbox_trial(&request->batch, refusal->row), refused, written)) {
            bury(lane, refusal);
            experience->refused++;
        } else if (is_alone || lane->alone) {
            set_aside(lane, refusal->row, refusal->class, refusal->text);
        } else {
            ++*open;
        }
    }
}

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
    pause_table(lane, is_table ? DBERROR_OPERATOR : DBERROR_ROW, why.text);
}

/* Moves every row of the answered request out of flight. */
static void settle_rows(struct lane *lane)
{
    struct dispatch *dispatch = lane->dispatch;
    struct store_request *request = &lane->request;
    struct batch *batch = &request->batch;
    if (batch->count == 0)
        return;
    struct experience *experience = &dispatch->experiences[table_number(batch->table)][batch->mode];
    size_t before = experience->refused, open = 0;
    size_t written = settle_written(lane);
    settle_refusals(lane, experience, written, &open);
    if (written > 0)
        learn_taken(lane, experience, written);
    if (written > 0 || experience->refused > before)
        dispatch->progress_ms = now_ms(dispatch);

    bool failed = request->error.code != ERROR_NONE;
    bool is_culprit = failed && request->class == DBERROR_RECONNECT && lane->max_rows == 1;
    if (batch->entries[0] != NULL && failed && (lane->alone ? request->others_may : is_culprit))
        set_aside(lane, 0, request->class, request->error.text);
    else if (failed && request->others_may)
        pause_table(lane, request->class, request->error.text);
    else if (open > 0)
        pause_refused(lane, before + open);
    outbox_return(dispatch->settings.outbox, batch);
}

static void lane_succeeded(struct lane *lane)
{
    struct dispatch_settings *settings = &lane->dispatch->settings;
    if (lane->failing)
        LOG(settings->logger, INFO, "the store takes rows again",
            log_string("store", settings->store->name), log_int("lane", lane->number));
    lane->failing = false;
    backoff_reset(&lane->backoff);
    if (lane->max_rows < settings->batch_max_rows)
        lane->max_rows++;
    lane_move(lane, LANE_IDLE);
}

static void lane_failed(struct lane *lane)
{
    struct dispatch *dispatch = lane->dispatch;
    enum dberror_class class = lane->request.class;
    lane->failing = true;
    lane->class = class;
    if (class == DBERROR_RECONNECT && lane->max_rows > 1)
        lane->max_rows /= 2;
    if (dispatch->stopping)
        lane_move(lane, LANE_IDLE);
    else
        lane_back_off(lane, class);
}

/* A failure is an answer, too: rows must not wait for a question. */
static void settle_listing(struct lane *lane)
{
    struct dispatch *dispatch = lane->dispatch;
    struct store_request *request = &lane->request;
    if (request->listing == NULL)
        return;
    dispatch->listing = NULL;
    dispatch->asked = false;
    if (!dispatch->stopping)
        dispatch->answered(dispatch->answered_context, request->error.code == ERROR_NONE);
}

/* It may have given back rows that others can take now. */
static void on_answer(struct store_request *request)
{
    struct lane *lane = request->owner;
    struct dispatch *dispatch = lane->dispatch;
    size_t rows = request->batch.count;
    bool failed = request->error.code != ERROR_NONE;
    lane->heard = true;
    count_tally(dispatch->settings.metrics, &request->tally);
    settle_rows(lane);
    settle_listing(lane);
    dispatch->settings.ledger->failures += failed;
    if (rows > 0 && !failed)
        count_batch(&dispatch->settings, rows, request->write_us);
    if (!failed || request->others_may)
        lane_succeeded(lane);
    else
        lane_failed(lane);
    dispatch_wake(dispatch);
    wait_for_later(dispatch);
    uv_async_send(&dispatch->settle);
    dispatch->settings.progress(dispatch->settings.context);
}

static bool all_idle(const struct dispatch *dispatch)
{
    for (unsigned i = 0; i < dispatch->lane_count; i++) {
        if (dispatch->lanes[i].state != LANE_IDLE)
            return false;
    }
    return true;
}

static void on_settle(uv_async_t *async)
{
    struct dispatch *dispatch = async->data;
    struct outbox_counts counts = outbox_counts(dispatch->settings.outbox);
    if (dispatch->drained != NULL && counts.pending + counts.in_flight == 0 &&
        dispatch->listing == NULL) {
        void (*drained)(void *context) = dispatch->drained;
        dispatch->drained = NULL;
        drained(dispatch->drained_context);
    } else if (dispatch->stopped != NULL && all_idle(dispatch)) {
        void (*stopped)(void *context) = dispatch->stopped;
        dispatch->stopped = NULL;
        stopped(dispatch->stopped_context);
    }
}

static void free_dispatch(struct dispatch *dispatch)
{
    for (unsigned i = 0; i < dispatch->lane_count; i++) {
        batch_fini(&dispatch->lanes[i].request.batch);
        free(dispatch->lanes[i].request.fates);
        free(dispatch->lanes[i].request.refusals);
    }
    free(dispatch);
}

static enum error_code lane_init(struct lane *lane, struct dispatch *dispatch, unsigned number,
                                 struct error *err)
{
    size_t rows = dispatch->settings.batch_max_rows;
    lane->dispatch = dispatch;
    lane->number = number;
    lane->turn = number;
    lane->max_rows = rows;
    lane->request.owner = lane;
    lane->request.done = on_answer;
    enum error_code code = batch_init(&lane->request.batch, rows, err);
    if (code != ERROR_NONE)
        return code;
    lane->request.fates = calloc(rows, sizeof(*lane->request.fates));
    lane->request.refusals = calloc(rows, sizeof(*lane->request.refusals));
    if (lane->request.fates == NULL || lane->request.refusals == NULL)
        return error_set(err, ERROR_NOMEM, "no memory for a batch of %zu rows", rows);
    return ERROR_NONE;
}

static void open_handles(struct dispatch *dispatch, uv_loop_t *loop)
{
    for (unsigned i = 0; i < dispatch->lane_count; i++) {
        uv_timer_init(loop, &dispatch->lanes[i].timer);
        dispatch->lanes[i].timer.data = &dispatch->lanes[i];
    }
    uv_timer_init(loop, &dispatch->later);
    dispatch->later.data = dispatch;
    dispatch->settle.data = dispatch;
    dispatch->open_handles = dispatch->lane_count + 2;
    dispatch->progress_ms = now_ms(dispatch);
}

enum error_code dispatch_new(uv_loop_t *loop, const struct dispatch_settings *settings,
                             struct dispatch **result, struct error *err)
{
    unsigned lanes = settings->store->lanes;
    struct dispatch *dispatch = calloc(1, sizeof(*dispatch) + lanes * sizeof(struct lane));
    if (dispatch == NULL)
        return error_set(err, ERROR_NOMEM, "no memory for %u lanes", lanes);
    dispatch->settings = *settings;
    dispatch->lane_count = lanes;
    if (dispatch->settings.batch_max_rows > settings->store->max_batch_rows)
        dispatch->settings.batch_max_rows = settings->store->max_batch_rows;
    for (unsigned i = 0; i < lanes; i++) {
        enum error_code code = lane_init(&dispatch->lanes[i], dispatch, i, err);
        if (code != ERROR_NONE) {
            free_dispatch(dispatch);
            return code;
        }
    }
    int status = uv_async_init(loop, &dispatch->settle, on_settle);
    if (status != 0) {
        free_dispatch(dispatch);
        return error_set(err, ERROR_AGAIN, "the event loop: %s", uv_strerror(status));
    }
    open_handles(dispatch, loop);
    *result = dispatch;
    return ERROR_NONE;
}

void dispatch_start(struct dispatch *dispatch)
{
    for (unsigned i = 0; i < dispatch->lane_count; i++)
        lane_write(&dispatch->lanes[i]);
}

void dispatch_wake(struct dispatch *dispatch)
{
    for (unsigned i = 0; i < dispatch->lane_count; i++)
        lane_wake(&dispatch->lanes[i]);
}

void dispatch_retry(struct dispatch *dispatch)
{
    for (unsigned i = 0; i < dispatch->lane_count; i++) {
        struct lane *lane = &dispatch->lanes[i];
        backoff_reset(&lane->backoff);
        if (lane->state == LANE_BACKS_OFF)
            uv_timer_start(&lane->timer, on_backoff_over, 0, 0);
        for (size_t table = 0; table < TABLE_COUNT; table++)
            lane->pauses[table].until_ms = 0;
    }
    wait_for_later(dispatch);
}

void dispatch_drain(struct dispatch *dispatch, void (*drained)(void *context), void *context)
{
    dispatch->draining = true;
    dispatch->drained = drained;
    dispatch->drained_context = context;
    for (unsigned i = 0; i < dispatch->lane_count; i++) {
        struct lane *lane = &dispatch->lanes[i];
        if (lane->state == LANE_BACKS_OFF && may_hurry(lane->class))
            uv_timer_start(&lane->timer, on_backoff_over, 0, 0);
        else
            lane_wake(lane);
        for (size_t table = 0; table < TABLE_COUNT; table++) {
            if (may_hurry(lane->pauses[table].class))
                lane->pauses[table].until_ms = 0;
        }
    }
    wait_for_later(dispatch);
    uv_async_send(&dispatch->settle);
}

void dispatch_stop(struct dispatch *dispatch, void (*stopped)(void *context), void *context)
{
    dispatch->stopping = true;
    dispatch->drained = NULL;
    dispatch->stopped = stopped;
    dispatch->stopped_context = context;
    for (unsigned i = 0; i < dispatch->lane_count; i++) {
        struct lane *lane = &dispatch->lanes[i];
        uv_timer_stop(&lane->timer);
        if (lane->state == LANE_LINGERS || lane->state == LANE_BACKS_OFF)
            lane_move(lane, LANE_IDLE);
    }
    uv_timer_stop(&dispatch->later);
    if (!all_idle(dispatch))
        dispatch->settings.store->abort(dispatch->settings.store);
    uv_async_send(&dispatch->settle);
}

void dispatch_list(struct dispatch *dispatch, struct store_listing *listing,
                   void (*answered)(void *context, bool ok), void *context)
{
    invariant(dispatch->listing == NULL);
    dispatch->listing = listing;
    dispatch->answered = answered;
    dispatch->answered_context = context;
    dispatch_wake(dispatch);
}

bool dispatch_is_healthy(const struct dispatch *dispatch)
{
    for (unsigned i = 0; i < dispatch->lane_count; i++) {
        if (dispatch->lanes[i].failing)
            return false;
        for (size_t table = 0; table < TABLE_COUNT; table++) {
            if (dispatch->lanes[i].pauses[table].backoff.failures > 0)
                return false;
        }
    }
    return true;
}

bool dispatch_needs_a_person(const struct dispatch *dispatch)
{
    for (unsigned i = 0; i < dispatch->lane_count; i++) {
        if (!dispatch->lanes[i].failing || dispatch->lanes[i].class != DBERROR_OPERATOR)
            return false;
    }
    return true;
}

bool dispatch_is_stuck(const struct dispatch *dispatch)
{
    struct outbox_counts counts = outbox_counts(dispatch->settings.outbox);
    if (counts.pending == 0 || counts.in_flight > 0 || !any_is_well(dispatch) ||
        now_ms(dispatch) - dispatch->progress_ms < STUCK_MS)
        return false;
    for (unsigned i = 0; i < dispatch->lane_count; i++) {
        if (outbox_pending(dispatch->settings.outbox, i) > 0)
            return false;
    }
    return true;
}

bool dispatch_is_up(const struct dispatch *dispatch)
{
    for (unsigned i = 0; i < dispatch->lane_count; i++) {
        if (!dispatch->lanes[i].heard)
            return false;
    }
    return dispatch_is_healthy(dispatch);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct dispatch *dispatch = handle->data;
    if (--dispatch->open_handles > 0)
        return;
    void (*closed)(void *context) = dispatch->closed;
    void *context = dispatch->closed_context;
    free_dispatch(dispatch);
    closed(context);
}

void dispatch_close(struct dispatch *dispatch, void (*closed)(void *context), void *context)
{
    invariant(all_idle(dispatch));
    dispatch->closed = closed;
    dispatch->closed_context = context;
    for (unsigned i = 0; i < dispatch->lane_count; i++) {
        dispatch->lanes[i].timer.data = dispatch;
        uv_close((uv_handle_t *)&dispatch->lanes[i].timer, on_handle_closed);
    }
    uv_close((uv_handle_t *)&dispatch->later, on_handle_closed);
    uv_close((uv_handle_t *)&dispatch->settle, on_handle_closed);
}
