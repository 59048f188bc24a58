/* outbox: this file alone moves an entry between its states (see outbox.h).
 *
 * Happy path: outbox_put() adds the row to its entry, which waits in the queue of its lane, table and mode.
 * outbox_take() takes the entries of the queue that has waited longest into a batch. outbox_done() frees the
 * row; an entry without rows is removed, at once or when the spool has deleted its record (outbox_spool.c).
 *
 * Failure modes:
 *   no memory to merge two rows   outbox_put() fails, and no row that waits is lost; where a row goes back
 *                                 from a batch, the older of the two is dropped
 *   the store cannot take rows    outbox_return() puts the batch back to the front
 *   a row fails by itself         outbox_set_aside(): it is tried again alone, at its own time
 */
#include "lib/outbox/outbox.h"

#include "lib/base/invariant.h"
#include "lib/base/memory.h"
#include "lib/outbox/outbox_entry.h"

#include <stdlib.h>

static struct outbox_part *part_of(struct outbox *outbox, const struct table *table)
{
    return &outbox->parts[table_number(table)];
}

static struct outbox_counts *counts_of(struct outbox *outbox, const struct table *table)
{
    return &part_of(outbox, table)->counts;
}

/* The row that is to be written next. */
static struct row *first_waiting(const struct entry *entry)
{
    return entry->waiting[ROW_UPSERT] != NULL ? entry->waiting[ROW_UPSERT]
                                              : entry->waiting[ROW_UPDATE];
}

static struct queue *queue_of(struct outbox *outbox, const struct entry *entry)
{
    struct outbox_part *part = part_of(outbox, entry->table);
    return &part->queues[entry->lane * ROW_MODE_COUNT + first_waiting(entry)->mode];
}

static void enqueue(struct outbox *outbox, struct entry *entry)
{
    entry->turn = ++outbox->turns;
    entry->queue = queue_of(outbox, entry);
    entry->queue->count++;
    DL_APPEND(entry->queue->head, entry);
}

static void dequeue(struct entry *entry)
{
    DL_DELETE(entry->queue->head, entry);
    entry->queue->count--;
    entry->queue = NULL;
}

struct outbox *outbox_new(const struct outbox_limits *limits)
{
    struct outbox *outbox = memory_new(sizeof(*outbox));
    outbox->limits = *limits;
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        struct outbox_part *part = &outbox->parts[i];
        part->queues =
            memory_new_array((size_t)limits->lanes * ROW_MODE_COUNT, sizeof(struct queue));
        part->paused = memory_new_array(limits->lanes, sizeof(*part->paused));
    }
    return outbox;
}

void outbox_free(struct outbox *outbox)
{
    if (outbox == NULL)
        return;
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        struct outbox_part *part = &outbox->parts[i];
        struct entry *entry, *next;
        HASH_ITER(hh, part->by_uid, entry, next)
        {
            HASH_DEL(part->by_uid, entry);
            for (size_t row = 0; row < ENTRY_ROWS; row++)
                row_free(entry->rows[row]);
            free(entry);
        }
        free(part->queues);
        free(part->paused);
    }
    free(outbox);
}

/* The hash is FNV-1a (32 bits). */
static unsigned lane_of(const struct outbox *outbox, struct text uid)
{
    uint32_t hash = 2166136261U;
    for (size_t i = 0; i < uid.length; i++)
        hash = (hash ^ (unsigned char)uid.data[i]) * 16777619U;
    return hash % outbox->limits.lanes;
}

static struct entry *find_or_add(struct outbox *outbox, const struct row *row)
{
    struct outbox_part *part = part_of(outbox, row->table);
    struct text uid = row_uid(row);
    struct entry *entry;
    HASH_FIND(hh, part->by_uid, uid.data, uid.length, entry);
    if (entry != NULL)
        return entry;
    entry = memory_new(sizeof(*entry) + uid.length);
    entry->table = row->table;
    entry->lane = lane_of(outbox, uid);
    entry->uid_length = uid.length;
    memcpy(entry->uid, uid.data, uid.length);
    HASH_ADD(hh, part->by_uid, uid[0], entry->uid_length, entry);
    return entry;
}

void outbox_release(struct outbox *outbox, uint64_t epoch)
{
    if (epoch != 0)
        durability_release(outbox->limits.durability, epoch);
}

uint64_t outbox_join_holds(struct outbox *outbox, uint64_t a, uint64_t b)
{
    if (a == 0 || b == 0)
        return a + b;
    outbox_release(outbox, a < b ? b : a);
    return a < b ? a : b;
}

