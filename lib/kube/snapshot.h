/* snapshot: which objects a producer has shown since it began to show all there are.
 *
 * A stream may begin with the full state: ADDED for each object, then a BOOKMARK that says so
 * (Kubernetes' WatchList protocol). What the database holds as alive and the snapshot did not show has
 * vanished while nobody watched.
 *
 * A window is open for each connection and kind from the beginning of the connection, or from an ERROR
 * event on it (which does not say which kind it is about), to the mark of that kind. A mark may be of one
 * namespace: then it closes the window of that namespace only. Only objects that were shown since the
 * window opened count as present; without a mark nothing is known to have vanished. Memory is bounded by
 * the number of objects that exist.
 *
 * A resource is given by its number (lib/kube/kind.h). */
#ifndef LIB_SNAPSHOT_H
#define LIB_SNAPSHOT_H

#include "lib/base/text.h"
#include "lib/kube/kind.h"
#include "lib/rows/table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct snapshot;
struct snapshot_part; /* of a connection: a namespace that has had a mark of its own */

struct snapshot_window {
    uint64_t opened; /* the moment at which it opened; 0: it is closed */
    uint64_t known;  /* the version that had been reached by then */
};

/* What is known of one connection; part of the connection, whose owner it is (sidecar/source/connection). */
struct snapshot_connection {
    struct snapshot_connection *prev, *next;
    struct snapshot_window windows[RESOURCE_COUNT]; /* of all namespaces that are no parts */
    uint64_t reached[RESOURCE_COUNT];               /* versions that it has shown; 0: none */
    struct snapshot_part *parts;
    size_t part_count;
    bool
        is_outdated; /* it has shown objects before it was known that the server's versions went back */
};

struct snapshot *snapshot_new(void);
void snapshot_free(struct snapshot *snapshot); /* when all connections are closed */

/* From here to snapshot_closed() the connection stays where it is. */
void snapshot_opened(struct snapshot *snapshot, struct snapshot_connection *connection);
void snapshot_closed(struct snapshot *snapshot, struct snapshot_connection *connection);
void snapshot_close_all(struct snapshot *snapshot);

/* A connection that is_outdated, which it then no longer is; NULL: there is none. */
struct snapshot_connection *snapshot_take_outdated(struct snapshot *snapshot);

/* An ERROR event: windows open for all kinds that have none open. */
void snapshot_error(struct snapshot *snapshot, struct snapshot_connection *connection);

/* Something on it could not be read: its windows close, since what they would show is not whole. */
void snapshot_lost(struct snapshot_connection *connection);

/* The object exists (version: 0 if it is not known), or exists no more. */
void snapshot_seen(struct snapshot *snapshot, size_t resource, struct text uid, uint64_t version);
void snapshot_gone(struct snapshot *snapshot, size_t resource, struct text uid);

/* The version in which it was shown last; 0: it was not. */
uint64_t snapshot_version(const struct snapshot *snapshot, size_t resource, struct text uid);

/* A document of the connection says that the server has reached this version of the resource. */
void snapshot_reached(struct snapshot_connection *connection, size_t resource, uint64_t version);

/* The greatest of them; 0: none is known. */
uint64_t snapshot_known(const struct snapshot *snapshot, size_t resource);

/* It was reached before any connection, by an earlier process. */
void snapshot_set_known(struct snapshot *snapshot, size_t resource, uint64_t version);

/* The server's versions went back: it has reached no more than this one. */
void snapshot_go_back(struct snapshot *snapshot, size_t resource, uint64_t version);

/* The mark of the resource, in a namespace ("": in all of them). False if no window was open; else the window
 * is closed; *since is what snapshot_is_present() needs to know, *known the version that had been reached
 * when the window opened: a server that has not gone back answers no older one. */
bool snapshot_mark(struct snapshot_connection *connection, size_t resource, const char *namespace,
                   uint64_t *since, uint64_t *known);

/* The present moment, for snapshot_is_present(): what is shown from now on. */
uint64_t snapshot_moment(struct snapshot *snapshot);

/* Nobody will ask for what was shown before `since`: it is forgotten, but for what an open window counts. */
void snapshot_forget(struct snapshot *snapshot, size_t resource, uint64_t since);

/* True if the object was shown since then, and has not gone since. */
bool snapshot_is_present(const struct snapshot *snapshot, size_t resource, struct text uid,
                         uint64_t since);

#endif
