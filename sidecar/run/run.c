/* run: the composition root. Who is made of what, in which order it starts and in which it stops.
 *
 *   source ──▶ intake ──▶ outbox ──▶ dispatch ──▶ store
 *                           │ ▲
 *                           ▼ │
 *                          spool
 *
 * Start: outbox, spool, store, dispatch, intake; what the spool holds is read back; then the source is
 * opened. The store connects in the background: the process takes events whether or not there is a
 * database.
 *
 * With LEADER the source is opened only once this sidecar leads: a source that is closed misses nothing,
 * since it begins with all there is. It does not go on where another one takes over: it ends, as upon
 * SIGTERM, writes what it holds, which is guarded by versions, and is started again as a standby.
 *
 * Stop, in the order of enum phase; each step ends in a callback that begins the next one:
 *   FINISHING  the source takes nothing more in, and delivers what        SIGTERM, SIGINT
 *              producers have sent until now
 *   DRAINING   the source is closed; what the outbox holds is written,    source finished, failed
 *              and what is still being read back from the spool           start
 *   STOPPING   running writes are aborted; what waits goes to the spool   drained, grace over, or
 *                                                                         a second signal
 *   CLOSING    everything is closed; the loop ends empty
 *
 * Failure modes:
 *   something can't be made or opened      logged with what to do; stops with exit status 1
 *   a connect to the database goes on and on   it is not waited for: the process ends by _exit()
 *   there is no memory for a document      the source is closed at once, what the outbox holds is
 *                                          written or spooled: exit status 1
 *   rows are left when the grace is over   they are in the spool: exit status 0; there is none, or
 *                                          it can't be written: counted in the log, exit status 1
 *   a command that ships to the end, and   stops, counts what is left, exit status 1: it has no
 *   a person has to act before it can      patience, where a sidecar waits
 */
#include "sidecar/run/run.h"

#include "lib/account/ledger.h"
#include "lib/account/metrics.h"
#include "lib/base/invariant.h"
#include "lib/outbox/acks.h"
#include "lib/outbox/durability.h"
#include "lib/rows/rowjson.h"
#include "sidecar/base/clock.h"
#include "sidecar/base/file_watch.h"
#include "sidecar/base/logger.h"
#include "sidecar/http/http.h"
#include "sidecar/http/status.h"
#include "sidecar/pipeline/dispatch.h"
#include "sidecar/pipeline/intake.h"
#include "sidecar/pipeline/sweep.h"
#include "sidecar/run/report.h"
#include "sidecar/source/source.h"
#include "sidecar/spool/spool.h"
#include "sidecar/store/db.h"
#include "sidecar/store/leader.h"
#include "sidecar/store/store_mysql.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* What became safe is looked at, and acknowledged, this often. */
#define TICK_MS 100

/* How often files that hold secrets and certificates are looked at. */
#define SECRETS_MS 1000

#define ROW_LOG_LIMIT (1U << 20)

enum phase { PHASE_RUNNING, PHASE_FINISHING, PHASE_DRAINING, PHASE_STOPPING, PHASE_CLOSING };

enum { SIGNAL_TERM, SIGNAL_INT, SIGNAL_HUP, SIGNAL_COUNT };

struct run {
    const struct config *config;
    const struct run_options *options;
    uv_loop_t loop;
    struct logger *logger;
    struct ledger ledger;
    struct metrics metrics;
    struct durability *durability;
    struct acks *acks;
    struct outbox *outbox;
    struct spool *spool; /* NULL: there is none */
    struct store *store;
    struct dispatch *dispatch;
    struct sweep *sweep;
    struct intake *intake;
    struct source *source;
    struct file_watch *secrets; /* NULL: there are none in files */
    struct leader *leader;      /* NULL: there is no LEADER, or it is closed */
    struct status *status;
    struct http *http; /* NULL: there is none */
    uv_signal_t signals[SIGNAL_COUNT];
    uv_timer_t summary;
    uv_timer_t grace;
    uv_timer_t tick;
    uv_idle_t loader; /* active while the spool is read back */
    enum phase phase;
    enum spool_loading loading; /* how far the spool has been read back */
    bool loaded;                /* as far as there was room, or it can't be for now */
    bool drained;               /* DRAINING: all is written but what is still to be read back */
    bool leads;                 /* or there is no LEADER */
    bool opened;                /* the source */
    bool left_behind;           /* a thread, in a connect */
    int exit_status;
};

