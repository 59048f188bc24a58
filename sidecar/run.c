/* run: the composition root. Who is made of what, in which order it starts and in which it stops.
 *
 *   source ──▶ intake ──▶ outbox ──▶ dispatch ──▶ store
 *
 * Start: outbox, store, dispatch, intake, source. The store connects in the background: the process
 * takes events whether or not there is a database.
 *
 * Stop, in the order of enum phase; each step ends in a callback that begins the next one:
 *   DRAINING   the source is closed; what the outbox holds is written     SIGTERM, SIGINT, end of
 *                                                                         stdin, failed start
 *   STOPPING   running writes are aborted, what waits stays unwritten     drained, grace over, or
 *                                                                         a second signal
 *   CLOSING    dispatch, store and our own handles are closed; the loop ends empty
 *
 * Failure modes:
 *   something can't be made or opened      logged with what to do; stops with exit status 1
 *   rows are left when the grace is over   counted in the last log record; exit status 1
 */
#include "sidecar/run.h"

#include "lib/invariant.h"
#include "lib/ledger.h"
#include "sidecar/clock.h"
#include "sidecar/dispatch.h"
#include "sidecar/intake.h"
#include "sidecar/logger.h"
#include "sidecar/source.h"
#include "sidecar/store_mysql.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum phase { PHASE_RUNNING, PHASE_DRAINING, PHASE_STOPPING, PHASE_CLOSING };

enum { SIGNAL_TERM, SIGNAL_INT, SIGNAL_COUNT };

struct run {
    const struct config *config;
    const char *version;
    uv_loop_t loop;
    struct logger *logger;
    struct ledger ledger;
    struct outbox *outbox;
    struct store *store;
    struct dispatch *dispatch;
    struct intake *intake;
    struct source *source;
    uv_signal_t signals[SIGNAL_COUNT];
    uv_timer_t summary;
    uv_timer_t grace;
    enum phase phase;
    int exit_status;
};

static void log_ledger(struct run *run, const char *message)
{
    const struct ledger *ledger = &run->ledger;
    struct ledger_rows rows = ledger_all_rows(ledger, run->outbox);
    int64_t oldest_us = outbox_oldest_us(run->outbox);
    int64_t lag_ms = oldest_us == INT64_MAX ? 0 : (clock_now_us() - oldest_us) / 1000;
    LOG(run->logger, INFO, message, log_int("received", (int64_t)ledger_received(ledger)),
        log_int("written", (int64_t)rows.written), log_int("superseded", (int64_t)rows.superseded),
        log_int("filtered", (int64_t)ledger_of_class(ledger, WATCH_CLASS_FILTERED)),
        log_int("invalid", (int64_t)ledger_of_class(ledger, WATCH_CLASS_INVALID)),
        log_int("dead_lettered", (int64_t)rows.dead_lettered),
        log_int("pending", (int64_t)rows.held), log_int("lag_ms", lag_ms),
        log_int("batches", (int64_t)ledger->batches),
        log_int("failures", (int64_t)ledger->failures),
        log_int("cut_lines", (int64_t)ledger->cut_lines),
        log_string("store", dispatch_is_healthy(run->dispatch) ? "ok" : "failing"),
        log_string("source", intake_is_paused(run->intake) ? "paused" : "open"),
        log_string("balanced", ledger_balances(ledger, run->outbox) ? "yes" : "no"));
}

/* One record for all that was not recorded, by reason. */
static void log_fates(struct run *run)
{
    struct log_field fields[WATCH_FATE_COUNT];
    size_t count = 0;
    for (unsigned fate = 0; fate < WATCH_FATE_COUNT; fate++) {
        if (fate != WATCH_ROW && run->ledger.fates[fate] > 0)
            fields[count++] = log_int(watch_fate_name(fate), (int64_t)run->ledger.fates[fate]);
    }
    if (count > 0)
        logger_write(run->logger, LOG_LEVEL_INFO, "documents not recorded, by reason", fields,
                     count);
}

