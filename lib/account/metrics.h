/* metrics: what is counted and measured, and its text for Prometheus.
 *
 * METRICS below is the one place where a metric is described: struct metrics, the exposition and the list in
 * docs/metrics.md are made from it. To add a metric, add a line there, and add to its field where the thing happens:
 * counting needs no look-up and no lock, since one thread does it.
 *
 * Counters that the ledger keeps, and gauges, are filled in before each exposition (sidecar/http/status); all
 * others are counted where they happen. */
#ifndef LIB_METRICS_H
#define LIB_METRICS_H

#include "lib/account/ledger.h"
#include "lib/base/buffer.h"
#include "lib/base/histogram.h"
#include "lib/kube/kind.h"
#include "lib/kube/watch.h"
#include "lib/rows/table.h"
#include "lib/sql/dberror.h"

#include <stddef.h>
#include <stdint.h>

/* The elements of a dimension "kind": one for each resource, by resource_number(), and behind these
 * METRICS_KIND_OTHER, which stands for all kinds that are not recorded. */
#define METRICS_KINDS      (RESOURCE_COUNT + 1)
#define METRICS_KIND_OTHER RESOURCE_COUNT

/* What became of the mark of a snapshot. X(suffix of enum metrics_sweep, value of the label `result`). */
#define METRICS_SWEEPS(X)                                                                          \
    X(DONE, "done")                                                                                \
    X(REFUSED, "refused")       /* too many rows would have been closed */                         \
    X(FAILED, "failed")         /* the database could not be asked; it is asked again */           \
    X(INCOMPLETE, "incomplete") /* a document of the snapshot could not be read */                 \
    X(INVALID, "invalid")       /* the mark had no resourceVersion */                              \
    X(NO_CLUSTER, "no_cluster") /* CLUSTER_ID is not set */

/* What was full when the source was paused. X(suffix of enum metrics_pause, value of the label `reason`). */
#define METRICS_PAUSES(X) X(OUTBOX, "outbox") X(SPOOL, "spool")

#define METRICS_ENUM(name, text) METRICS_SWEEP_##name,
enum metrics_sweep { METRICS_SWEEPS(METRICS_ENUM) METRICS_SWEEP_COUNT };
#undef METRICS_ENUM
#define METRICS_ENUM(name, text) METRICS_PAUSE_##name,
enum metrics_pause { METRICS_PAUSES(METRICS_ENUM) METRICS_PAUSE_COUNT };
#undef METRICS_ENUM

/* The elements of the field `database`; each is the value of a label. */
enum metrics_database {
    METRICS_DATABASE_VERSION,
    METRICS_DATABASE_TLS,
    METRICS_DATABASE_CIPHER,
    METRICS_DATABASE_COUNT
};

/* The field `sources` has METRICS_SOURCES rows; these are the elements of a row, each the value of a label. */
enum metrics_source { METRICS_SOURCE_ADDRESS, METRICS_SOURCE_STATE, METRICS_SOURCE_TEXTS };
#define METRICS_SOURCES 8

/* The table of all metrics. Each line describes a field of struct metrics, and the series that are made from it:
 *
 *   ONE(type, field, name, help)                       The field is one value, and makes one series.
 *   EACH(type, field, [shape], name, help, labels...)  The field is an array of this shape, and each element makes a
 *                                                      series. The elements of a dimension are told apart by a label
 *                                                      (its values are in metrics.c). LABEL_API_GROUP belongs to the
 *                                                      same dimension as the LABEL_KIND before it.
 *   HISTOGRAM(field, bounds, name, help)               The field is a struct histogram. metrics.c has the bounds.
 *
 * The types, and what their fields are in C:
 *
 *   COUNTER       uint64_t.
 *   SPARSE        uint64_t. A counter with very many series; those that are 0 are left out.
 *   REAL_COUNTER  double. NAN means that the value is not known; its series is then left out.
 *   GAUGE         double. NAN has the same meaning.
 *   INFO          const char *. The series has the value 1, and the elements of the last dimension are the values of
 *                 its labels. It is left out while the first of them is NULL.
 *   STATE         const char *. The series has the value 1, and the text is the value of the last label. It is left
 *                 out while the text is NULL.
 *
 * The name is the one in Prometheus, and the help text has no full stop, since the exposition adds it. */
