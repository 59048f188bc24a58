/* history: jobs and pods on the terminal, from the database alone: also those that are long gone.
 *
 * Reads only: the session refuses to write, a read-only server will do, and so will tables that KubeDL
 * made. What is printed is bounded by --limit, and has nothing that a terminal would obey. */
#include "lib/show/history.h"

#include "lib/base/duration.h"
#include "lib/base/options.h"
#include "lib/base/timestamp.h"
#include "lib/sql/schema.h"
#include "sidecar/base/clock.h"
#include "sidecar/commands/commands.h"
#include "sidecar/store/db.h"
#include "sidecar/store/migrate.h"

#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_LIMIT 100
#define MAX_LIMIT     100000

#define SQL_LIMIT  ((size_t)1 << 16)
#define HELP_LIMIT ((size_t)1 << 16)

/* Jobs of one name that are told apart. */
#define MAX_NAMESAKES 10

#define NOTHING "No resources found\n"

enum { JOBS_NAMESPACE, JOBS_STATUS, JOBS_KIND, JOBS_SINCE, JOBS_LIMIT, JOBS_OUTPUT, JOBS_HELP };
static const struct option_spec jobs_options[] = {
    [JOBS_NAMESPACE] = {"--namespace", "-n", "NAMESPACE", "of this namespace"},
    [JOBS_STATUS] = {"--status", NULL, "STATUS",
                     "Created, Queuing, Running, Restarting, Succeeded, Failed or Stopped"},
    [JOBS_KIND] = {"--kind", NULL, "KIND", "TFJob, PyTorchJob, ..."},
    [JOBS_SINCE] = {"--since", NULL, "AGE", "created within this time: 7d, 12h, 1d12h"},
    [JOBS_LIMIT] = {"--limit", NULL, "N", "at most so many, the newest (100)"},
    [JOBS_OUTPUT] = {"--output", "-o", "FORMAT", "table or json"},
    [JOBS_HELP] = {"--help", "-h", NULL, "this text"},
    {0},
};

enum { PODS_NAMESPACE, PODS_LIMIT, PODS_OUTPUT, PODS_HELP };
static const struct option_spec pods_options[] = {
    [PODS_NAMESPACE] = {"--namespace", "-n", "NAMESPACE", "of a job in this namespace"},
    [PODS_LIMIT] = {"--limit", NULL, "N", "at most so many (100)"},
    [PODS_OUTPUT] = {"--output", "-o", "FORMAT", "table or json"},
    [PODS_HELP] = {"--help", "-h", NULL, "this text"},
    {0},
};

/* What is asked for, and what has been found. */
struct listing {
    struct options options;
    int64_t since_us; /* INT64_MIN: since ever */
    size_t limit;
    bool as_json;

    struct db *db;
    struct schema *schema;
    struct buffer sql;
    struct history history;
    struct columns columns; /* the table ... */
    struct buffer out;      /* ... and the text to be printed, or the JSON as it comes */
    size_t found;           /* rows, one more than limit where there are more */
};

/* ---- arguments -------------------------------------------------------------------------------- */

static enum error_code read_output(const char *value, bool *as_json, struct error *err)
{
    *as_json = value != NULL && strcmp(value, "json") == 0;
    if (value != NULL && !*as_json && strcmp(value, "table") != 0)
        return error_set(err, ERROR_INPUT, "--output is table or json, not %s", value);
    return ERROR_NONE;
}

static enum error_code read_limit(const struct option_spec *spec, const char *value, size_t *limit,
                                  struct error *err)
{
    long number = DEFAULT_LIMIT;
    enum error_code code = ERROR_NONE;
    if (value != NULL)
        code = options_number(spec, value, 1, MAX_LIMIT, &number, err);
    *limit = (size_t)number;
    return code;
}

static enum error_code read_since(const char *value, int64_t now_us, int64_t *since_us,
                                  struct error *err)
{
    int64_t age_us;
    *since_us = INT64_MIN;
    if (value == NULL)
        return ERROR_NONE;
    if (duration_parse(text_from(value), &age_us) != ERROR_NONE)
        return error_set(err, ERROR_INPUT, "--since takes an age such as 7d, 12h or 1d12h, not %s",
                         value);
    *since_us = now_us - age_us;
    return ERROR_NONE;
}

/* ---- questions -------------------------------------------------------------------------------- */

