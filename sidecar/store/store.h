/* store: where rows are kept; the interface of storage plugins.
 *
 * A store serves one request for each of its lanes at a time, with a batch of any rows, and answers later on
 * the loop's thread, never from inside submit(). It keeps no rows: what it could not write goes back to the
 * outbox, and the caller decides when to try again. store_mysql is one; the tests' fake is another. A further
 * one is a file that fills in struct store, and a line in sidecar/run.
 *
 * The words of this room and of dispatch, one for each thing:
 *   lane        one of the ways on which rows go to the store side by side. The rows of an object always
 *               wait in the same one (outbox), and it has one request at a time (dispatch)
 *   worker      the thread of a store that serves a lane, over a connection of its own (worker.h)
 *   host        a database server that the settings name. The write host is the one that all workers of a
 *               store should write to
 *   connection  what is open to a host (struct db), with the statements that are prepared in it
 *   session     what the server keeps for a connection: its variables, which session.h sets
 *   refused     of a row that the store says can never be written: it becomes a dead letter
 *   set aside   of a row that fails alone for another reason: it is tried again, alone */
#ifndef SIDECAR_STORE_H
#define SIDECAR_STORE_H

#include "lib/base/buffer.h"
#include "lib/base/error.h"
#include "lib/kube/kind.h"
#include "lib/outbox/outbox.h"
#include "lib/sql/dberror.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What became of a row. */
enum row_fate {
    ROW_WAITS,   /* not written: it goes back to the outbox */
    ROW_WRITTEN, /* committed: durable, or an older version than what is there */
    ROW_REFUSED, /* it failed alone, and the store says that the row is wrong */
    ROW_ALONE,   /* set aside: it failed alone for another reason, and must not hold up others */
};

/* Why a row was refused or set aside. */
struct refusal {
    size_t row; /* index in the batch */
    enum dberror_class class;
    unsigned number; /* the server's error number, 0 if it has none */
    char text[ERROR_TEXT_SIZE];
};

/* A question: the objects that the store holds as alive. */
struct store_listing {
    const struct resource *resource;
    const char *cluster;   /* only objects of this cluster */
    const char *namespace; /* only those of this namespace; "": of all */
    struct buffer uids; /* the answer, one line for each object: its uid, its version, and 1 if it
                              has ended by itself or else 0, separated by tabs */
};

/* What happened while a request was served, including the errors after which it succeeded. */
struct store_tally {
    uint32_t connects; /* connections made */
    uint32_t
        reconnects[DBERROR_CLASS_COUNT]; /* those in place of a lost one, by what ended that one */
    uint32_t errors[DBERROR_CLASS_COUNT];
};

/* One request to a lane and its answer. The caller owns it and all that it points to. */
struct store_request {
    unsigned lane;
    struct batch batch;            /* without rows, the request is the listing, or a sign of life */
    struct store_listing *listing; /* NULL: nothing is asked; if not, the batch is empty */
    enum row_fate *fates;          /* [batch.capacity], filled in by the store */
    struct refusal *refusals;      /* the same */
    size_t refusal_count;
    struct error error;       /* .code ERROR_NONE: no row waits */
    enum dberror_class class; /* of the error */
    bool others_may;   /* of the error: the connection is well, and other rows can be written */
    uint64_t write_us; /* how long the worker was busy with the request */
    uint32_t attempts; /* transactions that were begun */
    struct store_tally tally;
    void (*done)(
        struct store_request *request); /* called on the loop's thread when all is filled in; it
                                                    may use the request again */
    void *owner;
    struct store_request *next; /* the store's, while it has the request */
};

/* The state of the store, for people and for machines that monitor it. Texts are "" if they are not known or
 * do not apply. The facts of a connection stay until the next connect replaces them. */
struct store_description {
    bool connected; /* at least one worker is */
    char host[256]; /* as it is written in the settings, or a Unix socket's path */
    unsigned port;  /* 0 for a Unix socket */
    char version[128];
    char tls_version[32]; /* "TLSv1.3"; "" for a connection without TLS */
    char tls_cipher[64];
    char last_error[512];  /* of any worker, with what to do about it; never a secret */
    int64_t last_error_us; /* when, in microseconds since 1970; 0: there was none */
};

struct store {
    const char *name;
    unsigned lanes;
    size_t max_batch_rows;

    /* Hands request->batch to lane request->lane, which must be idle. */
    void (*submit)(struct store *store, struct store_request *request);

    /* For shutdown: ends running writes as soon as possible. Their rows wait, and so do those of every later
     * request. */
    void (*abort)(struct store *store);

    /* Fills *description. Any thread may call it until close(). It never waits for a database. */
    void (*describe)(struct store *store, struct store_description *description);

    /* Set a moment after abort() if a worker could not be interrupted. Its request is answered, but its
     * thread goes on, and close() does not wait for it: then the process must end by _exit(). */
    bool left_behind;

    /* Stops the workers, frees the store, then calls closed(). All lanes must be idle. */
    void (*close)(struct store *store, void (*closed)(void *context), void *context);
};

#endif
