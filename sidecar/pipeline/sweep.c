/* sweep: what happens at the end of a snapshot.
 *
 * Happy path: the mark of a kind comes. It is held as a row is: neither it nor what came after it is
 * acknowledged before what it closes is safe. The database is asked which objects of this cluster and
 * kind it holds as alive; those that the snapshot did not show are counted, and get a tombstone, which
 * goes the way of every row, and holds in the mark's place.
 *
 * A row that the snapshot did not show may still be on its way to the database, which then does not know
 * it as alive yet: such rows are waited for.
 *
 * The answer may name very many objects: it is worked through in pieces, one a tick, so that the loop
 * turns meanwhile. What events say between two pieces counts: an object may be shown or deleted.
 *
 * Failure modes:
 *   no CLUSTER_ID                       nothing is swept, since another cluster's rows could be meant;
 *                                       said once
 *   a document could not be read        the windows of its connection close: the snapshot is not whole
 *   more than half of many live rows    the brake: the sweep is refused, said with the numbers, noted in
 *   would be closed                     the spool with what it would close, and tried again now and then;
 *                                       the next snapshot, or a person (the command sweep), decides
 *   the database can't be asked         again after a while; a newer mark takes its place
 *   a late event of a swept object      its version is higher than the tombstone's: the row revives
 *   the mark's version is below what    the server was restored from a backup: what comes from now on is
 *   had been reached before             of a later epoch, and so are the tombstones
 *   the outbox is full                  tombstones wait until there is room
 *   a newer mark comes meanwhile        it takes the place of the older one
 *   the process ends in the middle      what is left is done within the grace; else the mark was never
 *                                       acknowledged, and the snapshot is shown again
 */
#include "sidecar/pipeline/sweep.h"

#include "lib/kube/snapshot.h"
#include "lib/kube/suspects.h"
#include "lib/rows/epoch.h"
#include "sidecar/base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#define LISTING_LIMIT (256U << 20) /* bytes of uids and versions: some millions */
#define NOTE_SIZE     128

#define RETRY_US   10000000 /* after a question that failed */
#define REFUSED_US 60000000 /* after a sweep that was refused: a person may have confirmed it */
#define NEVER      INT64_MAX

/* Marks that a producer may send again, since they were not acknowledged. */
#define MARKS_KNOWN 8

/* The brake: a sweep of more than this many live rows must leave at least half of them. */
#define BRAKE_FROM 20

/* What is done in one piece, and what a tombstone costs where a look at an object costs 1: some
 * milliseconds in all. */
#define PIECE          5000
#define TOMBSTONE_COST 10

/* A mark whose sweep is still to be made. Of one resource and namespace there is one. */
struct mark {
    TAILQ_ENTRY(mark) entry;
    size_t resource;
    char namespace[64];               /* "": of all */
    char version[EPOCH_VERSION_SIZE]; /* as written in its epoch; "": the kind itself is absent */
    uint64_t since;                   /* for snapshot_is_present() */
    uint64_t epoch;                   /* of durability, which it holds; 0: none */
    int64_t due_us;                   /* by the steady clock: not before */
    struct snapshot_connection
        *connection;          /* on which it came; NULL: it is closed, or there was none */
    bool is_blind;            /* nothing was known of the server before it */
    bool doubted;             /* rows are newer than it: it is looked at a second time */
    struct suspects *refused; /* what it would close; NULL: it was not refused */
    bool noting;              /* it was; its hold goes once the spool has the note */
    size_t refused_rows;      /* the same of the last sweep that was, until one is not */
};

TAILQ_HEAD(mark_list, mark);

enum stage { /* in their order */
             STAGE_IDLE,
             STAGE_ASKING,   /* the database, what is alive */
             STAGE_COUNTING, /* what has vanished, for the brake */
             STAGE_CLOSING,
};

/* What a sweep finds. Live: rows whose object has not ended by itself. */
struct census {
    size_t alive, vanished;
    size_t live, live_vanished;
    unsigned epoch;  /* the latest of a row */
    uint64_t newest; /* version, of its rows that nobody has shown as they are */
    size_t closed;
};

