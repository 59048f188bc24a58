/* status: how things stand, for those who ask by HTTP.
 *
 * /livez    the loop turns: being answered is the proof
 * /readyz   events are taken in, or would be; ?verbose tells all that there is to tell
 * /metrics  for Prometheus (lib/account/metrics)
 * /status   the same for people and scripts, as JSON
 *
 * It looks at the others; nothing depends on it. */
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

/* What it looks at; borrowed. */
struct status_parts {
    const struct config *config;
    const char *version;
    const struct ledger *ledger;
    struct metrics *metrics; /* gauges, and what the ledger counts, are filled in when asked for */
    const struct outbox *outbox;
    const struct dispatch *dispatch;
    const struct intake *intake;
    const struct spool *spool; /* NULL: there is none */
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

/* Some times a second: to know how fast things grow. */
void status_tick(struct status *status);

/* Their context is the status. */
#define STATUS_ROUTES 4
extern const struct http_route status_routes[STATUS_ROUTES];

#endif
