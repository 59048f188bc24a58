/* spool_file: SQLite behind the spool.
 *
 * Write-ahead log and synchronous=FULL: what is committed is on disk. The file gives its pages back
 * (auto_vacuum=INCREMENTAL), so that an outage does not leave a large file behind.
 *
 * Failure modes:
 *   the directory is missing or not writable   ERROR_OPERATOR, with what to do
 *   another process has the spool              ERROR_OPERATOR: its lock file is held
 *   the disk is full                           ERROR_FULL; the transaction is undone
 *   the file is damaged                        at open: set aside, a new one is begun; later:
 *                                              ERROR_INPUT, the caller closes and opens again
 *   an older layout                            brought to the present one at open
 *   a newer layout                             refused: the newer program is to be used
 */
#include "sidecar/spool/spool_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define LAYOUT_VERSION  1
#define BUSY_TIMEOUT_MS 5000
#define SHRINK_PAGES    1024 /* given back at once: some milliseconds of work */

#define STATEMENTS(X)                                                                              \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                    \
    X(COMMIT, "COMMIT")                                                                            \
    X(PUT, "INSERT INTO records (table_name, uid, body) VALUES (?, ?, ?)"                          \
           " ON CONFLICT (table_name, uid) DO UPDATE SET body = excluded.body")                    \
    X(DELETE, "DELETE FROM records WHERE table_name = ? AND uid = ?")                              \
    X(READ, "SELECT id, table_name, uid, body FROM records WHERE id > ? ORDER BY id LIMIT ?")      \
    X(QUARANTINE, "INSERT INTO quarantine (table_name, uid, body, reason)"                         \
                  " SELECT table_name, uid, body, ? FROM records WHERE id = ?")                    \
    X(DELETE_ID, "DELETE FROM records WHERE id = ?")                                               \
    X(PUT_DEAD, "INSERT INTO dead_letters (at_us, table_name, uid, version, number, reason, body)" \
                " VALUES (?, ?, ?, ?, ?, ?, ?)")                                                   \
    X(DROP_OLDER, "DELETE FROM dead_letters WHERE table_name = ?1 AND uid = ?2 AND id <>"          \
                  " (SELECT id FROM dead_letters WHERE table_name = ?1 AND uid = ?2"               \
                  " ORDER BY length(version) DESC, version DESC, id DESC LIMIT 1)")                \
    X(DROP_DEAD, "DELETE FROM dead_letters WHERE id = ?")                                          \
    X(READ_DEAD, "SELECT id, at_us, table_name, uid, version, number, reason, body"                \
                 " FROM dead_letters ORDER BY id")                                                 \
    X(PUT_NUMBER, "INSERT INTO numbers (name, value) VALUES (?, ?)"                                \
                  " ON CONFLICT (name) DO UPDATE SET value = excluded.value")                      \
    X(READ_NUMBERS, "SELECT name, value FROM numbers ORDER BY name")                               \
    X(PUT_NOTE, "INSERT INTO notes (name, text) VALUES (?, ?)"                                     \
                " ON CONFLICT (name) DO UPDATE SET text = excluded.text")                          \
    X(READ_NOTES, "SELECT name, text FROM notes ORDER BY name")                                    \
    X(COUNTS, "SELECT (SELECT count(*) FROM records), (SELECT count(*) FROM dead_letters),"        \
              " (SELECT count(*) FROM quarantine)")                                                \
    X(COUNT_DEAD, "SELECT count(*) FROM dead_letters")                                             \
    X(CHANGES, "PRAGMA data_version")                                                              \
    X(PAGES, "SELECT page_count, freelist_count, page_size FROM pragma_page_count,"                \
             " pragma_freelist_count, pragma_page_size")

#define STATEMENT_ENUM(name, sql) STATEMENT_##name,
#define STATEMENT_TEXT(name, sql) sql,
enum statement { STATEMENTS(STATEMENT_ENUM) STATEMENT_COUNT };
static const char *const statement_texts[] = {STATEMENTS(STATEMENT_TEXT)};

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

struct spool_file {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENT_COUNT]; /* prepared when first used */
    int64_t dead_letters;                      /* as of the last count */
    int64_t changes;                           /* data_version as of then: others' commits */
    bool recount;                              /* or what we did is not known */
    int lock;                                  /* descriptor of the lock file; -1: attached only */
    char directory[512];
    char path[600];
};

