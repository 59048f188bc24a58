/* acks: how many documents of each connection may be acknowledged.
 *
 * A document may be acknowledged once its epoch is safe (lib/outbox/durability). At the end of an epoch each
 * connection notes in a checkpoint how many documents it has delivered so far. Once that epoch is safe, so
 * many documents are acknowledged, and the checkpoint is deleted. Where too many checkpoints wait, the last
 * one takes in the next: acknowledgements then come later, never too early. */
#ifndef LIB_ACKS_H
#define LIB_ACKS_H

#include <stddef.h>
#include <stdint.h>

/* Of each connection; one more takes the place of the last one. */
#define ACKS_MAX_CHECKPOINTS 64

struct acks_checkpoint {
    uint64_t epoch;     /* the epoch that has ended */
    uint64_t documents; /* how many the connection had delivered by then */
};

/* What is known of one connection; it is a member of the connection (sidecar/source/connection.h). */
struct acks_connection {
    struct acks_connection *prev, *next;
    uint64_t documents;    /* delivered so far */
    uint64_t checkpointed; /* of these, those in a checkpoint or acknowledged */
    struct acks_checkpoint checkpoints[ACKS_MAX_CHECKPOINTS];
    size_t count;
};

struct acks {
    struct acks_connection *connections;
};

/* Begins without connections. It may be called again to forget all connections at once. */
void acks_init(struct acks *acks);

/* The connection is in a list until acks_closed(); its memory must not move until then. */
void acks_opened(struct acks *acks, struct acks_connection *connection);
void acks_closed(struct acks *acks, struct acks_connection *connection);

/* Counts one more document of the connection. */
void acks_document(struct acks_connection *connection);

/* Notes the end of `epoch`, the present one; to be called just before durability_advance(). */
void acks_checkpoint(struct acks *acks, uint64_t epoch);

/* Calls acknowledge() for each connection of which more documents have become safe, with the number of all
 * its documents that are safe. acknowledge() must not open or close connections. */
void acks_settle(struct acks *acks, uint64_t safe_epoch,
                 void (*acknowledge)(void *context, struct acks_connection *connection,
                                     uint64_t documents),
                 void *context);

#endif
