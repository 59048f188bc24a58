/* server_epoch: notices that an API server was restored from a backup, by the marks of its snapshots, and
 * counts the epochs of a resource's versions (lib/rows/epoch says what an epoch is).
 *
 * A mark is the BOOKMARK after the last object of a snapshot. If its version is below the version that the
 * server had reached, the server was restored; or a producer sends an old mark once more, since it was not
 * acknowledged. To tell these apart, the last marks are remembered. */
#ifndef LIB_SERVER_EPOCH_H
#define LIB_SERVER_EPOCH_H

#include "lib/base/text.h"

#include <stdbool.h>
#include <stdint.h>

#define SERVER_EPOCH_MARKS     8
#define SERVER_EPOCH_NOTE_SIZE 512

struct server_epoch {
    unsigned number;                    /* the present epoch */
    uint64_t marks[SERVER_EPOCH_MARKS]; /* versions of its last marks, the newest first; 0: none */
};

/* A resourceVersion as a number; 0 if it is not valid or has more than 19 digits, which no server reaches. */
uint64_t server_version(struct text version);

/* True if a mark of this version says that the versions of the server, which had reached `known`, went
 * back. */
bool server_epoch_is_over(const struct server_epoch *epoch, uint64_t version, uint64_t known);

/* A mark of this version came, and may come again. */
void server_epoch_remember(struct server_epoch *epoch, uint64_t version);

/* The next epoch begins, without any mark. After EPOCH_MAX the number stays as it is. */
void server_epoch_next(struct server_epoch *epoch);

/* Writes the note "EPOCH VERSION MARK ... MARK CLUSTER", and reads it back; VERSION is `known`. False if
 * the note is of another cluster, whose versions cannot be compared, or is no such text; *epoch and *known
 * are then unchanged. */
void server_epoch_write(const struct server_epoch *epoch, uint64_t known, const char *cluster_id,
                        char note[SERVER_EPOCH_NOTE_SIZE]);
bool server_epoch_read(struct server_epoch *epoch, uint64_t *known, const char *cluster_id,
                       const char *note) __attribute__((warn_unused_result));

#endif