static struct report report_of(const struct run *run)
{
    return (struct report){&run->ledger, run->outbox, run->dispatch, run->intake, run->logger};
}

static void show_progress(struct run *run)
{
    if (run->opened && run->options->progress != NULL)
        run->options->progress(run->options->context, &run->ledger, run->outbox);
}

static void on_summary(uv_timer_t *timer)
{
    const struct report report = report_of(timer->data);
    report_ledger(&report, "summary");
}

/* The last one closes the handles; then nothing keeps the loop alive. */
static void on_store_closed(void *context)
{
    struct run *run = context;
    run->store = NULL;
    file_watch_close(run->secrets);
    for (unsigned i = 0; i < SIGNAL_COUNT; i++)
        uv_close((uv_handle_t *)&run->signals[i], NULL);
    uv_close((uv_handle_t *)&run->summary, NULL);
    uv_close((uv_handle_t *)&run->grace, NULL);
    uv_close((uv_handle_t *)&run->tick, NULL);
    uv_close((uv_handle_t *)&run->loader, NULL);
}

static void close_store(struct run *run)
{
    if (run->store == NULL) {
        on_store_closed(run);
        return;
    }
    run->left_behind |= run->store->left_behind;
    run->store->close(run->store, on_store_closed, run);
}

static void on_spool_closed(void *context)
{
    struct run *run = context;
    run->spool = NULL;
    close_store(run);
}

static void close_spool(struct run *run)
{
    if (run->spool != NULL)
        spool_close(run->spool, on_spool_closed, run);
    else
        close_store(run);
}

static void on_nothing(void *context)
{
    (void)context;
}

static void on_dispatch_closed(void *context)
{
    struct run *run = context;
    run->dispatch = NULL;
    close_spool(run);
}

static void on_http_closed(void *context)
{
    struct run *run = context;
    run->http = NULL;
    if (run->dispatch != NULL)
        dispatch_close(run->dispatch, on_dispatch_closed, run);
    else
        close_spool(run);
}

/* HTTP goes first, since it looks at the others. */
static void close_all(struct run *run)
{
    if (run->http != NULL)
        http_close(run->http, on_http_closed, run);
    else
        on_http_closed(run);
}

/* stored: all that was not written is in the spool. */
static void finish(struct run *run, bool stored)
{
    struct outbox_counts counts = outbox_counts(run->outbox);
    size_t left = counts.pending + counts.in_flight;
    run->phase = PHASE_CLOSING;
    uv_timer_stop(&run->tick);
    uv_timer_stop(&run->summary);
    uv_idle_stop(&run->loader);
    const struct report report = report_of(run);
    report_fates(&report);
    report_ledger(&report, "stopped");
    show_progress(run);
    if (left > 0 && stored) {
        LOG(run->logger, INFO, "rows are left in the spool: they are written after the next start",
            log_int("rows", (int64_t)left));
    } else if (run->spool != NULL && spool_has_letters(run->spool)) {
        run->exit_status = 1;
        LOG(run->logger, ERROR, "refused rows were lost: the spool did not take them");
    } else if (left > 0) {
        run->exit_status = 1;
        LOG(run->logger, ERROR, "rows were lost: neither the database nor a spool took them",
            log_int("rows", (int64_t)left));
    }
    close_all(run);
}

static void on_flushed(void *context, bool stored)
{
    finish(context, stored);
}

