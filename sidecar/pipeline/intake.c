/* intake: what happens to a document.
 *
 * Happy path, all on the loop's thread, in the order in which the files are passed:
 *
 *   source   (sidecar/source, sidecar/kube) reads from its connection and delivers one document
 *   intake   on_document() calls the modules below in turn; none of these calls another
 *   watch    (lib/kube/watch) decodes the document to a row, and says which fate it has
 *   sweep    (sidecar/pipeline/sweep_documents.c) notes that the snapshot has shown the object
 *   outbox   (lib/outbox) merges the row into the row of the object that waits, and holds the present epoch
 *   acks     (lib/outbox/acks) counts the document for its connection
 *
 * At the end of the burst dispatch is woken, which gives batches to the threads of the store; these threads
 * use none of the modules above. A row that is committed or in the spool holds no epoch. At each tick
 * (sidecar/run) acks has the source acknowledge the documents of the epochs that are safe by then.
 *
 * Failure modes:
 *   a document of another kind, or        it is counted under its fate; a damaged one is logged as a
 *   a damaged one                         warning
 *   a document that is too long           it is counted, and logged with what its head tells of the object
 *   the outbox or the spool is full       the source is paused, and resumed when the outbox is three
 *                                         quarters full and the spool has room
 *   no memory for a document              it is counted as no_memory, logged, and not acknowledged. No
 *                                         document is taken after it: the process ends, and the producer
 *                                         sends it again
 */
#include "sidecar/pipeline/intake.h"

#include "lib/base/memory.h"
#include "lib/kube/watch.h"
#include "sidecar/base/clock.h"
#include "sidecar/source/connection.h"

#include <stdio.h>
#include <stdlib.h>

struct intake {
    struct intake_settings settings;
    struct watch *watch;
    struct sources *sources; /* not owned; NULL when there are none */

    /* What the source has told; "" if it has told none, or the operator has set CLUSTER_ID. */
    char cluster_id[CONFIG_TEXT_SIZE];

    bool paused;
    bool stored; /* rows were put since the writers were woken */
};

struct intake *intake_new(const struct intake_settings *settings)
{
    struct intake *intake = memory_new(sizeof(*intake));
    intake->settings = *settings;
    struct watch_settings watch_settings = {
        .region = text_from(settings->config->region),
        .cluster_id = text_from(settings->config->cluster_id),
    };
    intake->watch = watch_new(&watch_settings);
    return intake;
}

void intake_free(struct intake *intake)
{
    if (intake == NULL)
        return;
    watch_free(intake->watch);
    free(intake);
}

static void log_document(struct intake *intake, const struct connection *connection,
                         enum log_level level, const char *message,
                         const struct watch_result *result)
{
    const struct log_field fields[] = {
        log_string("reason", watch_fate_name(result->fate)),
        log_string("detail", result->reason),
        log_string("kind", result->kind),
        log_string("namespace", result->namespace),
        log_string("name", result->name),
        log_string("uid", result->uid),
        log_int("line", (int64_t)connection->line),
    };
    logger_write(intake->settings.logger, level, message, fields,
                 sizeof(fields) / sizeof(fields[0]) - (connection->line == 0));
}

/* Logs and counts what was left out of a row or cut, since nothing else tells of it. */
static void note_losses(struct intake *intake, const struct connection *connection,
                        const struct watch_result *result)
{
    struct ledger *ledger = intake->settings.ledger;
    ledger->bad_quantities += result->bad_quantities;
    ledger->bad_fields += result->bad_fields;
    if (result->bad_quantities > 0)
        log_document(intake, connection, LOG_LEVEL_WARN,
                     "resource quantity left out: it does not parse", result);
    if (result->bad_fields > 0)
        log_document(intake, connection, LOG_LEVEL_WARN, "field left out: it has a wrong type",
                     result);
    if (result->row != NULL && result->row->cut_columns != 0) {
        ledger->cut_columns += (uint64_t)__builtin_popcount(result->row->cut_columns);
        log_document(intake, connection, LOG_LEVEL_WARN, "text cut: it is longer than its column",
                     result);
    }
}

