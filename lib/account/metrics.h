/* metrics: what is counted and measured, and its text for Prometheus.
 *
 * One table makes struct metrics, the exposition and the list in docs/metrics.md. To add a metric: a line in METRICS,
 * and the place that counts it. Counting is adding to a field: no look-up, no lock, one thread.
 *
 * Counters that the ledger keeps, and gauges, are filled in before each exposition (sidecar/status);
 * all others are counted where they happen. */
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

#define METRICS_PREFIX "kubedl_shipper_"

/* The resources by their numbers, and behind them all kinds that are not recorded. */
#define METRICS_KINDS      (RESOURCE_COUNT + 1)
#define METRICS_KIND_OTHER RESOURCE_COUNT

/* what became of the mark of a snapshot */
#define METRICS_SWEEPS(X)                                                                          \
    X(DONE, "done")                                                                                \
    X(REFUSED, "refused")       /* the brake */                                                    \
    X(FAILED, "failed")         /* the database could not be asked: tried again */                 \
    X(INCOMPLETE, "incomplete") /* something of the snapshot could not be read */                  \
    X(INVALID, "invalid")       /* a mark without a resourceVersion */                             \
    X(NO_CLUSTER, "no_cluster") /* CLUSTER_ID is not set */

#define METRICS_PAUSES(X) X(OUTBOX, "outbox") X(SPOOL, "spool")

#define METRICS_ENUM(name, text) METRICS_SWEEP_##name,
enum metrics_sweep { METRICS_SWEEPS(METRICS_ENUM) METRICS_SWEEP_COUNT };
#undef METRICS_ENUM
#define METRICS_ENUM(name, text) METRICS_PAUSE_##name,
enum metrics_pause { METRICS_PAUSES(METRICS_ENUM) METRICS_PAUSE_COUNT };
#undef METRICS_ENUM

/* The columns of an info metric. */
enum metrics_database {
    METRICS_DATABASE_VERSION,
    METRICS_DATABASE_TLS,
    METRICS_DATABASE_CIPHER,
    METRICS_DATABASE_COUNT
};

