/* acks: how many documents of each connection may be acknowledged.
 *
 * A document may be once its epoch is safe (lib/outbox/durability). At a checkpoint each connection remembers
 * how many documents it had by the end of the present epoch; a checkpoint that is safe is acknowledged, and
 * forgotten. A producer learns late rather than wrong: where too many checkpoints wait, the last one grows. */
#ifndef LIB_ACKS_H
#define LIB_ACKS_H

#include <stddef.h>
#include <stdint.h>

/* More than these are folded into the last one: acknowledgements then come later, never earlier. */
#define ACKS_MAX_CHECKPOINTS 64

struct acks_checkpoint {
    uint64_t epoch;     /* at the end of which ... */
    uint64_t documents; /* ... the connection had so many */
};

/* What is known of one connection; part of the connection, whose owner it is (sidecar/source/connection). */
struct acks_connection {
    struct acks_connection *prev, *next;
    uint64_t documents;    /* so far */
    uint64_t checkpointed; /* of these: in a checkpoint, or acknowledged */
    struct acks_checkpoint checkpoints[ACKS_MAX_CHECKPOINTS];
    size_t count;
};

struct acks {
    struct acks_connection *connections;
};

/* Also to let go of all connections at once. */
void acks_init(struct acks *acks);

/* From here to acks_closed() the connection stays where it is. */
void acks_opened(struct acks *acks, struct acks_connection *connection);
void acks_closed(struct acks *acks, struct acks_connection *connection);

/* One more document of the connection was taken. */
void acks_document(struct acks_connection *connection);

/* The end of `epoch`: before durability_advance(). */
void acks_checkpoint(struct acks *acks, uint64_t epoch);

/* Calls acknowledge() for each connection of which more documents are safe than were before; it must not
 * open or close connections. */
void acks_settle(struct acks *acks, uint64_t safe_epoch,
                 void (*acknowledge)(void *context, struct acks_connection *connection,
                                     uint64_t documents),
                 void *context);

#endif
