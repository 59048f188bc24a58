/* intake: source -> outbox. It decodes each document, puts its row into the outbox, counts its fate, and
 * pauses the source while the outbox or the spool is full. All of it is on the loop's thread. */
#ifndef SIDECAR_INTAKE_H
#define SIDECAR_INTAKE_H

#include "lib/account/ledger.h"
#include "lib/account/metrics.h"
#include "lib/outbox/acks.h"
#include "lib/outbox/outbox.h"
#include "lib/settings/config.h"
#include "sidecar/base/logger.h"
#include "sidecar/pipeline/sweep.h"
#include "sidecar/source/sources.h"
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

    /* Rows were put into the outbox: the writers are to be woken. */
    void (*stored)(void *context);

    /* There was no memory for a document, which is therefore not acknowledged. The sources are to be closed
     * before they deliver another document. */
    void (*no_memory)(void *context);

    /* A source has ended. */
    void (*finished)(void *context);
    void *context;
};

struct intake *intake_new(const struct intake_settings *settings);
void intake_free(struct intake *intake);

/* Returns the callbacks for sources_new(). They are valid until intake_free(). */
struct source_events intake_events(struct intake *intake);

/* Sets the sources that intake pauses and resumes; not owned. NULL: they are about to be closed, and their
 * connections are forgotten. */
void intake_attach(struct intake *intake, struct sources *sources);

/* To be called when rows have left the outbox or were stored in the spool. Pauses the sources if there is no
 * room any more, and resumes them if there is room again. */
void intake_progress(struct intake *intake);

bool intake_is_paused(const struct intake *intake);

#endif
