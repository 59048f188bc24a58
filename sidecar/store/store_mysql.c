/* store_mysql: the loop thread's side of the store for MariaDB and MySQL.
 *
 * Happy path: submit() hands a request to the worker of its lane (worker.h), which serves it and puts it on
 * the list of answers. The loop thread hears of that by uv_async, and calls done().
 *
 * Failure modes (worker.c has those of databases):
 *   abort() while a worker writes    its pauses end, its socket is shut down, and its rows wait
 *   abort() while it connects        if the connect is not over a moment later, it is left behind, with its
 *                                    thread, its connection and this store: the rows wait, and the process ends
 *                                    without them
 */
#include "sidecar/store/store_mysql.h"

#include "lib/base/invariant.h"
#include "lib/base/memory.h"
#include "sidecar/store/worker.h"

#include <stdlib.h>

/* The largest batch: a transaction holds locks for as long as it runs. */
#define MAX_BATCH_ROWS 4096

/* How long a connect may take after abort(). If all is well it is over sooner. */
#define PATIENCE_MS 250

struct store_mysql {
    struct store store;
    struct workers shared;
    uv_timer_t patience; /* active after abort() */
    unsigned open_handles;
    void (*closed)(void *context);
    void *closed_context;
    unsigned started; /* workers */
    struct worker workers[];
};

/* Hands back all answers, since one wake-up may stand for several. The last done() may have closed the store,
 * so nothing of it is touched afterwards. */
static void on_answered(uv_async_t *async)
{
    struct store_mysql *store = async->data;
    uv_mutex_lock(&store->shared.lock);
    struct store_request *request = store->shared.answers;
    store->shared.answers = NULL;
    uv_mutex_unlock(&store->shared.lock);
    while (request != NULL) {
        struct store_request *next = request->next;
        request->done(request);
        request = next;
    }
}

static void submit(struct store *base, struct store_request *request)
{
    struct store_mysql *store = (struct store_mysql *)base;
    struct worker *worker = &store->workers[request->lane];
    uv_mutex_lock(&store->shared.lock);
    invariant(worker->request == NULL);
    worker->request = request;
    uv_mutex_unlock(&store->shared.lock);
    uv_cond_signal(&worker->wake);
}

/* Leaves the workers behind that are in a connect, and answers for them as they would do: their rows wait. */
static void on_patience_over(uv_timer_t *timer)
{
    struct store_mysql *store = timer->data;
    for (unsigned i = 0; i < store->started; i++) {
        struct worker *worker = &store->workers[i];
        if (worker->left_behind || !db_leave(worker->db))
            continue;
        worker->left_behind = true;
        store->store.left_behind = true;
        LOG(store->shared.logger, WARN, "a connect to the database is not waited for",
            log_int("lane", (int64_t)i));
        uv_mutex_lock(&store->shared.lock);
        struct store_request *request = worker->request;
        for (size_t row = 0; row < request->batch.count; row++)
            request->fates[row] = ROW_WAITS;
        request->refusal_count = 0;
        request->class = DBERROR_RECONNECT;
        error_set(&request->error, ERROR_AGAIN, "a connect was not waited for");
        request->next = store->shared.answers;
        store->shared.answers = request;
        worker->request = NULL;
        uv_mutex_unlock(&store->shared.lock);
        uv_async_send(&store->shared.answered);
    }
}

/* The timer repeats, so that it also finds a worker that was between two connects. */
static void abort_writes(struct store *base)
{
    struct store_mysql *store = (struct store_mysql *)base;
    uv_mutex_lock(&store->shared.lock);
    store->shared.aborting = true;
    for (unsigned i = 0; i < store->started; i++)
        uv_cond_signal(&store->workers[i].wake);
    uv_mutex_unlock(&store->shared.lock);
    for (unsigned i = 0; i < store->started; i++)
        db_abort(store->workers[i].db);
    uv_timer_start(&store->patience, on_patience_over, PATIENCE_MS, PATIENCE_MS);
}

static void describe(struct store *base, struct store_description *description)
{
    struct store_mysql *store = (struct store_mysql *)base;
    uv_mutex_lock(&store->shared.lock);
    *description = store->shared.description;
    for (unsigned i = 0; i < store->started; i++)
        description->connected |= store->workers[i].connected;
    uv_mutex_unlock(&store->shared.lock);
}

static void on_closed(uv_handle_t *handle)
{
    struct store_mysql *store = handle->data;
    if (--store->open_handles > 0)
        return;
    void (*closed)(void *context) = store->closed;
    void *context = store->closed_context;
    if (!store->store.left_behind) {
        for (unsigned i = 0; i < store->started; i++) {
            db_free(store->workers[i].db);
            uv_cond_destroy(&store->workers[i].wake);
        }
        uv_mutex_destroy(&store->shared.lock);
        free(store);
    }
    if (closed != NULL)
        closed(context);
}

/* Joins the threads, which are idle, so that they end at once. */
static void close_store(struct store *base, void (*closed)(void *context), void *context)
{
    struct store_mysql *store = (struct store_mysql *)base;
    uv_mutex_lock(&store->shared.lock);
    store->shared.stopping = true;
    for (unsigned i = 0; i < store->started; i++)
        uv_cond_signal(&store->workers[i].wake);
    uv_mutex_unlock(&store->shared.lock);
    for (unsigned i = 0; i < store->started; i++) {
        if (!store->workers[i].left_behind)
            uv_thread_join(&store->workers[i].thread);
    }
    store->closed = closed;
    store->closed_context = context;
    uv_close((uv_handle_t *)&store->shared.answered, on_closed);
    uv_close((uv_handle_t *)&store->patience, on_closed);
}

enum error_code store_mysql_new(uv_loop_t *loop, const struct config *config, struct logger *logger,
                                struct store **result, struct error *err)
{
    const unsigned lanes = (unsigned)config->db_connections;
    struct store_mysql *store = memory_new(sizeof(*store) + lanes * sizeof(struct worker));
    store->store = (struct store){
        .name = "mysql",
        .lanes = lanes,
        .max_batch_rows = MAX_BATCH_ROWS,
        .submit = submit,
        .abort = abort_writes,
        .describe = describe,
        .close = close_store,
    };
    store->shared.config = config;
    store->shared.logger = logger;
    int status = uv_async_init(loop, &store->shared.answered, on_answered);
    if (status != 0) {
        free(store);
        return error_set(err, ERROR_AGAIN, "the event loop: %s", uv_strerror(status));
    }
    if (uv_mutex_init(&store->shared.lock) != 0)
        memory_exhausted("the store");
    store->shared.answered.data = store;
    uv_timer_init(loop, &store->patience);
    store->patience.data = store;
    store->open_handles = 2;
    for (; store->started < lanes; store->started++) {
        struct worker *worker = &store->workers[store->started];
        worker->shared = &store->shared;
        if (uv_cond_init(&worker->wake) != 0)
            memory_exhausted("a database connection");
        worker->db = db_new(config);
        status = uv_thread_create(&worker->thread, worker_main, worker);
        if (status != 0) {
            db_free(worker->db);
            uv_cond_destroy(&worker->wake);
            close_store(&store->store, NULL, NULL); /* the loop's next round frees it */
            return error_set(err, ERROR_AGAIN, "a thread for a database connection: %s",
                             uv_strerror(status));
        }
    }
    *result = &store->store;
    return ERROR_NONE;
}
