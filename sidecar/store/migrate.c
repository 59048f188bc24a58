/* migrate: carries out the steps of lib/sql/migration.h over one connection.
 *
 * Happy path: a few SELECTs show that all is as it should be. If not, it takes the lock, looks again, carries
 * out step after step, looks again until nothing is left, and gives the lock back.
 *
 * Failure modes:
 *   somebody else is migrating     DBERROR_WAIT: the caller tries again later. The lock is the server's, and on a
 *                                  Galera cluster one node's. Two nodes may migrate at once, which does no harm,
 *                                  since every step may be repeated
 *   a deadlock, a lock wait        the same statement again, a few times
 *   KubeDL writes a duplicate      between cleaning and the unique key: one more round
 *   an ALTER TABLE takes longer    DBERROR_RECONNECT; the server goes on with it, and holds the lock until it is
 *   than the connection's time-out done
 *   killed, connection lost        the lock ends with the connection, and the next run goes on
 *   a step is refused for good     only the required steps are still carried out: what is only useful must not
 *                                  hold them up, as it does in the same ALTER TABLE. What is left is logged as
 *                                  statements for a DBA. DBERROR_OPERATOR if rows cannot be written without it
 */
#include "sidecar/store/migrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

/* How often duplicates are removed again if somebody writes new ones before the unique key is there. */
#define MAX_RACES 5

/* How often one statement is tried that loses against other transactions. */
#define MAX_TRIES 5

#define SQL_LIMIT ((size_t)1 << 17)

#define WORK "migrating the tables"

/* The lock is waited for one second, in which new tables are made. A lock's name has at most 64
 * characters. */
#define LOCK_NAME "CONCAT('kubedl-shipper.schema:', LEFT(DATABASE(), 42))"
#define LOCK      "SELECT GET_LOCK(" LOCK_NAME ", 1)"
#define UNLOCK    "DO RELEASE_LOCK(" LOCK_NAME ")"

/* If the network loses the connection and the server does not notice, nobody could migrate. So the server
 * ends a connection that sends no statement for a minute, and the lock with it. */
#define END_WHEN_IDLE "SET SESSION wait_timeout = 60"
#define MAY_BE_IDLE   "SET SESSION wait_timeout = @@GLOBAL.wait_timeout"

/* Asks for the statement with which a DBA chooses the database. */
#define DBA_USE "SELECT CONCAT('USE `', REPLACE(DATABASE(), '`', '``'), '`')"

/* ---- looking --------------------------------------------------------------------------------- */

struct reading {
    struct schema *schema;
    enum schema_question question;
    struct error err; /* .code is ERROR_NONE while all is well */
};

static void on_answer(void *context, const struct text *values, size_t count)
{
    struct reading *reading = context;
    if (reading->err.code == ERROR_NONE)
        reading->err.code =
            schema_answer(reading->schema, reading->question, values, count, &reading->err);
}

enum error_code migrate_look(struct db *db, struct schema *schema, struct db_error *err)
{
    enum error_code code = ERROR_NONE;
    struct buffer sql;
    buffer_init(&sql, SQL_LIMIT);
    for (unsigned question = 0; code == ERROR_NONE && question < SCHEMA_QUESTIONS; question++) {
        struct reading reading = {.schema = schema, .question = (enum schema_question)question};
        buffer_reset(&sql);
        bool is_asked = schema_ask(schema, reading.question, &sql);
        if (sql.failed)
            code = db_no_memory(err, WORK);
        else if (is_asked)
            code = db_query(db, buffer_text(&sql), on_answer, &reading, err);
        if (code == ERROR_NONE && reading.err.code != ERROR_NONE)
            code = db_error_set(err, DBERROR_OPERATOR, "%s", reading.err.text);
    }
    buffer_fini(&sql);
    return code;
}

/* Plans what is left to be done for some tables. */
static enum error_code make_plan(struct db *db, const struct table *const *some, bool only_required,
                                 struct migration *migration, struct db_error *err)
{
    migration->count = 0;
    struct schema *schema = schema_new(some);
    enum error_code code = migrate_look(db, schema, err);
    struct error why;
    if (code == ERROR_NONE && migration_plan(schema, only_required, migration, &why) != ERROR_NONE)
        code = db_error_set(err, DBERROR_OPERATOR, "%s", why.text);
    schema_free(schema);
    return code;
}

enum error_code migrate_is_required(struct db *db, const struct table *const *some, bool *required,
                                    struct db_error *err)
{
    struct migration migration;
    enum error_code code = make_plan(db, some, true, &migration, err);
    if (code != ERROR_NONE)
        return code;
    *required = migration.count > 0;
    migration_fini(&migration);
    return ERROR_NONE;
}

