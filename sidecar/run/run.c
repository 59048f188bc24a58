/* run: the life of the process, from start to stop (phase.h). The parts that it is made of are in parts.h.
 *
 * Start: the parts are made, and the records in the spool are read back, as far as there is room; then the
 * sources are opened. The store connects in the background: the process takes events whether or not the
 * database can be reached.
 *
 * With LEADER the sources are opened only once this sidecar leads. A closed source misses nothing, since it
 * begins with a list of all objects. Where another sidecar takes the lead, this process ends as upon SIGTERM:
 * it writes the rows that it holds, which are guarded by versions, and is started again as a standby.
 *
 * Stop, in the order of enum phase; each phase ends in a callback that begins the next one:
 *   FINISHING  the sources take nothing more in, and deliver what         SIGTERM, SIGINT, all
 *              producers have sent until now; then they are closed        sources have ended
 *   DRAINING,  what the outbox holds is written, and what is still        sources closed, failed
 *   REFILLING  being read back from the spool                             start
 *   STOPPING   running writes are aborted; what waits goes to the spool   drained, grace over, or
 *                                                                         a second signal
 *   CLOSING    everything is closed; the loop ends empty
 *
 * Failure modes:
 *   something can't be made or opened      logged with what to do; stops with exit status 1
 *   a connect to the database does not end     it is not waited for: the process ends by _exit()
 *   there is no memory for a document      the sources are closed at once, what the outbox holds is
 *                                          written or spooled: exit status 1
 *   rows are left when the grace is over   they are in the spool: exit status 0. If there is no spool, or
 *                                          it can't be written: the log counts them, exit status 1
 *   replay has rows that the database      replay stops, counts the rows that are left, exit status 1;
 *   takes only once a person has acted     a sidecar would wait
 *
 * All is done on the loop thread. */
#include "sidecar/run/run.h"

#include "lib/base/invariant.h"
#include "lib/settings/remarks.h"
#include "sidecar/base/clock.h"
#include "sidecar/run/loading.h"
#include "sidecar/run/parts.h"
#include "sidecar/run/phase.h"
#include "sidecar/run/report.h"
#include "sidecar/run/signals.h"
#include "sidecar/store/db.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* Documents whose rows have become safe are acknowledged this often. */
#define TICK_MS 100

struct run {
    const struct config *config;
    const struct run_options *options;
    uv_loop_t loop;
    struct logger *logger;
    struct parts parts;
    struct loading loading;
    enum phase phase;
    struct signals signals;
    uv_timer_t summary;
    uv_timer_t grace;
    uv_timer_t tick;
    int exit_status;
};

static void show_progress(struct run *run)
{
    if (run->phase >= PHASE_RUNNING && run->options->progress != NULL)
        run->options->progress(run->options->context, &run->parts.ledger, run->parts.outbox);
}

/* ---- the end: what is left, and closing --------------------------------------------------------*/

/* All parts are closed. This closes the last handles, after which nothing keeps the loop alive. */
static void on_parts_closed(void *context)
{
    struct run *run = context;
    signals_close(&run->signals);
    uv_close((uv_handle_t *)&run->summary, NULL);
    uv_close((uv_handle_t *)&run->grace, NULL);
    uv_close((uv_handle_t *)&run->tick, NULL);
    loading_close(&run->loading);
}

static void close_all(struct run *run)
{
    phase_move(&run->phase, PHASE_CLOSING);
    parts_close(&run->parts, on_parts_closed, run);
}

/* stored: all rows that were not written are in the spool. */
static void finish(void *context, bool stored)
{
    struct run *run = context;
    const struct parts *parts = &run->parts;
    struct outbox_counts counts = outbox_counts(parts->outbox);
    size_t left = counts.pending + counts.in_flight;
    uv_timer_stop(&run->tick);
    uv_timer_stop(&run->summary);
    report_fates(parts);
    report_ledger(parts, "stopped");
    show_progress(run);
    if (left > 0 && stored) {
        LOG(run->logger, INFO, "rows are left in the spool: they are written after the next start",
            log_int("rows", (int64_t)left));
    } else if (parts->spool != NULL && spool_has_letters(parts->spool)) {
        run->exit_status = 1;
        LOG(run->logger, ERROR, "refused rows were lost: the spool did not take them");
    } else if (left > 0) {
        run->exit_status = 1;
        LOG(run->logger, ERROR, "rows were lost: neither the database nor a spool took them",
            log_int("rows", (int64_t)left));
    }
    close_all(run);
}

