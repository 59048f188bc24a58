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

#include "lib/base/error.h"
#include "lib/base/text.h"
#include "lib/kube/kind.h"
#include "lib/rows/table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct snapshot;

enum error_code snapshot_new(struct snapshot **snapshot, struct error *err) MUST_CHECK;
void snapshot_free(struct snapshot *snapshot);

void snapshot_opened(struct snapshot *snapshot, uint64_t connection);
void snapshot_closed(struct snapshot *snapshot, uint64_t connection);

/* An ERROR event: windows open for all kinds that have none open. */
void snapshot_error(struct snapshot *snapshot, uint64_t connection);

/* Something on it could not be read: its windows close, since what they would show is not whole. */
void snapshot_lost(struct snapshot *snapshot, uint64_t connection);

/* The object exists (version: 0 if it is not known), or exists no more. Where there is no memory to remember that it exists, no sweep
 * of its resource is made until the process starts anew. */
void snapshot_seen(struct snapshot *snapshot, size_t resource, struct text uid, uint64_t version);
void snapshot_gone(struct snapshot *snapshot, size_t resource, struct text uid);

/* The version in which it was shown last; 0: it was not. */
uint64_t snapshot_version(const struct snapshot *snapshot, size_t resource, struct text uid);

/* A document of the connection says that the server has reached this version of the resource. */
void snapshot_reached(struct snapshot *snapshot, uint64_t connection, size_t resource,
                      uint64_t version);

/* The greatest of them; 0: none is known. */
uint64_t snapshot_known(const struct snapshot *snapshot, size_t resource);

/* It was reached before any connection, by an earlier process. */
void snapshot_set_known(struct snapshot *snapshot, size_t resource, uint64_t version);

/* The server's versions went back: it has reached no more than this one. */
void snapshot_go_back(struct snapshot *snapshot, size_t resource, uint64_t version);

/* The mark of the resource, in a namespace ("": in all of them). False if no window was open; else the window
 * is closed; *since is what snapshot_is_present() needs to know, *known the version that had been reached
 * when the window opened: a server that has not gone back answers no older one. */
bool snapshot_mark(struct snapshot *snapshot, uint64_t connection, size_t resource,
                   const char *namespace, uint64_t *since, uint64_t *known);

/* The present moment, for snapshot_is_present(): what is shown from now on. */
uint64_t snapshot_moment(struct snapshot *snapshot);

/* Nobody will ask for what was shown before `since`: it is forgotten, but for what an open window counts. */
void snapshot_forget(struct snapshot *snapshot, size_t resource, uint64_t since);

/* True if the object was shown since then, and has not gone since. */
bool snapshot_is_present(const struct snapshot *snapshot, size_t resource, struct text uid,
                         uint64_t since);

#endif
