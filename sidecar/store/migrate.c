/* migrate: carries out the steps of lib/sql/migration.h over one connection.
 *
 * Happy path: a few SELECTs say that all is as it should be. Else: take the lock, look again, do
 * step after step, look again until nothing is left, give the lock back.
 *
 * Failure modes:
 *   another one is migrating       DBERROR_WAIT, the caller comes back. The lock is the server's: on
 *                                  a Galera cluster it is of one node, and what keeps two nodes apart
 *                                  is that every step may be repeated
 *   a deadlock, a lock wait        the same statement again, a few times
 *   KubeDL writes a duplicate      between cleaning and unique key: one more round
 *   an ALTER TABLE takes longer    DBERROR_RECONNECT; the server goes on with it and keeps the lock
 *   than the connection's time-out until it is done
 *   killed, connection lost        the lock goes with the connection, the next run goes on
 *   a step is refused for good     only what rows need is still done: what is only useful does not
 *                                  hold up what is required, be it in one ALTER TABLE. What is left
 *                                  is logged as statements for a DBA. DBERROR_OPERATOR if rows cannot
 *                                  be written without it, else they are written
 */
#include "sidecar/store/migrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

/* Of cleaning and locking out, against somebody who writes at the same time. */
#define MAX_RACES 5

/* Of one statement, against other transactions. */
#define MAX_TRIES 5

#define SQL_LIMIT ((size_t)1 << 17)

#define WORK "migrating the tables"

/* New tables are made within the second; who finds more going on comes back later. A lock's name has
 * at most 64 characters. */
#define LOCK_NAME "CONCAT('kubedl-shipper.schema:', LEFT(DATABASE(), 42))"
#define LOCK      "SELECT GET_LOCK(" LOCK_NAME ", 1)"
#define UNLOCK    "DO RELEASE_LOCK(" LOCK_NAME ")"

/* Where the network loses the connection without the server's notice, nobody could migrate until the
 * server gives the lock back: so it does that after a minute without a statement. */
#define END_WHEN_IDLE "SET SESSION wait_timeout = 60"
#define MAY_BE_IDLE   "SET SESSION wait_timeout = @@GLOBAL.wait_timeout"

/* Makes the first statement for a DBA. */
#define DBA_USE "SELECT CONCAT('USE `', REPLACE(DATABASE(), '`', '``'), '`')"

struct migrator {
    struct db *db;
    struct logger *logger;
};

/* ---- looking --------------------------------------------------------------------------------- */

struct reading {
    struct schema *schema;
    enum schema_question question;
    enum error_code code;
    struct error err;
};

static void on_answer(void *context, const struct text *values, size_t count)
{
    struct reading *reading = context;
    if (reading->code == ERROR_NONE)
        reading->code =
            schema_answer(reading->schema, reading->question, values, count, &reading->err);
}

static enum error_code ask(struct db *db, struct schema *schema, enum schema_question question,
                           struct db_error *err)
{
    struct reading reading = {.schema = schema, .question = question};
    struct buffer sql;
    buffer_init(&sql, SQL_LIMIT);
    bool is_asked = schema_ask(schema, question, &sql);
    enum error_code code = ERROR_NONE;
    if (sql.failed)
        code = db_no_memory(err, WORK);
    else if (is_asked)
        code = db_query(db, buffer_text(&sql), on_answer, &reading, err);
    buffer_fini(&sql);
    if (code == ERROR_NONE && reading.code != ERROR_NONE)
        code = db_error_set(err, DBERROR_OPERATOR, "%s", reading.err.text);
    return code;
}

enum error_code migrate_look(struct db *db, struct schema *schema, struct db_error *err)
{
    enum error_code code = ERROR_NONE;
    for (unsigned question = 0; code == ERROR_NONE && question < SCHEMA_QUESTIONS; question++)
        code = ask(db, schema, (enum schema_question)question, err);
    return code;
}

/* What is left to do for some tables. */
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

/* ---- one step -------------------------------------------------------------------------------- */

static enum error_code run_statement(struct migrator *migrator, const struct buffer *sql,
                                     struct db_error *err)
{
    if (sql->failed)
        return db_no_memory(err, WORK);
    for (unsigned tries = 1;; tries++) {
        enum error_code code = db_exec(migrator->db, buffer_text(sql), err);
        if (code == ERROR_NONE || err->class != DBERROR_RETRY || tries == MAX_TRIES)
            return code;
    }
}