/* clang-format off */
#define METRICS(ONE, EACH, HISTOGRAM) \
    EACH(SPARSE, events, [WATCH_TYPE_COUNT][METRICS_KINDS][WATCH_FATE_COUNT], "kubedl_shipper_events_total", \
        "Documents of this process by event type, kind and fate; only combinations that have occurred", \
        LABEL_TYPE, LABEL_KIND, LABEL_API_GROUP, LABEL_FATE) \
    EACH(COUNTER, documents, [WATCH_FATE_COUNT], "kubedl_shipper_documents_total", \
        "Documents by their fate, since the spool was made", LABEL_FATE) \
    EACH(COUNTER, rows, [TABLE_COUNT][LEDGER_ROW_ACCOUNT_COUNT], "kubedl_shipper_rows_total", \
        "Rows by what became of them, since the spool was made", LABEL_TABLE, LABEL_ACCOUNT) \
    ONE(COUNTER, batches, "kubedl_shipper_batches_total", \
        "Transactions that were committed, since the spool was made") \
    ONE(COUNTER, batch_failures, "kubedl_shipper_batch_failures_total", \
        "Batches that failed at the database, since the spool was made") \
    HISTOGRAM(batch_rows, row_bounds, "kubedl_shipper_batch_rows", \
        "Rows in a batch that was committed") \
    HISTOGRAM(commit_us, commit_bounds, "kubedl_shipper_commit_seconds", \
        "Time until a batch was committed, with all its retries") \
    HISTOGRAM(lag_us, lag_bounds, "kubedl_shipper_event_to_commit_seconds", \
        "Time from the arrival of an event to the commit of its row; where several were merged, from the oldest") \
    ONE(GAUGE, oldest_unwritten, "kubedl_shipper_oldest_unwritten_seconds", \
        "Age of the oldest row that is not written; 0 if there is none") \
    EACH(GAUGE, pending_rows, [TABLE_COUNT], "kubedl_shipper_pending_rows", \
        "Rows that are not written yet", LABEL_TABLE) \
    ONE(GAUGE, pending_limit_rows, "kubedl_shipper_pending_limit_rows", \
        "Rows that may wait before the source is paused (`OUTBOX_MAX_ROWS`)") \
    ONE(GAUGE, pending_bytes, "kubedl_shipper_pending_bytes", \
        "Memory of the rows that are not written yet") \
    ONE(GAUGE, pending_limit_bytes, "kubedl_shipper_pending_limit_bytes", \
        "Memory that these rows may take before the source is paused (`OUTBOX_MAX_BYTES`)") \
    ONE(COUNTER, cut_columns, "kubedl_shipper_cut_columns_total", \
        "Texts that were longer than their column and were cut, since the spool was made") \
    ONE(COUNTER, bad_quantities, "kubedl_shipper_bad_quantities_total", \
        "Resource quantities that do not parse and were left out, since the spool was made") \
    ONE(COUNTER, bad_fields, "kubedl_shipper_bad_fields_total", \
        "Fields of a wrong type that were left out, since the spool was made") \
    ONE(COUNTER, cut_lines, "kubedl_shipper_cut_lines_total", \
        "Unfinished last lines of connections, since the spool was made") \
    ONE(GAUGE, ledger_balanced, "kubedl_shipper_ledger_balanced", \
        "1 if every document and row is accounted for; 0 is a defect") \
    ONE(GAUGE, leads, "kubedl_shipper_leads", \
        "1 if this sidecar takes events in; 0 while it stands by for another one that does") \
    ONE(GAUGE, source_up, "kubedl_shipper_source_up", \
        "1 while at least one stream of events is connected, or the API server answers") \
    EACH(INFO, sources, [METRICS_SOURCES][METRICS_SOURCE_TEXTS], "kubedl_shipper_source_info", \
        "Each source of `EVENT_SOURCE`. state: closed, waiting (nothing has connected so far), open, ended", \
        LABEL_SOURCE, LABEL_STATE) \
    EACH(STATE, unwatched, [RESOURCE_COUNT], "kubedl_shipper_source_unwatched", \
        "1 for each kind that is to be watched at the API server but is not watched now, with the reason", \
        LABEL_KIND, LABEL_API_GROUP, LABEL_TROUBLE) \
    ONE(GAUGE, source_paused, "kubedl_shipper_source_paused", \
        "1 while no events are taken in because the outbox or the spool is full") \
    ONE(COUNTER, source_connections, "kubedl_shipper_source_connections_total", \
        "Streams of events that were opened") \
    ONE(COUNTER, source_evictions, "kubedl_shipper_source_evictions_total", \
        "Streams that were ended because they were silent and another producer needed the place") \
    EACH(COUNTER, source_pauses, [METRICS_PAUSE_COUNT], "kubedl_shipper_source_pauses_total", \
        "Times that the source was paused, by what was full", LABEL_REASON) \
    ONE(GAUGE, database_up, "kubedl_shipper_database_up", \
        "1 if the last answer of the database to each connection was good") \
    EACH(INFO, database, [METRICS_DATABASE_COUNT], "kubedl_shipper_database_info", \
        "The database server that is connected; without TLS the last two labels are empty", \
        LABEL_VERSION, LABEL_TLS_VERSION, LABEL_TLS_CIPHER) \
    ONE(COUNTER, database_connects, "kubedl_shipper_database_connects_total", \
        "Connections to the database that were made") \
    EACH(COUNTER, reconnects, [DBERROR_CLASS_COUNT], "kubedl_shipper_reconnects_total", \
        "Connections that were made in place of one that was lost or given up, by the class of its error", \
        LABEL_CAUSE) \
    EACH(COUNTER, database_errors, [DBERROR_CLASS_COUNT], "kubedl_shipper_database_errors_total", \
        "Errors that the database or its client library reported, also those that a retry has mended", LABEL_CLASS) \
    ONE(GAUGE, spool_up, "kubedl_shipper_spool_up", \
        "1 if the spool is open and could be written when it last had to") \
    ONE(GAUGE, spool_bytes, "kubedl_shipper_spool_bytes", \
        "Bytes in use in the spool") \
    ONE(GAUGE, spool_limit_bytes, "kubedl_shipper_spool_limit_bytes", \
        "Bytes that the spool may use before the source is paused (`SPOOL_MAX_BYTES`)") \
    ONE(GAUGE, spool_free_bytes, "kubedl_shipper_spool_free_bytes", \
        "Bytes that are free on the spool's disk") \
    ONE(GAUGE, outage_left, "kubedl_shipper_spool_outage_seconds_left", \
        "Time until the source is paused if the spool and the outbox go on growing as they do; +Inf if they do not") \
    ONE(GAUGE, spool_lost_records, "kubedl_shipper_spool_lost_records", \
        "Stored records that were missing when the spool was opened, since it was made") \
    ONE(GAUGE, spool_lost_transactions, "kubedl_shipper_spool_lost_transactions", \
        "Transactions that were missing when the spool was opened, since it was made") \
    ONE(GAUGE, dead_letters, "kubedl_shipper_dead_letters", \
        "Dead letters (refused rows) in the spool") \
    EACH(COUNTER, sweeps, [METRICS_SWEEP_COUNT], "kubedl_shipper_sweeps_total", \
        "Marks of snapshots by the result of their sweep", LABEL_RESULT) \
    ONE(COUNTER, log_dropped, "kubedl_shipper_log_dropped_total", \
        "Log records that were dropped because nobody read standard error") \
    EACH(GAUGE, refused_rows, [RESOURCE_COUNT], "kubedl_shipper_sweep_refused_rows", \
        "Rows that a refused sweep would close, until it is confirmed or no longer needed", \
        LABEL_KIND, LABEL_API_GROUP) \
    ONE(COUNTER, versions_back, "kubedl_shipper_versions_back_total", \
        "Snapshots with a version below what was known, as after a restore of etcd") \
    EACH(INFO, build, [1], "kubedl_shipper_build_info", \
        "The program that runs", LABEL_VERSION) \
    ONE(REAL_COUNTER, cpu_seconds, "process_cpu_seconds_total", \
        "Processor time that was used") \
    ONE(GAUGE, resident_bytes, "process_resident_memory_bytes", \
        "Memory in use") \
    ONE(GAUGE, open_fds, "process_open_fds", \
        "Open file descriptors") \
    ONE(GAUGE, max_fds, "process_max_fds", \
        "File descriptors that may be open") \
    ONE(GAUGE, start_time, "process_start_time_seconds", \
        "When the process started, in seconds since 1970")
