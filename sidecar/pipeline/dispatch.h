/* dispatch: outbox -> store. Decides when a lane writes, and how long it waits after a failure. */
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
    uint32_t linger_ms; /* less than a full batch waits this long for company */

    /* A row that can never be written: to be kept elsewhere. It is in the outbox until this returns. */
    void (*refused)(void *context, const struct row *row, const struct refusal *refusal);

    /* Called after a batch has come back: there may be room in the outbox now. */
    void (*progress)(void *context);
    void *context;
};

enum error_code dispatch_new(uv_loop_t *loop, const struct dispatch_settings *settings,
                             struct dispatch **dispatch, struct error *err) MUST_CHECK;

/* Lets every lane connect, so that trouble shows before the first row comes. */
void dispatch_start(struct dispatch *dispatch);

/* Rows were put into the outbox. Cheap: may be called after every one. */
void dispatch_wake(struct dispatch *dispatch);

/* What stood in the way may be gone: lanes that back off try again at once, and as if for the first
 * time. */
void dispatch_retry(struct dispatch *dispatch);

/* Writes all that is in the outbox, without lingering; drained() once it is empty and no question is
 * open, never from inside this call. */
void dispatch_drain(struct dispatch *dispatch, void (*drained)(void *context), void *context);

/* Gives up what is running and starts nothing more; stopped() once every lane is idle, never from
 * inside this call. What was not written is in the outbox. */
void dispatch_stop(struct dispatch *dispatch, void (*stopped)(void *context), void *context);

/* True if no lane has a connection, and all of them need a person to get one: another try may lock an
 * account. */
bool dispatch_needs_a_person(const struct dispatch *dispatch);

/* True if rows wait that can't be written for reasons of their own, or of their table, though the store
 * answers, and none has left the outbox for long. */
bool dispatch_is_stuck(const struct dispatch *dispatch);

/* Puts a question to the store, between two batches; answered() with whether there is an answer, never
 * from inside this call, and not at all after dispatch_stop(). One at a time. */
void dispatch_list(struct dispatch *dispatch, struct store_listing *listing,
                   void (*answered)(void *context, bool ok), void *context);

/* True if each lane has a connection, and each table takes rows. */
bool dispatch_is_healthy(const struct dispatch *dispatch);

/* True if, besides, each lane has had an answer. */
bool dispatch_is_up(const struct dispatch *dispatch);

/* Closes every handle, frees it, then calls closed(). After dispatch_stop. */
void dispatch_close(struct dispatch *dispatch, void (*closed)(void *context), void *context);

#endif
