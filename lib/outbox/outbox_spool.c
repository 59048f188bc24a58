/* outbox_spool: which objects of the outbox differ from what the spool has of them.
 *
 *     changed ──▶ DIRTY ──capture──▶ CAPTURED ──stored──▶ (in the spool)
 *                   ▲                    │
 *                   └── failed, or ◀─────┘
 *                       changed again
 *
 * An object that has left the outbox stays as an empty entry until the spool has deleted its record.
 *
 * Failure mode: the spool could not write a capture; its objects become DIRTY again, with their old time. */
#include "lib/outbox/outbox_entry.h"

#include <stdlib.h>

/* Takes the entry out of the dirty list or the list of deletions, if it is in one. */
static void unlist(struct outbox *outbox, struct entry *entry)
{
    if (entry->dirty)
        DL_DELETE2(outbox->dirty, entry, spool_prev, spool_next);
    if (entry->to_delete)
        DL_DELETE2(outbox->deletions, entry, spool_prev, spool_next);
    entry->dirty = false;
    entry->to_delete = false;
}

void outbox_mark_dirty(struct outbox *outbox, struct entry *entry, int64_t since_us)
{
    if (!outbox->limits.spooled || entry->dirty)
        return;
    if (entry->captured) {
        if (!entry->dirty_again)
            entry->dirty_since_us = since_us;
        entry->dirty_again = true;
        return;
    }
    unlist(outbox, entry);
    entry->dirty = true;
    entry->dirty_since_us = since_us;
    DL_APPEND2(outbox->dirty, entry, spool_prev, spool_next);
}

void outbox_retire(struct outbox *outbox, struct entry *entry)
{
    outbox_release(outbox, entry->unsafe_epoch);
    entry->unsafe_epoch = 0;
    if (entry->captured)
        return; /* settle() calls this function again, since the entry is empty */
    unlist(outbox, entry);
    if (!entry->on_disk) {
        HASH_DEL(outbox->parts[table_number(entry->table)].by_uid, entry);
        free(entry);
        return;
    }
    entry->to_delete = true;
    DL_APPEND2(outbox->deletions, entry, spool_prev, spool_next);
}

/* Moves the entry to the captured list, and fills in the record. */
static void capture(struct outbox *outbox, struct entry *entry, struct outbox_record *record)
{
    *record = (struct outbox_record){.table = entry->table, .uid = {entry->uid, entry->uid_length}};
    unlist(outbox, entry);
    DL_APPEND2(outbox->captured, entry, spool_prev, spool_next);
    entry->captured = true;
    entry->captured_rows = !entry_is_empty(entry);
    /* The holds of its rows become one hold of the entry. Rows that come later have holds of their own, since
     * they are not in this capture. */
    for (size_t i = 0; i < ENTRY_ROWS; i++) {
        struct row *row = entry->rows[i];
        if (row == NULL)
            continue;
        entry->unsafe_epoch = outbox_join_holds(outbox, entry->unsafe_epoch, row->epoch);
        row->epoch = 0;
        record->rows[record->row_count++] = row;
    }
}

/* Deletions come first: they free space in the spool, also when it is too full for other records. */
static struct entry *next_due(const struct outbox *outbox, int64_t before_us)
{
    if (outbox->deletions != NULL)
        return outbox->deletions;
    if (outbox->dirty == NULL)
        return NULL;
    return outbox->dirty->dirty_since_us <= before_us ? outbox->dirty : NULL;
}

size_t outbox_capture(struct outbox *outbox, int64_t before_us, size_t max,
                      void (*emit)(void *context, const struct outbox_record *record),
                      void *context)
{
    size_t count = 0;
    struct entry *entry;
    while (count < max && (entry = next_due(outbox, before_us)) != NULL) {
        struct outbox_record record;
        capture(outbox, entry, &record);
        emit(context, &record);
        count++;
    }
    return count;
}

static void settle(struct outbox *outbox, struct entry *entry, bool stored)
{
    DL_DELETE2(outbox->captured, entry, spool_prev, spool_next);
    bool again = entry->dirty_again || !stored;
    entry->captured = false;
    entry->dirty_again = false;
    if (stored) {
        entry->on_disk = entry->captured_rows;
        outbox_release(outbox, entry->unsafe_epoch);
        entry->unsafe_epoch = 0;
    }
    if (entry_is_empty(entry))
        outbox_retire(outbox, entry);
    else if (again)
        outbox_mark_dirty(outbox, entry, entry->dirty_since_us);
}

int64_t outbox_unspooled_since_us(const struct outbox *outbox)
{
    return outbox->dirty != NULL ? outbox->dirty->dirty_since_us : INT64_MAX;
}

bool outbox_has_deletions(const struct outbox *outbox)
{
    return outbox->deletions != NULL;
}

void outbox_captured(struct outbox *outbox, bool stored)
{
    struct entry *entry, *next;
    DL_FOREACH_SAFE2(outbox->captured, entry, next, spool_next)
    {
        settle(outbox, entry, stored);
    }
}

uint64_t outbox_unsafe_epoch(const struct outbox *outbox, const struct row *row)
{
    struct text uid = row_uid(row);
    const struct entry *entry;
    HASH_FIND(hh, outbox->parts[table_number(row->table)].by_uid, uid.data, uid.length, entry);
    uint64_t captured = entry != NULL ? entry->unsafe_epoch : 0;
    if (captured == 0 || row->epoch == 0)
        return captured + row->epoch;
    return captured < row->epoch ? captured : row->epoch;
}

void outbox_recapture(struct outbox *outbox)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        struct entry *entry, *next;
        HASH_ITER(hh, outbox->parts[i].by_uid, entry, next)
        {
            entry->on_disk = false;
            if (!entry_is_empty(entry))
                outbox_mark_dirty(outbox, entry, 0);
            else if (!entry->captured)
                outbox_retire(outbox, entry);
        }
    }
}
