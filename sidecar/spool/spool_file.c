/* spool_file: opens the spool's file, checks that it is still the same, and leaves it when it is not.
 *
 * Failure modes:
 *   the directory is missing or not writable   ERROR_OPERATOR, with what to do
 *   another process has the spool              ERROR_OPERATOR: its lock file is held
 *   the files are removed, replaced or         ERROR_INPUT before the next piece of work, or at its
 *   overwritten while they are open            commit: what was committed may be lost with them
 *   a record is not as it was written          its checksum tells: it is handed out as not intact
 *   records or transactions are gone           the lock file and the state tell at open: they say what
 *                                              the last transaction left
 *   the disk is full                           ERROR_FULL; the transaction is undone
 *   the file is damaged                        at open: it is set aside, a new one is begun; later:
 *                                              ERROR_INPUT, the caller leaves it and opens again
 *   an older layout                            it is brought to the present one at open
 *   a newer layout                             it is refused: the newer program is to be used
 */
#include "sidecar/spool/spool_file.h"

#include "lib/base/memory.h"
#include "sidecar/spool/spool_file_private.h"
#include "sidecar/spool/spool_layout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* So many pages are given back at once: some milliseconds of work. */
#define VACUUM "PRAGMA incremental_vacuum(1024)"

/* ---- opening -----------------------------------------------------------------------------------*/

static enum error_code make(const char *directory, struct spool_file **result, struct error *err)
{
    struct spool_file *file = memory_new(sizeof(*file));
    enum error_code code = spool_place_init(&file->place, directory, err);
    if (code != ERROR_NONE) {
        free(file);
        file = NULL;
    }
    *result = file;
    return code;
}

/* A damaged file often opens well and fails later, so the check (with_check) finds the damage before the file
 * is relied on. */
static enum error_code open_database(struct spool_file *file, bool with_check, struct error *err)
{
    enum error_code code = spool_sql_open(&file->sql, file->place.path, err);
    if (code == ERROR_NONE)
        code = spool_layout_check(&file->sql, err);
    if (code == ERROR_NONE && with_check)
        code = spool_sql_check(&file->sql, err);
    if (code == ERROR_NONE)
        code = spool_layout_upgrade(&file->sql, err);
    return code;
}

static const struct spool_statement read_changes = {"look for changes", "PRAGMA data_version"};

/* Ends an opening: remembers the files as they are now, or closes them and returns the error `code`. */
static enum error_code end_opening(struct spool_file *file, enum error_code code,
                                   struct spool_file **result, struct error *err)
{
    if (code == ERROR_NONE) {
        spool_place_remember(&file->place);
        code = spool_sql_integers(&file->sql, &read_changes, &file->changes, 1, err);
    }
    if (code == ERROR_NONE)
        *result = file;
    else
        spool_file_close(file);
    return code;
}

enum error_code spool_file_open(const char *directory, bool records_are_held,
                                struct spool_file **result, struct spool_opening *opening,
                                struct error *err)
{
    *opening = (struct spool_opening){0};
    *result = NULL;
    struct spool_file *file;
    enum error_code code = make(directory, &file, err);
    if (code != ERROR_NONE)
        return code;
    code = spool_place_lock(&file->place, err);
    if (code == ERROR_NONE)
        code = open_database(file, true, err);
    if (code == ERROR_INPUT) {
        spool_sql_close(&file->sql);
        code = spool_place_set_aside(&file->place, opening->quarantined, err);
        if (code == ERROR_NONE)
            code = open_database(file, true, err);
    }
    if (code == ERROR_NONE)
        code = spool_state_take_stock(file, records_are_held, &opening->loss, err);
    return end_opening(file, code, result, err);
}

enum error_code spool_file_attach(const char *directory, struct spool_file **result,
                                  struct error *err)
{
    *result = NULL;
    if (directory[0] == '\0')
        return error_set(err, ERROR_OPERATOR, "SPOOL_DIR is not set: there is no spool to look at");
    struct spool_file *file;
    enum error_code code = make(directory, &file, err);
    if (code != ERROR_NONE)
        return code;
    const char *path = file->place.path;
    if (access(path, R_OK) == 0)
        code = open_database(file, false, err);
    else
        code = error_set(err, ERROR_OPERATOR, "no spool at %s: %s", path, strerror(errno));
    return end_opening(file, code, result, err);
}

void spool_file_close(struct spool_file *file)
{
    if (file == NULL)
        return;
    spool_sql_close(&file->sql);
    spool_place_unlock(&file->place);
    free(file);
}

/* ---- watching over it, and leaving it ----------------------------------------------------------*/

/* Transactions of other processes change data_version. A write without such a change did not come through
 * SQLite's transactions: another program has overwritten the files. */
