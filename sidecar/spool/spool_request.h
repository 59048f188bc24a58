/* spool_request: one piece of work for the thread pool: what is to be stored and deleted, and the result.
 *
 * The loop thread fills the request in, a worker thread carries it out, and the loop thread reads the result:
 * the two never use it at the same time. Rows are turned into JSON when they are added, so that the worker
 * shares nothing with the outbox. */
#ifndef SIDECAR_SPOOL_REQUEST_H
#define SIDECAR_SPOOL_REQUEST_H

#include "lib/account/ledger.h"
#include "lib/base/buffer.h"
#include "lib/outbox/outbox.h"
#include "sidecar/spool/spool_file.h"
#include "sidecar/spool/spool_notes.h"
#include "sidecar/store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define SPOOL_REQUEST_MAX_ITEMS   2048
#define SPOOL_REQUEST_MAX_NUMBERS 128

/* A record to be stored, or to be deleted. */
struct spool_item {
    const struct table *table;
    size_t uid, uid_length;   /* in the request's bytes */
    size_t body, body_length; /* the same; 0: delete it */
};

/* A dead letter on its way to the file. */
struct spool_letter {
    STAILQ_ENTRY(spool_letter) entry;
    uint64_t epoch;            /* held until it is stored; 0: none */
    struct dead_letter letter; /* its texts point into bytes */
    struct buffer bytes;
};

STAILQ_HEAD(spool_letters, spool_letter);

struct spool_number {
    char name[64];
    int64_t value;
};

enum spool_task {
    SPOOL_STORE,  /* items, letters, numbers and notes, in one transaction */
    SPOOL_OPEN,   /* the file, and nothing else */
    SPOOL_SHRINK, /* give a slice of it back to the disk */
    SPOOL_LOOK,   /* only how much room there is */
};

struct spool_request {
    enum spool_task task;
    struct buffer bytes;
    struct spool_item items[SPOOL_REQUEST_MAX_ITEMS];
    size_t count;
    struct spool_letters letters;
    struct spool_number numbers[SPOOL_REQUEST_MAX_NUMBERS];
    size_t number_count;
    struct spool_notes notes;

    bool records_are_held; /* what the file has had is in memory, too */

    struct error error;           /* ERROR_NONE: it went well */
    struct spool_opening opening; /* OPEN: in what state it was found */
    struct spool_usage usage;     /* whenever it can be known */
    bool more;                    /* SHRINK: there is more to give back */
    bool lost;                    /* the file turned out to be damaged or gone, with all in it */
    struct error rest; /* lost: why what only it had could not be saved; ERROR_NONE: it was */
};

void spool_request_init(struct spool_request *request);
void spool_request_fini(struct spool_request *request);

/* Empties the request. Dead letters in it are not freed: they are the caller's. */
void spool_request_reset(struct spool_request *request, enum spool_task task);

/* True if the request holds so much that it should be carried out before more is added. */
bool spool_request_is_full(const struct spool_request *request);

/* Adds a record to the request, which is the context; a callback for outbox_capture(). */
void spool_request_add(void *context, const struct outbox_record *record);

/* Adds the ledger as it is now. */
void spool_request_add_numbers(struct spool_request *request, const struct ledger *ledger,
                               const struct outbox *outbox);

/* Carries the request out, in the thread pool. It touches nothing but *file and the request. *file is NULL
 * after a SPOOL_OPEN that failed, and when the file turned out to be damaged or gone. */
void spool_request_run(struct spool_request *request, const char *directory,
                       struct spool_file **file);

/* Makes a dead letter from copies of what it needs. The process ends if there is no memory for it. */
struct spool_letter *spool_letter_new(const struct row *row, const struct refusal *refusal,
                                      int64_t now_us);
void spool_letter_free(struct spool_letter *letter);

#endif
