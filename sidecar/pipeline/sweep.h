/* sweep: closes the rows of objects that vanished while nobody watched (lib/kube/snapshot), and notices
 * if the API server's versions went back (lib/rows/timeline). A mark is the BOOKMARK of a watch that says that
 * all objects of a resource were shown. All of it is on the loop's thread. */
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
    bool replays;           /* old streams are shipped: that versions go back is normal */
    const char *namespace;  /* the one that a mark means which names none; "": all namespaces */
    struct outbox *outbox;
    struct durability *durability; /* the same as the outbox has; NULL: nobody asks what is safe */
    struct spool *spool; /* keeps the notes of refused sweeps and of versions; NULL: none */
    struct ledger *ledger;
    struct metrics *metrics;
    struct dispatch *dispatch;
    struct logger *logger;
};

struct sweep *sweep_new(const struct sweep_settings *settings);
void sweep_free(struct sweep *sweep);

/* To be called when the spool has been read back, before the source is opened. Sweeps that an earlier process
 * has refused are tried again. */
void sweep_restore(struct sweep *sweep);

/* Sets the cluster instead of that in the settings, for what is shown from now on. Connections that have shown
 * objects before are to be begun again. cluster_id is borrowed. */
void sweep_set_cluster(struct sweep *sweep, const char *cluster_id);

/* is_reference: as in snapshot_opened(). */
void sweep_opened(struct sweep *sweep, struct snapshot_connection *connection, bool is_reference);
void sweep_closed(struct sweep *sweep, struct snapshot_connection *connection);

/* The source is about to be closed: all its connections are forgotten. */
void sweep_close_all(struct sweep *sweep);

/* To be called for every document, before its row is put into the outbox, and before the document is counted
 * for acknowledgement. It may replace result->row by a row whose version is written in a later timeline;
 * if there is no memory for that, it sets result->fate to WATCH_NO_MEMORY. */
void sweep_document(struct sweep *sweep, struct snapshot_connection *connection,
                    struct watch_result *result);

/* The API server does not serve the kind: all rows of the kind are to be closed. */
void sweep_absent(struct sweep *sweep, const char *api_version, const char *kind);

/* To be called at every tick. Begins the sweep of the first mark that is due, or does the next piece of the
 * sweep that was begun. */
void sweep_tick(struct sweep *sweep);

/* Returns a connection that has shown objects before the cluster was known, or before it was known that the
 * server's versions went back. The caller is to begin it again, so that these objects are shown again, and
 * written with the cluster and in the later timeline. NULL: there is none. */
struct snapshot_connection *sweep_begin_again(struct sweep *sweep);

/* The process is about to end: marks that wait are swept at once, without another attempt. */
void sweep_end(struct sweep *sweep);

/* True if no mark is being swept, or waits to be. A mark whose sweep was refused does not count as one that
 * waits. */
bool sweep_is_idle(const struct sweep *sweep);

#endif