static enum error_code sqlite_error(struct spool_file *file, int status, struct error *err,
                                    const char *what)
{
    const char *text = file->db != NULL ? sqlite3_errmsg(file->db) : sqlite3_errstr(status);
    switch (status & 0xff) {
    case SQLITE_FULL:
        return error_set(err, ERROR_FULL, "spool %s: %s: %s: free some room on its disk",
                         file->path, what, text);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return error_set(err, ERROR_INPUT, "spool %s: %s: %s", file->path, what, text);
    case SQLITE_NOMEM:
        return error_set(err, ERROR_NOMEM, "spool %s: %s: no memory", file->path, what);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
        return error_set(err, ERROR_OPERATOR,
                         "spool %s: %s: %s: SPOOL_DIR has to be writable for this process",
                         file->path, what, text);
    default:
        return error_set(err, ERROR_AGAIN, "spool %s: %s: %s", file->path, what, text);
    }
}

static enum error_code statement(struct spool_file *file, enum statement number,
                                 sqlite3_stmt **result, struct error *err)
{
    sqlite3_stmt **slot = &file->statements[number];
    *result = NULL;
    if (*slot == NULL) {
        int status = sqlite3_prepare_v3(file->db, statement_texts[number], -1,
                                        SQLITE_PREPARE_PERSISTENT, slot, NULL);
        if (status != SQLITE_OK)
            return sqlite_error(file, status, err, "prepare");
    }
    *result = *slot;
    return ERROR_NONE;
}

/* For statements without a result. */
static enum error_code finish(struct spool_file *file, sqlite3_stmt *prepared, const char *what,
                              struct error *err)
{
    int status = sqlite3_step(prepared);
    enum error_code code = ERROR_NONE;
    if (status != SQLITE_DONE)
        code = sqlite_error(file, status, err, what);
    sqlite3_reset(prepared);
    sqlite3_clear_bindings(prepared);
    return code;
}

static void bind_text(sqlite3_stmt *prepared, int parameter, struct text text)
{
    sqlite3_bind_text64(prepared, parameter, text.data != NULL ? text.data : "", text.length,
                        SQLITE_STATIC, SQLITE_UTF8);
}

static struct text column_text(sqlite3_stmt *prepared, int column)
{
    const char *data = (const char *)sqlite3_column_text(prepared, column);
    return (struct text){data != NULL ? data : "", (size_t)sqlite3_column_bytes(prepared, column)};
}

static enum error_code exec(struct spool_file *file, const char *sql, struct error *err)
{
    int status = sqlite3_exec(file->db, sql, NULL, NULL, NULL);
    return status == SQLITE_OK ? ERROR_NONE : sqlite_error(file, status, err, sql);
}

static enum error_code query_number(struct spool_file *file, const char *sql, int64_t *value,
                                    struct error *err)
{
    sqlite3_stmt *prepared;
    int status = sqlite3_prepare_v2(file->db, sql, -1, &prepared, NULL);
    if (status == SQLITE_OK)
        status = sqlite3_step(prepared);
    enum error_code code = ERROR_NONE;
    if (status == SQLITE_ROW)
        *value = sqlite3_column_int64(prepared, 0);
    else
        code = sqlite_error(file, status, err, sql);
    sqlite3_finalize(prepared);
    return code;
}

static enum error_code check_version(struct spool_file *file, struct error *err)
{
    int64_t version = 0;
    enum error_code code = query_number(file, "PRAGMA user_version", &version, err);
    if (code == ERROR_NONE && version > LAYOUT_VERSION)
        return error_set(err, ERROR_OPERATOR,
                         "spool %s: written by a newer kubedl-shipper (layout %lld): let that one "
                         "empty it, or set SPOOL_DIR to another directory",
                         file->path, (long long)version);
    return code;
}

/* A damaged file often opens well and fails later: better to know before it is relied on. */
static enum error_code check_whole(struct spool_file *file, struct error *err)
{
    int64_t ok = 0;
    enum error_code code =
        query_number(file, "SELECT quick_check = 'ok' FROM pragma_quick_check(1)", &ok, err);
    if (code == ERROR_NONE && !ok)
        return error_set(err, ERROR_INPUT, "spool %s: the file is damaged", file->path);
    return code;
}

