/* spool: the loop's side of the spool file.
 *
 * Happy path: at a tick the outbox tells what has waited for longer than a tick and is not on disk, and
 * what was on disk and is written by now; one transaction in libuv's thread pool stores the one and
 * deletes the other, with the ledger; the outbox is told that it is safe. When nothing is to be stored
 * any more the file is shrunk, a slice at a time.
 *
 * Failure modes:
 *   it can't be opened (read-only, ...)    the same as a transaction that fails; what it holds is read
 *                                          back once it can be opened
 *   a transaction fails (full disk, ...)   the outbox keeps all as not safe, nothing is acknowledged;
 *                                          tried again with back-off; the source is paused if rows
 *                                          have been without a safe place for some seconds
 *   the file turns out to be damaged       set aside, a new one is begun, all that is in memory is
 *                                          stored anew
 *   a record can't be read at start        it is moved to the quarantine table; the rest goes on
 *   over SPOOL_MAX_BYTES, or the disk is   the source is paused; what is to be forgotten still is
 *   nearly full
 */
#include "sidecar/spool.h"

#include "lib/backoff.h"
#include "lib/invariant.h"
#include "lib/rowjson.h"
#include "sidecar/clock.h"

#include <stdlib.h>

#define TICK_US            100000 /* a row that the database takes within this is never stored */
#define REQUEST_MAX_ITEMS  2048
#define REQUEST_MAX_BYTES  (4U << 20)  /* soft: the record that goes over it is the last */
#define REQUEST_LIMIT      (64U << 20) /* hard, for the buffer */
#define LEDGER_INTERVAL_US 5000000     /* the ledger alone is worth a transaction this often */
#define MIN_FREE_BYTES     (16 << 20)  /* on the disk: less is left for deleting */
#define PATIENCE_US        3000000     /* rows without a safe place for so long pause the source */
#define LOAD_CHUNK         1024
#define MAX_NUMBERS        128

struct item {
    const struct table *table;
    size_t uid, uid_length;   /* in the request's bytes */
    size_t body, body_length; /* the same; 0: forget it */
};

struct letter {
    struct letter *next;
    uint64_t epoch;            /* held until it is stored; 0: none */
    struct dead_letter letter; /* its texts point into bytes */
    struct buffer bytes;
};

struct number {
    char name[64];
    int64_t value;
};

/* What the worker is to do, and its answer. */
struct request {
    struct buffer bytes;
    struct item items[REQUEST_MAX_ITEMS];
    size_t count;
    struct letter *letters;
    struct number numbers[MAX_NUMBERS];
    size_t number_count;
    bool open; /* the file, and nothing else */
    bool shrink;
    bool final; /* of a flush: all that there is */

    struct error error;
    char quarantined[ERROR_TEXT_SIZE]; /* what the damaged one is called now */
    struct spool_usage usage;
    bool more_to_shrink;
};

struct spool {
    struct spool_settings settings;
    uv_loop_t *loop;
    struct spool_file *file;
    struct json *json;
    uv_work_t work;
    bool busy;
    struct request request;
    struct letter *letters; /* wait for the next request */
    struct letter **letters_end;

    struct spool_usage usage;
    struct backoff backoff;
    int64_t retry_at_us;
    bool failing;
    bool shrinking;
    int64_t ledger_stored_us;
    uint64_t ledger_stored; /* documents received when it was */

    bool loaded; /* what was in it at the start has been read back */
    bool numbers_loaded;
    int64_t load_after;
    uint64_t restored[TABLE_COUNT];
    uint64_t quarantined;

    bool flushing;
    void (*flushed)(void *context, bool stored);
    void *flush_context;
    uv_async_t settle; /* to call flushed when there is nothing to do */
    void (*closed)(void *context);
    void *closed_context;
};

static void set_number(void *context, const char *name, uint64_t value)
{
    struct request *request = context;
    invariant(request->number_count < MAX_NUMBERS);
    struct number *number = &request->numbers[request->number_count++];
    size_t length = strlen(name);
    invariant(length < sizeof(number->name));
    memcpy(number->name, name, length + 1);
    number->value = (int64_t)value;
}

static void append_rows(struct buffer *out, const struct outbox_record *record)
{
    buffer_append_char(out, '[');
    for (size_t i = 0; i < record->row_count; i++) {
        if (i > 0)
            buffer_append_char(out, ',');
        rowjson_append(out, record->rows[i]);
    }
    buffer_append_char(out, ']');
}