static void on_stopped(void *context)
{
    struct run *run = context;
    if (run->parts.spool != NULL)
        spool_flush(run->parts.spool, finish, run);
    else
        finish(run, false);
}

static void on_sources_closed(void *context);

/* Aborts the writes in flight: rows that are not written by now go to the spool. */
static void stop(struct run *run)
{
    if (run->phase >= PHASE_STOPPING)
        return;
    phase_move(&run->phase, PHASE_STOPPING);
    uv_timer_stop(&run->grace);
    loading_stop(&run->loading);
    if (run->parts.sources != NULL)
        parts_close_sources(&run->parts, on_sources_closed, run);
    dispatch_stop(run->parts.dispatch, on_stopped, run);
}

/* ---- in good order: finishing and draining ------------------------------------------------------*/

static void on_drained(void *context);

static void drain(struct run *run)
{
    phase_move(&run->phase, PHASE_DRAINING);
    dispatch_drain(run->parts.dispatch, on_drained, run);
}

/* All rows in the outbox are written. Records that are still to be read back from the spool are waited for,
 * and snapshots that have ended meanwhile are swept, piece by piece, which may make more rows. */
static void on_drained(void *context)
{
    struct run *run = context;
    if (loading_is_awaited(&run->loading)) {
        phase_move(&run->phase, PHASE_REFILLING);
        return;
    }
    sweep_tick(run->parts.sweep);
    struct outbox_counts counts = outbox_counts(run->parts.outbox);
    if (sweep_is_idle(run->parts.sweep) && counts.pending + counts.in_flight == 0)
        stop(run);
    else
        dispatch_drain(run->parts.dispatch, on_drained, run);
}

static void on_sources_closed(void *context)
{
    struct run *run = context;
    if (run->phase == PHASE_FINISHING)
        drain(run);
}

static void close_sources(struct run *run)
{
    if (run->phase < PHASE_FINISHING)
        phase_move(&run->phase, PHASE_FINISHING);
    sweep_end(run->parts.sweep);
    parts_close_sources(&run->parts, on_sources_closed, run);
}

static void on_grace_over(uv_timer_t *timer)
{
    stop(timer->data);
}

/* Starts the timer that bounds how long the remaining phases may take. */
static void start_grace(struct run *run)
{
    uv_timer_start(&run->grace, on_grace_over, (uint64_t)run->config->shutdown_grace_ms, 0);
}

/* Begins an orderly stop, which has to end within the grace period. */
static void end(struct run *run)
{
    start_grace(run);
    if (run->phase == PHASE_RUNNING) {
        phase_move(&run->phase, PHASE_FINISHING);
        sources_finish(run->parts.sources);
    } else {
        close_sources(run);
    }
}

/* Where other sources still bring events, it goes on with these. */
static void on_source_finished(void *context)
{
    struct run *run = context;
    if (sources_have_ended(run->parts.sources)) {
        LOG(run->logger, INFO, "end of the stream: writing what waits");
        close_sources(run);
    } else if (run->phase == PHASE_RUNNING) {
        LOG(run->logger, INFO, "a source has ended: the others go on");
    }
}

/* Documents that were acknowledged are kept; those that were not are sent again to the next process. */
static void on_no_memory(void *context)
{
    struct run *run = context;
    LOG(run->logger, ERROR,
        "no memory for a document: stopping, to be started again; raise the container's memory "
        "limit, or lower OUTBOX_MAX_BYTES or MAX_DOCUMENT_BYTES");
    run->exit_status = 1;
    if (run->phase == PHASE_RUNNING)
        start_grace(run);
    close_sources(run);
}

/* ---- the beginning: loading, standing by, opening -----------------------------------------------*/

static void fail_to_start(struct run *run, const struct error *err)
{
    LOG(run->logger, ERROR, "cannot start", log_string("error", err->text));
    run->exit_status = 1;
    start_grace(run);
    close_sources(run);
}

static void open_sources(struct run *run)
{
    struct error err = {0};
    phase_move(&run->phase, PHASE_RUNNING);
    sweep_restore(run->parts.sweep);
    show_progress(run);
    if (sources_start(run->parts.sources, &err) != ERROR_NONE)
        fail_to_start(run, &err);
}

