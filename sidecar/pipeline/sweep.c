/* sweep: what happens at the end of a snapshot.
 *
 * Happy path: the mark of a kind comes. Like a row it holds its epoch, so that neither it nor a document
 * after it is acknowledged before its tombstones are safe. The database is asked which objects of this
 * cluster and kind it holds as alive. Those that the snapshot did not show are counted, and each gets a
 * tombstone, which is put into the outbox like any row, and holds the mark's epoch in its place.
 *
 * A row of an object that the snapshot did not show may still wait in the outbox, so that the database does
 * not hold the object as alive yet. The sweep begins once no such row is left.
 *
 * The answer may name very many objects. It is worked through in pieces, one for each tick, so that the loop
 * is not held up. An event between two pieces counts: its object may be shown or deleted.
 *
 * Failure modes:
 *   no CLUSTER_ID                       nothing is swept, since it could be another cluster's rows; this is
 *                                       logged once
 *   a document could not be read        the windows of its connection close: the snapshot is not whole
 *   more than half of many live rows    the brake: the sweep is refused. This is logged with the numbers, and
 *   would be closed                     noted in the spool with the objects; the sweep is tried again each
 *                                       minute. The next snapshot, or a person (the command sweep), decides
 *   the database can't be asked         it is asked again after a while
 *   a late event of a swept object      its version is higher than the tombstone's: the row revives
 *   the mark's version is below one     the server was restored from a backup: versions that come from then
 *   that was reached before             on are of a later timeline, and so are the tombstones
 *   the outbox is full                  tombstones wait until there is room
 *   a newer mark comes meanwhile        it replaces the older one
 *   a mark of a source that lags comes  it is left out, since the newer one says the same of more objects
 *   meanwhile
 *   the process ends in the middle      what is left is done within the grace period; if that is too short,
 *                                       the mark was not acknowledged, and the snapshot is shown again
 */
#include "sidecar/pipeline/sweep_private.h"

#include "lib/base/invariant.h"
#include "lib/base/memory.h"
#include "sidecar/base/clock.h"

#include <stdlib.h>

/* The brake: a sweep of more than this many live rows must leave at least half of them. Other rows do not
 * count: objects that have ended by themselves are cleaned up in large numbers, and nothing is lost by closing
 * their rows. */
#define BRAKE_FROM 20

/* The cost of one piece, which takes some milliseconds: to look at an object costs 1, a tombstone costs
 * TOMBSTONE_COST more. */
#define PIECE          5000
#define TOMBSTONE_COST 10

struct sweep *sweep_new(const struct sweep_settings *settings)
{
    struct sweep *sweep = memory_new(sizeof(*sweep));
    sweep->settings = *settings;
    TAILQ_INIT(&sweep->marks);
    buffer_init(&sweep->listing.uids, SWEEP_LISTING_LIMIT);
    sweep->snapshot = snapshot_new();
    return sweep;
}

void sweep_free(struct sweep *sweep)
{
    if (sweep == NULL)
        return;
    for (struct mark *mark; (mark = TAILQ_FIRST(&sweep->marks)) != NULL;) {
        TAILQ_REMOVE(&sweep->marks, mark, entry);
        sweep_free_mark(mark);
    }
    snapshot_free(sweep->snapshot);
    buffer_fini(&sweep->listing.uids);
    free(sweep);
}

void sweep_set_cluster(struct sweep *sweep, const char *cluster_id)
{
    sweep->settings.cluster_id = cluster_id;
    snapshot_named(sweep->snapshot);
    sweep_restore_versions(sweep);
}

/* For each stage, the stages that may follow it. */
static const bool moves[SWEEP_STAGE_COUNT][SWEEP_STAGE_COUNT] = {
    [SWEEP_IDLE] = {[SWEEP_ASKING] = true},
    [SWEEP_ASKING] = {[SWEEP_COUNTING] = true, [SWEEP_IDLE] = true},
    [SWEEP_COUNTING] = {[SWEEP_CLOSING] = true, [SWEEP_IDLE] = true},
    [SWEEP_CLOSING] = {[SWEEP_IDLE] = true},
};

/* Each stage looks at the answer from its beginning. At the end of the sweep the answer is freed. */
void sweep_move(struct sweep *sweep, enum sweep_stage stage)
{
    invariant(moves[sweep->stage][stage]);
    sweep->stage = stage;
    if (stage == SWEEP_IDLE) {
        sweep->mark = NULL;
        sweep->replaced = false;
        buffer_fini(&sweep->listing.uids);
        buffer_init(&sweep->listing.uids, SWEEP_LISTING_LIMIT);
    }
    sweep->rest = buffer_text(&sweep->listing.uids);
}

