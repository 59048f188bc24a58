/* db_write: batches of rows through prepared statements, over a connection that db.c has opened.
 *
 * Happy path: one transaction per batch: START TRANSACTION, a few multi-row statements, COMMIT; or a
 * single statement, which commits itself (autocommit = 1, see session.c). The return code of what commits
 * is the acknowledgement; the count of affected rows says nothing (an unchanged row counts as 0).
 *
 * Failure modes:
 *   one of several statements fails  ROLLBACK, always: some errors undo only the statement. If that
 *                                    fails too the connection is closed
 *   a commit's answer is lost        nobody knows; the same rows again are harmless, by the guard
 *   statements are stale             the connection is closed, the next one prepares anew
 *   a row is larger than a packet    refused before it is sent
 */
#include "lib/base/buffer.h"
#include "lib/base/invariant.h"
#include "lib/base/memory.h"
#include "lib/base/timestamp.h"
#include "lib/sql/sql.h"
#include "sidecar/store/db_private.h"

#include <stdio.h>
#include <stdlib.h>

/* A batch is written by statements of 1, 2, 4, ... 128 rows, largest first: few enough to keep all
 * prepared. More than 128 rows at once gain nothing, and a prepared statement takes 2 KiB for each.
 *
 * Not by COM_STMT_BULK_EXECUTE, which would need one statement only: MariaDB (10.11.19) loses rows by
 * it, without an error, where two connections write to a table with an AUTO_INCREMENT key. A row is
 * taken for the duplicate of another one, whose version is newer, and is not written. */
#define STATEMENT_SIZES    8
#define STATEMENT_MAX_ROWS ((size_t)1 << (STATEMENT_SIZES - 1))

/* The text of a statement of 128 rows is some 10 KiB. */
#define STATEMENT_MAX_TEXT ((size_t)1 << 20)

/* DATETIME's range: from the year 1000 up to, not including, the year 10000. */
#define TIME_MIN_US (INT64_C(-30610224000) * 1000000)
#define TIME_END_US (INT64_C(253402300800) * 1000000)

#define MAX_PARAMETERS (STATEMENT_MAX_ROWS * TABLE_MAX_COLUMNS)

/* The statements that write rows of one table and mode. Made when first needed, gone with the
 * connection. */
struct statement_set {
    const struct table *table;
    enum row_mode mode;
    MYSQL_STMT *statements[STATEMENT_SIZES]; /* [i]: for 1 << i rows; NULL: not prepared yet */
    struct statement_set *next;
    size_t parameter_count; /* for each row */
    uint8_t columns[];      /* [parameter_count]: the column that a parameter is bound to */
};

/* What a parameter's MYSQL_BIND points to. Texts are not copied: it points into the row. */
struct value {
    union {
        long long integer;
        MYSQL_TIME time;
    };
    my_bool is_null;
};

struct db_statements {
    struct statement_set *first;
    MYSQL_BIND *binds;    /* [MAX_PARAMETERS] */
    struct value *values; /* [MAX_PARAMETERS] */
};

/* ---- statements ------------------------------------------------------------------------------ */

struct db_statements *db_statements_new(void)
{
    struct db_statements *statements = memory_new(sizeof(*statements));
    statements->binds = memory_new_array(MAX_PARAMETERS, sizeof(*statements->binds));
    statements->values = memory_new_array(MAX_PARAMETERS, sizeof(*statements->values));
    return statements;
}

void db_statements_drop(struct db_statements *statements)
{
    while (statements->first != NULL) {
        struct statement_set *set = statements->first;
        statements->first = set->next;
        for (size_t i = 0; i < STATEMENT_SIZES; i++) {
            if (set->statements[i] != NULL)
                mysql_stmt_close(set->statements[i]);
        }
        free(set);
    }
}

void db_statements_free(struct db_statements *statements)
{
    db_statements_drop(statements);
    free(statements->binds);
    free(statements->values);
    free(statements);
}

static struct statement_set *find_or_add_set(struct db_statements *statements,
                                             const struct table *table, enum row_mode mode)
{
    for (struct statement_set *set = statements->first; set != NULL; set = set->next) {
        if (set->table == table && set->mode == mode)
            return set;
    }
    size_t parameters = mode == ROW_UPDATE ? sql_update(NULL, table, NULL) : table->column_count;
    invariant(parameters <= MAX_PARAMETERS);
    struct statement_set *set = memory_new(sizeof(*set) + parameters);
    set->table = table;
    set->mode = mode;
    set->parameter_count = parameters;
    for (size_t i = 0; i < table->column_count && mode != ROW_UPDATE; i++)
        set->columns[i] = (uint8_t)i;
    if (mode == ROW_UPDATE)
        (void)sql_update(NULL, table, set->columns);
    set->next = statements->first;
    statements->first = set;
    return set;
}

