/* spool_restore: reads a chunk of records in each round of the loop (see spool_restore.h).
 *
 * Failure modes:
 *   a record is not as it was written,    it is moved to the quarantine, with the reason, said and counted;
 *   or is no row of a known table         the rest goes on
 *   a note is not as it was written       it is left out, and the log says so
 *   the file can't be read                the error is the caller's; the records before it are in the
 *                                         outbox, and are not read again */
#include "sidecar/spool/spool_restore.h"

#include "lib/rows/rowjson.h"

#define CHUNK_RECORDS 256 /* some milliseconds of work */

static bool restore_number(void *context, struct text name, int64_t value)
{
    struct spool_restore *restore = context;
    ledger_add_number(restore->ledger, name, (uint64_t)value);
    return true;
}

static bool restore_note(void *context, struct text name, struct text text, bool intact)
{
    struct spool_restore *restore = context;
    if (intact)
        spool_notes_restore(restore->notes, name, text);
    else
        LOG(restore->logger, ERROR, "a note of the spool is not as it was written: it is left out",
            log_text("name", name));
    return true;
}

/* Puts one record into the outbox, all of its rows or none. ERROR_INPUT: the text is no record. */
static enum error_code restore_record(struct spool_restore *restore, struct text body,
                                      struct error *err)
{
    struct row *rows[OUTBOX_RECORD_ROWS];
    size_t count = 0;
    const json_value *root;
    enum json_result result = json_read(restore->json, body, &root, err);
    if (result != JSON_OK)
        return result == JSON_NO_MEMORY ? err->code : ERROR_INPUT;
    if (json_type(root) != JSON_ARRAY || json_first(root) == NULL)
        return error_set(err, ERROR_INPUT, "not a list of rows");
    enum error_code code = ERROR_NONE;
    for (const json_value *value = json_first(root); value != NULL && code == ERROR_NONE;
         value = json_next(value)) {
        if (count == OUTBOX_RECORD_ROWS)
            code = error_set(err, ERROR_INPUT, "more than %d rows", OUTBOX_RECORD_ROWS);
        else
            code = rowjson_read(value, &rows[count], err);
        count += code == ERROR_NONE;
    }
    for (size_t i = 0; i < count; i++) {
        size_t table = table_number(rows[i]->table);
        if (code == ERROR_NONE)
            code = outbox_restore(restore->outbox, rows[i], err);
        if (code == ERROR_NONE)
            ledger_restore(restore->ledger, table);
        else
            row_free(rows[i]);
    }
    return code;
}

struct chunk {
    struct spool_restore *restore;
    struct error error;
    size_t count;
    int64_t bad;  /* the record that stopped it, since it can't be read; 0: none did */
    size_t table; /* that it is of; TABLE_COUNT: of none that is known */
};

static bool restore_next(void *context, const struct spool_record *record, bool intact)
{
    struct chunk *chunk = context;
    chunk->count++;
    enum error_code code = intact ? restore_record(chunk->restore, record->body, &chunk->error)
                                  : error_set(&chunk->error, ERROR_INPUT,
                                              "it is not as it was written: its checksum is wrong");
    if (code != ERROR_INPUT)
        return code == ERROR_NONE;
    chunk->bad = record->id;
    while (chunk->table < TABLE_COUNT && !text_is(record->table, tables[chunk->table]->name))
        chunk->table++;
    LOG(chunk->restore->logger, ERROR,
        "a record of the spool can't be read: it is set aside in its quarantine",
        log_text("table", record->table), log_text("uid", record->uid),
        log_string("error", chunk->error.text));
    return false;
}

enum error_code spool_restore_chunk(struct spool_restore *restore, struct spool_file *file,
                                    struct error *err)
{
    struct chunk chunk = {.restore = restore};
    enum error_code code = ERROR_NONE;
    if (!restore->has_numbers) {
        code = spool_file_read_notes(file, restore_note, restore, err);
        if (code == ERROR_NONE)
            code = spool_file_read_numbers(file, restore_number, restore, err);
        restore->has_numbers = code == ERROR_NONE;
    }
    if (code == ERROR_NONE)
        code = spool_file_read(file, &restore->after, CHUNK_RECORDS, restore_next, &chunk, err);
    if (code == ERROR_NONE && chunk.bad != 0) {
        code = spool_file_quarantine(file, chunk.bad, text_from(chunk.error.text), err);
        if (code == ERROR_NONE && chunk.table < TABLE_COUNT)
            ledger_quarantine(restore->ledger, chunk.table);
    } else if (code == ERROR_NONE && chunk.error.code != ERROR_NONE) {
        code = error_set(err, chunk.error.code, "%s", chunk.error.text);
    }
    if (code == ERROR_NONE && chunk.count == 0) {
        restore->done = true;
        ledger_settle(restore->ledger);
    }
    return code;
}

void spool_restore_init(struct spool_restore *restore, struct outbox *outbox, struct ledger *ledger,
                        struct spool_notes *notes, struct logger *logger)
{
    *restore = (struct spool_restore){
        .outbox = outbox, .ledger = ledger, .notes = notes, .logger = logger, .json = json_new()};
}

void spool_restore_fini(struct spool_restore *restore)
{
    json_free(restore->json);
}
