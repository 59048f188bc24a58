/* status: collects facts from all parts, and makes the answers from them. */
#include "sidecar/http/status.h"

#include "lib/account/growth.h"
#include "lib/base/memory.h"
#include "lib/kube/snapshot.h"
#include "sidecar/base/clock.h"
#include "sidecar/base/process.h"
#include "sidecar/http/status_facts.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* To find the oldest row, all rows are read. So it is done at most this often, however many requests come. */
#define OLDEST_INTERVAL_US 1000000

_Static_assert(METRICS_SOURCES == SOURCE_MAX, "each source has a series");

struct status {
    struct status_parts parts;
    int64_t started_us;        /* since 1970 */
    int64_t started_steady_us; /* for the uptime */
    struct growth rows, bytes, spool_bytes;
    int64_t oldest_us; /* as of oldest_steady_us; INT64_MAX: none */
    int64_t oldest_steady_us;
};

struct status *status_new(const struct status_parts *parts)
{
    struct status *status = memory_new(sizeof(*status));
    status->parts = *parts;
    status->started_us = clock_now_us();
    status->started_steady_us = clock_steady_us();
    status->oldest_us = INT64_MAX;
    return status;
}

void status_free(struct status *status)
{
    free(status);
}

/* ---- facts -------------------------------------------------------------------------------------*/

static int64_t rows_of(const struct outbox_counts *counts)
{
    return (int64_t)(counts->pending + counts->in_flight);
}

void status_tick(struct status *status)
{
    const struct status_parts *parts = &status->parts;
    struct outbox_counts counts = outbox_counts(parts->outbox);
    int64_t now_us = clock_steady_us();
    growth_sample(&status->rows, now_us, rows_of(&counts));
    growth_sample(&status->bytes, now_us, (int64_t)counts.bytes);
    if (parts->spool != NULL)
        growth_sample(&status->spool_bytes, now_us, spool_usage(parts->spool).bytes);
}

/* Returns the seconds until growth reaches the first of the bounds at which the source is paused. The spool's
 * bound is what its disk has room for, if that is less than the setting. */
static double seconds_left(const struct status *status, const struct status_facts *facts)
{
    const struct config *config = status->parts.config;
    int64_t now_us = clock_steady_us();
    double left = fmin(growth_seconds_left(&status->rows, now_us, rows_of(&facts->counts),
                                           config->outbox_max_rows),
                       growth_seconds_left(&status->bytes, now_us, (int64_t)facts->counts.bytes,
                                           config->outbox_max_bytes));
    if (status->parts.spool == NULL)
        return left;
    int64_t disk = facts->spool.bytes + facts->spool.free_bytes;
    int64_t bound = config->spool_max_bytes < disk ? config->spool_max_bytes : disk;
    return fmin(left, growth_seconds_left(&status->spool_bytes, now_us, facts->spool.bytes, bound));
}

static double oldest_seconds(struct status *status, const struct outbox_counts *counts)
{
    int64_t now_us = clock_steady_us();
    if (rows_of(counts) == 0)
        return 0;
    if (status->oldest_us == INT64_MAX || now_us - status->oldest_steady_us > OLDEST_INTERVAL_US) {
        status->oldest_us = outbox_oldest_us(status->parts.outbox);
        status->oldest_steady_us = now_us;
    }
    int64_t age_us = clock_now_us() - status->oldest_us;
    return age_us > 0 ? (double)age_us / 1e6 : 0; /* the time of day may have been set back */
}

