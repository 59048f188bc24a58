/* spool_sql: each statement is prepared once, and bound, stepped and reset each time that it is run. This is
 * the only file that includes sqlite3.h. */
#include "sidecar/spool/spool_sql.h"

#include "lib/base/invariant.h"

#include <sqlite3.h>

#define BUSY_TIMEOUT_MS 5000

static enum error_code sql_error(const struct spool_sql *sql, int status, const char *what,
                                 struct error *err)
{
    const char *text = sql->db != NULL ? sqlite3_errmsg(sql->db) : sqlite3_errstr(status);
    /* SQLite has this code for its shared memory, which is a file, where the disk has no room for it. */
    if (sql->db != NULL && sqlite3_extended_errcode(sql->db) == SQLITE_IOERR_SHMSIZE)
        status = SQLITE_FULL;
    switch (status & 0xff) {
    case SQLITE_FULL:
        return error_set(err, ERROR_FULL, "spool %s: %s: %s: free some room on its disk", sql->path,
                         what, text);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return error_set(err, ERROR_INPUT, "spool %s: %s: %s", sql->path, what, text);
    case SQLITE_NOMEM:
        return error_set(err, ERROR_NOMEM, "spool %s: %s: no memory", sql->path, what);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
        return error_set(err, ERROR_OPERATOR,
                         "spool %s: %s: %s: SPOOL_DIR has to be writable for this process",
                         sql->path, what, text);
    default:
        return error_set(err, ERROR_AGAIN, "spool %s: %s: %s", sql->path, what, text);
    }
}

