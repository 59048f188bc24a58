/* spool_sql: the spool's connection to SQLite, and nothing that knows what is in it. */
#ifndef SIDECAR_SPOOL_SQL_H
#define SIDECAR_SPOOL_SQL_H

#include "lib/base/error.h"
#include "lib/base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPOOL_SQL_STATEMENTS 32 /* that can be prepared at once: one for each place that has one */

/* Static: it is prepared when it is first run, and known by its address. */
struct spool_statement {
    const char *what; /* it does, for error texts */
    const char *text;
};

/* Embedded. All 0: not open. */
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

/* Opens or makes the file at path. Write-ahead log and synchronous=FULL: what is committed is on disk.
 * Errors of all functions here: ERROR_FULL: the disk is full. ERROR_INPUT: the file is damaged.
 * ERROR_OPERATOR: it can't be written, or not be opened: the text says what to do. ERROR_AGAIN: else. */
enum error_code spool_sql_open(struct spool_sql *sql, const char *path,
                               struct error *err) MUST_CHECK;
void spool_sql_close(struct spool_sql *sql);

/* The write-ahead log is not copied into the file when this is closed. */
void spool_sql_leave_log(struct spool_sql *sql);

/* Statements without parameters and results, separated by semicolons. */
enum error_code spool_sql_execute(struct spool_sql *sql, const char *text,
                                  struct error *err) MUST_CHECK;

/* The first column of the first row. */
enum error_code spool_sql_number(struct spool_sql *sql, const char *text, int64_t *number,
                                 struct error *err) MUST_CHECK;

/* Looks at every page. ERROR_INPUT: the file is damaged. */
enum error_code spool_sql_check(struct spool_sql *sql, struct error *err) MUST_CHECK;

/* A transaction. */
enum error_code spool_sql_begin(struct spool_sql *sql, struct error *err) MUST_CHECK;
enum error_code spool_sql_commit(struct spool_sql *sql, struct error *err) MUST_CHECK;
void spool_sql_rollback(struct spool_sql *sql);

/* A statement without a result. */
enum error_code spool_sql_run(struct spool_sql *sql, const struct spool_statement *statement,
                              const struct spool_value *values, size_t count,
                              struct error *err) MUST_CHECK;

/* A statement with results: begin, next until it is false, end. An error in between is told at the end. */
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

/* A column of the present row; texts are valid until the next one. */
struct text spool_column_text(const struct spool_cursor *cursor, int column);
int64_t spool_column_integer(const struct spool_cursor *cursor, int column);
bool spool_column_is_null(const struct spool_cursor *cursor, int column);

#endif