struct sweep {
    struct sweep_settings settings;
    struct snapshot *snapshot;
    struct mark_list marks;          /* in the order in which they came */
    unsigned epochs[RESOURCE_COUNT]; /* of versions (lib/rows/epoch) */
    uint64_t noted[RESOURCE_COUNT];  /* the version that the spool was told of */
    uint64_t marked[RESOURCE_COUNT]
                   [MARKS_KNOWN]; /* versions of the last marks, the newest first; 0: none */
    bool ending;                  /* what fails now is not tried again */
    enum stage stage;
    struct mark *mark; /* that is swept; this and what follows: from STAGE_ASKING on */
    bool replaced;     /* STAGE_ASKING: a newer one has taken its place */
    struct store_listing listing;
    struct text rest; /* of listing.uids: still to be looked at in this stage */
    struct census census;
    bool said_no_cluster;
};

enum error_code sweep_new(const struct sweep_settings *settings, struct sweep **result,
                          struct error *err)
{
    struct sweep *sweep = calloc(1, sizeof(*sweep));
    if (sweep == NULL)
        return error_set(err, ERROR_NOMEM, "no memory for sweeps");
    sweep->settings = *settings;
    TAILQ_INIT(&sweep->marks);
    buffer_init(&sweep->listing.uids, LISTING_LIMIT);
    sweep->snapshot = snapshot_new();
    *result = sweep;
    return ERROR_NONE;
}

static void free_mark(struct mark *mark)
{
    suspects_free(mark->refused);
    free(mark);
}

void sweep_free(struct sweep *sweep)
{
    if (sweep == NULL)
        return;
    for (struct mark *mark; (mark = TAILQ_FIRST(&sweep->marks)) != NULL;) {
        TAILQ_REMOVE(&sweep->marks, mark, entry);
        free_mark(mark);
    }
    snapshot_free(sweep->snapshot);
    buffer_fini(&sweep->listing.uids);
    free(sweep);
}

void sweep_opened(struct sweep *sweep, struct snapshot_connection *connection)
{
    snapshot_opened(sweep->snapshot, connection);
}

void sweep_closed(struct sweep *sweep, struct snapshot_connection *connection)
{
    struct mark *mark;
    TAILQ_FOREACH(mark, &sweep->marks, entry)
    {
        if (mark->connection == connection)
            mark->connection = NULL;
    }
    snapshot_closed(sweep->snapshot, connection);
}

void sweep_close_all(struct sweep *sweep)
{
    struct mark *mark;
    TAILQ_FOREACH(mark, &sweep->marks, entry)
    {
        mark->connection = NULL;
    }
    snapshot_close_all(sweep->snapshot);
}

static void count(struct sweep *sweep, enum metrics_sweep result)
{
    sweep->settings.metrics->sweeps[result]++;
}

/* ---- notes ------------------------------------------------------------------------------------ */

/* "refused/Pod", "epoch/TFJob.kubeflow.org", "refused/Pod/team" */
static void name_note(const char *what, size_t resource, const char *namespace,
                      char name[NOTE_SIZE])
{
    char title[RESOURCE_TITLE_SIZE];
    resource_title(&resource_table[resource], title);
    (void)snprintf(name, NOTE_SIZE, "%s%s%s%s", what, title, namespace[0] != '\0' ? "/" : "",
                   namespace);
}

static void set_note(struct sweep *sweep, const char *what, size_t resource, const char *namespace,
                     const char *text)
{
    char name[NOTE_SIZE];
    name_note(what, resource, namespace, name);
    if (sweep->settings.spool != NULL && strcmp(spool_note(sweep->settings.spool, name), text) != 0)
        spool_set_note(sweep->settings.spool, name, text);
}

/* "EPOCH VERSION MARK ... MARK CLUSTER" */
static void note_epoch(struct sweep *sweep, size_t resource)
{
    char text[512];
    uint64_t known = snapshot_known(sweep->snapshot, resource);
    if (known == sweep->noted[resource])
        return;
    sweep->noted[resource] = known;
    size_t used =
        (size_t)snprintf(text, sizeof(text), "%u %" PRIu64, sweep->epochs[resource], known);
    for (size_t i = 0; i < MARKS_KNOWN; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, " %" PRIu64,
                                 sweep->marked[resource][i]);
    (void)snprintf(text + used, sizeof(text) - used, " %s", sweep->settings.cluster_id);
    set_note(sweep, "epoch/", resource, "", text);
}

