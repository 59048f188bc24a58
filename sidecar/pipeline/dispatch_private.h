/* dispatch_private: what the files of dispatch share, and nobody else.
 *
 *   dispatch.c          the lanes: what each is to do, and the life of the whole
 *   dispatch_verdict.c  what becomes of the rows of a request that was answered
 *   dispatch_retry.c    when what has failed is tried again: a lane, a table, a row */
#ifndef SIDECAR_DISPATCH_PRIVATE_H
#define SIDECAR_DISPATCH_PRIVATE_H

#include "lib/base/backoff.h"
#include "sidecar/pipeline/dispatch.h"

enum lane_state { LANE_IDLE, LANE_LINGERS, LANE_BUSY, LANE_BACKS_OFF, LANE_STATE_COUNT };

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
    size_t max_rows;  /* of a batch; halved where it loses its connection, grows by success */
    unsigned rows_of; /* of the request: the lane whose rows they are; the one behind it is next */
    bool alone;       /* of the request: its row was set aside before */
    bool heard;       /* there was an answer, good or bad */
    bool failing;     /* the last answer was that it has no connection that can be used */
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
    uv_timer_t due;                /* the next pause is over, or a row that was set aside is due */
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

int64_t dispatch_now_ms(const struct dispatch *dispatch);

/* Moves a lane, as far as its state allows it; hands what there is to do to the store. */
void dispatch_move(struct lane *lane, enum lane_state state);
void dispatch_write(struct lane *lane);

/* ---- dispatch_verdict.c ---- */

/* Moves every row of the answered request out of flight. */
void verdict_settle_rows(struct lane *lane);

/* ---- dispatch_retry.c ---- */

/* The lane has no connection that it can write over: the same again after a delay. */
void retry_lane(struct lane *lane, enum dberror_class class);

/* The table of the lane's request took no row: those of the lane that owns them are left alone for a
 * delay. */
void retry_table(struct lane *lane, enum dberror_class class, const char *error);

/* The table takes rows. */
void retry_table_taken(struct lane *lane);

/* Row i of the request failed by itself: it is set aside. */
void retry_row(struct lane *lane, size_t i, enum dberror_class class, const char *error);

/* Starts the timer for what is due next, a table or a row that was set aside. To be called when that may
 * have changed. */
void retry_await(struct dispatch *dispatch);

/* Ends the waiting of a lane and its tables, where it is not for a person; or wherever, if `all`. */
void retry_hasten(struct lane *lane, bool all);

#endif