#define ID_TEXT_SIZE 32

static void on_slice_end(void *context, const struct text *values, size_t count)
{
    char *until = context;
    if (count == 1 && values[0].data != NULL)
        snprintf(until, ID_TEXT_SIZE, "%.*s", (int)values[0].length, values[0].data);
}

/* Slice by slice, so that nobody waits long for a row, and no transaction is too large for a
 * cluster. */
static enum error_code run_slices(struct migrator *migrator, const struct migration_step *step,
                                  struct buffer *sql, struct db_error *err)
{
    char after[ID_TEXT_SIZE] = "";
    for (;;) {
        char until[ID_TEXT_SIZE] = "";
        buffer_reset(sql);
        migration_slice_end(sql, step, after);
        enum error_code code =
            sql->failed ? db_no_memory(err, WORK)
                        : db_query(migrator->db, buffer_text(sql), on_slice_end, until, err);
        if (code != ERROR_NONE)
            return code;
        buffer_reset(sql);
        migration_slice(sql, step, after, until);
        code = run_statement(migrator, sql, err);
        if (code != ERROR_NONE || until[0] == '\0')
            return code;
        memcpy(after, until, sizeof(after));
    }
}

static enum error_code run_step(struct migrator *migrator, const struct migration_step *step,
                                struct db_error *err)
{
    LOG(migrator->logger, INFO, "migrating", log_string("table", step->table),
        log_string("reason", step->reason), log_string("statement", step->sql));
    const uint64_t begun_ns = uv_hrtime();
    struct buffer sql;
    buffer_init(&sql, SQL_LIMIT);
    enum error_code code;
    if (step->sliced) {
        code = run_slices(migrator, step, &sql, err);
    } else {
        buffer_append_string(&sql, step->sql);
        code = run_statement(migrator, &sql, err);
    }
    buffer_fini(&sql);
    if (code == ERROR_NONE)
        LOG(migrator->logger, INFO, "migrated", log_string("table", step->table),
            log_string("reason", step->reason),
            log_int("duration_ms", (int64_t)((uv_hrtime() - begun_ns) / 1000000)));
    return code;
}

enum error_code migrate_step(struct db *db, struct logger *logger,
                             const struct migration_step *step, struct db_error *err)
{
    struct migrator migrator = {.db = db, .logger = logger};
    return run_step(&migrator, step, err);
}

/* ---- all steps ------------------------------------------------------------------------------- */

static void on_use(void *context, const struct text *values, size_t count)
{
    struct migrator *migrator = context;
    if (count == 1 && values[0].data != NULL)
        LOG(migrator->logger, INFO, "statement for your DBA", log_text("statement", values[0]));
}

/* All steps, with what a session has to be set to before. */
static void log_for_dba(struct migrator *migrator, const struct migration *migration)
{
    struct db_error err;
    if (db_query(migrator->db, TEXT(DBA_USE), on_use, migrator, &err) != ERROR_NONE)
        LOG(migrator->logger, WARN, "the database does not tell its name",
            log_string("error", err.error.text));
    LOG(migrator->logger, INFO, "statement for your DBA",
        log_string("statement", MIGRATE_DBA_SESSION));
    for (size_t i = 0; i < migration->count; i++)
        LOG(migrator->logger, INFO, "statement for your DBA",
            log_string("table", migration->steps[i].table),
            log_string("reason", migration->steps[i].reason),
            log_string("statement", migration->steps[i].sql));
}

static bool is_for_good(const struct db_error *err)
{
    return err->class == DBERROR_OPERATOR || err->class == DBERROR_ROW ||
           err->class == DBERROR_SPLIT;
}

