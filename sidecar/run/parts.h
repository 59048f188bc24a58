/* parts: the objects that the sidecar is made of, and how they depend on each other.
 *
 *  sources ──▶ intake ──▶ outbox ──▶ dispatch ──▶ store
 *                           │ ▲
 *                           ▼ │
 *                          spool
 *
 * The parts are made in the order of one table, where each part uses only parts above it, and are closed in
 * the opposite order, one after another. Making them opens nothing but the HTTP port. */
#ifndef SIDECAR_PARTS_H
#define SIDECAR_PARTS_H

#include "lib/account/ledger.h"
#include "lib/account/metrics.h"
#include "lib/base/error.h"
#include "lib/outbox/acks.h"
#include "lib/outbox/durability.h"
#include "lib/outbox/outbox.h"
#include "lib/settings/config.h"
#include "sidecar/base/file_watch.h"
#include "sidecar/base/logger.h"
#include "sidecar/http/http.h"
#include "sidecar/http/status.h"
#include "sidecar/pipeline/dispatch.h"
#include "sidecar/pipeline/intake.h"
#include "sidecar/pipeline/sweep.h"
#include "sidecar/source/sources.h"
#include "sidecar/spool/spool.h"
#include "sidecar/store/leader.h"
#include "sidecar/store/store.h"

#include <stdbool.h>
#include <uv.h>

/* The callbacks by which the parts report to their owner and ask it something; on the loop thread. */
struct parts_events {
    /* Something was written or stored, so there may be room again. */
    void (*progress)(void *context);

    /* There was no memory for a document. It is not acknowledged, and no source delivers one after it. */
    void (*no_memory)(void *context);

    /* A source has ended. */
    void (*finished)(void *context);

    /* A file with a secret or certificate has changed. */
    void (*secret_changed)(void *context, const char *path);

    /* As in struct leader_settings. */
    void (*leads)(void *context);
    void (*yields)(void *context);

    /* As in struct status_parts. */
    const char *(*unready)(const void *context);
    bool (*takes_events)(const void *context);
    void *context;
};

struct parts {
    uv_loop_t *loop;
    const struct config *config;
    const char *version; /* of the program */
    bool replays;        /* ships a recorded stream to its end */
    struct parts_events events;
    struct logger *logger;
    struct ledger ledger;
    struct metrics metrics;

    struct durability *durability;
    struct acks acks;
    struct outbox *outbox;
    struct store *store;
    struct spool *spool; /* NULL: there is none */
    struct dispatch *dispatch;
    struct file_watch *secrets; /* NULL: there are none in files */
    struct sweep *sweep;
    struct intake *intake;
    struct sources *sources; /* NULL: they are closed */
    struct leader *leader;   /* NULL: there is no LEADER, or its lock is not asked for */
    struct status *status;
    struct http *http; /* NULL: there is none */

    unsigned made;    /* rows of the table that are to be closed */
    bool left_behind; /* a thread that could not be interrupted goes on, in a connect */
    void (*closed)(void *context);
    void *closed_context;
};

/* Makes all parts. The caller has set loop, config, version, replays, events and logger, and the rest to 0.
 * After an error the caller closes the parts that were made before it. */
enum error_code parts_make(struct parts *parts, struct error *err) MUST_CHECK;

/* Asks for the lead: see leader_new(). */
enum error_code parts_ask_for_lead(struct parts *parts, struct error *err) MUST_CHECK;

/* Closes the sources, so that no more events are taken in, and gives the lead up. closed() is called when the
 * sources are closed; the lead is not waited for. */
void parts_close_sources(struct parts *parts, void (*closed)(void *context), void *context);

/* Closes and frees all parts that were made; then calls closed(), perhaps from inside this call. */
void parts_close(struct parts *parts, void (*closed)(void *context), void *context);

#endif
