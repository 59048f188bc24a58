/* dispatch: one lane for each writer of the store.
 *
 * Happy path of a lane: IDLE; a row comes: LINGERS for a moment so that others can join it, or not
 * at all where a batch is full already; the batch goes to the store: BUSY; it is committed: the rows
 * leave the outbox; if others have come meanwhile it LINGERS again, else it is IDLE.
 *
 * Failure modes:
 *   the store could not write some rows    they go back to the outbox, the lane BACKS OFF: the
 *                                          delay grows with each failure, by the class of trouble
 *   a row can never be written             counted and logged with the reason; the others go on
 *   the packet is too large (SPLIT)        the lane's batches are halved, no delay
 *   drain while the database is away       back-off is kept short; the caller bounds the time
 *   stop while a lane is BUSY              the write is aborted; stopped() when it has come back
 */
#include "sidecar/pipeline/dispatch.h"

#include "lib/base/backoff.h"
#include "lib/base/invariant.h"
#include "sidecar/base/clock.h"

#include <inttypes.h>
#include <stdlib.h>

/* The lane that questions are put to. */
#define LISTING_LANE 0U

enum lane_state { LANE_IDLE, LANE_LINGERS, LANE_BUSY, LANE_BACKS_OFF, LANE_STATE_COUNT };

#define BIT(state) (1U << (state))

/* From a state to which others a lane may go. */
static const unsigned lane_moves[LANE_STATE_COUNT] = {
    [LANE_IDLE] = BIT(LANE_LINGERS) | BIT(LANE_BUSY),
    [LANE_LINGERS] = BIT(LANE_BUSY) | BIT(LANE_IDLE),
    [LANE_BUSY] = BIT(LANE_IDLE) | BIT(LANE_BACKS_OFF),
    [LANE_BACKS_OFF] = BIT(LANE_BUSY) | BIT(LANE_IDLE),
};

struct lane {
    struct dispatch *dispatch;
    unsigned number;
    enum lane_state state;
    struct store_request request;
    uv_timer_t timer; /* lingering or backing off */
    struct backoff backoff;
    size_t max_rows; /* of a batch; halved by SPLIT, grows again by success */
    bool heard;      /* there was an answer, good or bad */
    bool failing;    /* the last batch came back */
};

