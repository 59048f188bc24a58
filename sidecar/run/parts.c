/* parts: the table of all parts, and the settings that each of them gets. */
#include "sidecar/run/parts.h"

#include "lib/rows/rowjson.h"
#include "sidecar/base/clock.h"
#include "sidecar/store/store_mysql.h"

/* Files that hold secrets and certificates are examined this often. */
#define SECRETS_MS 1000

#define ROW_LOG_LIMIT (1U << 20)

/* A batch is smaller than most servers' max_allowed_packet; the store splits a batch that is not. */
#define BATCH_MAX_BYTES (8U << 20)

/* A row of the table. */
struct part {
    enum error_code (*make)(struct parts *parts, struct error *err);

    /* Returns whether it calls close_next() later, when it is closed. */
    bool (*close)(struct parts *parts);
};

static void close_next(void *context);

/* ---- outbox ------------------------------------------------------------------------------------*/

static enum error_code make_outbox(struct parts *parts, struct error *err)
{
    const struct config *config = parts->config;
    (void)err;
    parts->durability = durability_new();
    acks_init(&parts->acks);
    const struct outbox_limits limits = {
        .max_rows = (size_t)config->outbox_max_rows,
        .max_bytes = (size_t)config->outbox_max_bytes,
        .lanes = (unsigned)config->db_connections,
        .durability = parts->durability,
        .spooled = config->spool_dir[0] != '\0',
        .now_us = clock_steady_us,
    };
    parts->outbox = outbox_new(&limits);
    return ERROR_NONE;
}

static bool close_outbox(struct parts *parts)
{
    outbox_free(parts->outbox);
    durability_free(parts->durability);
    return false;
}

/* ---- store -------------------------------------------------------------------------------------*/

static enum error_code make_store(struct parts *parts, struct error *err)
{
    return store_mysql_new(parts->loop, parts->config, parts->logger, &parts->store, err);
}

static bool close_store(struct parts *parts)
{
    parts->left_behind |= parts->store->left_behind;
    parts->store->close(parts->store, close_next, parts);
    return true;
}

/* ---- spool -------------------------------------------------------------------------------------*/

static enum error_code make_spool(struct parts *parts, struct error *err)
{
    if (parts->config->spool_dir[0] == '\0') {
        LOG(parts->logger, INFO,
            "no SPOOL_DIR: what the database has not taken is only in memory, and "
            "lost if this process is killed");
        return ERROR_NONE;
    }
    const struct spool_settings settings = {
        .directory = parts->config->spool_dir,
        .max_bytes = parts->config->spool_max_bytes,
        .outbox = parts->outbox,
        .durability = parts->durability,
        .ledger = &parts->ledger,
        .logger = parts->logger,
        .progress = parts->events.progress,
        .context = parts->events.context,
    };
    return spool_new(parts->loop, &settings, &parts->spool, err);
}

static bool close_spool(struct parts *parts)
{
    if (parts->spool == NULL)
        return false;
    spool_close(parts->spool, close_next, parts);
    return true;
}

/* ---- dispatch ----------------------------------------------------------------------------------*/

static void on_refused(void *context, const struct row *row, const struct refusal *refusal)
{
    struct parts *parts = context;
    if (parts->spool != NULL) {
        spool_add_letter(parts->spool, row, refusal, clock_now_us());
        return;
    }
    struct buffer json;
    buffer_init(&json, ROW_LOG_LIMIT);
    rowjson_append(&json, row);
    LOG(parts->logger, ERROR, "no spool to keep the refused row in: this is all that is left of it",
        log_text("row", buffer_text(&json)));
    buffer_fini(&json);
}

static void on_written(void *context)
{
    struct parts *parts = context;
    parts->events.progress(parts->events.context);
}

static enum error_code make_dispatch(struct parts *parts, struct error *err)
{
    const struct dispatch_settings settings = {
        .store = parts->store,
        .outbox = parts->outbox,
        .ledger = &parts->ledger,
        .metrics = &parts->metrics,
        .logger = parts->logger,
        .batch_max_rows = (size_t)parts->config->batch_max_rows,
        .batch_max_bytes = BATCH_MAX_BYTES,
        .linger_ms = (uint32_t)parts->config->batch_linger_ms,
        .refused = on_refused,
        .progress = on_written,
        .context = parts,
    };
    return dispatch_new(parts->loop, &settings, &parts->dispatch, err);
}

static bool close_dispatch(struct parts *parts)
{
    dispatch_close(parts->dispatch, close_next, parts);
    return true;
}

/* ---- secrets -----------------------------------------------------------------------------------*/

static enum error_code make_secrets(struct parts *parts, struct error *err)
{
    const struct config *config = parts->config;
    const char *const files[] = {config->mysql_user_file, config->mysql_password_file,
                                 config->mysql_ssl_ca, config->mysql_ssl_cert,
                                 config->mysql_ssl_key};
    return file_watch_new(parts->loop, SECRETS_MS, files, sizeof(files) / sizeof(files[0]),
                          parts->events.secret_changed, parts->events.context, &parts->secrets,
                          err);
}

static bool close_secrets(struct parts *parts)
{
    file_watch_close(parts->secrets);
    return false;
}

/* ---- sweep -------------------------------------------------------------------------------------*/

static enum error_code make_sweep(struct parts *parts, struct error *err)
{
    const struct sweep_settings settings = {
        .cluster_id = parts->config->cluster_id,
        .replays = parts->replays,
        .namespace = parts->config->kube_namespace,
        .outbox = parts->outbox,
        .durability = parts->durability,
        .spool = parts->spool,
        .ledger = &parts->ledger,
        .metrics = &parts->metrics,
        .dispatch = parts->dispatch,
        .logger = parts->logger,
    };
    (void)err;
    parts->sweep = sweep_new(&settings);
    return ERROR_NONE;
}

