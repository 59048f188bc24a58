/* status_facts: the facts that an answer is made of, measured once for each answer. */
#ifndef SIDECAR_STATUS_FACTS_H
#define SIDECAR_STATUS_FACTS_H

#include "lib/account/ledger.h"
#include "lib/base/buffer.h"
#include "lib/outbox/outbox.h"
#include "sidecar/http/status.h"
#include "sidecar/spool/spool_file.h"
#include "sidecar/store/store.h"

#include <stdbool.h>
#include <stdint.h>

struct status_facts {
    const struct status_parts *parts;
    const char *unready; /* NULL: it is ready */
    bool leads;          /* false: another sidecar takes the events in */
    int64_t started_us;  /* microseconds since 1970 */
    int64_t uptime_us;
    struct outbox_counts counts;
    struct ledger_rows rows[TABLE_COUNT];
    bool balanced;
    double oldest_seconds; /* 0: nothing waits */
    double outage_seconds; /* until the source is paused; INFINITY: nothing grows */
    bool source_paused;
    size_t streams;      /* of all sources */
    size_t source_count; /* 0: they are closed */
    struct source_state sources[SOURCE_MAX];

    /* Why a resource is not watched; NULL: it is, or its events are sent by others. */
    const char *unwatched[RESOURCE_COUNT];

    bool database_up;
    struct store_description store;

    /* If there is a spool. */
    bool spool_up;
    struct spool_usage spool;
};

/* Appends the answer of /status. */
void status_append_json(struct buffer *out, const struct status_facts *facts);

#endif