/* The most that a row can take of a packet. */
static size_t packet_bytes(const struct statement_set *set, const struct row *row)
{
    const size_t besides_text = 16; /* type, NULL bit, length; or a whole number or time */
    size_t bytes = set->parameter_count * besides_text;
    for (size_t i = 0; i < set->parameter_count; i++) {
        const struct cell *cell = &row->cells[set->columns[i]];
        if (cell->type == CELL_TEXT)
            bytes += cell->length;
    }
    return bytes;
}

/* How many of the rows the next statement takes, as a power of two: the largest that there are rows
 * for, and that fills at most 80 % of a packet. -1: not even one row fits. */
static int next_size(const struct db *db, const struct statement_set *set, struct row *const *rows,
                     size_t count)
{
    size_t limit = db->server.max_packet / 5 * 4;
    size_t max = set->mode == ROW_UPDATE ? 1 : STATEMENT_MAX_ROWS;
    size_t bytes = 0, fitting = 0;
    while (fitting < count && fitting < max) {
        bytes += packet_bytes(set, rows[fitting]);
        if (bytes > limit)
            break;
        fitting++;
    }
    int size = -1;
    while (fitting >> (size + 1) > 0)
        size++;
    return size;
}

static enum error_code prepare_text(struct db *db, struct text sql, const char *what,
                                    MYSQL_STMT **result, struct db_error *err)
{
    MYSQL_STMT *stmt = mysql_stmt_init(db->mysql);
    if (stmt == NULL)
        return db_no_memory(err, what);
    if (mysql_stmt_prepare(stmt, sql.data, sql.length) != 0) {
        enum error_code code = db_fail_statement(db, err, what, stmt);
        mysql_stmt_close(stmt);
        return code;
    }
    *result = stmt;
    return ERROR_NONE;
}

static enum error_code prepare(struct db *db, struct statement_set *set, int size,
                               struct db_error *err)
{
    if (set->statements[size] != NULL)
        return ERROR_NONE;
    char what[128];
    snprintf(what, sizeof(what), "preparing a write to %s", set->table->name);
    struct buffer sql;
    buffer_init(&sql, STATEMENT_MAX_TEXT);
    if (set->mode == ROW_UPDATE)
        (void)sql_update(&sql, set->table, NULL);
    else
        sql_upsert(&sql, set->table, (size_t)1 << size);
    enum error_code code =
        sql.failed ? db_no_memory(err, what)
                   : prepare_text(db, buffer_text(&sql), what, &set->statements[size], err);
    buffer_fini(&sql);
    return code;
}

/* A time that DATETIME does not have is not known. */
static void bind_time(MYSQL_BIND *bind, struct value *value, const struct cell *cell)
{
    bind->buffer_type = MYSQL_TYPE_DATETIME;
    bind->buffer = &value->time;
    value->is_null =
        cell->type != CELL_TIME || cell->integer < TIME_MIN_US || cell->integer >= TIME_END_US;
    if (value->is_null)
        return;
    struct civil_time civil;
    timestamp_to_civil(cell->integer, &civil);
    value->time = (MYSQL_TIME){
        .year = (unsigned)civil.year,
        .month = civil.month,
        .day = civil.day,
        .hour = civil.hour,
        .minute = civil.minute,
        .second = civil.second, /* whole ones: servers do not agree on how to round */
        .time_type = MYSQL_TIMESTAMP_DATETIME,
    };
}

/* Each column has one type, also where it is NULL. */
static void bind_cell(MYSQL_BIND *bind, struct value *value, enum column_type type,
                      const struct cell *cell)
{
    bind->is_null = &value->is_null;
    switch (type) {
    case COLUMN_TEXT:
    case COLUMN_KEY:
        bind->buffer_type = MYSQL_TYPE_STRING;
        value->is_null = cell->type != CELL_TEXT;
        bind->buffer = value->is_null ? NULL : (char *)cell->data;
        bind->buffer_length = value->is_null ? 0 : cell->length;
        break;
    case COLUMN_INT:
        bind->buffer_type = MYSQL_TYPE_LONGLONG;
        bind->buffer = &value->integer;
        value->is_null = cell->type != CELL_INT;
        value->integer = value->is_null ? 0 : cell->integer;
        break;
    case COLUMN_TIME:
        bind_time(bind, value, cell);
        break;
    }
}