static void add_item(void *context, const struct outbox_record *record)
{
    struct request *request = context;
    struct item *item = &request->items[request->count++];
    *item = (struct item){.table = record->table, .uid = request->bytes.length};
    buffer_append(&request->bytes, record->uid);
    item->uid_length = record->uid.length;
    item->body = request->bytes.length;
    if (record->row_count > 0)
        append_rows(&request->bytes, record);
    item->body_length = request->bytes.length - item->body;
}

static struct text part(const struct request *request, size_t start, size_t length)
{
    return (struct text){buffer_text(&request->bytes).data + start, length};
}

static enum error_code store_items(struct spool_file *file, const struct request *request,
                                   struct error *err)
{
    enum error_code code = ERROR_NONE;
    for (size_t i = 0; i < request->count && code == ERROR_NONE; i++) {
        const struct item *item = &request->items[i];
        struct text table = text_from(item->table->name);
        struct text uid = part(request, item->uid, item->uid_length);
        if (item->body_length > 0)
            code =
                spool_file_put(file, table, uid, part(request, item->body, item->body_length), err);
        else
            code = spool_file_delete(file, table, uid, err);
    }
    return code;
}

static enum error_code store_rest(struct spool_file *file, const struct request *request,
                                  struct error *err)
{
    enum error_code code = ERROR_NONE;
    for (const struct letter *letter = request->letters; letter != NULL && code == ERROR_NONE;
         letter = letter->next)
        code = spool_file_put_dead(file, &letter->letter, err);
    for (size_t i = 0; i < request->number_count && code == ERROR_NONE; i++)
        code =
            spool_file_put_number(file, request->numbers[i].name, request->numbers[i].value, err);
    return code;
}

static enum error_code store(struct spool_file *file, struct request *request, struct error *err)
{
    enum error_code code = spool_file_begin(file, err);
    if (code == ERROR_NONE)
        code = store_items(file, request, err);
    if (code == ERROR_NONE)
        code = store_rest(file, request, err);
    if (code == ERROR_NONE)
        code = spool_file_commit(file, err);
    if (code != ERROR_NONE)
        spool_file_rollback(file);
    return code;
}

/* In the thread pool: touches nothing but the file and the request. */
static void on_work(uv_work_t *work)
{
    struct spool *spool = work->data;
    struct request *request = &spool->request;
    struct error *err = &request->error;
    enum error_code code = ERROR_NONE;
    if (request->open)
        code = spool_file_open(spool->settings.directory, &spool->file, request->quarantined, err);
    else if (request->bytes.failed)
        code = error_set(err, ERROR_NOMEM, "no memory for what is to be stored");
    else if (request->shrink)
        code = spool_file_shrink(spool->file, &request->more_to_shrink, err);
    else
        code = store(spool->file, request, err);
    if (code == ERROR_NONE)
        code = spool_file_usage(spool->file, &request->usage, err);
    if (code == ERROR_INPUT && spool->file != NULL) {
        spool_file_close(spool->file);
        spool->file = NULL; /* the next request opens it, and sets it aside */
    }
}

static void free_letters(struct spool *spool, struct letter *letter)
{
    while (letter != NULL) {
        struct letter *next = letter->next;
        if (letter->epoch != 0)
            durability_release(spool->settings.durability, letter->epoch);
        buffer_fini(&letter->bytes);
        free(letter);
        letter = next;
    }
}

/* Dead letters that could not be stored go back to the front. */
static void put_letters_back(struct spool *spool)
{
    struct letter *last = spool->request.letters;
    if (last == NULL)
        return;
    while (last->next != NULL)
        last = last->next;
    last->next = spool->letters;
    if (spool->letters == NULL)
        spool->letters_end = &last->next;
    spool->letters = spool->request.letters;
    spool->request.letters = NULL;
}

static void log_trouble(struct spool *spool, uint32_t delay_ms)
{
    const struct request *request = &spool->request;
    LOG(spool->settings.logger, ERROR, "the spool can't be written: rows are only in memory",
        log_string("error", request->error.text), log_int("retry_in_ms", delay_ms),
        log_int("free_bytes", request->usage.free_bytes));
}

static void note_new_file(struct spool *spool)
{
    LOG(spool->settings.logger, ERROR,
        "the spool was damaged: it is set aside, and a new one is begun",
        log_string("set_aside", spool->request.quarantined));
    spool->quarantined++;
    outbox_recapture(spool->settings.outbox);
}