static void on_stopped(void *context)
{
    struct run *run = context;
    if (run->spool != NULL)
        spool_flush(run->spool, on_flushed, run);
    else
        finish(run, false);
}

static void on_leader_closed(void *context, bool left_behind)
{
    struct run *run = context;
    run->left_behind |= left_behind;
}

/* Another one may lead: no more events are taken in. */
static void resign(struct run *run)
{
    struct leader *leader = run->leader;
    run->leader = NULL;
    if (leader != NULL)
        leader_close(leader, on_leader_closed, run);
}

static void close_source(struct run *run, void (*closed)(void *context))
{
    resign(run);
    struct source *source = run->source;
    run->source = NULL;
    intake_attach(run->intake, NULL);
    source->close(source, closed, run);
}

/* What is not written by now stays in the spool. */
static void stop(struct run *run)
{
    if (run->phase >= PHASE_STOPPING)
        return;
    run->phase = PHASE_STOPPING;
    uv_timer_stop(&run->grace);
    if (run->source != NULL)
        close_source(run, on_nothing);
    dispatch_stop(run->dispatch, on_stopped, run);
}

/* Not everything could be made: closes what there is. Nothing has come in or gone out yet. */
static void give_up(struct run *run)
{
    run->phase = PHASE_CLOSING;
    resign(run);
    if (run->source != NULL)
        run->source->close(run->source, on_nothing, run);
    run->source = NULL;
    close_all(run);
}

static void on_grace_over(uv_timer_t *timer)
{
    stop(timer->data);
}

static void on_drained(void *context);

static void drain_dispatch(struct run *run)
{
    run->drained = false;
    dispatch_drain(run->dispatch, on_drained, run);
}

/* All rows are written. What is still to be read back from the spool is waited for; the snapshots that
 * ended meanwhile are swept, piece by piece, which may make more rows. */
static void on_drained(void *context)
{
    struct run *run = context;
    run->drained = run->loading != SPOOL_LOADED && run->loading != SPOOL_SHUT;
    if (run->drained)
        return;
    sweep_tick(run->sweep);
    struct outbox_counts counts = outbox_counts(run->outbox);
    if (sweep_is_idle(run->sweep) && counts.pending + counts.in_flight == 0)
        stop(run);
    else
        drain_dispatch(run);
}

static void on_source_closed(void *context)
{
    struct run *run = context;
    if (run->phase == PHASE_DRAINING)
        drain_dispatch(run);
}

static void drain(struct run *run)
{
    run->phase = PHASE_DRAINING;
    sweep_end(run->sweep);
    close_source(run, on_source_closed);
}

/* How long the rest may still take. */
static void start_grace(struct run *run)
{
    uint64_t grace_ms = (uint64_t)run->config->shutdown_grace_ms;
    uv_timer_start(&run->grace, on_grace_over, grace_ms, 0);
}

/* Files that hold secrets and certificates are read at each connect: one that waits is made now. A
 * connection that stands is left alone. */
static void read_secrets(struct run *run)
{
    if (run->phase < PHASE_STOPPING)
        dispatch_retry(run->dispatch);
}

/* In good order, within the grace. */
static void end(struct run *run)
{
    start_grace(run);
    if (!run->opened) { /* the source is not: the spool is being read back, or another one leads */
        drain(run);
        return;
    }
    run->phase = PHASE_FINISHING;
    run->source->finish(run->source);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct run *run = handle->data;
    LOG(run->logger, INFO, "signal received", log_int("signal", number));
    if (number == SIGHUP && !run->options->to_the_end) {
        read_secrets(run);
        return;
    }
    if (run->phase != PHASE_RUNNING) {
        stop(run);
        return;
    }
    if (run->options->to_the_end)
        run->exit_status = 1;
    end(run);
}

static void on_source_finished(void *context)
{
    struct run *run = context;
    LOG(run->logger, INFO, "end of the stream: writing what waits");
    drain(run);
}

