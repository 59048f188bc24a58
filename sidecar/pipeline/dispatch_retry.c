/* dispatch_retry: when a lane, a table or a row is tried again after a failure (see dispatch_private.h).
 *
 * Each waits independently of the others. Its delay grows with each failure, by the class of trouble:
 *   a lane   backs off by its own timer
 *   a table  is paused in the outbox, for the rows of one lane, by a timer that all tables and rows share
 *   a row    is set aside in the outbox; the same timer, or the next lane that is free, tries it again */
#include "sidecar/base/clock.h"
#include "sidecar/pipeline/dispatch_private.h"

/* How long to wait before the first retry, and at the most (see lib/base/backoff). */
struct pace {
    uint32_t first_ms;
    uint32_t ceiling_ms;
};

/* The pace of each class of trouble. */
static const struct pace paces[] = {
    [DBERROR_RETRY] = {50, 2000},       [DBERROR_RECONNECT] = {100, 10000},
    [DBERROR_ELSEWHERE] = {200, 10000}, [DBERROR_WAIT] = {500, 30000},
    [DBERROR_OPERATOR] = {5000, 60000}, [DBERROR_SPLIT] = {1, 1000},
    [DBERROR_ROW] = {1000, 60000},
};

/* The pace of a row that was set aside. It is slow, because an attempt to write a locked row keeps its lane
 * busy for a second. */
static const struct pace aside_pace = {1000, 30000};

/* While the process drains, no delay is longer than this, unless a person has to act: then an attempt too
 * many may lock the account. */
#define DRAIN_CEILING_MS 250

/* True if an attempt before its time may lock the account, or would only fail in the same way. */
static bool needs_a_person(enum dberror_class class)
{
    return class == DBERROR_OPERATOR || class == DBERROR_ROW;
}

static uint32_t next_delay(const struct dispatch *dispatch, struct backoff *backoff,
                           struct pace pace, enum dberror_class class)
{
    backoff->first_ms = pace.first_ms;
    backoff->ceiling_ms = pace.ceiling_ms;
    uint32_t delay_ms = backoff_next_ms(backoff, clock_random());
    bool is_short = dispatch->draining && !needs_a_person(class);
    return is_short && delay_ms > DRAIN_CEILING_MS ? DRAIN_CEILING_MS : delay_ms;
}

static void log_wait(const struct lane *lane, enum dberror_class class, const char *table,
                     const char *error, uint32_t delay_ms, uint32_t failures)
{
    const struct dispatch_settings *settings = &lane->dispatch->settings;
    const struct outbox_counts counts = outbox_counts(settings->outbox);
    LOG(settings->logger, WARN, "the store takes no rows",
        log_string("store", settings->store->name), log_int("lane", lane->number),
        log_int("waiting", (int64_t)(counts.pending + counts.in_flight)),
        log_string("table", table), log_string("class", dberror_class_name(class)),
        log_string("error", error), log_int("retry_in_ms", delay_ms),
        log_int("failures", failures));
}

/* ---- a lane ------------------------------------------------------------------------------------ */

static void on_backoff_over(uv_timer_t *timer)
{
    dispatch_write(timer->data);
}

void retry_lane(struct lane *lane, enum dberror_class class)
{
    uint32_t delay_ms = next_delay(lane->dispatch, &lane->backoff, paces[class], class);
    dispatch_move(lane, LANE_BACKS_OFF);
    uv_timer_start(&lane->timer, on_backoff_over, delay_ms, 0);
    log_wait(lane, class, "", lane->request.error.text, delay_ms, lane->backoff.failures);
}

void retry_hasten(struct lane *lane, bool all)
{
    if (lane->state == LANE_BACKS_OFF && (all || !needs_a_person(lane->class)))
        uv_timer_start(&lane->timer, on_backoff_over, 0, 0);
    for (size_t table = 0; table < TABLE_COUNT; table++) {
        if (all || !needs_a_person(lane->pauses[table].class))
            lane->pauses[table].until_ms = 0;
    }
}

/* ---- a table ----------------------------------------------------------------------------------- */

void retry_table(struct lane *lane, enum dberror_class class, const char *error)
{
    struct dispatch *dispatch = lane->dispatch;
    const struct table *table = lane->request.batch.table;
    struct lane *owner = &dispatch->lanes[lane->rows_of];
    struct pause *pause = &owner->pauses[table_number(table)];
    uint32_t delay_ms = next_delay(dispatch, &pause->backoff, paces[class], class);
    pause->is_on = true;
    pause->class = class;
    pause->until_ms = dispatch_now_ms(dispatch) + delay_ms;
    outbox_pause(dispatch->settings.outbox, owner->number, table, true);
    log_wait(owner, class, table->name, error, delay_ms, pause->backoff.failures);
}

void retry_table_taken(struct lane *lane)
{
    struct dispatch *dispatch = lane->dispatch;
    const struct table *table = lane->request.batch.table;
    struct lane *owner = &dispatch->lanes[lane->rows_of];
    struct pause *pause = &owner->pauses[table_number(table)];
    if (pause->backoff.failures == 0)
        return;
    backoff_reset(&pause->backoff);
    LOG(dispatch->settings.logger, INFO, "the store takes rows again",
        log_string("store", dispatch->settings.store->name), log_int("lane", owner->number),
        log_string("table", table->name));
}

/* ---- a row ------------------------------------------------------------------------------------- */

void retry_row(struct lane *lane, size_t i, enum dberror_class class, const char *error)
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
    outbox_set_aside(dispatch->settings.outbox, batch, i, dispatch_now_ms(dispatch) + delay_ms);
}

/* ---- what is due next -------------------------------------------------------------------------- */

static void on_due(uv_timer_t *timer)
{
    struct dispatch *dispatch = timer->data;
    const int64_t now_ms = dispatch_now_ms(dispatch);
    for (unsigned i = 0; i < dispatch->lane_count; i++) {
        for (size_t table = 0; table < TABLE_COUNT; table++) {
            struct pause *pause = &dispatch->lanes[i].pauses[table];
            if (!pause->is_on || pause->until_ms > now_ms)
                continue;
            pause->is_on = false;
            outbox_pause(dispatch->settings.outbox, i, tables[table], false);
        }
    }
    dispatch_wake(dispatch);
    retry_await(dispatch);
}

void retry_await(struct dispatch *dispatch)
{
    const int64_t now_ms = dispatch_now_ms(dispatch);
    int64_t due_ms = outbox_aside_due_ms(dispatch->settings.outbox);
    if (due_ms <= now_ms)
        due_ms = INT64_MAX; /* no timer is needed: the next lane that is free takes it */
    for (unsigned i = 0; i < dispatch->lane_count; i++) {
        for (size_t table = 0; table < TABLE_COUNT; table++) {
            const struct pause *pause = &dispatch->lanes[i].pauses[table];
            if (pause->is_on && pause->until_ms < due_ms)
                due_ms = pause->until_ms;
        }
    }
    if (due_ms == INT64_MAX || dispatch->stopping)
        uv_timer_stop(&dispatch->due);
    else
        uv_timer_start(&dispatch->due, on_due, due_ms > now_ms ? (uint64_t)(due_ms - now_ms) : 0,
                       0);
}
