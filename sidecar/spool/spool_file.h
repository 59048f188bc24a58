/* spool_file: the spool on disk.
 *
 * Blocking; used by one thread at a time. A record is what is not in the database yet of one object; a
 * dead letter is a row that the database will never take as it is. Both hold rows as JSON, so that a
 * person can look at them with the sqlite3 client. */
#ifndef SIDECAR_SPOOL_FILE_H
#define SIDECAR_SPOOL_FILE_H

#include "lib/base/error.h"
#include "lib/base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spool_file;

/* What was committed and is not there any more. */
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

/* Opens or makes the spool in a directory. Exclusive: a second process is refused (ERROR_OPERATOR), but
 * for one that only looks. A file that is damaged is set aside under a new name, and a new one is begun.
 * records_are_held: the caller has all records in memory, so that none of them is lost.
 * ERROR_OPERATOR: the directory is missing, not writable, or of a newer version: the text says what
 * to do. ERROR_AGAIN: the disk is full or fails. */
enum error_code spool_file_open(const char *directory, bool records_are_held,
                                struct spool_file **file, struct spool_opening *opening,
                                struct error *err) MUST_CHECK;

/* The same to look at, beside a running sidecar; or to change dead letters. */
enum error_code spool_file_attach(const char *directory, struct spool_file **file,
                                  struct error *err) MUST_CHECK;
void spool_file_close(struct spool_file *file);

/* Looks whether the files are those that were opened, and nobody else has written to them. ERROR_INPUT:
 * they are not: leave it, open again. */
enum error_code spool_file_check(struct spool_file *file, struct error *err) MUST_CHECK;

/* Closes a file that is not what it was (ERROR_INPUT). Where it was removed, the dead letters that only it
 * had, and the records unless the caller holds them, go to a new one in its place; an error says that they
 * could not. */
enum error_code spool_file_leave(struct spool_file *file, bool records_are_held,
                                 struct error *err) MUST_CHECK;

/* One transaction, on disk when it is committed, in files that are still there. On any error nothing of it
 * is to be relied on.
 * ERROR_FULL: no room on the disk. ERROR_INPUT: the file is damaged or gone: leave it, open again. */
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

/* A number under a name: the ledger, and what else is to outlive the process. */
enum error_code spool_file_put_number(struct spool_file *file, const char *name, int64_t value,
                                      struct error *err) MUST_CHECK;

/* A short text under a name. */
enum error_code spool_file_put_note(struct spool_file *file, const char *name, const char *text,
                                    struct error *err) MUST_CHECK;

/* Reading; each calls back for one after another. The texts are valid during the call. The callback
 * returns false to stop. */
struct spool_record {
    int64_t id;
    struct text table, uid, body;
};

/* intact: it is as it was written, or from a program that knew no checksums. */
typedef bool spool_told_record(void *context, const struct spool_record *record, bool intact);
typedef bool spool_dead(void *context, const struct dead_letter *letter);
typedef bool spool_number(void *context, struct text name, int64_t value);
typedef bool spool_told_note(void *context, struct text name, struct text text, bool intact);

/* At most `max` records behind the position *after (0 at first; moved on). */
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

/* As of the last transaction. */
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

/* Quick: may be asked after every transaction. */
enum error_code spool_file_usage(struct spool_file *file, struct spool_usage *usage,
                                 struct error *err) MUST_CHECK;

struct spool_counts {
    int64_t records;
    int64_t dead_letters;
    int64_t quarantined;
    int64_t records_left; /* by the last transaction: there should be so many */
};

/* Looks at every record. */
enum error_code spool_file_count(struct spool_file *file, struct spool_counts *counts,
                                 struct error *err) MUST_CHECK;

/* Gives a slice of unused pages back to the disk, and empties the write-ahead log. *more: there is
 * more to give back. */
enum error_code spool_file_shrink(struct spool_file *file, bool *more,
                                  struct error *err) MUST_CHECK;

#endif
