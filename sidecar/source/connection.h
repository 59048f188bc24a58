/* connection: one stream of documents, from a producer or of a resource that is watched.
 *
 * The source makes it, owns it, and calls opened() with it. It lives until closed() for it has returned, or
 * until the source is closed, whichever comes first; its memory may then become another connection. The
 * modules that keep account of connections (acks, snapshot) have a member of their own in it, which they list
 * from opened() to closed(). So nothing has to be looked up for a document. All on the loop's thread. */
#ifndef SIDECAR_CONNECTION_H
#define SIDECAR_CONNECTION_H

#include "lib/kube/snapshot.h"
#include "lib/outbox/acks.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct source;

struct connection {
    struct source *source; /* that it is of */
    uint64_t id;           /* for logs: from 1, never used twice by this process */
    uint64_t
        line; /* of the stream, from 1: where the document begins that is delivered; 0: not known */
    bool
        refused; /* it is no stream of documents, which the log has told: nothing of it was taken */
    struct acks_connection acks;         /* which of its documents are safe */
    struct snapshot_connection snapshot; /* since when it has been showing all objects */
};

static inline struct connection *connection_of_acks(struct acks_connection *acks)
{
    return (struct connection *)((char *)acks - offsetof(struct connection, acks));
}

static inline struct connection *connection_of_snapshot(struct snapshot_connection *snapshot)
{
    return (struct connection *)((char *)snapshot - offsetof(struct connection, snapshot));
}

#endif