static bool has_leader(const struct run *run)
{
    return run->config->leader != LEADER_NONE && !run->options->to_the_end;
}

static void on_leads(void *context)
{
    struct run *run = context;
    LOG(run->logger, INFO, "this sidecar leads: it takes events in");
    open_sources(run);
}

static void on_yields(void *context)
{
    struct run *run = context;
    if (run->phase != PHASE_RUNNING)
        return;
    LOG(run->logger, WARN, "another sidecar leads: stopping, to be started again as a standby");
    end(run);
}

/* Where the spool holds more than there is room for, the sources are opened, but paused until all records
 * have been read. Events are taken even if the spool can't be opened; it is read back once it can be. Only a
 * sidecar that could take events in asks for the lead. */
static void on_loaded(void *context)
{
    struct run *run = context;
    dispatch_wake(run->parts.dispatch);
    if (loading_is_under_way(&run->loading))
        return;
    if (run->phase == PHASE_REFILLING) {
        drain(run);
    } else if (run->phase == PHASE_LOADING && has_leader(run)) {
        struct error err = {0};
        phase_move(&run->phase, PHASE_STANDING_BY);
        if (parts_ask_for_lead(&run->parts, &err) != ERROR_NONE)
            fail_to_start(run, &err);
    } else if (run->phase == PHASE_LOADING) {
        open_sources(run);
    }
}

/* ---- at work -----------------------------------------------------------------------------------*/

/* There may be room again. The records in the spool get it first. */
static void on_progress(void *context)
{
    struct run *run = context;
    if (run->phase < PHASE_STOPPING)
        loading_go_on(&run->loading);
    if (run->phase >= PHASE_RUNNING)
        intake_progress(run->parts.intake);
}

/* replay gives up where rows can't be written until a person has acted: waiting would not help. */
static void give_up_if_stuck(struct run *run)
{
    const struct parts *parts = &run->parts;
    struct outbox_counts counts = outbox_counts(parts->outbox);
    if (!run->options->to_the_end || run->phase >= PHASE_STOPPING ||
        counts.pending + counts.in_flight == 0)
        return;
    bool takes_nothing = run->phase == PHASE_DRAINING || run->phase == PHASE_REFILLING ||
                         (run->phase <= PHASE_RUNNING && intake_is_paused(parts->intake));
    if (!dispatch_needs_a_person(parts->dispatch) &&
        !(takes_nothing && dispatch_is_stuck(parts->dispatch)))
        return;
    struct store_description store;
    parts->store->describe(parts->store, &store);
    LOG(run->logger, ERROR, "giving up: rows can't be written until a person has acted",
        log_string("error", store.last_error));
    run->exit_status = 1;
    stop(run);
}

static void on_tick(uv_timer_t *timer)
{
    struct run *run = timer->data;
    struct parts *parts = &run->parts;
    acks_checkpoint(&parts->acks, durability_epoch(parts->durability));
    durability_advance(parts->durability);
    acks_settle(&parts->acks, durability_safe(parts->durability), sources_acknowledge, NULL);
    if (parts->spool != NULL)
        spool_tick(parts->spool, clock_steady_us());
    status_tick(parts->status);
    show_progress(run);
    give_up_if_stuck(run);
    if (run->phase >= PHASE_STOPPING)
        return;
    sweep_tick(parts->sweep);
    if (run->phase == PHASE_RUNNING)
        sources_tick(parts->sources);
    for (struct snapshot_connection *outdated;
         (outdated = sweep_begin_again(parts->sweep)) != NULL;) {
        if (run->phase == PHASE_RUNNING)
            sources_begin_again(outdated);
    }
    on_progress(run);
}

static void on_summary(uv_timer_t *timer)
{
    const struct run *run = timer->data;
    report_ledger(&run->parts, "summary");
}

static const char *why_unready(const void *context)
{
    const struct run *run = context;
    if (run->phase == PHASE_LOADING)
        return "the spool is being read back";
    return run->phase <= PHASE_RUNNING ? NULL : "it is about to stop";
}

static bool takes_events(const void *context)
{
    const struct run *run = context;
    return run->phase == PHASE_RUNNING || run->phase == PHASE_FINISHING || !has_leader(run);
}

