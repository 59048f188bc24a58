/* repair: mends rows that KubeDL's writer has left wrong, by the rules of lib/sql/repair.h.
 *
 * Happy path: look at the tables; say what would be done, with counts and the first rows of each rule;
 * ask; migrate the tables if that was not done yet, which takes care of duplicates and of NULLs that
 * KubeDL's console fails on; then rule after rule, a few rows at a time, each in a transaction of one
 * statement.
 *
 * Failure modes:
 *   a sidecar or KubeDL writes at the   each UPDATE names the version and the state that were looked
 *   same time                           at: what has changed since is left alone
 *   a deadlock, a lock wait             the same statement again, a few times
 *   killed, connection lost             what is done is done; the next run goes on with the rest
 *   nobody to ask, and no --yes         the plan is printed, nothing is changed: exit status 1
 *   the tables are large and have no    the migration is asked for and made by itself, the plan comes
 *   indexes yet, or lack columns        behind it; a dry run tells no more
 */
#include "lib/sql/repair.h"
#include "lib/base/options.h"
#include "lib/show/columns.h"
#include "sidecar/commands/commands.h"
#include "sidecar/store/db.h"
#include "sidecar/store/migrate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SAMPLE_ROWS 5   /* of each rule are shown */
#define CHUNK_ROWS  250 /* are changed at once */
#define MAX_TRIES   5   /* of one statement, against other transactions */

/* Rows of one table times rows of the other one, which may have to be compared one by one: some seconds
 * at the most. */
#define UNINDEXED_PRODUCT 10000000

#define SQL_LIMIT  ((size_t)1 << 20)
#define TEXT_LIMIT ((size_t)1 << 22)
#define ID_SIZE    32

enum { DRY_RUN, YES, ONLY, HELP };
static const struct option_spec specs[] = {
    [DRY_RUN] = {"--dry-run", NULL, NULL, "show what would be done, and do nothing"},
    [YES] = {"--yes", "-y", NULL, "do it without asking"},
    [ONLY] = {"--only", NULL, "RULE,...", "only these of the rules that follow"},
    [HELP] = {"--help", "-h", NULL, "this text"},
    {0},
};

/* The rows that the plan shows, and in a run those that are changed next. */
struct chunk {
    struct buffer text; /* all values, one behind the other */
    size_t lengths[CHUNK_ROWS][REPAIR_VALUES];
    size_t count;
    size_t limit;   /* rows that are kept */
    uint64_t found; /* rows that came */
};

struct repair {
    struct options options;
    struct db *db;
    struct logger *logger;
    struct schema *schema;
    struct migration rows; /* steps that repair single rows of migrated tables */
    uint64_t row_counts[MIGRATION_MAX_STEPS];
    uint64_t counts[REPAIR_MAX_RULES];
    uint64_t duplicates;
    size_t migration_steps; /* that are left */
    bool migrated;          /* by this run, as far as it could */
    bool told;              /* the plan is whole */
    bool has_ours;          /* the tables have the columns that KubeDL does not make */
    struct buffer sql;
    struct chunk chunk;
};

/* ---- statements ------------------------------------------------------------------------------- */

static enum error_code query(struct repair *repair, db_row *row, void *context,
                             struct db_error *err)
{
    if (repair->sql.failed)
        return db_no_memory(err, "repairing");
    return db_query(repair->db, buffer_text(&repair->sql), row, context, err);
}

static void on_number(void *context, const struct text *values, size_t count)
{
    uint64_t *number = context;
    char text[ID_SIZE];
    if (count != 1 || values[0].data == NULL)
        return;
    (void)snprintf(text, sizeof(text), "%.*s", (int)values[0].length, values[0].data);
    *number = strtoull(text, NULL, 10);
}

static void on_id(void *context, const struct text *values, size_t count)
{
    char *id = context;
    if (count == 1 && values[0].data != NULL)
        (void)snprintf(id, ID_SIZE, "%.*s", (int)values[0].length, values[0].data);
}

