/* outbox: the newest known state of each object that is not yet in the database.
 *
 * An entry is found by its table and uid. A newer row of an object is merged into the one that waits, so
 * that memory is bounded by the number of live objects, not by the length of an outage.
 *
 * An entry is in one of three states, and only this module moves it:
 *
 *     put ──▶ PENDING ──take──▶ IN FLIGHT ──done──▶ (gone)
 *                ▲                  │
 *                └───── return ─────┘
 *
 * A row that could not be written because of itself is set aside: it is PENDING, too, but waits until its
 * own due time and is then taken alone, so that it does not hold up the others. Rows of the same object that
 * come meanwhile wait with it.
 *
 * While a row of an object is in flight, other rows of that object wait behind it, so that order within one
 * object is kept. At most two rows of an object wait: an upsert, and an update that is newer than it. They
 * are not merged, because an update inserts no row: an upsert that comes late has to be written before it.
 *
 * All functions are called on the loop's thread; the store's threads only read the rows of a batch. */
#ifndef LIB_OUTBOX_H
#define LIB_OUTBOX_H

#include "lib/base/error.h"
#include "lib/rows/row.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct durability;
struct outbox;

struct outbox_limits {
    size_t max_rows;  /* outbox_is_full() is true from this number of rows on */
    size_t max_bytes; /* outbox_is_full() is true from so many bytes of rows on, too */
    unsigned lanes;   /* an object always waits in the same lane (by a hash of its uid) */

    /* It is told which epochs are not safe yet. Not owned. NULL: nobody asks what is safe. */
    struct durability *durability;

    bool spooled; /* there is a spool: the outbox keeps track of what the spool does not have */

    /* The monotonic clock, in microseconds, by which captures are due. NULL: received_us of the row. */
    int64_t (*now_us)(void);
};

/* It always holds that put = superseded + done + pending + in_flight. */
struct outbox_counts {
    size_t pending;      /* rows that wait, with those that were set aside */
    size_t in_flight;    /* rows that were taken into a batch */
    size_t bytes;        /* of all rows that are held */
    uint64_t put;        /* rows ever put or restored */
    uint64_t superseded; /* of the rows put: those that were merged into another row */
    uint64_t done;       /* of the rows put: those that left by outbox_done() */
};

/* Rows of one table and mode, sorted by uid, without duplicates: what one transaction writes. */
struct batch {
    const struct table *table;
    enum row_mode mode;
    size_t count;
    size_t bytes;
    struct row **rows; /* borrowed: the outbox owns them; NULL once a row has left the batch */
    void **entries;    /* for the outbox alone */
    size_t capacity;
};

struct outbox *outbox_new(const struct outbox_limits *limits);
void outbox_free(struct outbox *outbox); /* frees the rows that are still in it */

/* Takes over row, but only on success. ERROR_NOMEM if two rows could not be merged. */
enum error_code outbox_put(struct outbox *outbox, struct row *row, struct error *err) MUST_CHECK;

/* As outbox_put(), for a row that holds an earlier epoch (lib/outbox/durability): the documents of that epoch
 * are not safe before the row is. The caller holds the epoch until the call returns. */
enum error_code outbox_put_in_epoch(struct outbox *outbox, struct row *row, uint64_t epoch,
                                    struct error *err) MUST_CHECK;

/* As outbox_put(), for a row that was read from the spool: it is durable already, and holds no epoch. */
enum error_code outbox_restore(struct outbox *outbox, struct row *row,
                               struct error *err) MUST_CHECK;

/* The bound is soft: outbox_put() still takes rows, but the caller is to pause its source. */
bool outbox_is_full(const struct outbox *outbox);

struct outbox_counts outbox_counts(const struct outbox *outbox);
struct outbox_counts outbox_table_counts(const struct outbox *outbox, const struct table *table);

/* Returns received_us of the oldest row; INT64_MAX if there is none. It looks at every row, and so is not to
 * be called for each event. */
int64_t outbox_oldest_us(const struct outbox *outbox);

/* True if is_such() is true for a row of the table that is in the outbox. It is called for them in the
 * order in which their objects came, until it returns true. */
bool outbox_holds(const struct outbox *outbox, const struct table *table,
                  bool (*is_such)(void *context, const struct row *row), void *context);

