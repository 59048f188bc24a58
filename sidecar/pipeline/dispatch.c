/* dispatch: hands the rows of the outbox to the lanes of the store.
 *
 * Happy path of a lane: it is IDLE. When a row comes, it LINGERS for a moment, so that others can join the
 * row; if a batch is full already, it does not linger. It submits the batch to the store, and is BUSY. When
 * the batch is committed, the rows leave the outbox. If others have come meanwhile, the lane LINGERS again,
 * else it is IDLE.
 *
 * Failure modes (one failure never holds up rows that can be written):
 *   a lane has no connection, or its       its rows go back to the outbox, and it BACKS OFF: the delay
 *   server has no room                     grows with each failure, by the class of trouble. A lane that
 *                                          works writes its rows for it until it works again, too. A row
 *                                          that is in flight is in no queue, so that never two rows of an
 *                                          object are in flight
 *   a row can never be written             it becomes a dead letter, counted and logged with the reason;
 *                                          the others go on. A refusal is believed only once the table
 *                                          takes other rows; until then the row waits
 *   a table takes no row                   the table is paused, the other tables go on; none of its rows
 *                                          is refused
 *   a row fails alone, such as a locked    it is set aside in the outbox, and tried again alone; rows of
 *   one                                    its object that come later wait with it
 *   a batch loses its connection again     the lane's batches are halved, down to the one row that is the
 *   and again                              cause, which is set aside
 *   drain while the database is away       back-off is kept short, except where a person has to act; the
 *                                          caller bounds the time
 *   stop while a lane is BUSY              the write is aborted; stopped() is called when all lanes have
 *                                          their answers
 */
#include "lib/base/histogram.h"
#include "lib/base/invariant.h"
#include "lib/base/memory.h"
#include "sidecar/pipeline/dispatch_private.h"

#include <stdlib.h>

#define BIT(state) (1U << (state))

/* For each state of a lane, the states to which it may go. */
static const unsigned lane_moves[LANE_STATE_COUNT] = {
    [LANE_IDLE] = BIT(LANE_LINGERS) | BIT(LANE_BUSY),
    [LANE_LINGERS] = BIT(LANE_BUSY) | BIT(LANE_IDLE),
    [LANE_BUSY] = BIT(LANE_IDLE) | BIT(LANE_BACKS_OFF),
    [LANE_BACKS_OFF] = BIT(LANE_BUSY) | BIT(LANE_IDLE),
};

/* Dispatch is stuck if no row has left the outbox for so long, though the store answers. */
#define STUCK_MS 20000

void dispatch_move(struct lane *lane, enum lane_state state)
{
    invariant((lane_moves[lane->state] & BIT(state)) != 0);
    lane->state = state;
}

int64_t dispatch_now_ms(const struct dispatch *dispatch)
{
    return (int64_t)uv_now(dispatch->due.loop);
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

/* Returns the lane whose rows this lane writes next: itself, or in turns a lane without a connection.
 * A lane that has no connection itself only writes its own rows. NULL: there are no such rows. */
static const struct lane *next_owner(const struct lane *lane)
{
    const struct dispatch *dispatch = lane->dispatch;
    for (unsigned i = 1; i <= dispatch->lane_count; i++) {
        const struct lane *owner = &dispatch->lanes[(lane->rows_of + i) % dispatch->lane_count];
        if ((owner == lane || (owner->failing && !lane->failing)) &&
            outbox_pending(dispatch->settings.outbox, owner->number) > 0)
            return owner;
    }
    return NULL;
}

static bool is_aside_due(const struct dispatch *dispatch)
{
    return outbox_aside_due_ms(dispatch->settings.outbox) <= dispatch_now_ms(dispatch);
}

/* Fills the request with the listing, a row that was set aside, or a batch of rows, in this order; batches
 * and rows that were set aside take turns. An empty request only checks that the store answers. */
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
        return; /* other lanes write its rows: they are not to wait for a connection that may fail again */
    else if ((owner == NULL || !was_alone) && is_aside_due(dispatch))
        lane->alone = outbox_take_aside(outbox, dispatch_now_ms(dispatch), &request->batch);
    else if (owner != NULL) {
        lane->rows_of = owner->number;
        outbox_take(outbox, owner->number, lane->max_rows, dispatch->settings.batch_max_bytes,
                    &request->batch);
    }
}

void dispatch_write(struct lane *lane)
{
    struct dispatch *dispatch = lane->dispatch;
    fill_request(lane);
    dispatch_move(lane, LANE_BUSY);
    dispatch->settings.store->submit(dispatch->settings.store, &lane->request);
}

/* Another lane may have taken the rows while this one lingered. */
static void on_linger_over(uv_timer_t *timer)
{
    struct lane *lane = timer->data;
    if (next_owner(lane) != NULL)
        dispatch_write(lane);
    else
        dispatch_move(lane, LANE_IDLE);
}

