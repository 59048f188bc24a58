/* sweep_documents: what each document says about which objects there are.
 *
 * Happy path: a document shows an object, or that it is gone. After all objects a BOOKMARK says that all were
 * shown: a mark, which then waits for its sweep. sidecar/pipeline/intake calls sweep_document() for each
 * document, before its row is put into the outbox.
 *
 * Failure modes:
 *   no CLUSTER_ID                   nothing is noted, since another cluster's rows could be swept; this is
 *                                   logged once
 *   a document could not be read    the windows of its connection close: the snapshot is not whole
 *   a mark without a version        it is ignored, counted and logged
 *   the mark's version is below     the server was restored from a backup (sweep_versions.c)
 *   one that was reached before
 */
#include "sidecar/pipeline/sweep_private.h"

void sweep_opened(struct sweep *sweep, struct snapshot_connection *connection, bool is_reference)
{
    snapshot_opened(sweep->snapshot, connection, is_reference);
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

/* True if a mark of a later version, or that the server lacks the kind, waits for its sweep. It holds its epoch,
 * so that what comes now is not acknowledged before that sweep either. */
static bool has_newer_mark(const struct sweep *sweep, size_t resource, const char *namespace,
                           const char *version)
{
    const struct mark *mark = sweep_find_mark(sweep, resource, namespace);
    return mark != NULL && (mark->version[0] == '\0' ||
                            version_compare(text_from(mark->version), text_from(version)) > 0);
}

static void note_mark(struct sweep *sweep, struct snapshot_connection *connection, size_t resource,
                      const struct watch_result *result)
{
    struct text version = text_from(result->version);
    uint64_t since, known;
    if (!version_is_valid(version) || text_is(version, "0")) {
        sweep_count(sweep, METRICS_SWEEP_INVALID);
        LOG(sweep->settings.logger, WARN,
            "a mark without a valid resourceVersion: nothing is swept",
            log_string("kind", result->kind), log_string("api_version", result->api_version),
            log_string("version", result->version));
        return;
    }
    const char *namespace =
        result->namespace[0] != '\0' ? result->namespace : sweep->settings.namespace;
    if (!snapshot_mark(connection, resource, namespace, &since, &known)) {
        sweep_count(sweep, METRICS_SWEEP_INCOMPLETE);
        LOG(sweep->settings.logger, WARN, "the snapshot is not whole: nothing is swept",
            log_string("kind", result->kind), log_string("api_version", result->api_version),
            log_string("namespace", result->namespace),
            log_string("hint",
                       "something of it could not be read, or this connection has had the mark of "
                       "this kind already: a mark of one namespace has to name it"));
        return;
    }
    struct server_timeline *timeline = &sweep->timelines[resource];
    bool tells = connection->is_reference;
    if (tells && !sweep->settings.replays &&
        server_timeline_is_over(timeline, server_version(version), known))
        sweep_go_back(sweep, connection, resource, version, known);
    if (tells)
        server_timeline_remember(timeline, server_version(version));
    char written[TIMELINE_VERSION_SIZE];
    timeline_write(timeline->number, version, written);
    if (!tells && has_newer_mark(sweep, resource, namespace, written))
        return;
    struct mark *mark = sweep_renew_mark(sweep, resource, namespace);
    mark->since = since;
    mark->connection = connection;
    mark->is_blind = tells && known == 0;
    memcpy(mark->version, written, sizeof(written));
}

void sweep_absent(struct sweep *sweep, const char *api_version, const char *kind)
{
    const struct resource *absent = resource_find(text_from(api_version), text_from(kind));
    if (absent == NULL || sweep->settings.cluster_id[0] == '\0')
        return;
    struct mark *mark = sweep_renew_mark(sweep, resource_number(absent), sweep->settings.namespace);
    mark->connection = NULL;
    mark->since = snapshot_moment(sweep->snapshot);
    mark->version[0] = '\0';
}

/* Notes that an object was shown or is gone. A document without a known resource and uid may have shown any
 * object: then no sweep may follow. */
static void note_object(struct sweep *sweep, struct snapshot_connection *connection,
                        const struct watch_result *result)
{
    struct text uid = text_from(result->uid);
    if (result->resource == NULL || uid.length == 0)
        snapshot_lost(connection);
    else if (result->row != NULL && sweep_row_is_gone(result->row))
        snapshot_gone(sweep->snapshot, resource_number(result->resource), uid);
    else
        snapshot_seen(sweep->snapshot, resource_number(result->resource), uid,
                      server_version(text_from(result->version)));
}

/* True if the cluster is known. If it is not, another cluster's rows could be swept: so nothing is noted. */
static bool has_cluster(struct sweep *sweep, const struct watch_result *result)
{
    if (sweep->settings.cluster_id[0] != '\0')
        return true;
    if (result->initial_events_end)
        sweep_count(sweep, METRICS_SWEEP_NO_CLUSTER);
    if (result->initial_events_end && !sweep->said_no_cluster) {
        sweep->said_no_cluster = true;
        LOG(sweep->settings.logger, WARN,
            "no CLUSTER_ID: objects that vanished while nobody watched are not closed",
            log_string("kind", result->kind));
    }
    return false;
}

void sweep_document(struct sweep *sweep, struct snapshot_connection *connection,
                    struct watch_result *result)
{
    if (!has_cluster(sweep, result)) {
        snapshot_unnamed(connection);
        return;
    }
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
    snapshot_reached(connection, resource, server_version(text_from(result->version)));
    if (result->fate == WATCH_ROW)
        sweep_write_in_timeline(sweep, resource, result);
}

struct snapshot_connection *sweep_begin_again(struct sweep *sweep)
{
    return snapshot_take_outdated(sweep->snapshot);
}
