/* outbox: the newest known state of each object that is not yet in the database.
 *
 * Keyed by (table, uid). A newer version of an object replaces the waiting one, so that memory is
 * bounded by the number of live objects, not by the length of an outage.
 *
 * An entry is in one of three states, and only this module moves it:
 *
 *     put ──▶ PENDING ──take──▶ IN FLIGHT ──done──▶ (gone)
 *                ▲                  │
 *                └───── return ─────┘
 *
 * A row that could not be written because of itself is set aside: it is PENDING too, but waits for a
 * time of its own and is then taken alone, so that it does not hold up the others. What comes of its
 * object meanwhile waits with it.
 *
 * While a row of an object is in flight, others of the same object wait behind it: order within one
 * object is kept. What waits is one row, or two: an upsert, and an update that is newer than it (an
 * update makes no row, so an upsert that comes late still has to go before it). */
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
    size_t max_rows;  /* outbox_is_full() from here on */
    size_t max_bytes; /* the same, in bytes of rows */
    unsigned lanes;   /* an object always waits in the same one (by a hash of its uid) */
    struct durability *durability; /* told what is not safe yet; not owned; NULL: nobody asks */
    bool spooled;                  /* there is a spool: what it has not is kept track of */

    /* Microseconds of a clock that is never set, for what is due. NULL: the rows' received_us count. */
    int64_t (*now_us)(void);
};

struct outbox_counts {
    size_t pending;      /* rows that wait */
    size_t in_flight;    /* rows that were taken */
    size_t bytes;        /* of all rows held */
    uint64_t put;        /* rows ever put or restored */
    uint64_t superseded; /* of these: merged into another one */
    uint64_t done; /* of these: left by outbox_done; put = superseded + done + the rows held */
};

/* Rows of one table and mode, sorted by uid, without duplicates: what one transaction writes. */
struct batch {
    const struct table *table;
    enum row_mode mode;
    size_t count;
    size_t bytes;
    struct row **rows; /* borrowed: the outbox owns the rows until done or return */
    void **entries;    /* the outbox's own */
    size_t capacity;
};

struct outbox *outbox_new(const struct outbox_limits *limits);
void outbox_free(struct outbox *outbox); /* frees the rows that are still in it */

/* Takes over row, on success only. */
enum error_code outbox_put(struct outbox *outbox, struct row *row, struct error *err) MUST_CHECK;

/* The same for a row that makes good what came in an earlier epoch, which is held until the call returns
 * (lib/durability): what came then is not safe before the row is. */
enum error_code outbox_put_in_epoch(struct outbox *outbox, struct row *row, uint64_t epoch,
                                    struct error *err) MUST_CHECK;

/* The same for a row that comes from the spool: it is durable already. */
enum error_code outbox_restore(struct outbox *outbox, struct row *row,
                               struct error *err) MUST_CHECK;

/* A soft bound: outbox_put still takes rows, the caller is to pause its source. */
bool outbox_is_full(const struct outbox *outbox);

struct outbox_counts outbox_counts(const struct outbox *outbox);
struct outbox_counts outbox_table_counts(const struct outbox *outbox, const struct table *table);

/* received_us of the oldest row; INT64_MAX if there is none. Looks at every row: for a summary now
 * and then, not for each event. */
int64_t outbox_oldest_us(const struct outbox *outbox);

/* True if one of the rows of the table that are held is such a row. Looks at rows in the order in which
 * their objects came. */
bool outbox_holds(const struct outbox *outbox, const struct table *table,
                  bool (*is_such)(void *context, const struct row *row), void *context);

/* How many rows of the lane can be taken now: none of a paused table, none that was set aside. */
size_t outbox_pending(const struct outbox *outbox, unsigned lane);

/* Whether the lane's rows of a table are left where they are. */
void outbox_pause(struct outbox *outbox, unsigned lane, const struct table *table, bool paused);

/* batch->rows and entries are allocated once, for capacity rows. */
enum error_code batch_init(struct batch *batch, size_t capacity, struct error *err) MUST_CHECK;
void batch_fini(struct batch *batch);

/* Fills batch with pending rows of the lane: of the table and mode that has waited longest, at
 * most max_rows (<= capacity) and max_bytes (but at least one row). False if there is nothing. */
bool outbox_take(struct outbox *outbox, unsigned lane, size_t max_rows, size_t max_bytes,
                 struct batch *batch);

/* Row i of the batch is done with: it is in the database, or it was accounted for elsewhere. Its
 * slot in the batch becomes NULL. */
void outbox_done(struct outbox *outbox, struct batch *batch, size_t i);

/* What was found out about an object since a row of it was written last. */
struct outbox_trial {
    bool aside;        /* it is tried alone, ... */
    uint32_t failures; /* ... was so often in vain, ... */
    int64_t due_ms;    /* ... and is to be again from then on, by the caller's clock */
    uint32_t refusals; /* how often the store has refused it; ... */
    uint64_t taken;    /* ... the first time its table had taken so many rows: the caller's count */
};

/* Of row i of the batch. Valid until the row is done with. */
struct outbox_trial *outbox_trial(const struct batch *batch, size_t i);

/* Row i of the batch goes back, to be tried again alone from due_ms on. Its slot in the batch becomes
 * NULL. */
void outbox_set_aside(struct outbox *outbox, struct batch *batch, size_t i, int64_t due_ms);

/* When the first of those that were set aside is due; INT64_MAX if there is none. */
int64_t outbox_aside_due_ms(const struct outbox *outbox);
size_t outbox_aside(const struct outbox *outbox);

/* Fills batch with the one that has been due for longest. False if none is. */
bool outbox_take_aside(struct outbox *outbox, int64_t now_ms, struct batch *batch);

/* What is left in the batch goes back to the front, under what came meanwhile. Allocates nothing
 * unless two rows have to be merged; where that finds no memory the older one gives way. */
void outbox_return(struct outbox *outbox, struct batch *batch);

#define OUTBOX_RECORD_ROWS 3

/* What the spool is to hold of one object: its rows, in the order in which they are to be written; or
 * none: it is to be deleted. */
struct outbox_record {
    const struct table *table;
    struct text uid;
    const struct row *rows[OUTBOX_RECORD_ROWS];
    size_t row_count;
};

/* Calls record() for objects of which the spool does not know the present state, if that is so since
 * before_us or earlier (of limits.now_us; 0: only what is to be deleted): at most max of
 * them, the longest first. Returns how many. record() must not call the outbox. */
size_t outbox_capture(struct outbox *outbox, int64_t before_us, size_t max,
                      void (*record)(void *context, const struct outbox_record *record),
                      void *context);

/* The answer to all captures since the last one: they are on disk, or nothing of them is. */
void outbox_captured(struct outbox *outbox, bool stored);

/* Since when, of limits.now_us, there is a row that the spool does not have; INT64_MAX if there is none. */
int64_t outbox_unspooled_since_us(const struct outbox *outbox);

/* True if the spool is still to delete something. */
bool outbox_has_deletions(const struct outbox *outbox);

/* The epoch that is held because the object of a row in the outbox is not safe; 0 if it is. */
uint64_t outbox_unsafe_epoch(const struct outbox *outbox, const struct row *row);

/* All that is held is to be written to the spool anew: it has been lost. */
void outbox_recapture(struct outbox *outbox);

#endif
