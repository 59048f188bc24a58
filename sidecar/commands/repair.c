/* repair: mends rows that KubeDL's writer has left wrong, by the rules of lib/sql/repair_rules.h.
 *
 * Happy path: the command reads the tables' structure, prints the plan with counts and the first rows of
 * each rule, and asks the person. It then migrates the tables if that was not done yet, which removes
 * duplicates and the NULLs that KubeDL's console fails on, and applies rule after rule, a chunk of rows at
 * a time, each chunk in a transaction of one statement.
 *
 * Failure modes:
 *   a sidecar or KubeDL writes at the   each UPDATE names the version and the state that were read, so a
 *   same time                           row that has changed since is left alone
 *   a deadlock, a lock wait             the statement is sent again, a few times
 *   killed, connection lost             committed chunks stay; the next run goes on with the rest
 *   nobody to ask, and no --yes         the plan is printed, nothing is changed: exit status 1
 *   the tables are large and have no    the person is asked for the migration alone, and the plan follows
 *   indexes yet, or lack columns        after it; a dry run ends before it
 */
#include "lib/base/memory.h"
#include "sidecar/base/logger.h"
#include "sidecar/commands/commands.h"
#include "sidecar/commands/repair_plan.h"
#include "sidecar/store/migrate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_TRIES 5 /* of one statement, against other transactions */

#define SQL_LIMIT  ((size_t)1 << 20)
#define TEXT_LIMIT ((size_t)1 << 22)

enum { DRY_RUN, YES, ONLY }; /* the places of the options */

/* ---- doing it --------------------------------------------------------------------------------- */

/* Applies the rule, chunk by chunk, to the rows with from < id <= until. Of a chunk, the rows that are still as
 * they were read are changed; their number is added to *changed. */
static enum error_code run_slice(struct repair *repair, const struct repair_rule *rule,
                                 const char *from, const char *until, uint64_t *changed,
                                 struct db_error *err)
{
    char after[REPAIR_ID_SIZE];
    memcpy(after, from, sizeof(after));
    for (;;) {
        struct repair_row rows[REPAIR_CHUNK_ROWS];
        uint64_t number = 0;
        unsigned tries = 0;
        repair_chunk_reset(&repair->chunk, REPAIR_CHUNK_ROWS);
        buffer_reset(&repair->sql);
        repair_select(&repair->sql, rule, repair->has_ours, after, until, REPAIR_CHUNK_ROWS);
        enum error_code code = repair_query(repair, repair_chunk_on_row, &repair->chunk, err);
        if (code == ERROR_NONE && repair->chunk.text.failed)
            code = db_no_memory(err, "repairing");
        if (code != ERROR_NONE || repair->chunk.count == 0)
            return code;
        repair_chunk_read(&repair->chunk, rows);
        struct text last = rows[repair->chunk.count - 1].values[REPAIR_ID];
        (void)snprintf(after, sizeof(after), "%.*s", (int)last.length, last.data);
        buffer_reset(&repair->sql);
        repair_update(&repair->sql, rule->table, rows, repair->chunk.count);
        do
            code = repair_query(repair, NULL, NULL, err);
        while (code != ERROR_NONE && err->class == DBERROR_RETRY && ++tries < MAX_TRIES);
        if (code == ERROR_NONE)
            code = db_query(repair->db, TEXT("SELECT ROW_COUNT()"), repair_on_number, &number, err);
        *changed += number;
        if (code != ERROR_NONE || repair->chunk.count < REPAIR_CHUNK_ROWS)
            return code;
    }
}