/* Of another cluster the versions say nothing. */
static void restore_epoch(struct sweep *sweep, size_t resource)
{
    char name[NOTE_SIZE];
    uint64_t numbers[2 + MARKS_KNOWN];
    name_note("epoch/", resource, "", name);
    const char *at = spool_note(sweep->settings.spool, name);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        char *end;
        numbers[i] = strtoull(at, &end, 10);
        if (end == at || *end != ' ')
            return;
        at = end + 1;
    }
    if (numbers[0] > EPOCH_MAX || strcmp(at, sweep->settings.cluster_id) != 0)
        return;
    sweep->epochs[resource] = (unsigned)numbers[0];
    sweep->noted[resource] = numbers[1];
    memcpy(sweep->marked[resource], numbers + 2, sizeof(sweep->marked[resource]));
    snapshot_set_known(sweep->snapshot, resource, numbers[1]);
}

static void restore_epochs(struct sweep *sweep)
{
    for (size_t resource = 0; resource < RESOURCE_COUNT && sweep->settings.spool != NULL;
         resource++)
        restore_epoch(sweep, resource);
}

void sweep_set_cluster(struct sweep *sweep, const char *cluster_id)
{
    sweep->settings.cluster_id = cluster_id;
    restore_epochs(sweep);
}

/* ---- marks ------------------------------------------------------------------------------------ */

static void release(struct sweep *sweep, struct mark *mark)
{
    if (mark->epoch != 0)
        durability_release(sweep->settings.durability, mark->epoch);
    mark->epoch = 0;
}

static void finish(struct sweep *sweep)
{
    sweep->stage = STAGE_IDLE;
    sweep->mark = NULL;
    sweep->replaced = false;
    buffer_fini(&sweep->listing.uids);
    buffer_init(&sweep->listing.uids, LISTING_LIMIT);
}

static void show_refused(struct sweep *sweep, size_t resource)
{
    size_t rows = 0;
    const struct mark *mark;
    TAILQ_FOREACH(mark, &sweep->marks, entry)
    {
        if (mark->resource == resource)
            rows += mark->refused_rows;
    }
    sweep->settings.metrics->refused_rows[resource] = (double)rows;
}

/* Nothing of the mark is left to be done. */
static void drop_mark(struct sweep *sweep, struct mark *mark)
{
    size_t resource = mark->resource;
    bool was_refused = mark->refused_rows > 0;
    set_note(sweep, SUSPECTS_NOTES, resource, mark->namespace, "");
    release(sweep, mark);
    TAILQ_REMOVE(&sweep->marks, mark, entry);
    free_mark(mark);
    if (was_refused)
        show_refused(sweep, resource);
    uint64_t since = UINT64_MAX;
    TAILQ_FOREACH(mark, &sweep->marks, entry)
    {
        if (mark->resource == resource && mark->since < since)
            since = mark->since;
    }
    snapshot_forget(sweep->snapshot, resource, since);
}

static struct mark *find_mark(const struct sweep *sweep, size_t resource, const char *namespace)
{
    struct mark *mark;
    TAILQ_FOREACH(mark, &sweep->marks, entry)
    {
        if (mark->resource == resource && strcmp(mark->namespace, namespace) == 0)
            return mark;
    }
    return NULL;
}

/* The newer mark of the same resource and namespace takes the place of the older one, and keeps its hold. */
static struct mark *renew_mark(struct sweep *sweep, size_t resource, const char *namespace)
{
    struct mark *mark = find_mark(sweep, resource, namespace);
    if (mark == NULL) {
        mark = calloc(1, sizeof(*mark));
        if (mark == NULL)
            return NULL;
        mark->resource = resource;
        memcpy(mark->namespace, namespace, strlen(namespace) + 1);
        TAILQ_INSERT_TAIL(&sweep->marks, mark, entry);
    } else if (mark == sweep->mark && sweep->stage == STAGE_ASKING) {
        sweep->replaced = true;
    } else if (mark == sweep->mark) {
        finish(sweep);
    }
    mark->due_us = 0;
    mark->doubted = false;
    suspects_free(mark->refused);
    mark->refused = NULL;
    mark->noting = false;
    if (mark->epoch == 0 && sweep->settings.durability != NULL) {
        mark->epoch = durability_epoch(sweep->settings.durability);
        durability_hold(sweep->settings.durability, mark->epoch);
    }
    return mark;
}

