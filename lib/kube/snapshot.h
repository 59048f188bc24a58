/* snapshot: remembers which objects a producer has shown since it began to show all objects that exist.
 *
 * A stream may begin with a snapshot: an ADDED event for each object, then a mark, which is a BOOKMARK
 * with the annotation k8s.io/initial-events-end (Kubernetes' WatchList protocol). An object that the
 * database holds as alive, and that the snapshot did not show, has vanished while nobody watched.
 *
 * Each connection has a window for each resource. It opens when the connection opens or gets an ERROR
 * event (which does not say which resource it is about), and it closes with the mark of the resource, or
 * when a document of the connection cannot be read. A mark may be of one namespace; then only the window
 * of that namespace closes. Only objects that were shown since the window opened count as present. Without
 * a mark no object is known to have vanished.
 *
 * Memory is bounded by the number of objects that exist. A small allocation that fails ends the process
 * (lib/base/memory). A resource is given by its number (lib/kube/kind.h), a version as a number
 * (lib/kube/server_timeline.h). The caller is sidecar/pipeline/sweep, on the loop's thread. */
#ifndef LIB_SNAPSHOT_H
#define LIB_SNAPSHOT_H

#include "lib/base/text.h"
#include "lib/kube/kind.h"
#include "lib/rows/table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct snapshot;
struct snapshot_part; /* a namespace of a connection that has had a mark of its own */

struct snapshot_window {
    uint64_t opened; /* the moment at which it opened; 0: it is closed */
    uint64_t known;  /* the version that the server had reached by then */
};

/* What is known of one connection. It is embedded in the connection (sidecar/source/connection), which
 * owns it. */
struct snapshot_connection {
    struct snapshot_connection *prev, *next;
    struct snapshot_window windows[RESOURCE_COUNT]; /* for all namespaces that have no part */
    uint64_t reached[RESOURCE_COUNT];               /* the newest version that was shown; 0: none */
    struct snapshot_part *parts;                    /* owned; a linked list */
    size_t part_count;
    bool
        is_reference; /* its versions tell which version the server has reached; those of others may lag */
    bool is_unnamed; /* it showed objects while the cluster was not known */

    /* It showed objects before the server was known to be restored, or before the cluster was known. */
    bool is_outdated;
};

struct snapshot *snapshot_new(void);
void snapshot_free(struct snapshot *snapshot); /* after all connections are closed */

/* To be called when the connection opens, and when it closes; in between it must stay at its address.
 * snapshot_close_all() closes all connections. is_reference: as in struct snapshot_connection. */
void snapshot_opened(struct snapshot *snapshot, struct snapshot_connection *connection,
                     bool is_reference);
void snapshot_closed(struct snapshot *snapshot, struct snapshot_connection *connection);
void snapshot_close_all(struct snapshot *snapshot);

/* Returns a connection that is_outdated, and clears that flag; NULL if there is none. */
struct snapshot_connection *snapshot_take_outdated(struct snapshot *snapshot);

/* snapshot_unnamed() is to be called when the connection shows an object while the cluster is not known. The
 * object cannot be noted then, so the windows close. snapshot_named() is to be called once the cluster is known;
 * each such connection is then outdated. */
void snapshot_unnamed(struct snapshot_connection *connection);
void snapshot_named(struct snapshot *snapshot);

/* Makes each connection outdated that has shown objects of the resource. */
void snapshot_outdate(struct snapshot *snapshot, size_t resource);

/* To be called when an ERROR event comes. Opens each window of the connection that is closed. */
void snapshot_error(struct snapshot *snapshot, struct snapshot_connection *connection);

/* To be called when a document of the connection cannot be read. Closes its windows, since they would miss an
 * object. */
void snapshot_lost(struct snapshot_connection *connection);

/* To be called when an object is shown, in this version (0 if it is not known), or when it is gone. */
void snapshot_seen(struct snapshot *snapshot, size_t resource, struct text uid, uint64_t version);
void snapshot_gone(struct snapshot *snapshot, size_t resource, struct text uid);

/* Returns the newest version in which the object was shown; 0 if it was not shown. */
uint64_t snapshot_version(const struct snapshot *snapshot, size_t resource, struct text uid);

/* To be called when a document of the connection tells that the server has reached this version. */
void snapshot_reached(struct snapshot_connection *connection, size_t resource, uint64_t version);

/* Returns the greatest version that any reference has reached; 0 if none is known. */
uint64_t snapshot_known(const struct snapshot *snapshot, size_t resource);

/* Notes that the server had reached this version, as a closed connection or an earlier process has seen. */
void snapshot_set_known(struct snapshot *snapshot, size_t resource, uint64_t version);

/* To be called when the versions of the server went back: it has reached this version and no later one. Makes
 * connections outdated that are no reference and have shown objects of the resource. */
void snapshot_go_back(struct snapshot *snapshot, size_t resource, uint64_t version);

/* To be called when the mark of the resource comes, for a namespace or, with "", for all of them. Returns false if
 * no window was open. Else it closes the window, and sets *since to the moment at which it had opened, for
 * snapshot_is_present(), and *known to the version that the server had reached by then: a server that was not
 * restored answers with no older one. */
bool snapshot_mark(struct snapshot_connection *connection, size_t resource, const char *namespace,
                   uint64_t *since, uint64_t *known);

/* Begins and returns a new moment, for snapshot_is_present(): objects that are shown from now on count. */
uint64_t snapshot_moment(struct snapshot *snapshot);

/* Forgets the objects that were last shown before `since`, for which nobody will ask any more, but keeps
 * those that an open window counts. */
void snapshot_forget(struct snapshot *snapshot, size_t resource, uint64_t since);

/* True if the object was shown at the moment `since` or later, and is not gone. */
bool snapshot_is_present(const struct snapshot *snapshot, size_t resource, struct text uid,
                         uint64_t since);

#endif