/* Takes the text before the next `end` off *rest, and that character; all of *rest if there is none. */
static struct text take_until(struct text *rest, char end)
{
    const char *at = memchr(rest->data, end, rest->length);
    size_t length = at != NULL ? (size_t)(at - rest->data) : rest->length;
    struct text taken = {rest->data, length};
    *rest = text_skip(*rest, at != NULL ? length + 1 : length);
    return taken;
}

bool sweep_next_line(struct text *rest, struct sweep_line *line)
{
    if (rest->length == 0)
        return false;
    line->uid = take_until(rest, '\t');
    line->version = take_until(rest, '\t');
    line->is_final = text_is(take_until(rest, '\n'), "1");
    return true;
}

/* True if the object of the line is to be closed: it was not shown since the mark's snapshot began, and its
 * row is older than the mark, if that has a version. A sweep that was refused closes only the objects that it
 * would have closed then. */
bool sweep_has_vanished(const struct sweep *sweep, const struct sweep_line *line)
{
    const struct mark *mark = sweep->mark;
    if (mark->version[0] != '\0' && version_compare(line->version, text_from(mark->version)) >= 0)
        return false;
    if (mark->refused != NULL && !suspects_have(mark->refused, line->uid))
        return false;
    return !snapshot_is_present(sweep->snapshot, mark->resource, line->uid, mark->since);
}

void sweep_ask_later(struct sweep *sweep)
{
    struct mark *mark = sweep->mark;
    sweep_count(sweep, METRICS_SWEEP_FAILED);
    if (sweep->ending)
        LOG(sweep->settings.logger, WARN, "a snapshot was not swept: the store could not be asked",
            log_string("kind", resource_table[mark->resource].kind),
            log_string("api_group", resource_table[mark->resource].group));
    mark->due_us = sweep->ending ? SWEEP_NEVER : clock_steady_us() + SWEEP_RETRY_US;
    sweep_move(sweep, SWEEP_IDLE);
}

static bool put_tombstone(struct sweep *sweep, const struct sweep_line *line)
{
    const struct mark *mark = sweep->mark;
    const struct table *table = sweep->listing.resource->table;
    char above[TIMELINE_VERSION_SIZE];
    struct text version = text_from(mark->version);
    struct row *row;
    struct error err;
    if (version.length == 0) {
        timeline_above(line->version, above);
        version = text_from(above);
    }
    if (row_new_tombstone(table, line->uid, version, clock_now_us(), &row, &err) != ERROR_NONE)
        return false;
    enum error_code code = mark->epoch != 0
                               ? outbox_put_in_epoch(sweep->settings.outbox, row, mark->epoch, &err)
                               : outbox_put(sweep->settings.outbox, row, &err);
    if (code != ERROR_NONE) {
        row_free(row);
        return false;
    }
    sweep->settings.ledger->rows[table_number(table)].swept++;
    return true;
}

/* Notes the latest timeline of a row, and the newest version in it that the stream has not shown. */
static void count_newest(struct sweep *sweep, const struct sweep_line *line)
{
    struct census *census = &sweep->census;
    struct text version;
    unsigned timeline = timeline_read(line->version, &version);
    uint64_t number = server_version(version);
    if (timeline > census->timeline) {
        census->timeline = timeline;
        census->newest = 0;
    }
    if (timeline == census->timeline && number > census->newest &&
        number > snapshot_version(sweep->snapshot, sweep->mark->resource, line->uid))
        census->newest = number;
}

static void count_piece(struct sweep *sweep)
{
    struct census *census = &sweep->census;
    struct sweep_line line;
    for (size_t cost = 0; cost < PIECE && sweep_next_line(&sweep->rest, &line); cost++) {
        bool vanished = sweep_has_vanished(sweep, &line);
        count_newest(sweep, &line);
        census->alive++;
        census->vanished += vanished;
        census->live += !line.is_final;
        census->live_vanished += vanished && !line.is_final;
    }
    if (sweep->rest.length > 0 || sweep_look_back(sweep))
        return;
    if (census->live > BRAKE_FROM && census->live_vanished > census->live / 2)
        sweep_refuse(sweep);
    else
        sweep_move(sweep, SWEEP_CLOSING);
}