/* Lets the lane write or linger if it is not busy and there is something to do for it. */
static void lane_wake(struct lane *lane)
{
    struct dispatch *dispatch = lane->dispatch;
    if (dispatch->stopping || (lane->state != LANE_IDLE && lane->state != LANE_LINGERS))
        return;
    const struct lane *owner = next_owner(lane);
    bool at_once = (dispatch->listing != NULL && !dispatch->asked) || is_aside_due(dispatch);
    if (owner == NULL && !at_once)
        return;
    if (at_once || dispatch->draining || dispatch->settings.linger_ms == 0 ||
        outbox_pending(dispatch->settings.outbox, owner->number) >= lane->max_rows) {
        uv_timer_stop(&lane->timer);
        dispatch_write(lane);
    } else if (lane->state == LANE_IDLE) {
        dispatch_move(lane, LANE_LINGERS);
        uv_timer_start(&lane->timer, on_linger_over, dispatch->settings.linger_ms, 0);
    }
}

/* ---- what came of a request -------------------------------------------------------------------- */

static void count(const struct dispatch_settings *settings, const struct store_request *request)
{
    struct metrics *metrics = settings->metrics;
    metrics->database_connects += request->tally.connects;
    for (unsigned class = 0; class < DBERROR_CLASS_COUNT; class ++) {
        metrics->reconnects[class] += request->tally.reconnects[class];
        metrics->database_errors[class] += request->tally.errors[class];
    }
    if (request->error.code != ERROR_NONE) {
        settings->ledger->failures++;
    } else if (request->batch.count > 0) {
        settings->ledger->batches++;
        histogram_observe(&metrics->batch_rows, request->batch.count);
        histogram_observe(&metrics->commit_us, request->write_us);
    }
}

/* The request may have returned rows to the outbox that other lanes can take now: all are woken. */
static void on_answer(struct store_request *request)
{
    struct lane *lane = request->owner;
    struct dispatch *dispatch = lane->dispatch;
    const struct dispatch_settings *settings = &dispatch->settings;
    lane->heard = true;
    count(settings, request);
    verdict_settle_rows(lane);
    if (request->listing !=
        NULL) { /* if it failed, it is not asked for again: rows must not wait */
        dispatch->listing = NULL;
        dispatch->asked = false;
        if (!dispatch->stopping)
            dispatch->answered(dispatch->answered_context, request->error.code == ERROR_NONE);
    }
    bool was_failing = lane->failing;
    lane->failing = request->error.code != ERROR_NONE && !request->others_may;
    if (!lane->failing) { /* the connection can be used, even if the rows of this request failed */
        if (was_failing)
            LOG(settings->logger, INFO, "the store takes rows again",
                log_string("store", settings->store->name), log_int("lane", lane->number));
        backoff_reset(&lane->backoff);
        if (lane->max_rows < settings->batch_max_rows)
            lane->max_rows++;
        dispatch_move(lane, LANE_IDLE);
    } else {
        lane->class = request->class;
        if (lane->class == DBERROR_RECONNECT && lane->max_rows > 1)
            lane->max_rows /= 2;
        if (dispatch->stopping)
            dispatch_move(lane, LANE_IDLE);
        else
            retry_lane(lane, lane->class);
    }
    dispatch_wake(dispatch);
    retry_await(dispatch);
    uv_async_send(&dispatch->settle);
    settings->progress(settings->context);
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
    lane->rows_of = number;
    lane->max_rows = rows;
    lane->request.lane = number;
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

enum error_code dispatch_new(uv_loop_t *loop, const struct dispatch_settings *settings,
                             struct dispatch **result, struct error *err)
{
    unsigned lanes = settings->store->lanes;
    struct dispatch *dispatch = memory_new(sizeof(*dispatch) + lanes * sizeof(struct lane));
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
    for (unsigned i = 0; i < lanes; i++) {
        uv_timer_init(loop, &dispatch->lanes[i].timer);
        dispatch->lanes[i].timer.data = &dispatch->lanes[i];
    }
    uv_timer_init(loop, &dispatch->due);
    dispatch->due.data = dispatch;
    dispatch->settle.data = dispatch;
    dispatch->open_handles = lanes + 2;
    dispatch->progress_ms = dispatch_now_ms(dispatch);
    *result = dispatch;
    return ERROR_NONE;
}

void dispatch_start(struct dispatch *dispatch)
{
    for (unsigned i = 0; i < dispatch->lane_count; i++)
        dispatch_write(&dispatch->lanes[i]);
}

void dispatch_wake(struct dispatch *dispatch)
{
    for (unsigned i = 0; i < dispatch->lane_count; i++)
        lane_wake(&dispatch->lanes[i]);
}

void dispatch_retry(struct dispatch *dispatch)
{
    for (unsigned i = 0; i < dispatch->lane_count; i++) {
        backoff_reset(&dispatch->lanes[i].backoff);
        retry_hasten(&dispatch->lanes[i], true);
    }
    retry_await(dispatch);
}

void dispatch_drain(struct dispatch *dispatch, void (*drained)(void *context), void *context)
{
    dispatch->draining = true;
    dispatch->drained = drained;
    dispatch->drained_context = context;
    for (unsigned i = 0; i < dispatch->lane_count; i++) {
        retry_hasten(&dispatch->lanes[i], false);
        lane_wake(&dispatch->lanes[i]);
    }
    retry_await(dispatch);
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
            dispatch_move(lane, LANE_IDLE);
    }
    uv_timer_stop(&dispatch->due);
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
        dispatch_now_ms(dispatch) - dispatch->progress_ms < STUCK_MS)
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
    uv_close((uv_handle_t *)&dispatch->due, on_handle_closed);
    uv_close((uv_handle_t *)&dispatch->settle, on_handle_closed);
}