static void append_condition(struct listing *listing, const char *column, const char *value)
{
    if (value == NULL)
        return;
    buffer_appendf(&listing->sql, " AND `%s` = ", column);
    db_quote(listing->db, &listing->sql, text_from(value));
}

static void append_since(struct listing *listing)
{
    struct civil_time civil;
    if (listing->since_us == INT64_MIN)
        return;
    timestamp_to_civil(listing->since_us, &civil);
    buffer_appendf(&listing->sql, " AND `gmt_created` >= '%04d-%02u-%02u %02u:%02u:%02u'",
                   (int)civil.year, civil.month, civil.day, civil.hour, civil.minute, civil.second);
}

/* All described columns; NULL stands for those that the table does not have. */
static void append_select(struct listing *listing)
{
    const struct table *table = listing->history.table;
    const struct schema_table *there = &listing->schema->tables[table_number(table)];
    buffer_reset(&listing->sql);
    buffer_append_string(&listing->sql, "SELECT ");
    for (size_t i = 0; i < table->column_count; i++)
        buffer_appendf(&listing->sql, there->columns[i].exists ? "%s`%s`" : "%sNULL AS `%s`",
                       i == 0 ? "" : ", ", table->columns[i].name);
    buffer_appendf(&listing->sql, " FROM `%s` WHERE 1 = 1", table->name);
}

static void on_row(void *context, const struct text *values, size_t count)
{
    struct listing *listing = context;
    if (count != listing->history.table->column_count || listing->found++ == listing->limit)
        return;
    if (!listing->as_json) {
        history_add(&listing->history, values, &listing->columns);
        return;
    }
    buffer_append_string(&listing->out, listing->found == 1 ? "\n" : ",\n");
    history_append_json(&listing->history, values, &listing->out);
}

/* Asks for one row more than is shown, to know whether there are more. */
static enum error_code run_select(struct listing *listing, const char *order, struct db_error *err)
{
    buffer_appendf(&listing->sql, " ORDER BY %s LIMIT %zu", order, listing->limit + 1);
    if (listing->sql.failed)
        return db_no_memory(err, "listing rows");
    if (listing->as_json)
        buffer_append_string(&listing->out, "{\"items\":[");
    else
        history_begin(&listing->history, &listing->columns);
    enum error_code code = db_query(listing->db, buffer_text(&listing->sql), on_row, listing, err);
    if (code != ERROR_NONE)
        return code;
    if (listing->as_json)
        buffer_appendf(&listing->out, "%s],\"more\":%s}\n", listing->found > 0 ? "\n" : "",
                       listing->found > listing->limit ? "true" : "false");
    else
        columns_append(&listing->columns, &listing->out);
    return listing->out.failed ? db_no_memory(err, "listing rows") : ERROR_NONE;
}

static enum error_code find_jobs(struct listing *listing, struct db_error *err)
{
    const char *const *values = listing->options.values;
    append_select(listing);
    append_condition(listing, "namespace", values[JOBS_NAMESPACE]);
    append_condition(listing, "status", values[JOBS_STATUS]);
    append_condition(listing, "kind", values[JOBS_KIND]);
    append_since(listing);
    return run_select(listing, "`gmt_created` DESC, `id` DESC", err);
}

/* ---- the job whose pods are asked for ---------------------------------------------------------- */

struct namesake {
    char uid[65];
    char namespace[129];
    char kind[33];
    char created[20];
};

struct namesakes {
    struct namesake jobs[MAX_NAMESAKES]; /* the newest first */
    size_t count;
    bool more;
};

/* In tables that KubeDL made, one job may have several rows. */
static void on_namesake(void *context, const struct text *values, size_t count)
{
    struct namesakes *found = context;
    struct namesake job;
    if (count != 4 || values[0].data == NULL)
        return;
    text_copy(job.uid, sizeof(job.uid), values[0]);
    text_copy(job.namespace, sizeof(job.namespace), values[1]);
    text_copy(job.kind, sizeof(job.kind), values[2]);
    text_copy(job.created, sizeof(job.created), values[3]);
    for (size_t i = 0; i < found->count; i++) {
        if (strcmp(found->jobs[i].uid, job.uid) == 0)
            return;
    }
    found->more = found->count == MAX_NAMESAKES;
    if (!found->more)
        found->jobs[found->count++] = job;
}