/* What was acknowledged is kept, and what was not is sent again to the next process. */
static void on_no_memory(void *context)
{
    struct run *run = context;
    LOG(run->logger, ERROR,
        "no memory for a document: stopping, to be started again; raise the container's memory "
        "limit, or lower OUTBOX_MAX_BYTES or MAX_DOCUMENT_BYTES");
    run->exit_status = 1;
    if (run->phase == PHASE_RUNNING)
        start_grace(run);
    drain(run);
}

static void on_stored(void *context)
{
    struct run *run = context;
    dispatch_wake(run->dispatch);
}

static void on_refused(void *context, const struct row *row, const struct refusal *refusal)
{
    struct run *run = context;
    if (run->spool != NULL) {
        spool_bury(run->spool, row, refusal, clock_now_us());
        return;
    }
    struct buffer json;
    buffer_init(&json, ROW_LOG_LIMIT);
    rowjson_append(&json, row);
    LOG(run->logger, ERROR, "no spool to keep the refused row in: this is all that is left of it",
        log_text("row", buffer_text(&json)));
    buffer_fini(&json);
}

static void acknowledge(void *context, uint64_t connection, uint64_t documents)
{
    struct run *run = context;
    if (run->source != NULL && run->source->acknowledge != NULL)
        run->source->acknowledge(run->source, connection, documents);
}

static void settle_acks(struct run *run)
{
    acks_settle(run->acks, durability_safe(run->durability), acknowledge, run);
}

static void open_source(struct run *run)
{
    struct error err = {0};
    if (run->source->start(run->source, &err) == ERROR_NONE)
        return;
    LOG(run->logger, ERROR, "cannot start", log_string("error", err.text));
    run->exit_status = 1;
    start_grace(run);
    drain(run);
}

static void open_when_due(struct run *run)
{
    if (run->opened || !run->loaded || !run->leads || run->phase != PHASE_RUNNING)
        return;
    run->opened = true;
    sweep_restore(run->sweep);
    show_progress(run);
    open_source(run);
}

static void on_load(uv_idle_t *loader);

/* Reads back from the spool what there is room for, a chunk in each round of the loop, and then opens
 * the source. Where more is left than there is room for, the source is paused until all has been read. A
 * spool that can't be opened is no reason not to take events; it is read back when it can be. */
static void load(struct run *run)
{
    run->loading = run->spool != NULL ? spool_load(run->spool) : SPOOL_LOADED;
    dispatch_wake(run->dispatch);
    if (run->loading == SPOOL_MORE)
        uv_idle_start(&run->loader, on_load);
    else
        uv_idle_stop(&run->loader);
    if (run->loading == SPOOL_OPENING || run->loading == SPOOL_MORE)
        return;
    run->loaded = true;
    open_when_due(run);
    if (run->drained)
        drain_dispatch(run);
}

static void on_leads(void *context)
{
    struct run *run = context;
    LOG(run->logger, INFO, "this sidecar leads: it takes events in");
    run->leads = true;
    open_when_due(run);
}

static void on_yields(void *context)
{
    struct run *run = context;
    if (run->phase != PHASE_RUNNING)
        return;
    LOG(run->logger, WARN, "another sidecar leads: stopping, to be started again as a standby");
    end(run);
}

static bool may_load(const struct run *run)
{
    return run->loading != SPOOL_LOADED && run->phase < PHASE_STOPPING;
}

static void on_load(uv_idle_t *loader)
{
    struct run *run = loader->data;
    if (may_load(run))
        load(run);
    else
        uv_idle_stop(loader);
}

static void begin_again(struct run *run)
{
    for (uint64_t connection; (connection = sweep_begin_again(run->sweep)) != 0;) {
        if (run->phase == PHASE_RUNNING && run->source->begin_again != NULL)
            run->source->begin_again(run->source, connection);
    }
}

