/* db_write: writes batches of rows by prepared statements, over a connection that db.c has opened.
 *
 * Happy path: a batch is one transaction: START TRANSACTION, a few statements of several rows each, COMMIT;
 * or one statement alone, which commits itself (autocommit = 1, see session.c). The return code of what
 * commits is the proof. The number of affected rows is no proof: a row that does not change counts as 0.
 *
 * Failure modes:
 *   one of several statements fails  ROLLBACK, always, since some errors undo only the statement. If that fails
 *                                    as well, the connection is closed
 *   the answer to a commit is lost   nobody knows whether the rows are there; writing them again is harmless
 *   statements are stale             the connection is closed, and the next one prepares its own
 *   a row is larger than a packet    it is refused before it is sent
 */
#include "lib/base/buffer.h"
#include "lib/base/invariant.h"
#include "lib/base/memory.h"
#include "lib/base/timestamp.h"
#include "lib/sql/sql.h"
#include "sidecar/store/db_private.h"

#include <stdio.h>
#include <stdlib.h>

/* A batch is written by statements of 1, 2, 4, ... 128 rows, largest first. These are few enough to keep all
 * of them prepared. More than 128 rows in a statement gain nothing, and a prepared statement takes 2 KiB for
 * each.
 *
 * COM_STMT_BULK_EXECUTE would need one statement only, but MariaDB (10.11.19) loses rows by it, without an
 * error, if two connections write to a table with an AUTO_INCREMENT key: a row is taken for the duplicate of
 * another row whose version is newer, and is not written. */
#define STATEMENT_SIZES    8
#define STATEMENT_MAX_ROWS ((size_t)1 << (STATEMENT_SIZES - 1))

/* The text of a statement of 128 rows is some 10 KiB. */
#define STATEMENT_MAX_TEXT ((size_t)1 << 20)

/* DATETIME's range is from the year 1000 to the end of the year 9999. */
#define TIME_MIN_US (INT64_C(-30610224000) * 1000000)
#define TIME_END_US (INT64_C(253402300800) * 1000000)

#define MAX_PARAMETERS (STATEMENT_MAX_ROWS * TABLE_MAX_COLUMNS)

/* The statements that write rows of one table and mode. They are prepared when first needed, and gone with
 * the connection. */
struct statement_set {
    const struct table *table;
    enum row_mode mode;
    MYSQL_STMT *statements[STATEMENT_SIZES]; /* [i]: for 1 << i rows; NULL: not prepared yet */
    struct statement_set *next;
    size_t parameter_count; /* for each row */
    uint8_t columns[];      /* [parameter_count]: the column that a parameter is bound to */
};

/* The value that a parameter's MYSQL_BIND points to. A text is not copied: the MYSQL_BIND points into the
 * row. */
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

/* Returns the most bytes that a row can take of a packet. */
static size_t packet_bytes(const struct statement_set *set, const struct row *row)
{
    const size_t besides_text = 16; /* type, NULL bit and length; or a number or time */
    size_t bytes = set->parameter_count * besides_text;
    for (size_t i = 0; i < set->parameter_count; i++) {
        const struct cell *cell = &row->cells[set->columns[i]];
        if (cell->type == CELL_TEXT)
            bytes += cell->length;
    }
    return bytes;
}

/* Returns the size of the next statement, as a power of two: the largest for which there are rows, and which
 * fills at most 80 % of a packet. Returns -1 if not even one row fits. */
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
    enum error_code code = ERROR_NONE;
    struct text text = buffer_text(&sql);
    MYSQL_STMT *stmt = sql.failed ? NULL : mysql_stmt_init(db->mysql);
    if (stmt == NULL) {
        code = db_no_memory(err, what);
    } else if (mysql_stmt_prepare(stmt, text.data, text.length) != 0) {
        code = db_fail_statement(db, err, what, stmt);
        mysql_stmt_close(stmt);
    } else {
        set->statements[size] = stmt;
    }
    buffer_fini(&sql);
    return code;
}

/* Each column has one type, even if its value is NULL. */
static void bind_cell(MYSQL_BIND *bind, struct value *value, enum column_type type,
                      const struct cell *cell)
{
    struct civil_time civil;
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
        bind->buffer_type = MYSQL_TYPE_DATETIME;
        bind->buffer = &value->time;
        /* A time outside of DATETIME's range counts as unknown. */
        value->is_null =
            cell->type != CELL_TIME || cell->integer < TIME_MIN_US || cell->integer >= TIME_END_US;
        if (value->is_null)
            break;
        timestamp_to_civil(cell->integer, &civil);
        value->time = (MYSQL_TIME){
            .year = (unsigned)civil.year,
            .month = civil.month,
            .day = civil.day,
            .hour = civil.hour,
            .minute = civil.minute,
            .second = civil.second, /* whole seconds: servers do not agree on how to round */
            .time_type = MYSQL_TIMESTAMP_DATETIME,
        };
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

/* Chooses the largest statement for the first of the rows, and prepares it. If the server has no room for
 * another prepared statement, a smaller one that is prepared already is taken; if there is none, the error is
 * one of the connection. */
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

/* Returns the row of the batch that is at fault, by the error of a statement that has written rows [before,
 * before + count) of it; counted from 1, 0: not known. */
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
        if (choose(db, set, rows + done, count - done, &size, err) != ERROR_NONE) {
            err->row = row_at_fault(err, done, size < 0 ? 1 : (size_t)1 << size);
            return err->error.code;
        }
        MYSQL_STMT *stmt = set->statements[size];
        const size_t some = (size_t)1 << size;
        size_t parameters = bind_rows(db->statements, set, rows + done, some);
        invariant(parameters == mysql_stmt_param_count(stmt));
        if (mysql_stmt_bind_param(stmt, db->statements->binds) != 0 ||
            mysql_stmt_execute(stmt) != 0) {
            char what[128];
            snprintf(what, sizeof(what), "writing %zu rows to %s", some, set->table->name);
            db_fail_statement(db, err, what, stmt);
            err->affects = DB_AFFECTS_ROWS;
            err->row = row_at_fault(err, done, some);
            return err->error.code;
        }
        done += some;
    }
    return ERROR_NONE;
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
    /* One statement is a transaction by itself, and takes one round trip instead of three. */
    const bool commits_itself = (size_t)1 << size == count;
    if (!commits_itself && db_exec(db, TEXT("START TRANSACTION"), err) != ERROR_NONE)
        return err->error.code;
    code = execute_all(db, set, rows, count, err);
    if (code == ERROR_NONE && !commits_itself) {
        code = db_exec(db, TEXT("COMMIT"), err);
        err->affects = DB_AFFECTS_ROWS;
    }
    struct db_error ignored; /* the first error is the one that matters */
    if (code != ERROR_NONE && !commits_itself && db->mysql != NULL &&
        db_exec(db, TEXT("ROLLBACK"), &ignored) != ERROR_NONE)
        db_close(db);
    if (code != ERROR_NONE && db->mysql == NULL)
        err->affects = DB_AFFECTS_CONNECTION;
    return code;
}