static size_t bind_rows(struct db_statements *statements, const struct statement_set *set,
                        struct row *const *rows, size_t count)
{
    size_t next = 0;
    for (size_t r = 0; r < count; r++) {
        for (size_t i = 0; i < set->parameter_count; i++, next++) {
            size_t column = set->columns[i];
            bind_cell(&statements->binds[next], &statements->values[next],
                      set->table->columns[column].type, &rows[r]->cells[column]);
        }
    }
    return next;
}

/* The largest statement for the first of the rows. Where the server has no room for another prepared
 * statement, a smaller one that there is does it; where there is none, it is for this connection. */
static enum error_code choose(struct db *db, struct statement_set *set, struct row *const *rows,
                              size_t count, int *size, struct db_error *err)
{
    *size = next_size(db, set, rows, count);
    if (*size < 0) {
        db_error_set(err, DBERROR_ROW,
                     "writing to %s: the row takes %zu bytes, too many for the server's "
                     "max_allowed_packet of %zu",
                     set->table->name, packet_bytes(set, rows[0]), db->server.max_packet);
        err->row = 1;
        err->affects = DB_AFFECTS_ROWS;
        return ERROR_INPUT;
    }
    enum error_code code = prepare(db, set, *size, err);
    while (code != ERROR_NONE && err->class == DBERROR_WAIT && *size > 0)
        code = prepare(db, set, --*size, err);
    if (code != ERROR_NONE && err->class != DBERROR_WAIT)
        err->affects = DB_AFFECTS_ROWS;
    return code;
}

/* Writes the first 1 << size rows. */
static enum error_code execute(struct db *db, struct statement_set *set, struct row *const *rows,
                               int size, struct db_error *err)
{
    MYSQL_STMT *stmt = set->statements[size];
    size_t count = (size_t)1 << size;
    size_t parameters = bind_rows(db->statements, set, rows, count);
    invariant(parameters == mysql_stmt_param_count(stmt));
    if (mysql_stmt_bind_param(stmt, db->statements->binds) == 0 && mysql_stmt_execute(stmt) == 0)
        return ERROR_NONE;
    char what[128];
    snprintf(what, sizeof(what), "writing %zu rows to %s", count, set->table->name);
    enum error_code code = db_fail_statement(db, err, what, stmt);
    err->affects = DB_AFFECTS_ROWS;
    return code;
}

/* The row of the batch that is at fault, from what is known of one statement of it. */
static size_t row_at_fault(const struct db_error *err, size_t before, size_t count)
{
    if (err->class != DBERROR_ROW)
        return 0;
    if (err->row >= 1 && err->row <= count)
        return before + err->row;
    return count == 1 ? before + 1 : 0;
}

static enum error_code execute_all(struct db *db, struct statement_set *set,
                                   struct row *const *rows, size_t count, struct db_error *err)
{
    for (size_t done = 0; done < count;) {
        int size;
        enum error_code code = choose(db, set, rows + done, count - done, &size, err);
        if (code == ERROR_NONE)
            code = execute(db, set, rows + done, size, err);
        if (code != ERROR_NONE) {
            err->row = row_at_fault(err, done, size < 0 ? 1 : (size_t)1 << size);
            return code;
        }
        done += (size_t)1 << size;
    }
    return ERROR_NONE;
}

static void roll_back(struct db *db)
{
    struct db_error ignored; /* the first error is the one that tells */
    if (db->mysql != NULL && db_exec(db, TEXT("ROLLBACK"), &ignored) != ERROR_NONE)
        db_close(db);
}

static enum error_code execute_together(struct db *db, struct statement_set *set,
                                        struct row *const *rows, size_t count, struct db_error *err)
{
    enum error_code code = db_exec(db, TEXT("START TRANSACTION"), err);
    if (code != ERROR_NONE)
        return code;
    code = execute_all(db, set, rows, count, err);
    if (code == ERROR_NONE) {
        code = db_exec(db, TEXT("COMMIT"), err);
        err->affects = DB_AFFECTS_ROWS;
    }
    if (code != ERROR_NONE)
        roll_back(db);
    return code;
}

enum error_code db_write(struct db *db, const struct table *table, enum row_mode mode,
                         struct row *const *rows, size_t count, struct db_error *err)
{
    if (db->mysql == NULL)
        return db_error_set(err, DBERROR_RECONNECT, "not connected");
    struct statement_set *set = find_or_add_set(db->statements, table, mode);
    int size;
    enum error_code code = choose(db, set, rows, count, &size, err);
    if (code != ERROR_NONE)
        return code;
    /* One statement is a transaction by itself, and one round trip instead of three. */
    code = (size_t)1 << size == count ? execute_all(db, set, rows, count, err)
                                      : execute_together(db, set, rows, count, err);
    if (code != ERROR_NONE && db->mysql == NULL)
        err->affects = DB_AFFECTS_CONNECTION;
    return code;
}
