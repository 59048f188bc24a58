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

/* This struct is embedded in its user's. */
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

/* Fills *place in without touching the disk. ERROR_OPERATOR: the directory's name is too long. */
enum error_code spool_place_init(struct spool_place *place, const char *directory,
                                 struct error *err) MUST_CHECK;

/* Takes the lock. ERROR_OPERATOR: another process has the spool, the directory can't be written, or its files
 * can't be locked: the text says what to do. ERROR_AGAIN: the system gives no lock now. */
enum error_code spool_place_lock(struct spool_place *place, struct error *err) MUST_CHECK;
void spool_place_unlock(struct spool_place *place);

/* Writes what the last transaction left into the lock file, if the lock is taken. This is done after the
 * transaction, so that the lock file never promises too much, and without fsync. left: NULL if nothing is. */
void spool_place_note(const struct spool_place *place, const struct spool_left *left);

/* Returns what the lock file says; all 0 where it says nothing. */
struct spool_left spool_place_noted(const struct spool_place *place);

/* Remembers the files as they are now: these are right. */
void spool_place_remember(struct spool_place *place);

/* Compares the files with those remembered. ERROR_INPUT: one, or the directory, was removed or replaced. */
enum error_code spool_place_check(const struct spool_place *place, struct error *err) MUST_CHECK;

/* True if the database file that was opened is not at its path any more. */
bool spool_place_is_gone(const struct spool_place *place);

/* True if something was written to the database since spool_place_remember(). */
bool spool_place_is_written(const struct spool_place *place);

/* The first returns the bytes on disk, write-ahead log included; the second the bytes that are free for us on
 * the same disk, -1 where that can't be known. */
int64_t spool_place_bytes(const struct spool_place *place);
int64_t spool_place_free_bytes(const struct spool_place *place);

/* Renames the database and its other files, so that nobody opens them again. It must not be open. */
enum error_code spool_place_set_aside(const struct spool_place *place, char name[ERROR_TEXT_SIZE],
                                      struct error *err) MUST_CHECK;

#endif