/* What only a person can put right does not come about by waiting. */
static void give_up_if_stuck(struct run *run)
{
    if (!run->options->to_the_end || run->phase >= PHASE_STOPPING)
        return;
    bool is_full = run->phase == PHASE_RUNNING && intake_is_paused(run->intake);
    bool needs_a_person = dispatch_needs_a_person(run->dispatch);
    if (!needs_a_person &&
        !((run->phase == PHASE_DRAINING || is_full) && dispatch_is_stuck(run->dispatch)))
        return;
    struct store_description store;
    run->store->describe(run->store, &store);
    LOG(run->logger, ERROR, "giving up: rows can't be written until a person has acted",
        log_string("error", store.last_error));
    run->exit_status = 1;
    stop(run);
}

/* There may be room: something was written or stored. What the spool holds comes first. */
static void on_progress(void *context)
{
    struct run *run = context;
    if (may_load(run))
        load(run);
    if (run->opened)
        intake_progress(run->intake);
}

static void on_tick(uv_timer_t *timer)
{
    struct run *run = timer->data;
    acks_checkpoint(run->acks, durability_epoch(run->durability));
    durability_advance(run->durability);
    settle_acks(run);
    if (run->spool != NULL)
        spool_tick(run->spool, clock_steady_us());
    status_tick(run->status);
    show_progress(run);
    give_up_if_stuck(run);
    if (run->phase >= PHASE_STOPPING)
        return;
    sweep_tick(run->sweep);
    begin_again(run);
    on_progress(run);
}

static enum error_code make_outbox(struct run *run, struct error *err)
{
    const struct config *config = run->config;
    enum error_code code = durability_new(&run->durability, err);
    if (code == ERROR_NONE)
        code = acks_new(&run->acks, err);
    if (code != ERROR_NONE)
        return code;
    const struct outbox_limits limits = {
        .max_rows = (size_t)config->outbox_max_rows,
        .max_bytes = (size_t)config->outbox_max_bytes,
        .lanes = (unsigned)config->db_connections,
        .durability = run->durability,
        .spooled = config->spool_dir[0] != '\0',
        .now_us = clock_steady_us,
    };
    return outbox_new(&limits, &run->outbox, err);
}

static enum error_code make_spool(struct run *run, struct error *err)
{
    if (run->config->spool_dir[0] == '\0') {
        LOG(run->logger, INFO,
            "no SPOOL_DIR: what the database has not taken is only in memory, and "
            "lost if this process is killed");
        return ERROR_NONE;
    }
    const struct spool_settings settings = {
        .directory = run->config->spool_dir,
        .max_bytes = run->config->spool_max_bytes,
        .outbox = run->outbox,
        .durability = run->durability,
        .ledger = &run->ledger,
        .logger = run->logger,
        .progress = on_progress,
        .context = run,
    };
    return spool_new(&run->loop, &settings, &run->spool, err);
}

/* A batch is small beside any server's max_allowed_packet; the store splits further if it must. */
#define BATCH_MAX_BYTES (8U << 20)

static enum error_code make_dispatch(struct run *run, struct error *err)
{
    const struct dispatch_settings settings = {
        .store = run->store,
        .outbox = run->outbox,
        .ledger = &run->ledger,
        .metrics = &run->metrics,
        .logger = run->logger,
        .batch_max_rows = (size_t)run->config->batch_max_rows,
        .batch_max_bytes = BATCH_MAX_BYTES,
        .linger_ms = (uint32_t)run->config->batch_linger_ms,
        .refused = on_refused,
        .progress = on_progress,
        .context = run,
    };
    return dispatch_new(&run->loop, &settings, &run->dispatch, err);
}

static enum error_code make_sweep(struct run *run, struct error *err)
{
    const struct sweep_settings settings = {
        .cluster_id = run->config->cluster_id,
        .replays = run->options->to_the_end,
        .namespace = run->config->kube_namespace,
        .outbox = run->outbox,
        .durability = run->durability,
        .spool = run->spool,
        .ledger = &run->ledger,
        .metrics = &run->metrics,
        .dispatch = run->dispatch,
        .logger = run->logger,
    };
    return sweep_new(&settings, &run->sweep, err);
}

