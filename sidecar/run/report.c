/* report: writes the ledger's sums as records of the log. */
#include "sidecar/run/report.h"

#include "sidecar/base/clock.h"

#include <stdio.h>

/* Writes the states of all sources in the order of EVENT_SOURCE, such as "open,waiting". */
static void describe_sources(const struct parts *parts, char *text, size_t size)
{
    struct source_state state;
    size_t used = 0;
    (void)snprintf(text, size, "%s", parts->sources == NULL ? "closed" : "");
    for (size_t i = 0; parts->sources != NULL && sources_state(parts->sources, i, &state); i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i > 0 ? "," : "", state.name);
    if (parts->sources != NULL && intake_is_paused(parts->intake))
        (void)snprintf(text, size, "paused");
}

void report_ledger(const struct parts *parts, const char *message)
{
    const struct ledger *ledger = &parts->ledger;
    struct ledger_rows rows = ledger_all_rows(ledger, parts->outbox);
    int64_t oldest_us = outbox_oldest_us(parts->outbox);
    int64_t lag_us = oldest_us == INT64_MAX ? 0 : clock_now_us() - oldest_us;
    int64_t lag_ms = lag_us > 0 ? lag_us / 1000 : 0; /* the time of day may have been set back */
    char source[SOURCE_MAX * 16];
    describe_sources(parts, source, sizeof(source));
    const struct log_field fields[] = {
        log_int("received", (int64_t)ledger_received(ledger)),
        log_int("written", (int64_t)rows.written),
        log_int("superseded", (int64_t)rows.superseded),
        log_int("filtered", (int64_t)ledger_of_class(ledger, WATCH_CLASS_FILTERED)),
        log_int("invalid", (int64_t)ledger_of_class(ledger, WATCH_CLASS_INVALID)),
        log_int("dead_lettered", (int64_t)rows.dead_lettered),
        log_int("swept", (int64_t)rows.swept),
        log_int("unsaved", (int64_t)rows.unsaved),
        log_int("repeated", (int64_t)rows.repeated),
        log_int("quarantined", (int64_t)rows.quarantined),
        log_int("pending", (int64_t)rows.held),
        log_int("lag_ms", lag_ms),
        log_int("batches", (int64_t)ledger->batches),
        log_int("failures", (int64_t)ledger->failures),
        log_int("cut_lines", (int64_t)ledger->cut_lines),
        log_string("store", dispatch_is_healthy(parts->dispatch) ? "ok" : "failing"),
        log_string("source", source),
        log_string("balanced", ledger_balances(ledger, parts->outbox) ? "yes" : "no"),
        log_string("totals", parts->spool != NULL ? "since the spool was made"
                                                  : "since the process was started"),
    };
    logger_write_always(parts->logger, LOG_LEVEL_INFO, message, fields,
                        sizeof(fields) / sizeof(fields[0]));
}

void report_fates(const struct parts *parts)
{
    struct log_field fields[WATCH_FATE_COUNT];
    size_t count = 0;
    for (unsigned fate = 0; fate < WATCH_FATE_COUNT; fate++) {
        if (fate != WATCH_ROW && parts->ledger.fates[fate] > 0)
            fields[count++] = log_int(watch_fate_name(fate), (int64_t)parts->ledger.fates[fate]);
    }
    if (count > 0)
        logger_write(parts->logger, LOG_LEVEL_INFO, "documents not recorded, by reason", fields,
                     count);
}