static void gather(struct status *status, struct status_facts *facts)
{
    const struct status_parts *parts = &status->parts;
    *facts = (struct status_facts){
        .parts = parts,
        .unready = parts->unready(parts->context),
        .leads = parts->takes_events(parts->context),
        .started_us = status->started_us,
        .uptime_us = clock_steady_us() - status->started_steady_us,
        .counts = outbox_counts(parts->outbox),
        .balanced = ledger_balances(parts->ledger, parts->outbox),
        .source_paused = intake_is_paused(parts->intake),
        .database_up = dispatch_is_up(parts->dispatch),
    };
    const struct sources *sources = *parts->sources;
    while (sources != NULL && facts->source_count < SOURCE_MAX &&
           sources_state(sources, facts->source_count, &facts->sources[facts->source_count]))
        facts->streams += facts->sources[facts->source_count++].streams;
    for (size_t i = 0; sources != NULL && facts->leads && i < RESOURCE_COUNT; i++) {
        const char *trouble = sources_unwatched(sources, i);
        if (trouble == NULL)
            break;
        facts->unwatched[i] = trouble[0] != '\0' ? trouble : NULL;
    }
    for (size_t i = 0; i < TABLE_COUNT; i++)
        facts->rows[i] = ledger_rows(parts->ledger, parts->outbox, i);
    facts->oldest_seconds = oldest_seconds(status, &facts->counts);
    parts->store->describe(parts->store, &facts->store);
    if (parts->spool != NULL) {
        facts->spool_up = spool_is_up(parts->spool);
        facts->spool = spool_usage(parts->spool);
    }
    facts->outage_seconds = seconds_left(status, facts);
}

/* ---- /metrics ----------------------------------------------------------------------------------*/

static void fill_sources(struct metrics *metrics, const struct status_facts *facts)
{
    metrics->source_up = facts->streams > 0;
    metrics->source_paused = facts->source_paused;
    memset(metrics->sources, 0, sizeof(metrics->sources));
    for (size_t i = 0; i < facts->source_count; i++) {
        metrics->sources[i][METRICS_SOURCE_ADDRESS] = facts->sources[i].address;
        metrics->sources[i][METRICS_SOURCE_STATE] = facts->sources[i].name;
    }
    memcpy(metrics->unwatched, facts->unwatched, sizeof(metrics->unwatched));
}

static void fill_ledger(struct metrics *metrics, const struct status_facts *facts)
{
    const struct ledger *ledger = facts->parts->ledger;
    for (unsigned fate = 0; fate < WATCH_FATE_COUNT; fate++)
        metrics->documents[fate] = ledger->fates[fate];
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        for (size_t n = 0; n < LEDGER_ROW_ACCOUNT_COUNT; n++)
            metrics->rows[i][n] = ledger_row_account(&facts->rows[i], n);
        metrics->pending_rows[i] = (double)facts->rows[i].held;
    }
    metrics->batches = ledger->batches;
    metrics->batch_failures = ledger->failures;
    metrics->cut_columns = ledger->cut_columns;
    metrics->bad_quantities = ledger->bad_quantities;
    metrics->bad_fields = ledger->bad_fields;
    metrics->cut_lines = ledger->cut_lines;
    metrics->ledger_balanced = facts->balanced;
}

static void fill_spool(struct metrics *metrics, const struct status_facts *facts)
{
    metrics->spool_up = facts->spool_up;
    metrics->spool_bytes = (double)facts->spool.bytes;
    metrics->spool_limit_bytes = (double)facts->parts->config->spool_max_bytes;
    metrics->spool_free_bytes = (double)facts->spool.free_bytes;
    metrics->dead_letters = (double)facts->spool.state.dead_letters;
    metrics->spool_lost_records = (double)facts->spool.state.lost.records;
    metrics->spool_lost_transactions = (double)facts->spool.state.lost.transactions;
}

static unsigned answer_metrics(void *context, bool verbose, struct buffer *body)
{
    struct status *status = context;
    struct metrics *metrics = status->parts.metrics;
    struct process_usage usage = process_usage();
    struct status_facts facts;
    (void)verbose;
    gather(status, &facts);
    fill_sources(metrics, &facts);
    fill_ledger(metrics, &facts);
    if (status->parts.spool != NULL)
        fill_spool(metrics, &facts);
    metrics->outage_left = facts.outage_seconds;
    metrics->oldest_unwritten = facts.oldest_seconds;
    metrics->pending_limit_rows = (double)status->parts.config->outbox_max_rows;
    metrics->pending_bytes = (double)facts.counts.bytes;
    metrics->pending_limit_bytes = (double)status->parts.config->outbox_max_bytes;
    metrics->leads = facts.leads;
    metrics->database_up = facts.database_up;
    metrics->database[METRICS_DATABASE_VERSION] =
        facts.store.connected ? facts.store.version : NULL;
    metrics->database[METRICS_DATABASE_TLS] = facts.store.tls_version;
    metrics->database[METRICS_DATABASE_CIPHER] = facts.store.tls_cipher;
    metrics->log_dropped = logger_dropped(status->parts.logger);
    metrics->build[0] = status->parts.version;
    metrics->cpu_seconds = usage.cpu_seconds;
    metrics->resident_bytes = usage.resident_bytes;
    metrics->open_fds = usage.open_fds;
    metrics->max_fds = usage.max_fds;
    metrics->start_time = (double)status->started_us / 1e6;
    metrics_expose(body, metrics);
    return 200;
}