static enum error_code open_database(struct spool_file *file, struct error *err)
{
    int status =
        sqlite3_open_v2(file->path, &file->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (status != SQLITE_OK)
        return sqlite_error(file, status, err, "open");
    sqlite3_extended_result_codes(file->db, 1);
    sqlite3_busy_timeout(file->db, BUSY_TIMEOUT_MS);
    enum error_code code = exec(file, "PRAGMA auto_vacuum = INCREMENTAL", err);
    if (code == ERROR_NONE)
        code = exec(file, "PRAGMA journal_mode = WAL", err);
    if (code == ERROR_NONE)
        code = exec(file, "PRAGMA synchronous = FULL", err);
    if (code == ERROR_NONE)
        code = check_version(file, err);
    return code;
}

static void close_database(struct spool_file *file)
{
    for (unsigned i = 0; i < STATEMENT_COUNT; i++) {
        sqlite3_finalize(file->statements[i]);
        file->statements[i] = NULL;
    }
    sqlite3_close(file->db);
    file->db = NULL;
}

static enum error_code take_lock(struct spool_file *file, struct error *err)
{
    char path[600];
    snprintf(path, sizeof(path), "%s/spool.lock", file->directory);
    file->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file->lock < 0)
        return error_set(err, ERROR_OPERATOR,
                         "SPOOL_DIR %s: %s: it has to be a directory that this process can write",
                         file->directory, strerror(errno));
    if (flock(file->lock, LOCK_EX | LOCK_NB) != 0)
        return error_set(err, ERROR_OPERATOR,
                         "SPOOL_DIR %s is used by another kubedl-shipper: each needs its own",
                         file->directory);
    return ERROR_NONE;
}

static enum error_code make(const char *directory, struct spool_file **result, struct error *err)
{
    *result = NULL;
    if (strlen(directory) >= sizeof((*result)->directory))
        return error_set(err, ERROR_OPERATOR, "SPOOL_DIR is too long");
    struct spool_file *file = calloc(1, sizeof(*file));
    if (file == NULL)
        return error_set(err, ERROR_NOMEM, "no memory for the spool");
    file->lock = -1;
    snprintf(file->directory, sizeof(file->directory), "%s", directory);
    snprintf(file->path, sizeof(file->path), "%s/spool.db", directory);
    *result = file;
    return ERROR_NONE;
}

/* Gives the file and what belongs to it a name under which nobody will open it again. */
static enum error_code set_aside(struct spool_file *file, char name[ERROR_TEXT_SIZE],
                                 struct error *err)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char from[640], to[700];
    close_database(file);
    long long now = (long long)time(NULL);
    int attempt = 0;
    do {
        snprintf(to, sizeof(to), "%s.damaged-%lld-%d", file->path, now, attempt++);
    } while (access(to, F_OK) == 0);
    snprintf(name, ERROR_TEXT_SIZE, "%.500s", to);
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        snprintf(from, sizeof(from), "%s%s", file->path, suffixes[i]);
        snprintf(to, sizeof(to), "%.600s%s", name, suffixes[i]);
        if (rename(from, to) != 0 && errno != ENOENT)
            return error_set(err, ERROR_OPERATOR, "spool %s is damaged and can't be renamed: %s",
                             file->path, strerror(errno));
    }
    return ERROR_NONE;
}

static enum error_code open_whole(struct spool_file *file, struct error *err)
{
    enum error_code code = open_database(file, err);
    if (code == ERROR_NONE)
        code = check_whole(file, err);
    if (code == ERROR_NONE)
        code = exec(file, layout, err);
    return code;
}

enum error_code spool_file_open(const char *directory, struct spool_file **result,
                                char quarantined[ERROR_TEXT_SIZE], struct error *err)
{
    quarantined[0] = '\0';
    struct spool_file *file;
    enum error_code code = make(directory, &file, err);
    if (file == NULL)
        return code;
    code = take_lock(file, err);
    if (code == ERROR_NONE)
        code = open_whole(file, err);
    if (code == ERROR_INPUT) {
        code = set_aside(file, quarantined, err);
        if (code == ERROR_NONE)
            code = open_whole(file, err);
    }
    if (code != ERROR_NONE) {
        spool_file_close(file);
        return code;
    }
    *result = file;
    return ERROR_NONE;
}

enum error_code spool_file_attach(const char *directory, struct spool_file **result,
                                  struct error *err)
{
    if (directory[0] == '\0')
        return error_set(err, ERROR_OPERATOR, "SPOOL_DIR is not set: there is no spool to look at");
    struct spool_file *file;
    enum error_code code = make(directory, &file, err);
    if (file == NULL)
        return code;
    if (access(file->path, R_OK) != 0)
        code = error_set(err, ERROR_OPERATOR, "no spool at %s: %s", file->path, strerror(errno));
    if (code == ERROR_NONE)
        code = open_database(file, err);
    if (code != ERROR_NONE) {
        spool_file_close(file);
        return code;
    }
    *result = file;
    return ERROR_NONE;
}

