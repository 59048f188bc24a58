/* store_mysql: the loop thread's side of the store for MariaDB and MySQL.
 *
 * Happy path: submit() hands a request to the worker of its lane (worker.h), which puts it on the list of
 * answers once it has served it; the loop thread hears of it by uv_async and calls done().
 *
 * Failure modes (those of databases are worker.c's):
 *   abort() while a worker writes    its pauses end, its socket is shut down, its rows wait
 *   abort() while it connects        a connect that is not over a moment later is left behind, with the
 *                                    thread, the connection and this store: the rows wait, and the
 *                                    process ends without them
 */
#include "sidecar/store/store_mysql.h"

#include "lib/base/invariant.h"
#include "lib/base/memory.h"
#include "sidecar/store/worker.h"

#include <stdlib.h>

/* A transaction holds locks for as long as it runs: no batch is larger. */
#define MAX_BATCH_ROWS 4096

/* What a connect that is under way may take after abort(): where all is well it is soon over. */
#define PATIENCE_MS 250

struct store_mysql {
    struct store store;
    struct workers shared;
    uv_timer_t patience; /* active after abort() */
    unsigned open_handles;
    void (*closed)(void *context);
    void *closed_context;
    unsigned started; /* threads */
    struct worker workers[];
};

/* One wake-up may stand for several answers. After the last done() nothing is touched: it may have
 * closed the store. */
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

/* Answers for a worker that is left behind, as it would do: its rows wait. */
static void answer_for(struct worker *worker)
{
    struct workers *shared = worker->shared;
    struct store_request *request = worker->request;
    for (size_t i = 0; i < request->batch.count; i++)
        request->fates[i] = ROW_WAITS;
    request->refusal_count = 0;
    request->class = DBERROR_RECONNECT;
    error_set(&request->error, ERROR_AGAIN, "a connect was not waited for");
    request->next = shared->answers;
    shared->answers = request;
    worker->request = NULL;
    uv_async_send(&shared->answered);
}

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
        answer_for(worker);
        uv_mutex_unlock(&store->shared.lock);
    }
}

/* The timer repeats: a worker that was between two connects is found at the next look. */
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

/* Waits only for threads that are idle. */
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

static enum error_code start_worker(struct store_mysql *store, struct error *err)
{
    struct worker *worker = &store->workers[store->started];
    worker->shared = &store->shared;
    if (uv_cond_init(&worker->wake) != 0)
        memory_exhausted("a database connection");
    worker->db = db_new(store->shared.config);
    int status = uv_thread_create(&worker->thread, worker_main, worker);
    if (status != 0) {
        db_free(worker->db);
        uv_cond_destroy(&worker->wake);
        return error_set(err, ERROR_AGAIN, "a thread for a database connection: %s",
                         uv_strerror(status));
    }
    store->started++;
    return ERROR_NONE;
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
    while (store->started < lanes) {
        enum error_code code = start_worker(store, err);
        if (code != ERROR_NONE) {
            close_store(&store->store, NULL, NULL); /* freed when the loop runs next */
            return code;
        }
    }
    *result = &store->store;
    return ERROR_NONE;
}
