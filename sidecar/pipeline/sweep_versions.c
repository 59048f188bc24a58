/* sweep_versions: what is done when the server's versions went back, as after a restore of its etcd.
 *
 * There are two signs of it: a mark has a version below one that was reached before; or rows are newer than
 * the first mark that this process sees, and still are at a second look. What is shown from then on is of a
 * later timeline, whose versions are written so that they are greater (lib/rows/timeline). How far a resource has
 * come is noted in the spool; a process whose spool is lost learns the timeline from the rows. */
#include "sidecar/pipeline/sweep_private.h"

#include "sidecar/base/clock.h"

/* The text of such a note is "TIMELINE VERSION MARK ... MARK CLUSTER" (lib/kube/server_timeline). Timelines
 * were called epochs when the name of the notes was chosen. */
#define TIMELINE_NOTES "epoch/"

void sweep_note_versions(struct sweep *sweep)
{
    for (size_t resource = 0; resource < RESOURCE_COUNT; resource++) {
        char note[SERVER_TIMELINE_NOTE_SIZE];
        uint64_t known = snapshot_known(sweep->snapshot, resource);
        if (known == sweep->noted[resource])
            continue;
        sweep->noted[resource] = known;
        server_timeline_write(&sweep->timelines[resource], known, sweep->settings.cluster_id, note);
        sweep_set_note(sweep, TIMELINE_NOTES, resource, "", note);
    }
}

void sweep_restore_versions(struct sweep *sweep)
{
    const struct spool *spool = sweep->settings.spool;
    for (size_t resource = 0; resource < RESOURCE_COUNT && spool != NULL; resource++) {
        char name[SWEEP_NOTE_SIZE];
        sweep_name_note(TIMELINE_NOTES, resource, "", name);
        if (server_timeline_read(&sweep->timelines[resource], &sweep->noted[resource],
                                 sweep->settings.cluster_id, spool_note(spool, name)))
            snapshot_set_known(sweep->snapshot, resource, sweep->noted[resource]);
    }
}

/* Begins the next timeline of the resource: what is shown from now on is newer than all rows in the database. */
void sweep_go_back(struct sweep *sweep, struct snapshot_connection *connection, size_t resource,
                   struct text version, uint64_t known)
{
    server_timeline_next(&sweep->timelines[resource]);
    sweep->noted[resource] = 0;
    if (connection != NULL)
        connection->is_outdated = true;
    snapshot_go_back(sweep->snapshot, resource, server_version(version));
    sweep->settings.metrics->versions_back++;
    LOG(sweep->settings.logger, ERROR,
        "the API server's versions went back, as where an etcd was restored from a backup: what it "
        "shows now is taken as the truth",
        log_string("kind", resource_table[resource].kind),
        log_string("api_group", resource_table[resource].group), log_text("version", version),
        log_int("was", (int64_t)known), log_int("timeline", sweep->timelines[resource].number));
}

/* Takes over the later timeline of the rows. It was begun by an earlier process, whose spool is lost. */
static void join_timeline(struct sweep *sweep, const struct mark *mark, unsigned timeline)
{
    sweep->timelines[mark->resource].number = timeline;
    sweep->noted[mark->resource] = 0;
    snapshot_outdate(sweep->snapshot, mark->resource);
    LOG(sweep->settings.logger, INFO, "the rows' versions are of a later timeline: joining it",
        log_string("kind", resource_table[mark->resource].kind),
        log_string("api_group", resource_table[mark->resource].group),
        log_int("timeline", timeline));
}

/* True if rows are of a later timeline than the mark, or newer than a mark before which this process knew no
 * version. The server may then have been restored while no process saw it; or another sidecar is ahead of
 * this one, but not for long. So the mark is looked at a second time, which decides. */
bool sweep_look_back(struct sweep *sweep)
{
    struct mark *mark = sweep->mark;
    const struct census *census = &sweep->census;
    struct text version;
    char same[TIMELINE_VERSION_SIZE];
    unsigned timeline = timeline_read(text_from(mark->version), &version);
    bool is_behind = census->timeline > timeline;
    bool is_doubtful =
        mark->is_blind && census->timeline == timeline && census->newest > server_version(version);
    if (mark->version[0] == '\0' || server_version(version) == 0 || mark->refused != NULL ||
        sweep->settings.replays || sweep->ending || (!is_behind && !is_doubtful))
        return false;
    timeline_write(0, version, same);
    if (is_behind)
        join_timeline(sweep, mark, census->timeline);
    else if (mark->doubted)
        sweep_go_back(sweep, mark->connection, mark->resource, text_from(same), census->newest);
    else
        mark->due_us = clock_steady_us() + SWEEP_RETRY_US;
    mark->doubted = !is_behind;
    timeline_write(sweep->timelines[mark->resource].number, text_from(same), mark->version);
    sweep_move(sweep, SWEEP_IDLE);
    return true;
}

/* Replaces result->row by one whose version is written in the present timeline. If there is no memory for it,
 * the fate is WATCH_NO_MEMORY. */
void sweep_write_in_timeline(struct sweep *sweep, size_t resource, struct watch_result *result)
{
    struct row *written;
    struct error err;
    if (sweep->timelines[resource].number == 0)
        return;
    enum error_code code =
        timeline_row(sweep->timelines[resource].number, result->row, &written, &err);
    row_free(result->row);
    result->row = code == ERROR_NONE ? written : NULL;
    if (code != ERROR_NONE)
        result->fate = WATCH_NO_MEMORY;
}
