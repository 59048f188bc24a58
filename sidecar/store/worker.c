/* worker: serves the requests of one lane, each until it is answered.
 *
 * Happy path: the worker connects if it has to, brings the tables up to date once for each connection, writes
 * the batch in one transaction, puts the request on the list of answers and wakes the loop thread.
 *
 * Failure modes, and what the worker does before it answers:
 *   no connection               it tries each host once, beginning with the write host
 *   connection lost             it connects again, once, and sends the same rows again
 *   read-only, no quorum        the same at the next host, and the other workers follow
 *   the tables were changed     it looks at them every ten seconds, and migrates them again
 *   not at the write host       it goes over to the write host before it writes again
 *   deadlock                    it sends the same transaction again, a few times, after a short random pause
 *   rows may be to blame        isolate.h
 *   trouble for an operator     it answers and closes the connection: the next request reads the password and
 *                               looks at the tables anew
 *   anything else               it answers, and the caller decides when to try again
 *   .aborting is set            a pause ends, no other host is tried, and the rows wait
 */
#include "sidecar/store/worker.h"

#include "sidecar/base/clock.h"
#include "sidecar/store/alive.h"
#include "sidecar/store/isolate.h"
#include "sidecar/store/migrate.h"

#include <stdio.h>

/* Limits of one request. Retries are for deadlocks, which are reported at once. An error that took longer
 * waited for a lock: then the rows are isolated, since those that are not locked need not wait. */
#define MAX_RECONNECTS   1
#define MAX_RETRIES      8
#define RETRY_FIRST_MS   10
#define RETRY_CEILING_MS 200
#define RETRY_WITHIN_NS  UINT64_C(500000000)

/* A worker stays at its host for so long before it goes over to the write host. If hosts accept only some of
 * the connections, workers would chase each other otherwise. */
#define FOLLOW_AFTER_NS UINT64_C(10000000000)

/* A worker that writes looks at the tables that often: without the unique key, rows are written twice. */
#define LOOK_AGAIN_NS UINT64_C(10000000000)

/* ---- hosts and connections ------------------------------------------------------------------- */

static bool is_aborting(struct workers *shared)
{
    uv_mutex_lock(&shared->lock);
    bool aborting = shared->aborting;
    uv_mutex_unlock(&shared->lock);
    return aborting;
}

static const struct config_host *host_of(const struct worker *worker)
{
    return &worker->shared->config->hosts[worker->host];
}

static size_t get_write_host(struct workers *shared)
{
    uv_mutex_lock(&shared->lock);
    size_t host = shared->write_host;
    uv_mutex_unlock(&shared->lock);
    return host;
}

/* Does nothing if another worker has moved the write host since: then what that one has found counts. */
static void move_write_host(struct workers *shared, size_t from, size_t to)
{
    uv_mutex_lock(&shared->lock);
    if (shared->write_host == from)
        shared->write_host = to;
    uv_mutex_unlock(&shared->lock);
}

static void count_error(struct worker *worker, const struct db_error *err)
{
    worker->reason = err->class;
    worker->request->tally.errors[err->class]++;
}

static enum error_code connect_to(struct worker *worker, size_t number, struct db_error *err)
{
    struct workers *shared = worker->shared;
    struct store_tally *tally = &worker->request->tally;
    struct store_description *facts = &shared->description;
    const struct db_server *server = db_server(worker->db);
    const struct config_host *host = &shared->config->hosts[number];
    enum error_code code = db_connect(worker->db, number, err);
    if (code != ERROR_NONE) {
        count_error(worker, err);
        return code;
    }
    tally->connects++;
    if (worker->connected_ns != 0)
        tally->reconnects[worker->reason]++;
    worker->host = number;
    worker->connected_ns = uv_hrtime();
    worker->migrated = false;
    memset(worker->fits, 0, sizeof(worker->fits));

    uv_mutex_lock(&shared->lock);
    worker->connected = true;
    facts->port = host->port;
    snprintf(facts->host, sizeof(facts->host), "%s", host->name);
    snprintf(facts->version, sizeof(facts->version), "%s", server->version);
    snprintf(facts->tls_version, sizeof(facts->tls_version), "%s", server->tls_version);
    snprintf(facts->tls_cipher, sizeof(facts->tls_cipher), "%s", server->tls_cipher);
    bool warns = server->warning != NULL && !shared->warned;
    shared->warned |= warns;
    uv_mutex_unlock(&shared->lock);

