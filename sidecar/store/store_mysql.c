/* store_mysql: writer threads, each with a connection of its own.
 *
 * Happy path: submit() hands a request to the thread of its lane; the thread connects if it has to,
 * brings the tables up to date once per connection, writes the batch, and puts the request on the
 * list of answers; the loop thread hears of it by uv_async and calls done().
 *
 * Failure modes, and what a lane does before it answers:
 *   can't connect               tries each host once, beginning with the one that the lanes write to
 *   connection lost             connects again, once, and sends the same rows again
 *   read-only, no quorum        the same, at the next host, and the other lanes follow
 *   tables changed meanwhile    looks at them every ten seconds, and migrates them again
 *   not where the others write  goes over to their host before it writes again
 *   deadlock                    the same transaction again, a few times, after a short random pause
 *   whatever rows may be to blame for  isolate.h
 *   trouble for an operator     answers and closes the connection: the next request reads the
 *                               password and looks at the tables anew
 *   anything else               answers; the caller decides when to try again
 *   abort() while it works      pauses end, its socket is shut down, its rows wait
 *   abort() while it connects   no other host is tried; a connect that is not over a moment later
 *                               is left behind, with the thread, the connection and this store: the
 *                               rows wait, the process ends without them
 */
#include "sidecar/store/store_mysql.h"

#include "lib/base/backoff.h"
#include "lib/base/invariant.h"
#include "sidecar/base/clock.h"
#include "sidecar/store/alive.h"
#include "sidecar/store/db.h"
#include "sidecar/store/isolate.h"
#include "sidecar/store/migrate.h"

#include <stdio.h>
#include <stdlib.h>

/* A transaction holds locks for as long as it runs: no batch is larger. */
#define MAX_BATCH_ROWS 4096

/* What a connect that is under way may take after abort(): where all is well it is soon over. */
#define PATIENCE_MS 250

/* In one request. Retries are for deadlocks, which are told at once. What was told later waited for a
 * lock: that is isolate's matter, since the other rows need not wait for it. */
#define MAX_RECONNECTS   1
#define MAX_RETRIES      8
#define RETRY_FIRST_MS   10
#define RETRY_CEILING_MS 200
#define RETRY_WITHIN_NS  UINT64_C(500000000)

/* A lane stays where it has connected for so long before it follows the others. Hosts that take only
 * some of the lanes would have them chase each other. */
#define FOLLOW_AFTER_NS UINT64_C(10000000000)

/* Who writes looks at the tables that often: without the unique key, rows are written twice. */
#define LOOK_AGAIN_NS UINT64_C(10000000000)

struct lane {
    struct store_mysql *store;
    uv_thread_t thread;
    uv_cond_t wake;                /* a request, abort or stop has come */
    struct store_request *request; /* under the store's lock; NULL: idle */
    bool connected;                /* under the store's lock: as of its last answer or connect */
    bool left;                     /* the loop's: the thread is left behind in a connect */

    /* the thread's own */
    struct db *db;
    size_t host; /* index in config->hosts of the one that it connected to last */
    uint64_t connected_ns;
    bool migrated;          /* the tables were looked at over this connection */
    uint64_t looked_ns;     /* when that was last */
    bool fits[TABLE_COUNT]; /* the table can be written to, though migrating has failed */

    enum dberror_class cause; /* of the error that was met last: what a connection is lost by */

    /* of the request that it serves */
    struct backoff retries;
    unsigned reconnects;
};

struct store_mysql {
    struct store store;
    const struct config *config;
    struct logger *logger;
    uv_async_t answered;
    uv_timer_t patience; /* active after abort() */
    unsigned open_handles;
    void (*closed)(void *context);
    void *closed_context;

    uv_mutex_t lock; /* guards the six below and what lanes have under it */
    size_t writer;   /* index in config->hosts of the one that all lanes should write to: writers on
                        different nodes of a Galera cluster get into each other's way */
    struct store_request *answers;
    struct store_description description; /* without .connected */
    bool aborting;
    bool stopping;
    bool told_of_statements;