/* Whoever renews a Secret wants it to be used now, not at the end of a back-off. */
static void on_secret_changed(void *context, const char *path)
{
    struct run *run = context;
    LOG(run->logger, INFO, "file has changed: the next connection is made with it",
        log_string("file", path));
    read_secrets(run);
}

static enum error_code make_secrets(struct run *run, struct error *err)
{
    const struct config *config = run->config;
    const char *const files[] = {config->mysql_user_file, config->mysql_password_file,
                                 config->mysql_ssl_ca, config->mysql_ssl_cert,
                                 config->mysql_ssl_key};
    return file_watch_new(&run->loop, SECRETS_MS, files, sizeof(files) / sizeof(files[0]),
                          on_secret_changed, run, &run->secrets, err);
}

static enum error_code make_source(struct run *run, struct error *err)
{
    const struct intake_settings intake = {
        .config = run->config,
        .outbox = run->outbox,
        .ledger = &run->ledger,
        .metrics = &run->metrics,
        .acks = run->acks,
        .spool = run->spool,
        .sweep = run->sweep,
        .logger = run->logger,
        .stored = on_stored,
        .no_memory = on_no_memory,
        .finished = on_source_finished,
        .context = run,
    };
    enum error_code code = intake_new(&intake, &run->intake, err);
    if (code != ERROR_NONE)
        return code;
    const struct source_settings source = {
        .address = run->config->event_source,
        .max_document = (size_t)run->config->max_document_bytes,
        .max_bytes = (size_t)run->config->source_max_bytes,
        .max_connections = (size_t)run->config->source_max_connections,
        .events = intake_events(run->intake),
        .logger = run->logger,
        .config = run->config,
        .spool = run->spool,
    };
    code = source_new(&run->loop, &source, &run->source, err);
    if (code == ERROR_NONE)
        intake_attach(run->intake, run->source);
    return code;
}

static enum error_code make_leader(struct run *run, struct error *err)
{
    const struct leader_settings settings = {
        .config = run->config,
        .logger = run->logger,
        .leads = on_leads,
        .yields = on_yields,
        .context = run,
    };
    run->leads = run->config->leader == LEADER_NONE || run->options->to_the_end;
    return run->leads ? ERROR_NONE : leader_new(&run->loop, &settings, &run->leader, err);
}

static const char *why_unready(const void *context)
{
    const struct run *run = context;
    if (run->phase != PHASE_RUNNING)
        return "it is about to stop";
    return run->loaded ? NULL : "the spool is being read back";
}

static enum error_code make_http(struct run *run, struct error *err)
{
    const struct status_parts parts = {
        .config = run->config,
        .version = run->options->version,
        .ledger = &run->ledger,
        .metrics = &run->metrics,
        .outbox = run->outbox,
        .dispatch = run->dispatch,
        .intake = run->intake,
        .spool = run->spool,
        .store = run->store,
        .logger = run->logger,
        .leads = &run->leads,
        .unready = why_unready,
        .context = run,
    };
    enum error_code code = status_new(&parts, &run->status, err);
    if (code != ERROR_NONE || run->config->http_listen[0] == '\0')
        return code;
    const struct http_settings settings = {
        .listen = run->config->http_listen,
        .routes = status_routes,
        .route_count = STATUS_ROUTES,
        .context = run->status,
        .logger = run->logger,
    };
    return http_new(&run->loop, &settings, &run->http, err);
}