/* Merges row into *slot; where *slot is empty, it becomes row. is_older: row is older than the row in *slot.
 * Takes row over on success. If there is no memory, both rows stay as they are. */
static enum error_code merge_into(struct outbox *outbox, struct row **slot, struct row *row,
                                  bool is_older, struct error *err)
{
    struct outbox_counts *counts = counts_of(outbox, row->table);
    if (*slot == NULL) {
        *slot = row;
        counts->pending++;
        counts->bytes += row->bytes;
        return ERROR_NONE;
    }
    struct row *merged;
    enum error_code code =
        is_older ? row_merge(row, *slot, &merged, err) : row_merge(*slot, row, &merged, err);
    if (code != ERROR_NONE)
        return code;
    counts->bytes += merged->bytes;
    counts->bytes -= (*slot)->bytes;
    counts->superseded++;
    merged->epoch = outbox_join_holds(outbox, (*slot)->epoch, row->epoch);
    row_free(*slot);
    row_free(row);
    *slot = merged;
    return ERROR_NONE;
}

static bool is_newer(const struct row *row, const struct row *than)
{
    return version_compare(row_version(row), row_version(than)) > 0;
}

/* Merges row with the rows of its object that wait. An update waits in the place of the upsert, if there is one
 * and no other update; an upsert that is newer than the waiting update is merged with that, too. */
static enum error_code put(struct outbox *outbox, struct entry *entry, struct row *row,
                           struct error *err)
{
    struct outbox_counts *counts = counts_of(outbox, row->table);
    struct row **upsert = &entry->waiting[ROW_UPSERT], **update = &entry->waiting[ROW_UPDATE];
    bool is_upsert = row->mode == ROW_UPSERT;
    enum error_code code = ERROR_NONE;
    if (is_upsert && *update != NULL && is_newer(row, *update)) {
        size_t bytes = (*update)->bytes;
        code = merge_into(outbox, upsert, *update, false, err);
        if (code == ERROR_NONE) {
            *update = NULL;
            counts->pending--;
            counts->bytes -= bytes;
        }
    }
    bool joins_upsert = is_upsert || (*upsert != NULL && *update == NULL);
    if (code == ERROR_NONE)
        code = merge_into(outbox, joins_upsert ? upsert : update, row, false, err);
    if (code == ERROR_NONE)
        counts->put++;
    /* An entry that waits keeps its place, unless the mode of the row that is to be written next has changed. */
    if (entry->in_flight == NULL && entry->queue != &outbox->aside &&
        entry->queue != queue_of(outbox, entry)) {
        if (entry->queue != NULL)
            dequeue(entry);
        enqueue(outbox, entry);
    }
    return code;
}

enum error_code outbox_put_in_epoch(struct outbox *outbox, struct row *row, uint64_t epoch,
                                    struct error *err)
{
    struct entry *entry = find_or_add(outbox, row);
    int64_t now_us = outbox->limits.now_us != NULL ? outbox->limits.now_us() : row->received_us;
    row->epoch = epoch;
    if (epoch != 0)
        durability_hold(outbox->limits.durability, epoch);
    enum error_code code = put(outbox, entry, row, err);
    if (code != ERROR_NONE) {
        row->epoch = 0;
        outbox_release(outbox, epoch);
        return code;
    }
    outbox_mark_dirty(outbox, entry, now_us);
    return ERROR_NONE;
}

enum error_code outbox_put(struct outbox *outbox, struct row *row, struct error *err)
{
    const struct durability *durability = outbox->limits.durability;
    uint64_t epoch = durability != NULL ? durability_epoch(durability) : 0;
    return outbox_put_in_epoch(outbox, row, epoch, err);
}

enum error_code outbox_restore(struct outbox *outbox, struct row *row, struct error *err)
{
    struct entry *entry = find_or_add(outbox, row);
    entry->on_disk = true;
    row->epoch = 0;
    return put(outbox, entry, row, err);
}

struct outbox_counts outbox_table_counts(const struct outbox *outbox, const struct table *table)
{
    return outbox->parts[table_number(table)].counts;
}

struct outbox_counts outbox_counts(const struct outbox *outbox)
{
    struct outbox_counts sum = {0};
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        const struct outbox_counts *counts = &outbox->parts[i].counts;
        sum.pending += counts->pending;
        sum.in_flight += counts->in_flight;
        sum.bytes += counts->bytes;
        sum.put += counts->put;
        sum.superseded += counts->superseded;
        sum.done += counts->done;
    }
    return sum;
}

