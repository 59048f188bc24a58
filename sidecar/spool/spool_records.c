/* spool_records: stores and reads what the spool file holds: records and their quarantine, dead letters,
 * numbers and notes.
 *
 * Records, dead letters and notes carry a checksum of their texts. A row without one was written by a program
 * that knew no checksums, or changed by a person, and counts as intact. */
#include "sidecar/spool/spool_file_private.h"

#include <zlib.h>

/* Returns the CRC-32 of the texts, each ended by a NUL, so that a byte that moves from one text to the next
 * changes the sum. */
static int64_t checksum(const struct text *texts, size_t count)
{
    uLong sum = crc32_z(0, NULL, 0);
    for (size_t i = 0; i < count; i++) {
        if (texts[i].length > 0) /* a NULL would begin a new sum */
            sum = crc32_z(sum, (const Bytef *)texts[i].data, texts[i].length);
        sum = crc32_z(sum, (const Bytef *)"", 1);
    }
    return (int64_t)sum;
}

#define CHECKSUM(...)                                                                              \
    checksum((const struct text[]){__VA_ARGS__},                                                   \
             sizeof((const struct text[]){__VA_ARGS__}) / sizeof(struct text))

static bool is_intact(const struct spool_cursor *cursor, int column, int64_t sum)
{
    return spool_column_is_null(cursor, column) || spool_column_integer(cursor, column) == sum;
}

/* ---- records -----------------------------------------------------------------------------------*/

enum error_code spool_file_put(struct spool_file *file, struct text table, struct text uid,
                               struct text body, struct error *err)
{
    static const struct spool_statement put = {
        "put", "INSERT INTO records (table_name, uid, body, checksum) VALUES (?, ?, ?, ?)"
               " ON CONFLICT (table_name, uid) DO UPDATE"
               " SET body = excluded.body, checksum = excluded.checksum"};
    return spool_sql_run(&file->sql, &put,
                         SPOOL_VALUES(spool_text(table), spool_text(uid), spool_text(body),
                                      spool_integer(CHECKSUM(table, uid, body))),
                         err);
}

enum error_code spool_file_delete(struct spool_file *file, struct text table, struct text uid,
                                  struct error *err)
{
    static const struct spool_statement delete = {
        "delete", "DELETE FROM records WHERE table_name = ? AND uid = ?"};
    return spool_sql_run(&file->sql, &delete, SPOOL_VALUES(spool_text(table), spool_text(uid)),
                         err);
}

enum error_code spool_file_read(struct spool_file *file, int64_t *after, size_t max,
                                spool_told_record *told, void *context, struct error *err)
{
    static const struct spool_statement read = {
        "read records", "SELECT id, table_name, uid, body, checksum FROM records"
                        " WHERE id > ? ORDER BY id LIMIT ?"};
    struct spool_cursor cursor = spool_sql_select(
        &file->sql, &read, SPOOL_VALUES(spool_integer(*after), spool_integer((int64_t)max)));
    while (spool_sql_next(&cursor)) {
        const struct spool_record record = {.id = spool_column_integer(&cursor, 0),
                                            .table = spool_column_text(&cursor, 1),
                                            .uid = spool_column_text(&cursor, 2),
                                            .body = spool_column_text(&cursor, 3)};
        int64_t sum = CHECKSUM(record.table, record.uid, record.body);
        if (!told(context, &record, is_intact(&cursor, 4, sum)))
            break;
        *after = record.id;
    }
    return spool_sql_end(&cursor, err);
}

static enum error_code move_to_quarantine(struct spool_file *file, int64_t id, struct text reason,
                                          struct error *err)
{
    static const struct spool_statement copy = {
        "quarantine", "INSERT INTO quarantine (table_name, uid, body, reason)"
                      " SELECT table_name, uid, body, ? FROM records WHERE id = ?"};
    static const struct spool_statement delete = {"delete", "DELETE FROM records WHERE id = ?"};
    enum error_code code = spool_file_begin(file, err);
    if (code == ERROR_NONE)
        code = spool_sql_run(&file->sql, &copy, SPOOL_VALUES(spool_text(reason), spool_integer(id)),
                             err);
    if (code == ERROR_NONE)
        code = spool_sql_run(&file->sql, &delete, SPOOL_VALUES(spool_integer(id)), err);
    if (code == ERROR_NONE)
        code = spool_file_commit(file, err);
    if (code != ERROR_NONE)
        spool_file_rollback(file);
    return code;
}

/* The record is named by its id: if its key is damaged, the index does not lead to the record any more. */
enum error_code spool_file_quarantine(struct spool_file *file, int64_t id, struct text reason,
                                      struct error *err)
{
    enum error_code code = move_to_quarantine(file, id, reason, err);
    if (code != ERROR_INPUT)
        return code;
    code = spool_sql_execute(&file->sql, "REINDEX records", err);
    return code == ERROR_NONE ? move_to_quarantine(file, id, reason, err) : code;
}

/* ---- dead letters ------------------------------------------------------------------------------*/

static int64_t letter_checksum(const struct dead_letter *letter)
{
    return CHECKSUM(letter->table, letter->uid, letter->version, letter->reason, letter->body);
}

