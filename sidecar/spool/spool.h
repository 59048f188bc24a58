/* spool: what the database has not taken yet, on disk.
 *
 * Write-behind: a row that is still unwritten one tick after it came goes to the spool; a row that the
 * database took in time never touches the disk. All disk work is done in libuv's thread pool, one
 * request at a time. */
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

/* Does not open it yet: the first spool_load() or spool_tick() begins that. A spool that can't be opened
 * now (a full or read-only disk, another process still has it) is no error: rows are only in memory,
 * which is said loudly, and it is tried again. */
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

/* Reads the ledger and records back, a chunk at a time. Until that is done nothing new is stored. */
enum spool_loading spool_load(struct spool *spool);

/* Every tick, and whenever something is worth looking at: begins a request if none is running. now_us: of
 * the outbox's clock. */
void spool_tick(struct spool *spool, int64_t now_us);

/* A row that was refused and is still in the outbox: goes to the dead letters with the next request, and
 * is not safe before. Copies what it needs. */
void spool_add_letter(struct spool *spool, const struct row *row, const struct refusal *refusal,
                      int64_t now_us);

/* A text under a name that outlives the process: stored with the ledger, some seconds later or at the end.
 * The name is shorter than SPOOL_NOTE_SIZE; what finds no place is said in the log. */
void spool_set_note(struct spool *spool, const char *name, const char *text);

/* Notes that were set are stored with the next request, not some seconds later. */
void spool_store_notes(struct spool *spool);

/* True if the note is on disk as it was set. */
bool spool_has_note(const struct spool *spool, const char *name);

/* "" if there is none, or the spool could not be read yet. Valid until it is set. */
const char *spool_note(const struct spool *spool, const char *name);

/* See spool_notes_each(). */
void spool_each_note(const struct spool *spool, const char *prefix,
                     void (*note)(void *context, const char *name, const char *text),
                     void *context);

/* True while nothing more should come: it is over its bound, or what it held at the start is not all read
 * back, or the disk is nearly full, or it fails. While it is over its bound it stores nothing new, except
 * in a flush. */
bool spool_is_full(const struct spool *spool);

/* True if so much is free that it will not be full again at once. */
bool spool_has_room(const struct spool *spool);

/* As of the last request. */
struct spool_usage spool_usage(const struct spool *spool);

/* True if it is open and the last request went well. */
bool spool_is_up(const struct spool *spool);

/* True while there are dead letters that are not on disk. */
bool spool_has_letters(const struct spool *spool);

/* Stores all that the outbox holds, whatever its age, and the ledger; then done(), with whether all of
 * it is on disk. */
void spool_flush(struct spool *spool, void (*done)(void *context, bool stored), void *context);

/* Closes the file and the handles, frees it, then calls closed(). Not while flushing. */
void spool_close(struct spool *spool, void (*closed)(void *context), void *context);

#endif
