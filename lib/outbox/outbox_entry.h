/* outbox_entry: what outbox.c and outbox_spool.c share, and nobody else includes.
 *
 * outbox.c moves rows between waiting and in flight; outbox_spool.c knows which entries differ from
 * what the spool has of them. */
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
    struct row *in_flight;               /* in a batch; NULL if none is */
    struct row *waiting[ROW_MODE_COUNT]; /* by mode: written in this order */
    const struct table *table;
    unsigned lane;
    struct queue *queue;       /* where it waits; NULL while a row of it is in flight */
    struct entry *prev, *next; /* in that queue */
    uint64_t turn;             /* the smaller, the longer it has waited */
    struct outbox_trial trial;

    bool dirty;             /* in the dirty list: the spool has not what is here */
    bool to_delete;         /* in the list of deletions: the spool has what is not here any more */
    bool captured;          /* in the captured list: the spool is being told */
    bool captured_rows;     /* it was told rows, not a deletion */
    bool dirty_again;       /* changed since it was captured */
    bool on_disk;           /* the spool has a record of it */
    int64_t dirty_since_us; /* when a row made it so, of limits.now_us */
    uint64_t unsafe_epoch;  /* held for what was captured and is not known to be safe; 0: none */
    struct entry *spool_prev, *spool_next; /* in one of the three lists */

    UT_hash_handle hh;
    size_t uid_length;
    char uid[];
};

/* Entries of one lane, table and mode that wait, the one that has waited longest first. */
struct queue {
    struct entry *head;
    size_t count;
};

/* What belongs to one table. */
struct outbox_part {
    struct entry *by_uid; /* uthash */
    struct queue *queues; /* [lanes][ROW_MODE_COUNT] */
    bool *paused;         /* [lanes] */
    struct outbox_counts counts;
};

struct outbox {
    struct outbox_limits limits;
    uint64_t turns;          /* that were given */
    struct entry *dirty;     /* in the order in which they became so */
    struct entry *deletions; /* those that the spool is to delete */
    struct entry *captured;
    struct outbox_part parts[TABLE_COUNT]; /* in the order of tables[] */
    struct queue aside; /* those that are tried again alone, the next one first */
};

/* outbox.c */
void outbox_remove_entry(struct outbox *outbox, struct entry *entry);
void outbox_hold(struct outbox *outbox, uint64_t epoch);
void outbox_release(struct outbox *outbox, uint64_t epoch); /* 0: nothing */

static inline bool entry_is_empty(const struct entry *entry)
{
    return entry->in_flight == NULL && entry->waiting[ROW_UPSERT] == NULL &&
           entry->waiting[ROW_UPDATE] == NULL;
}

/* outbox_spool.c */
void outbox_mark_dirty(struct outbox *outbox, struct entry *entry, int64_t since_us);

/* The entry has no rows any more: removes it, at once or when the spool has deleted it. */
void outbox_retire(struct outbox *outbox, struct entry *entry);

#endif
