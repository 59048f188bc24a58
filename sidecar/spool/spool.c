/* spool: the loop's side of the spool file.
 *
 * Happy path: the file is opened in libuv's thread pool, and its records are read back, a chunk in each round
 * of the loop. At a tick the outbox hands out the rows that have waited for longer than a tick and are not on
 * disk, and the records on disk whose rows the database has by now. One transaction in libuv's thread pool
 * stores the former, deletes the latter and stores the ledger; then the outbox is told that the rows are
 * safe. When nothing is left to be stored, the file is shrunk, a slice at a time.
 *
 * Failure modes:
 *   the file can't be opened (read-only)   this is handled as a transaction that fails; the records are
 *                                          read back once the file can be opened
 *   a transaction fails (full disk)        the outbox keeps all rows as not safe, nothing is acknowledged;
 *                                          the transaction is tried again with back-off; the source is
 *                                          paused if rows have been without a safe place for some seconds
 *   the file turns out to be damaged,      it is set aside, a new one is begun, and all that is in memory
 *   removed or overwritten                 is stored anew; each request checks for this, and at least one
 *                                          check is made every LOOK_INTERVAL_US
 *   a record can't be read at start        it is moved to the quarantine table; the rest goes on
 *   something is missing at start          it is logged, and counted in the file: no more can be done
 *   over SPOOL_MAX_BYTES, or the disk is   the source is paused; records are still deleted
 *   nearly full
 */
#include "sidecar/spool/spool.h"

#include "lib/base/backoff.h"
#include "lib/base/invariant.h"
#include "lib/base/memory.h"
#include "sidecar/base/clock.h"
#include "sidecar/spool/spool_request.h"
#include "sidecar/spool/spool_restore.h"

#include <stdlib.h>

#define TICK_US 100000 /* a row that the database takes within this is never stored */

/* If nothing but the ledger or a note has changed, a transaction is made at most this often. */
#define LEDGER_INTERVAL_US 5000000

#define MIN_FREE_BYTES   (16 << 20) /* on the disk: less is left for deleting */
#define PATIENCE_US      3000000    /* rows without a safe place for so long pause the source */
#define LOOK_INTERVAL_US 10000000   /* at the disk, and at dead letters that others drop */
#define CLOSE_LOOK_US    1000000    /* at a disk that is nearly full */

#define AT_A_FLUSH INT64_MAX /* in the place of a tick's time: all that there is is stored */

struct spool {
    struct spool_settings settings;
    uv_loop_t *loop;
    struct spool_file *file;
    uv_work_t work;
    bool busy;
    struct spool_request request;
    bool for_flush;               /* the request was begun by a flush ... */
    bool final;                   /* ... and stores all that there is */
    struct spool_letters letters; /* wait for the next request */

    struct spool_usage usage;
    int64_t looked_us; /* when it was last asked for */
    struct backoff backoff;
    int64_t retry_at_us;
    struct spool_notes notes;
    bool notes_are_due; /* with the next request, not some seconds later */
    bool failing;
    bool shrinking;
    int64_t ledger_stored_us;
    uint64_t ledger_stored; /* documents received when it was */

    bool tried; /* to open it: the first time is over */
    struct spool_restore restore;

    bool flushing;
    void (*flushed)(void *context, bool stored);
    void *flush_context;
    uv_async_t next_step; /* of a flush, in the next round of the loop */
    void (*closed)(void *context);
    void *closed_context;
};

/* Runs in the thread pool. */
static void on_work(uv_work_t *work)
{
    struct spool *spool = work->data;
    spool_request_run(&spool->request, spool->settings.directory, &spool->file);
}

static void free_letters(struct spool *spool, struct spool_letters *letters)
{
    struct spool_letter *letter;
    while ((letter = STAILQ_FIRST(letters)) != NULL) {
        STAILQ_REMOVE_HEAD(letters, entry);
        if (letter->epoch != 0)
            durability_release(spool->settings.durability, letter->epoch);
        spool_letter_free(letter);
    }
}