/* ---- one step -------------------------------------------------------------------------------- */

static enum error_code run_statement(struct db *db, const struct buffer *sql, struct db_error *err)
{
    if (sql->failed)
        return db_no_memory(err, WORK);
    for (unsigned tries = 1;; tries++) {
        enum error_code code = db_exec(db, buffer_text(sql), err);
        if (code == ERROR_NONE || err->class != DBERROR_RETRY || tries == MAX_TRIES)
            return code;
    }
}

#define ID_TEXT_SIZE 32

static void on_slice_end(void *context, const struct text *values, size_t count)
{
    if (count == 1 && values[0].data != NULL)
        text_copy(context, ID_TEXT_SIZE, values[0]);
}

/* It goes slice by slice, so that nobody waits long for a row, and no transaction is too large for a Galera
 * cluster. */
enum error_code migrate_step(struct db *db, struct logger *logger,
                             const struct migration_step *step, struct db_error *err)
{
    LOG(logger, INFO, "migrating", log_string("table", step->table),
        log_string("reason", step->reason), log_string("statement", step->sql));
    const uint64_t begun_ns = uv_hrtime();
    char after[ID_TEXT_SIZE] = "", until[ID_TEXT_SIZE];
    enum error_code code = ERROR_NONE;
    struct buffer sql;
    buffer_init(&sql, SQL_LIMIT);
    do {
        until[0] = '\0';
        if (step->sliced) {
            buffer_reset(&sql);
            migration_slice_end(&sql, step, after);
            code = sql.failed ? db_no_memory(err, WORK)
                              : db_query(db, buffer_text(&sql), on_slice_end, until, err);
        }
        if (code == ERROR_NONE) {
            buffer_reset(&sql);
            migration_slice(&sql, step, after, until);
            code = run_statement(db, &sql, err);
        }
        memcpy(after, until, sizeof(after));
    } while (code == ERROR_NONE && until[0] != '\0');
    buffer_fini(&sql);
    if (code == ERROR_NONE)
        LOG(logger, INFO, "migrated", log_string("table", step->table),
            log_string("reason", step->reason),
            log_int("duration_ms", (int64_t)((uv_hrtime() - begun_ns) / 1000000)));
    return code;
}

/* ---- all steps ------------------------------------------------------------------------------- */

static void on_use(void *context, const struct text *values, size_t count)
{
    struct logger *logger = context;
    if (count == 1 && values[0].data != NULL)
        LOG(logger, INFO, "statement for your DBA", log_text("statement", values[0]));
}

/* Logs the statements that choose the database and set a session up, and then all steps. */
static void log_for_dba(struct db *db, struct logger *logger, const struct migration *migration)
{
    struct db_error err;
    if (db_query(db, TEXT(DBA_USE), on_use, logger, &err) != ERROR_NONE)
        LOG(logger, WARN, "the database does not tell its name",
            log_string("error", err.error.text));
    LOG(logger, INFO, "statement for your DBA", log_string("statement", MIGRATE_DBA_SESSION));
    for (size_t i = 0; i < migration->count; i++)
        LOG(logger, INFO, "statement for your DBA", log_string("table", migration->steps[i].table),
            log_string("reason", migration->steps[i].reason),
            log_string("statement", migration->steps[i].sql));
}

/* How far a run has come. */
struct progress {
    unsigned races; /* rounds that were lost to somebody who writes */
    bool expected;  /* the next plan should be empty */
    bool done;
    bool only_required;  /* a step was refused for good: only required steps are carried out now */
    bool rows_must_wait; /* one of these was refused as well */
    struct db_error refusal;   /* the last one */
    char table[64], step[256]; /* what was refused: the table, and the step's reason */
};

static void note_refusal(struct progress *progress, const struct migration_step *step,
                         const struct db_error *err)
{
    progress->rows_must_wait = progress->only_required;
    progress->done = progress->only_required;
    progress->only_required = true;
    progress->expected = false;
    progress->refusal = *err;
    snprintf(progress->table, sizeof(progress->table), "%s", step->table);
    snprintf(progress->step, sizeof(progress->step), "%s", step->reason);
}

/* Carries out all steps, up to the first that fails. ERROR_NONE without progress->done: the caller makes a
 * new plan. */