/* Files that hold secrets and certificates are read at each connect, so a connect that waits for its back-off
 * is made now. A connection that stands is left alone. */
static void read_secrets(struct run *run)
{
    if (run->phase < PHASE_STOPPING)
        dispatch_retry(run->parts.dispatch);
}

/* Whoever renews a Secret wants it to be used now, not at the end of a back-off. */
static void on_secret_changed(void *context, const char *path)
{
    struct run *run = context;
    LOG(run->logger, INFO, "file has changed: the next connection is made with it",
        log_string("file", path));
    read_secrets(run);
}

static void on_signal(void *context, int number)
{
    struct run *run = context;
    LOG(run->logger, INFO, "signal received", log_int("signal", number));
    if (number == SIGHUP && !run->options->to_the_end) {
        read_secrets(run);
        return;
    }
    if (run->phase > PHASE_RUNNING) {
        stop(run);
        return;
    }
    if (run->options->to_the_end)
        run->exit_status = 1;
    end(run);
}

static void log_remark(void *context, const struct remark *remark)
{
    if (remark->setting != NULL)
        LOG(context, WARN,
            "a variable is no setting and has no effect; one has a similar name or meaning",
            log_text("variable", remark->variable), log_string("setting", remark->setting));
    else
        LOG(context, INFO,
            "a setting is a service link of Kubernetes and counts as not set; the pod's "
            "enableServiceLinks: false leaves it out",
            log_text("setting", remark->variable));
}

static void start(struct run *run)
{
    struct error err = {0};
    run->parts = (struct parts){
        .loop = &run->loop,
        .config = run->config,
        .version = run->options->version,
        .replays = run->options->to_the_end,
        .events = {.progress = on_progress,
                   .no_memory = on_no_memory,
                   .finished = on_source_finished,
                   .secret_changed = on_secret_changed,
                   .leads = on_leads,
                   .yields = on_yields,
                   .unready = why_unready,
                   .takes_events = takes_events,
                   .context = run},
        .logger = run->logger,
    };
    remarks_make(environ, log_remark, run->logger);
    if (run->config->cluster_id[0] == '\0' && source_needs_cluster_id(run->config->event_source))
        LOG(run->logger, WARN,
            "CLUSTER_ID is not set: rows of objects that vanish while nobody watches are not "
            "closed; set it to a name of this cluster");
    metrics_init(&run->parts.metrics);
    if (parts_make(&run->parts, &err) != ERROR_NONE) {
        LOG(run->logger, ERROR, "cannot start", log_string("error", err.text));
        run->exit_status = 1;
        close_all(run);
        return;
    }
    LOG(run->logger, INFO, "started", log_string("version", run->options->version),
        log_string("source", run->config->event_source),
        log_string("database", run->config->mysql_host));
    uint64_t summary_ms = (uint64_t)run->config->log_summary_ms;
    if (summary_ms > 0)
        uv_timer_start(&run->summary, on_summary, summary_ms, summary_ms);
    uv_timer_start(&run->tick, on_tick, TICK_MS, TICK_MS);
    dispatch_start(run->parts.dispatch);
    loading_start(&run->loading, run->parts.spool);
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
    signal(SIGPIPE, SIG_IGN);
    int status = uv_loop_init(&run.loop);
    if (status != 0) {
        LOG(run.logger, ERROR, "cannot make an event loop",
            log_string("error", uv_strerror(status)));
        logger_free(run.logger);
        return 1;
    }
    signals_open(&run.signals, &run.loop, on_signal, &run);
    uv_timer_init(&run.loop, &run.summary);
    uv_timer_init(&run.loop, &run.grace);
    uv_timer_init(&run.loop, &run.tick);
    run.summary.data = run.grace.data = run.tick.data = &run;
    loading_init(&run.loading, &run.loop, on_loaded, &run);
    start(&run);
    uv_run(&run.loop, UV_RUN_DEFAULT);
    invariant(uv_loop_close(&run.loop) == 0);
    logger_free(run.logger);
    *left_behind = run.parts.left_behind;
    return run.exit_status;
}

int run_end(int status, bool left_behind)
{
    if (left_behind)
        _exit(fflush(stdout) == 0 ? status : 1);
    db_library_fini();
    return status;
}