/* Returns how many rows of the lane outbox_take() may take now: rows of a paused table and rows that were
 * set aside do not count. */
size_t outbox_pending(const struct outbox *outbox, unsigned lane);

/* While paused, outbox_take() takes none of the lane's rows of the table. */
void outbox_pause(struct outbox *outbox, unsigned lane, const struct table *table, bool paused);

/* Allocates batch->rows and batch->entries once, for `capacity` rows. ERROR_NOMEM if that fails. */
enum error_code batch_init(struct batch *batch, size_t capacity, struct error *err) MUST_CHECK;
void batch_fini(struct batch *batch);

/* Fills batch with pending rows of the lane, of the table and mode whose first row has waited longest: at
 * most max_rows (and the capacity), and at most max_bytes, but at least one row. False if there is none. */
bool outbox_take(struct outbox *outbox, unsigned lane, size_t max_rows, size_t max_bytes,
                 struct batch *batch);

/* Frees row i of the batch, which is in the database or was accounted for in another way. Its slot in the
 * batch becomes NULL. */
void outbox_done(struct outbox *outbox, struct batch *batch, size_t i);

/* What was found out about an object since the last outbox_done() for it. */
struct outbox_trial {
    bool aside;        /* its row was set aside, and is tried alone */
    uint32_t failures; /* how often it was set aside */
    int64_t due_ms;    /* when it is to be tried again, by the caller's clock */
    uint32_t refusals; /* how often the store has refused its row; the caller counts */
    uint64_t taken;    /* rows that the table had taken at the first refusal; the caller counts */
};

/* Returns what is known of the object of row i of the batch. Valid until outbox_done() for the row. */
struct outbox_trial *outbox_trial(const struct batch *batch, size_t i);

/* Row i of the batch goes back to the outbox, to be tried again alone from due_ms on, by the caller's clock.
 * Its slot in the batch becomes NULL. */
void outbox_set_aside(struct outbox *outbox, struct batch *batch, size_t i, int64_t due_ms);

/* Returns when the first of the objects that were set aside is due; INT64_MAX if there is none. */
int64_t outbox_aside_due_ms(const struct outbox *outbox);

/* Returns how many objects are set aside. */
size_t outbox_aside(const struct outbox *outbox);

/* Fills batch with one row, that of the object set aside which has been due for longest. False if none is
 * due at now_ms. */
bool outbox_take_aside(struct outbox *outbox, int64_t now_ms, struct batch *batch);

/* The rows that are left in the batch go back to the front of their queues. Where a newer row of the same
 * object has come meanwhile, the two are merged; if there is no memory for that, the older row is dropped
 * and counted as superseded. */
void outbox_return(struct outbox *outbox, struct batch *batch);

#define OUTBOX_RECORD_ROWS 3

/* What the spool is to hold of one object: its rows, in the order in which they are to be written. If there
 * are none, the spool is to delete the object. */
struct outbox_record {
    const struct table *table;
    struct text uid;
    const struct row *rows[OUTBOX_RECORD_ROWS];
    size_t row_count;
};

/* Calls record() for objects whose present state the spool does not have: first for those that it is to
 * delete, then for those that have differed since before_us (of limits.now_us) or earlier, the longest first.
 * With before_us 0 the latter are only what outbox_recapture() has marked. At most max objects are captured;
 * returns how many were. record() must not call the outbox. */
size_t outbox_capture(struct outbox *outbox, int64_t before_us, size_t max,
                      void (*record)(void *context, const struct outbox_record *record),
                      void *context);

/* To be called when all records since the last call are on disk (stored), or none of them is (not stored). */
void outbox_captured(struct outbox *outbox, bool stored);

/* Returns the time, of limits.now_us, since which there is a row that the spool does not have; INT64_MAX if
 * there is no such row. */
int64_t outbox_unspooled_since_us(const struct outbox *outbox);

/* True if the spool is to delete an object that was not captured yet. */
bool outbox_has_deletions(const struct outbox *outbox);

/* Returns the oldest epoch that is held for the row or for what was captured of its object; 0 if none is. */
uint64_t outbox_unsafe_epoch(const struct outbox *outbox, const struct row *row);

/* The spool has lost what it had: all rows that are held are to be captured anew. */
void outbox_recapture(struct outbox *outbox);

#endif
