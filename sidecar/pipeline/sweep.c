/* sweep: what happens at the end of a snapshot.
 *
 * Happy path: the mark of a kind comes; once all rows that came before it are written, the database is
 * asked which objects of this cluster and kind it holds as alive; those that the snapshot did not show
 * are counted, and get a tombstone, which goes the way of every row.
 *
 * The answer may name very many objects: it is worked through in pieces, one a tick, so that the loop
 * turns meanwhile. What events say between two pieces counts: an object may be shown or deleted.
 *
 * Failure modes:
 *   no CLUSTER_ID                       nothing is swept, since another cluster's rows could be meant;
 *                                       said once
 *   a document could not be read        the windows of its connection close: the snapshot is not whole
 *   more than half of many rows would   the brake: nothing is swept, said with the numbers
 *   be closed
 *   the database can't be asked         again after a while; a newer mark takes its place
 *   a late event of a swept object      its version is higher than the tombstone's: the row revives
 *   the outbox is full                  tombstones wait until there is room
 *   a newer mark comes meanwhile        it takes the place of the older one
 *   the process ends in the middle      what is left is done within the grace, else after the next
 *                                       snapshot
 */
#include "sidecar/pipeline/sweep.h"

#include "lib/kube/snapshot.h"
#include "sidecar/base/clock.h"

#include <stdlib.h>

#define MAX_SCOPES    64
#define LISTING_LIMIT (256U << 20) /* bytes of uids: some millions */

#define RETRY_US 10000000 /* after a question that failed */

/* The brake: a sweep of more than this many live rows must leave at least half of them. */
#define BRAKE_FROM 20

/* What is done in one piece, and what a tombstone costs where a look at an object costs 1: some
 * milliseconds in all. */
#define PIECE          5000
#define TOMBSTONE_COST 10

/* A mark whose sweep is still to be made. */
struct mark {
    bool waits;
    uint64_t since;    /* for snapshot_is_present() */
    int64_t marked_us; /* rows that came before are to be written first */
    char version[34];  /* the mark's resourceVersion */
};

enum stage { /* in their order */
             STAGE_IDLE,
             STAGE_ASKING,   /* the database, what is alive */
             STAGE_COUNTING, /* what has vanished, for the brake */
             STAGE_CLOSING,
};

struct sweep {
    struct sweep_settings settings;
    struct snapshot *snapshot;
    struct mark marks[MAX_SCOPES];
    bool ending;       /* what fails now is not tried again */
    int64_t resume_us; /* no question before this moment: the last one failed */
    enum stage stage;
    size_t scope; /* that is swept; this and what follows: from STAGE_ASKING on */
    struct mark mark;
    struct store_listing listing;
    struct text rest; /* of listing.uids: still to be looked at in this stage */
    size_t vanished;
    size_t closed;
    bool said_no_cluster;
};

enum error_code sweep_new(const struct sweep_settings *settings, struct sweep **result,
                          struct error *err)
{
    struct sweep *sweep = calloc(1, sizeof(*sweep));
    if (sweep == NULL)
        return error_set(err, ERROR_NOMEM, "no memory for sweeps");
    sweep->settings = *settings;
    buffer_init(&sweep->listing.uids, LISTING_LIMIT);
    enum error_code code = snapshot_new(&sweep->snapshot, err);
    if (code != ERROR_NONE) {
        free(sweep);
        return code;
    }
    *result = sweep;
    return ERROR_NONE;
}

void sweep_free(struct sweep *sweep)
{
    if (sweep == NULL)
        return;
    snapshot_free(sweep->snapshot);
    buffer_fini(&sweep->listing.uids);
    free(sweep);
}

void sweep_set_cluster(struct sweep *sweep, const char *cluster_id)
{
    sweep->settings.cluster_id = cluster_id;
}

void sweep_opened(struct sweep *sweep, uint64_t connection)
{
    snapshot_opened(sweep->snapshot, connection);
}

void sweep_closed(struct sweep *sweep, uint64_t connection)
{
    snapshot_closed(sweep->snapshot, connection);
}

static void finish(struct sweep *sweep)
{
    sweep->stage = STAGE_IDLE;
    buffer_fini(&sweep->listing.uids);
    buffer_init(&sweep->listing.uids, LISTING_LIMIT);
}

static void count(struct sweep *sweep, enum metrics_sweep result)
{
    sweep->settings.metrics->sweeps[result]++;
}