enum error_code spool_sql_open(struct spool_sql *sql, const char *path, struct error *err)
{
    *sql = (struct spool_sql){.path = path};
    int status = sqlite3_open_v2(
        path, &sql->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (status != SQLITE_OK)
        return sql_error(sql, status, "open", err);
    sqlite3_extended_result_codes(sql->db, 1);
    sqlite3_busy_timeout(sql->db, BUSY_TIMEOUT_MS);
    enum error_code code = spool_sql_execute(sql, "PRAGMA auto_vacuum = INCREMENTAL", err);
    if (code == ERROR_NONE)
        code = spool_sql_execute(sql, "PRAGMA journal_mode = WAL", err);
    if (code == ERROR_NONE)
        code = spool_sql_execute(sql, "PRAGMA synchronous = FULL", err);
    return code;
}

void spool_sql_close(struct spool_sql *sql)
{
    for (size_t i = 0; i < sql->count; i++)
        sqlite3_finalize(sql->prepared[i].handle);
    sqlite3_close(sql->db);
    *sql = (struct spool_sql){0};
}

void spool_sql_leave_log(struct spool_sql *sql)
{
    sqlite3_db_config(sql->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
}

enum error_code spool_sql_execute(struct spool_sql *sql, const char *text, struct error *err)
{
    int status = sqlite3_exec(sql->db, text, NULL, NULL, NULL);
    return status == SQLITE_OK ? ERROR_NONE : sql_error(sql, status, text, err);
}

/* This is a PRAGMA statement, not a SELECT from the pragma's table-valued function: there SQLite 3.46 takes
 * the argument for the name of the table to check. */
enum error_code spool_sql_check(struct spool_sql *sql, struct error *err)
{
    static const struct spool_statement check = {"look whether it is whole",
                                                 "PRAGMA quick_check(1)"};
    struct spool_cursor cursor = spool_sql_select(sql, &check, NULL, 0);
    bool is_whole = spool_sql_next(&cursor) && text_is(spool_column_text(&cursor, 0), "ok");
    enum error_code code = spool_sql_end(&cursor, err);
    if (code == ERROR_NONE && !is_whole)
        code = error_set(err, ERROR_INPUT, "spool %s: the file is damaged", sql->path);
    return code;
}

enum error_code spool_sql_begin(struct spool_sql *sql, struct error *err)
{
    static const struct spool_statement begin = {"begin", "BEGIN IMMEDIATE"};
    return spool_sql_run(sql, &begin, NULL, 0, err);
}

enum error_code spool_sql_commit(struct spool_sql *sql, struct error *err)
{
    static const struct spool_statement commit = {"commit", "COMMIT"};
    return spool_sql_run(sql, &commit, NULL, 0, err);
}

void spool_sql_rollback(struct spool_sql *sql)
{
    if (!sqlite3_get_autocommit(sql->db))
        sqlite3_exec(sql->db, "ROLLBACK", NULL, NULL, NULL);
}

static int prepare(struct spool_sql *sql, const struct spool_statement *statement,
                   sqlite3_stmt **handle)
{
    struct spool_prepared *prepared = sql->prepared;
    while (prepared < sql->prepared + sql->count && prepared->statement != statement)
        prepared++;
    if (prepared == sql->prepared + sql->count) {
        invariant(sql->count < SPOOL_SQL_STATEMENTS);
        int status = sqlite3_prepare_v3(sql->db, statement->text, -1, SQLITE_PREPARE_PERSISTENT,
                                        &prepared->handle, NULL);
        if (status != SQLITE_OK)
            return status;
        prepared->statement = statement;
        sql->count++;
    }
    *handle = prepared->handle;
    return SQLITE_OK;
}

struct spool_cursor spool_sql_select(struct spool_sql *sql, const struct spool_statement *statement,
                                     const struct spool_value *values, size_t count)
{
    struct spool_cursor cursor = {.sql = sql, .statement = statement};
    cursor.status = prepare(sql, statement, &cursor.handle);
    for (size_t i = 0; i < count && cursor.status == SQLITE_OK; i++) {
        struct text text = values[i].text;
        cursor.status =
            values[i].is_text
                ? sqlite3_bind_text64(cursor.handle, (int)i + 1, text.data != NULL ? text.data : "",
                                      text.length, SQLITE_STATIC, SQLITE_UTF8)
                : sqlite3_bind_int64(cursor.handle, (int)i + 1, values[i].integer);
    }
    return cursor;
}

bool spool_sql_next(struct spool_cursor *cursor)
{
    if (cursor->status == SQLITE_OK || cursor->status == SQLITE_ROW)
        cursor->status = sqlite3_step(cursor->handle);
    return cursor->status == SQLITE_ROW;
}

enum error_code spool_sql_end(struct spool_cursor *cursor, struct error *err)
{
    bool is_well = cursor->status == SQLITE_DONE || cursor->status == SQLITE_ROW;
    enum error_code code =
        is_well ? ERROR_NONE : sql_error(cursor->sql, cursor->status, cursor->statement->what, err);
    if (cursor->handle != NULL) {
        sqlite3_reset(cursor->handle);
        sqlite3_clear_bindings(cursor->handle);
    }
    return code;
}

enum error_code spool_sql_run(struct spool_sql *sql, const struct spool_statement *statement,
                              const struct spool_value *values, size_t count, struct error *err)
{
    struct spool_cursor cursor = spool_sql_select(sql, statement, values, count);
    (void)spool_sql_next(&cursor);
    return spool_sql_end(&cursor, err);
}

enum error_code spool_sql_integers(struct spool_sql *sql, const struct spool_statement *statement,
                                   int64_t *integers, size_t count, struct error *err)
{
    struct spool_cursor cursor = spool_sql_select(sql, statement, NULL, 0);
    while (spool_sql_next(&cursor)) {
        for (size_t i = 0; i < count; i++)
            integers[i] = spool_column_integer(&cursor, (int)i);
    }
    return spool_sql_end(&cursor, err);
}

struct text spool_column_text(const struct spool_cursor *cursor, int column)
{
    const char *data = (const char *)sqlite3_column_text(cursor->handle, column);
    return (struct text){data != NULL ? data : "",
                         (size_t)sqlite3_column_bytes(cursor->handle, column)};
}

int64_t spool_column_integer(const struct spool_cursor *cursor, int column)
{
    return sqlite3_column_int64(cursor->handle, column);
}

bool spool_column_is_null(const struct spool_cursor *cursor, int column)
{
    return sqlite3_column_type(cursor->handle, column) == SQLITE_NULL;
}