static enum error_code make_parts(struct run *run, struct error *err)
{
    enum error_code code = make_outbox(run, err);
    if (code == ERROR_NONE)
        code = make_spool(run, err);
    if (code == ERROR_NONE)
        code = store_mysql_new(&run->loop, run->config, run->logger, &run->store, err);
    if (code == ERROR_NONE)
        code = make_dispatch(run, err);
    if (code == ERROR_NONE)
        code = make_secrets(run, err);
    if (code == ERROR_NONE)
        code = make_sweep(run, err);
    if (code == ERROR_NONE)
        code = make_source(run, err);
    if (code == ERROR_NONE)
        code = make_leader(run, err);
    if (code == ERROR_NONE)
        code = make_http(run, err);
    return code;
}

/* nohup ignores SIGHUP for a program, and a shell SIGINT for what runs in the background. Nobody means to
 * ignore SIGTERM. */
static bool is_to_be_ignored(int number)
{
    struct sigaction action;
    return number != SIGTERM && sigaction(number, NULL, &action) == 0 &&
           action.sa_handler == SIG_IGN;
}

/* Whoever has started this process may have blocked them. */
static void open_signals(struct run *run)
{
    static const int numbers[SIGNAL_COUNT] = {
        [SIGNAL_TERM] = SIGTERM, [SIGNAL_INT] = SIGINT, [SIGNAL_HUP] = SIGHUP};
    sigset_t blocked;
    sigemptyset(&blocked);
    for (unsigned i = 0; i < SIGNAL_COUNT; i++) {
        uv_signal_init(&run->loop, &run->signals[i]);
        run->signals[i].data = run;
        if (!is_to_be_ignored(numbers[i]))
            uv_signal_start(&run->signals[i], on_signal, numbers[i]);
        sigaddset(&blocked, numbers[i]);
    }
    pthread_sigmask(SIG_UNBLOCK, &blocked, NULL);
}

static void open_handles(struct run *run)
{
    open_signals(run);
    uv_timer_init(&run->loop, &run->summary);
    uv_timer_init(&run->loop, &run->grace);
    run->summary.data = run;
    uv_timer_init(&run->loop, &run->tick);
    run->grace.data = run;
    run->tick.data = run;
    uv_idle_init(&run->loop, &run->loader);
    run->loader.data = run;
}

static void start(struct run *run)
{
    struct error err = {0};
    if (make_parts(run, &err) != ERROR_NONE) {
        LOG(run->logger, ERROR, "cannot start", log_string("error", err.text));
        run->exit_status = 1;
        give_up(run);
        return;
    }
    LOG(run->logger, INFO, "started", log_string("version", run->options->version),
        log_string("source", run->config->event_source),
        log_string("database", run->config->mysql_host));
    if (run->config->service_link != NULL)
        LOG(run->logger, INFO,
            "a setting is a service link of Kubernetes and counts as not set; the pod's "
            "enableServiceLinks: false leaves it out",
            log_string("setting", run->config->service_link));
    uint64_t summary_ms = (uint64_t)run->config->log_summary_ms;
    if (summary_ms > 0)
        uv_timer_start(&run->summary, on_summary, summary_ms, summary_ms);
    uv_timer_start(&run->tick, on_tick, TICK_MS, TICK_MS);
    run->loading = SPOOL_OPENING;
    dispatch_start(run->dispatch);
    load(run);
}

int run_sidecar(const struct config *config, const struct run_options *options, bool *left_behind)
{
    struct run run = {.config = config, .options = options};
    struct error err;
    if (logger_new(STDERR_FILENO, config->log_level, config->log_format, &run.logger, &err) !=
        ERROR_NONE) {
        fprintf(stderr, "kubedl-shipper: %s\n", err.text);
        return 1;
    }
    metrics_init(&run.metrics);
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
    status_free(run.status);
    intake_free(run.intake);
    sweep_free(run.sweep);
    outbox_free(run.outbox);
    acks_free(run.acks);
    durability_free(run.durability);
    logger_free(run.logger);
    *left_behind = run.left_behind;
    return run.exit_status;
}

int run_end(int status, bool left_behind)
{
    if (left_behind) {
        fflush(stdout);
        _exit(status);
    }
    db_library_fini();
    return status;
}