struct dispatch {
    struct dispatch_settings settings;
    uv_async_t settle;             /* to call drained and stopped from the loop */
    struct store_listing *listing; /* a question that waits for lane 0, or is with it; NULL: none */
    void (*answered)(void *context, bool ok);
    void *answered_context;
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

/* How long to wait before the first retry and at the most, by the class of trouble. */
struct pace {
    uint32_t first_ms;
    uint32_t ceiling_ms;
};

static const struct pace paces[] = {
    [DBERROR_RETRY] = {50, 2000},       [DBERROR_RECONNECT] = {100, 10000},
    [DBERROR_ELSEWHERE] = {200, 10000}, [DBERROR_WAIT] = {500, 30000},
    [DBERROR_OPERATOR] = {5000, 60000}, [DBERROR_SPLIT] = {1, 1000},
    [DBERROR_ROW] = {1000, 60000},
};

/* While the process is about to end nobody gains by waiting longer than this. */
#define DRAIN_CEILING_MS 250

static void lane_move(struct lane *lane, enum lane_state state)
{
    invariant((lane_moves[lane->state] & BIT(state)) != 0);
    lane->state = state;
}

static void lane_write(struct lane *lane)
{
    struct dispatch *dispatch = lane->dispatch;
    struct store_request *request = &lane->request;
    request->listing = lane->number == LISTING_LANE ? dispatch->listing : NULL;
    request->batch.count = 0;
    request->batch.lane = lane->number;
    if (request->listing == NULL)
        outbox_take(dispatch->settings.outbox, lane->number, lane->max_rows,
                    dispatch->settings.batch_max_bytes, &request->batch);
    lane_move(lane, LANE_BUSY);
    dispatch->settings.store->submit(dispatch->settings.store, &lane->request);
}

static void on_linger_over(uv_timer_t *timer)
{
    lane_write(timer->data);
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
    bool asks = lane->number == LISTING_LANE && dispatch->listing != NULL;
    size_t pending = outbox_pending(dispatch->settings.outbox, lane->number);
    if (pending == 0 && !asks)
        return;
    if (asks || dispatch->draining || dispatch->settings.linger_ms == 0 ||
        pending >= lane->max_rows) {
        uv_timer_stop(&lane->timer);
        lane_write(lane);
    } else if (lane->state == LANE_IDLE) {
        lane_move(lane, LANE_LINGERS);
        uv_timer_start(&lane->timer, on_linger_over, dispatch->settings.linger_ms, 0);
    }
}

static void lane_back_off(struct lane *lane, enum dberror_class class)
{
    struct dispatch *dispatch = lane->dispatch;
    lane->backoff.first_ms = paces[class].first_ms;
    lane->backoff.ceiling_ms = paces[class].ceiling_ms;
    uint32_t delay_ms = backoff_next_ms(&lane->backoff, clock_random());
    if (dispatch->draining && delay_ms > DRAIN_CEILING_MS)
        delay_ms = DRAIN_CEILING_MS;
    lane_move(lane, LANE_BACKS_OFF);
    uv_timer_start(&lane->timer, on_backoff_over, delay_ms, 0);
    LOG(dispatch->settings.logger, WARN, "rows wait: the store could not take them",
        log_string("store", dispatch->settings.store->name), log_int("lane", lane->number),
        log_string("class", dberror_class_name(class)),
        log_string("error", lane->request.error.text), log_int("retry_in_ms", delay_ms),
        log_int("failures", lane->backoff.failures));
}

static void report_refusals(struct lane *lane)
{
    struct dispatch_settings *settings = &lane->dispatch->settings;
    struct store_request *request = &lane->request;
    for (size_t i = 0; i < request->refusal_count; i++) {
        const struct refusal *refusal = &request->refusals[i];
        const struct row *row = request->batch.rows[refusal->row];
        LOG(settings->logger, ERROR, "row refused by the database",
            log_string("table", row->table->name), log_text("uid", row_uid(row)),
            log_text("version", row_version(row)), log_int("errno", refusal->number),
            log_string("error", refusal->text));
        settings->refused(settings->context, row, refusal);
    }
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

/* Moves every row of the answered request out of flight. */
static void settle_rows(struct lane *lane)
{
    struct dispatch_settings *settings = &lane->dispatch->settings;
    struct store_request *request = &lane->request;
    if (request->batch.count == 0)
        return;
    struct ledger_rows *rows = &settings->ledger->rows[table_number(request->batch.table)];
    report_refusals(lane);
    int64_t now_us = clock_now_us();
    for (size_t i = 0; i < request->batch.count; i++) {
        if (request->fates[i] == ROW_WAITS)
            continue;
        if (request->fates[i] == ROW_WRITTEN) {
            rows->written++;
            observe_lag(settings->metrics, now_us - request->batch.rows[i]->received_us);
        } else {
            rows->dead_lettered++;
        }
        outbox_done(settings->outbox, &request->batch, i);
    }
    outbox_return(settings->outbox, &request->batch);
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
    dispatch->settings.ledger->failures++;
    lane->failing = true;
    if (class == DBERROR_SPLIT && lane->max_rows > 1)
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
    if (!dispatch->stopping)
        dispatch->answered(dispatch->answered_context, request->error.code == ERROR_NONE);
}

static void on_answer(struct store_request *request)
{
    struct lane *lane = request->owner;
    struct dispatch *dispatch = lane->dispatch;
    size_t rows = request->batch.count;
    lane->heard = true;
    count_tally(dispatch->settings.metrics, &request->tally);
    settle_rows(lane);
    settle_listing(lane);
    if (request->error.code == ERROR_NONE) {
        if (rows > 0)
            count_batch(&dispatch->settings, rows, request->write_us);
        lane_succeeded(lane);
        lane_wake(lane);
    } else {
        lane_failed(lane);
    }
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
    dispatch->settle.data = dispatch;
    dispatch->open_handles = dispatch->lane_count + 1;
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
    }
}

void dispatch_drain(struct dispatch *dispatch, void (*drained)(void *context), void *context)
{
    dispatch->draining = true;
    dispatch->drained = drained;
    dispatch->drained_context = context;
    for (unsigned i = 0; i < dispatch->lane_count; i++) {
        struct lane *lane = &dispatch->lanes[i];
        if (lane->state == LANE_BACKS_OFF)
            uv_timer_start(&lane->timer, on_backoff_over, 0, 0);
        else
            lane_wake(lane);
    }
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
    lane_wake(&dispatch->lanes[LISTING_LANE]);
}

bool dispatch_is_healthy(const struct dispatch *dispatch)
{
    for (unsigned i = 0; i < dispatch->lane_count; i++) {
        if (dispatch->lanes[i].failing)
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
    struct dispatch *dispatch =
        handle->type == UV_TIMER ? ((struct lane *)handle->data)->dispatch : handle->data;
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
    for (unsigned i = 0; i < dispatch->lane_count; i++)
        uv_close((uv_handle_t *)&dispatch->lanes[i].timer, on_handle_closed);
    uv_close((uv_handle_t *)&dispatch->settle, on_handle_closed);
}
