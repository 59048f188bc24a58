/* sweep: closes the rows of objects that vanished while nobody watched (lib/snapshot). */
#ifndef SIDECAR_SWEEP_H
#define SIDECAR_SWEEP_H

#include "lib/account/ledger.h"
#include "lib/account/metrics.h"
#include "lib/base/error.h"
#include "lib/kube/watch.h"
#include "lib/outbox/outbox.h"
#include "sidecar/base/logger.h"
#include "sidecar/pipeline/dispatch.h"

#include <stdbool.h>
#include <stdint.h>

struct sweep;

struct sweep_settings {
    const char *cluster_id; /* CLUSTER_ID; "": nothing is swept until it is known */
    const char *namespace;  /* that is swept; "": all */
    struct outbox *outbox;
    struct ledger *ledger;
    struct metrics *metrics;
    struct dispatch *dispatch;
    struct logger *logger;
};

enum error_code sweep_new(const struct sweep_settings *settings, struct sweep **sweep,
                          struct error *err) MUST_CHECK;
void sweep_free(struct sweep *sweep);

/* Which cluster this is, instead of that in the settings: for what is shown from now on. Borrowed. */
void sweep_set_cluster(struct sweep *sweep, const char *cluster_id);

void sweep_opened(struct sweep *sweep, uint64_t connection);
void sweep_closed(struct sweep *sweep, uint64_t connection);

/* Every document, before its row is given away. */
void sweep_document(struct sweep *sweep, uint64_t connection, const struct watch_result *result,
                    int64_t now_us);

/* Begins what can be begun, or does the next piece of what was begun: every tick. */
void sweep_tick(struct sweep *sweep);

/* The process is about to end: what waits is asked at once, and once. */
void sweep_end(struct sweep *sweep);

/* True if no mark waits to be swept, and none is being swept. */
bool sweep_is_idle(const struct sweep *sweep);

#endif