void spool_file_close(struct spool_file *file)
{
    if (file == NULL)
        return;
    close_database(file);
    if (file->lock >= 0)
        close(file->lock);
    free(file);
}

static enum error_code run_plain(struct spool_file *file, enum statement number, const char *what,
                                 struct error *err)
{
    sqlite3_stmt *prepared;
    enum error_code code = statement(file, number, &prepared, err);
    return code == ERROR_NONE ? finish(file, prepared, what, err) : code;
}

enum error_code spool_file_begin(struct spool_file *file, struct error *err)
{
    return run_plain(file, STATEMENT_BEGIN, "begin", err);
}

enum error_code spool_file_commit(struct spool_file *file, struct error *err)
{
    return run_plain(file, STATEMENT_COMMIT, "commit", err);
}

void spool_file_rollback(struct spool_file *file)
{
    file->recount = true;
    if (!sqlite3_get_autocommit(file->db))
        sqlite3_exec(file->db, "ROLLBACK", NULL, NULL, NULL);
}

enum error_code spool_file_put(struct spool_file *file, struct text table, struct text uid,
                               struct text body, struct error *err)
{
    sqlite3_stmt *prepared;
    enum error_code code = statement(file, STATEMENT_PUT, &prepared, err);
    if (code != ERROR_NONE)
        return code;
    bind_text(prepared, 1, table);
    bind_text(prepared, 2, uid);
    bind_text(prepared, 3, body);
    return finish(file, prepared, "put", err);
}

enum error_code spool_file_delete(struct spool_file *file, struct text table, struct text uid,
                                  struct error *err)
{
    sqlite3_stmt *prepared;
    enum error_code code = statement(file, STATEMENT_DELETE, &prepared, err);
    if (code != ERROR_NONE)
        return code;
    bind_text(prepared, 1, table);
    bind_text(prepared, 2, uid);
    return finish(file, prepared, "delete", err);
}

/* Of one object only the newest is kept, so that letters are bounded by the number of objects. */
static enum error_code drop_older(struct spool_file *file, const struct dead_letter *letter,
                                  struct error *err)
{
    sqlite3_stmt *prepared;
    enum error_code code = statement(file, STATEMENT_DROP_OLDER, &prepared, err);
    if (code != ERROR_NONE)
        return code;
    bind_text(prepared, 1, letter->table);
    bind_text(prepared, 2, letter->uid);
    code = finish(file, prepared, "drop an older dead letter", err);
    if (code == ERROR_NONE)
        file->dead_letters -= sqlite3_changes(file->db);
    return code;
}

enum error_code spool_file_put_dead(struct spool_file *file, const struct dead_letter *letter,
                                    struct error *err)
{
    sqlite3_stmt *prepared;
    enum error_code code = statement(file, STATEMENT_PUT_DEAD, &prepared, err);
    if (code != ERROR_NONE)
        return code;
    sqlite3_bind_int64(prepared, 1, letter->at_us);
    bind_text(prepared, 2, letter->table);
    bind_text(prepared, 3, letter->uid);
    bind_text(prepared, 4, letter->version);
    sqlite3_bind_int64(prepared, 5, letter->number);
    bind_text(prepared, 6, letter->reason);
    bind_text(prepared, 7, letter->body);
    code = finish(file, prepared, "put a dead letter", err);
    if (code != ERROR_NONE)
        return code;
    file->dead_letters++;
    return drop_older(file, letter, err);
}

enum error_code spool_file_drop_dead(struct spool_file *file, int64_t id, struct error *err)
{
    sqlite3_stmt *prepared;
    enum error_code code = statement(file, STATEMENT_DROP_DEAD, &prepared, err);
    if (code != ERROR_NONE)
        return code;
    sqlite3_bind_int64(prepared, 1, id);
    file->recount = true;
    return finish(file, prepared, "drop a dead letter", err);
}

