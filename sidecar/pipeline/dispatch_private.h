/* dispatch_private: what the files of dispatch share; no other file includes it.
 *
 *   dispatch.c          the lanes: what each is to do; starting, draining, stopping and closing
 *   dispatch_verdict.c  what becomes of the rows of a request that was answered
 *   dispatch_retry.c    when a lane, a table or a row is tried again after a failure */
#ifndef SIDECAR_DISPATCH_PRIVATE_H
#define SIDECAR_DISPATCH_PRIVATE_H

#include "lib/base/backoff.h"
#include "sidecar/pipeline/dispatch.h"

enum lane_state { LANE_IDLE, LANE_LINGERS, LANE_BUSY, LANE_BACKS_OFF, LANE_STATE_COUNT };

/* The pause of a table that took none of a lane's rows. Times are those of dispatch_now_ms(). */
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
    uv_timer_t timer; /* the end of lingering or of back-off */
    struct backoff backoff;
    size_t max_rows;  /* of a batch: halved by a lost connection, one more by each success */
    unsigned rows_of; /* the lane whose rows the last batch had; next_owner() begins after it */
    bool alone;       /* the request has one row, which was set aside before */
    bool heard;       /* the store has answered once, good or bad */
    bool failing;     /* by the last answer it has no connection that can be used */
    enum dberror_class class;         /* why it is failing */
    struct pause pauses[TABLE_COUNT]; /* of this lane's rows in the outbox */
};

/* How many rows of one mode a table has taken and refused. By mode, because the grants may allow an UPDATE
 * and no INSERT. */
struct experience {
    uint64_t taken;
    size_t refused; /* rows that became dead letters since it took one */
};

struct dispatch {
    struct dispatch_settings settings;
    uv_async_t settle; /* calls drained() and stopped() from the loop */
    uv_timer_t due;    /* fires when a pause is over, or a row that was set aside is due */
    struct store_listing *listing; /* it waits for a lane, or is with one; NULL: none */
    bool asked;                    /* the listing is with a lane */
    void (*answered)(void *context, bool ok);
    void *answered_context;
    struct experience experiences[TABLE_COUNT][ROW_MODE_COUNT];
    int64_t progress_ms; /* when a row has left the outbox for the last time */
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

/* Returns the loop's clock, which is monotonic, in milliseconds. */
int64_t dispatch_now_ms(const struct dispatch *dispatch);

/* Moves the lane to another state; which moves are allowed is in lane_moves[]. */
void dispatch_move(struct lane *lane, enum lane_state state);

/* Submits a request of the lane to the store, and moves the lane to LANE_BUSY. */
void dispatch_write(struct lane *lane);

/* ---- dispatch_verdict.c ---- */

/* Moves every row of the answered request out of flight. */
void verdict_settle_rows(struct lane *lane);

/* ---- dispatch_retry.c ---- */

/* The lane has no connection that can be used: it backs off, and then writes again. */
void retry_lane(struct lane *lane, enum dberror_class class);

/* The table of the lane's request took no row: it is paused for a delay, in the lane that owns the rows. */
void retry_table(struct lane *lane, enum dberror_class class, const char *error);

/* The table of the lane's request has taken rows: the back-off of its pause begins anew. */
void retry_table_taken(struct lane *lane);

/* Row i of the request failed because of itself: it is set aside for a delay. */
void retry_row(struct lane *lane, size_t i, enum dberror_class class, const char *error);

/* Starts the timer for the table or the row set aside that is due next. To be called when that may have
 * changed. */
void retry_await(struct dispatch *dispatch);

/* Ends the back-off of the lane and the pauses of its tables; without `all`, only those that do not wait for
 * a person to act. */
void retry_hasten(struct lane *lane, bool all);

#endif
