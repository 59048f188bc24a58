/* status_json: the answer of /status. */
#include "lib/base/timestamp.h"
#include "lib/json/json.h"
#include "lib/kube/snapshot.h"
#include "sidecar/http/status_facts.h"

#include <inttypes.h>
#include <math.h>

/* Members get their commas by this: true where one was written at the present level. */
struct writer {
    struct buffer *out;
    bool comma;
};

static void add_name(struct writer *writer, const char *name)
{
    buffer_append_string(writer->out, writer->comma ? "," : "");
    json_append_string(writer->out, text_from(name));
    buffer_append_char(writer->out, ':');
    writer->comma = true;
}

static void begin(struct writer *writer, const char *name)
{
    if (name != NULL)
        add_name(writer, name);
    buffer_append_char(writer->out, '{');
    writer->comma = false;
}

static void end(struct writer *writer)
{
    buffer_append_char(writer->out, '}');
    writer->comma = true;
}

static void add_text(struct writer *writer, const char *name, const char *value)
{
    add_name(writer, name);
    json_append_string(writer->out, text_from(value));
}

static void add_integer(struct writer *writer, const char *name, int64_t value)
{
    add_name(writer, name);
    buffer_appendf(writer->out, "%" PRId64, value);
}

static void add_bool(struct writer *writer, const char *name, bool value)
{
    add_name(writer, name);
    buffer_append_string(writer->out, value ? "true" : "false");
}

/* null where there is no such number. */
static void add_real(struct writer *writer, const char *name, double value)
{
    add_name(writer, name);
    if (isfinite(value))
        buffer_appendf(writer->out, "%.3f", value);
    else
        buffer_append_string(writer->out, "null");
}

/* null for 0. */
static void add_time(struct writer *writer, const char *name, int64_t us)
{
    char text[TIMESTAMP_TEXT_SIZE];
    add_name(writer, name);
    if (us != 0)
        json_append_string(writer->out, (struct text){text, timestamp_format(us, text)});
    else
        buffer_append_string(writer->out, "null");
}

static void add_unwatched(struct writer *writer, const struct status_facts *facts)
{
    add_name(writer, "unwatched");
    buffer_append_char(writer->out, '[');
    writer->comma = false;
    for (size_t i = 0; i < METRICS_MAX_KINDS; i++) {
        if (facts->unwatched[i] == NULL)
            continue;
        buffer_append_string(writer->out, writer->comma ? "," : "");
        begin(writer, NULL);
        add_text(writer, "kind", scope_kind(i));
        add_text(writer, "api_group", scope_group(i));
        add_text(writer, "reason", facts->unwatched[i]);
        end(writer);
    }
    buffer_append_char(writer->out, ']');
    writer->comma = true;
}

static void add_source(struct writer *writer, const struct status_facts *facts)
{
    begin(writer, "source");
    add_text(writer, "address", facts->parts->config->event_source);
    add_bool(writer, "leads", *facts->parts->leads);
    add_integer(writer, "streams", (int64_t)facts->streams);
    add_bool(writer, "paused", facts->source_paused);
    add_unwatched(writer, facts);
    end(writer);
}

static void add_database(struct writer *writer, const struct status_facts *facts)
{
    const struct store_description *store = &facts->store;
    begin(writer, "database");
    add_bool(writer, "up", facts->database_up);
    add_bool(writer, "connected", store->connected);
    add_text(writer, "host", store->host);
    add_integer(writer, "port", store->port);
    add_text(writer, "version", store->version);
    add_text(writer, "tls_version", store->tls_version);
    add_text(writer, "tls_cipher", store->tls_cipher);
    add_text(writer, "last_error", store->last_error);
    add_time(writer, "last_error_at", store->last_error_us);
    end(writer);
}

static void add_pending(struct writer *writer, const struct status_facts *facts)
{
    begin(writer, "pending");
    add_integer(writer, "rows", (int64_t)(facts->counts.pending + facts->counts.in_flight));
    add_integer(writer, "limit_rows", facts->parts->config->outbox_max_rows);
    add_integer(writer, "bytes", (int64_t)facts->counts.bytes);
    add_integer(writer, "limit_bytes", facts->parts->config->outbox_max_bytes);
    add_real(writer, "oldest_seconds", facts->oldest_seconds);
    end(writer);
}

static void add_spool(struct writer *writer, const struct status_facts *facts)
{
    if (facts->parts->spool == NULL) {
        add_name(writer, "spool");
        buffer_append_string(writer->out, "null");
        return;
    }
    begin(writer, "spool");
    add_text(writer, "directory", facts->parts->config->spool_dir);
    add_bool(writer, "up", facts->spool_up);
    add_integer(writer, "bytes", facts->spool.bytes);
    add_integer(writer, "limit_bytes", facts->parts->config->spool_max_bytes);
    add_integer(writer, "free_bytes", facts->spool.free_bytes);
    add_integer(writer, "dead_letters", facts->spool.state.dead_letters);
    end(writer);
}

static void add_documents(struct writer *writer, const struct ledger *ledger)
{
    begin(writer, "documents");
    for (unsigned fate = 0; fate < WATCH_FATE_COUNT; fate++)
        add_integer(writer, watch_fate_name((enum watch_fate)fate), (int64_t)ledger->fates[fate]);
    end(writer);
}

static void add_rows(struct writer *writer, const struct status_facts *facts)
{
    begin(writer, "rows");
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        begin(writer, tables[i]->name);
        for (size_t n = 0; n < LEDGER_ROW_ACCOUNT_COUNT; n++)
            add_integer(writer, ledger_row_account_name(n),
                        (int64_t)ledger_row_account(&facts->rows[i], n));
        end(writer);
    }
    end(writer);
}

static void add_ledger(struct writer *writer, const struct status_facts *facts)
{
    const struct ledger *ledger = facts->parts->ledger;
    begin(writer, "ledger");
    add_bool(writer, "balanced", facts->balanced);
    add_integer(writer, "received", (int64_t)ledger_received(ledger));
    add_documents(writer, ledger);
    add_rows(writer, facts);
#define COUNTER(counter, help) add_integer(writer, #counter, (int64_t)ledger->counter);
    LEDGER_COUNTERS(COUNTER)
#undef COUNTER
    end(writer);
}

void status_append_json(struct buffer *out, const struct status_facts *facts)
{
    struct writer writer = {.out = out};
    begin(&writer, NULL);
    add_text(&writer, "version", facts->parts->version);
    add_time(&writer, "started_at", facts->started_us);
    add_real(&writer, "uptime_seconds", (double)facts->uptime_us / 1e6);
    add_bool(&writer, "ready", facts->unready == NULL);
    add_text(&writer, "unready", facts->unready != NULL ? facts->unready : "");
    add_source(&writer, facts);
    add_database(&writer, facts);
    add_pending(&writer, facts);
    add_spool(&writer, facts);
    add_real(&writer, "outage_hours_left", facts->outage_seconds / 3600);
    add_ledger(&writer, facts);
    end(&writer);
    buffer_append_char(out, '\n');
}