    unsigned started; /* threads */
    struct lane lanes[];
};

/* ---- a lane's thread ------------------------------------------------------------------------- */

static bool is_aborting(struct store_mysql *store)
{
    uv_mutex_lock(&store->lock);
    bool aborting = store->aborting;
    uv_mutex_unlock(&store->lock);
    return aborting;
}

/* False if it was cut short by abort(). */
static bool lane_pause(struct lane *lane, uint32_t ms)
{
    struct store_mysql *store = lane->store;
    uint64_t end = uv_hrtime() + (uint64_t)ms * 1000000;
    uv_mutex_lock(&store->lock);
    for (uint64_t now = uv_hrtime(); !store->aborting && now < end; now = uv_hrtime())
        uv_cond_timedwait(&lane->wake, &store->lock, end - now);
    bool aborting = store->aborting;
    uv_mutex_unlock(&store->lock);
    return !aborting;
}

static const struct config_host *lane_host(const struct lane *lane)
{
    return &lane->store->config->hosts[lane->host];
}

static size_t get_writer(struct store_mysql *store)
{
    uv_mutex_lock(&store->lock);
    size_t writer = store->writer;
    uv_mutex_unlock(&store->lock);
    return writer;
}

/* Unless another lane has left `from` before: then what that one has found counts. */
static void move_writer(struct store_mysql *store, size_t from, size_t to)
{
    uv_mutex_lock(&store->lock);
    if (store->writer == from)
        store->writer = to;
    uv_mutex_unlock(&store->lock);
}

/* For a host that can be connected to, but not be written to. */
static void leave_host(struct lane *lane)
{
    move_writer(lane->store, lane->host, (lane->host + 1) % lane->store->config->host_count);
}

static void describe_connection(struct lane *lane)
{
    struct store_description *facts = &lane->store->description;
    const struct config_host *host = lane_host(lane);
    const struct db_server *server = db_server(lane->db);
    uv_mutex_lock(&lane->store->lock);
    lane->connected = true;
    facts->port = host->port;
    snprintf(facts->host, sizeof(facts->host), "%s", host->name);
    snprintf(facts->version, sizeof(facts->version), "%s", server->version);
    snprintf(facts->tls_version, sizeof(facts->tls_version), "%s", server->tls_version);
    snprintf(facts->tls_cipher, sizeof(facts->tls_cipher), "%s", server->tls_cipher);
    uv_mutex_unlock(&lane->store->lock);
}

static void describe_error(struct lane *lane, const struct error *err)
{
    struct store_description *facts = &lane->store->description;
    uv_mutex_lock(&lane->store->lock);
    facts->last_error_us = clock_now_us();
    snprintf(facts->last_error, sizeof(facts->last_error), "%s", err->text);
    uv_mutex_unlock(&lane->store->lock);
}

static void count_error(struct lane *lane, const struct db_error *err)
{
    lane->cause = err->class;
    lane->request->tally.errors[err->class]++;
}

static void count_connect(struct lane *lane)
{
    struct store_tally *tally = &lane->request->tally;
    tally->connects++;
    if (lane->connected_ns != 0)
        tally->reconnects[lane->cause]++;
}

/* That the server logs statements is told once. */
static bool is_first_to_tell(struct store_mysql *store)
{
    uv_mutex_lock(&store->lock);
    bool first = !store->told_of_statements;
    store->told_of_statements = true;
    uv_mutex_unlock(&store->lock);
    return first;
}

