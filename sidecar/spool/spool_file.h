/* spool_file: the spool on disk.
 *
 * All functions block, and one thread at a time may call them. A record holds the rows of one object that are
 * not in the database yet; a dead letter is a row that the database will never take as it is. Both hold rows
 * as JSON, so that a person can read them with the sqlite3 client. */
#ifndef SIDECAR_SPOOL_FILE_H
#define SIDECAR_SPOOL_FILE_H

#include "lib/base/error.h"
#include "lib/base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spool_file;

/* How much is missing of what was committed. */
struct spool_loss {
    int64_t transactions; /* the last so many: the file is as it was before them */
    int64_t records, dead_letters;
    int64_t records_before,
        dead_letters_before; /* that the last transaction left, of which these are */
};

struct spool_opening {
    char quarantined[ERROR_TEXT_SIZE]; /* what a damaged file is called now; "": it was whole */
    struct spool_loss loss;
};

/* Opens or makes the spool in a directory, exclusively: a second process gets ERROR_OPERATOR here and can
 * only use spool_file_attach(). A damaged file is set aside under a new name, and a new one is begun.
 * records_are_held: the caller has all records in memory, so that none of them counts as lost.
 * ERROR_OPERATOR: the directory is missing or not writable, or the spool is of a newer version: the text says
 * what to do. ERROR_AGAIN: the disk is full or fails. */
enum error_code spool_file_open(const char *directory, bool records_are_held,
                                struct spool_file **file, struct spool_opening *opening,
                                struct error *err) MUST_CHECK;

/* Opens the spool of a sidecar that may be running, without the lock, to read it or change dead letters. */
enum error_code spool_file_attach(const char *directory, struct spool_file **file,
                                  struct error *err) MUST_CHECK;
void spool_file_close(struct spool_file *file);

/* Checks that the files are still those that were opened, and that no other program has overwritten them.
 * ERROR_INPUT: that is not so; the caller calls spool_file_leave() and opens the spool again. */
enum error_code spool_file_check(struct spool_file *file, struct error *err) MUST_CHECK;

/* Closes a file after ERROR_INPUT. If the file was removed, a new file is made in its place and gets the dead
 * letters and, unless the caller holds them, the records, which only the removed file had. An error says that
 * these could not be saved. */
enum error_code spool_file_leave(struct spool_file *file, bool records_are_held,
                                 struct error *err) MUST_CHECK;

/* Begin and end a transaction. Once it is committed it is on disk, in files that still exist. On any error
 * the caller must rely on nothing of it. ERROR_FULL: the disk has no room. ERROR_INPUT: the file is damaged
 * or gone; the caller calls spool_file_leave() and opens the spool again. */
enum error_code spool_file_begin(struct spool_file *file, struct error *err) MUST_CHECK;
enum error_code spool_file_commit(struct spool_file *file, struct error *err) MUST_CHECK;
void spool_file_rollback(struct spool_file *file);

enum error_code spool_file_put(struct spool_file *file, struct text table, struct text uid,
                               struct text body, struct error *err) MUST_CHECK;
enum error_code spool_file_delete(struct spool_file *file, struct text table, struct text uid,
                                  struct error *err) MUST_CHECK;

struct dead_letter {
    int64_t id;    /* given by the file */
    int64_t at_us; /* microseconds since 1970 */
    struct text table, uid, version;
    int64_t number; /* the server's error number */
    struct text reason;
    struct text body; /* the row as JSON */
    bool damaged;     /* read: it is not as it was written */
};

enum error_code spool_file_put_dead(struct spool_file *file, const struct dead_letter *letter,
                                    struct error *err) MUST_CHECK;
enum error_code spool_file_drop_dead(struct spool_file *file, int64_t id,
                                     struct error *err) MUST_CHECK;

/* Stores a number under a name: a count of the ledger, or another number that is to outlive the process. */
enum error_code spool_file_put_number(struct spool_file *file, const char *name, int64_t value,
                                      struct error *err) MUST_CHECK;

/* Stores a short text under a name. */
enum error_code spool_file_put_note(struct spool_file *file, const char *name, const char *text,
                                    struct error *err) MUST_CHECK;

/* Each function that reads calls a callback for one item after another. The texts are valid during that call.
 * The callback returns false to stop the reading. */
struct spool_record {
    int64_t id;
    struct text table, uid, body;
};

/* intact: the record's checksum is right, or it has none, being of a program that knew no checksums. */
typedef bool spool_told_record(void *context, const struct spool_record *record, bool intact);
typedef bool spool_dead(void *context, const struct dead_letter *letter);
typedef bool spool_number(void *context, struct text name, int64_t value);
typedef bool spool_told_note(void *context, struct text name, struct text text, bool intact);

/* Reads at most `max` records after the position *after, which is 0 at first and is moved on. */
enum error_code spool_file_read(struct spool_file *file, int64_t *after, size_t max,
                                spool_told_record *told, void *context,
                                struct error *err) MUST_CHECK;
enum error_code spool_file_read_dead(struct spool_file *file, spool_dead *dead, void *context,
                                     struct error *err) MUST_CHECK;
enum error_code spool_file_read_numbers(struct spool_file *file, spool_number *number,
                                        void *context, struct error *err) MUST_CHECK;
enum error_code spool_file_read_notes(struct spool_file *file, spool_told_note *note, void *context,
                                      struct error *err) MUST_CHECK;

/* A record that cannot be read is moved to a table of its own, with the reason, and is no longer in
 * the way. */
enum error_code spool_file_quarantine(struct spool_file *file, int64_t id, struct text reason,
                                      struct error *err) MUST_CHECK;

/* What the last transaction left. */
struct spool_state {
    int64_t transactions, records, dead_letters;
    struct spool_loss lost; /* since the spool was made, as found when it was opened */
};

struct spool_usage {
    int64_t bytes;      /* in use in the file */
    int64_t file_bytes; /* on disk, write-ahead log included */
    int64_t free_bytes; /* on the disk, for us */
    struct spool_state state;
};

/* Measures how much room the spool takes and has. It is quick enough to be called after every transaction. */
enum error_code spool_file_usage(struct spool_file *file, struct spool_usage *usage,
                                 struct error *err) MUST_CHECK;

struct spool_counts {
    int64_t records;
    int64_t dead_letters;
    int64_t quarantined;
    int64_t records_left; /* by the last transaction: there should be so many */
};

/* Counts by reading every record, which takes long in a large spool. */
enum error_code spool_file_count(struct spool_file *file, struct spool_counts *counts,
                                 struct error *err) MUST_CHECK;

/* Gives a slice of unused pages back to the disk, and empties the write-ahead log. *more: there are more
 * pages to give back. */
enum error_code spool_file_shrink(struct spool_file *file, bool *more,
                                  struct error *err) MUST_CHECK;

#endif
