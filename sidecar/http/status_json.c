/* status_json: writes the answer of /status. */
#include "lib/json/write.h"
#include "lib/kube/kind.h"
#include "sidecar/http/status_facts.h"

static void add_source(struct json_writer *writer, const struct status_facts *facts)
{
    json_begin_object(writer, "source");
    json_write_string(writer, "address", facts->parts->config->event_source);
    json_write_bool(writer, "leads", facts->leads);
    json_write_integer(writer, "streams", (int64_t)facts->streams);
    json_write_bool(writer, "paused", facts->source_paused);
    json_begin_array(writer, "unwatched");
    for (size_t i = 0; i < RESOURCE_COUNT; i++) {
        if (facts->unwatched[i] == NULL)
            continue;
        json_begin_object(writer, NULL);
        json_write_string(writer, "kind", resource_table[i].kind);
        json_write_string(writer, "api_group", resource_table[i].group);
        json_write_string(writer, "reason", facts->unwatched[i]);
        json_end(writer);
    }
    json_end(writer);
    json_begin_array(writer, "sources");
    for (size_t i = 0; i < facts->source_count; i++) {
        const struct source_state *source = &facts->sources[i];
        json_begin_object(writer, NULL);
        json_write_string(writer, "address", source->address);
        json_write_string(writer, "state", source->name);
        json_write_integer(writer, "streams", (int64_t)source->streams);
        json_write_integer(writer, "opened", (int64_t)source->opened);
        json_end(writer);
    }
    json_end(writer);
    json_end(writer);
}

static void add_database(struct json_writer *writer, const struct status_facts *facts)
{
    const struct store_description *store = &facts->store;
    json_begin_object(writer, "database");
    json_write_bool(writer, "up", facts->database_up);
    json_write_bool(writer, "connected", store->connected);
    json_write_string(writer, "host", store->host);
    json_write_integer(writer, "port", store->port);
    json_write_string(writer, "version", store->version);
    json_write_string(writer, "tls_version", store->tls_version);
    json_write_string(writer, "tls_cipher", store->tls_cipher);
    json_write_string(writer, "last_error", store->last_error);
    if (store->last_error_us != 0)
        json_write_time(writer, "last_error_at", store->last_error_us);
    else
        json_write_null(writer, "last_error_at");
    json_end(writer);
}

static void add_pending(struct json_writer *writer, const struct status_facts *facts)
{
    json_begin_object(writer, "pending");
    json_write_integer(writer, "rows", (int64_t)(facts->counts.pending + facts->counts.in_flight));
    json_write_integer(writer, "limit_rows", facts->parts->config->outbox_max_rows);
    json_write_integer(writer, "bytes", (int64_t)facts->counts.bytes);
    json_write_integer(writer, "limit_bytes", facts->parts->config->outbox_max_bytes);
    json_write_real(writer, "oldest_seconds", facts->oldest_seconds);
    json_end(writer);
}

static void add_spool(struct json_writer *writer, const struct status_facts *facts)
{
    if (facts->parts->spool == NULL) {
        json_write_null(writer, "spool");
        return;
    }
    json_begin_object(writer, "spool");
    json_write_string(writer, "directory", facts->parts->config->spool_dir);
    json_write_bool(writer, "up", facts->spool_up);
    json_write_integer(writer, "bytes", facts->spool.bytes);
    json_write_integer(writer, "limit_bytes", facts->parts->config->spool_max_bytes);
    json_write_integer(writer, "free_bytes", facts->spool.free_bytes);
    json_write_integer(writer, "dead_letters", facts->spool.state.dead_letters);
    json_end(writer);
}

static void add_ledger(struct json_writer *writer, const struct status_facts *facts)
{
    const struct ledger *ledger = facts->parts->ledger;
    json_begin_object(writer, "ledger");
    json_write_bool(writer, "balanced", facts->balanced);
    json_write_integer(writer, "received", (int64_t)ledger_received(ledger));
    json_begin_object(writer, "documents");
    for (unsigned fate = 0; fate < WATCH_FATE_COUNT; fate++)
        json_write_integer(writer, watch_fate_name((enum watch_fate)fate),
                           (int64_t)ledger->fates[fate]);
    json_end(writer);
    json_begin_object(writer, "rows");
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        json_begin_object(writer, tables[i]->name);
        for (size_t n = 0; n < LEDGER_ROW_ACCOUNT_COUNT; n++)
            json_write_integer(writer, ledger_row_account_name(n),
                               (int64_t)ledger_row_account(&facts->rows[i], n));
        json_end(writer);
    }
    json_end(writer);
#define COUNTER(counter, help) json_write_integer(writer, #counter, (int64_t)ledger->counter);
    LEDGER_COUNTERS(COUNTER)
#undef COUNTER
    json_end(writer);
}

void status_append_json(struct buffer *out, const struct status_facts *facts)
{
    struct json_writer writer = json_writer(out);
    json_begin_object(&writer, NULL);
    json_write_string(&writer, "version", facts->parts->version);
    json_write_time(&writer, "started_at", facts->started_us);
    json_write_real(&writer, "uptime_seconds", (double)facts->uptime_us / 1e6);
    json_write_bool(&writer, "ready", facts->unready == NULL);
    json_write_string(&writer, "unready", facts->unready != NULL ? facts->unready : "");
    add_source(&writer, facts);
    add_database(&writer, facts);
    add_pending(&writer, facts);
    add_spool(&writer, facts);
    json_write_real(&writer, "outage_hours_left", facts->outage_seconds / 3600);
    add_ledger(&writer, facts);
    json_end(&writer);
    buffer_append_char(out, '\n');
}