static enum error_code connect_to(struct lane *lane, size_t number, struct db_error *err)
{
    enum error_code code = db_connect(lane->db, number, err);
    if (code != ERROR_NONE) {
        count_error(lane, err);
        return code;
    }
    count_connect(lane);
    lane->host = number;
    lane->connected_ns = uv_hrtime();
    lane->migrated = false;
    memset(lane->fits, 0, sizeof(lane->fits));
    describe_connection(lane);
    LOG(lane->store->logger, INFO, "connected", log_string("host", lane_host(lane)->name),
        log_int("port", lane_host(lane)->port), log_string("server", db_server(lane->db)->version),
        log_string("tls", db_server(lane->db)->tls_version),
        log_string("cipher", db_server(lane->db)->tls_cipher));
    if (db_server(lane->db)->logs_statements && is_first_to_tell(lane->store))
        LOG(lane->store->logger, WARN,
            "the server logs statements (binlog_format=STATEMENT): rows are written under "
            "REPEATABLE "
            "READ, with more waits for locks",
            log_string("advice", DB_BINLOG_ADVICE));
    return ERROR_NONE;
}

/* Of several hosts' errors it answers the one that a person can do something about, or the last. */
static enum error_code connect_to_any(struct lane *lane, struct db_error *err)
{
    struct store_mysql *store = lane->store;
    const size_t first = get_writer(store), count = store->config->host_count;
    for (size_t tried = 0;;) {
        size_t number = (first + tried) % count;
        struct db_error why;
        if (connect_to(lane, number, &why) == ERROR_NONE) {
            move_writer(store, first, number);
            return ERROR_NONE;
        }
        if (tried == 0 || err->class != DBERROR_OPERATOR)
            *err = why;
        if (++tried == count || is_aborting(store))
            return err->error.code;
        LOG(store->logger, WARN, "no connection: trying the next host",
            log_string("host", store->config->hosts[number].name),
            log_int("port", store->config->hosts[number].port),
            log_string("error", why.error.text));
    }
}

static bool should_follow(const struct lane *lane)
{
    return lane->host != get_writer(lane->store) &&
           uv_hrtime() - lane->connected_ns > FOLLOW_AFTER_NS;
}

static enum error_code lane_connect(struct lane *lane, struct db_error *err)
{
    if (db_is_connected(lane->db)) {
        if (!should_follow(lane))
            return ERROR_NONE;
        LOG(lane->store->logger, INFO, "following the other connections to their host",
            log_string("from", lane_host(lane)->name), log_int("port", lane_host(lane)->port));
        lane->cause = DBERROR_ELSEWHERE;
        db_close(lane->db);
    }
    return connect_to_any(lane, err);
}

static bool may_reconnect(struct lane *lane, const struct db_error *why)
{
    if (lane->reconnects == MAX_RECONNECTS || is_aborting(lane->store))
        return false;
    lane->reconnects++;
    LOG(lane->store->logger, WARN, "connection lost: connecting again",
        log_string("host", lane_host(lane)->name), log_string("error", why->error.text));
    return true;
}

static bool may_retry(struct lane *lane, const struct db_error *why, uint64_t took_ns)
{
    if (lane->retries.failures == MAX_RETRIES || took_ns > RETRY_WITHIN_NS)
        return false;
    LOG(lane->store->logger, DEBUG, "transaction rolled back: trying again",
        log_string("error", why->error.text));
    return lane_pause(lane, backoff_next_ms(&lane->retries, clock_random()));
}

/* Whether the same is to be tried again at once. */
static bool may_try_again(struct lane *lane, const struct db_error *why, uint64_t took_ns)
{
    switch (why->class) {
    case DBERROR_RETRY:
        return may_retry(lane, why, took_ns);
    case DBERROR_ELSEWHERE:
        leave_host(lane);
        return may_reconnect(lane, why);
    case DBERROR_RECONNECT:
        return may_reconnect(lane, why);
    case DBERROR_OPERATOR:
    case DBERROR_WAIT:
    case DBERROR_SPLIT:
    case DBERROR_ROW:
        break;
    }
    return false;
}