/* Logs what was found when the file was opened. */
static void log_opening(struct spool *spool)
{
    const struct spool_opening *opening = &spool->request.opening;
    const struct spool_loss *loss = &opening->loss;
    if (opening->quarantined[0] != '\0')
        LOG(spool->settings.logger, ERROR,
            "the spool was damaged: it is set aside, and a new one is begun",
            log_string("set_aside", opening->quarantined));
    if (loss->transactions > 0 || loss->records > 0 || loss->dead_letters > 0)
        LOG(spool->settings.logger, ERROR,
            "a part of the spool is gone: objects of which nothing newer comes stay as they are in "
            "the database until they are listed again",
            log_int("records_missing", loss->records), log_int("records_of", loss->records_before),
            log_int("dead_letters_missing", loss->dead_letters),
            log_int("dead_letters_of", loss->dead_letters_before),
            log_int("transactions_missing", loss->transactions));
}

/* The records on disk are lost: all that is in memory is stored anew. Records that had not been read back yet
 * are read from the new file, if they could be saved into it. */
static void begin_anew(struct spool *spool)
{
    const struct spool_request *request = &spool->request;
    LOG(spool->settings.logger, ERROR,
        "the spool is lost: a new one is begun, and what waits is stored anew",
        log_string("error", request->error.text), log_string("rest_lost", request->rest.text));
    outbox_recapture(spool->settings.outbox);
    spool_notes_store_anew(&spool->notes);
    spool->ledger_stored = UINT64_MAX;
    spool->restore.after = 0;
}

static void end_badly(struct spool *spool)
{
    uint32_t delay_ms = backoff_next_ms(&spool->backoff, clock_random());
    spool->failing = true;
    spool->retry_at_us = clock_steady_us() + (int64_t)delay_ms * 1000;
    STAILQ_CONCAT(&spool->request.letters, &spool->letters); /* the older ones first */
    STAILQ_CONCAT(&spool->letters, &spool->request.letters);
    spool_notes_put_back(&spool->notes, &spool->request.notes);
    spool->notes_are_due |= spool->request.notes.count > 0;
    LOG(spool->settings.logger, ERROR, "the spool can't be used: rows are only in memory",
        log_string("error", spool->request.error.text), log_int("retry_in_ms", delay_ms),
        log_int("free_bytes", spool->request.usage.free_bytes));
}

static void end_flush(struct spool *spool, bool stored)
{
    spool->flushing = false;
    spool->flushed(spool->flush_context, stored);
}

static void begin_request(struct spool *spool, int64_t now_us);
static enum spool_loading read_back(struct spool *spool);

/* Takes the next step of a flush. The records that the file held at the start are read back first, without
 * regard to the outbox's bounds: they may be newer than the rows to be stored. */
static void flush_on(struct spool *spool)
{
    if (read_back(spool) == SPOOL_MORE)
        uv_async_send(&spool->next_step); /* the rest in the next round of the loop */
    else
        begin_request(spool, AT_A_FLUSH);
}

static void on_work_done(uv_work_t *work, int status)
{
    struct spool *spool = work->data;
    struct spool_request *request = &spool->request;
    struct outbox *outbox = spool->settings.outbox;
    bool stored = status == 0 && request->error.code == ERROR_NONE;
    spool->busy = false;
    spool->tried = true;
    spool->usage = request->usage;
    log_opening(spool);
    outbox_captured(outbox, stored);
    if (request->lost)
        begin_anew(spool);
    if (!stored) {
        end_badly(spool);
    } else {
        if (spool->failing)
            LOG(spool->settings.logger, INFO, "the spool can be written again");
        spool->failing = false;
        backoff_reset(&spool->backoff);
        free_letters(spool, &request->letters);
        spool->shrinking =
            request->task == SPOOL_SHRINK ? request->more : spool->shrinking || request->count > 0;
    }
    if (!spool->flushing) {
        spool->settings.progress(spool->settings.context);
        return;
    }
    bool has_more = !spool->final || outbox_unspooled_since_us(outbox) != INT64_MAX ||
                    outbox_has_deletions(outbox) || !STAILQ_EMPTY(&spool->letters);
    bool was_of_tick = !spool->for_flush; /* it was under way when the flush began */
    if (was_of_tick || request->lost || (stored && has_more))
        flush_on(spool);
    else
        end_flush(spool, stored);
}

/* Takes from the outbox the records that are due. Where the disk has no room, only those to be deleted are
 * taken; the others stay in memory, unacknowledged. At a flush there is nothing to save the room for. */
