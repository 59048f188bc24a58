/* server_epoch: the epoch of a resource's versions, and the marks by which it is known (lib/rows/epoch).
 *
 * A mark whose version is below what the server had reached says that the server was restored from a backup;
 * unless a producer sends it again, since it was not acknowledged. So the last marks are remembered. */
#ifndef LIB_SERVER_EPOCH_H
#define LIB_SERVER_EPOCH_H

#include "lib/base/text.h"

#include <stdbool.h>
#include <stdint.h>

#define SERVER_EPOCH_MARKS     8
#define SERVER_EPOCH_NOTE_SIZE 512

struct server_epoch {
    unsigned number;                    /* of the present epoch */
    uint64_t marks[SERVER_EPOCH_MARKS]; /* versions of its last marks, the newest first; 0: none */
};

/* A version as a number; 0 if it is none, or one that no server has. */
uint64_t server_version(struct text version);

/* Whether a mark of this version says that the server's versions went back, where it had reached `known`. */
bool server_epoch_is_over(const struct server_epoch *epoch, uint64_t version, uint64_t known);

/* It came, and may come again. */
void server_epoch_remember(struct server_epoch *epoch, uint64_t version);

/* The next one begins, in which no mark has come yet. */
void server_epoch_next(struct server_epoch *epoch);

/* "EPOCH VERSION MARK ... MARK CLUSTER", and back; false if it is of another cluster, of which the versions say
 * nothing, or no such text: *epoch and *known are then as before. */
void server_epoch_write(const struct server_epoch *epoch, uint64_t known, const char *cluster_id,
                        char note[SERVER_EPOCH_NOTE_SIZE]);
bool server_epoch_read(struct server_epoch *epoch, uint64_t *known, const char *cluster_id,
                       const char *note) __attribute__((warn_unused_result));

#endif
