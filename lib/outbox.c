/* outbox: see outbox.h for the states; this file is the only one that moves an entry. */
#include "lib/outbox.h"

#include <stdlib.h>

#define HASH_NONFATAL_OOM          1
#define uthash_nonfatal_oom(entry) ((entry)->keyed = false)
#include <uthash.h>
#include <utlist.h>

#define MODE_COUNT 2

struct entry {
    struct row *row;   /* what is pending or in flight */
    struct row *newer; /* came while row was in flight; NULL if none did */
    bool in_flight;
    bool keyed; /* false: the map found no memory for it */
    unsigned lane;
    struct entry *prev, *next; /* in the queue it is in */
    UT_hash_handle hh;
    size_t uid_length;
    char uid[];
};

/* Rows of one lane, table and mode that wait, the one that has waited longest first. */
struct queue {
    struct entry *head;
    size_t count;
};

/* What belongs to one table. */
struct shelf {
    struct entry *by_uid; /* uthash */
    struct queue *queues; /* [lanes][MODE_COUNT] */
};

struct outbox {
    struct outbox_limits limits;
    struct outbox_counts counts;
    size_t shelf_count;
    struct shelf shelves[]; /* in the order of tables[] */
};

static size_t count_tables(void)
{
    size_t n = 0;
    while (tables[n] != NULL)
        n++;
    return n;
}

static size_t table_number(const struct table *table)
{
    size_t n = 0;
    while (tables[n] != table)
        n++;
    return n;
}

static struct queue *queue_of(struct outbox *outbox, const struct entry *entry)
{
    struct shelf *shelf = &outbox->shelves[table_number(entry->row->table)];
    return &shelf->queues[entry->lane * MODE_COUNT + entry->row->mode];
}

static void enqueue(struct outbox *outbox, struct entry *entry)
{
    struct queue *queue = queue_of(outbox, entry);
    DL_APPEND(queue->head, entry);
    queue->count++;
    outbox->counts.pending++;
}

static void enqueue_first(struct outbox *outbox, struct entry *entry)
{
    struct queue *queue = queue_of(outbox, entry);
    DL_PREPEND(queue->head, entry);
    queue->count++;
    outbox->counts.pending++;
}

static void dequeue(struct outbox *outbox, struct entry *entry)
{
    struct queue *queue = queue_of(outbox, entry);
    DL_DELETE(queue->head, entry);
    queue->count--;
    outbox->counts.pending--;
}

enum error_code outbox_new(const struct outbox_limits *limits, struct outbox **result,
                           struct error *err)
{
    size_t shelf_count = count_tables();
    struct outbox *outbox = calloc(1, sizeof(*outbox) + shelf_count * sizeof(struct shelf));
    if (outbox == NULL)
        return error_set(err, ERROR_NOMEM, "no memory for the outbox");
    outbox->limits = *limits;
    outbox->shelf_count = shelf_count;
    for (size_t i = 0; i < shelf_count; i++) {
        struct shelf *shelf = &outbox->shelves[i];
        shelf->queues = calloc((size_t)limits->lanes * MODE_COUNT, sizeof(struct queue));
        if (shelf->queues == NULL) {
            outbox_free(outbox);
            return error_set(err, ERROR_NOMEM, "no memory for the outbox");
        }
    }
    *result = outbox;
    return ERROR_NONE;
}

void outbox_free(struct outbox *outbox)
{
    if (outbox == NULL)
        return;
    for (size_t i = 0; i < outbox->shelf_count; i++) {
        struct shelf *shelf = &outbox->shelves[i];
        struct entry *entry, *next;
        HASH_ITER(hh, shelf->by_uid, entry, next)
        {
            HASH_DEL(shelf->by_uid, entry);
            row_free(entry->row);
            row_free(entry->newer);
            free(entry);
        }
        free(shelf->queues);
    }
    free(outbox);
}

/* FNV-1a. */
static unsigned lane_of(const struct outbox *outbox, struct text uid)
{
    uint32_t hash = 2166136261U;
    for (size_t i = 0; i < uid.length; i++)
        hash = (hash ^ (unsigned char)uid.data[i]) * 16777619U;
    return hash % outbox->limits.lanes;
}