enum error_code spool_file_put_number(struct spool_file *file, const char *name, int64_t value,
                                      struct error *err)
{
    sqlite3_stmt *prepared;
    enum error_code code = statement(file, STATEMENT_PUT_NUMBER, &prepared, err);
    if (code != ERROR_NONE)
        return code;
    bind_text(prepared, 1, text_from(name));
    sqlite3_bind_int64(prepared, 2, value);
    return finish(file, prepared, "put a number", err);
}

enum error_code spool_file_put_note(struct spool_file *file, const char *name, const char *text,
                                    struct error *err)
{
    sqlite3_stmt *prepared;
    enum error_code code = statement(file, STATEMENT_PUT_NOTE, &prepared, err);
    if (code != ERROR_NONE)
        return code;
    bind_text(prepared, 1, text_from(name));
    bind_text(prepared, 2, text_from(text));
    return finish(file, prepared, "put a note", err);
}

/* After the last row, or when the callback has had enough. */
static enum error_code end_reading(struct spool_file *file, sqlite3_stmt *prepared, int status,
                                   struct error *err)
{
    enum error_code code = ERROR_NONE;
    if (status != SQLITE_DONE && status != SQLITE_ROW)
        code = sqlite_error(file, status, err, "read");
    sqlite3_reset(prepared);
    return code;
}

enum error_code spool_file_read(struct spool_file *file, int64_t *after, size_t max,
                                spool_record *record, void *context, struct error *err)
{
    sqlite3_stmt *prepared;
    enum error_code code = statement(file, STATEMENT_READ, &prepared, err);
    if (code != ERROR_NONE)
        return code;
    sqlite3_bind_int64(prepared, 1, *after);
    sqlite3_bind_int64(prepared, 2, (int64_t)max);
    int status;
    while ((status = sqlite3_step(prepared)) == SQLITE_ROW) {
        int64_t id = sqlite3_column_int64(prepared, 0);
        if (!record(context, id, column_text(prepared, 1), column_text(prepared, 2),
                    column_text(prepared, 3)))
            break;
        *after = id;
    }
    return end_reading(file, prepared, status, err);
}

enum error_code spool_file_read_dead(struct spool_file *file, spool_dead *dead, void *context,
                                     struct error *err)
{
    sqlite3_stmt *prepared;
    enum error_code code = statement(file, STATEMENT_READ_DEAD, &prepared, err);
    if (code != ERROR_NONE)
        return code;
    int status;
    while ((status = sqlite3_step(prepared)) == SQLITE_ROW) {
        const struct dead_letter letter = {
            .id = sqlite3_column_int64(prepared, 0),
            .at_us = sqlite3_column_int64(prepared, 1),
            .table = column_text(prepared, 2),
            .uid = column_text(prepared, 3),
            .version = column_text(prepared, 4),
            .number = sqlite3_column_int64(prepared, 5),
            .reason = column_text(prepared, 6),
            .body = column_text(prepared, 7),
        };
        if (!dead(context, &letter))
            break;
    }
    return end_reading(file, prepared, status, err);
}

enum error_code spool_file_read_numbers(struct spool_file *file, spool_number *number,
                                        void *context, struct error *err)
{
    sqlite3_stmt *prepared;
    enum error_code code = statement(file, STATEMENT_READ_NUMBERS, &prepared, err);
    if (code != ERROR_NONE)
        return code;
    int status;
    while ((status = sqlite3_step(prepared)) == SQLITE_ROW) {
        if (!number(context, column_text(prepared, 0), sqlite3_column_int64(prepared, 1)))
            break;
    }
    return end_reading(file, prepared, status, err);
}

enum error_code spool_file_read_notes(struct spool_file *file, spool_told_note *note, void *context,
                                      struct error *err)
{
    sqlite3_stmt *prepared;
    enum error_code code = statement(file, STATEMENT_READ_NOTES, &prepared, err);
    if (code != ERROR_NONE)
        return code;
    int status;
    while ((status = sqlite3_step(prepared)) == SQLITE_ROW) {
        if (!note(context, column_text(prepared, 0), column_text(prepared, 1)))
            break;
    }
    return end_reading(file, prepared, status, err);
}

static enum error_code copy_to_quarantine(struct spool_file *file, int64_t id, struct text reason,
                                          struct error *err)
{
    sqlite3_stmt *prepared;
    enum error_code code = statement(file, STATEMENT_QUARANTINE, &prepared, err);
    if (code != ERROR_NONE)
        return code;
    bind_text(prepared, 1, reason);
    sqlite3_bind_int64(prepared, 2, id);
    return finish(file, prepared, "quarantine", err);
}

