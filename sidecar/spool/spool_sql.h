/* spool_sql: the spool's connection to SQLite. It does not know what the spool's tables hold. */
#ifndef SIDECAR_SPOOL_SQL_H
#define SIDECAR_SPOOL_SQL_H

#include "lib/base/error.h"
#include "lib/base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPOOL_SQL_STATEMENTS 32 /* that can be prepared at once: one for each place that has one */

/* A statement. It must be static: it is prepared when it is first run, and known by its address. */
struct spool_statement {
    const char *what; /* it does, for error texts */
    const char *text;
};

/* A connection, embedded in its user's struct. It is all 0 while it is not open. */
struct spool_sql {
    const char *path; /* borrowed */
    struct sqlite3 *db;
    struct spool_prepared {
        const struct spool_statement *statement;
        struct sqlite3_stmt *handle;
    } prepared[SPOOL_SQL_STATEMENTS];
    size_t count;
};

/* A parameter of a statement. Texts are borrowed until it has been run. */
struct spool_value {
    struct text text;
    int64_t integer;
    bool is_text;
};

static inline struct spool_value spool_text(struct text text)
{
    return (struct spool_value){.text = text, .is_text = true};
}

static inline struct spool_value spool_integer(int64_t integer)
{
    return (struct spool_value){.integer = integer};
}

#define SPOOL_VALUES(...)                                                                          \
    (const struct spool_value[]){__VA_ARGS__},                                                     \
        sizeof((const struct spool_value[]){__VA_ARGS__}) / sizeof(struct spool_value)

/* Opens or makes the file at path, with a write-ahead log and synchronous=FULL: committed transactions are on
 * disk. The errors of all functions here are ERROR_FULL: the disk is full; ERROR_INPUT: the file is damaged;
 * ERROR_OPERATOR: it can't be written or opened, and the text says what to do; ERROR_AGAIN: all others. */
enum error_code spool_sql_open(struct spool_sql *sql, const char *path,
                               struct error *err) MUST_CHECK;
void spool_sql_close(struct spool_sql *sql);

/* Prevents that the write-ahead log is copied into the file when the connection is closed. */
void spool_sql_leave_log(struct spool_sql *sql);

/* Runs statements without parameters and results, separated by semicolons. */
enum error_code spool_sql_execute(struct spool_sql *sql, const char *text,
                                  struct error *err) MUST_CHECK;

/* Reads every page. ERROR_INPUT: the file is damaged. */
enum error_code spool_sql_check(struct spool_sql *sql, struct error *err) MUST_CHECK;

/* Begin and end a transaction. */
enum error_code spool_sql_begin(struct spool_sql *sql, struct error *err) MUST_CHECK;
enum error_code spool_sql_commit(struct spool_sql *sql, struct error *err) MUST_CHECK;
void spool_sql_rollback(struct spool_sql *sql);

/* Runs a statement without a result. */
enum error_code spool_sql_run(struct spool_sql *sql, const struct spool_statement *statement,
                              const struct spool_value *values, size_t count,
                              struct error *err) MUST_CHECK;

/* Runs a statement without parameters whose result is one row of `count` integers. They are left as they are if
 * there is no row. */
enum error_code spool_sql_integers(struct spool_sql *sql, const struct spool_statement *statement,
                                   int64_t *integers, size_t count, struct error *err) MUST_CHECK;

/* A statement with results: spool_sql_select(), spool_sql_next() until it returns false, spool_sql_end(),
 * which returns an error of any of the three. */
struct spool_cursor {
    struct spool_sql *sql;
    const struct spool_statement *statement;
    struct sqlite3_stmt *handle; /* NULL: it could not be prepared */
    int status;                  /* SQLite's */
};

struct spool_cursor spool_sql_select(struct spool_sql *sql, const struct spool_statement *statement,
                                     const struct spool_value *values, size_t count);
bool spool_sql_next(struct spool_cursor *cursor);
enum error_code spool_sql_end(struct spool_cursor *cursor, struct error *err) MUST_CHECK;

/* Return a column of the present row; a text is valid until the next row is asked for. */
struct text spool_column_text(const struct spool_cursor *cursor, int column);
int64_t spool_column_integer(const struct spool_cursor *cursor, int column);
bool spool_column_is_null(const struct spool_cursor *cursor, int column);

#endif