/* clang-format off */
/* type, field, its shape, name, labels, what it is */
#define METRICS(X)                                                                                 \
    X(SPARSE, events, [WATCH_TYPE_COUNT][METRICS_KINDS]    [WATCH_FATE_COUNT],                     \
      METRICS_PREFIX "events_total", (LABEL_TYPE, LABEL_KIND, LABEL_API_GROUP, LABEL_FATE),        \
      "Documents of this process by event type, kind and fate; only combinations that have occurred") \
    X(COUNTER, documents, [WATCH_FATE_COUNT],                                                      \
      METRICS_PREFIX "documents_total", (LABEL_FATE),                                              \
      "Documents by their fate, since the spool was made")                                         \
    X(COUNTER, rows, [TABLE_COUNT][LEDGER_ROW_ACCOUNT_COUNT],                                      \
      METRICS_PREFIX "rows_total", (LABEL_TABLE, LABEL_ACCOUNT),                                   \
      "Rows by what became of them, since the spool was made")                                     \
    X(COUNTER, batches, ,                                                                          \
      METRICS_PREFIX "batches_total", (LABEL_NONE),                                                \
      "Transactions that were committed, since the spool was made")                                \
    X(COUNTER, batch_failures, ,                                                                   \
      METRICS_PREFIX "batch_failures_total", (LABEL_NONE),                                         \
      "Batches that failed at the database, since the spool was made")                             \
    X(HISTOGRAM, batch_rows, metrics_row_bounds,                                                   \
      METRICS_PREFIX "batch_rows", (LABEL_NONE),                                                   \
      "Rows in a batch that was committed")                                                        \
    X(HISTOGRAM, commit_us, metrics_commit_bounds,                                                 \
      METRICS_PREFIX "commit_seconds", (LABEL_NONE),                                               \
      "Time until a batch was committed, with all its retries")                                    \
    X(HISTOGRAM, lag_us, metrics_lag_bounds,                                                       \
      METRICS_PREFIX "event_to_commit_seconds", (LABEL_NONE),                                      \
      "Time from the arrival of an event to the commit of its row; where several were merged, from the oldest") \
    X(GAUGE, oldest_unwritten, ,                                                                   \
      METRICS_PREFIX "oldest_unwritten_seconds", (LABEL_NONE),                                     \
      "Age of the oldest row that is not written; 0 if there is none")                             \
    X(GAUGE, pending_rows, [TABLE_COUNT],                                                          \
      METRICS_PREFIX "pending_rows", (LABEL_TABLE),                                                \
      "Rows that are not written yet")                                                             \
    X(GAUGE, pending_limit_rows, ,                                                                 \
      METRICS_PREFIX "pending_limit_rows", (LABEL_NONE),                                           \
      "Rows that may wait before the source is paused (`OUTBOX_MAX_ROWS`)")                        \
    X(GAUGE, pending_bytes, ,                                                                      \
      METRICS_PREFIX "pending_bytes", (LABEL_NONE),                                                \
      "Memory of the rows that are not written yet")                                               \
    X(GAUGE, pending_limit_bytes, ,                                                                \
      METRICS_PREFIX "pending_limit_bytes", (LABEL_NONE),                                          \
      "Memory that these rows may take before the source is paused (`OUTBOX_MAX_BYTES`)")          \
    X(COUNTER, cut_columns, ,                                                                      \
      METRICS_PREFIX "cut_columns_total", (LABEL_NONE),                                            \
      "Texts that were longer than their column and were cut, since the spool was made")           \
    X(COUNTER, bad_quantities, ,                                                                   \
      METRICS_PREFIX "bad_quantities_total", (LABEL_NONE),                                         \
      "Resource quantities that do not parse and were left out, since the spool was made")         \
    X(COUNTER, bad_fields, ,                                                                       \
      METRICS_PREFIX "bad_fields_total", (LABEL_NONE),                                             \
      "Fields of a wrong type that were left out, since the spool was made")                       \
    X(COUNTER, cut_lines, ,                                                                        \
      METRICS_PREFIX "cut_lines_total", (LABEL_NONE),                                              \
      "Unfinished last lines of connections, since the spool was made")                            \
    X(GAUGE, ledger_balanced, ,                                                                    \
      METRICS_PREFIX "ledger_balanced", (LABEL_NONE),                                              \
      "1 if every document and row is accounted for; 0 is a defect")                               \
    X(GAUGE, leads, ,                                                                              \
      METRICS_PREFIX "leads", (LABEL_NONE),                                                        \
      "1 if this sidecar takes events in; 0 while it stands by for another one that does")         \
    X(GAUGE, source_up, ,                                                                          \
      METRICS_PREFIX "source_up", (LABEL_NONE),                                                    \
      "1 while at least one stream of events is connected, or the API server answers")             \
    X(STATE, unwatched, [RESOURCE_COUNT]   ,                                                       \
      METRICS_PREFIX "source_unwatched", (LABEL_KIND, LABEL_API_GROUP, LABEL_TROUBLE),             \
      "1 for each kind that is to be watched at the API server but is not watched now, with the reason") \
    X(GAUGE, source_paused, ,                                                                      \
      METRICS_PREFIX "source_paused", (LABEL_NONE),                                                \
      "1 while no events are taken in because the outbox or the spool is full")                    \
    X(COUNTER, source_connections, ,                                                               \
      METRICS_PREFIX "source_connections_total", (LABEL_NONE),                                     \
      "Streams of events that were opened")                                                        \
    X(COUNTER, source_evictions, ,                                                                 \
      METRICS_PREFIX "source_evictions_total", (LABEL_NONE),                                       \
      "Streams that were ended because they were silent and another producer needed the place")    \
    X(COUNTER, source_pauses, [METRICS_PAUSE_COUNT],                                               \
      METRICS_PREFIX "source_pauses_total", (LABEL_REASON),                                        \
      "Times that the source was paused, by what was full")                                        \
    X(GAUGE, database_up, ,                                                                        \
      METRICS_PREFIX "database_up", (LABEL_NONE),                                                  \
      "1 if the last answer of the database to each connection was good")                          \
    X(INFO, database, [METRICS_DATABASE_COUNT],                                                    \
      METRICS_PREFIX "database_info", (LABEL_VERSION, LABEL_TLS_VERSION, LABEL_TLS_CIPHER),        \
      "The database server that is connected; without TLS the last two labels are empty")          \
    X(COUNTER, database_connects, ,                                                                \
      METRICS_PREFIX "database_connects_total", (LABEL_NONE),                                      \
      "Connections to the database that were made")                                                \
    X(COUNTER, reconnects, [DBERROR_CLASS_COUNT],                                                  \
      METRICS_PREFIX "reconnects_total", (LABEL_CAUSE),                                            \
      "Connections that were made in place of one that was lost or given up, by the class of its error") \
    X(COUNTER, database_errors, [DBERROR_CLASS_COUNT],                                             \
      METRICS_PREFIX "database_errors_total", (LABEL_CLASS),                                       \
      "Errors that the database or its client library reported, also those that a retry has mended") \
    X(GAUGE, spool_up, ,                                                                           \
      METRICS_PREFIX "spool_up", (LABEL_NONE),                                                     \
      "1 if the spool is open and could be written when it last had to")                           \
    X(GAUGE, spool_bytes, ,                                                                        \
      METRICS_PREFIX "spool_bytes", (LABEL_NONE),                                                  \
      "Bytes in use in the spool")                                                                 \
    X(GAUGE, spool_limit_bytes, ,                                                                  \
      METRICS_PREFIX "spool_limit_bytes", (LABEL_NONE),                                            \
      "Bytes that the spool may use before the source is paused (`SPOOL_MAX_BYTES`)")              \
    X(GAUGE, spool_free_bytes, ,                                                                   \
      METRICS_PREFIX "spool_free_bytes", (LABEL_NONE),                                             \
      "Bytes that are free on the spool's disk")                                                   \
    X(GAUGE, outage_left, ,                                                                        \
      METRICS_PREFIX "spool_outage_seconds_left", (LABEL_NONE),                                    \
      "Time until the source is paused if the spool and the outbox go on growing as they do; +Inf " \
      "if they do not")                                                                            \
    X(GAUGE, spool_lost_records, ,                                                                 \
      METRICS_PREFIX "spool_lost_records", (LABEL_NONE),                                           \
      "Stored records that were missing when the spool was opened, since it was made")             \
    X(GAUGE, spool_lost_transactions, ,                                                            \
      METRICS_PREFIX "spool_lost_transactions", (LABEL_NONE),                                      \
      "Transactions that were missing when the spool was opened, since it was made")               \
    X(GAUGE, dead_letters, ,                                                                       \
      METRICS_PREFIX "dead_letters", (LABEL_NONE),                                                 \
      "Dead letters (refused rows) in the spool")                                                  \
    X(COUNTER, sweeps, [METRICS_SWEEP_COUNT],                                                      \
      METRICS_PREFIX "sweeps_total", (LABEL_RESULT),                                               \
      "Marks of snapshots by the result of their sweep")                                           \
    X(COUNTER, log_dropped, ,                                                                      \
      METRICS_PREFIX "log_dropped_total", (LABEL_NONE),                                            \
      "Log records that were dropped because nobody read standard error")                          \
    X(GAUGE, refused_rows, [RESOURCE_COUNT]   ,                                                    \
      METRICS_PREFIX "sweep_refused_rows", (LABEL_KIND, LABEL_API_GROUP),                          \
      "Rows that a refused sweep would close, until it is confirmed or no longer needed")          \
    X(COUNTER, versions_back, ,                                                                    \
      METRICS_PREFIX "versions_back_total", (LABEL_NONE),                                          \
      "Snapshots with a version below what was known, as after a restore of etcd")                 \
    X(INFO, build, [1],                                                                            \
      METRICS_PREFIX "build_info", (LABEL_VERSION),                                                \
      "The program that runs")                                                                     \
    X(REAL_COUNTER, cpu_seconds, ,                                                                 \
      "process_cpu_seconds_total", (LABEL_NONE),                                                   \
      "Processor time that was used")                                                              \
    X(GAUGE, resident_bytes, ,                                                                     \
      "process_resident_memory_bytes", (LABEL_NONE),                                               \
      "Memory in use")                                                                             \
    X(GAUGE, open_fds, ,                                                                           \
      "process_open_fds", (LABEL_NONE),                                                            \
      "Open file descriptors")                                                                     \
    X(GAUGE, max_fds, ,                                                                            \
      "process_max_fds", (LABEL_NONE),                                                             \
      "File descriptors that may be open")                                                         \
    X(GAUGE, start_time, ,                                                                         \
      "process_start_time_seconds", (LABEL_NONE),                                                  \
      "When the process started, in seconds since 1970")