/* Only the newest dead letter of an object is kept, so the number of objects bounds that of the letters. */
enum error_code spool_file_put_dead(struct spool_file *file, const struct dead_letter *letter,
                                    struct error *err)
{
    static const struct spool_statement put = {
        "put a dead letter", "INSERT INTO dead_letters"
                             " (at_us, table_name, uid, version, number, reason, body, checksum)"
                             " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"};
    static const struct spool_statement drop_older = {
        "drop an older dead letter",
        "DELETE FROM dead_letters WHERE table_name = ?1 AND uid = ?2 AND id <>"
        " (SELECT id FROM dead_letters WHERE table_name = ?1 AND uid = ?2"
        " ORDER BY length(version) DESC, version DESC, id DESC LIMIT 1)"};
    enum error_code code = spool_sql_run(
        &file->sql, &put,
        SPOOL_VALUES(spool_integer(letter->at_us), spool_text(letter->table),
                     spool_text(letter->uid), spool_text(letter->version),
                     spool_integer(letter->number), spool_text(letter->reason),
                     spool_text(letter->body), spool_integer(letter_checksum(letter))),
        err);
    if (code != ERROR_NONE)
        return code;
    return spool_sql_run(&file->sql, &drop_older,
                         SPOOL_VALUES(spool_text(letter->table), spool_text(letter->uid)), err);
}

enum error_code spool_file_drop_dead(struct spool_file *file, int64_t id, struct error *err)
{
    static const struct spool_statement drop = {"drop a dead letter",
                                                "DELETE FROM dead_letters WHERE id = ?"};
    return spool_sql_run(&file->sql, &drop, SPOOL_VALUES(spool_integer(id)), err);
}

enum error_code spool_file_read_dead(struct spool_file *file, spool_dead *dead, void *context,
                                     struct error *err)
{
    static const struct spool_statement read = {
        "read dead letters",
        "SELECT id, at_us, table_name, uid, version, number, reason, body, checksum"
        " FROM dead_letters ORDER BY id"};
    struct spool_cursor cursor = spool_sql_select(&file->sql, &read, NULL, 0);
    while (spool_sql_next(&cursor)) {
        struct dead_letter letter = {
            .id = spool_column_integer(&cursor, 0),
            .at_us = spool_column_integer(&cursor, 1),
            .table = spool_column_text(&cursor, 2),
            .uid = spool_column_text(&cursor, 3),
            .version = spool_column_text(&cursor, 4),
            .number = spool_column_integer(&cursor, 5),
            .reason = spool_column_text(&cursor, 6),
            .body = spool_column_text(&cursor, 7),
        };
        letter.damaged = !is_intact(&cursor, 8, letter_checksum(&letter));
        if (!dead(context, &letter))
            break;
    }
    return spool_sql_end(&cursor, err);
}

/* ---- numbers and notes -------------------------------------------------------------------------*/

enum error_code spool_file_put_number(struct spool_file *file, const char *name, int64_t value,
                                      struct error *err)
{
    static const struct spool_statement put = {
        "put a number", "INSERT INTO numbers (name, value) VALUES (?, ?)"
                        " ON CONFLICT (name) DO UPDATE SET value = excluded.value"};
    return spool_sql_run(&file->sql, &put,
                         SPOOL_VALUES(spool_text(text_from(name)), spool_integer(value)), err);
}

enum error_code spool_file_read_numbers(struct spool_file *file, spool_number *number,
                                        void *context, struct error *err)
{
    static const struct spool_statement read = {"read numbers",
                                                "SELECT name, value FROM numbers ORDER BY name"};
    struct spool_cursor cursor = spool_sql_select(&file->sql, &read, NULL, 0);
    while (spool_sql_next(&cursor)) {
        if (!number(context, spool_column_text(&cursor, 0), spool_column_integer(&cursor, 1)))
            break;
    }
    return spool_sql_end(&cursor, err);
}

enum error_code spool_file_put_note(struct spool_file *file, const char *name, const char *text,
                                    struct error *err)
{
    static const struct spool_statement put = {
        "put a note", "INSERT INTO notes (name, text, checksum) VALUES (?, ?, ?)"
                      " ON CONFLICT (name) DO UPDATE"
                      " SET text = excluded.text, checksum = excluded.checksum"};
    return spool_sql_run(&file->sql, &put,
                         SPOOL_VALUES(spool_text(text_from(name)), spool_text(text_from(text)),
                                      spool_integer(CHECKSUM(text_from(name), text_from(text)))),
                         err);
}

enum error_code spool_file_read_notes(struct spool_file *file, spool_told_note *note, void *context,
                                      struct error *err)
{
    static const struct spool_statement read = {
        "read notes", "SELECT name, text, checksum FROM notes ORDER BY name"};
    struct spool_cursor cursor = spool_sql_select(&file->sql, &read, NULL, 0);
    while (spool_sql_next(&cursor)) {
        struct text name = spool_column_text(&cursor, 0), text = spool_column_text(&cursor, 1);
        if (!note(context, name, text, is_intact(&cursor, 2, CHECKSUM(name, text))))
            break;
    }
    return spool_sql_end(&cursor, err);
}