static void on_found(void *context, const struct text *values, size_t count)
{
    struct chunk *chunk = context;
    if (count != REPAIR_VALUES || chunk->found++ >= chunk->limit)
        return;
    for (size_t i = 0; i < REPAIR_VALUES; i++) {
        chunk->lengths[chunk->count][i] = values[i].data != NULL ? values[i].length : 0;
        if (values[i].data != NULL)
            buffer_append(&chunk->text, values[i]);
    }
    chunk->count++;
}

static void reset_chunk(struct chunk *chunk, size_t limit)
{
    buffer_reset(&chunk->text);
    chunk->count = 0;
    chunk->found = 0;
    chunk->limit = limit;
}

static void read_chunk(const struct chunk *chunk, struct repair_row rows[CHUNK_ROWS])
{
    const char *next = buffer_text(&chunk->text).data;
    for (size_t row = 0; row < chunk->count; row++) {
        for (size_t i = 0; i < REPAIR_VALUES; i++) {
            rows[row].values[i] = (struct text){next, chunk->lengths[row][i]};
            next += chunk->lengths[row][i];
        }
    }
}

/* Where the slice that begins behind `after` ends; "" for the last one. No statement looks at more rows
 * than a slice has. */
static enum error_code find_slice_end(struct repair *repair, const struct table *table,
                                      const char *after, char until[ID_SIZE], struct db_error *err)
{
    const struct migration_step step = {.table = table->name};
    until[0] = '\0';
    buffer_reset(&repair->sql);
    migration_slice_end(&repair->sql, &step, after);
    return query(repair, on_id, until, err);
}

/* ---- the plan --------------------------------------------------------------------------------- */

static bool is_wanted(const struct repair *repair, const struct repair_rule *rule)
{
    const char *list = repair->options.values[ONLY];
    if (list == NULL)
        return true;
    for (;;) {
        size_t length = strcspn(list, ",");
        if (text_equal((struct text){list, length}, text_from(rule->name)))
            return true;
        if (list[length] == '\0')
            return false;
        list += length + 1;
    }
}

static bool is_rule(struct text name)
{
    for (size_t i = 0; repair_rule_at(i) != NULL; i++) {
        if (text_is(name, repair_rule_at(i)->name))
            return true;
    }
    return false;
}

static enum error_code check_only(const char *list, struct error *err)
{
    while (list != NULL) {
        size_t length = strcspn(list, ",");
        if (!is_rule((struct text){list, length}))
            return error_set(err, ERROR_INPUT, "there is no rule %.*s", (int)length, list);
        list = list[length] == '\0' ? NULL : list + length + 1;
    }
    return ERROR_NONE;
}

/* Keeps the first rows in the chunk. */
static enum error_code count_rule(struct repair *repair, const struct repair_rule *rule,
                                  struct db_error *err)
{
    char after[ID_SIZE] = "";
    char until[ID_SIZE];
    reset_chunk(&repair->chunk, SAMPLE_ROWS);
    do {
        enum error_code code = find_slice_end(repair, rule->table, after, until, err);
        if (code != ERROR_NONE)
            return code;
        buffer_reset(&repair->sql);
        repair_select(&repair->sql, rule, repair->has_ours, after, until, 0);
        code = query(repair, on_found, &repair->chunk, err);
        if (code != ERROR_NONE)
            return code;
        memcpy(after, until, sizeof(after));
    } while (until[0] != '\0');
    return repair->chunk.text.failed ? db_no_memory(err, "repairing") : ERROR_NONE;
}

static void print_columns(struct columns *columns)
{
    struct buffer out;
    buffer_init(&out, TEXT_LIMIT);
    columns_append(columns, &out);
    const char *text = buffer_cstring(&out);
    fputs(text != NULL ? text : "(no memory to show it)\n", stdout);
    buffer_fini(&out);
    columns_fini(columns);
}

static void print_sample(const struct repair_rule *rule, const struct chunk *chunk)
{
    static const char *const head[] = {"NAMESPACE", "NAME", "UID", "STATUS", "ENDED"};
    static const enum repair_value shown[] = {REPAIR_NAMESPACE, REPAIR_NAME, REPAIR_UID,
                                              REPAIR_STATUS, REPAIR_ENDED};
    struct repair_row rows[CHUNK_ROWS];
    struct columns columns;
    columns_init(&columns, 5, TEXT_LIMIT);
    for (size_t i = 0; i < 5; i++)
        columns_add_string(&columns, head[i]);
    read_chunk(chunk, rows);
    for (size_t row = 0; row < chunk->count; row++) {
        for (size_t i = 0; i < 5; i++)
            columns_add(&columns, rows[row].values[shown[i]]);
    }
    printf("\n%s, %" PRIu64 " rows of %s: %s.\n", rule->name, chunk->found, rule->table->name,
           rule->why);
    print_columns(&columns);
    if (chunk->found > chunk->count)
        printf("... and %" PRIu64 " more\n", chunk->found - chunk->count);
}