static void tell_writers(struct intake *intake)
{
    if (!intake->stored)
        return;
    intake->stored = false;
    intake->settings.stored(intake->settings.context);
}

/* Returns what is full, so that nothing more can be taken in; METRICS_PAUSE_COUNT if there is room. */
static enum metrics_pause why_full(const struct intake *intake)
{
    if (outbox_is_full(intake->settings.outbox))
        return METRICS_PAUSE_OUTBOX;
    if (intake->settings.spool != NULL && spool_is_full(intake->settings.spool))
        return METRICS_PAUSE_SPOOL;
    return METRICS_PAUSE_COUNT;
}

static void pause_if_full(struct intake *intake)
{
    if (intake->paused || intake->sources == NULL)
        return;
    enum metrics_pause full = why_full(intake);
    if (full == METRICS_PAUSE_COUNT)
        return;
    intake->settings.metrics->source_pauses[full]++;
    struct outbox_counts counts = outbox_counts(intake->settings.outbox);
    intake->paused = true;
    sources_pause(intake->sources);
    tell_writers(intake);
    struct spool_usage usage = {0};
    if (intake->settings.spool != NULL)
        usage = spool_usage(intake->settings.spool);
    LOG(intake->settings.logger, WARN,
        full == METRICS_PAUSE_OUTBOX ? "source paused: too many rows wait for the database"
                                     : "source paused: the spool takes no more",
        log_string("full", metrics_pause_name(full)),
        log_int("rows", (int64_t)(counts.pending + counts.in_flight)),
        log_int("bytes", (int64_t)counts.bytes), log_int("spool_bytes", usage.bytes),
        log_int("dead_letters", usage.state.dead_letters));
}

static void count_document(struct intake *intake, const struct watch_result *result)
{
    intake->settings.ledger->fates[result->fate]++;
    size_t kind = metrics_kind(result->resource);
    intake->settings.metrics->events[result->type][kind][result->fate]++;
}

static void on_document(void *context, struct connection *connection, struct text line)
{
    struct intake *intake = context;
    const struct intake_settings *settings = &intake->settings;
    struct watch_result result;
    watch_decode(intake->watch, line, clock_now_us(), &result);
    note_losses(intake, connection, &result);
    sweep_document(settings->sweep, &connection->snapshot, &result);
    if (result.fate == WATCH_ROW) {
        size_t table = table_number(result.row->table);
        struct error err;
        if (outbox_put(settings->outbox, result.row, &err) == ERROR_NONE) {
            settings->ledger->rows[table].received++;
            intake->stored = true;
        } else {
            row_free(result.row);
            result.fate = WATCH_NO_MEMORY;
        }
    }
    count_document(intake, &result);
    if (watch_fate_class(result.fate) == WATCH_CLASS_INVALID)
        log_document(intake, connection, LOG_LEVEL_WARN, "document refused", &result);
    else if (result.fate == WATCH_ERROR_EVENT || result.fate == WATCH_STATUS)
        log_document(intake, connection, LOG_LEVEL_WARN, "the API server reported trouble",
                     &result);
    else if (result.fate != WATCH_ROW)
        log_document(intake, connection, LOG_LEVEL_DEBUG, "document not recorded", &result);
    if (result.fate == WATCH_NO_MEMORY) {
        settings->no_memory(settings->context);
        return;
    }
    acks_document(&connection->acks);
    pause_if_full(intake);
}

static void on_too_long(void *context, struct connection *connection, struct text head,
                        uint64_t length)
{
    struct intake *intake = context;
    struct watch_result result;
    watch_decode_head(intake->watch, head, &result);
    sweep_document(intake->settings.sweep, &connection->snapshot, &result);
    count_document(intake, &result);
    acks_document(&connection->acks);
    LOG(intake->settings.logger, WARN, "document skipped: longer than MAX_DOCUMENT_BYTES",
        log_int("bytes", (int64_t)length), log_string("kind", result.kind),
        log_string("namespace", result.namespace), log_string("name", result.name),
        log_string("uid", result.uid), log_int("line", (int64_t)connection->line));
}

