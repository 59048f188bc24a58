/* intake: source -> outbox. Decodes each document, puts its row, counts what became of it, and
 * pauses the source while the outbox is full. */
#ifndef SIDECAR_INTAKE_H
#define SIDECAR_INTAKE_H

#include "lib/account/ledger.h"
#include "lib/account/metrics.h"
#include "lib/outbox/acks.h"
#include "lib/outbox/outbox.h"
#include "lib/settings/config.h"
#include "sidecar/base/logger.h"
#include "sidecar/pipeline/sweep.h"
#include "sidecar/source/source.h"
#include "sidecar/spool/spool.h"

struct intake;

struct intake_settings {
    const struct config *config;
    struct outbox *outbox;
    struct ledger *ledger;
    struct metrics *metrics;
    struct acks *acks;
    struct spool *spool; /* NULL: there is none */
    struct sweep *sweep;
    struct logger *logger;

    /* Called when rows were put: the writers are to look. */
    void (*stored)(void *context);

    /* There was no memory for a document, which is not acknowledged: the source is to be closed before it
     * delivers another one. */
    void (*no_memory)(void *context);

    /* The source has ended by itself. */
    void (*finished)(void *context);
    void *context;
};

struct intake *intake_new(const struct intake_settings *settings);
void intake_free(struct intake *intake);

/* What the source is to call. */
struct source_events intake_events(struct intake *intake);

/* The source to pause; NULL when it is about to be closed: its connections are let go of. */
void intake_attach(struct intake *intake, struct source *source);

/* Rows have left the outbox or gone to the spool: pauses the source if there is no room any more, and
 * resumes it if there is again. */
void intake_progress(struct intake *intake);

bool intake_is_paused(const struct intake *intake);

/* How many streams bring events: connections that are open, or resources that are watched. */
size_t intake_streams(const struct intake *intake);

/* Of a source that lists and watches: why the resource of that number is not watched, "" if it is; NULL
 * behind the last one, and for other sources. */
const char *intake_unwatched(const struct intake *intake, size_t number);

#endif