static enum error_code plan_rules(struct repair *repair, struct db_error *err)
{
    for (size_t i = 0; repair_rule_at(i) != NULL; i++) {
        const struct repair_rule *rule = repair_rule_at(i);
        if (!is_wanted(repair, rule))
            continue;
        enum error_code code = count_rule(repair, rule, err);
        if (code != ERROR_NONE)
            return code;
        repair->counts[i] = repair->chunk.found;
        if (repair->counts[i] > 0)
            print_sample(rule, &repair->chunk);
    }
    return ERROR_NONE;
}

static enum error_code count_duplicates(struct repair *repair, const struct schema_table *there,
                                        struct db_error *err)
{
    const struct table *table = there->table;
    const char *uid = table->columns[table->uid].name;
    uint64_t duplicates = 0;
    if (schema_uid_is_unique(there))
        return ERROR_NONE;
    buffer_reset(&repair->sql);
    buffer_appendf(&repair->sql,
                   "SELECT COUNT(NULLIF(`%s`, '')) - COUNT(DISTINCT NULLIF(`%s`, '')) FROM `%s`",
                   uid, uid, table->name);
    enum error_code code = query(repair, on_number, &duplicates, err);
    if (code == ERROR_NONE && duplicates > 0)
        printf("\n%" PRIu64
               " rows of %s are there twice: of the rows with one %s the newest stays.\n",
               duplicates, table->name, uid);
    repair->duplicates += duplicates;
    return code;
}

/* What the migration repairs in rows; in tables that were migrated, what KubeDL has written since. */
static enum error_code plan_rows(struct repair *repair, struct db_error *err)
{
    enum error_code code = ERROR_NONE;
    repair->duplicates = 0;
    migration_fini(&repair->rows);
    migration_plan_rows(repair->schema, &repair->rows);
    for (size_t i = 0; i < repair->schema->table_count && code == ERROR_NONE; i++)
        code = count_duplicates(repair, &repair->schema->tables[i], err);
    for (size_t i = 0; i < repair->rows.count && code == ERROR_NONE; i++) {
        const struct migration_step *step = &repair->rows.steps[i];
        buffer_reset(&repair->sql);
        buffer_appendf(&repair->sql, "SELECT COUNT(*) FROM `%s` AS `old`%s", step->table,
                       step->sql + step->where);
        code = query(repair, on_number, &repair->row_counts[i], err);
        if (code == ERROR_NONE && repair->row_counts[i] > 0)
            printf("\n%" PRIu64 " rows of %s: %s.\n", repair->row_counts[i], step->table,
                   step->reason);
    }
    return code;
}

static enum error_code plan_migration(struct repair *repair, struct db_error *err)
{
    struct migration migration;
    struct error why;
    enum error_code code = migration_plan(repair->schema, false, &migration, &why);
    if (code != ERROR_NONE)
        return db_error_set(err, DBERROR_OPERATOR, "%s", why.text);
    repair->migration_steps = migration.count;
    if (migration.count > 0 && !repair->migrated) {
        struct columns columns;
        columns_init(&columns, 2, TEXT_LIMIT);
        columns_add_string(&columns, "TABLE");
        columns_add_string(&columns, "STEP");
        for (size_t i = 0; i < migration.count; i++) {
            columns_add_string(&columns, migration.steps[i].table);
            columns_add_string(&columns, migration.steps[i].reason);
        }
        printf("The tables are migrated first, as a sidecar does at its start:\n");
        print_columns(&columns);
    }
    migration_fini(&migration);
    return ERROR_NONE;
}