static enum error_code delete_by_id(struct spool_file *file, int64_t id, struct error *err)
{
    sqlite3_stmt *prepared;
    enum error_code code = statement(file, STATEMENT_DELETE_ID, &prepared, err);
    if (code != ERROR_NONE)
        return code;
    sqlite3_bind_int64(prepared, 1, id);
    return finish(file, prepared, "delete", err);
}

enum error_code spool_file_quarantine(struct spool_file *file, int64_t id, struct text reason,
                                      struct error *err)
{
    enum error_code code = spool_file_begin(file, err);
    if (code == ERROR_NONE)
        code = copy_to_quarantine(file, id, reason, err);
    if (code == ERROR_NONE)
        code = delete_by_id(file, id, err);
    if (code == ERROR_NONE)
        code = spool_file_commit(file, err);
    if (code != ERROR_NONE)
        spool_file_rollback(file);
    return code;
}

static int64_t file_size(const char *path, const char *suffix)
{
    char name[640];
    struct stat info;
    snprintf(name, sizeof(name), "%s%s", path, suffix);
    return stat(name, &info) == 0 ? (int64_t)info.st_size : 0;
}

static enum error_code read_number(struct spool_file *file, enum statement number, int64_t *value,
                                   struct error *err)
{
    sqlite3_stmt *prepared;
    enum error_code code = statement(file, number, &prepared, err);
    if (code != ERROR_NONE)
        return code;
    int status = sqlite3_step(prepared);
    if (status == SQLITE_ROW)
        *value = sqlite3_column_int64(prepared, 0);
    return end_reading(file, prepared, status, err);
}

/* Counting reads all of them: only when they may have changed. */
static enum error_code count_dead_letters(struct spool_file *file, struct error *err)
{
    int64_t changes = 0;
    enum error_code code = read_number(file, STATEMENT_CHANGES, &changes, err);
    if (code != ERROR_NONE || (changes == file->changes && !file->recount))
        return code;
    code = read_number(file, STATEMENT_COUNT_DEAD, &file->dead_letters, err);
    if (code == ERROR_NONE) {
        file->changes = changes;
        file->recount = false;
    }
    return code;
}

enum error_code spool_file_usage(struct spool_file *file, struct spool_usage *usage,
                                 struct error *err)
{
    sqlite3_stmt *pages;
    enum error_code code = statement(file, STATEMENT_PAGES, &pages, err);
    if (code != ERROR_NONE)
        return code;
    int status = sqlite3_step(pages);
    if (status == SQLITE_ROW)
        usage->bytes = (sqlite3_column_int64(pages, 0) - sqlite3_column_int64(pages, 1)) *
                       sqlite3_column_int64(pages, 2);
    code = end_reading(file, pages, status, err);
    if (code == ERROR_NONE)
        code = count_dead_letters(file, err);
    usage->dead_letters = file->dead_letters;

    usage->file_bytes = file_size(file->path, "") + file_size(file->path, "-wal");
    struct statvfs disk;
    if (statvfs(file->directory, &disk) == 0)
        usage->free_bytes = (int64_t)(disk.f_bavail * disk.f_frsize);
    return code;
}

enum error_code spool_file_count(struct spool_file *file, struct spool_counts *counts,
                                 struct error *err)
{
    sqlite3_stmt *prepared;
    enum error_code code = statement(file, STATEMENT_COUNTS, &prepared, err);
    if (code != ERROR_NONE)
        return code;
    int status = sqlite3_step(prepared);
    if (status == SQLITE_ROW) {
        counts->records = sqlite3_column_int64(prepared, 0);
        counts->dead_letters = sqlite3_column_int64(prepared, 1);
        counts->quarantined = sqlite3_column_int64(prepared, 2);
    }
    return end_reading(file, prepared, status, err);
}

enum error_code spool_file_shrink(struct spool_file *file, bool *more, struct error *err)
{
    char sql[64];
    int64_t unused = 0;
    *more = false;
    snprintf(sql, sizeof(sql), "PRAGMA incremental_vacuum(%d)", SHRINK_PAGES);
    enum error_code code = exec(file, sql, err);
    if (code == ERROR_NONE)
        code = query_number(file, "PRAGMA freelist_count", &unused, err);
    if (code != ERROR_NONE)
        return code;
    *more = unused > 0;
    return *more ? ERROR_NONE : exec(file, "PRAGMA wal_checkpoint(TRUNCATE)", err);
}
