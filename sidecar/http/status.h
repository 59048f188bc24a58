/* status: answers HTTP requests about the state of the sidecar; on the loop thread.
 *
 * /livez    the loop is running: the answer itself proves that
 * /readyz   events are taken in, or would be; ?verbose tells the details
 * /metrics  for Prometheus (lib/account/metrics)
 * /status   the same for people and scripts, as JSON
 *
 * It reads the other parts; no part depends on it. */
#ifndef SIDECAR_STATUS_H
#define SIDECAR_STATUS_H

#include "lib/account/ledger.h"
#include "lib/account/metrics.h"
#include "lib/outbox/outbox.h"
#include "lib/settings/config.h"
#include "sidecar/http/http.h"
#include "sidecar/pipeline/dispatch.h"
#include "sidecar/pipeline/intake.h"
#include "sidecar/spool/spool.h"
#include "sidecar/store/store.h"

struct status;

/* The parts that it reads; borrowed. */
struct status_parts {
    const struct config *config;
    const char *version;
    const struct ledger *ledger;
    struct metrics *metrics; /* gauges, and what the ledger counts, are filled in when asked for */
    const struct outbox *outbox;
    const struct dispatch *dispatch;
    const struct intake *intake;
    struct sources *const *sources; /* points to NULL while they are not there or are closed */
    const struct spool *spool;      /* NULL: there is none */
    struct store *store;
    struct logger *logger;

    /* Why no events can be taken in; NULL: they can. */
    const char *(*unready)(const void *context);

    /* False: it stands by for another sidecar that takes the events in. */
    bool (*takes_events)(const void *context);
    const void *context;
};

struct status *status_new(const struct status_parts *parts);
void status_free(struct status *status);

/* Measures how fast outbox and spool grow. To be called some times a second. */
void status_tick(struct status *status);

/* The routes for http_new(); their context is the struct status. */
#define STATUS_ROUTES 4
extern const struct http_route status_routes[STATUS_ROUTES];

#endif