static void settle_success(struct spool *spool)
{
    struct request *request = &spool->request;
    if (spool->failing)
        LOG(spool->settings.logger, INFO, "the spool can be written again");
    spool->failing = false;
    backoff_reset(&spool->backoff);
    free_letters(spool, request->letters);
    request->letters = NULL;
    spool->shrinking =
        request->shrink ? request->more_to_shrink : spool->shrinking || request->count > 0;
}

static void settle_failure(struct spool *spool)
{
    uint32_t delay_ms = backoff_next_ms(&spool->backoff, clock_random());
    spool->failing = true;
    spool->retry_at_us = clock_now_us() + (int64_t)delay_ms * 1000;
    put_letters_back(spool);
    log_trouble(spool, delay_ms);
}

static void end_flush(struct spool *spool, bool stored)
{
    spool->flushing = false;
    spool->flushed(spool->flush_context, stored);
}

static void begin_request(struct spool *spool, int64_t now_us);

static bool has_work(const struct spool *spool)
{
    return outbox_unspooled_since_us(spool->settings.outbox) != INT64_MAX ||
           outbox_has_forgotten(spool->settings.outbox) || spool->letters != NULL;
}

static void on_work_done(uv_work_t *work, int status)
{
    struct spool *spool = work->data;
    struct request *request = &spool->request;
    bool stored = status == 0 && request->error.code == ERROR_NONE;
    spool->busy = false;
    spool->usage = request->usage;
    if (request->quarantined[0] != '\0')
        note_new_file(spool);
    outbox_captured(spool->settings.outbox, stored);
    if (stored)
        settle_success(spool);
    else
        settle_failure(spool);

    if (spool->flushing) {
        if (stored && (!request->final || has_work(spool)))
            begin_request(spool, INT64_MAX);
        else
            end_flush(spool, stored);
        return;
    }
    spool->settings.progress(spool->settings.context);
}

/* Takes from the outbox what is due. */
static void collect(struct spool *spool, int64_t now_us)
{
    struct request *request = &spool->request;
    int64_t before_us = now_us == INT64_MAX ? INT64_MAX - 1 : now_us - TICK_US;
    if (spool->usage.free_bytes < MIN_FREE_BYTES)
        before_us = 0;
    while (request->count < REQUEST_MAX_ITEMS && request->bytes.length < REQUEST_MAX_BYTES) {
        if (outbox_capture(spool->settings.outbox, before_us, 1, add_item, request) == 0)
            break;
    }
}

static bool ledger_is_due(const struct spool *spool, int64_t now_us)
{
    return now_us == INT64_MAX || (now_us - spool->ledger_stored_us > LEDGER_INTERVAL_US &&
                                   ledger_received(spool->settings.ledger) != spool->ledger_stored);
}

static void reset_request(struct request *request)
{
    buffer_reset(&request->bytes);
    request->count = 0;
    request->number_count = 0;
    request->open = false;
    request->shrink = false;
    request->final = false;
    request->error = (struct error){0};
    request->quarantined[0] = '\0';
}

static void take_letters(struct spool *spool)
{
    spool->request.letters = spool->letters;
    spool->letters = NULL;
    spool->letters_end = &spool->letters;
}

static void take_numbers(struct spool *spool)
{
    if (!spool->numbers_loaded)
        return; /* what is on disk is not in them yet */
    ledger_numbers(spool->settings.ledger, spool->settings.outbox, set_number, &spool->request);
    spool->ledger_stored = ledger_received(spool->settings.ledger);
    spool->ledger_stored_us = clock_now_us();
}

/* Makes the request; false if there is nothing to do. */
static bool make_request(struct spool *spool, int64_t now_us)
{
    struct request *request = &spool->request;
    reset_request(request);
    if (spool->file == NULL) {
        request->open = true;
        return true;
    }
    request->final = now_us == INT64_MAX;
    if (!spool->loaded && !request->final)
        return false;
    collect(spool, now_us);
    take_letters(spool);
    if (request->count > 0 || request->letters != NULL || ledger_is_due(spool, now_us))
        take_numbers(spool);
    else if (spool->shrinking)
        request->shrink = true;
    else
        return false;
    return true;
}

static void begin_request(struct spool *spool, int64_t now_us)
{
    if (!make_request(spool, now_us))
        return;
    spool->busy = true;
    int status = uv_queue_work(spool->loop, &spool->work, on_work, on_work_done);
    invariant(status == 0); /* it fails only without a function to call */
}

void spool_tick(struct spool *spool, int64_t now_us)
{
    if (spool->busy || spool->flushing || (spool->failing && now_us < spool->retry_at_us))
        return;
    begin_request(spool, now_us);
}