static void close_piece(struct sweep *sweep)
{
    struct sweep_line line;
    if (outbox_is_full(sweep->settings.outbox))
        return;
    for (size_t cost = 0; cost < PIECE && sweep_next_line(&sweep->rest, &line); cost++) {
        if (!sweep_has_vanished(sweep, &line))
            continue;
        cost += TOMBSTONE_COST;
        if (!put_tombstone(sweep, &line)) {
            sweep_ask_later(sweep);
            return;
        }
        sweep->census.closed++;
    }
    dispatch_wake(sweep->settings.dispatch);
    if (sweep->rest.length > 0)
        return;
    struct mark *mark = sweep->mark;
    const struct census *census = &sweep->census;
    if (census->alive > 0 || mark->version[0] != '\0') {
        sweep_count(sweep, METRICS_SWEEP_DONE);
        LOG(sweep->settings.logger, INFO, "swept",
            log_string("kind", resource_table[mark->resource].kind),
            log_string("api_group", resource_table[mark->resource].group),
            log_string("namespace", mark->namespace), log_int("alive", (int64_t)census->alive),
            log_int("vanished", (int64_t)census->vanished),
            log_int("closed", (int64_t)census->closed));
    }
    sweep_move(sweep, SWEEP_IDLE);
    sweep_drop_mark(sweep, mark);
}

static void on_answered(void *context, bool ok)
{
    struct sweep *sweep = context;
    if (sweep->replaced) { /* rows that the newer mark has to wait for may be in the outbox */
        sweep_move(sweep, SWEEP_IDLE);
        return;
    }
    if (!ok) {
        sweep_ask_later(sweep);
        return;
    }
    sweep->census = (struct census){0};
    sweep_move(sweep, SWEEP_COUNTING);
    count_piece(sweep);
}

static bool cell_is(const struct row *row, size_t column, const char *text)
{
    const struct cell *cell = &row->cells[column];
    return cell->type == CELL_TEXT && text_is(cell_as_text(cell), text);
}

struct wait {
    const struct sweep *sweep;
    const struct mark *mark;
};

/* True if the row is of the mark's resource and cluster, keeps its object alive, and its object was not shown
 * by the snapshot. */
static bool is_to_be_swept(void *context, const struct row *row)
{
    const struct wait *wait = context;
    const struct table *table = row->table;
    const struct resource *resource = &resource_table[wait->mark->resource];
    const char *namespace = wait->mark->namespace;
    return row->mode == ROW_UPSERT && !sweep_row_is_gone(row) &&
           cell_is(row, table->cluster, wait->sweep->settings.cluster_id) &&
           (table->kind == TABLE_NO_COLUMN || (cell_is(row, table->kind, resource->kind) &&
                                               cell_is(row, table->group, resource->group))) &&
           (namespace[0] == '\0' || cell_is(row, table->namespace, namespace)) &&
           !snapshot_is_present(wait->sweep->snapshot, wait->mark->resource, row_uid(row),
                                wait->mark->since);
}

/* Begins the sweep of the first mark that is due, and for which no row in the outbox has to be waited for. */
static void begin(struct sweep *sweep)
{
    struct mark *mark;
    int64_t now_us = clock_steady_us();
    if (sweep->settings.cluster_id[0] == '\0')
        return;
    TAILQ_FOREACH(mark, &sweep->marks, entry)
    {
        struct wait wait = {sweep, mark};
        if (mark->due_us > now_us && (mark->due_us == SWEEP_NEVER || !sweep->ending))
            continue;
        if (outbox_holds(sweep->settings.outbox, resource_table[mark->resource].table,
                         is_to_be_swept, &wait))
            continue;
        sweep_move(sweep, SWEEP_ASKING);
        sweep->mark = mark;
        sweep->listing.resource = &resource_table[mark->resource];
        sweep->listing.cluster = sweep->settings.cluster_id;
        sweep->listing.namespace = mark->namespace;
        dispatch_list(sweep->settings.dispatch, &sweep->listing, on_answered, sweep);
        return;
    }
}

void sweep_tick(struct sweep *sweep)
{
    sweep_look_at_notes(sweep);
    sweep_note_versions(sweep);
    switch (sweep->stage) {
    case SWEEP_IDLE:
        begin(sweep);
        break;
    case SWEEP_COUNTING:
        count_piece(sweep);
        break;
    case SWEEP_CLOSING:
        close_piece(sweep);
        break;
    case SWEEP_ASKING: /* on_answered() goes on */
    case SWEEP_STAGE_COUNT:
        break;
    }
}

/* Sweeps that were refused are not tried again while the process ends: the next process does so. */
void sweep_end(struct sweep *sweep)
{
    struct mark *mark;
    sweep->ending = true;
    TAILQ_FOREACH(mark, &sweep->marks, entry)
    {
        if (mark->refused != NULL)
            mark->due_us = SWEEP_NEVER;
    }
}

bool sweep_is_idle(const struct sweep *sweep)
{
    const struct mark *mark;
    TAILQ_FOREACH(mark, &sweep->marks, entry)
    {
        if (mark->due_us != SWEEP_NEVER && mark->refused == NULL)
            return false;
    }
    return sweep->stage == SWEEP_IDLE;
}
