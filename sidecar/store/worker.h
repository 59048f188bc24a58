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
    uv_async_t answered; /* sent when there are answers */

    uv_mutex_t lock;   /* guards the fields below, and those of a worker that say so */
    size_t write_host; /* index in config->hosts of the one that all workers should write to: on a
                          Galera cluster, writes on different nodes conflict with each other */
    struct store_request *answers;
    struct store_description description; /* without .connected */
    bool aborting;
    bool stopping;
    bool warned; /* of what is not well set at a server: once */
};

struct worker {
    struct workers *shared;
    uv_thread_t thread;
    uv_cond_t wake;                /* signalled for a request, .aborting and .stopping */
    struct store_request *request; /* under the lock; NULL: the worker is idle */
    bool connected;                /* under the lock: as of the last answer or connect */
    bool left_behind;              /* the loop thread's: the worker was left in a connect */

    /* The worker's thread alone uses what follows. */
    struct db *db;
    size_t host; /* index in config->hosts of the last one that it has connected to */
    uint64_t connected_ns;
    bool migrated;             /* the tables were found to be up to date over this connection */
    uint64_t looked_ns;        /* when that was checked last */
    bool fits[TABLE_COUNT];    /* the table can be written to, although the migration has failed */
    enum dberror_class reason; /* of the last error: why a connection was lost */

    /* Of the request that is served: */
    struct backoff retries;
    unsigned reconnects;
};

/* The thread's function: serves requests until shared->stopping is set, then closes the connection. */
void worker_main(void *worker);

#endif