static void note_mark(struct sweep *sweep, uint64_t connection, size_t scope,
                      const struct watch_result *result, int64_t now_us)
{
    struct text version = text_from(result->version);
    uint64_t since;
    if (!version_is_valid(version) || text_is(version, "0")) {
        count(sweep, METRICS_SWEEP_INVALID);
        LOG(sweep->settings.logger, WARN,
            "a mark without a valid resourceVersion: nothing is swept",
            log_string("kind", result->kind), log_string("api_version", result->api_version),
            log_string("version", result->version));
        return;
    }
    if (!snapshot_mark(sweep->snapshot, connection, scope, &since)) {
        count(sweep, METRICS_SWEEP_INCOMPLETE);
        LOG(sweep->settings.logger, WARN, "the snapshot is not whole: nothing is swept",
            log_string("kind", result->kind), log_string("api_version", result->api_version));
        return;
    }
    /* What the newer snapshot did not show is forgotten: the older one could not tell it from vanished. */
    if (sweep->scope == scope && sweep->stage > STAGE_ASKING)
        finish(sweep);
    struct mark *mark = &sweep->marks[scope];
    *mark = (struct mark){.waits = true, .since = since, .marked_us = now_us};
    memcpy(mark->version, result->version, sizeof(mark->version));
}

static bool is_gone(const struct row *row)
{
    return row != NULL && row->cells[row->table->deleted].integer != 0;
}

/* What was not understood may have shown an object; if it is not known which one, no sweep may follow. */
static void note_object(struct sweep *sweep, uint64_t connection, size_t scope,
                        const struct watch_result *result)
{
    struct text uid = text_from(result->uid);
    if (scope == SCOPE_NONE || uid.length == 0)
        snapshot_lost(sweep->snapshot, connection);
    else if (is_gone(result->row))
        snapshot_gone(sweep->snapshot, scope, uid);
    else
        snapshot_seen(sweep->snapshot, scope, uid);
}

/* Without a name for the cluster another one's rows could be swept: nothing is kept track of. */
static bool has_cluster(struct sweep *sweep, const struct watch_result *result)
{
    if (sweep->settings.cluster_id[0] != '\0')
        return true;
    if (result->initial_events_end)
        count(sweep, METRICS_SWEEP_NO_CLUSTER);
    if (result->initial_events_end && !sweep->said_no_cluster) {
        sweep->said_no_cluster = true;
        LOG(sweep->settings.logger, WARN,
            "no CLUSTER_ID: objects that vanished while nobody watched are not closed",
            log_string("kind", result->kind));
    }
    return false;
}

void sweep_document(struct sweep *sweep, uint64_t connection, const struct watch_result *result,
                    int64_t now_us)
{
    size_t scope = scope_find(result->api_version, result->kind);
    if (!has_cluster(sweep, result))
        return;
    if (result->fate == WATCH_BOOKMARK) {
        if (result->initial_events_end && scope != SCOPE_NONE)
            note_mark(sweep, connection, scope, result, now_us);
    } else if (result->fate == WATCH_ERROR_EVENT) {
        snapshot_error(sweep->snapshot, connection);
    } else if (result->fate == WATCH_ROW || result->fate == WATCH_ORPHAN_POD ||
               watch_fate_class(result->fate) == WATCH_CLASS_INVALID) {
        note_object(sweep, connection, scope, result);
    }
}

static bool put_tombstone(struct sweep *sweep, struct text uid)
{
    const struct table *table = sweep->listing.table;
    struct row *row;
    struct error err;
    if (row_new_tombstone(table, uid, text_from(sweep->mark.version), clock_now_us(), &row, &err) !=
        ERROR_NONE)
        return false;
    if (outbox_put(sweep->settings.outbox, row, &err) != ERROR_NONE) {
        row_free(row);
        return false;
    }
    sweep->settings.ledger->rows[table_number(table)].swept++;
    return true;
}

/* Takes the next line off *rest. */
static bool next_uid(struct text *rest, struct text *uid)
{
    if (rest->length == 0)
        return false;
    const char *end = memchr(rest->data, '\n', rest->length);
    if (end == NULL)
        return false;
    *uid = (struct text){rest->data, (size_t)(end - rest->data)};
    *rest = (struct text){end + 1, rest->length - uid->length - 1};
    return true;
}

static bool has_vanished(const struct sweep *sweep, struct text uid)
{
    return !snapshot_is_present(sweep->snapshot, sweep->scope, uid, sweep->mark.since);
}

/* A newer mark of the same scope takes the place of the one that could not be swept. */
static void ask_again_later(struct sweep *sweep)
{
    struct mark *mark = &sweep->marks[sweep->scope];
    count(sweep, METRICS_SWEEP_FAILED);
    if (sweep->ending) {
        LOG(sweep->settings.logger, WARN, "a snapshot was not swept: the store could not be asked",
            log_string("kind", scope_kind(sweep->scope)),
            log_string("api_group", scope_group(sweep->scope)));
        return;
    }
    if (!mark->waits)
        *mark = sweep->mark;
    mark->waits = true;
    sweep->resume_us = clock_steady_us() + RETRY_US;
}

