/* fake_store: a store in memory that fails on demand, for tests of what stands in front of a store.
 *
 * It keeps rows as the database does: merged by uid, by row_merge(). It checks its caller: a lane is
 * idle when it is given a batch, and a batch is of one table and mode, sorted, without duplicates.
 * Answers come when the loop runs, never from inside submit. */
#ifndef TEST_UNIT_FAKE_STORE_H
#define TEST_UNIT_FAKE_STORE_H

#include "sidecar/store/store.h"

#include <uv.h>

#define FAKE_STORE_MAX_LANES   8
#define FAKE_STORE_MAX_REFUSED 64

struct fake_store {
    struct store store; /* what the caller gets */

    /* set by the test, at any time */
    size_t
        fail_first; /* these requests fail as a whole, counted from 1 (empty ones too); 0: none */
    size_t fail_last;
    enum dberror_class fail_class;
    const char *refused[FAKE_STORE_MAX_REFUSED]; /* uids of rows that are refused */
    size_t refused_count;
    const char *failing; /* writes of this uid fail for failing_class, with all that is beside it */
    enum dberror_class failing_class;
    bool is_down[FAKE_STORE_MAX_LANES]; /* the lane gets no connection: DBERROR_WAIT */
    bool held;                          /* requests are kept unanswered */
    struct store_description
        description; /* what describe() tells; .connected follows the requests */

    /* for the test to look at */
    size_t requests;                     /* answered so far */
    size_t served[FAKE_STORE_MAX_LANES]; /* of these that had rows, by lane */
    size_t writes;                       /* transactions that went through */
    size_t rows_written;
    bool aborted;
    bool closed;

    /* its own */
    uv_async_t wake;
    struct store_request *waiting[FAKE_STORE_MAX_LANES]; /* oldest first */
    size_t waiting_count;
    bool busy[FAKE_STORE_MAX_LANES];
    struct row **rows;
    size_t row_count;
    size_t row_capacity;
    void (*closed_callback)(void *context);
    void *closed_context;
};

/* The fake is the test's: it can be looked at after it was closed, until fini. */
void fake_store_init(struct fake_store *fake, uv_loop_t *loop, unsigned lanes);
void fake_store_fini(struct fake_store *fake);

void fake_store_fail(struct fake_store *fake, size_t first, size_t last, enum dberror_class class);
void fake_store_refuse(struct fake_store *fake, const char *uid);

/* Keeps the next requests unanswered; and answers them. */
void fake_store_hold(struct fake_store *fake);
void fake_store_release(struct fake_store *fake);

/* NULL: there is none. */
const struct row *fake_store_find(const struct fake_store *fake, const struct table *table,
                                  const char *uid);

#endif