bool outbox_is_full(const struct outbox *outbox)
{
    struct outbox_counts counts = outbox_counts(outbox);
    return counts.pending + counts.in_flight >= outbox->limits.max_rows ||
           counts.bytes >= outbox->limits.max_bytes;
}

bool outbox_holds(const struct outbox *outbox, const struct table *table,
                  bool (*is_such)(void *context, const struct row *row), void *context)
{
    const struct entry *entry = outbox->parts[table_number(table)].by_uid;
    for (; entry != NULL; entry = entry->hh.next) {
        for (size_t i = 0; i < ENTRY_ROWS; i++) {
            if (entry->rows[i] != NULL && is_such(context, entry->rows[i]))
                return true;
        }
    }
    return false;
}

static bool note_oldest(void *context, const struct row *row)
{
    int64_t *oldest_us = context;
    *oldest_us = row->received_us < *oldest_us ? row->received_us : *oldest_us;
    return false;
}

int64_t outbox_oldest_us(const struct outbox *outbox)
{
    int64_t oldest_us = INT64_MAX;
    for (size_t i = 0; i < TABLE_COUNT; i++)
        (void)outbox_holds(outbox, tables[i], note_oldest, &oldest_us);
    return oldest_us;
}

size_t outbox_pending(const struct outbox *outbox, unsigned lane)
{
    size_t pending = 0;
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        const struct outbox_part *part = &outbox->parts[i];
        for (unsigned mode = 0; mode < ROW_MODE_COUNT && !part->paused[lane]; mode++)
            pending += part->queues[lane * ROW_MODE_COUNT + mode].count;
    }
    return pending;
}

void outbox_pause(struct outbox *outbox, unsigned lane, const struct table *table, bool paused)
{
    part_of(outbox, table)->paused[lane] = paused;
}

enum error_code batch_init(struct batch *batch, size_t capacity, struct error *err)
{
    *batch = (struct batch){.capacity = capacity};
    batch->rows = calloc(capacity, sizeof(*batch->rows));
    batch->entries = calloc(capacity, sizeof(*batch->entries));
    if (batch->rows == NULL || batch->entries == NULL) {
        batch_fini(batch);
        return error_set(err, ERROR_NOMEM, "no memory for a batch of %zu rows", capacity);
    }
    return ERROR_NONE;
}

void batch_fini(struct batch *batch)
{
    free(batch->rows);
    free(batch->entries);
    *batch = (struct batch){0};
}

static struct queue *longest_waiting(const struct outbox *outbox, unsigned lane)
{
    struct queue *found = NULL;
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        for (unsigned mode = 0; mode < ROW_MODE_COUNT; mode++) {
            struct queue *queue = &outbox->parts[i].queues[lane * ROW_MODE_COUNT + mode];
            if (queue->head == NULL || outbox->parts[i].paused[lane])
                continue;
            if (found == NULL || queue->head->turn < found->head->turn)
                found = queue;
        }
    }
    return found;
}

static int compare_uid(const void *a, const void *b)
{
    const struct entry *left = *(void *const *)a;
    const struct entry *right = *(void *const *)b;
    return text_compare((struct text){left->uid, left->uid_length},
                        (struct text){right->uid, right->uid_length});
}

/* Moves the row of the entry that is to be written next from waiting to in flight, and into the batch. */
static void begin_flight(struct outbox *outbox, struct entry *entry, struct batch *batch)
{
    struct row *row = first_waiting(entry);
    dequeue(entry);
    entry->waiting[row->mode] = NULL;
    entry->in_flight = row;
    counts_of(outbox, entry->table)->pending--;
    counts_of(outbox, entry->table)->in_flight++;
    batch->bytes += row->bytes;
    batch->entries[batch->count++] = entry;
}

/* Takes row i out of the batch. The caller then owns it. */
static struct row *end_flight(struct outbox *outbox, struct batch *batch, size_t i)
{
    struct entry *entry = batch->entries[i];
    struct row *row = entry->in_flight;
    entry->in_flight = NULL;
    batch->entries[i] = NULL;
    batch->rows[i] = NULL;
    counts_of(outbox, entry->table)->in_flight--;
    counts_of(outbox, entry->table)->bytes -= row->bytes;
    return row;
}

bool outbox_take(struct outbox *outbox, unsigned lane, size_t max_rows, size_t max_bytes,
                 struct batch *batch)
{
    batch->count = 0;
    batch->bytes = 0;
    struct queue *queue = longest_waiting(outbox, lane);
    if (queue == NULL)
        return false;