static void on_drained(void *context)
{
    tell_writers(context);
}

/* A CLUSTER_ID that the operator has set takes precedence. */
static void on_cluster(void *context, const char *id)
{
    struct intake *intake = context;
    if (intake->settings.config->cluster_id[0] != '\0')
        return;
    (void)snprintf(intake->cluster_id, sizeof(intake->cluster_id), "%s", id);
    watch_set_cluster(intake->watch, text_from(intake->cluster_id));
    sweep_set_cluster(intake->settings.sweep, intake->cluster_id);
    LOG(intake->settings.logger, INFO, "cluster identified",
        log_string("cluster_id", intake->cluster_id));
}

static void on_absent(void *context, const char *api_version, const char *kind)
{
    struct intake *intake = context;
    sweep_absent(intake->settings.sweep, api_version, kind);
}

static void on_opened(void *context, struct connection *connection)
{
    struct intake *intake = context;
    intake->settings.metrics->source_connections++;
    acks_opened(intake->settings.acks, &connection->acks);
    sweep_opened(intake->settings.sweep, &connection->snapshot, connection->source->is_reference);
    LOG(intake->settings.logger, INFO, "stream opened",
        log_int("connection", (int64_t)connection->id));
}

static void on_closed(void *context, struct connection *connection, uint64_t cut_bytes)
{
    struct intake *intake = context;
    tell_writers(intake);
    acks_closed(intake->settings.acks, &connection->acks);
    sweep_closed(intake->settings.sweep, &connection->snapshot);
    if (connection->refused) {
        intake->settings.ledger->cut_lines++;
    } else if (cut_bytes > 0) {
        intake->settings.ledger->cut_lines++;
        LOG(intake->settings.logger, WARN,
            "stream closed inside a line: its producer has to send it again",
            log_int("connection", (int64_t)connection->id), log_int("bytes", (int64_t)cut_bytes));
    } else {
        LOG(intake->settings.logger, INFO, "stream closed",
            log_int("connection", (int64_t)connection->id));
    }
}

static void on_evicted(void *context, struct connection *connection)
{
    struct intake *intake = context;
    (void)connection;
    intake->settings.metrics->source_evictions++;
}

static void on_finished(void *context)
{
    struct intake *intake = context;
    tell_writers(intake);
    intake->settings.finished(intake->settings.context);
}

struct source_events intake_events(struct intake *intake)
{
    return (struct source_events){
        .context = intake,
        .cluster = on_cluster,
        .absent = on_absent,
        .opened = on_opened,
        .document = on_document,
        .too_long = on_too_long,
        .drained = on_drained,
        .closed = on_closed,
        .evicted = on_evicted,
        .finished = on_finished,
    };
}

void intake_attach(struct intake *intake, struct sources *sources)
{
    intake->sources = sources;
    if (sources != NULL)
        return;
    acks_init(intake->settings.acks);
    sweep_close_all(intake->settings.sweep);
}

/* Pauses, too: the spool fills up later than the outbox, when no document may come any more. The bounds for
 * resuming are lower than those for pausing, so that the source is not paused and resumed all the time. */
void intake_progress(struct intake *intake)
{
    const struct config *config = intake->settings.config;
    const struct spool *spool = intake->settings.spool;
    struct outbox_counts counts = outbox_counts(intake->settings.outbox);
    if (!intake->paused) {
        pause_if_full(intake);
        return;
    }
    if (intake->sources == NULL || why_full(intake) != METRICS_PAUSE_COUNT ||
        (spool != NULL && !spool_has_room(spool)) ||
        counts.pending + counts.in_flight > (size_t)config->outbox_max_rows / 4 * 3 ||
        counts.bytes > (size_t)config->outbox_max_bytes / 4 * 3)
        return;
    intake->paused = false;
    sources_resume(intake->sources);
    LOG(intake->settings.logger, INFO, "source resumed");
}

bool intake_is_paused(const struct intake *intake)
{
    return intake->paused;
}
