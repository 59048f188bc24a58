/* sweep: shows a person the rows that a refused sweep would have closed, and closes them with --confirm. It
 * works beside a running sidecar, which notices within a minute that nothing is left to be closed.
 *
 * Happy path: the spool's notes tell which objects a snapshot did not show. The database is asked for the
 * rows of these objects that are still alive and older than the snapshot. The rows are shown and, with
 * --confirm, closed, a chunk at a time, by the same tombstones that the sidecar would have written.
 *
 * Failure modes:
 *   no sweep was refused              a message says that there is nothing to do
 *   an event comes meanwhile          it is newer than the tombstone: the row stays alive, or revives
 *   killed, connection lost           closed rows stay closed; the next run goes on with the rest
 */
#include "lib/kube/kind.h"
#include "lib/kube/suspects.h"
#include "lib/rows/timeline.h"
#include "sidecar/base/clock.h"
#include "sidecar/commands/commands.h"
#include "sidecar/spool/spool_file.h"
#include "sidecar/store/db.h"

#include <stdio.h>
#include <stdlib.h>

#define CHUNK_ROWS 250 /* are asked for, and closed, at once */
#define SQL_LIMIT  ((size_t)1 << 20)
#define NAME_SIZE  128

/* A sweep that was refused, as a note of the spool tells it. */
struct refused {
    char name[NAME_SIZE]; /* the resource's title, and its namespace */
    const struct resource *resource;
    struct suspects *suspects;
};

#define MAX_REFUSED 128 /* as many notes as a spool has */

struct confirm {
    struct db *db;
    bool confirmed;
    struct refused refused[MAX_REFUSED];
    size_t count;
    const struct refused *now;    /* that is shown, or closed */
    struct row *rows[CHUNK_ROWS]; /* tombstones to be written */
    size_t row_count;
    size_t shown;
    struct columns columns; /* what is shown */
    bool no_memory;
};

static bool on_note(void *context, struct text name, struct text text, bool intact)
{
    struct confirm *confirm = context;
    struct refused *refused = &confirm->refused[confirm->count];
    const char *namespace;
    size_t prefix = strlen(SUSPECTS_NOTES);
    if (!intact || text.length == 0 || name.length < prefix || name.length - prefix >= NAME_SIZE ||
        memcmp(name.data, SUSPECTS_NOTES, prefix) != 0 || confirm->count == MAX_REFUSED)
        return true;
    (void)snprintf(refused->name, NAME_SIZE, "%.*s", (int)(name.length - prefix),
                   name.data + prefix);
    refused->resource = resource_find_title(refused->name, &namespace);
    char *copy = strndup(text.data, text.length);
    refused->suspects = copy != NULL ? suspects_read(copy) : NULL;
    free(copy);
    if (refused->resource != NULL && refused->suspects != NULL)
        confirm->count++;
    else
        suspects_free(refused->suspects);
    return true;
}

/* ---- rows ------------------------------------------------------------------------------------- */

enum { VALUE_UID, VALUE_VERSION, VALUE_OBJECT, VALUE_STATUS, VALUE_COUNT };

static void on_row(void *context, const struct text *values, size_t count)
{
    struct confirm *confirm = context;
    const struct refused *now = confirm->now;
    char above[TIMELINE_VERSION_SIZE];
    struct text version = text_from(now->suspects->version);
    struct error err;
    if (count != VALUE_COUNT ||
        (version.length > 0 && version_compare(values[VALUE_VERSION], version) >= 0))
        return;
    confirm->shown++;
    columns_add(&confirm->columns, values[VALUE_OBJECT]);
    columns_add(&confirm->columns, values[VALUE_STATUS]);
    columns_add(&confirm->columns, values[VALUE_UID]);
    if (version.length == 0) {
        timeline_above(values[VALUE_VERSION], above);
        version = text_from(above);
    }
    if (row_new_tombstone(now->resource->table, values[VALUE_UID], version, clock_now_us(),
                          &confirm->rows[confirm->row_count], &err) == ERROR_NONE)
        confirm->row_count++;
    else
        confirm->no_memory = true;
}

