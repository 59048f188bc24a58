/* jobs: the commands `jobs` and `pods` print jobs and pods from the database alone, so also those that the
 * cluster no longer has.
 *
 * They only read: the session refuses to write. A read-only server is accepted, and so are tables that
 * KubeDL made. --limit bounds what is printed; control characters are escaped. */
#include "lib/show/listing.h"

#include "lib/base/duration.h"
#include "lib/base/timestamp.h"
#include "lib/json/write.h"
#include "lib/kube/object.h"
#include "lib/sql/schema.h"
#include "sidecar/base/clock.h"
#include "sidecar/commands/commands.h"
#include "sidecar/store/db.h"
#include "sidecar/store/migrate.h"

#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_LIMIT 100
#define MAX_LIMIT     100000

#define SQL_LIMIT ((size_t)1 << 16)

/* At most so many jobs of one name are listed. */
#define MAX_NAMESAKES 10

/* The places of the options in the tables of both commands; only `jobs` has the last three. */
enum { NAMESPACE, LIMIT, OUTPUT, STATUS, KIND, SINCE };

/* What is asked for, and what has been found. */
struct query {
    const char *const *values; /* of the options */
    const char *job;           /* whose pods are asked for; NULL: jobs are */
    int64_t since_us;          /* INT64_MIN: since ever */
    size_t limit;
    bool as_json;

    struct db *db;
    struct schema *schema;
    struct buffer sql;
    struct listing listing;
    struct columns columns; /* the table ... */
    struct buffer out;      /* ... and the text to be printed, or the JSON as it comes */
    struct json_writer json;
    size_t found; /* rows, one more than limit where there are more */
};

/* ---- arguments -------------------------------------------------------------------------------- */

static enum error_code read_arguments(const struct invocation *invocation, struct query *query,
                                      struct error *err)
{
    const char *output = invocation->values[OUTPUT];
    const char *since = invocation->values[SINCE];
    int64_t age_us;
    long limit;
    query->values = invocation->values;
    query->as_json = output != NULL && strcmp(output, "json") == 0;
    if (output != NULL && !query->as_json && strcmp(output, "table") != 0)
        return error_set(err, ERROR_INPUT, "--output is table or json, not %s", output);
    enum error_code code =
        command_number(invocation, LIMIT, 1, MAX_LIMIT, DEFAULT_LIMIT, &limit, err);
    query->limit = (size_t)limit;
    query->since_us = INT64_MIN;
    if (code != ERROR_NONE || since == NULL)
        return code;
    if (duration_parse(text_from(since), &age_us) != ERROR_NONE)
        return error_set(err, ERROR_INPUT, "--since takes an age such as 7d, 12h or 1d12h, not %s",
                         since);
    query->since_us = query->listing.now_us - age_us;
    return ERROR_NONE;
}

/* ---- questions -------------------------------------------------------------------------------- */

/* Adds the condition that the column has this value; NULL: any. */
static void append_condition(struct query *query, const char *column, const char *value)
{
    if (value == NULL)
        return;
    buffer_appendf(&query->sql, " AND `%s` = ", column);
    db_quote(query->db, &query->sql, text_from(value));
}

/* Selects all columns that the program knows; NULL stands for a column that the table does not have. */
static void append_select(struct query *query)
{
    const struct table *table = query->listing.table;
    const struct schema_table *there = &query->schema->tables[table_number(table)];
    buffer_reset(&query->sql);
    buffer_append_string(&query->sql, "SELECT ");
    for (size_t i = 0; i < table->column_count; i++)
        buffer_appendf(&query->sql, there->columns[i].exists ? "%s`%s`" : "%sNULL AS `%s`",
                       i == 0 ? "" : ", ", table->columns[i].name);
    buffer_appendf(&query->sql, " FROM `%s` WHERE 1 = 1", table->name);
}

static void on_row(void *context, const struct text *values, size_t count)
{
    struct query *query = context;
    if (count != query->listing.table->column_count || query->found++ == query->limit)
        return;
    if (!query->as_json) {
        listing_add(&query->listing, values, &query->columns);
        return;
    }
    json_write_raw(&query->json, NULL, TEXT("\n"));
    listing_append_json(&query->listing, values, &query->out);
}