static void enter(struct sweep *sweep, enum stage stage)
{
    sweep->stage = stage;
    sweep->rest = buffer_text(&sweep->listing.uids);
}

/* True if the brake holds. */
static bool brake(struct sweep *sweep)
{
    size_t alive = sweep->listing.count;
    if (alive <= BRAKE_FROM || sweep->vanished <= alive / 2)
        return false;
    count(sweep, METRICS_SWEEP_REFUSED);
    LOG(sweep->settings.logger, ERROR,
        "sweep refused: it would close more than half of the live rows; if the snapshot is right, "
        "close them by hand",
        log_string("kind", scope_kind(sweep->scope)),
        log_string("api_group", scope_group(sweep->scope)), log_int("alive", (int64_t)alive),
        log_int("vanished", (int64_t)sweep->vanished));
    return true;
}

static void count_piece(struct sweep *sweep)
{
    struct text uid;
    for (size_t cost = 0; cost < PIECE && next_uid(&sweep->rest, &uid); cost++)
        sweep->vanished += has_vanished(sweep, uid);
    if (sweep->rest.length > 0)
        return;
    if (brake(sweep))
        finish(sweep);
    else
        enter(sweep, STAGE_CLOSING);
}

static void close_piece(struct sweep *sweep)
{
    struct text uid;
    if (outbox_is_full(sweep->settings.outbox))
        return;
    for (size_t cost = 0; cost < PIECE && next_uid(&sweep->rest, &uid); cost++) {
        if (!has_vanished(sweep, uid))
            continue;
        cost += TOMBSTONE_COST;
        sweep->closed += put_tombstone(sweep, uid);
    }
    dispatch_wake(sweep->settings.dispatch);
    if (sweep->rest.length > 0)
        return;
    count(sweep, METRICS_SWEEP_DONE);
    LOG(sweep->settings.logger, INFO, "swept", log_string("kind", scope_kind(sweep->scope)),
        log_string("api_group", scope_group(sweep->scope)),
        log_int("alive", (int64_t)sweep->listing.count),
        log_int("vanished", (int64_t)sweep->vanished), log_int("closed", (int64_t)sweep->closed));
    finish(sweep);
}

static void on_answered(void *context, bool ok)
{
    struct sweep *sweep = context;
    if (!ok) {
        ask_again_later(sweep);
        finish(sweep);
        return;
    }
    sweep->vanished = 0;
    sweep->closed = 0;
    enter(sweep, STAGE_COUNTING);
    count_piece(sweep);
}

static void ask(struct sweep *sweep, size_t scope)
{
    struct scope what = scope_at(scope);
    sweep->stage = STAGE_ASKING;
    sweep->scope = scope;
    sweep->mark = sweep->marks[scope];
    sweep->marks[scope].waits = false;
    sweep->listing.table = what.table;
    sweep->listing.kind = what.kind;
    sweep->listing.cluster = sweep->settings.cluster_id;
    sweep->listing.namespace = sweep->settings.namespace;
    dispatch_list(sweep->settings.dispatch, &sweep->listing, on_answered, sweep);
}

static size_t next_mark(const struct sweep *sweep)
{
    for (size_t scope = 0; scope < scope_count(); scope++) {
        if (sweep->marks[scope].waits)
            return scope;
    }
    return SCOPE_NONE;
}

/* Begins with the next mark, if it is time. */
static void begin(struct sweep *sweep)
{
    size_t scope = next_mark(sweep);
    if (scope == SCOPE_NONE || clock_steady_us() < sweep->resume_us)
        return;
    if (!outbox_holds_from(sweep->settings.outbox, sweep->marks[scope].marked_us))
        ask(sweep, scope);
}

void sweep_tick(struct sweep *sweep)
{
    switch (sweep->stage) {
    case STAGE_IDLE:
        begin(sweep);
        break;
    case STAGE_ASKING:
        break;
    case STAGE_COUNTING:
        count_piece(sweep);
        break;
    case STAGE_CLOSING:
        close_piece(sweep);
        break;
    }
}

void sweep_end(struct sweep *sweep)
{
    sweep->ending = true;
    sweep->resume_us = 0;
}

bool sweep_is_idle(const struct sweep *sweep)
{
    return sweep->stage == STAGE_IDLE && next_mark(sweep) == SCOPE_NONE;
}
