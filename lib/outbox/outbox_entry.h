/* outbox_entry: what outbox.c and outbox_spool.c share; no other file includes it.
 *
 * outbox.c moves rows between waiting and in flight. outbox_spool.c keeps track of the entries that differ
 * from what the spool has of them. */
#ifndef LIB_OUTBOX_ENTRY_H
#define LIB_OUTBOX_ENTRY_H

#include "lib/base/memory.h"
#include "lib/outbox/durability.h"
#include "lib/outbox/outbox.h"

#define HASH_NONFATAL_OOM   1
#define uthash_malloc(size) memory_new(size)
#include <uthash.h>
#include <utlist.h>

struct queue;

#define ENTRY_ROWS (1 + ROW_MODE_COUNT)
_Static_assert(ENTRY_ROWS == OUTBOX_RECORD_ROWS, "a record has all rows of an entry");

struct entry {
    union {
        struct {
            struct row *in_flight;               /* the row that is in a batch; NULL if none is */
            struct row *waiting[ROW_MODE_COUNT]; /* by mode; NULL if none of the mode waits */
        };
        struct row *rows[ENTRY_ROWS]; /* all rows, in the order in which they are written */
    };
    const struct table *table;
    unsigned lane;
    struct queue *queue; /* the queue in which the entry waits; NULL while a row is in flight */
    struct entry *prev, *next; /* its neighbours in `queue` */
    uint64_t turn; /* its number in the order of waiting: the smallest has waited longest */
    struct outbox_trial trial;

    bool dirty;         /* it is in the dirty list: the spool does not have its present rows */
    bool to_delete;     /* it is in the list of deletions: it has no rows, but the spool has some */
    bool captured;      /* it is in the captured list: the spool is writing its record */
    bool captured_rows; /* the captured record has rows; if not, it is a deletion */
    bool dirty_again;   /* its rows have changed since it was captured */
    bool on_disk;       /* the spool has a record of it */
    int64_t dirty_since_us; /* when it became dirty, by limits.now_us */
    uint64_t unsafe_epoch;  /* the epoch held for captured rows that are not stored yet; 0: none */
    struct entry *spool_prev, *spool_next; /* its neighbours in one of the three lists */

    UT_hash_handle hh;
    size_t uid_length;
    char uid[];
};

/* Entries of one lane, table and mode that wait, the one that has waited longest first. */
struct queue {
    struct entry *head;
    size_t count;
};

/* The entries of one table. */
struct outbox_part {
    struct entry *by_uid; /* uthash */
    struct queue *queues; /* [lanes][ROW_MODE_COUNT] */
    bool *paused;         /* [lanes] */
    struct outbox_counts counts;
};

struct outbox {
    struct outbox_limits limits;
    uint64_t turns;          /* the last turn that was given to an entry */
    struct entry *dirty;     /* dirty entries, in the order in which they became dirty */
    struct entry *deletions; /* empty entries that the spool is to delete */
    struct entry *captured;  /* entries for which the answer of the spool is still to come */
    struct outbox_part parts[TABLE_COUNT]; /* in the order of tables[] */
    struct queue aside;                    /* entries that were set aside, sorted by due time */
};

/* Defined in outbox.c. Epoch 0 is none. To release it does nothing. */
void outbox_release(struct outbox *outbox, uint64_t epoch);

/* Makes one hold of two, and returns its epoch, which is the earlier one of theirs. */
uint64_t outbox_join_holds(struct outbox *outbox, uint64_t a, uint64_t b);

static inline bool entry_is_empty(const struct entry *entry)
{
    for (size_t i = 0; i < ENTRY_ROWS; i++) {
        if (entry->rows[i] != NULL)
            return false;
    }
    return true;
}

/* Defined in outbox_spool.c. */

/* Notes that the spool does not have the entry's present rows, since since_us of limits.now_us. */
void outbox_mark_dirty(struct outbox *outbox, struct entry *entry, int64_t since_us);

/* Removes an entry that has no rows any more: at once, or when the spool has deleted its record. */
void outbox_retire(struct outbox *outbox, struct entry *entry);

#endif