static bool close_sweep(struct parts *parts)
{
    sweep_free(parts->sweep);
    return false;
}

/* ---- intake and sources ------------------------------------------------------------------------*/

static void on_stored(void *context)
{
    struct parts *parts = context;
    dispatch_wake(parts->dispatch);
}

static void on_no_memory(void *context)
{
    struct parts *parts = context;
    parts->events.no_memory(parts->events.context);
}

static void on_finished(void *context)
{
    struct parts *parts = context;
    parts->events.finished(parts->events.context);
}

static enum error_code make_intake(struct parts *parts, struct error *err)
{
    const struct intake_settings settings = {
        .config = parts->config,
        .outbox = parts->outbox,
        .ledger = &parts->ledger,
        .metrics = &parts->metrics,
        .acks = &parts->acks,
        .spool = parts->spool,
        .sweep = parts->sweep,
        .logger = parts->logger,
        .stored = on_stored,
        .no_memory = on_no_memory,
        .finished = on_finished,
        .context = parts,
    };
    (void)err;
    parts->intake = intake_new(&settings);
    return ERROR_NONE;
}

static bool close_intake(struct parts *parts)
{
    intake_free(parts->intake);
    return false;
}

static enum error_code make_sources(struct parts *parts, struct error *err)
{
    const struct config *config = parts->config;
    const struct sources_settings settings = {
        .event_source = config->event_source,
        .max_document = (size_t)config->max_document_bytes,
        .max_bytes = (size_t)config->source_max_bytes,
        .max_connections = (size_t)config->source_max_connections,
        .events = intake_events(parts->intake),
        .logger = parts->logger,
        .config = config,
        .spool = parts->spool,
        .silence_ms = SOURCES_SILENCE_MS,
    };
    enum error_code code = sources_new(parts->loop, &settings, &parts->sources, err);
    if (code == ERROR_NONE)
        intake_attach(parts->intake, parts->sources);
    return code;
}

static void on_leader_closed(void *context, bool left_behind)
{
    struct parts *parts = context;
    parts->left_behind |= left_behind;
}

void parts_close_sources(struct parts *parts, void (*closed)(void *context), void *context)
{
    struct sources *sources = parts->sources;
    struct leader *leader = parts->leader;
    parts->sources = NULL;
    parts->leader = NULL;
    intake_attach(parts->intake, NULL);
    if (leader != NULL)
        leader_close(leader, on_leader_closed, parts);
    sources_close(sources, closed, context);
}

static bool close_sources(struct parts *parts)
{
    if (parts->sources == NULL)
        return false;
    parts_close_sources(parts, close_next, parts);
    return true;
}

enum error_code parts_ask_for_lead(struct parts *parts, struct error *err)
{
    const struct leader_settings settings = {
        .config = parts->config,
        .logger = parts->logger,
        .leads = parts->events.leads,
        .yields = parts->events.yields,
        .context = parts->events.context,
    };
    return leader_new(parts->loop, &settings, &parts->leader, err);
}

/* ---- status and HTTP ---------------------------------------------------------------------------*/

static enum error_code make_status(struct parts *parts, struct error *err)
{
    (void)err;
    const struct status_parts looked_at = {
        .config = parts->config,
        .version = parts->version,
        .ledger = &parts->ledger,
        .metrics = &parts->metrics,
        .outbox = parts->outbox,
        .dispatch = parts->dispatch,
        .intake = parts->intake,
        .sources = &parts->sources,
        .spool = parts->spool,
        .store = parts->store,
        .logger = parts->logger,
        .unready = parts->events.unready,
        .takes_events = parts->events.takes_events,
        .context = parts->events.context,
    };
    parts->status = status_new(&looked_at);
    return ERROR_NONE;
}

static bool close_status(struct parts *parts)
{
    status_free(parts->status);
    return false;
}

static enum error_code make_http(struct parts *parts, struct error *err)
{
    if (parts->config->http_listen[0] == '\0')
        return ERROR_NONE;
    const struct http_settings settings = {
        .listen = parts->config->http_listen,
        .routes = status_routes,
        .route_count = STATUS_ROUTES,
        .context = parts->status,
        .logger = parts->logger,
    };
    return http_new(parts->loop, &settings, &parts->http, err);
}

static bool close_http(struct parts *parts)
{
    if (parts->http == NULL)
        return false;
    http_close(parts->http, close_next, parts);
    return true;
}

/* ---- all of them -------------------------------------------------------------------------------*/

static const struct part table[] = {
    {make_outbox, close_outbox},     {make_store, close_store},     {make_spool, close_spool},
    {make_dispatch, close_dispatch}, {make_secrets, close_secrets}, {make_sweep, close_sweep},
    {make_intake, close_intake},     {make_sources, close_sources}, {make_status, close_status},
    {make_http, close_http},
};

enum error_code parts_make(struct parts *parts, struct error *err)
{
    enum error_code code = ERROR_NONE;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]) && code == ERROR_NONE; i++) {
        code = table[i].make(parts, err);
        parts->made += code == ERROR_NONE;
    }
    return code;
}

static void close_next(void *context)
{
    struct parts *parts = context;
    while (parts->made > 0) {
        if (table[--parts->made].close(parts))
            return;
    }
    parts->closed(parts->closed_context);
}

void parts_close(struct parts *parts, void (*closed)(void *context), void *context)
{
    parts->closed = closed;
    parts->closed_context = context;
    close_next(parts);
}
