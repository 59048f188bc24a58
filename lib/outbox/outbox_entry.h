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

struct entry {
    struct row *in_flight;               /* the row that is in a batch; NULL if none is */
    struct row *waiting[ROW_MODE_COUNT]; /* by mode; they are written in this order */
    const struct table *table;
    unsigned lane;
    struct queue *queue; /* where it waits; NULL while a row of it is in flight, or it has none */
    struct entry *prev, *next; /* its neighbours in `queue` */
    uint64_t turn; /* a number from outbox->turns: the smaller, the longer it has waited */
    struct outbox_trial trial;

    bool dirty;         /* in the dirty list: the spool does not have its present rows */
    bool to_delete;     /* in the list of deletions: the spool has rows, and it has none any more */
    bool captured;      /* in the captured list: the spool is writing its record */
    bool captured_rows; /* that record has rows; else it is a deletion */
    bool dirty_again;   /* its rows have changed since it was captured */
    bool on_disk;       /* the spool has a record of it */
    int64_t dirty_since_us; /* when it became dirty, by limits.now_us */
    uint64_t unsafe_epoch;  /* held for rows that were captured and are not safe yet; 0: none */
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
    uint64_t turns;                        /* the last turn that was given to an entry */
    struct entry *dirty;                   /* in the order in which they became dirty */
    struct entry *deletions;               /* empty entries that the spool is to delete */
    struct entry *captured;                /* the answer of the spool is still to come */
    struct outbox_part parts[TABLE_COUNT]; /* in the order of tables[] */
    struct queue aside;                    /* entries that were set aside, by due time */
};

/* Defined in outbox.c. Epoch 0 is none: to release it does nothing. */
void outbox_remove_entry(struct outbox *outbox, struct entry *entry);
void outbox_hold(struct outbox *outbox, uint64_t epoch);
void outbox_release(struct outbox *outbox, uint64_t epoch);

static inline bool entry_is_empty(const struct entry *entry)
{
    return entry->in_flight == NULL && entry->waiting[ROW_UPSERT] == NULL &&
           entry->waiting[ROW_UPDATE] == NULL;
}

/* Defined in outbox_spool.c. */

/* Notes that the spool does not have the entry's present rows, since since_us of limits.now_us. */
void outbox_mark_dirty(struct outbox *outbox, struct entry *entry, int64_t since_us);

/* Removes an entry that has no rows any more: at once, or when the spool has deleted its record. */
void outbox_retire(struct outbox *outbox, struct entry *entry);

#endif
