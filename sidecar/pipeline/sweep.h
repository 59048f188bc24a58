/* sweep: closes the rows of objects that vanished while nobody watched (lib/kube/snapshot), and notices
 * where the server's versions went back (lib/rows/epoch). */
#ifndef SIDECAR_SWEEP_H
#define SIDECAR_SWEEP_H

#include "lib/account/ledger.h"
#include "lib/account/metrics.h"
#include "lib/kube/snapshot.h"
#include "lib/kube/watch.h"
#include "lib/outbox/durability.h"
#include "lib/outbox/outbox.h"
#include "sidecar/base/logger.h"
#include "sidecar/pipeline/dispatch.h"
#include "sidecar/spool/spool.h"

#include <stdbool.h>
#include <stdint.h>

struct sweep;

struct sweep_settings {
    const char *cluster_id; /* CLUSTER_ID; "": nothing is swept until it is known */
    bool replays;           /* old streams are shipped again: their versions are no news */
    const char *namespace;  /* that is swept by a mark that names none; "": all */
    struct outbox *outbox;
    struct durability *durability; /* of the outbox; NULL: nobody asks what is safe */
    struct spool *spool;           /* keeps what was refused; NULL: there is none */
    struct ledger *ledger;
    struct metrics *metrics;
    struct dispatch *dispatch;
    struct logger *logger;
};

struct sweep *sweep_new(const struct sweep_settings *settings);
void sweep_free(struct sweep *sweep);

/* The spool has been read back, and the source is about to be opened: sweeps that an earlier process has
 * refused are tried again. */
void sweep_restore(struct sweep *sweep);

/* Which cluster this is, instead of that in the settings: for what is shown from now on. Borrowed. */
void sweep_set_cluster(struct sweep *sweep, const char *cluster_id);

void sweep_opened(struct sweep *sweep, struct snapshot_connection *connection);
void sweep_closed(struct sweep *sweep, struct snapshot_connection *connection);

/* The source is about to be closed, and its connections with it. */
void sweep_close_all(struct sweep *sweep);

/* Every document, before its row is given away, and before it is counted for acknowledgement. The row may
 * be replaced by one whose version is written in a later epoch. */
void sweep_document(struct sweep *sweep, struct snapshot_connection *connection,
                    struct watch_result *result);

/* The API server does not have the kind at all: there are no objects of it. */
void sweep_absent(struct sweep *sweep, const char *api_version, const char *kind);

/* Begins what can be begun, or does the next piece of what was begun: every tick. */
void sweep_tick(struct sweep *sweep);

/* A connection that has shown objects before it was known that the server's versions went back: they are
 * to be shown again, to be written as newer than what there is. NULL: there is none. */
struct snapshot_connection *sweep_begin_again(struct sweep *sweep);

/* The process is about to end: what waits is asked at once, and once. */
void sweep_end(struct sweep *sweep);

/* True if no mark waits to be swept, and none is being swept. A sweep that was refused does not wait. */
bool sweep_is_idle(const struct sweep *sweep);

#endif