static void on_summary(uv_timer_t *timer)
{
    log_ledger(timer->data, "summary");
}

/* The last one closes the handles; then nothing keeps the loop alive. */
static void on_store_closed(void *context)
{
    struct run *run = context;
    run->store = NULL;
    for (unsigned i = 0; i < SIGNAL_COUNT; i++)
        uv_close((uv_handle_t *)&run->signals[i], NULL);
    uv_close((uv_handle_t *)&run->summary, NULL);
    uv_close((uv_handle_t *)&run->grace, NULL);
}

static void close_store(struct run *run)
{
    if (run->store != NULL)
        run->store->close(run->store, on_store_closed, run);
    else
        on_store_closed(run);
}

static void on_dispatch_closed(void *context)
{
    struct run *run = context;
    run->dispatch = NULL;
    close_store(run);
}

static void on_stopped(void *context)
{
    struct run *run = context;
    struct outbox_counts counts = outbox_counts(run->outbox);
    size_t left = counts.pending + counts.in_flight;
    run->phase = PHASE_CLOSING;
    if (run->intake != NULL) {
        log_fates(run);
        log_ledger(run, "stopped");
    }
    if (left > 0) {
        run->exit_status = 1;
        LOG(run->logger, ERROR, "rows were not written before the process had to end",
            log_int("rows", (int64_t)left));
    }
    dispatch_close(run->dispatch, on_dispatch_closed, run);
}

/* What is not written by now stays unwritten. */
static void stop(struct run *run)
{
    if (run->phase >= PHASE_STOPPING)
        return;
    run->phase = PHASE_STOPPING;
    uv_timer_stop(&run->grace);
    if (run->dispatch != NULL)
        dispatch_stop(run->dispatch, on_stopped, run);
    else
        close_store(run);
}

static void on_grace_over(uv_timer_t *timer)
{
    stop(timer->data);
}

static void on_drained(void *context)
{
    stop(context);
}

static void on_source_closed(void *context)
{
    struct run *run = context;
    if (run->phase == PHASE_DRAINING)
        dispatch_drain(run->dispatch, on_drained, run);
}

/* grace_ms: how long writing may still take; 0: as long as it needs. */
static void drain(struct run *run, uint64_t grace_ms)
{
    run->phase = PHASE_DRAINING;
    if (grace_ms > 0)
        uv_timer_start(&run->grace, on_grace_over, grace_ms, 0);
    struct source *source = run->source;
    run->source = NULL;
    intake_attach(run->intake, NULL);
    source->close(source, on_source_closed, run);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct run *run = handle->data;
    LOG(run->logger, INFO, "signal received", log_int("signal", number));
    if (run->phase == PHASE_RUNNING)
        drain(run, (uint64_t)run->config->shutdown_grace_ms);
    else
        stop(run);
}

static void on_source_finished(void *context)
{
    struct run *run = context;
    LOG(run->logger, INFO, "end of the stream: writing what waits");
    if (run->phase == PHASE_RUNNING)
        drain(run, 0);
}

static void on_stored(void *context)
{
    struct run *run = context;
    dispatch_wake(run->dispatch);
}

static void on_progress(void *context)
{
    struct run *run = context;
    intake_progress(run->intake);
}

static enum error_code make_store(struct run *run, struct error *err)
{
    const struct config *config = run->config;
    const struct outbox_limits limits = {
        .max_rows = (size_t)config->outbox_max_rows,
        .max_bytes = (size_t)config->outbox_max_bytes,
        .lanes = (unsigned)config->db_connections,
    };
    enum error_code code = outbox_new(&limits, &run->outbox, err);
    if (code == ERROR_NONE)
        code = store_mysql_new(&run->loop, config, run->logger, &run->store, err);
    return code;
}

/* A batch is small beside any server's max_allowed_packet; the store splits further if it must. */
#define BATCH_MAX_BYTES (8U << 20)