enum error_code spool_file_check(struct spool_file *file, struct error *err)
{
    int64_t changes = 0;
    enum error_code code = spool_place_check(&file->place, err);
    if (code == ERROR_NONE)
        code = spool_sql_integers(&file->sql, &read_changes, &changes, 1, err);
    if (code != ERROR_NONE)
        return code;
    if (changes == file->changes && spool_place_is_written(&file->place)) {
        file->overwritten = true;
        return error_set(err, ERROR_INPUT,
                         "spool %s: its files were written by another program while they were "
                         "in use: keep it away from SPOOL_DIR",
                         file->place.path);
    }
    spool_place_remember(&file->place);
    file->changes = changes;
    return ERROR_NONE;
}

/* Copies dead letters, quarantine and, if with_records, the records from the removed files, which only this
 * process still has open, to the files that are now in their place. */
static enum error_code copy_rest(struct spool_file *file, bool with_records, struct error *err)
{
    static const struct spool_statement attach = {"attach", "ATTACH ? AS fresh"};
    static const char rest[] =
        "INSERT INTO fresh.dead_letters"
        " (at_us, table_name, uid, version, number, reason, body, checksum)"
        " SELECT at_us, table_name, uid, version, number, reason, body, checksum"
        " FROM main.dead_letters ORDER BY id;"
        "INSERT INTO fresh.quarantine (table_name, uid, body, reason)"
        " SELECT table_name, uid, body, reason FROM main.quarantine ORDER BY id;";
    static const char records[] =
        "INSERT OR IGNORE INTO fresh.records (table_name, uid, body, checksum)"
        " SELECT table_name, uid, body, checksum FROM main.records ORDER BY id;";
    enum error_code code = spool_sql_run(
        &file->sql, &attach, SPOOL_VALUES(spool_text(text_from(file->place.path))), err);
    if (code == ERROR_NONE)
        code = spool_sql_begin(&file->sql, err);
    if (code == ERROR_NONE)
        code = spool_sql_execute(&file->sql, rest, err);
    if (code == ERROR_NONE && with_records)
        code = spool_sql_execute(&file->sql, records, err);
    if (code == ERROR_NONE)
        code = spool_sql_commit(&file->sql, err);
    return code;
}

enum error_code spool_file_leave(struct spool_file *file, bool records_are_held, struct error *err)
{
    enum error_code code = ERROR_NONE;
    if (file->overwritten) /* what is in the log now is not to be copied over what is whole */
        spool_sql_leave_log(&file->sql);
    if (spool_place_is_gone(&file->place) && file->place.lock >= 0) {
        struct spool_file *fresh;
        struct spool_opening opening;
        spool_place_note(&file->place, NULL); /* what it says is here, and on its way */
        spool_place_unlock(&file->place);
        code = spool_file_open(file->place.directory, records_are_held, &fresh, &opening, err);
        if (code == ERROR_NONE) {
            code = copy_rest(file, !records_are_held, err);
            spool_file_close(fresh);
        }
    }
    spool_file_close(file);
    return code;
}

/* ---- transactions ------------------------------------------------------------------------------*/

enum error_code spool_file_begin(struct spool_file *file, struct error *err)
{
    return spool_sql_begin(&file->sql, err);
}

enum error_code spool_file_commit(struct spool_file *file, struct error *err)
{
    struct spool_left left = {0};
    enum error_code code = spool_state_count_up(file, &left, err);
    if (code == ERROR_NONE)
        code = spool_sql_commit(&file->sql, err);
    if (code == ERROR_NONE)
        code = spool_place_check(&file->place, err);
    if (code != ERROR_NONE)
        return code;
    spool_place_note(&file->place, &left);
    spool_place_remember(&file->place);
    return ERROR_NONE;
}

void spool_file_rollback(struct spool_file *file)
{
    spool_sql_rollback(&file->sql);
}

/* ---- room --------------------------------------------------------------------------------------*/

enum error_code spool_file_usage(struct spool_file *file, struct spool_usage *usage,
                                 struct error *err)
{
    static const struct spool_statement pages = {
        "count pages", "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count,"
                       " pragma_freelist_count, pragma_page_size"};
    enum error_code code = spool_sql_integers(&file->sql, &pages, &usage->bytes, 1, err);
    if (code == ERROR_NONE)
        code = spool_state_read(file, &usage->state, err);
    usage->file_bytes = spool_place_bytes(&file->place);
    int64_t free_bytes = spool_place_free_bytes(&file->place);
    if (free_bytes >= 0)
        usage->free_bytes = free_bytes;
    return code;
}

enum error_code spool_file_shrink(struct spool_file *file, bool *more, struct error *err)
{
    static const struct spool_statement count = {"count unused pages", "PRAGMA freelist_count"};
    int64_t unused = 0;
    *more = false;
    enum error_code code = spool_sql_execute(&file->sql, VACUUM, err);
    if (code == ERROR_NONE)
        code = spool_sql_integers(&file->sql, &count, &unused, 1, err);
    if (code != ERROR_NONE)
        return code;
    *more = unused > 0;
    if (!*more)
        code = spool_sql_execute(&file->sql, "PRAGMA wal_checkpoint(TRUNCATE)", err);
    spool_place_remember(&file->place);
    return code;
}
