/* dead_letters: lets a person list the dead letters (rows that the database refused), try them again once
 * the cause is mended, or drop them. It works beside a running sidecar. */
#include "lib/base/timestamp.h"
#include "lib/json/json.h"
#include "lib/rows/rowjson.h"
#include "sidecar/commands/commands.h"
#include "sidecar/spool/spool_file.h"
#include "sidecar/store/db.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* A subcommand at work on all dead letters, or on one. */
struct visit {
    struct spool_file *file;
    const struct config *config;
    int64_t id;             /* 0: all of them */
    size_t count;           /* letters met */
    size_t failed;          /* of these */
    struct columns columns; /* of a list */
    struct json *json;
    struct db *db;
    struct error lost; /* the connection was: the rest can't be tried */

    /* the ids of the letters to be dropped once all have been read */
    int64_t *done;
    size_t done_count, done_capacity;
};

static const char *time_of(const struct dead_letter *letter, char text[TIMESTAMP_TEXT_SIZE])
{
    timestamp_format(letter->at_us / 1000000 * 1000000, text);
    return text;
}

static int width(struct text text)
{
    return text.length < 512 ? (int)text.length : 512;
}

static bool list_letter(void *context, const struct dead_letter *letter)
{
    static const char *const head[] = {"ID", "TIME", "TABLE", "UID", "VERSION", "REASON"};
    struct visit *visit = context;
    char at[TIMESTAMP_TEXT_SIZE], id[32];
    if (visit->count++ == 0)
        command_begin_columns(&visit->columns, head, sizeof(head) / sizeof(head[0]));
    (void)snprintf(id, sizeof(id), "%" PRId64, letter->id);
    columns_add_string(&visit->columns, id);
    columns_add_string(&visit->columns, time_of(letter, at));
    columns_add(&visit->columns, letter->table);
    columns_add(&visit->columns, letter->uid);
    columns_add(&visit->columns, letter->version);
    columns_add(&visit->columns, letter->reason);
    return true;
}

static bool show_letter(void *context, const struct dead_letter *letter)
{
    struct visit *visit = context;
    char at[TIMESTAMP_TEXT_SIZE];
    if (letter->id != visit->id)
        return true;
    visit->count++;
    printf("id:      %" PRId64 "\ntime:    %s\ntable:   %.*s\nuid:     %.*s\nversion: %.*s\n"
           "error:   %" PRId64 "\nreason:  %.*s\nrow:     ",
           letter->id, time_of(letter, at), width(letter->table), letter->table.data,
           width(letter->uid), letter->uid.data, width(letter->version), letter->version.data,
           letter->number, width(letter->reason), letter->reason.data);
    fwrite(letter->body.data, 1, letter->body.length, stdout);
    putchar('\n');
    return false;
}

/* SQLite does not define what a reader sees of rows that are deleted while it reads, so letters are dropped
 * only after the reading. */
static bool mark_done(struct visit *visit, int64_t id)
{
    if (visit->done_count == visit->done_capacity) {
        size_t capacity = visit->done_capacity == 0 ? 64 : visit->done_capacity * 2;
        int64_t *done = realloc(visit->done, capacity * sizeof(*done));
        if (done == NULL)
            return false;
        visit->done = done;
        visit->done_capacity = capacity;
    }
    visit->done[visit->done_count++] = id;
    return true;
}

static bool drop_letter(void *context, const struct dead_letter *letter)
{
    struct visit *visit = context;
    if (visit->id != 0 && letter->id != visit->id)
        return true;
    visit->count++;
    return mark_done(visit, letter->id);
}

static enum error_code write_body(struct visit *visit, struct text body, struct error *err)
{
    const json_value *root;
    if (json_read(visit->json, body, &root, err) != JSON_OK)
        return ERROR_INPUT;
    struct row *row;
    enum error_code code = rowjson_read(root, &row, err);
    if (code != ERROR_NONE)
        return code;
    struct db_error failure = {0};
    code = db_write(visit->db, row->table, row->mode, &row, 1, &failure);
    if (code != ERROR_NONE)
        *err = failure.error;
    if (code != ERROR_NONE && failure.affects == DB_AFFECTS_CONNECTION)
        visit->lost = failure.error;
    row_free(row);
    return code;
}

static bool retry_letter(void *context, const struct dead_letter *letter)
{
    struct visit *visit = context;
    struct error err = {0};
    if (visit->id != 0 && letter->id != visit->id)
        return true;
    visit->count++;
    if (letter->damaged) {
        visit->failed++;
        printf("%" PRId64
               " it is not as it was written (its checksum is wrong): look at it, then drop "
               "it\n",
               letter->id);
        return true;
    }
    if (write_body(visit, letter->body, &err) == ERROR_NONE) {
        printf("%" PRId64 " written\n", letter->id);
        return mark_done(visit, letter->id);
    }
    visit->failed++;
    printf("%" PRId64 " %s\n", letter->id, err.text);
    return visit->lost.code == ERROR_NONE;
}