/* clang-format on */

/* A gauge or counter of reals that is NAN, an info metric whose first text is NULL, and a state whose text
 * is NULL, are not known and are left out. */
#define METRICS_FIELD(type, field, shape, name, labels, help) METRICS_FIELD_##type(field, shape)
#define METRICS_FIELD_COUNTER(field, shape)                   uint64_t field shape;
#define METRICS_FIELD_SPARSE(field, shape)                    uint64_t field shape;
#define METRICS_FIELD_REAL_COUNTER(field, shape)              double field shape;
#define METRICS_FIELD_GAUGE(field, shape)                     double field shape;
#define METRICS_FIELD_INFO(field, shape)                      const char *field shape;
#define METRICS_FIELD_STATE(field, shape)                     const char *field shape;
#define METRICS_FIELD_HISTOGRAM(field, bounds)                struct histogram field;
struct metrics {
    METRICS(METRICS_FIELD)
};

/* Counters are 0, gauges and infos not known. */
void metrics_init(struct metrics *metrics);

const char *metrics_pause_name(enum metrics_pause pause);

/* For events[type][here][fate]. resource: NULL for all kinds that are not recorded. */
size_t metrics_kind(const struct resource *resource);

/* All of them in Prometheus' text format 0.0.4. */
void metrics_expose(struct buffer *out, const struct metrics *metrics);

/* For docs/metrics.md: a Markdown table. */
void metrics_markdown(struct buffer *out);

#endif
