/* dispatch: outbox -> store. It decides when a lane writes, and how long it waits after a failure. All of it
 * is on the loop's thread, and so are its callbacks. The words lane, refused and set aside are explained in
 * sidecar/store/store.h. */
#ifndef SIDECAR_DISPATCH_H
#define SIDECAR_DISPATCH_H

#include "lib/account/ledger.h"
#include "lib/account/metrics.h"
#include "lib/base/error.h"
#include "lib/outbox/outbox.h"
#include "sidecar/base/logger.h"
#include "sidecar/store/store.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct dispatch;

struct dispatch_settings {
    struct store *store;
    struct outbox *outbox;
    struct ledger *ledger;
    struct metrics *metrics;
    struct logger *logger;
    size_t batch_max_rows;
    size_t batch_max_bytes;
    uint32_t linger_ms; /* a batch that is not full waits this long for more rows */

    /* The row can never be written, and is to be kept as a dead letter. It is in the outbox until this
     * returns. */
    void (*refused)(void *context, const struct row *row, const struct refusal *refusal);

    /* The store has answered a request: there may be room in the outbox now. */
    void (*progress)(void *context);
    void *context;
};

/* Returns ERROR_NOMEM if there is no memory for the batches; ERROR_AGAIN if the loop has no more handles. */
enum error_code dispatch_new(uv_loop_t *loop, const struct dispatch_settings *settings,
                             struct dispatch **dispatch, struct error *err) MUST_CHECK;

/* Lets every lane connect, so that a failure shows before the first row comes. */
void dispatch_start(struct dispatch *dispatch);

/* To be called when rows were put into the outbox. It is cheap enough to be called after each row. */
void dispatch_wake(struct dispatch *dispatch);

/* To be called when the cause of failures may be gone. Lanes that back off and tables that are paused are
 * tried again at once; the back-off of the lanes begins anew. */
void dispatch_retry(struct dispatch *dispatch);

/* Writes all rows that are in the outbox, without lingering. drained() is called once the outbox is empty
 * and no listing is asked for, never from inside this call. */
void dispatch_drain(struct dispatch *dispatch, void (*drained)(void *context), void *context);

/* Aborts the requests that are running, and starts no more. stopped() is called once every lane is idle,
 * never from inside this call. The rows that were not written are then in the outbox. */
void dispatch_stop(struct dispatch *dispatch, void (*stopped)(void *context), void *context);

/* True if no lane has a connection, and each needs a person to get one (DBERROR_OPERATOR): another attempt
 * may lock the account. */
bool dispatch_needs_a_person(const struct dispatch *dispatch);

/* True if the store answers, but all rows that wait are set aside or of a paused table, and no row has left
 * the outbox for 20 seconds. */
bool dispatch_is_stuck(const struct dispatch *dispatch);

/* Asks the store for the listing, between two batches. answered() gets true if there is an answer; it is not
 * called from inside this call, and not at all after dispatch_stop(). There is one listing at a time. */
void dispatch_list(struct dispatch *dispatch, struct store_listing *listing,
                   void (*answered)(void *context, bool ok), void *context);

/* True if no lane is failing, and each table has taken rows since it was paused last. */
bool dispatch_is_healthy(const struct dispatch *dispatch);

/* True if dispatch_is_healthy(), and each lane has had an answer from the store. */
bool dispatch_is_up(const struct dispatch *dispatch);

/* Closes every handle, frees the dispatch, then calls closed(). To be called after stopped(). */
void dispatch_close(struct dispatch *dispatch, void (*closed)(void *context), void *context);

#endif
