/* spool: keeps on disk the rows that the database has not taken yet.
 *
 * Write-behind: a row that is still unwritten one tick after it came goes to the spool; a row that the
 * database took in time never touches the disk. All calls are made on the loop thread; disk work is done in
 * libuv's thread pool, one request at a time, but for the reading back in spool_load() and spool_flush(). */
#ifndef SIDECAR_SPOOL_H
#define SIDECAR_SPOOL_H

#include "lib/account/ledger.h"
#include "lib/base/error.h"
#include "lib/outbox/durability.h"
#include "lib/outbox/outbox.h"
#include "sidecar/base/logger.h"
#include "sidecar/spool/spool_file.h"
#include "sidecar/spool/spool_notes.h"
#include "sidecar/store/store.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct spool;

struct spool_settings {
    const char *directory; /* SPOOL_DIR */
    int64_t max_bytes;     /* SPOOL_MAX_BYTES */
    struct outbox *outbox;
    struct durability *durability;
    struct ledger *ledger; /* kept across restarts */
    struct logger *logger;

    /* Something was stored, or there is room again: acknowledge, resume. */
    void (*progress)(void *context);
    void *context;
};

/* Makes the spool without opening its file: the first spool_load() or spool_tick() begins that. A file that
 * can't be opened now (a full or read-only disk, another process still has it) is no error: rows are then
 * only in memory, which the log says, and the opening is tried again. */
enum error_code spool_new(uv_loop_t *loop, const struct spool_settings *settings,
                          struct spool **spool, struct error *err) MUST_CHECK;

enum spool_loading {
    SPOOL_LOADED, /* all that was in it is in the outbox, the ledger is settled */
    SPOOL_OPENING, /* for the first time, which takes as long as it is large, or it is being looked at:
                      progress() tells */
    SPOOL_MORE,    /* there is more: call again in the next round of the loop */
    SPOOL_WAITS, /* the outbox is full: call again when there is room */
    SPOOL_SHUT,  /* it can't be opened, or not be read: call again later */
};

/* Reads back the next chunk: ledger, notes and records. Until all is read, nothing new is stored. */
enum spool_loading spool_load(struct spool *spool);

/* Begins a request if one is due and none is running. To be called at every tick, and whenever something has
 * changed. now_us: microseconds of the outbox's clock. */
void spool_tick(struct spool *spool, int64_t now_us);

/* Adds a dead letter: a row that was refused and is still in the outbox. It is stored with the next request,
 * and is not safe before. Copies what it needs. */
void spool_add_letter(struct spool *spool, const struct row *row, const struct refusal *refusal,
                      int64_t now_us);

/* Sets a note: a text under a name, which outlives the process. It is stored with the ledger, some seconds
 * later or at the end. The name is shorter than SPOOL_NOTE_SIZE. The log says if there is no place for it. */
void spool_set_note(struct spool *spool, const char *name, const char *text);

/* Asks that the notes that were set be stored with the next request, not some seconds later. */
void spool_store_notes(struct spool *spool);

/* True if the note is on disk as it was set. */
bool spool_has_note(const struct spool *spool, const char *name);

/* Returns the note; "" if there is none or the spool could not be read yet. Valid until the note is set. */
const char *spool_note(const struct spool *spool, const char *name);

/* See spool_notes_each(). */
void spool_each_note(const struct spool *spool, const char *prefix,
                     void (*note)(void *context, const char *name, const char *text),
                     void *context);

/* True while the source should be paused: the spool is over its bound, its records from the start are not all
 * read back, the disk is nearly full, or its transactions fail. A spool over its bound stores nothing new,
 * except in a flush. */
bool spool_is_full(const struct spool *spool);

/* True if the spool has so much room that it will not be full again at once. */
bool spool_has_room(const struct spool *spool);

/* Returns the usage as of the last request. */
struct spool_usage spool_usage(const struct spool *spool);

/* True if the file is open and the last request succeeded. */
bool spool_is_up(const struct spool *spool);

/* True while there are dead letters that are not on disk. */
bool spool_has_letters(const struct spool *spool);

/* Stores all rows that the outbox holds, whatever their age, and the ledger; then calls done(), which is told
 * whether all of it is on disk. */
void spool_flush(struct spool *spool, void (*done)(void *context, bool stored), void *context);

/* Closes the file and the handles, frees the spool, then calls closed(). Not to be called during a flush. */
void spool_close(struct spool *spool, void (*closed)(void *context), void *context);

#endif