static void say_not_whole(struct sweep *sweep, const struct watch_result *result)
{
    count(sweep, METRICS_SWEEP_INCOMPLETE);
    LOG(sweep->settings.logger, WARN, "the snapshot is not whole: nothing is swept",
        log_string("kind", result->kind), log_string("api_version", result->api_version),
        log_string("namespace", result->namespace),
        log_string("hint",
                   "something of it could not be read, or this connection has had the mark of "
                   "this kind already: a mark of one namespace has to name it"));
}

/* 0: none, or one that no server has */
static uint64_t number_of(struct text version)
{
    uint64_t number = 0;
    if (version.length > 19)
        return 0;
    for (size_t i = 0; i < version.length; i++)
        number = number * 10 + (uint64_t)(version.data[i] - '0');
    return number;
}

/* True if a mark of this version came before: a producer sends it again, with what followed. */
static bool was_marked(const struct sweep *sweep, size_t resource, uint64_t version)
{
    for (size_t i = 0; i < MARKS_KNOWN; i++) {
        if (sweep->marked[resource][i] == version)
            return true;
    }
    return false;
}

static void remember_mark(struct sweep *sweep, size_t resource, uint64_t version)
{
    uint64_t *marked = sweep->marked[resource];
    if (was_marked(sweep, resource, version))
        return;
    memmove(marked + 1, marked, (MARKS_KNOWN - 1) * sizeof(*marked));
    marked[0] = version;
}

/* What is shown from now on is newer than all there is. */
static void go_back(struct sweep *sweep, struct snapshot_connection *connection, size_t resource,
                    struct text version, uint64_t known)
{
    if (sweep->epochs[resource] < EPOCH_MAX)
        sweep->epochs[resource]++;
    memset(sweep->marked[resource], 0, sizeof(sweep->marked[resource]));
    sweep->noted[resource] = 0;
    if (connection != NULL)
        connection->is_outdated = true;
    snapshot_go_back(sweep->snapshot, resource, number_of(version));
    sweep->settings.metrics->versions_back++;
    LOG(sweep->settings.logger, ERROR,
        "the API server's versions went back, as where an etcd was restored from a backup: what it "
        "shows now is taken as the truth",
        log_string("kind", resource_table[resource].kind),
        log_string("api_group", resource_table[resource].group), log_text("version", version),
        log_int("was", (int64_t)known), log_int("epoch", sweep->epochs[resource]));
}

static void note_mark(struct sweep *sweep, struct snapshot_connection *connection, size_t resource,
                      const struct watch_result *result)
{
    struct text version = text_from(result->version);
    uint64_t since, known;
    if (!version_is_valid(version) || text_is(version, "0")) {
        count(sweep, METRICS_SWEEP_INVALID);
        LOG(sweep->settings.logger, WARN,
            "a mark without a valid resourceVersion: nothing is swept",
            log_string("kind", result->kind), log_string("api_version", result->api_version),
            log_string("version", result->version));
        return;
    }
    const char *namespace =
        result->namespace[0] != '\0' ? result->namespace : sweep->settings.namespace;
    if (!snapshot_mark(connection, resource, namespace, &since, &known)) {
        say_not_whole(sweep, result);
        return;
    }
    uint64_t number = number_of(version);
    if (!sweep->settings.replays && number != 0 && number < known &&
        !was_marked(sweep, resource, number))
        go_back(sweep, connection, resource, version, known);
    remember_mark(sweep, resource, number);
    struct mark *mark = renew_mark(sweep, resource, namespace);
    if (mark == NULL) {
        say_not_whole(sweep, result);
        return;
    }
    mark->since = since;
    mark->connection = connection;
    mark->is_blind = known == 0;
    epoch_write(sweep->epochs[resource], version, mark->version);
}

void sweep_absent(struct sweep *sweep, const char *api_version, const char *kind)
{
    const struct resource *absent = resource_find(text_from(api_version), text_from(kind));
    if (absent == NULL || sweep->settings.cluster_id[0] == '\0')
        return;
    struct mark *mark = renew_mark(sweep, resource_number(absent), sweep->settings.namespace);
    if (mark == NULL)
        return; /* it is looked for again, and no memory is no proof of anything */
    mark->connection = NULL;
    mark->since = snapshot_moment(sweep->snapshot);
    mark->version[0] = '\0';
}

