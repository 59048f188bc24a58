/* sweep_private: what the files of a sweep share, and nobody else includes.
 *
 *   sweep_documents.c   what documents say: which objects there are, and that all were shown (a mark)
 *   sweep_marks.c       the marks that wait for their sweep, and what they hold
 *   sweep.c             the stages of one sweep: asking, counting, closing
 *   sweep_refused.c     what the brake has refused, in notes that outlive the process
 *   sweep_versions.c    where the server's versions went back
 *
 * All of it is on the loop's thread. */
#ifndef SIDECAR_SWEEP_PRIVATE_H
#define SIDECAR_SWEEP_PRIVATE_H

#include "lib/kube/server_epoch.h"
#include "lib/kube/snapshot.h"
#include "lib/kube/suspects.h"
#include "lib/rows/epoch.h"
#include "sidecar/pipeline/sweep.h"

#include <sys/queue.h>

#define SWEEP_LISTING_LIMIT (256U << 20) /* bytes of uids and versions: some millions */
#define SWEEP_NOTE_SIZE     128
#define SWEEP_RETRY_US      10000000 /* after a question that failed */
#define SWEEP_NEVER         INT64_MAX

/* The mark of a resource whose sweep is still to be made. Of one resource and namespace there is one: a newer
 * mark takes the place of the older one. Neither the mark nor what came after it is acknowledged while it
 * holds its epoch: until its tombstones hold in its place, or its refusal is noted. */
struct mark {
    TAILQ_ENTRY(mark) entry;
    size_t resource;
    char namespace[64];               /* "": of all */
    char version[EPOCH_VERSION_SIZE]; /* as written in its epoch; "": the kind itself is absent */
    uint64_t since;                   /* for snapshot_is_present() */
    uint64_t epoch;                   /* of durability, which it holds; 0: none */
    int64_t due_us;                   /* by the steady clock: not before */
    bool is_blind;                    /* nothing was known of the server before it */
    bool doubted;                     /* rows are newer than it: it is looked at a second time */
    struct suspects *refused;         /* what it would close; NULL: it was not refused */
    bool noting;                      /* it was; its hold goes once the spool has the note */
    size_t refused_rows;              /* the same of the last sweep that was, until one is not */

    /* On which it came; NULL: that is closed, or there was none. */
    struct snapshot_connection *connection;
};

TAILQ_HEAD(mark_list, mark);

/* Of the one sweep that is made at a time; sweep_move() goes from one to the next. */
enum sweep_stage {
    SWEEP_IDLE,     /* until a mark is due */
    SWEEP_ASKING,   /* the database, what is alive */
    SWEEP_COUNTING, /* what has vanished, for the brake */
    SWEEP_CLOSING,  /* puts the tombstones */
    SWEEP_STAGE_COUNT
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
    struct mark_list marks; /* in the order in which they came */
    struct server_epoch epochs[RESOURCE_COUNT];
    uint64_t noted[RESOURCE_COUNT]; /* the version that the spool was told of */
    bool ending;                    /* what fails now is not tried again */
    enum sweep_stage stage;
    struct mark *mark; /* that is swept; this and what follows: from SWEEP_ASKING on */
    bool replaced;     /* SWEEP_ASKING: a newer one has taken its place */
    struct store_listing listing;
    struct text rest; /* of listing.uids: still to be looked at in this stage */
    struct census census;
    bool said_no_cluster;
};

/* A line of the listing (sidecar/store/store.h). */
struct sweep_line {
    struct text uid;
    struct text version;
    bool is_final;
};

static inline void sweep_count(struct sweep *sweep, enum metrics_sweep result)
{
    sweep->settings.metrics->sweeps[result]++;
}

static inline bool sweep_row_is_gone(const struct row *row)
{
    return row->cells[row->table->deleted].integer != 0;
}

/* sweep.c */
void sweep_move(struct sweep *sweep, enum sweep_stage stage);
bool sweep_next_line(struct text *rest, struct sweep_line *line);
bool sweep_has_vanished(const struct sweep *sweep, const struct sweep_line *line);
void sweep_ask_later(
    struct sweep *sweep); /* the mark that is swept; at the end of the process: never */

/* sweep_marks.c */
struct mark *sweep_find_mark(const struct sweep *sweep, size_t resource, const char *namespace);
struct mark *sweep_renew_mark(struct sweep *sweep, size_t resource, const char *namespace);
void sweep_release_mark(struct sweep *sweep, struct mark *mark);
void sweep_drop_mark(struct sweep *sweep, struct mark *mark);
void sweep_free_mark(struct mark *mark);

/* sweep_refused.c */
void sweep_refuse(struct sweep *sweep);
void sweep_look_at_notes(struct sweep *sweep);
void sweep_show_refused(struct sweep *sweep, size_t resource);

/* "refused/Pod", "epoch/TFJob.kubeflow.org", "refused/Pod/team" */
void sweep_name_note(const char *what, size_t resource, const char *namespace,
                     char name[SWEEP_NOTE_SIZE]);
void sweep_set_note(struct sweep *sweep, const char *what, size_t resource, const char *namespace,
                    const char *text);

/* sweep_versions.c */
void sweep_note_versions(struct sweep *sweep);
void sweep_restore_versions(struct sweep *sweep);
void sweep_go_back(struct sweep *sweep, struct snapshot_connection *connection, size_t resource,
                   struct text version, uint64_t known);
bool sweep_look_back(struct sweep *sweep);
void sweep_write_in_epoch(struct sweep *sweep, size_t resource, struct watch_result *result);

#endif