/* The index is on namespace and name: without a namespace, each of them is looked into. */
static enum error_code find_namesakes(struct listing *listing, struct namesakes *found,
                                      struct db_error *err)
{
    const char *namespace = listing->options.values[PODS_NAMESPACE];
    buffer_reset(&listing->sql);
    buffer_append_string(&listing->sql, "SELECT `job`.`job_id`, `job`.`namespace`, `job`.`kind`, "
                                        "`job`.`gmt_created` FROM ");
    if (namespace == NULL) {
        buffer_append_string(&listing->sql,
                             "(SELECT DISTINCT `namespace` FROM `job_info`) AS `each` JOIN "
                             "`job_info` AS `job` ON `job`.`namespace` = `each`.`namespace`"
                             " WHERE `job`.`name` = ");
    } else {
        buffer_append_string(&listing->sql, "`job_info` AS `job` WHERE `job`.`namespace` = ");
        db_quote(listing->db, &listing->sql, text_from(namespace));
        buffer_append_string(&listing->sql, " AND `job`.`name` = ");
    }
    db_quote(listing->db, &listing->sql, text_from(listing->options.operand));
    buffer_appendf(&listing->sql, " ORDER BY `job`.`gmt_created` DESC, `job`.`id` DESC LIMIT %d",
                   4 * MAX_NAMESAKES);
    if (listing->sql.failed)
        return db_no_memory(err, "listing rows");
    return db_query(listing->db, buffer_text(&listing->sql), on_namesake, found, err);
}

/* So that nobody takes the newest one for the only one. */
static void print_namesakes(const struct namesakes *found, const char *name)
{
    struct columns columns;
    struct buffer out;
    buffer_init(&out, HELP_LIMIT);
    columns_init(&columns, 4, HELP_LIMIT);
    static const char *const head[] = {"UID", "NAMESPACE", "KIND", "CREATED"};
    for (size_t i = 0; i < 4; i++)
        columns_add_string(&columns, head[i]);
    for (size_t i = 0; i < found->count; i++) {
        columns_add_string(&columns, found->jobs[i].uid);
        columns_add_string(&columns, found->jobs[i].namespace);
        columns_add_string(&columns, found->jobs[i].kind);
        columns_add_string(&columns, found->jobs[i].created);
    }
    columns_append(&columns, &out);
    const char *text = buffer_cstring(&out);
    fprintf(stderr,
            "%s jobs have the name %s; these are the pods of the newest. To see another one's: "
            "kubedl-shipper pods UID\n%s\n",
            found->more ? "Many" : "Several", name, text != NULL ? text : "");
    columns_fini(&columns);
    buffer_fini(&out);
}

static enum error_code find_pods(struct listing *listing, struct db_error *err)
{
    struct namesakes found = {.count = 0};
    enum error_code code = find_namesakes(listing, &found, err);
    if (code != ERROR_NONE)
        return code;
    if (found.count > 1)
        print_namesakes(&found, listing->options.operand);
    append_select(listing);
    append_condition(listing, "job_id",
                     found.count > 0 ? found.jobs[0].uid : listing->options.operand);
    if (found.count == 0)
        append_condition(listing, "namespace", listing->options.values[PODS_NAMESPACE]);
    return run_select(listing,
                      "`replica_type`, CAST(SUBSTRING_INDEX(`name`, '-', -1) AS SIGNED), "
                      "`gmt_created` DESC, `id` DESC",
                      err);
}

/* ---- the commands ----------------------------------------------------------------------------- */

struct command {
    const char *usage;
    const struct option_spec *options;
    const char *operand;
    const struct table *table;
    size_t limit, output, help; /* places among the options; those of both commands */
    size_t since;               /* OPTIONS_MAX: there is none */
    enum error_code (*find)(struct listing *listing, struct db_error *err);
};

static const struct command jobs_command = {
    .usage = "jobs [OPTION]...",
    .options = jobs_options,
    .table = &table_job,
    .limit = JOBS_LIMIT,
    .output = JOBS_OUTPUT,
    .help = JOBS_HELP,
    .since = JOBS_SINCE,
    .find = find_jobs,
};

static const struct command pods_command = {
    .usage = "pods JOB [OPTION]...",
    .options = pods_options,
    .operand = "JOB",
    .table = &table_pod,
    .limit = PODS_LIMIT,
    .output = PODS_OUTPUT,
    .help = PODS_HELP,
    .since = OPTIONS_MAX,
    .find = find_pods,
};

