/* spool_place: the directory of the spool: its lock file, and whether the files in it are still those that
 * were opened.
 *
 * The lock file, spool.lock, keeps other processes out. It also says what the last transaction left, so
 * that a spool from which something is gone is noticed when it is opened. */
#ifndef SIDECAR_SPOOL_PLACE_H
#define SIDECAR_SPOOL_PLACE_H

#include "lib/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define SPOOL_PLACE_FILES 3 /* that SQLite keeps open */

/* Embedded. */
struct spool_place {
    struct stat files[SPOOL_PLACE_FILES]; /* as this process, or one that may, has left them */
    int lock;                             /* descriptor of the lock file; -1: not taken */
    char directory[512];
    char path[600]; /* of the database */
};

/* What a transaction left. */
struct spool_left {
    int64_t transactions; /* how many there were */
    int64_t records, dead_letters;
};

/* ERROR_OPERATOR: the directory's name is too long. */
enum error_code spool_place_init(struct spool_place *place, const char *directory,
                                 struct error *err) MUST_CHECK;

/* ERROR_OPERATOR: another process has the spool, or the directory can't be written or its files not be
 * locked: the text says what to do. ERROR_AGAIN: the system gives no lock now. */
enum error_code spool_place_lock(struct spool_place *place, struct error *err) MUST_CHECK;
void spool_place_unlock(struct spool_place *place);

/* What the last transaction left, into the lock file, where it is taken. It is written after the transaction,
 * so that it never promises too much, and its way to the disk is not waited for. NULL: nothing is left. */
void spool_place_note(const struct spool_place *place, const struct spool_left *left);

/* All 0 where the lock file says nothing. */
struct spool_left spool_place_noted(const struct spool_place *place);

/* What is on disk now is as it should be. */
void spool_place_remember(struct spool_place *place);

/* ERROR_INPUT: a file, or the directory, was removed or replaced. */
enum error_code spool_place_check(const struct spool_place *place, struct error *err) MUST_CHECK;

/* True if the database is not at its path any more. */
bool spool_place_is_gone(const struct spool_place *place);

/* True if something was written to the database since spool_place_remember(). */
bool spool_place_is_written(const struct spool_place *place);

/* Bytes on disk, write-ahead log included; and bytes that are free for us on the same disk, -1 where that
 * can't be known. */
int64_t spool_place_bytes(const struct spool_place *place);
int64_t spool_place_free_bytes(const struct spool_place *place);

/* Gives the database and what belongs to it a name under which nobody opens it again. Not while it is
 * open. */
enum error_code spool_place_set_aside(const struct spool_place *place, char name[ERROR_TEXT_SIZE],
                                      struct error *err) MUST_CHECK;

#endif