/* Shows the rows of the chunk of uids that begins at `first`, and closes them if that is confirmed. */
static enum error_code do_chunk(struct confirm *confirm, size_t first, struct db_error *err)
{
    const struct table *table = confirm->now->resource->table;
    const struct suspects *suspects = confirm->now->suspects;
    struct buffer sql;
    buffer_init(&sql, SQL_LIMIT);
    buffer_appendf(
        &sql,
        "SELECT `%s`, COALESCE(`%s`, ''), CONCAT(COALESCE(`%s`, ''), '/', "
        "COALESCE(`name`, '')), COALESCE(`%s`, '') FROM `%s` WHERE `%s` = 1 AND `%s` IN (",
        table->columns[table->uid].name, table->columns[table->version].name,
        table->columns[table->namespace].name, table->columns[table->status].name, table->name,
        table->columns[table->in_etcd].name, table->columns[table->uid].name);
    for (size_t i = first; i < suspects->count && i < first + CHUNK_ROWS; i++) {
        buffer_append_string(&sql, i > first ? ", " : "");
        db_quote(confirm->db, &sql, suspects->uids[i]);
    }
    buffer_append_string(&sql, ")");
    confirm->row_count = 0;
    enum error_code code = sql.failed
                               ? db_no_memory(err, "sweeping")
                               : db_query(confirm->db, buffer_text(&sql), on_row, confirm, err);
    buffer_fini(&sql);
    if (code == ERROR_NONE && confirm->no_memory)
        code = db_no_memory(err, "sweeping");
    if (code == ERROR_NONE && confirm->confirmed && confirm->row_count > 0)
        code = db_write(confirm->db, table, ROW_UPDATE, confirm->rows, confirm->row_count, err);
    for (size_t i = 0; i < confirm->row_count; i++)
        row_free(confirm->rows[i]);
    return code;
}

static enum error_code do_sweep(struct confirm *confirm, struct db_error *err)
{
    static const char *const head[] = {"NAMESPACE/NAME", "STATUS", "UID"};
    const struct suspects *suspects = confirm->now->suspects;
    enum error_code code = ERROR_NONE;
    printf("%s: a snapshot did not show %zu of %zu rows that had not ended\n", confirm->now->name,
           suspects->vanished, suspects->live);
    confirm->shown = 0;
    columns_begin(&confirm->columns, head, sizeof(head) / sizeof(head[0]));
    for (size_t i = 0; i < suspects->count && code == ERROR_NONE; i += CHUNK_ROWS)
        code = do_chunk(confirm, i, err);
    (void)command_print_columns(&confirm->columns, stdout);
    if (code == ERROR_NONE)
        printf("%zu rows %s\n", confirm->shown, confirm->confirmed ? "closed" : "would be closed");
    return code;
}

static int run(const struct invocation *invocation)
{
    struct confirm confirm = {.confirmed = invocation->values[0] != NULL};
    struct db_error err = {0};
    struct spool_file *file;
    enum error_code code = spool_file_attach(invocation->config->spool_dir, &file, &err.error);
    if (code == ERROR_NONE) {
        code = spool_file_read_notes(file, on_note, &confirm, &err.error);
        spool_file_close(file);
    }
    if (code == ERROR_NONE && confirm.count > 0)
        code = command_connect(invocation->config, !confirm.confirmed, &confirm.db, &err);
    for (size_t i = 0; i < confirm.count && code == ERROR_NONE; i++) {
        confirm.now = &confirm.refused[i];
        code = do_sweep(&confirm, &err);
    }
    command_disconnect(confirm.db);
    if (code == ERROR_NONE && confirm.count == 0)
        printf("no sweep waits to be confirmed\n");
    else if (code == ERROR_NONE && !confirm.confirmed)
        printf("If these objects are really gone: kubedl-shipper sweep --confirm\n");
    for (size_t i = 0; i < confirm.count; i++)
        suspects_free(confirm.refused[i].suspects);
    return code == ERROR_NONE ? EXIT_OK : command_failed(&err.error);
}

const struct command command_sweep = {
    .name = "sweep",
    .synopsis = "[--confirm]",
    .brief = "show what a refused sweep would close, or close it",
    .summary =
        "Shows what the sweeps would close that were refused, since a snapshot did not show too "
        "many rows that had not ended. A sidecar may run beside it.",
    .options = {{"confirm", '\0', NULL, "close these rows: the objects are really gone"}},
    .run = run,
};
