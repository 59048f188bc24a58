/* spool_layout: the SQL that makes the spool's tables (see spool_file.h for what they hold). */
#include "sidecar/spool/spool_layout.h"

/* The layout's number, which is stored as user_version: a program can work with a file whose number is not
 * greater than its own. */
#define LAYOUT_VERSION 1

static const char layout[] =
    "CREATE TABLE IF NOT EXISTS records ("
    " id INTEGER PRIMARY KEY, table_name TEXT NOT NULL, uid TEXT NOT NULL, body TEXT NOT NULL,"
    " UNIQUE (table_name, uid));"
    "CREATE TABLE IF NOT EXISTS dead_letters ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, at_us INTEGER NOT NULL, table_name TEXT NOT NULL,"
    " uid TEXT NOT NULL, version TEXT NOT NULL, number INTEGER NOT NULL, reason TEXT NOT NULL,"
    " body TEXT NOT NULL);"
    "CREATE INDEX IF NOT EXISTS dead_letters_of_object ON dead_letters (table_name, uid);"
    "CREATE TABLE IF NOT EXISTS quarantine ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, table_name TEXT, uid TEXT, body, reason TEXT);"
    "CREATE TABLE IF NOT EXISTS numbers (name TEXT PRIMARY KEY, value INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, text TEXT NOT NULL);"
    "PRAGMA user_version = 1;";

/* Tables, columns and triggers that were added later without a new number. An older program, or a person, can
 * go on to change the file without knowledge of them: the triggers keep the table `state` right and drop the
 * checksum of a row that is changed. */
static const char additions[] =
    "ALTER TABLE records ADD COLUMN checksum INTEGER;"
    "ALTER TABLE dead_letters ADD COLUMN checksum INTEGER;"
    "ALTER TABLE notes ADD COLUMN checksum INTEGER;"
    "CREATE TABLE state (transactions INTEGER NOT NULL, records INTEGER NOT NULL,"
    " dead_letters INTEGER NOT NULL, lost_transactions INTEGER NOT NULL,"
    " lost_records INTEGER NOT NULL, lost_letters INTEGER NOT NULL);"
    "INSERT INTO state SELECT 0, (SELECT count(*) FROM records),"
    " (SELECT count(*) FROM dead_letters), 0, 0, 0;"
    "CREATE TRIGGER record_added AFTER INSERT ON records"
    " BEGIN UPDATE state SET records = records + 1; END;"
    "CREATE TRIGGER record_removed AFTER DELETE ON records"
    " BEGIN UPDATE state SET records = records - 1; END;"
    "CREATE TRIGGER letter_added AFTER INSERT ON dead_letters"
    " BEGIN UPDATE state SET dead_letters = dead_letters + 1; END;"
    "CREATE TRIGGER letter_removed AFTER DELETE ON dead_letters"
    " BEGIN UPDATE state SET dead_letters = dead_letters - 1; END;"
    "CREATE TRIGGER record_changed AFTER UPDATE OF body ON records"
    " WHEN NEW.checksum IS OLD.checksum AND NEW.body IS NOT OLD.body"
    " BEGIN UPDATE records SET checksum = NULL WHERE id = NEW.id; END;"
    "CREATE TRIGGER note_changed AFTER UPDATE OF text ON notes"
    " WHEN NEW.checksum IS OLD.checksum AND NEW.text IS NOT OLD.text"
    " BEGIN UPDATE notes SET checksum = NULL WHERE name = NEW.name; END;";

enum error_code spool_layout_check(struct spool_sql *sql, struct error *err)
{
    static const struct spool_statement read = {"read the layout", "PRAGMA user_version"};
    int64_t version = 0;
    enum error_code code = spool_sql_integers(sql, &read, &version, 1, err);
    if (code == ERROR_NONE && version > LAYOUT_VERSION)
        return error_set(err, ERROR_OPERATOR,
                         "spool %s: written by a newer kubedl-shipper (layout %lld): let that one "
                         "empty it, or set SPOOL_DIR to another directory",
                         sql->path, (long long)version);
    return code;
}

enum error_code spool_layout_upgrade(struct spool_sql *sql, struct error *err)
{
    static const struct spool_statement look = {
        "look for the state", "SELECT count(*) FROM sqlite_master WHERE name = 'state'"};
    int64_t is_present = 0;
    enum error_code code = spool_sql_integers(sql, &look, &is_present, 1, err);
    if (code != ERROR_NONE || is_present)
        return code;
    code = spool_sql_begin(sql, err);
    if (code == ERROR_NONE)
        code = spool_sql_execute(sql, layout, err);
    if (code == ERROR_NONE)
        code = spool_sql_execute(sql, additions, err);
    if (code == ERROR_NONE)
        code = spool_sql_commit(sql, err);
    if (code != ERROR_NONE)
        spool_sql_rollback(sql);
    return code;
}