/* Columns that KubeDL does not have. */
static bool is_ours(const struct table *table, size_t column)
{
    enum merge_rule rule = table->columns[column].merge;
    return column == table->cluster || column == table->group || rule == MERGE_STATED ||
           rule == MERGE_KNOWN_AT;
}

/* Whether all of the columns are there that are ours, or all others. */
static bool has_columns(const struct schema_table *there, bool ours)
{
    const struct table *table = there->table;
    for (size_t i = 0; i < table->column_count; i++) {
        if (is_ours(table, i) == ours && !there->columns[i].exists)
            return false;
    }
    return true;
}

/* Before the migration there are no indexes, and columns may be missing: then the rules can be asked
 * for in small tables only. */
static enum error_code can_be_told(struct repair *repair, bool *told, struct db_error *err)
{
    uint64_t product = 1;
    *told = true;
    if (repair->migration_steps == 0 || repair->migrated)
        return ERROR_NONE;
    for (size_t i = 0; i < repair->schema->table_count; i++) {
        const struct schema_table *there = &repair->schema->tables[i];
        uint64_t count = 0;
        buffer_reset(&repair->sql);
        buffer_appendf(&repair->sql, "SELECT COUNT(*) FROM `%s`", there->table->name);
        enum error_code code = query(repair, on_number, &count, err);
        if (code != ERROR_NONE)
            return code;
        product *= count;
        *told = *told && has_columns(there, false) && product <= UNINDEXED_PRODUCT;
    }
    return ERROR_NONE;
}

static enum error_code look(struct repair *repair, struct db_error *err)
{
    schema_free(repair->schema);
    repair->schema = schema_new(tables);
    enum error_code code = migrate_look(repair->db, repair->schema, err);
    repair->has_ours = true;
    for (size_t i = 0; code == ERROR_NONE && i < repair->schema->table_count; i++) {
        const struct schema_table *there = &repair->schema->tables[i];
        if (!there->exists)
            code = db_error_set(err, DBERROR_OPERATOR, "there is no table %s to be repaired",
                                there->table->name);
        repair->has_ours = repair->has_ours && has_columns(there, true);
    }
    return code;
}

static enum error_code plan(struct repair *repair, struct db_error *err)
{
    enum error_code code = look(repair, err);
    if (code == ERROR_NONE)
        code = plan_migration(repair, err);
    if (code == ERROR_NONE)
        code = can_be_told(repair, &repair->told, err);
    if (code == ERROR_NONE && !repair->told) {
        printf("\nWhat is to be repaired can be told once that is done: columns or indexes are "
               "missing.\n");
        return ERROR_NONE;
    }
    if (code == ERROR_NONE)
        code = plan_rows(repair, err);
    if (code == ERROR_NONE)
        code = plan_rules(repair, err);
    return code;
}

static bool is_anything_to_do(const struct repair *repair)
{
    uint64_t total = repair->duplicates + (repair->migrated ? 0 : repair->migration_steps);
    for (size_t i = 0; i < repair->rows.count; i++)
        total += repair->row_counts[i];
    for (size_t i = 0; i < REPAIR_MAX_RULES; i++)
        total += repair->counts[i];
    return total > 0;
}

static void print_counts(const struct repair *repair)
{
    static const char *const head[] = {"RULE", "TABLE", "ROWS"};
    struct columns columns;
    if (!is_anything_to_do(repair)) {
        printf("There is nothing to repair.\n");
        return;
    }
    columns_init(&columns, 3, TEXT_LIMIT);
    for (size_t i = 0; i < 3; i++)
        columns_add_string(&columns, head[i]);
    for (size_t i = 0; repair_rule_at(i) != NULL; i++) {
        char number[ID_SIZE];
        if (!is_wanted(repair, repair_rule_at(i)))
            continue;
        (void)snprintf(number, sizeof(number), "%" PRIu64, repair->counts[i]);
        columns_add_string(&columns, repair_rule_at(i)->name);
        columns_add_string(&columns, repair_rule_at(i)->table->name);
        columns_add_string(&columns, number);
    }
    printf("\n");
    print_columns(&columns);
}

/* ---- doing it --------------------------------------------------------------------------------- */