static enum error_code read_arguments(const struct command *command, int count, char **arguments,
                                      struct listing *listing, struct error *err)
{
    const char *const *values = listing->options.values;
    enum error_code code =
        options_read(command->options, command->operand, count, arguments, &listing->options, err);
    if (code == ERROR_NONE)
        code = read_output(values[command->output], &listing->as_json, err);
    if (code == ERROR_NONE)
        code = read_limit(&command->options[command->limit], values[command->limit],
                          &listing->limit, err);
    if (code == ERROR_NONE)
        code = read_since(command->since < OPTIONS_MAX ? values[command->since] : NULL,
                          listing->history.now_us, &listing->since_us, err);
    return code;
}

/* Both tables are looked at: the pods of a job are found by the job's row. */
static enum error_code check_tables(const struct listing *listing, const struct config *config,
                                    struct db_error *err)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        if (!listing->schema->tables[i].exists)
            return db_error_set(err, DBERROR_OPERATOR,
                                "there is no table %s in the database %s: has a sidecar written to "
                                "it?",
                                tables[i]->name, config->mysql_db_name);
    }
    return ERROR_NONE;
}

static enum error_code look(struct listing *listing, const struct command *command,
                            const struct config *config, struct db_error *err)
{
    listing->history.json = json_new();
    listing->schema = schema_new(tables);
    listing->db = db_new(config);
    if (listing->history.json == NULL)
        return db_no_memory(err, "listing rows");
    db_read_only(listing->db);
    enum error_code code = db_connect_any(listing->db, err);
    if (code == ERROR_NONE)
        code = migrate_look(listing->db, listing->schema, err);
    if (code == ERROR_NONE)
        code = check_tables(listing, config, err);
    if (code == ERROR_NONE)
        code = command->find(listing, err);
    return code;
}

static int print(const struct listing *listing)
{
    struct text text = buffer_text(&listing->out);
    if (listing->found == 0)
        fputs(NOTHING, stderr);
    if (listing->found == 0 && !listing->as_json)
        return EXIT_OK;
    if (fwrite(text.data, 1, text.length, stdout) != text.length || fflush(stdout) != 0)
        return EXIT_FAILED;
    if (listing->found > listing->limit)
        fprintf(stderr, "There are more than these %zu: see --limit\n", listing->limit);
    return EXIT_OK;
}

static int run(struct listing *listing, const struct command *command, const struct config *config)
{
    struct db_error failure = {0};
    listing->history.table = command->table;
    buffer_init(&listing->sql, SQL_LIMIT);
    buffer_init(&listing->out, HISTORY_LIMIT);
    enum error_code code = db_library_init(&failure.error);
    if (code == ERROR_NONE) {
        code = look(listing, command, config, &failure);
        db_free(listing->db);
        db_library_fini();
    }
    int status = EXIT_FAILED;
    if (code == ERROR_NONE)
        status = print(listing);
    else
        fprintf(stderr, "kubedl-shipper: %s\n", failure.error.text);
    schema_free(listing->schema);
    json_free(listing->history.json);
    columns_fini(&listing->columns);
    buffer_fini(&listing->sql);
    buffer_fini(&listing->out);
    return status;
}

static int print_help(const struct command *command)
{
    struct buffer out;
    buffer_init(&out, HELP_LIMIT);
    options_help(&out, command->options);
    const char *text = buffer_cstring(&out);
    int printed =
        text == NULL ? -1 : printf("Usage: kubedl-shipper %s\n\n%s", command->usage, text);
    buffer_fini(&out);
    return printed > 0 && fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
}

static int execute(const struct command *command, const struct config *config, int count,
                   char **arguments)
{
    struct listing listing = {.history.now_us = clock_now_us()};
    struct error err;
    enum error_code code = read_arguments(command, count, arguments, &listing, &err);
    if (listing.options.values[command->help] != NULL)
        return print_help(command);
    if (code != ERROR_NONE) {
        fprintf(stderr, "kubedl-shipper: %s: see kubedl-shipper %s --help\n", err.text,
                command == &jobs_command ? "jobs" : "pods");
        return EXIT_USAGE;
    }
    return run(&listing, command, config);
}

int command_jobs(const struct config *config, int count, char **arguments)
{
    return execute(&jobs_command, config, count, arguments);
}

int command_pods(const struct config *config, int count, char **arguments)
{
    return execute(&pods_command, config, count, arguments);
}
