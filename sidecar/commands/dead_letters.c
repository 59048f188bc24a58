/* dead_letters: lets a person list the dead letters (rows that the database refused), write them again once
 * the cause is mended, or drop them. It works beside a running sidecar.
 *
 * Happy path: each letter that is asked for is read from the spool and handed to the subcommand, which shows
 * it, writes its row to the database, or has it dropped. The letters that are written or dropped are deleted
 * in one transaction at the end.
 *
 * Failure modes, all with exit status 1:
 *   there is no letter with the ID      said
 *   a letter is refused again, or is    said of each of them; they stay, and the others are written
 *   damaged
 *   the connection is lost              the letters that were not tried stay
 *   killed before the end               letters that were written stay; written again they change nothing,
 *                                       since the upsert compares versions
 */
#include "lib/base/printable.h"
#include "lib/base/timestamp.h"
#include "lib/json/json.h"
#include "lib/rows/rowjson.h"
#include "sidecar/commands/commands.h"
#include "sidecar/spool/spool_file.h"
#include "sidecar/store/db.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define TEXT_LIMIT ((size_t)256 << 20)

struct visit {
    const struct subcommand *subcommand;
    int64_t id;             /* of the letter that is asked for; 0: all of them */
    size_t count;           /* letters that were asked for and are there */
    size_t failed;          /* letters that could not be written, of these */
    struct columns columns; /* of a list */
    struct buffer out;      /* of a letter that is shown */
    struct json *json;
    struct db *db;
    struct error lost;  /* the connection was lost: the remaining letters cannot be tried */
    struct buffer done; /* the ids (int64_t) of the letters to be deleted */
};

/* One thing that is done with letters. */
struct subcommand {
    const char *name;
    bool (*visit)(struct visit *visit,
                  const struct dead_letter *letter); /* false: no more letters */
    bool takes_id;
    bool takes_all;
};

/* SQLite does not define what a reader sees of rows that are deleted while it reads, so letters are deleted
 * only after the reading. */
static bool delete_later(struct visit *visit, const struct dead_letter *letter)
{
    buffer_append(&visit->done, (struct text){(const char *)&letter->id, sizeof(letter->id)});
    return !visit->done.failed;
}

static const char *time_of(const struct dead_letter *letter, char text[TIMESTAMP_TEXT_SIZE])
{
    timestamp_format(letter->at_us / 1000000 * 1000000, text);
    return text;
}

static bool list_letter(struct visit *visit, const struct dead_letter *letter)
{
    static const char *const head[] = {"ID", "TIME", "TABLE", "UID", "VERSION", "REASON"};
    char at[TIMESTAMP_TEXT_SIZE], id[32];
    if (visit->count == 1)
        columns_begin(&visit->columns, head, sizeof(head) / sizeof(head[0]));
    (void)snprintf(id, sizeof(id), "%" PRId64, letter->id);
    columns_add_string(&visit->columns, id);
    columns_add_string(&visit->columns, time_of(letter, at));
    columns_add(&visit->columns, letter->table);
    columns_add(&visit->columns, letter->uid);
    columns_add(&visit->columns, letter->version);
    columns_add(&visit->columns, letter->reason);
    return true;
}

static void append_line(struct buffer *out, const char *name, struct text value)
{
    buffer_appendf(out, "%-9s", name);
    printable_append(out, value);
    buffer_append_char(out, '\n');
}

/* Shows control characters as escapes. The row stays the same JSON, unless it is damaged. */
static bool show_letter(struct visit *visit, const struct dead_letter *letter)
{
    struct buffer *out = &visit->out;
    char at[TIMESTAMP_TEXT_SIZE];
    buffer_appendf(out, "%-9s%" PRId64 "\n%-9s%s\n", "id:", letter->id,
                   "time:", time_of(letter, at));
    append_line(out, "table:", letter->table);
    append_line(out, "uid:", letter->uid);
    append_line(out, "version:", letter->version);
    buffer_appendf(out, "%-9s%" PRId64 "\n", "error:", letter->number);
    append_line(out, "reason:", letter->reason);
    if (letter->damaged) {
        append_line(out, "damaged:", letter->body);
        return false;
    }
    buffer_appendf(out, "%-9s", "row:");
    printable_append_json(out, letter->body);
    buffer_append_char(out, '\n');
    return false;
}

static enum error_code write_body(struct visit *visit, struct text body, struct error *err)
{
    const json_value *root;
    struct row *row;
    struct db_error failure = {0};
    if (json_read(visit->json, body, &root, err) != JSON_OK)
        return ERROR_INPUT;
    enum error_code code = rowjson_read(root, &row, err);
    if (code != ERROR_NONE)
        return code;
    code = db_write(visit->db, row->table, row->mode, &row, 1, &failure);
    if (code != ERROR_NONE)
        *err = failure.error;
    if (code != ERROR_NONE && failure.affects == DB_AFFECTS_CONNECTION)
        visit->lost = failure.error;
    row_free(row);
    return code;
}