/* Somebody may have changed the tables, such as dropped a unique key. */
static enum error_code look_again(struct lane *lane, struct db_error *err)
{
    bool required = false;
    if (!lane->migrated || uv_hrtime() - lane->looked_ns <= LOOK_AGAIN_NS)
        return ERROR_NONE;
    enum error_code code = migrate_look_again(lane->db, &required, err);
    if (code != ERROR_NONE)
        return code;
    lane->migrated = !required;
    lane->looked_ns = uv_hrtime();
    if (required)
        LOG(lane->store->logger, WARN, "somebody has changed the tables: they are migrated again");
    return ERROR_NONE;
}

/* Brings the tables up to date. Where that takes a person, a table that is as it should be can be
 * written to all the same. */
static enum error_code lane_migrate(struct lane *lane, const struct table *table,
                                    struct db_error *err)
{
    enum error_code code = look_again(lane, err);
    if (code != ERROR_NONE)
        return code;
    if (lane->migrated || (table != NULL && lane->fits[table_number(table)]))
        return ERROR_NONE;
    code = migrate_run(lane->db, lane->store->logger, err);
    lane->migrated = code == ERROR_NONE;
    lane->looked_ns = uv_hrtime();
    if (code == ERROR_NONE || err->class != DBERROR_OPERATOR || !db_is_connected(lane->db))
        return code;
    bool any = false;
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        lane->fits[i] = migrate_fits(lane->db, tables[i]);
        any |= lane->fits[i];
    }
    err->scope = any ? DB_SCOPE_TABLE : DB_SCOPE_CONNECTION;
    bool is_one_of_them = table != NULL ? lane->fits[table_number(table)] : any;
    return is_one_of_them ? ERROR_NONE : code;
}

/* One transaction; no rows: a question, or only a sign of life. */
static enum error_code lane_try(struct lane *lane, struct row *const *rows, size_t count,
                                struct db_error *err)
{
    struct store_request *request = lane->request;
    const struct table *table = count > 0 ? request->batch.table : NULL;
    if (request->listing != NULL)
        table = request->listing->resource->table;
    enum error_code code = lane_migrate(lane, table, err);
    if (code != ERROR_NONE)
        return code;
    request->attempts++;
    if (request->listing != NULL)
        return alive_list(lane->db, request->listing, err);
    if (count == 0)
        return db_exec(lane->db, TEXT("DO 1"), err);
    return db_write(lane->db, request->batch.table, request->batch.mode, rows, count, err);
}

static enum error_code lane_write(void *context, struct row *const *rows, size_t count,
                                  struct db_error *err)
{
    struct lane *lane = context;
    for (;;) {
        enum error_code code = lane_connect(lane, err);
        if (code != ERROR_NONE)
            return code;
        uint64_t start_ns = uv_hrtime();
        code = lane_try(lane, rows, count, err);
        if (code == ERROR_NONE)
            return code;
        count_error(lane, err);
        if (!may_try_again(lane, err, uv_hrtime() - start_ns))
            return code;
    }
}

static void lane_serve(struct lane *lane)
{
    struct store_request *request = lane->request;
    const uint64_t start_ns = uv_hrtime();
    lane->retries = (struct backoff){.first_ms = RETRY_FIRST_MS, .ceiling_ms = RETRY_CEILING_MS};
    lane->reconnects = 0;
    request->attempts = 0;
    request->tally = (struct store_tally){0};
    if (request->batch.count > 0) {
        isolate_batch(request, lane_write, lane);
    } else {
        struct db_error err;
        enum error_code code = lane_write(lane, NULL, 0, &err);
        request->error = (struct error){.code = ERROR_NONE};
        request->refusal_count = 0;
        request->others_may = false;
        if (code != ERROR_NONE) { /* else err tells what was got over */
            request->class = err.class;
            request->error = err.error;
        }
    }
    if (request->error.code != ERROR_NONE && request->class == DBERROR_OPERATOR)
        db_close(lane->db); /* what a person puts right is seen at the next connect */
    if (request->error.code != ERROR_NONE)
        describe_error(lane, &request->error);
    request->write_us = (uv_hrtime() - start_ns) / 1000;
}