/* Changes the rows of the chunk that are still as they were, and adds their number to *changed. */
static enum error_code update_chunk(struct repair *repair, const struct table *table,
                                    uint64_t *changed, struct db_error *err)
{
    struct repair_row rows[CHUNK_ROWS];
    uint64_t number = 0;
    read_chunk(&repair->chunk, rows);
    buffer_reset(&repair->sql);
    repair_update(&repair->sql, table, rows, repair->chunk.count);
    enum error_code code;
    unsigned tries = 0;
    do
        code = query(repair, NULL, NULL, err);
    while (code != ERROR_NONE && err->class == DBERROR_RETRY && ++tries < MAX_TRIES);
    if (code == ERROR_NONE)
        code = db_query(repair->db, TEXT("SELECT ROW_COUNT()"), on_number, &number, err);
    *changed += number;
    return code;
}

/* Chunk by chunk of the rows with *after < id <= until. */
static enum error_code run_slice(struct repair *repair, const struct repair_rule *rule,
                                 const char *from, const char *until, uint64_t *changed,
                                 struct db_error *err)
{
    char after[ID_SIZE];
    memcpy(after, from, sizeof(after));
    for (;;) {
        reset_chunk(&repair->chunk, CHUNK_ROWS);
        buffer_reset(&repair->sql);
        repair_select(&repair->sql, rule, repair->has_ours, after, until, CHUNK_ROWS);
        enum error_code code = query(repair, on_found, &repair->chunk, err);
        if (code == ERROR_NONE && repair->chunk.text.failed)
            code = db_no_memory(err, "repairing");
        if (code != ERROR_NONE || repair->chunk.count == 0)
            return code;
        struct repair_row rows[CHUNK_ROWS];
        read_chunk(&repair->chunk, rows);
        struct text last = rows[repair->chunk.count - 1].values[REPAIR_ID];
        (void)snprintf(after, sizeof(after), "%.*s", (int)last.length, last.data);
        code = update_chunk(repair, rule->table, changed, err);
        if (code != ERROR_NONE || repair->chunk.count < CHUNK_ROWS)
            return code;
    }
}

static enum error_code run_rule(struct repair *repair, const struct repair_rule *rule,
                                struct db_error *err)
{
    char after[ID_SIZE] = "";
    char until[ID_SIZE];
    uint64_t changed = 0;
    do {
        enum error_code code = find_slice_end(repair, rule->table, after, until, err);
        if (code == ERROR_NONE)
            code = run_slice(repair, rule, after, until, &changed, err);
        if (code != ERROR_NONE)
            return code;
        memcpy(after, until, sizeof(after));
    } while (until[0] != '\0');
    if (changed > 0)
        printf("%s: %" PRIu64 " rows of %s repaired\n", rule->name, changed, rule->table->name);
    return ERROR_NONE;
}

static enum error_code run_row_steps(struct repair *repair, struct db_error *err)
{
    enum error_code code = ERROR_NONE;
    for (size_t i = 0; i < repair->rows.count && code == ERROR_NONE; i++) {
        if (repair->row_counts[i] > 0)
            code = migrate_step(repair->db, repair->logger, &repair->rows.steps[i], err);
    }
    return code;
}

static enum error_code migrate(struct repair *repair, struct db_error *err)
{
    enum error_code code = migrate_run(repair->db, repair->logger, err);
    if (code == ERROR_NONE)
        code = look(repair, err);
    if (code == ERROR_NONE && !repair->has_ours)
        code = db_error_set(err, DBERROR_OPERATOR, "the tables could not be migrated");
    repair->migrated = code == ERROR_NONE;
    return code;
}

static enum error_code carry_out(struct repair *repair, struct db_error *err)
{
    enum error_code code = migrate(repair, err);
    if (code == ERROR_NONE)
        code = run_row_steps(repair, err);
    for (size_t i = 0; repair_rule_at(i) != NULL && code == ERROR_NONE; i++) {
        if (is_wanted(repair, repair_rule_at(i)))
            code = run_rule(repair, repair_rule_at(i), err);
    }
    return code;
}

/* ---- the command ------------------------------------------------------------------------------ */