static enum error_code run_steps(struct db *db, struct logger *logger,
                                 const struct migration *migration, struct progress *progress,
                                 struct db_error *err)
{
    for (size_t i = 0; i < migration->count; i++) {
        const struct migration_step *step = &migration->steps[i];
        if (migrate_step(db, logger, step, err) == ERROR_NONE)
            continue;
        /* Somebody has written again what an earlier step had cleaned. */
        if (dberror_is_row_in_the_way(err->number) && ++progress->races < MAX_RACES)
            return ERROR_NONE;
        if (err->class == DBERROR_OPERATOR || err->class == DBERROR_ROW ||
            err->class == DBERROR_SPLIT) {
            note_refusal(progress, step, err);
            return ERROR_NONE;
        }
        if (err->class == DBERROR_RETRY)
            err->class = DBERROR_WAIT; /* it was tried often enough */
        return error_context(&err->error, ERROR_AGAIN, "migrating table %s", step->table);
    }
    progress->expected = true;
    return ERROR_NONE;
}

static enum error_code run_round(struct db *db, struct logger *logger, struct progress *progress,
                                 struct db_error *err)
{
    struct migration migration;
    enum error_code code = make_plan(db, tables, progress->only_required, &migration, err);
    if (code != ERROR_NONE)
        return code;
    if (migration.count == 0) {
        progress->done = true;
    } else if (progress->expected) {
        db_error_set(err, DBERROR_OPERATOR, "the server took the statements, but did not do them");
        note_refusal(progress, &migration.steps[0], err);
    } else {
        code = run_steps(db, logger, &migration, progress, err);
    }
    migration_fini(&migration);
    return code;
}

/* Reports what is left after a step was refused for good, and the required steps were carried out, or refused
 * as well. Nothing is left if a DBA has done it meanwhile. */
static enum error_code give_up(struct db *db, struct logger *logger, struct progress *progress,
                               struct db_error *err)
{
    struct migration rest;
    enum error_code code = make_plan(db, tables, false, &rest, err);
    if (code != ERROR_NONE)
        return code;
    const bool is_left = rest.count > 0;
    if (is_left)
        log_for_dba(db, logger, &rest);
    migration_fini(&rest);
    if (!progress->rows_must_wait) {
        if (is_left)
            LOG(logger, WARN, "the tables are not as they should be, but can be written to",
                log_string("table", progress->table), log_string("reason", progress->step),
                log_string("error", progress->refusal.error.text));
        return ERROR_NONE;
    }
    *err = progress->refusal;
    err->error.code = ERROR_OPERATOR;
    error_context(&err->error, ERROR_OPERATOR,
                  dberror_is_lack_of_rights(err->number)
                      ? "table %s cannot be migrated; give the account more rights, or have a DBA "
                        "run the statements in the log (level info)"
                      : "table %s cannot be migrated (%s); have a DBA see to what the server says, "
                        "or change the tables: the statements that are left are in the log (level "
                        "info)",
                  progress->table, progress->step);
    err->class = DBERROR_OPERATOR;
    return ERROR_OPERATOR;
}

static void on_lock(void *context, const struct text *values, size_t count)
{
    bool *locked = context;
    *locked = count == 1 && values[0].data != NULL && text_is(values[0], "1");
}

enum error_code migrate_run(struct db *db, struct logger *logger, struct db_error *err)
{
    struct migration migration;
    enum error_code code = make_plan(db, tables, false, &migration, err);
    if (code != ERROR_NONE)
        return code;
    bool is_needed = migration.count > 0;
    migration_fini(&migration);
    if (!is_needed)
        return ERROR_NONE;

    bool locked = false;
    code = db_query(db, TEXT(LOCK), on_lock, &locked, err);
    if (code == ERROR_NONE && !locked)
        code =
            db_error_set(err, DBERROR_WAIT,
                         "the tables of this database are being migrated over another connection");
    if (code != ERROR_NONE)
        return code;
    struct progress progress = {0};
    code = db_exec(db, TEXT(END_WHEN_IDLE), err);
    while (code == ERROR_NONE && !progress.done)
        code = run_round(db, logger, &progress, err);
    if (code == ERROR_NONE && progress.only_required)
        code = give_up(db, logger, &progress, err);
    if (!db_is_connected(db))
        return code;

    struct db_error further; /* an error after the one that is returned */
    struct db_error *why = code == ERROR_NONE ? err : &further;
    enum error_code unlocked = db_exec(db, TEXT(MAY_BE_IDLE), why);
    if (unlocked == ERROR_NONE)
        unlocked = db_exec(db, TEXT(UNLOCK), why);
    if (unlocked != ERROR_NONE)
        db_close(db); /* which gives the lock back as well */
    return code != ERROR_NONE ? code : unlocked;
}