static bool retry_letter(struct visit *visit, const struct dead_letter *letter)
{
    struct error err = {0};
    enum error_code code =
        letter->damaged ? error_set(&err, ERROR_INPUT,
                                    "it is not as it was written (its checksum is wrong): look at "
                                    "it, then drop it")
                        : write_body(visit, letter->body, &err);
    printf("%" PRId64 " %s\n", letter->id, code == ERROR_NONE ? "written" : err.text);
    if (code == ERROR_NONE)
        return delete_later(visit, letter);
    visit->failed++;
    return visit->lost.code == ERROR_NONE;
}

static const struct subcommand list = {"list", list_letter, false, false};
static const struct subcommand show = {"show", show_letter, true, false};
static const struct subcommand retry = {"retry", retry_letter, true, true};
static const struct subcommand drop = {"drop", delete_later, true, true};

static bool on_letter(void *context, const struct dead_letter *letter)
{
    struct visit *visit = context;
    if (visit->id != 0 && visit->id != letter->id)
        return true;
    visit->count++;
    return visit->subcommand->visit(visit, letter);
}

static enum error_code delete_done(const struct visit *visit, struct spool_file *file,
                                   struct error *err)
{
    struct text ids = buffer_text(&visit->done);
    if (ids.length == 0)
        return ERROR_NONE;
    enum error_code code = spool_file_begin(file, err);
    for (; ids.length > 0 && code == ERROR_NONE; ids = text_skip(ids, sizeof(int64_t))) {
        int64_t id;
        memcpy(&id, ids.data, sizeof(id));
        code = spool_file_drop_dead(file, id, err);
    }
    if (code == ERROR_NONE)
        code = spool_file_commit(file, err);
    if (code != ERROR_NONE)
        spool_file_rollback(file);
    return code;
}

static enum error_code visit_letters(struct visit *visit, struct spool_file *file,
                                     struct error *err)
{
    enum error_code code = spool_file_read_dead(file, on_letter, visit, err);
    if (code == ERROR_NONE)
        code = delete_done(visit, file, err);
    if (code == ERROR_NONE && visit->done.failed)
        code = error_set(err, ERROR_NOMEM, "no memory for more than %zu letters: try again",
                         visit->count);
    if (code == ERROR_NONE && visit->lost.code != ERROR_NONE)
        code = error_set(err, visit->lost.code, "the rest was not tried: %s", visit->lost.text);
    if (code == ERROR_NONE && visit->id != 0 && visit->count == 0)
        code = error_set(err, ERROR_INPUT, "there is no dead letter %" PRId64, visit->id);
    return code;
}

static int print_result(struct visit *visit)
{
    if (visit->subcommand == &list && visit->count > 0)
        return command_print_columns(&visit->columns, stdout);
    if (visit->subcommand == &list)
        printf("no dead letters\n");
    if (visit->subcommand == &show)
        return command_print(&visit->out, stdout);
    if (visit->subcommand == &drop)
        printf("%zu dropped\n", visit->count);
    return visit->failed == 0 ? EXIT_OK : EXIT_FAILED;
}

/* Returns false if no subcommand takes these words. */
static bool read_words(int count, char *const *words, struct visit *visit)
{
    static const struct subcommand *const subcommands[] = {&list, &show, &retry, &drop};
    char *end;
    for (size_t i = 0; count > 0 && i < sizeof(subcommands) / sizeof(subcommands[0]); i++) {
        if (strcmp(words[0], subcommands[i]->name) == 0)
            visit->subcommand = subcommands[i];
    }
    if (visit->subcommand == NULL || count != (visit->subcommand->takes_id ? 2 : 1))
        return false;
    if (count == 1 || (visit->subcommand->takes_all && strcmp(words[1], "all") == 0))
        return true;
    visit->id = strtoll(words[1], &end, 10);
    return *end == '\0' && visit->id > 0;
}

static int run(const struct invocation *invocation)
{
    struct visit visit = {0};
    struct spool_file *file = NULL;
    struct db_error failure = {0};
    struct error *err = &failure.error;
    if (!read_words(invocation->operand_count, invocation->operands, &visit))
        return command_misused(invocation->command,
                               "dead-letters takes list, show ID, retry ID|all, or drop ID|all");
    buffer_init(&visit.out, TEXT_LIMIT);
    buffer_init(&visit.done, TEXT_LIMIT);
    visit.json = json_new();
    enum error_code code = spool_file_attach(invocation->config->spool_dir, &file, err);
    if (code == ERROR_NONE && visit.subcommand == &retry)
        code = command_connect(invocation->config, false, &visit.db, &failure);
    if (code == ERROR_NONE)
        code = visit_letters(&visit, file, err);
    command_disconnect(visit.db);
    spool_file_close(file);
    int status = code == ERROR_NONE ? print_result(&visit) : command_failed(err);
    json_free(visit.json);
    buffer_fini(&visit.out);
    buffer_fini(&visit.done);
    columns_fini(&visit.columns);
    return status;
}

const struct command command_dead_letters = {
    .name = "dead-letters",
    .synopsis = "list | show ID | retry ID|all | drop ID|all",
    .brief = "rows that the database refused: list, show, retry or drop them",
    .summary = "Rows that the database refused: lists them, shows one of them whole, writes them "
               "again once the cause is mended (what is written is dropped), or drops them. A "
               "sidecar may run beside it.",
    .any_operands = true,
    .run = run,
};