/* ---- the others --------------------------------------------------------------------------------*/

static unsigned answer_livez(void *context, bool verbose, struct buffer *body)
{
    (void)context;
    (void)verbose;
    buffer_append_string(body, "ok\n");
    return 200;
}

static const char *intake_state(const struct status_facts *facts)
{
    if (facts->unready != NULL)
        return "no";
    if (!facts->leads)
        return "no, another sidecar does";
    if (facts->source_paused)
        return "no, paused: the outbox or the spool is full";
    return facts->streams > 0 ? "yes" : "no, none come: nothing is connected";
}

/* Appends the facts for ?verbose. Facts that readiness does not depend on are in parentheses. */
static void append_details(struct buffer *body, const struct status_facts *facts)
{
    const struct config *config = facts->parts->config;
    const char *closed = facts->unready != NULL ? facts->unready
                         : !facts->leads        ? "another sidecar leads, this one stands by"
                                                : NULL;
    buffer_append_string(body, "settings: valid\n");
    if (facts->source_count == 0)
        buffer_appendf(body, "source: %s: closed\n", config->event_source);
    for (size_t i = 0; i < facts->source_count; i++)
        buffer_appendf(body, "source: %s: %s, %zu connected\n", facts->sources[i].address,
                       closed != NULL ? closed : facts->sources[i].name, facts->sources[i].streams);
    for (size_t i = 0; i < RESOURCE_COUNT; i++) {
        const char *trouble = facts->unwatched[i];
        const char *group = resource_table[i].group;
        if (trouble != NULL && strcmp(trouble, "not_installed") != 0) /* that is no trouble */
            buffer_appendf(body, "(not watched: %s%s%s: %s)\n", resource_table[i].kind,
                           group[0] != '\0' ? " of " : "", group, trouble);
    }
    buffer_appendf(body, "(taking events in: %s)\n", intake_state(facts));
    buffer_appendf(body, "(database: %s%s%s)\n", facts->database_up ? "up" : "down",
                   facts->store.last_error[0] != '\0' ? "; last error: " : "",
                   facts->store.last_error);
    buffer_appendf(body, "(waiting for it: %" PRId64 " rows, the oldest for %.1f s)\n",
                   rows_of(&facts->counts), facts->oldest_seconds);
    if (facts->parts->spool == NULL)
        buffer_append_string(body, "(spool: none)\n");
    else
        buffer_appendf(body,
                       "(spool: %s, %" PRId64 " of %" PRId64 " bytes, %" PRId64 " dead letters)\n",
                       facts->spool_up ? "up" : "down", facts->spool.bytes, config->spool_max_bytes,
                       facts->spool.state.dead_letters);
}

static unsigned answer_readyz(void *context, bool verbose, struct buffer *body)
{
    struct status *status = context;
    const char *unready = status->parts.unready(status->parts.context);
    if (verbose) {
        struct status_facts facts;
        gather(status, &facts);
        append_details(body, &facts);
    }
    if (unready == NULL)
        buffer_append_string(body, "ready\n");
    else
        buffer_appendf(body, "not ready: %s\n", unready);
    return unready == NULL ? 200 : 503;
}

static unsigned answer_status(void *context, bool verbose, struct buffer *body)
{
    struct status_facts facts;
    (void)verbose;
    gather(context, &facts);
    status_append_json(body, &facts);
    return 200;
}

const struct http_route status_routes[STATUS_ROUTES] = {
    {"/livez", "text/plain; charset=utf-8", answer_livez},
    {"/readyz", "text/plain; charset=utf-8", answer_readyz},
    {"/metrics", "text/plain; version=0.0.4; charset=utf-8", answer_metrics},
    {"/status", "application/json", answer_status},
};