static void lane_main(void *argument)
{
    struct lane *lane = argument;
    struct store_mysql *store = lane->store;
    db_thread_init();
    uv_mutex_lock(&store->lock);
    while (!store->stopping) {
        if (lane->request == NULL) {
            uv_cond_wait(&lane->wake, &store->lock);
            continue;
        }
        uv_mutex_unlock(&store->lock);
        lane_serve(lane);
        uv_mutex_lock(&store->lock);
        lane->connected = db_is_connected(lane->db);
        lane->request->next = store->answers;
        store->answers = lane->request;
        lane->request = NULL;
        uv_async_send(&store->answered);
    }
    uv_mutex_unlock(&store->lock);
    db_close(lane->db);
    db_thread_fini();
}

/* ---- the loop thread ------------------------------------------------------------------------- */

/* One wake-up may stand for several answers. After the last done() nothing is touched: it may have
 * closed the store. */
static void on_answered(uv_async_t *async)
{
    struct store_mysql *store = async->data;
    uv_mutex_lock(&store->lock);
    struct store_request *request = store->answers;
    store->answers = NULL;
    uv_mutex_unlock(&store->lock);
    while (request != NULL) {
        struct store_request *next = request->next;
        request->done(request);
        request = next;
    }
}

static void submit(struct store *base, struct store_request *request)
{
    struct store_mysql *store = (struct store_mysql *)base;
    struct lane *lane = &store->lanes[request->lane];
    uv_mutex_lock(&store->lock);
    invariant(lane->request == NULL);
    lane->request = request;
    uv_mutex_unlock(&store->lock);
    uv_cond_signal(&lane->wake);
}

/* As the lane would answer: its rows wait. */
static void answer_for(struct lane *lane)
{
    struct store_mysql *store = lane->store;
    struct store_request *request = lane->request;
    for (size_t i = 0; i < request->batch.count; i++)
        request->fates[i] = ROW_WAITS;
    request->refusal_count = 0;
    request->class = DBERROR_RECONNECT;
    error_set(&request->error, ERROR_AGAIN, "a connect was not waited for");
    request->next = store->answers;
    store->answers = request;
    lane->request = NULL;
    uv_async_send(&store->answered);
}

static void on_patience_over(uv_timer_t *timer)
{
    struct store_mysql *store = timer->data;
    for (unsigned i = 0; i < store->started; i++) {
        struct lane *lane = &store->lanes[i];
        if (lane->left || !db_leave(lane->db))
            continue;
        lane->left = true;
        store->store.left_behind = true;
        LOG(store->logger, WARN, "a connect to the database is not waited for",
            log_int("lane", (int64_t)i));
        uv_mutex_lock(&store->lock);
        answer_for(lane);
        uv_mutex_unlock(&store->lock);
    }
}

/* The timer repeats: a lane that was between two connects is found at the next look. */
static void abort_writes(struct store *base)
{
    struct store_mysql *store = (struct store_mysql *)base;
    uv_mutex_lock(&store->lock);
    store->aborting = true;
    for (unsigned i = 0; i < store->started; i++)
        uv_cond_signal(&store->lanes[i].wake);
    uv_mutex_unlock(&store->lock);
    for (unsigned i = 0; i < store->started; i++)
        db_abort(store->lanes[i].db);
    uv_timer_start(&store->patience, on_patience_over, PATIENCE_MS, PATIENCE_MS);
}

static void describe(struct store *base, struct store_description *description)
{
    struct store_mysql *store = (struct store_mysql *)base;
    uv_mutex_lock(&store->lock);
    *description = store->description;
    for (unsigned i = 0; i < store->started; i++)
        description->connected |= store->lanes[i].connected;
    uv_mutex_unlock(&store->lock);
}

