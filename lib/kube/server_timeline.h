/* server_timeline: notices that an API server was restored from a backup, by the marks of its snapshots, and
 * counts the timelines of a resource's versions (lib/rows/timeline says what a timeline is).
 *
 * A mark is the BOOKMARK after the last object of a snapshot. If its version is below the version that the
 * server had reached, the server was restored; or a producer sends an old mark once more, since it was not
 * acknowledged. To tell these apart, the last marks are remembered. */
#ifndef LIB_SERVER_TIMELINE_H
#define LIB_SERVER_TIMELINE_H

#include "lib/base/text.h"

#include <stdbool.h>
#include <stdint.h>

#define SERVER_TIMELINE_MARKS     8
#define SERVER_TIMELINE_NOTE_SIZE 512

struct server_timeline {
    unsigned number; /* the present timeline */
    uint64_t
        marks[SERVER_TIMELINE_MARKS]; /* versions of its last marks, the newest first; 0: none */
};

/* Returns a resourceVersion as a number; 0 if it is not valid or has more than 19 digits, which no server reaches. */
uint64_t server_version(struct text version);

/* True if a mark of this version says that the versions of the server, which had reached `known`, went
 * back. */
bool server_timeline_is_over(const struct server_timeline *timeline, uint64_t version,
                             uint64_t known);

/* Notes that a mark of this version came, since it may come again. */
void server_timeline_remember(struct server_timeline *timeline, uint64_t version);

/* Begins the next timeline, which has no mark yet. After TIMELINE_MAX the number stays as it is. */
void server_timeline_next(struct server_timeline *timeline);

/* Writes the note "TIMELINE VERSION MARK ... MARK CLUSTER", and reads it back; VERSION is `known`. Reading returns
 * false, and leaves *timeline and *known unchanged, if the note is of another cluster, whose versions cannot be
 * compared, or is no such text. */
void server_timeline_write(const struct server_timeline *timeline, uint64_t known,
                           const char *cluster_id, char note[SERVER_TIMELINE_NOTE_SIZE]);
bool server_timeline_read(struct server_timeline *timeline, uint64_t *known, const char *cluster_id,
                          const char *note) __attribute__((warn_unused_result));

#endif