/* Asks for one row more than is shown, to know whether there are more. */
static enum error_code run_select(struct query *query, const char *order, struct db_error *err)
{
    buffer_appendf(&query->sql, " ORDER BY %s LIMIT %zu", order, query->limit + 1);
    if (query->sql.failed)
        return db_no_memory(err, "listing rows");
    query->json = json_writer(&query->out);
    if (query->as_json) {
        json_begin_object(&query->json, NULL);
        json_begin_array(&query->json, "items");
    } else {
        listing_begin(&query->listing, &query->columns);
    }
    enum error_code code = db_query(query->db, buffer_text(&query->sql), on_row, query, err);
    if (code != ERROR_NONE)
        return code;
    if (query->as_json) {
        buffer_append_string(&query->out, query->found > 0 ? "\n" : "");
        json_end(&query->json);
        json_write_bool(&query->json, "more", query->found > query->limit);
        json_end(&query->json);
        buffer_append_char(&query->out, '\n');
    } else {
        columns_append(&query->columns, &query->out);
    }
    return query->out.failed ? db_no_memory(err, "listing rows") : ERROR_NONE;
}

static enum error_code find_jobs(struct query *query, struct db_error *err)
{
    const char *const *values = query->values;
    append_select(query);
    append_condition(query, "namespace", values[NAMESPACE]);
    append_condition(query, "status", values[STATUS]);
    append_condition(query, "kind", values[KIND]);
    if (query->since_us != INT64_MIN) {
        struct civil_time civil;
        timestamp_to_civil(query->since_us, &civil);
        buffer_appendf(&query->sql, " AND `gmt_created` >= '%04d-%02u-%02u %02u:%02u:%02u'",
                       (int)civil.year, civil.month, civil.day, civil.hour, civil.minute,
                       civil.second);
    }
    return run_select(query, "`gmt_created` DESC, `id` DESC", err);
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

/* In tables that KubeDL made, one job may have several rows; only the first of them counts. */
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

/* Lists the jobs of this name, so that nobody takes the newest job for the only one. */
static void print_namesakes(const struct namesakes *found, const char *name)
{
    static const char *const head[] = {"UID", "NAMESPACE", "KIND", "CREATED"};
    struct columns columns;
    columns_begin(&columns, head, 4);
    for (size_t i = 0; i < found->count; i++) {
        columns_add_string(&columns, found->jobs[i].uid);
        columns_add_string(&columns, found->jobs[i].namespace);
        columns_add_string(&columns, found->jobs[i].kind);
        columns_add_string(&columns, found->jobs[i].created);
    }
    fprintf(stderr,
            "%s jobs have the name %s; these are the pods of the newest. To see another one's: "
            "kubedl-shipper pods UID\n",
            found->more ? "Many" : "Several", name);
    (void)command_print_columns(&columns, stderr);
    fputc('\n', stderr);
}

/* The index is on (namespace, name): without --namespace, the name is looked up in each namespace. */
static enum error_code find_pods(struct query *query, struct db_error *err)
{
    struct namesakes found = {.count = 0};
    const char *namespace = query->values[NAMESPACE];
    buffer_reset(&query->sql);
    buffer_append_string(&query->sql, "SELECT `job`.`job_id`, `job`.`namespace`, `job`.`kind`, "
                                      "`job`.`gmt_created` FROM ");
    if (namespace == NULL) {
        buffer_append_string(&query->sql,
                             "(SELECT DISTINCT `namespace` FROM `job_info`) AS `each` JOIN "
                             "`job_info` AS `job` ON `job`.`namespace` = `each`.`namespace`"
                             " WHERE `job`.`name` = ");
    } else {
        buffer_append_string(&query->sql, "`job_info` AS `job` WHERE `job`.`namespace` = ");
        db_quote(query->db, &query->sql, text_from(namespace));
        buffer_append_string(&query->sql, " AND `job`.`name` = ");
    }
    db_quote(query->db, &query->sql, text_from(query->job));
    buffer_appendf(&query->sql, " ORDER BY `job`.`gmt_created` DESC, `job`.`id` DESC LIMIT %d",
                   4 * MAX_NAMESAKES);
    if (query->sql.failed)
        return db_no_memory(err, "listing rows");
    enum error_code code = db_query(query->db, buffer_text(&query->sql), on_namesake, &found, err);
    if (code != ERROR_NONE)
        return code;
    if (found.count > 1)
        print_namesakes(&found, query->job);
    append_select(query);
    /* The column is ASCII, and the server refuses to compare it with a text that is not. */
    const char *uid = object_is_uid(text_from(query->job)) ? query->job : "";
    append_condition(query, "job_id", found.count > 0 ? found.jobs[0].uid : uid);
    if (found.count == 0)
        append_condition(query, "namespace", namespace);
    return run_select(query,
                      "`replica_type`, CAST(SUBSTRING_INDEX(`name`, '-', -1) AS SIGNED), "
                      "`gmt_created` DESC, `id` DESC",
                      err);
}

/* ---- the commands ----------------------------------------------------------------------------- */

/* Both tables must exist: the pods of a job are found through the job's row. */
static enum error_code look(struct query *query, const struct config *config, struct db_error *err)
{
    enum error_code code = command_connect(config, true, &query->db, err);
    if (code == ERROR_NONE)
        code = migrate_look(query->db, query->schema, err);
    for (size_t i = 0; i < TABLE_COUNT && code == ERROR_NONE; i++) {
        if (!query->schema->tables[i].exists)
            code = db_error_set(err, DBERROR_OPERATOR,
                                "there is no table %s in the database %s: has a sidecar written to "
                                "it?",
                                tables[i]->name, config->mysql_db_name);
    }
    if (code != ERROR_NONE)
        return code;
    return query->job != NULL ? find_pods(query, err) : find_jobs(query, err);
}

static int run(const struct invocation *invocation)
{
    struct query query = {.listing.now_us = clock_now_us()};
    struct db_error err = {0};
    if (read_arguments(invocation, &query, &err.error) != ERROR_NONE)
        return command_misused(invocation->command, err.error.text);
    query.job = invocation->operand_count > 0 ? invocation->operands[0] : NULL;
    query.listing.table = query.job != NULL ? &table_pod : &table_job;
    query.listing.json = json_new();
    query.schema = schema_new(tables);
    buffer_init(&query.sql, SQL_LIMIT);
    buffer_init(&query.out, LISTING_LIMIT);
    enum error_code code = look(&query, invocation->config, &err);
    command_disconnect(query.db);
    int status = code == ERROR_NONE ? EXIT_OK : command_failed(&err.error);
    if (code == ERROR_NONE && query.found == 0)
        fputs("No resources found\n", stderr);
    if (code == ERROR_NONE && (query.found > 0 || query.as_json))
        status = command_print(&query.out, stdout);
    if (status == EXIT_OK && query.found > query.limit)
        fprintf(stderr, "There are more than these %zu: see --limit\n", query.limit);
    schema_free(query.schema);
    json_free(query.listing.json);
    columns_fini(&query.columns);
    buffer_fini(&query.sql);
    buffer_fini(&query.out);
    return status;
}

const struct command command_jobs = {
    .name = "jobs",
    .synopsis = "[OPTION]...",
    .brief = "jobs that the database knows",
    .summary = "Jobs that the database knows, also those that are long gone.",
    .options =
        {
            [NAMESPACE] = {"namespace", 'n', "NAMESPACE", "of this namespace"},
            [LIMIT] = {"limit", '\0', "N", "at most so many, the newest (100)"},
            [OUTPUT] = {"output", 'o', "FORMAT", "table or json"},
            [STATUS] = {"status", '\0', "STATUS",
                        "Created, Queuing, Running, Restarting, Succeeded, Failed or Stopped"},
            [KIND] = {"kind", '\0', "KIND", "TFJob, PyTorchJob, ..."},
            [SINCE] = {"since", '\0', "AGE", "created within this time: 7d, 12h, 1d12h"},
        },
    .run = run,
};

const struct command command_pods = {
    .name = "pods",
    .synopsis = "JOB [OPTION]...",
    .brief = "the pods of a job, by its name or uid",
    .summary = "The pods of a job that the database knows, by the job's name or uid.",
    .options =
        {
            [NAMESPACE] = {"namespace", 'n', "NAMESPACE", "of a job in this namespace"},
            [LIMIT] = {"limit", '\0', "N", "at most so many (100)"},
            [OUTPUT] = {"output", 'o', "FORMAT", "table or json"},
        },
    .operand = "JOB",
    .run = run,
};