static bool confirm(const struct repair *repair, const char *question)
{
    char answer[16];
    if (repair->options.values[YES] != NULL)
        return true;
    if (isatty(STDIN_FILENO) != 1) {
        fprintf(stderr, "kubedl-shipper: nothing was changed: there is nobody to ask, see --yes\n");
        return false;
    }
    printf("\n%s [y/N] ", question);
    fflush(stdout);
    if (fgets(answer, sizeof(answer), stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y'))
        return true;
    fprintf(stderr, "kubedl-shipper: nothing was changed\n");
    return false;
}

/* A plan that cannot be told before the migration is told behind it. */
static enum error_code plan_and_repair(struct repair *repair, bool *done, struct db_error *err)
{
    bool dry_run = repair->options.values[DRY_RUN] != NULL;
    enum error_code code = plan(repair, err);
    if (code == ERROR_NONE && !repair->told && !dry_run) {
        if (!confirm(repair, "Migrate the tables?"))
            return ERROR_NONE;
        code = migrate(repair, err);
        if (code == ERROR_NONE)
            code = plan(repair, err);
    }
    if (code != ERROR_NONE)
        return code;
    *done = dry_run || !is_anything_to_do(repair);
    if (repair->told)
        print_counts(repair);
    if (*done || !confirm(repair, "Repair this?"))
        return ERROR_NONE;
    *done = true;
    return carry_out(repair, err);
}

static enum error_code connect_and_repair(struct repair *repair, const struct config *config,
                                          bool *done, struct db_error *err)
{
    repair->db = db_new(config);
    if (repair->options.values[DRY_RUN] != NULL)
        db_read_only(repair->db);
    enum error_code code = db_connect_any(repair->db, err);
    if (code == ERROR_NONE)
        code = plan_and_repair(repair, done, err);
    return code;
}

static int run(struct repair *repair, const struct config *config)
{
    struct db_error failure = {0};
    bool done = false;
    buffer_init(&repair->sql, SQL_LIMIT);
    buffer_init(&repair->chunk.text, TEXT_LIMIT);
    enum error_code code = logger_new(STDERR_FILENO, config->log_level, config->log_format,
                                      &repair->logger, &failure.error);
    if (code == ERROR_NONE)
        code = db_library_init(&failure.error);
    if (code == ERROR_NONE) {
        code = connect_and_repair(repair, config, &done, &failure);
        db_free(repair->db);
        db_library_fini();
    }
    fflush(stdout);
    if (code != ERROR_NONE)
        fprintf(stderr, "kubedl-shipper: %s\n", failure.error.text);
    migration_fini(&repair->rows);
    schema_free(repair->schema);
    logger_free(repair->logger);
    buffer_fini(&repair->sql);
    buffer_fini(&repair->chunk.text);
    return code == ERROR_NONE && done ? EXIT_OK : EXIT_FAILED;
}

static int print_help(void)
{
    struct buffer out;
    buffer_init(&out, TEXT_LIMIT);
    buffer_append_string(&out, "Usage: kubedl-shipper repair [OPTION]...\n\n");
    options_help(&out, specs);
    buffer_append_string(&out, "\nRules, in their order:\n\n");
    for (size_t i = 0; repair_rule_at(i) != NULL; i++) {
        const struct option_spec shown[] = {
            {repair_rule_at(i)->name, NULL, NULL, repair_rule_at(i)->why}, {0}};
        options_help(&out, shown);
    }
    const char *text = buffer_cstring(&out);
    bool whole = text != NULL && fputs(text, stdout) != EOF && fflush(stdout) == 0;
    buffer_fini(&out);
    return whole ? EXIT_OK : EXIT_FAILED;
}

int command_repair(const struct config *config, int count, char **arguments)
{
    struct error err;
    struct repair *repair = calloc(1, sizeof(*repair));
    if (repair == NULL)
        return EXIT_FAILED;
    enum error_code code = options_read(specs, NULL, count, arguments, &repair->options, &err);
    if (code == ERROR_NONE)
        code = check_only(repair->options.values[ONLY], &err);
    int status = EXIT_USAGE;
    if (repair->options.values[HELP] != NULL)
        status = print_help();
    else if (code != ERROR_NONE)
        fprintf(stderr, "kubedl-shipper: %s: see kubedl-shipper repair --help\n", err.text);
    else
        status = run(repair, config);
    free(repair);
    return status;
}