    LOG(shared->logger, INFO, "connected", log_string("host", host->name),
        log_int("port", host->port), log_string("server", server->version),
        log_string("tls", server->tls_version), log_string("cipher", server->tls_cipher));
    if (warns)
        LOG(shared->logger, WARN, server->warning, log_string("advice", server->advice));
    return ERROR_NONE;
}

/* Connects to the write host, or to one of the others. If none accepts, the error is the first one that a
 * person can do something about, or the last one. */
static enum error_code connect_to_any(struct worker *worker, struct db_error *err)
{
    struct workers *shared = worker->shared;
    const size_t first = get_write_host(shared), count = shared->config->host_count;
    for (size_t tried = 0;;) {
        size_t number = (first + tried) % count;
        const struct config_host *host = &shared->config->hosts[number];
        struct db_error why;
        if (connect_to(worker, number, &why) == ERROR_NONE) {
            move_write_host(shared, first, number);
            return ERROR_NONE;
        }
        if (tried == 0 || err->class != DBERROR_OPERATOR)
            *err = why;
        if (++tried == count || is_aborting(shared))
            return err->error.code;
        LOG(shared->logger, WARN, "no connection: trying the next host",
            log_string("host", host->name), log_int("port", host->port),
            log_string("error", why.error.text));
    }
}

static enum error_code ensure_connection(struct worker *worker, struct db_error *err)
{
    if (db_is_connected(worker->db)) {
        if (worker->host == get_write_host(worker->shared) ||
            uv_hrtime() - worker->connected_ns <= FOLLOW_AFTER_NS)
            return ERROR_NONE;
        LOG(worker->shared->logger, INFO, "following the other connections to their host",
            log_string("from", host_of(worker)->name), log_int("port", host_of(worker)->port));
        worker->reason = DBERROR_ELSEWHERE;
        db_close(worker->db);
    }
    return connect_to_any(worker, err);
}

/* ---- trying again ---------------------------------------------------------------------------- */

/* Makes the pause before a retry. Returns false if there is to be none, or if abort() has cut the pause
 * short. */
static bool may_retry(struct worker *worker, const struct db_error *why, uint64_t took_ns)
{
    struct workers *shared = worker->shared;
    if (worker->retries.failures == MAX_RETRIES || took_ns > RETRY_WITHIN_NS)
        return false;
    LOG(shared->logger, DEBUG, "transaction rolled back: trying again",
        log_string("error", why->error.text));
    uint32_t pause_ms = backoff_next_ms(&worker->retries, clock_random());
    uint64_t end_ns = uv_hrtime() + (uint64_t)pause_ms * 1000000;
    uv_mutex_lock(&shared->lock);
    for (uint64_t now = uv_hrtime(); !shared->aborting && now < end_ns; now = uv_hrtime())
        uv_cond_timedwait(&worker->wake, &shared->lock, end_ns - now);
    bool aborting = shared->aborting;
    uv_mutex_unlock(&shared->lock);
    return !aborting;
}

/* Returns whether the same is to be tried again at once. took_ns: the time until the error. */
static bool may_try_again(struct worker *worker, const struct db_error *why, uint64_t took_ns)
{
    struct workers *shared = worker->shared;
    if (why->class == DBERROR_RETRY)
        return may_retry(worker, why, took_ns);
    if (why->class != DBERROR_ELSEWHERE && why->class != DBERROR_RECONNECT)
        return false;
    if (why->class == DBERROR_ELSEWHERE) /* the host accepts connections, but no writes */
        move_write_host(shared, worker->host, (worker->host + 1) % shared->config->host_count);
    if (worker->reconnects == MAX_RECONNECTS || is_aborting(shared))
        return false;
    worker->reconnects++;
    LOG(shared->logger, WARN, "connection lost: connecting again",
        log_string("host", host_of(worker)->name), log_string("error", why->error.text));
    return true;
}

/* ---- tables ---------------------------------------------------------------------------------- */

/* Brings the tables up to date. If that takes a person, a table that is as it should be can be written to all
 * the same. table: the one that is wanted; NULL: any. */
static enum error_code ensure_table(struct worker *worker, const struct table *table,
                                    struct db_error *err)
{
    struct logger *logger = worker->shared->logger;
    bool required = false;
    /* Somebody may have changed the tables, such as dropped a unique key. */
    if (worker->migrated && uv_hrtime() - worker->looked_ns > LOOK_AGAIN_NS) {
        enum error_code code = migrate_is_required(worker->db, tables, &required, err);
        if (code != ERROR_NONE)
            return code;
        worker->migrated = !required;
        worker->looked_ns = uv_hrtime();
        if (required)
            LOG(logger, WARN, "somebody has changed the tables: they are migrated again");
    }
    if (worker->migrated || (table != NULL && worker->fits[table_number(table)]))
        return ERROR_NONE;