static enum error_code drop_done(struct visit *visit, struct error *err)
{
    if (visit->done_count == 0)
        return ERROR_NONE;
    enum error_code code = spool_file_begin(visit->file, err);
    for (size_t i = 0; i < visit->done_count && code == ERROR_NONE; i++)
        code = spool_file_drop_dead(visit->file, visit->done[i], err);
    if (code == ERROR_NONE)
        code = spool_file_commit(visit->file, err);
    if (code != ERROR_NONE)
        spool_file_rollback(visit->file);
    return code;
}

static enum error_code run_list(struct visit *visit, struct error *err)
{
    enum error_code code = spool_file_read_dead(visit->file, list_letter, visit, err);
    if (code == ERROR_NONE && visit->count == 0)
        printf("no dead letters\n");
    else if (visit->count > 0 && command_print_columns(&visit->columns, stdout) != EXIT_OK)
        visit->failed++;
    return code;
}

static enum error_code run_show(struct visit *visit, struct error *err)
{
    return spool_file_read_dead(visit->file, show_letter, visit, err);
}

static enum error_code run_drop(struct visit *visit, struct error *err)
{
    enum error_code code = spool_file_read_dead(visit->file, drop_letter, visit, err);
    if (code == ERROR_NONE)
        code = drop_done(visit, err);
    if (code == ERROR_NONE)
        printf("%zu dropped\n", visit->done_count);
    return code;
}

static enum error_code run_retry(struct visit *visit, struct error *err)
{
    struct db_error failure;
    enum error_code code = command_connect(visit->config, false, &visit->db, &failure);
    visit->json = json_new();
    if (code != ERROR_NONE)
        *err = failure.error;
    if (code == ERROR_NONE)
        code = spool_file_read_dead(visit->file, retry_letter, visit, err);
    if (code == ERROR_NONE)
        code = drop_done(visit, err);
    if (code == ERROR_NONE && visit->lost.code != ERROR_NONE)
        code = error_set(err, visit->lost.code, "the rest was not tried: %s", visit->lost.text);
    command_disconnect(visit->db);
    json_free(visit->json);
    return code;
}

struct subcommand {
    const char *name;
    enum error_code (*run)(struct visit *visit, struct error *err);
    bool takes_id;
    bool takes_all;
};

static const struct subcommand subcommands[] = {
    {"list", run_list, false, false},
    {"show", run_show, true, false},
    {"retry", run_retry, true, true},
    {"drop", run_drop, true, true},
};

/* Returns NULL if no subcommand takes these arguments. */
static const struct subcommand *read_subcommand(int count, char *const *words, int64_t *id)
{
    size_t i = 0;
    if (count == 0)
        return NULL;
    while (i < sizeof(subcommands) / sizeof(subcommands[0]) &&
           strcmp(words[0], subcommands[i].name) != 0)
        i++;
    if (i == sizeof(subcommands) / sizeof(subcommands[0]))
        return NULL;
    const struct subcommand *subcommand = &subcommands[i];
    if (count != (subcommand->takes_id ? 2 : 1))
        return NULL;
    if (!subcommand->takes_id || (subcommand->takes_all && strcmp(words[1], "all") == 0))
        return subcommand;
    char *end;
    *id = strtoll(words[1], &end, 10);
    return *end == '\0' && *id > 0 ? subcommand : NULL;
}

static int run(const struct invocation *invocation)
{
    struct visit visit = {.config = invocation->config};
    struct error err = {0};
    const struct subcommand *subcommand =
        read_subcommand(invocation->operand_count, invocation->operands, &visit.id);
    if (subcommand == NULL)
        return command_misused(invocation->command, "these are no arguments of dead-letters");
    enum error_code code = spool_file_attach(visit.config->spool_dir, &visit.file, &err);
    if (code == ERROR_NONE) {
        code = subcommand->run(&visit, &err);
        spool_file_close(visit.file);
    }
    free(visit.done);
    if (code == ERROR_NONE && visit.id != 0 && visit.count == 0)
        code = error_set(&err, ERROR_INPUT, "there is no dead letter %" PRId64, visit.id);
    if (code != ERROR_NONE)
        return command_failed(&err);
    return visit.failed == 0 ? EXIT_OK : EXIT_FAILED;
}

const struct command command_dead_letters = {
    .name = "dead-letters",
    .synopsis = "list | show ID | retry ID|all | drop ID|all",
    .summary = "Rows that the database refused: lists them, shows one of them whole, writes them "
               "again once "
               "the cause is mended (what is written is dropped), or drops them. A sidecar may run "
               "beside it.",
    .any_operands = true,
    .run = run,
};