static enum error_code make_dispatch(struct run *run, struct error *err)
{
    const struct dispatch_settings settings = {
        .store = run->store,
        .outbox = run->outbox,
        .ledger = &run->ledger,
        .logger = run->logger,
        .batch_max_rows = (size_t)run->config->batch_max_rows,
        .batch_max_bytes = BATCH_MAX_BYTES,
        .linger_ms = (uint32_t)run->config->batch_linger_ms,
        .progress = on_progress,
        .context = run,
    };
    return dispatch_new(&run->loop, &settings, &run->dispatch, err);
}

static enum error_code make_source(struct run *run, struct error *err)
{
    const struct intake_settings intake = {
        .config = run->config,
        .outbox = run->outbox,
        .ledger = &run->ledger,
        .logger = run->logger,
        .stored = on_stored,
        .finished = on_source_finished,
        .context = run,
    };
    enum error_code code = intake_new(&intake, &run->intake, err);
    if (code != ERROR_NONE)
        return code;
    const struct source_settings source = {
        .address = run->config->event_source,
        .max_document = (size_t)run->config->max_document_bytes,
        .events = intake_events(run->intake),
        .logger = run->logger,
    };
    code = source_new(&run->loop, &source, &run->source, err);
    if (code == ERROR_NONE)
        intake_attach(run->intake, run->source);
    return code;
}

static enum error_code make_parts(struct run *run, struct error *err)
{
    enum error_code code = make_store(run, err);
    if (code == ERROR_NONE)
        code = make_dispatch(run, err);
    if (code == ERROR_NONE)
        code = make_source(run, err);
    return code;
}

static void open_handles(struct run *run)
{
    static const int numbers[SIGNAL_COUNT] = {[SIGNAL_TERM] = SIGTERM, [SIGNAL_INT] = SIGINT};
    for (unsigned i = 0; i < SIGNAL_COUNT; i++) {
        uv_signal_init(&run->loop, &run->signals[i]);
        run->signals[i].data = run;
        uv_signal_start(&run->signals[i], on_signal, numbers[i]);
    }
    uv_timer_init(&run->loop, &run->summary);
    uv_timer_init(&run->loop, &run->grace);
    run->summary.data = run;
    run->grace.data = run;
}

static void start(struct run *run)
{
    struct error err = {0};
    enum error_code code = make_parts(run, &err);
    if (code == ERROR_NONE) {
        dispatch_start(run->dispatch);
        code = run->source->start(run->source, &err);
    }
    if (code != ERROR_NONE) {
        LOG(run->logger, ERROR, "cannot start", log_string("error", err.text));
        run->exit_status = 1;
        if (run->source != NULL)
            drain(run, 1);
        else
            stop(run);
        return;
    }
    LOG(run->logger, INFO, "started", log_string("version", run->version),
        log_string("source", run->config->event_source),
        log_string("database", run->config->mysql_host));
    uint64_t summary_ms = (uint64_t)run->config->log_summary_ms;
    if (summary_ms > 0)
        uv_timer_start(&run->summary, on_summary, summary_ms, summary_ms);
}

int run_sidecar(const struct config *config, const char *version)
{
    struct run run = {.config = config, .version = version};
    struct error err;
    if (logger_new(STDERR_FILENO, config->log_level, config->log_format, &run.logger, &err) !=
        ERROR_NONE)
        return 1;
    signal(SIGPIPE, SIG_IGN);
    int status = uv_loop_init(&run.loop);
    if (status != 0) {
        LOG(run.logger, ERROR, "cannot make an event loop",
            log_string("error", uv_strerror(status)));
        logger_free(run.logger);
        return 1;
    }
    open_handles(&run);
    start(&run);
    uv_run(&run.loop, UV_RUN_DEFAULT);
    invariant(uv_loop_close(&run.loop) == 0);
    intake_free(run.intake);
    outbox_free(run.outbox);
    logger_free(run.logger);
    return run.exit_status;
}