void spool_bury(struct spool *spool, const struct row *row, const struct refusal *refusal,
                int64_t now_us)
{
    struct letter *letter = calloc(1, sizeof(*letter));
    if (letter == NULL) {
        LOG(spool->settings.logger, ERROR, "no memory to keep a dead letter",
            log_text("uid", row_uid(row)));
        return;
    }
    struct buffer *bytes = &letter->bytes;
    buffer_init(bytes, REQUEST_LIMIT);
    rowjson_append(bytes, row);
    size_t body = bytes->length;
    buffer_append(bytes, row_uid(row));
    size_t uid = bytes->length;
    buffer_append(bytes, row_version(row));
    size_t version = bytes->length;
    buffer_append_string(bytes, refusal->text);
    const char *data = buffer_text(bytes).data;
    letter->letter = (struct dead_letter){
        .at_us = now_us,
        .table = text_from(row->table->name),
        .body = {data, body},
        .uid = {data + body, uid - body},
        .version = {data + uid, version - uid},
        .reason = {data + version, bytes->length - version},
        .number = refusal->number,
    };
    letter->epoch = row->epoch;
    if (letter->epoch != 0)
        durability_hold(spool->settings.durability, letter->epoch);
    *spool->letters_end = letter;
    spool->letters_end = &letter->next;
}

bool spool_is_full(const struct spool *spool)
{
    if (spool->usage.bytes >= spool->settings.max_bytes)
        return true;
    if (!spool->failing && spool->usage.free_bytes >= MIN_FREE_BYTES)
        return false;
    int64_t since_us = outbox_unspooled_since_us(spool->settings.outbox);
    return since_us != INT64_MAX && clock_now_us() - since_us > PATIENCE_US;
}

struct spool_usage spool_usage(const struct spool *spool)
{
    return spool->usage;
}

static void on_settle(uv_async_t *async)
{
    struct spool *spool = async->data;
    if (spool->flushing && !spool->busy)
        begin_request(spool, INT64_MAX); /* there always is one: the ledger is due in a flush */
}

void spool_flush(struct spool *spool, void (*done)(void *context, bool stored), void *context)
{
    spool->flushing = true;
    spool->flushed = done;
    spool->flush_context = context;
    uv_async_send(&spool->settle);
}

static void open_first(struct spool *spool)
{
    struct request *request = &spool->request;
    struct error *err = &request->error;
    if (spool_file_open(spool->settings.directory, &spool->file, request->quarantined, err) !=
        ERROR_NONE) {
        settle_failure(spool);
        return;
    }
    if (request->quarantined[0] != '\0')
        note_new_file(spool);
    if (spool_file_usage(spool->file, &spool->usage, err) != ERROR_NONE)
        settle_failure(spool);
}

enum error_code spool_new(uv_loop_t *loop, const struct spool_settings *settings,
                          struct spool **result, struct error *err)
{
    struct spool *spool = calloc(1, sizeof(*spool));
    if (spool == NULL)
        return error_set(err, ERROR_NOMEM, "no memory for the spool");
    spool->settings = *settings;
    spool->loop = loop;
    spool->work.data = spool;
    spool->settle.data = spool;
    spool->letters_end = &spool->letters;
    spool->backoff = (struct backoff){.first_ms = 500, .ceiling_ms = 10000};
    buffer_init(&spool->request.bytes, REQUEST_LIMIT);
    spool->json = json_new(NULL);
    if (spool->json == NULL) {
        free(spool);
        return error_set(err, ERROR_NOMEM, "no memory for the spool");
    }
    if (uv_async_init(loop, &spool->settle, on_settle) != 0) {
        json_free(spool->json);
        free(spool);
        return error_set(err, ERROR_AGAIN, "the event loop takes no more handles");
    }
    open_first(spool);
    *result = spool;
    return ERROR_NONE;
}

static bool restore_number(void *context, struct text name, int64_t value)
{
    struct spool *spool = context;
    ledger_add_number(spool->settings.ledger, name, (uint64_t)value);
    return true;
}