    enum error_code code = migrate_run(worker->db, logger, err);
    worker->migrated = code == ERROR_NONE;
    worker->looked_ns = uv_hrtime();
    if (code == ERROR_NONE || err->class != DBERROR_OPERATOR || !db_is_connected(worker->db))
        return code;
    bool any = false;
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        const struct table *const one[] = {tables[i], NULL};
        struct db_error ignored;
        worker->fits[i] =
            migrate_is_required(worker->db, one, &required, &ignored) == ERROR_NONE && !required;
        any |= worker->fits[i];
    }
    err->affects = any ? DB_AFFECTS_TABLE : DB_AFFECTS_CONNECTION;
    bool fits = table != NULL ? worker->fits[table_number(table)] : any;
    return fits ? ERROR_NONE : code;
}

/* ---- requests -------------------------------------------------------------------------------- */

/* Carries out one transaction; without rows, it asks the listing's question, or for a sign of life. Tries
 * again as long as that may help at once. */
static enum error_code try_all(void *context, struct row *const *rows, size_t count,
                               struct db_error *err)
{
    struct worker *worker = context;
    struct store_request *request = worker->request;
    const struct table *table = count > 0 ? request->batch.table : NULL;
    if (request->listing != NULL)
        table = request->listing->resource->table;
    for (;;) {
        enum error_code code = ensure_connection(worker, err);
        if (code != ERROR_NONE)
            return code;
        uint64_t start_ns = uv_hrtime();
        code = ensure_table(worker, table, err);
        if (code == ERROR_NONE) {
            request->attempts++;
            if (request->listing != NULL)
                code = alive_list(worker->db, request->listing, err);
            else if (count == 0)
                code = db_exec(worker->db, TEXT("SELECT 1"), err);
            else
                code = db_write(worker->db, table, request->batch.mode, rows, count, err);
        }
        if (code == ERROR_NONE)
            return code;
        count_error(worker, err);
        if (!may_try_again(worker, err, uv_hrtime() - start_ns))
            return code;
    }
}

/* Serves the worker's request, and fills in the answer. */
static void serve(struct worker *worker)
{
    struct store_request *request = worker->request;
    struct workers *shared = worker->shared;
    const uint64_t start_ns = uv_hrtime();
    worker->retries = (struct backoff){.first_ms = RETRY_FIRST_MS, .ceiling_ms = RETRY_CEILING_MS};
    worker->reconnects = 0;
    request->attempts = 0;
    request->tally = (struct store_tally){0};
    if (request->batch.count > 0) {
        isolate_batch(request, try_all, worker);
    } else {
        struct db_error err;
        enum error_code code = try_all(worker, NULL, 0, &err);
        request->error = (struct error){.code = ERROR_NONE};
        request->refusal_count = 0;
        request->others_may = false;
        if (code != ERROR_NONE) { /* if not, err may be of an earlier attempt */
            request->class = err.class;
            request->error = err.error;
        }
    }
    if (request->error.code != ERROR_NONE) {
        if (request->class == DBERROR_OPERATOR)
            db_close(worker->db); /* what a person puts right is seen at the next connect */
        uv_mutex_lock(&shared->lock);
        shared->description.last_error_us = clock_now_us();
        snprintf(shared->description.last_error, sizeof(shared->description.last_error), "%s",
                 request->error.text);
        uv_mutex_unlock(&shared->lock);
    }
    request->write_us = (uv_hrtime() - start_ns) / 1000;
}

void worker_main(void *argument)
{
    struct worker *worker = argument;
    struct workers *shared = worker->shared;
    uv_mutex_lock(&shared->lock);
    while (!shared->stopping) {
        if (worker->request == NULL) {
            uv_cond_wait(&worker->wake, &shared->lock);
            continue;
        }
        uv_mutex_unlock(&shared->lock);
        serve(worker);
        uv_mutex_lock(&shared->lock);
        worker->connected = db_is_connected(worker->db);
        worker->request->next = shared->answers;
        shared->answers = worker->request;
        worker->request = NULL;
        uv_async_send(&shared->answered);
    }
    uv_mutex_unlock(&shared->lock);
    db_close(worker->db);
}