/* Waits only for threads that are idle. */
static void join_threads(struct store_mysql *store)
{
    uv_mutex_lock(&store->lock);
    store->stopping = true;
    for (unsigned i = 0; i < store->started; i++)
        uv_cond_signal(&store->lanes[i].wake);
    uv_mutex_unlock(&store->lock);
    for (unsigned i = 0; i < store->started; i++) {
        if (!store->lanes[i].left)
            uv_thread_join(&store->lanes[i].thread);
    }
}

static void free_store(struct store_mysql *store)
{
    for (unsigned i = 0; i < store->store.lanes; i++) {
        if (store->lanes[i].db == NULL)
            continue;
        db_free(store->lanes[i].db);
        uv_cond_destroy(&store->lanes[i].wake);
    }
    uv_mutex_destroy(&store->lock);
    free(store);
}

static void on_closed(uv_handle_t *handle)
{
    struct store_mysql *store = handle->data;
    if (--store->open_handles > 0)
        return;
    void (*closed)(void *context) = store->closed;
    void *context = store->closed_context;
    if (!store->store.left_behind)
        free_store(store);
    if (closed != NULL)
        closed(context);
}

static void close_store(struct store *base, void (*closed)(void *context), void *context)
{
    struct store_mysql *store = (struct store_mysql *)base;
    join_threads(store);
    store->closed = closed;
    store->closed_context = context;
    uv_close((uv_handle_t *)&store->answered, on_closed);
    uv_close((uv_handle_t *)&store->patience, on_closed);
}

static enum error_code start_lane(struct lane *lane, struct store_mysql *store, struct error *err)
{
    lane->store = store;
    if (uv_cond_init(&lane->wake) != 0)
        return error_set(err, ERROR_NOMEM, "no memory for a database connection");
    lane->db = db_new(store->config);
    if (lane->db == NULL) {
        uv_cond_destroy(&lane->wake);
        return error_set(err, ERROR_NOMEM, "no memory for a database connection");
    }
    int status = uv_thread_create(&lane->thread, lane_main, lane);
    if (status != 0)
        return error_set(err, ERROR_AGAIN, "a thread for a database connection: %s",
                         uv_strerror(status));
    store->started++;
    return ERROR_NONE;
}

static struct store_mysql *allocate(unsigned lanes)
{
    struct store_mysql *store = calloc(1, sizeof(*store) + lanes * sizeof(struct lane));
    if (store == NULL)
        return NULL;
    if (uv_mutex_init(&store->lock) != 0) {
        free(store);
        return NULL;
    }
    store->store = (struct store){
        .name = "mysql",
        .lanes = lanes,
        .max_batch_rows = MAX_BATCH_ROWS,
        .submit = submit,
        .abort = abort_writes,
        .describe = describe,
        .close = close_store,
    };
    return store;
}

enum error_code store_mysql_new(uv_loop_t *loop, const struct config *config, struct logger *logger,
                                struct store **result, struct error *err)
{
    struct store_mysql *store = allocate((unsigned)config->db_connections);
    if (store == NULL)
        return error_set(err, ERROR_NOMEM, "no memory for the store");
    store->config = config;
    store->logger = logger;
    int status = uv_async_init(loop, &store->answered, on_answered);
    if (status != 0) {
        free_store(store);
        return error_set(err, ERROR_AGAIN, "the event loop: %s", uv_strerror(status));
    }
    store->answered.data = store;
    uv_timer_init(loop, &store->patience);
    store->patience.data = store;
    store->open_handles = 2;
    for (unsigned i = 0; i < store->store.lanes; i++) {
        enum error_code code = start_lane(&store->lanes[i], store, err);
        if (code != ERROR_NONE) {
            close_store(&store->store, NULL, NULL); /* freed when the loop runs next */
            return code;
        }
    }
    *result = &store->store;
    return ERROR_NONE;
}