static enum error_code run_rule(struct repair *repair, const struct repair_rule *rule,
                                struct db_error *err)
{
    char after[REPAIR_ID_SIZE] = "";
    char until[REPAIR_ID_SIZE];
    uint64_t changed = 0;
    do {
        enum error_code code = repair_find_slice_end(repair, rule->table, after, until, err);
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

static enum error_code migrate(struct repair *repair, struct db_error *err)
{
    enum error_code code = migrate_run(repair->db, repair->logger, err);
    if (code == ERROR_NONE)
        code = repair_look(repair, err);
    if (code == ERROR_NONE && !repair->has_ours)
        code = db_error_set(err, DBERROR_OPERATOR, "the tables could not be migrated");
    repair->migrated = code == ERROR_NONE;
    return code;
}

static enum error_code carry_out(struct repair *repair, struct db_error *err)
{
    enum error_code code = migrate(repair, err);
    for (size_t i = 0; i < repair->rows.count && code == ERROR_NONE; i++) {
        if (repair->row_counts[i] > 0)
            code = migrate_step(repair->db, repair->logger, &repair->rows.steps[i], err);
    }
    for (size_t i = 0; repair_rule_at(i) != NULL && code == ERROR_NONE; i++) {
        if (repair->wanted[i])
            code = run_rule(repair, repair_rule_at(i), err);
    }
    return code;
}

/* ---- the command ------------------------------------------------------------------------------ */

static bool confirm(const struct repair *repair, const char *question)
{
    char answer[16];
    if (repair->yes)
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

/* A plan that cannot be printed before the migration is printed after it. */
static enum error_code plan_and_repair(struct repair *repair, bool *done, struct db_error *err)
{
    enum error_code code = repair_plan(repair, err);
    if (code == ERROR_NONE && !repair->told && !repair->dry_run) {
        if (!confirm(repair, "Migrate the tables?"))
            return ERROR_NONE;
        code = migrate(repair, err);
        if (code == ERROR_NONE)
            code = repair_plan(repair, err);
    }
    if (code != ERROR_NONE)
        return code;
    *done = repair->dry_run || !repair_is_anything_to_do(repair);
    if (repair->told)
        repair_print_counts(repair);
    if (*done || !confirm(repair, "Repair this?"))
        return ERROR_NONE;
    *done = true;
    return carry_out(repair, err);
}

static int run(const struct invocation *invocation)
{
    struct repair *repair = memory_new(sizeof(*repair));
    struct db_error err = {0};
    bool done = false;
    repair->dry_run = invocation->values[DRY_RUN] != NULL;
    repair->yes = invocation->values[YES] != NULL;
    if (repair_choose(repair, invocation->values[ONLY], &err.error) != ERROR_NONE) {
        free(repair);
        return command_misused(invocation->command, err.error.text);
    }
    buffer_init(&repair->sql, SQL_LIMIT);
    buffer_init(&repair->chunk.text, TEXT_LIMIT);
    const struct config *config = invocation->config;
    enum error_code code = logger_new(STDERR_FILENO, config->log_level, config->log_format,
                                      &repair->logger, &err.error);
    if (code == ERROR_NONE)
        code = command_connect(config, repair->dry_run, &repair->db, &err);
    if (code == ERROR_NONE)
        code = plan_and_repair(repair, &done, &err);
    command_disconnect(repair->db);
    int status = code != ERROR_NONE ? command_failed(&err.error) : done ? EXIT_OK : EXIT_FAILED;
    migration_fini(&repair->rows);
    schema_free(repair->schema);
    logger_free(repair->logger);
    buffer_fini(&repair->sql);
    buffer_fini(&repair->chunk.text);
    free(repair);
    return status;
}

static void append_rules(struct buffer *out)
{
    buffer_append_string(out, "\nRules, in their order:\n\n");
    for (size_t i = 0; repair_rule_at(i) != NULL; i++)
        command_help_line(out, repair_rule_at(i)->name, repair_rule_at(i)->why);
}

const struct command command_repair = {
    .name = "repair",
    .synopsis = "[OPTION]...",
    .brief = "mend rows that KubeDL's writer has left wrong, after showing them",
    .summary =
        "Mends rows that KubeDL's writer has left wrong: shows what would be done, asks, and does "
        "it.",
    .options =
        {
            [DRY_RUN] = {"dry-run", '\0', NULL, "show what would be done, and do nothing"},
            [YES] = {"yes", 'y', NULL, "do it without asking"},
            [ONLY] = {"only", '\0', "RULE,...", "only these of the rules that follow"},
        },
    .help = append_rules,
    .run = run,
};