static void collect(struct spool *spool, int64_t now_us)
{
    struct spool_request *request = &spool->request;
    bool may_grow =
        spool->usage.bytes < spool->settings.max_bytes && spool->usage.free_bytes >= MIN_FREE_BYTES;
    int64_t before_us = may_grow ? now_us - TICK_US : 0;
    if (now_us == AT_A_FLUSH)
        before_us = INT64_MAX - 1;
    while (!spool_request_is_full(request)) {
        if (outbox_capture(spool->settings.outbox, before_us, 1, spool_request_add, request) == 0)
            break;
    }
}

/* Fills in the next request. Returns false if there is nothing to do. */
static bool make_request(struct spool *spool, int64_t now_us)
{
    struct spool_request *request = &spool->request;
    const struct ledger *ledger = spool->settings.ledger;
    int64_t steady_us = clock_steady_us();
    bool has_room = spool->usage.free_bytes >= MIN_FREE_BYTES;
    spool->for_flush = now_us == AT_A_FLUSH;
    spool->final = spool->for_flush && spool->file != NULL;
    spool_request_reset(request, spool->file == NULL ? SPOOL_OPEN : SPOOL_STORE);
    request->records_are_held = spool->restore.done;
    if (spool->file == NULL)
        return true;
    bool is_due = false;
    if (spool->restore.done) {
        collect(spool, now_us);
        STAILQ_CONCAT(&request->letters, &spool->letters);
        /* Notes are asked for as well as the ledger: one may change after the last document was received. */
        bool changed = ledger_received(ledger) != spool->ledger_stored ||
                       spool_notes_have_changed(&spool->notes);
        is_due = request->count > 0 || !STAILQ_EMPTY(&request->letters) || spool->for_flush ||
                 spool->notes_are_due ||
                 (changed && steady_us - spool->ledger_stored_us > LEDGER_INTERVAL_US);
    } else if (spool->for_flush) {
        return false; /* what is there could not be read: nothing is put over it */
    }
    if (is_due) {
        spool_request_add_numbers(request, ledger, spool->settings.outbox);
        spool_notes_take(&spool->notes, &request->notes);
        spool->notes_are_due = false;
        spool->ledger_stored = ledger_received(ledger);
        spool->ledger_stored_us = steady_us;
    } else if (steady_us - spool->looked_us > (has_room ? LOOK_INTERVAL_US : CLOSE_LOOK_US)) {
        request->task = SPOOL_LOOK;
    } else if (spool->shrinking) {
        request->task = SPOOL_SHRINK;
    } else {
        return false;
    }
    spool->looked_us = steady_us;
    return true;
}

static void begin_request(struct spool *spool, int64_t now_us)
{
    if (!make_request(spool, now_us)) {
        if (spool->flushing)
            end_flush(spool, false);
        return;
    }
    spool->busy = true;
    int status = uv_queue_work(spool->loop, &spool->work, on_work, on_work_done);
    invariant(status == 0); /* it fails only without a function to call */
}

void spool_tick(struct spool *spool, int64_t now_us)
{
    if (spool->busy || spool->flushing ||
        (spool->failing && clock_steady_us() < spool->retry_at_us))
        return;
    begin_request(spool, now_us);
}

void spool_add_letter(struct spool *spool, const struct row *row, const struct refusal *refusal,
                      int64_t now_us)
{
    struct spool_letter *letter = spool_letter_new(row, refusal, now_us);
    letter->epoch = outbox_unsafe_epoch(spool->settings.outbox, row);
    if (letter->epoch != 0)
        durability_hold(spool->settings.durability, letter->epoch);
    STAILQ_INSERT_TAIL(&spool->letters, letter, entry);
}

void spool_set_note(struct spool *spool, const char *name, const char *text)
{
    if (spool_notes_set(&spool->notes, name, text) != ERROR_NONE)
        LOG(spool->settings.logger, ERROR, "the spool has no place for a note",
            log_string("name", name));
}

void spool_store_notes(struct spool *spool)
{
    spool->notes_are_due = true;
}

bool spool_has_note(const struct spool *spool, const char *name)
{
    bool on_its_way = spool->busy && spool_notes_hold(&spool->request.notes, name);
    return !on_its_way && !spool_notes_changed(&spool->notes, name);
}

const char *spool_note(const struct spool *spool, const char *name)
{
    return spool_notes_get(&spool->notes, name);
}

void spool_each_note(const struct spool *spool, const char *prefix,
                     void (*note)(void *context, const char *name, const char *text), void *context)
{
    spool_notes_each(&spool->notes, prefix, note, context);
}

