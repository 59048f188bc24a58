/* worker: the thread that serves one lane of a store, over a connection of its own. */
#ifndef SIDECAR_STORE_WORKER_H
#define SIDECAR_STORE_WORKER_H

#include "lib/base/backoff.h"
#include "lib/rows/table.h"
#include "lib/settings/config.h"
#include "sidecar/base/logger.h"
#include "sidecar/store/db.h"
#include "sidecar/store/store.h"

#include <stdbool.h>
#include <uv.h>

/* What the workers of a store share, with each other and with the loop thread. */
struct workers {
    const struct config *config;
    struct logger *logger;
    uv_async_t answered; /* there are answers */

    uv_mutex_t lock;   /* guards what follows, and what a worker says to be under it */
    size_t write_host; /* index in config->hosts of the one that all should write to: writes on
                          different nodes of a Galera cluster get into each other's way */
    struct store_request *answers;
    struct store_description description; /* without .connected */
    bool aborting;
    bool stopping;
    bool warned_of_binlog; /* that a server logs statements is said once */
};

struct worker {
    struct workers *shared;
    uv_thread_t thread;
    uv_cond_t wake;                /* a request, aborting or stopping has come */
    struct store_request *request; /* under the lock; NULL: idle */
    bool connected;                /* under the lock: as of its last answer or connect */
    bool left_behind;              /* the loop thread's: the worker is left in a connect */

    /* the thread's own */
    struct db *db;
    size_t host; /* index in config->hosts of the one that it connected to last */
    uint64_t connected_ns;
    bool migrated;             /* the tables were looked at over this connection */
    uint64_t looked_ns;        /* when that was last */
    bool fits[TABLE_COUNT];    /* the table can be written to, though migrating has failed */
    enum dberror_class reason; /* of the error that was met last: what a connection is lost by */

    /* of the request that it serves */
    struct backoff retries;
    unsigned reconnects;
};

/* The thread's function: serves requests until shared->stopping is set, then closes its connection. */
void worker_main(void *worker);

#endif
