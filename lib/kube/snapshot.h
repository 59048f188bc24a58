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
    struct snapshot_window windows[RESOURCE_COUNT]; /* of all namespaces without a part */
    uint64_t reached[RESOURCE_COUNT];               /* newest version shown; 0: none */
    struct snapshot_part *parts;
    size_t part_count;
    bool is_reference; /* its versions tell how far the server has come; those of others may lag */
    bool is_unnamed;   /* it showed objects while the cluster was not known */

    /* It showed objects before the server was known to be restored, or before the cluster was known. */
    bool is_outdated;
};

struct snapshot *snapshot_new(void);
void snapshot_free(struct snapshot *snapshot); /* after all connections are closed */

/* The connection has opened. It must stay at its address until snapshot_closed(). is_reference: see there. */
void snapshot_opened(struct snapshot *snapshot, struct snapshot_connection *connection,
                     bool is_reference);
void snapshot_closed(struct snapshot *snapshot, struct snapshot_connection *connection);
void snapshot_close_all(struct snapshot *snapshot);

/* A connection that is_outdated, with that flag cleared; NULL if there is none. */
struct snapshot_connection *snapshot_take_outdated(struct snapshot *snapshot);

/* The connection shows objects while the cluster is not known, so that they cannot be noted: its windows
 * close. snapshot_named(): now the cluster is known, and each such connection is outdated. */
void snapshot_unnamed(struct snapshot_connection *connection);
void snapshot_named(struct snapshot *snapshot);

/* Each connection that has shown objects of the resource is outdated. */
void snapshot_outdate(struct snapshot *snapshot, size_t resource);

/* An ERROR event came: each window of the connection that is closed opens. */
void snapshot_error(struct snapshot *snapshot, struct snapshot_connection *connection);

/* A document of the connection could not be read: its windows close, since they would miss an object. */
void snapshot_lost(struct snapshot_connection *connection);

/* snapshot_seen(): the object was shown, in this version (0 if it is not known). snapshot_gone(): it is
 * gone. */
void snapshot_seen(struct snapshot *snapshot, size_t resource, struct text uid, uint64_t version);
void snapshot_gone(struct snapshot *snapshot, size_t resource, struct text uid);

/* The newest version in which the object was shown; 0 if it was not shown. */
uint64_t snapshot_version(const struct snapshot *snapshot, size_t resource, struct text uid);

/* A document of the connection says that the server has reached this version of the resource. */
void snapshot_reached(struct snapshot_connection *connection, size_t resource, uint64_t version);

/* The greatest version that any reference has reached; 0 if none is known. */
uint64_t snapshot_known(const struct snapshot *snapshot, size_t resource);

/* The server had reached this version before, as a closed connection or an earlier process has seen. */
void snapshot_set_known(struct snapshot *snapshot, size_t resource, uint64_t version);

/* The versions of the server went back: it has reached this one and no later one. Connections that are no
 * reference and have shown objects of the resource are outdated. */
void snapshot_go_back(struct snapshot *snapshot, size_t resource, uint64_t version);

/* The mark of the resource has come, for a namespace or, with "", for all of them. False if no window was
 * open. Else the window closes, *since is the moment at which it had opened, for snapshot_is_present(),
 * and *known is the version that the server had reached by then: a server that was not restored answers
 * with no older one. */
bool snapshot_mark(struct snapshot_connection *connection, size_t resource, const char *namespace,
                   uint64_t *since, uint64_t *known);

/* A new moment, for snapshot_is_present(): objects that are shown from now on count. */
uint64_t snapshot_moment(struct snapshot *snapshot);

/* Forgets the objects that were last shown before `since`, for which nobody will ask any more, but keeps
 * those that an open window counts. */
void snapshot_forget(struct snapshot *snapshot, size_t resource, uint64_t since);

/* True if the object was shown at the moment `since` or later, and is not gone. */
bool snapshot_is_present(const struct snapshot *snapshot, size_t resource, struct text uid,
                         uint64_t since);

#endif