static enum error_code add_entry(struct outbox *outbox, struct shelf *shelf, struct row *row,
                                 struct error *err)
{
    struct text uid = row_uid(row);
    struct entry *entry = calloc(1, sizeof(*entry) + uid.length);
    if (entry == NULL)
        return error_set(err, ERROR_NOMEM, "no memory for another row in the outbox");
    entry->row = row;
    entry->keyed = true;
    entry->lane = lane_of(outbox, uid);
    entry->uid_length = uid.length;
    memcpy(entry->uid, uid.data, uid.length);
    HASH_ADD(hh, shelf->by_uid, uid[0], entry->uid_length, entry);
    if (!entry->keyed) {
        free(entry);
        return error_set(err, ERROR_NOMEM, "no memory for another row in the outbox");
    }
    enqueue(outbox, entry);
    outbox->counts.bytes += row->bytes;
    return ERROR_NONE;
}

/* Merges row, which came later, into *slot. Takes row over on success. */
static enum error_code merge_into(struct outbox *outbox, struct row **slot, struct row *row,
                                  struct error *err)
{
    struct row *merged;
    enum error_code code = row_merge(*slot, row, &merged, err);
    if (code != ERROR_NONE)
        return code;
    outbox->counts.bytes += merged->bytes;
    outbox->counts.bytes -= (*slot)->bytes;
    outbox->counts.superseded++;
    row_free(*slot);
    row_free(row);
    *slot = merged;
    return ERROR_NONE;
}

static enum error_code keep_for_later(struct outbox *outbox, struct entry *entry, struct row *row,
                                      struct error *err)
{
    if (entry->newer != NULL)
        return merge_into(outbox, &entry->newer, row, err);
    entry->newer = row;
    outbox->counts.bytes += row->bytes;
    outbox->counts.pending++;
    return ERROR_NONE;
}

static enum error_code merge_pending(struct outbox *outbox, struct entry *entry, struct row *row,
                                     struct error *err)
{
    bool changes_queue = entry->row->mode == ROW_UPDATE && row->mode == ROW_UPSERT;
    if (!changes_queue)
        return merge_into(outbox, &entry->row, row, err);
    dequeue(outbox, entry);
    enum error_code code = merge_into(outbox, &entry->row, row, err);
    enqueue(outbox, entry);
    return code;
}

enum error_code outbox_put(struct outbox *outbox, struct row *row, struct error *err)
{
    struct shelf *shelf = &outbox->shelves[table_number(row->table)];
    struct text uid = row_uid(row);
    struct entry *entry;
    HASH_FIND(hh, shelf->by_uid, uid.data, uid.length, entry);

    enum error_code code;
    if (entry == NULL)
        code = add_entry(outbox, shelf, row, err);
    else if (entry->in_flight || entry->newer != NULL)
        code = keep_for_later(outbox, entry, row, err);
    else
        code = merge_pending(outbox, entry, row, err);
    if (code == ERROR_NONE)
        outbox->counts.put++;
    return code;
}

bool outbox_is_full(const struct outbox *outbox)
{
    const struct outbox_counts *counts = &outbox->counts;
    return counts->pending + counts->in_flight >= outbox->limits.max_rows ||
           counts->bytes >= outbox->limits.max_bytes;
}

struct outbox_counts outbox_counts(const struct outbox *outbox)
{
    return outbox->counts;
}

int64_t outbox_oldest_us(const struct outbox *outbox)
{
    int64_t oldest = INT64_MAX;
    for (size_t i = 0; i < outbox->shelf_count; i++) {
        for (const struct entry *entry = outbox->shelves[i].by_uid; entry != NULL;
             entry = entry->hh.next) {
            if (entry->row->received_us < oldest)
                oldest = entry->row->received_us;
        }
    }
    return oldest;
}