/* How far a run has come. */
struct progress {
    unsigned races; /* rounds that were lost to somebody who writes */
    bool expected;  /* the next plan should be empty */
    bool done;
    bool only_required;        /* a step was refused for good: only what rows need is done now */
    bool rows_must_wait;       /* that was refused, too */
    struct db_error refusal;   /* the first one */
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

/* Does all steps, up to the first that fails. ERROR_NONE without progress->done: look again. */
static enum error_code run_steps(struct migrator *migrator, const struct migration *migration,
                                 struct progress *progress, struct db_error *err)
{
    for (size_t i = 0; i < migration->count; i++) {
        const struct migration_step *step = &migration->steps[i];
        if (run_step(migrator, step, err) == ERROR_NONE)
            continue;
        /* Somebody else has written what a step before this one had cleaned. */
        if (dberror_is_row_in_the_way(err->number) && ++progress->races < MAX_RACES)
            return ERROR_NONE;
        if (is_for_good(err)) {
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

static enum error_code run_round(struct migrator *migrator, struct progress *progress,
                                 struct db_error *err)
{
    struct migration migration;
    enum error_code code =
        make_plan(migrator->db, tables, progress->only_required, &migration, err);
    if (code != ERROR_NONE)
        return code;
    if (migration.count == 0) {
        progress->done = true;
    } else if (progress->expected) {
        db_error_set(err, DBERROR_OPERATOR, "the server took the statements, but did not do them");
        note_refusal(progress, &migration.steps[0], err);
    } else {
        code = run_steps(migrator, &migration, progress, err);
    }
    migration_fini(&migration);
    return code;
}

/* A step was refused for good, and what rows need was done, or refused, too. Nothing is left where a DBA
 * has done it meanwhile. */
static enum error_code give_up(struct migrator *migrator, struct progress *progress,
                               struct db_error *err)
{
    struct migration rest;
    enum error_code code = make_plan(migrator->db, tables, false, &rest, err);
    if (code != ERROR_NONE)
        return code;
    const bool is_left = rest.count > 0;
    if (is_left)
        log_for_dba(migrator, &rest);
    migration_fini(&rest);
    if (!progress->rows_must_wait) {
        if (is_left)
            LOG(migrator->logger, WARN,
                "the tables are not as they should be, but can be written to",
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

static enum error_code run_locked(struct migrator *migrator, struct db_error *err)
{
    struct progress progress = {0};
    enum error_code code = db_exec(migrator->db, TEXT(END_WHEN_IDLE), err);
    while (code == ERROR_NONE && !progress.done)
        code = run_round(migrator, &progress, err);
    if (code == ERROR_NONE && progress.only_required)
        code = give_up(migrator, &progress, err);
    return code;
}

static void on_lock(void *context, const struct text *values, size_t count)
{
    bool *locked = context;
    *locked = count == 1 && values[0].data != NULL && text_is(values[0], "1");
}

static enum error_code lock(struct migrator *migrator, struct db_error *err)
{
    bool locked = false;
    enum error_code code = db_query(migrator->db, TEXT(LOCK), on_lock, &locked, err);
    if (code == ERROR_NONE && !locked)
        code =
            db_error_set(err, DBERROR_WAIT,
                         "the tables of this database are being migrated over another connection");
    return code;
}

/* A connection that cannot do this is closed, and the lock is gone with it. */
static enum error_code unlock(struct migrator *migrator, struct db_error *err)
{
    enum error_code code = db_exec(migrator->db, TEXT(MAY_BE_IDLE), err);
    if (code == ERROR_NONE)
        code = db_exec(migrator->db, TEXT(UNLOCK), err);
    if (code != ERROR_NONE)
        db_close(migrator->db);
    return code;
}

enum error_code migrate_run(struct db *db, struct logger *logger, struct db_error *err)
{
    struct migrator migrator = {.db = db, .logger = logger};
    struct migration migration;
    enum error_code code = make_plan(db, tables, false, &migration, err);
    if (code != ERROR_NONE)
        return code;
    size_t steps = migration.count;
    migration_fini(&migration);
    if (steps == 0)
        return ERROR_NONE;

    code = lock(&migrator, err);
    if (code != ERROR_NONE)
        return code;
    code = run_locked(&migrator, err);
    struct db_error further; /* after an error that has been told already */
    enum error_code unlocked = ERROR_NONE;
    if (db_is_connected(db))
        unlocked = unlock(&migrator, code == ERROR_NONE ? err : &further);
    return code != ERROR_NONE ? code : unlocked;
}

enum error_code migrate_look_again(struct db *db, bool *required, struct db_error *err)
{
    struct migration migration;
    enum error_code code = make_plan(db, tables, true, &migration, err);
    if (code != ERROR_NONE)
        return code;
    *required = migration.count > 0;
    migration_fini(&migration);
    return ERROR_NONE;
}

bool migrate_fits(struct db *db, const struct table *table)
{
    const struct table *const some[] = {table, NULL};
    struct migration migration;
    struct db_error err;
    if (make_plan(db, some, true, &migration, &err) != ERROR_NONE)
        return false;
    bool fits = migration.count == 0;
    migration_fini(&migration);
    return fits;
}