bool spool_has_room(const struct spool *spool)
{
    return !spool_is_full(spool) && spool->usage.bytes <= spool->settings.max_bytes / 4 * 3;
}

bool spool_is_full(const struct spool *spool)
{
    bool is_read_back = spool->restore.done || spool->failing || !spool->tried;
    if (!is_read_back || spool->usage.bytes >= spool->settings.max_bytes)
        return true;
    if (!spool->failing && spool->usage.free_bytes >= MIN_FREE_BYTES)
        return false;
    int64_t since_us = outbox_unspooled_since_us(spool->settings.outbox);
    return since_us != INT64_MAX && clock_steady_us() - since_us > PATIENCE_US;
}

static void on_next_step(uv_async_t *async)
{
    struct spool *spool = async->data;
    if (spool->flushing && !spool->busy)
        flush_on(spool); /* there always is one: the ledger is due in a flush */
}

void spool_flush(struct spool *spool, void (*done)(void *context, bool stored), void *context)
{
    spool->flushing = true;
    spool->flushed = done;
    spool->flush_context = context;
    uv_async_send(&spool->next_step);
}

enum error_code spool_new(uv_loop_t *loop, const struct spool_settings *settings,
                          struct spool **result, struct error *err)
{
    struct spool *spool = memory_new(sizeof(*spool));
    if (uv_async_init(loop, &spool->next_step, on_next_step) != 0) {
        free(spool);
        return error_set(err, ERROR_AGAIN, "the event loop takes no more handles");
    }
    spool->settings = *settings;
    spool->loop = loop;
    spool->work.data = spool;
    spool->next_step.data = spool;
    STAILQ_INIT(&spool->letters);
    spool->backoff = (struct backoff){.first_ms = 500, .ceiling_ms = 10000};
    spool_request_init(&spool->request);
    spool_restore_init(&spool->restore, settings->outbox, settings->ledger, &spool->notes,
                       settings->logger);
    *result = spool;
    return ERROR_NONE;
}

static enum spool_loading read_back(struct spool *spool)
{
    if (spool->restore.done)
        return SPOOL_LOADED;
    if (spool->busy)
        return spool->failing ? SPOOL_SHUT : SPOOL_OPENING;
    if (spool->file == NULL)
        return SPOOL_SHUT;
    struct error *err = &spool->request.error;
    enum error_code code = spool_restore_chunk(&spool->restore, spool->file, err);
    if (code == ERROR_NONE)
        return spool->restore.done ? SPOOL_LOADED : SPOOL_MORE;
    if (code == ERROR_INPUT) {
        struct error rest;
        (void)!spool_file_leave(spool->file, false, &rest);
        spool->file = NULL; /* opening it again sets it aside */
        spool->restore.after = 0;
    }
    end_badly(spool);
    return SPOOL_SHUT;
}

enum spool_loading spool_load(struct spool *spool)
{
    if (!spool->tried) {
        if (!spool->busy)
            begin_request(spool, 0);
        return SPOOL_OPENING;
    }
    if (spool->failing && clock_steady_us() < spool->retry_at_us)
        return SPOOL_SHUT;
    if (!spool->restore.done && outbox_is_full(spool->settings.outbox))
        return SPOOL_WAITS;
    return read_back(spool);
}

struct spool_usage spool_usage(const struct spool *spool)
{
    return spool->usage;
}

bool spool_is_up(const struct spool *spool)
{
    return spool->file != NULL && !spool->failing;
}

bool spool_has_letters(const struct spool *spool)
{
    return !STAILQ_EMPTY(&spool->letters) || !STAILQ_EMPTY(&spool->request.letters);
}

static void on_next_step_closed(uv_handle_t *handle)
{
    struct spool *spool = handle->data;
    void (*closed)(void *context) = spool->closed;
    void *context = spool->closed_context;
    free_letters(spool, &spool->letters);
    free_letters(spool, &spool->request.letters);
    spool_notes_fini(&spool->notes);
    spool_request_fini(&spool->request);
    spool_file_close(spool->file);
    spool_restore_fini(&spool->restore);
    free(spool);
    closed(context);
}

void spool_close(struct spool *spool, void (*closed)(void *context), void *context)
{
    invariant(!spool->busy);
    spool->closed = closed;
    spool->closed_context = context;
    uv_close((uv_handle_t *)&spool->next_step, on_next_step_closed);
}