/* One record into the outbox; ERROR_INPUT if it is none. */
static enum error_code restore_record(struct spool *spool, struct text body, struct error *err)
{
    const json_value *root;
    if (json_read(spool->json, body, &root, err) != JSON_OK)
        return ERROR_INPUT;
    if (!json_is_array(root) || json_first(root) == NULL)
        return error_set(err, ERROR_INPUT, "not a list of rows");
    for (const json_value *value = json_first(root); value != NULL; value = json_next(value)) {
        struct row *row;
        enum error_code code = rowjson_read(spool->json, value, &row, err);
        if (code != ERROR_NONE)
            return code;
        size_t table = table_number(row->table);
        code = outbox_restore(spool->settings.outbox, row, err);
        if (code != ERROR_NONE) {
            row_free(row);
            return code;
        }
        spool->restored[table]++;
    }
    return ERROR_NONE;
}

struct loading {
    struct spool *spool;
    struct error error;
    size_t count;
    bool bad; /* the record that stopped it can't be read */
    struct buffer table, uid;
};

static bool load_record(void *context, struct text table, struct text uid, struct text body)
{
    struct loading *loading = context;
    loading->count++;
    enum error_code code = restore_record(loading->spool, body, &loading->error);
    if (code == ERROR_NONE)
        return true;
    loading->bad = code == ERROR_INPUT;
    buffer_append(&loading->table, table);
    buffer_append(&loading->uid, uid);
    return false;
}

static enum error_code set_record_aside(struct spool *spool, const struct loading *loading,
                                        struct error *err)
{
    spool->quarantined++;
    LOG(spool->settings.logger, ERROR,
        "a record of the spool can't be read: it is set aside in its quarantine",
        log_text("table", buffer_text(&loading->table)),
        log_text("uid", buffer_text(&loading->uid)), log_string("error", loading->error.text));
    return spool_file_quarantine(spool->file, buffer_text(&loading->table),
                                 buffer_text(&loading->uid), text_from(loading->error.text), err);
}

/* The next chunk; *count is 0 at the end. */
static enum error_code load_chunk(struct spool *spool, size_t *count, struct error *err)
{
    struct loading loading = {.spool = spool};
    buffer_init(&loading.table, 4096);
    buffer_init(&loading.uid, 4096);
    enum error_code code =
        spool_file_read(spool->file, &spool->load_after, LOAD_CHUNK, load_record, &loading, err);
    if (code == ERROR_NONE && loading.bad)
        code = set_record_aside(spool, &loading, err);
    else if (code == ERROR_NONE && loading.error.code != ERROR_NONE)
        code = error_set(err, loading.error.code, "%s", loading.error.text);
    *count = loading.count;
    buffer_fini(&loading.table);
    buffer_fini(&loading.uid);
    return code;
}

static enum error_code load_numbers(struct spool *spool, struct error *err)
{
    if (spool->numbers_loaded)
        return ERROR_NONE;
    enum error_code code = spool_file_read_numbers(spool->file, restore_number, spool, err);
    spool->numbers_loaded = code == ERROR_NONE;
    return code;
}

static enum error_code load_all(struct spool *spool, struct error *err)
{
    enum error_code code = load_numbers(spool, err);
    while (code == ERROR_NONE && !outbox_is_full(spool->settings.outbox)) {
        size_t count;
        code = load_chunk(spool, &count, err);
        if (code == ERROR_NONE && count == 0) {
            spool->loaded = true;
            return ERROR_NONE;
        }
    }
    return code;
}

enum spool_loading spool_load(struct spool *spool)
{
    if (spool->loaded)
        return SPOOL_LOADED;
    if (spool->busy || spool->file == NULL)
        return SPOOL_SHUT;
    enum error_code code = load_all(spool, &spool->request.error);
    if (code != ERROR_NONE) {
        if (code == ERROR_INPUT) {
            spool_file_close(spool->file);
            spool->file = NULL; /* opening it again sets it aside */
        }
        settle_failure(spool);
        return SPOOL_SHUT;
    }
    if (!spool->loaded)
        return SPOOL_MORE;
    for (size_t i = 0; i < TABLE_COUNT; i++)
        ledger_settle(spool->settings.ledger, i, spool->restored[i]);
    return SPOOL_LOADED;
}

static void on_settle_closed(uv_handle_t *handle)
{
    struct spool *spool = handle->data;
    void (*closed)(void *context) = spool->closed;
    void *context = spool->closed_context;
    free_letters(spool, spool->letters);
    free_letters(spool, spool->request.letters);
    buffer_fini(&spool->request.bytes);
    spool_file_close(spool->file);
    json_free(spool->json);
    free(spool);
    closed(context);
}

void spool_close(struct spool *spool, void (*closed)(void *context), void *context)
{
    invariant(!spool->busy);
    spool->closed = closed;
    spool->closed_context = context;
    uv_close((uv_handle_t *)&spool->settle, on_settle_closed);
}
