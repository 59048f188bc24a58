/* spool_restore: reads back what the spool held when the process started: records into the outbox, numbers
 * into the ledger, and notes. */
#ifndef SIDECAR_SPOOL_RESTORE_H
#define SIDECAR_SPOOL_RESTORE_H

#include "lib/account/ledger.h"
#include "lib/base/error.h"
#include "lib/outbox/outbox.h"
#include "sidecar/base/logger.h"
#include "sidecar/spool/spool_file.h"
#include "sidecar/spool/spool_notes.h"

#include <stdbool.h>
#include <stdint.h>

/* This struct is embedded in its user's. */
struct spool_restore {
    struct outbox *outbox;
    struct ledger *ledger;
    struct spool_notes *notes;
    struct logger *logger;
    struct json *json;
    bool has_numbers; /* the ledger and the notes hold what is on disk */
    bool done;        /* so does the outbox */
    int64_t after;    /* the last record that was read; 0: to begin with the first */
};

/* Borrows everything that it is given. */
void spool_restore_init(struct spool_restore *restore, struct outbox *outbox, struct ledger *ledger,
                        struct spool_notes *notes, struct logger *logger);
void spool_restore_fini(struct spool_restore *restore);

/* Reads the next chunk back: some milliseconds of work on the loop thread. A record that can't be read is
 * moved to the quarantine. ERROR_INPUT: the file is damaged. */
enum error_code spool_restore_chunk(struct spool_restore *restore, struct spool_file *file,
                                    struct error *err) MUST_CHECK;

#endif