    batch->table = queue->head->table;
    batch->mode = first_waiting(queue->head)->mode;
    if (max_rows > batch->capacity)
        max_rows = batch->capacity;
    while (queue->head != NULL && batch->count < max_rows) {
        struct entry *entry = queue->head;
        size_t bytes = first_waiting(entry)->bytes;
        if (batch->count > 0 && batch->bytes + bytes > max_bytes)
            break;
        begin_flight(outbox, entry, batch);
    }

    /* All writers lock rows in the order of their uids, so that they do not deadlock. */
    qsort(batch->entries, batch->count, sizeof(*batch->entries), compare_uid);
    for (size_t i = 0; i < batch->count; i++)
        batch->rows[i] = ((struct entry *)batch->entries[i])->in_flight;
    return true;
}

bool outbox_take_aside(struct outbox *outbox, int64_t now_ms, struct batch *batch)
{
    batch->count = 0;
    batch->bytes = 0;
    struct entry *entry = outbox->aside.head;
    if (entry == NULL || entry->trial.due_ms > now_ms)
        return false;
    batch->table = entry->table;
    batch->mode = first_waiting(entry)->mode;
    begin_flight(outbox, entry, batch);
    batch->rows[0] = entry->in_flight;
    return true;
}

int64_t outbox_aside_due_ms(const struct outbox *outbox)
{
    return outbox->aside.head != NULL ? outbox->aside.head->trial.due_ms : INT64_MAX;
}

size_t outbox_aside(const struct outbox *outbox)
{
    return outbox->aside.count;
}

struct outbox_trial *outbox_trial(const struct batch *batch, size_t i)
{
    return &((struct entry *)batch->entries[i])->trial;
}

/* The queue is sorted by due time. It is short most of the time, so that a search from its head will do. */
static void enqueue_aside(struct outbox *outbox, struct entry *entry, int64_t due_ms)
{
    struct entry *later = outbox->aside.head;
    while (later != NULL && later->trial.due_ms <= due_ms)
        later = later->next;
    entry->trial.due_ms = due_ms;
    entry->queue = &outbox->aside;
    entry->queue->count++;
    DL_PREPEND_ELEM(outbox->aside.head, later, entry); /* at the end if `later` is NULL */
}

static void discard(struct outbox *outbox, struct row *row)
{
    outbox_release(outbox, row->epoch);
    row_free(row);
}

void outbox_done(struct outbox *outbox, struct batch *batch, size_t i)
{
    struct entry *entry = batch->entries[i];
    discard(outbox, end_flight(outbox, batch, i));
    counts_of(outbox, entry->table)->done++;
    entry->trial = (struct outbox_trial){0};
    if (entry_is_empty(entry))
        outbox_retire(outbox, entry);
    else
        enqueue(outbox, entry);
}

/* Puts row, which was in flight, back to wait, merged with a newer row of its object if one waits where it
 * belongs. If there is no memory for that, row is dropped. */
static void wait_again(struct outbox *outbox, struct entry *entry, struct row *row)
{
    const struct row *upsert = entry->waiting[ROW_UPSERT];
    bool below_upsert = row->mode == ROW_UPSERT || (upsert != NULL && is_newer(upsert, row));
    struct row **slot = &entry->waiting[below_upsert ? ROW_UPSERT : ROW_UPDATE];
    if (merge_into(outbox, slot, row, true, NULL) == ERROR_NONE)
        return;
    counts_of(outbox, entry->table)->superseded++;
    discard(outbox, row);
}

void outbox_set_aside(struct outbox *outbox, struct batch *batch, size_t i, int64_t due_ms)
{
    struct entry *entry = batch->entries[i];
    wait_again(outbox, entry, end_flight(outbox, batch, i));
    entry->trial.aside = true;
    entry->trial.failures++;
    enqueue_aside(outbox, entry, due_ms);
}

void outbox_return(struct outbox *outbox, struct batch *batch)
{
    for (size_t i = batch->count; i-- > 0;) {
        struct entry *entry = batch->entries[i];
        if (entry == NULL)
            continue;
        wait_again(outbox, entry, end_flight(outbox, batch, i));
        if (entry->trial.aside)
            enqueue_aside(outbox, entry, entry->trial.due_ms);
        else {
            entry->queue = queue_of(outbox, entry);
            entry->queue->count++;
            DL_PREPEND(entry->queue->head, entry);
        }
    }
    batch->count = 0;
}