size_t outbox_pending(const struct outbox *outbox, unsigned lane)
{
    size_t pending = 0;
    for (size_t i = 0; i < outbox->shelf_count; i++) {
        for (unsigned mode = 0; mode < MODE_COUNT; mode++)
            pending += outbox->shelves[i].queues[lane * MODE_COUNT + mode].count;
    }
    return pending;
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
    for (size_t i = 0; i < outbox->shelf_count; i++) {
        for (unsigned mode = 0; mode < MODE_COUNT; mode++) {
            struct queue *queue = &outbox->shelves[i].queues[lane * MODE_COUNT + mode];
            if (queue->head == NULL)
                continue;
            if (found == NULL || queue->head->row->received_us < found->head->row->received_us)
                found = queue;
        }
    }
    return found;
}

static int compare_uid(const void *a, const void *b)
{
    const struct entry *left = *(void *const *)a;
    const struct entry *right = *(void *const *)b;
    size_t shorter = left->uid_length < right->uid_length ? left->uid_length : right->uid_length;
    int order = memcmp(left->uid, right->uid, shorter);
    if (order != 0 || left->uid_length == right->uid_length)
        return order;
    return left->uid_length < right->uid_length ? -1 : 1;
}

bool outbox_take(struct outbox *outbox, unsigned lane, size_t max_rows, size_t max_bytes,
                 struct batch *batch)
{
    batch->count = 0;
    batch->bytes = 0;
    batch->lane = lane;
    struct queue *queue = longest_waiting(outbox, lane);
    if (queue == NULL)
        return false;

    batch->table = queue->head->row->table;
    batch->mode = queue->head->row->mode;
    if (max_rows > batch->capacity)
        max_rows = batch->capacity;
    while (queue->head != NULL && batch->count < max_rows) {
        struct entry *entry = queue->head;
        if (batch->count > 0 && batch->bytes + entry->row->bytes > max_bytes)
            break;
        dequeue(outbox, entry);
        entry->in_flight = true;
        batch->entries[batch->count++] = entry;
        batch->bytes += entry->row->bytes;
    }
    outbox->counts.in_flight += batch->count;

    /* One lock order for all writers: it is what keeps deadlocks away. */
    qsort(batch->entries, batch->count, sizeof(*batch->entries), compare_uid);
    for (size_t i = 0; i < batch->count; i++)
        batch->rows[i] = ((struct entry *)batch->entries[i])->row;
    return true;
}

/* Row i leaves the batch, whatever becomes of it. */
static struct entry *take_out(struct outbox *outbox, struct batch *batch, size_t i)
{
    struct entry *entry = batch->entries[i];
    batch->entries[i] = NULL;
    batch->rows[i] = NULL;
    entry->in_flight = false;
    outbox->counts.in_flight--;
    return entry;
}

void outbox_done(struct outbox *outbox, struct batch *batch, size_t i)
{
    struct entry *entry = take_out(outbox, batch, i);
    struct shelf *shelf = &outbox->shelves[table_number(entry->row->table)];
    outbox->counts.done++;
    outbox->counts.bytes -= entry->row->bytes;
    row_free(entry->row);
    entry->row = entry->newer;
    entry->newer = NULL;
    if (entry->row != NULL) {
        outbox->counts.pending--; /* it was counted when it came, and is again now */
        enqueue(outbox, entry);
        return;
    }
    HASH_DEL(shelf->by_uid, entry);
    free(entry);
}

/* What came while the entry was in flight goes on top of what comes back. */
static void join_newer(struct outbox *outbox, struct entry *entry)
{
    if (entry->newer == NULL)
        return;
    size_t bytes = entry->newer->bytes;
    if (merge_into(outbox, &entry->row, entry->newer, NULL) != ERROR_NONE)
        return;
    entry->newer = NULL;
    outbox->counts.bytes -= bytes;
    outbox->counts.pending--;
}

void outbox_return(struct outbox *outbox, struct batch *batch)
{
    for (size_t i = batch->count; i-- > 0;) {
        if (batch->entries[i] == NULL)
            continue;
        struct entry *entry = take_out(outbox, batch, i);
        join_newer(outbox, entry);
        enqueue_first(outbox, entry);
    }
    batch->count = 0;
}