/* ---- documents -------------------------------------------------------------------------------- */

static bool is_gone(const struct row *row)
{
    return row != NULL && row->cells[row->table->deleted].integer != 0;
}

static uint64_t version_of(const struct watch_result *result)
{
    struct text version = text_from(result->version);
    return version_is_valid(version) ? number_of(version) : 0;
}

/* What was not understood may have shown an object; if it is not known which one, no sweep may follow. */
static void note_object(struct sweep *sweep, struct snapshot_connection *connection,
                        const struct watch_result *result)
{
    struct text uid = text_from(result->uid);
    if (result->resource == NULL || uid.length == 0)
        snapshot_lost(connection);
    else if (is_gone(result->row))
        snapshot_gone(sweep->snapshot, resource_number(result->resource), uid);
    else
        snapshot_seen(sweep->snapshot, resource_number(result->resource), uid, version_of(result));
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

/* Where there is no memory for it, the event is lost, and said so. */
static void write_in_epoch(struct sweep *sweep, size_t resource, struct watch_result *result)
{
    struct row *written;
    struct error err;
    if (sweep->epochs[resource] == 0)
        return;
    enum error_code code = epoch_row(sweep->epochs[resource], result->row, &written, &err);
    row_free(result->row);
    result->row = code == ERROR_NONE ? written : NULL;
    if (code != ERROR_NONE)
        result->fate = WATCH_NO_MEMORY;
}

void sweep_document(struct sweep *sweep, struct snapshot_connection *connection,
                    struct watch_result *result)
{
    if (!has_cluster(sweep, result))
        return;
    if (result->fate == WATCH_BOOKMARK) {
        if (result->initial_events_end)
            note_mark(sweep, connection, resource_number(result->resource), result);
    } else if (result->fate == WATCH_ERROR_EVENT) {
        snapshot_error(sweep->snapshot, connection);
    } else if (result->fate == WATCH_ROW || result->fate == WATCH_ORPHAN_POD ||
               watch_fate_class(result->fate) == WATCH_CLASS_INVALID) {
        note_object(sweep, connection, result);
    }
    if (result->resource == NULL)
        return;
    size_t resource = resource_number(result->resource);
    snapshot_reached(connection, resource, version_of(result));
    if (result->fate == WATCH_ROW)
        write_in_epoch(sweep, resource, result);
}

/* ---- sweeping --------------------------------------------------------------------------------- */

/* A line of the listing (sidecar/store/store.h). */
struct line {
    struct text uid;
    struct text version;
    bool is_final;
};

/* Takes the text up to the next such character off *rest, and the character. */
static struct text take_until(struct text *rest, char end)
{
    const char *at = memchr(rest->data, end, rest->length);
    size_t length = at != NULL ? (size_t)(at - rest->data) : rest->length;
    struct text taken = {rest->data, length};
    size_t used = at != NULL ? length + 1 : length;
    *rest = (struct text){rest->data + used, rest->length - used};
    return taken;
}

static bool next_line(struct text *rest, struct line *line)
{
    if (rest->length == 0)
        return false;
    line->uid = take_until(rest, '\t');
    line->version = take_until(rest, '\t');
    line->is_final = text_is(take_until(rest, '\n'), "1");
    return true;
}

/* Of a sweep that was refused only what it would have closed then, and has not been shown since. A row at
 * the mark's version, or newer, is not closed by it. */
static bool has_vanished(const struct sweep *sweep, const struct line *line)
{
    const struct mark *mark = sweep->mark;
    if (mark->version[0] != '\0' && version_compare(line->version, text_from(mark->version)) >= 0)
        return false;
    if (mark->refused != NULL && !suspects_have(mark->refused, line->uid))
        return false;
    return !snapshot_is_present(sweep->snapshot, mark->resource, line->uid, mark->since);
}

/* A newer mark of the same resource takes the place of the one that could not be swept. */
static void ask_again_later(struct sweep *sweep)
{
    struct mark *mark = sweep->mark;
    count(sweep, METRICS_SWEEP_FAILED);
    if (sweep->ending)
        LOG(sweep->settings.logger, WARN, "a snapshot was not swept: the store could not be asked",
            log_string("kind", resource_table[mark->resource].kind),
            log_string("api_group", resource_table[mark->resource].group));
    mark->due_us = sweep->ending ? NEVER : clock_steady_us() + RETRY_US;
    finish(sweep);
}

static bool put_tombstone(struct sweep *sweep, const struct line *line)
{
    const struct mark *mark = sweep->mark;
    const struct table *table = sweep->listing.resource->table;
    char above[EPOCH_VERSION_SIZE];
    struct text version = text_from(mark->version);
    struct row *row;
    struct error err;
    if (version.length == 0) {
        epoch_above(line->version, above);
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

static void enter(struct sweep *sweep, enum stage stage)
{
    sweep->stage = stage;
    sweep->rest = buffer_text(&sweep->listing.uids);
}

/* What ended by itself is cleaned up in large numbers, and nothing is lost by closing it. */
static bool brake_holds(const struct census *census)
{
    return census->live > BRAKE_FROM && census->live_vanished > census->live / 2;
}

/* What would be closed. NULL: no memory. */
static struct suspects *list_vanished(const struct sweep *sweep)
{
    struct text rest = buffer_text(&sweep->listing.uids);
    struct buffer text;
    struct line line;
    buffer_init(&text, LISTING_LIMIT);
    suspects_begin(&text, sweep->mark->version, sweep->census.live, sweep->census.live_vanished);
    while (next_line(&rest, &line)) {
        if (!has_vanished(sweep, &line))
            continue;
        buffer_append(&text, line.uid);
        buffer_append_char(&text, '\n');
    }
    const char *whole = buffer_cstring(&text);
    struct suspects *suspects = whole != NULL ? suspects_read(whole) : NULL;
    buffer_fini(&text);
    return suspects;
}

/* It is noted before the mark is acknowledged: then the next process lists again, or is told by the note. */
static void refuse(struct sweep *sweep)
{
    struct mark *mark = sweep->mark;
    struct suspects *list = list_vanished(sweep);
    if (list == NULL) {
        ask_again_later(sweep);
        return;
    }
    if (mark->refused == NULL) {
        count(sweep, METRICS_SWEEP_REFUSED);
        LOG(sweep->settings.logger, ERROR,
            "sweep refused: it would close more than half of the live rows; if the snapshot is "
            "right, "
            "confirm it with kubedl-shipper sweep --confirm",
            log_string("kind", resource_table[mark->resource].kind),
            log_string("api_group", resource_table[mark->resource].group),
            log_string("namespace", mark->namespace), log_int("alive", (int64_t)sweep->census.live),
            log_int("vanished", (int64_t)sweep->census.live_vanished));
    }
    suspects_free(mark->refused);
    mark->refused = list;
    mark->refused_rows = list->count;
    mark->due_us = sweep->ending ? NEVER : clock_steady_us() + REFUSED_US;
    set_note(sweep, SUSPECTS_NOTES, mark->resource, mark->namespace, list->text);
    if (sweep->settings.spool != NULL)
        spool_store_notes(sweep->settings.spool);
    show_refused(sweep, mark->resource);
    mark->noting = true;
    finish(sweep);
}

/* The latest epoch of a row, and the newest version in it that the stream has not shown of its object. */
static void count_newest(struct sweep *sweep, const struct line *line)
{
    struct census *census = &sweep->census;
    struct text version;
    unsigned epoch = epoch_read(line->version, &version);
    uint64_t number = version_is_valid(version) ? number_of(version) : 0;
    if (epoch > census->epoch) {
        census->epoch = epoch;
        census->newest = 0;
    }
    if (epoch == census->epoch && number > census->newest &&
        number > snapshot_version(sweep->snapshot, sweep->mark->resource, line->uid))
        census->newest = number;
}

/* A process whose spool is lost learns from the rows that an earlier one has met versions that went back. */
static void join_epoch(struct sweep *sweep, const struct mark *mark, unsigned epoch)
{
    sweep->epochs[mark->resource] = epoch;
    sweep->noted[mark->resource] = 0;
    if (mark->connection != NULL)
        mark->connection->is_outdated = true;
    LOG(sweep->settings.logger, INFO, "the rows' versions are of a later epoch: joining it",
        log_string("kind", resource_table[mark->resource].kind),
        log_string("api_group", resource_table[mark->resource].group), log_int("epoch", epoch));
}

/* True if rows are of a later epoch, or newer than the mark, as after a restore of the server that this
 * process, which knows nothing else, has not seen: then the mark is looked at again. A row may be newer
 * because another sidecar is ahead; but not for long. */
static bool look_back(struct sweep *sweep)
{
    struct mark *mark = sweep->mark;
    const struct census *census = &sweep->census;
    struct text version;
    char same[EPOCH_VERSION_SIZE];
    unsigned epoch = epoch_read(text_from(mark->version), &version);
    bool is_behind = census->epoch > epoch;
    bool is_doubtful =
        mark->is_blind && census->epoch == epoch && census->newest > number_of(version);
    if (mark->version[0] == '\0' || number_of(version) == 0 || mark->refused != NULL ||
        sweep->settings.replays || sweep->ending || (!is_behind && !is_doubtful))
        return false;
    epoch_write(0, version, same);
    if (is_behind)
        join_epoch(sweep, mark, census->epoch);
    else if (mark->doubted)
        go_back(sweep, mark->connection, mark->resource, text_from(same), census->newest);
    else
        mark->due_us = clock_steady_us() + RETRY_US;
    mark->doubted = !is_behind;
    epoch_write(sweep->epochs[mark->resource], text_from(same), mark->version);
    finish(sweep);
    return true;
}

static void count_piece(struct sweep *sweep)
{
    struct census *census = &sweep->census;
    struct line line;
    for (size_t cost = 0; cost < PIECE && next_line(&sweep->rest, &line); cost++) {
        bool vanished = has_vanished(sweep, &line);
        count_newest(sweep, &line);
        census->alive++;
        census->vanished += vanished;
        census->live += !line.is_final;
        census->live_vanished += vanished && !line.is_final;
    }
    if (sweep->rest.length > 0)
        return;
    if (look_back(sweep))
        return;
    if (brake_holds(census))
        refuse(sweep);
    else
        enter(sweep, STAGE_CLOSING);
}

static void say_swept(struct sweep *sweep)
{
    const struct mark *mark = sweep->mark;
    count(sweep, METRICS_SWEEP_DONE);
    LOG(sweep->settings.logger, INFO, "swept",
        log_string("kind", resource_table[mark->resource].kind),
        log_string("api_group", resource_table[mark->resource].group),
        log_string("namespace", mark->namespace), log_int("alive", (int64_t)sweep->census.alive),
        log_int("vanished", (int64_t)sweep->census.vanished),
        log_int("closed", (int64_t)sweep->census.closed));
}

static void close_piece(struct sweep *sweep)
{
    struct line line;
    if (outbox_is_full(sweep->settings.outbox))
        return;
    for (size_t cost = 0; cost < PIECE && next_line(&sweep->rest, &line); cost++) {
        if (!has_vanished(sweep, &line))
            continue;
        cost += TOMBSTONE_COST;
        if (!put_tombstone(sweep, &line)) {
            ask_again_later(sweep);
            return;
        }
        sweep->census.closed++;
    }
    dispatch_wake(sweep->settings.dispatch);
    if (sweep->rest.length > 0)
        return;
    struct mark *mark = sweep->mark;
    if (sweep->census.alive > 0 || mark->version[0] != '\0')
        say_swept(sweep);
    finish(sweep);
    drop_mark(sweep, mark);
}

static void on_answered(void *context, bool ok)
{
    struct sweep *sweep = context;
    if (sweep->replaced) { /* what the newer one did not show was not waited for */
        finish(sweep);
        return;
    }
    if (!ok) {
        ask_again_later(sweep);
        return;
    }
    sweep->census = (struct census){0};
    enter(sweep, STAGE_COUNTING);
    count_piece(sweep);
}

static void ask(struct sweep *sweep, struct mark *mark)
{
    sweep->stage = STAGE_ASKING;
    sweep->mark = mark;
    sweep->listing.resource = &resource_table[mark->resource];
    sweep->listing.cluster = sweep->settings.cluster_id;
    sweep->listing.namespace = mark->namespace;
    dispatch_list(sweep->settings.dispatch, &sweep->listing, on_answered, sweep);
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

/* A row of the mark's resource that will be alive, and was not shown. */
static bool is_to_be_swept(void *context, const struct row *row)
{
    const struct wait *wait = context;
    const struct table *table = row->table;
    const struct resource *resource = &resource_table[wait->mark->resource];
    const char *namespace = wait->mark->namespace;
    return row->mode == ROW_UPSERT && !is_gone(row) &&
           cell_is(row, table->cluster, wait->sweep->settings.cluster_id) &&
           (table->kind == TABLE_NO_COLUMN || (cell_is(row, table->kind, resource->kind) &&
                                               cell_is(row, table->group, resource->group))) &&
           (namespace[0] == '\0' || cell_is(row, table->namespace, namespace)) &&
           !snapshot_is_present(wait->sweep->snapshot, wait->mark->resource, row_uid(row),
                                wait->mark->since);
}

/* Begins with the first mark whose time has come. */
static void begin(struct sweep *sweep)
{
    struct mark *mark;
    int64_t now_us = clock_steady_us();
    if (sweep->settings.cluster_id[0] == '\0')
        return;
    TAILQ_FOREACH(mark, &sweep->marks, entry)
    {
        struct wait wait = {sweep, mark};
        if (mark->due_us > now_us && (mark->due_us == NEVER || !sweep->ending))
            continue;
        if (outbox_holds(sweep->settings.outbox, resource_table[mark->resource].table,
                         is_to_be_swept, &wait))
            continue;
        ask(sweep, mark);
        return;
    }
}

/* A spool that cannot be written keeps no mark from being acknowledged, as it keeps no row. */
static void look_at_notes(struct sweep *sweep)
{
    const struct spool *spool = sweep->settings.spool;
    struct mark *mark;
    TAILQ_FOREACH(mark, &sweep->marks, entry)
    {
        char name[NOTE_SIZE];
        if (!mark->noting)
            continue;
        name_note(SUSPECTS_NOTES, mark->resource, mark->namespace, name);
        if (spool != NULL && spool_is_up(spool) && !spool_has_note(spool, name))
            continue;
        mark->noting = false;
        release(sweep, mark);
    }
}

void sweep_tick(struct sweep *sweep)
{
    look_at_notes(sweep);
    for (size_t resource = 0; resource < RESOURCE_COUNT; resource++)
        note_epoch(sweep, resource);
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

/* What was refused stays so: a stop is no time to try it again. */
void sweep_end(struct sweep *sweep)
{
    struct mark *mark;
    sweep->ending = true;
    TAILQ_FOREACH(mark, &sweep->marks, entry)
    {
        if (mark->refused != NULL)
            mark->due_us = NEVER;
    }
}

bool sweep_is_idle(const struct sweep *sweep)
{
    const struct mark *mark;
    TAILQ_FOREACH(mark, &sweep->marks, entry)
    {
        if (mark->due_us != NEVER && mark->refused == NULL)
            return false;
    }
    return sweep->stage == STAGE_IDLE;
}

struct snapshot_connection *sweep_begin_again(struct sweep *sweep)
{
    return snapshot_take_outdated(sweep->snapshot);
}

/* ---- after a restart -------------------------------------------------------------------------- */

static void restore_refused(struct sweep *sweep, size_t resource, const char *namespace,
                            const char *text)
{
    struct suspects *list = suspects_read(text);
    if (list == NULL || find_mark(sweep, resource, namespace) != NULL) {
        suspects_free(list);
        return;
    }
    struct mark *mark = renew_mark(sweep, resource, namespace);
    if (mark == NULL) {
        suspects_free(list);
        return;
    }
    release(sweep, mark);
    mark->refused = list;
    mark->refused_rows = list->count;
    memcpy(mark->version, list->version, sizeof(mark->version));
    show_refused(sweep, resource);
    LOG(sweep->settings.logger, WARN, "a sweep that was refused is tried again",
        log_string("kind", resource_table[resource].kind),
        log_string("api_group", resource_table[resource].group), log_string("namespace", namespace),
        log_int("vanished", (int64_t)list->count));
}

static void on_note(void *context, const char *name, const char *text)
{
    const char *namespace;
    const struct resource *resource =
        resource_find_title(name + strlen(SUSPECTS_NOTES), &namespace);
    if (resource != NULL && strlen(namespace) < sizeof(((struct mark *)NULL)->namespace))
        restore_refused(context, resource_number(resource), namespace, text);
}

void sweep_restore(struct sweep *sweep)
{
    if (sweep->settings.spool == NULL)
        return;
    restore_epochs(sweep);
    spool_each_note(sweep->settings.spool, SUSPECTS_NOTES, on_note, sweep);
}
