/* sweep_private: what the files of a sweep share; no other file includes it.
 *
 *   sweep_documents.c   what documents say: which objects there are, and that all were shown (a mark)
 *   sweep_marks.c       the marks that wait for their sweep, and the epochs that they hold
 *   sweep.c             the stages of one sweep: asking, counting, closing
 *   sweep_refused.c     the sweeps that the brake has refused, in notes that outlive the process
 *   sweep_versions.c    what is done when the server's versions went back
 *
 * All of it runs on the loop's thread. */
#ifndef SIDECAR_SWEEP_PRIVATE_H
#define SIDECAR_SWEEP_PRIVATE_H

#include "lib/kube/server_timeline.h"
#include "lib/kube/snapshot.h"
#include "lib/kube/suspects.h"
#include "lib/rows/timeline.h"
#include "sidecar/pipeline/sweep.h"

#include <sys/queue.h>

#define SWEEP_LISTING_LIMIT (256U << 20) /* bytes of the listing: some million objects */
#define SWEEP_NOTE_SIZE     128
#define SWEEP_RETRY_US      10000000  /* until the store is asked again after a failure */
#define SWEEP_NEVER         INT64_MAX /* due_us of a mark that is not swept any more */

/* A mark whose sweep is still to be made. There is one for each resource and namespace: a newer mark replaces
 * the older one. While the mark holds its epoch, neither it nor a document after it is acknowledged. It holds
 * the epoch until its tombstones hold it, too, or the spool has the note of its refusal. */
struct mark {
    TAILQ_ENTRY(mark) entry;
    size_t resource;
    char namespace[64];                  /* "": all namespaces */
    char version[TIMELINE_VERSION_SIZE]; /* in its timeline; "": the server lacks the kind */
    uint64_t since;                      /* for snapshot_is_present() */
    uint64_t epoch;                      /* the epoch of durability that it holds; 0: none */
    int64_t due_us;                      /* not to be swept before, by clock_steady_us() */
    bool is_blind;                       /* no version of the server was known before it */
    bool doubted;                        /* rows are newer than it: a second look decides */
    struct suspects *refused;            /* what its refused sweep would close; NULL: not refused */
    bool noting;         /* it was refused, and holds until the spool has the note */
    size_t refused_rows; /* rows of the last refusal; newer marks keep it until swept */

    /* The connection on which it came; NULL: that is closed, or there was none. */
    struct snapshot_connection *connection;
};

TAILQ_HEAD(mark_list, mark);

/* The stages of a sweep. One sweep is made at a time; sweep_move() goes from one stage to the next. */
enum sweep_stage {
    SWEEP_IDLE,     /* no sweep is being made */
    SWEEP_ASKING,   /* the store is asked which rows are alive */
    SWEEP_COUNTING, /* the rows that have vanished are counted, for the brake */
    SWEEP_CLOSING,  /* the tombstones are put into the outbox */
    SWEEP_STAGE_COUNT
};

/* What a sweep has counted. */
struct census {
    size_t alive, vanished;     /* rows that the store holds as alive; of these, not shown */
    size_t live, live_vanished; /* of both, rows whose object has not ended by itself */
    unsigned timeline;          /* the latest timeline of a row */
    uint64_t newest;            /* the newest version in it that no stream has shown */
    size_t closed;              /* tombstones that were put */
};

struct sweep {
    struct sweep_settings settings;
    struct snapshot *snapshot;
    struct mark_list marks; /* in the order in which they came */
    struct server_timeline timelines[RESOURCE_COUNT];
    uint64_t noted[RESOURCE_COUNT]; /* the version in the note that the spool has */
    bool ending;                    /* the process ends: a sweep that fails is not tried again */
    enum sweep_stage stage;
    struct mark *mark; /* the mark that is swept; NULL in SWEEP_IDLE */
    bool replaced;     /* in SWEEP_ASKING: a newer mark has replaced it */
    struct store_listing listing;
    struct text rest; /* the part of listing.uids that this stage has not looked at yet */
    struct census census;
    bool said_no_cluster;
};

/* A line of the answer to the listing (see struct store_listing). */
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

/* Takes a line off *rest; false if there is none. */
bool sweep_next_line(struct text *rest, struct sweep_line *line);
bool sweep_has_vanished(const struct sweep *sweep, const struct sweep_line *line);

/* Ends the sweep of the present mark, to be tried again later; at the end of the process: never. */
void sweep_ask_later(struct sweep *sweep);

/* sweep_marks.c */
struct mark *sweep_find_mark(const struct sweep *sweep, size_t resource, const char *namespace);
struct mark *sweep_renew_mark(struct sweep *sweep, size_t resource, const char *namespace);

/* Lets go of the epoch that the mark holds, if any. */
void sweep_release_mark(struct sweep *sweep, struct mark *mark);

/* Removes and frees a mark whose sweep is done, and its note. */
void sweep_drop_mark(struct sweep *sweep, struct mark *mark);
void sweep_free_mark(struct mark *mark);

/* sweep_refused.c */
void sweep_refuse(struct sweep *sweep);
void sweep_look_at_notes(struct sweep *sweep);

/* Updates the metric of the rows that the refused sweeps of the resource would close. */
void sweep_show_refused(struct sweep *sweep, size_t resource);

/* Makes the name of a note, such as "refused/Pod", "epoch/TFJob.kubeflow.org" or "refused/Pod/team". */
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
void sweep_write_in_timeline(struct sweep *sweep, size_t resource, struct watch_result *result);

#endif
