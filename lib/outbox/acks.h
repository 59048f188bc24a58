/* acks: how many documents of each connection may be acknowledged.
 *
 * A document may be once its epoch is safe (lib/durability). At a checkpoint each connection remembers
 * how many documents it had by the end of the present epoch. */
#ifndef LIB_ACKS_H
#define LIB_ACKS_H

#include "lib/base/error.h"

#include <stdint.h>

struct acks;

enum error_code acks_new(struct acks **acks, struct error *err) MUST_CHECK;
void acks_free(struct acks *acks);

/* A connection that finds no memory is never acknowledged: a producer has to live with that anyway. */
void acks_opened(struct acks *acks, uint64_t connection);
void acks_closed(struct acks *acks, uint64_t connection);

/* One more document of the connection was taken. */
void acks_document(struct acks *acks, uint64_t connection);

/* The end of `epoch`: before durability_advance(). */
void acks_checkpoint(struct acks *acks, uint64_t epoch);

/* Calls acknowledge() for each connection of which more documents are safe than were before. */
void acks_settle(struct acks *acks, uint64_t safe_epoch,
                 void (*acknowledge)(void *context, uint64_t connection, uint64_t documents),
                 void *context);

#endif