/* clang-format on */

/* The table makes the fields of struct metrics: METRICS_COUNTER is the C type of a COUNTER, and so on. */
#define METRICS_COUNTER      uint64_t
#define METRICS_SPARSE       uint64_t
#define METRICS_REAL_COUNTER double
#define METRICS_GAUGE        double
#define METRICS_INFO         const char *
#define METRICS_STATE        const char *

#define METRICS_FIELD(type, field, ...)         METRICS_##type field;
#define METRICS_FIELDS(type, field, shape, ...) METRICS_##type field shape;
#define METRICS_HISTOGRAM(field, ...)           struct histogram field;
struct metrics {
    METRICS(METRICS_FIELD, METRICS_FIELDS, METRICS_HISTOGRAM)
};
#undef METRICS_FIELD
#undef METRICS_FIELDS
#undef METRICS_HISTOGRAM

/* Sets counters to 0, and all else to "not known" (NAN or NULL). */
void metrics_init(struct metrics *metrics);

/* Returns the word for what was full, as in the label `reason`. */
const char *metrics_pause_name(enum metrics_pause pause);

/* Returns the index of the resource in a dimension "kind". resource: NULL for a kind that is not recorded. */
size_t metrics_kind(const struct resource *resource);

/* Appends all series in Prometheus' text format 0.0.4. */
void metrics_expose(struct buffer *out, const struct metrics *metrics);

/* Appends the table of all metrics in docs/metrics.md. */
void metrics_markdown(struct buffer *out);

#endif
