/* spool_file: SQLite behind the spool.
 *
 * Write-ahead log and synchronous=FULL: what is committed is on disk. The file gives its pages back
 * (auto_vacuum=INCREMENTAL), so that an outage does not leave a large file behind.
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
#include <zlib.h>

#define BUSY_TIMEOUT_MS 5000
#define SHRINK_PAGES    1024 /* given back at once: some milliseconds of work */

#define STATEMENTS(X)                                                                              \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                    \
    X(COMMIT, "COMMIT")                                                                            \
    X(PUT, "INSERT INTO records (table_name, uid, body, checksum) VALUES (?, ?, ?, ?)"             \
           " ON CONFLICT (table_name, uid) DO UPDATE"                                              \
           " SET body = excluded.body, checksum = excluded.checksum")                              \
    X(DELETE, "DELETE FROM records WHERE table_name = ? AND uid = ?")                              \
    X(READ, "SELECT id, table_name, uid, body, checksum FROM records"                              \
            " WHERE id > ? ORDER BY id LIMIT ?")                                                   \
    X(QUARANTINE, "INSERT INTO quarantine (table_name, uid, body, reason)"                         \
                  " SELECT table_name, uid, body, ? FROM records WHERE id = ?")                    \
    X(DELETE_ID, "DELETE FROM records WHERE id = ?")                                               \
    X(PUT_DEAD, "INSERT INTO dead_letters"                                                         \
                " (at_us, table_name, uid, version, number, reason, body, checksum)"               \
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)")                                                \
    X(DROP_OLDER, "DELETE FROM dead_letters WHERE table_name = ?1 AND uid = ?2 AND id <>"          \
                  " (SELECT id FROM dead_letters WHERE table_name = ?1 AND uid = ?2"               \
                  " ORDER BY length(version) DESC, version DESC, id DESC LIMIT 1)")                \
    X(DROP_DEAD, "DELETE FROM dead_letters WHERE id = ?")                                          \
    X(READ_DEAD, "SELECT id, at_us, table_name, uid, version, number, reason, body, checksum"      \
                 " FROM dead_letters ORDER BY id")                                                 \
    X(PUT_NUMBER, "INSERT INTO numbers (name, value) VALUES (?, ?)"                                \
                  " ON CONFLICT (name) DO UPDATE SET value = excluded.value")                      \
    X(READ_NUMBERS, "SELECT name, value FROM numbers ORDER BY name")                               \
    X(PUT_NOTE, "INSERT INTO notes (name, text, checksum) VALUES (?, ?, ?)"                        \
                " ON CONFLICT (name) DO UPDATE"                                                    \
                " SET text = excluded.text, checksum = excluded.checksum")                         \
    X(READ_NOTES, "SELECT name, text, checksum FROM notes ORDER BY name")                          \
    X(COUNTS, "SELECT (SELECT count(*) FROM records), (SELECT count(*) FROM dead_letters),"        \
              " (SELECT count(*) FROM quarantine), (SELECT records FROM state)")                   \
    X(COUNT_UP, "UPDATE state SET transactions = transactions + 1"                                 \
                " RETURNING transactions, records, dead_letters")                                  \
    X(READ_STATE, "SELECT transactions, records, dead_letters,"                                    \
                  " lost_transactions, lost_records, lost_letters FROM state")                     \
    X(PUT_STATE, "UPDATE state SET transactions = ?, records = ?, dead_letters = ?,"               \
                 " lost_transactions = ?, lost_records = ?, lost_letters = ?")                     \
    X(CHANGES, "PRAGMA data_version")                                                              \
    X(PAGES, "SELECT page_count, freelist_count, page_size FROM pragma_page_count,"                \
             " pragma_freelist_count, pragma_page_size")

#define STATEMENT_ENUM(name, sql) STATEMENT_##name,
#define STATEMENT_TEXT(name, sql) sql,
enum statement { STATEMENTS(STATEMENT_ENUM) STATEMENT_COUNT };
static const char *const statement_texts[] = {STATEMENTS(STATEMENT_TEXT)};

/* The layout that user_version tells: the oldest program that can work with the file. */
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

/* What came later. An older program that does not know of it can go on: triggers keep the state true, and
 * drop the checksum of what is changed without it. A person may do so, too. */
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

/* The files that SQLite keeps open. */
static const char *const suffixes[] = {"", "-wal", "-shm"};
#define FILE_COUNT  (sizeof(suffixes) / sizeof(suffixes[0]))
#define WRITE_COUNT 2 /* the first ones are only written by transactions and checkpoints */

struct spool_file {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENT_COUNT]; /* prepared when first used */
    struct stat files[FILE_COUNT];             /* as this process, or one that may, has left them */
    int64_t changes;                           /* data_version as of then: others' commits */
    bool overwritten;                          /* found by the last look */
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

/* CRC-32 of the texts, each ended by a NUL, so that no byte can go from one to the next unseen. */
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

/* Whether the column holds the sum, or none at all. */
static bool is_intact(sqlite3_stmt *prepared, int column, int64_t sum)
{
    return sqlite3_column_type(prepared, column) == SQLITE_NULL ||
           sqlite3_column_int64(prepared, column) == sum;
}

static enum error_code run_plain(struct spool_file *file, enum statement number, const char *what,
                                 struct error *err)
{
    sqlite3_stmt *prepared;
    enum error_code code = statement(file, number, &prepared, err);
    return code == ERROR_NONE ? finish(file, prepared, what, err) : code;
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

/* To the present layout, all of it or nothing. */
static enum error_code upgrade(struct spool_file *file, struct error *err)
{
    int64_t is_present = 0;
    enum error_code code = query_number(
        file, "SELECT count(*) FROM sqlite_master WHERE name = 'state'", &is_present, err);
    if (code != ERROR_NONE || is_present)
        return code;
    code = spool_file_begin(file, err);
    if (code == ERROR_NONE)
        code = exec(file, layout, err);
    if (code == ERROR_NONE)
        code = exec(file, additions, err);
    if (code == ERROR_NONE)
        code = exec(file, "COMMIT", err);
    if (code != ERROR_NONE)
        spool_file_rollback(file);
    return code;
}

/* A damaged file often opens well and fails later: better to know before it is relied on. The pragma is
 * asked as a pragma: as a table SQLite 3.46 takes its argument for the name of a table to look at. */
static enum error_code check_whole(struct spool_file *file, struct error *err)
{
    sqlite3_stmt *prepared;
    int status = sqlite3_prepare_v2(file->db, "PRAGMA quick_check(1)", -1, &prepared, NULL);
    if (status == SQLITE_OK)
        status = sqlite3_step(prepared);
    enum error_code code = ERROR_NONE;
    if (status != SQLITE_ROW)
        code = sqlite_error(file, status, err, "look whether it is whole");
    else if (!text_is(column_text(prepared, 0), "ok"))
        code = error_set(err, ERROR_INPUT, "spool %s: the file is damaged", file->path);
    sqlite3_finalize(prepared);
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
    int status;
    do
        status = flock(file->lock, LOCK_EX | LOCK_NB);
    while (status != 0 && errno == EINTR);
    if (status == 0)
        return ERROR_NONE;
    if (errno == EWOULDBLOCK)
        return error_set(err, ERROR_OPERATOR,
                         "SPOOL_DIR %s is used by another kubedl-shipper: each needs its own",
                         file->directory);
    if (errno == ENOLCK)
        return error_set(
            err, ERROR_AGAIN,
            "SPOOL_DIR %s: the system gives no lock (%s): too many locks are held, or, "
            "on NFS, its lock manager does not answer; a local volume needs none",
            file->directory, strerror(errno));
    return error_set(err, ERROR_OPERATOR,
                     "SPOOL_DIR %s: its file system does not lock files (%s): use a local volume",
                     file->directory, strerror(errno));
}

static void file_name(const struct spool_file *file, const char *suffix, char name[640])
{
    snprintf(name, 640, "%s%s", file->path, suffix);
}

/* All 0 if it is not there. */
static struct stat look_at(const struct spool_file *file, size_t number)
{
    char name[640];
    struct stat info;
    file_name(file, suffixes[number], name);
    return stat(name, &info) == 0 ? info : (struct stat){0};
}

/* An inode is nobody else's as long as SQLite has it open. */
static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

static bool is_unwritten(const struct stat *a, const struct stat *b)
{
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static bool has_lock_file(const struct spool_file *file)
{
    char path[600];
    struct stat held, there;
    if (file->lock < 0)
        return true;
    snprintf(path, sizeof(path), "%s/spool.lock", file->directory);
    return fstat(file->lock, &held) == 0 && stat(path, &there) == 0 && is_same(&held, &there);
}

/* ERROR_INPUT: a file, or the directory, was removed or replaced. */
static enum error_code check_place(struct spool_file *file, struct error *err)
{
    bool is_there = has_lock_file(file);
    for (size_t i = 0; i < FILE_COUNT; i++) {
        struct stat now = look_at(file, i);
        is_there = is_there && is_same(&file->files[i], &now);
    }
    if (is_there)
        return ERROR_NONE;
    return error_set(err, ERROR_INPUT,
                     "spool %s: its files were removed or replaced while they were in use: keep "
                     "whatever cleans up there away from SPOOL_DIR",
                     file->path);
}

/* What is on disk now is as it should be. */
static void remember_files(struct spool_file *file)
{
    for (size_t i = 0; i < FILE_COUNT; i++)
        file->files[i] = look_at(file, i);
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
    char from[640], to[700];
    close_database(file);
    long long now = (long long)time(NULL);
    int attempt = 0;
    do {
        snprintf(to, sizeof(to), "%s.damaged-%lld-%d", file->path, now, attempt++);
    } while (access(to, F_OK) == 0);
    snprintf(name, ERROR_TEXT_SIZE, "%.500s", to);
    for (size_t i = 0; i < FILE_COUNT; i++) {
        file_name(file, suffixes[i], from);
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
        code = upgrade(file, err);
    return code;
}

static enum error_code read_state(struct spool_file *file, struct spool_state *state,
                                  struct error *err)
{
    sqlite3_stmt *prepared;
    enum error_code code = statement(file, STATEMENT_READ_STATE, &prepared, err);
    if (code != ERROR_NONE)
        return code;
    int status = sqlite3_step(prepared);
    if (status == SQLITE_ROW) {
        *state = (struct spool_state){
            .transactions = sqlite3_column_int64(prepared, 0),
            .records = sqlite3_column_int64(prepared, 1),
            .dead_letters = sqlite3_column_int64(prepared, 2),
            .lost = {.transactions = sqlite3_column_int64(prepared, 3),
                     .records = sqlite3_column_int64(prepared, 4),
                     .dead_letters = sqlite3_column_int64(prepared, 5)},
        };
    }
    return end_reading(file, prepared, status, err);
}

static enum error_code write_state(struct spool_file *file, const struct spool_state *state,
                                   struct error *err)
{
    sqlite3_stmt *prepared;
    enum error_code code = statement(file, STATEMENT_PUT_STATE, &prepared, err);
    if (code != ERROR_NONE)
        return code;
    sqlite3_bind_int64(prepared, 1, state->transactions);
    sqlite3_bind_int64(prepared, 2, state->records);
    sqlite3_bind_int64(prepared, 3, state->dead_letters);
    sqlite3_bind_int64(prepared, 4, state->lost.transactions);
    sqlite3_bind_int64(prepared, 5, state->lost.records);
    sqlite3_bind_int64(prepared, 6, state->lost.dead_letters);
    return finish(file, prepared, "put the state", err);
}

/* The lock file says what the last transaction left: "TRANSACTIONS RECORDS DEAD_LETTERS". It is written
 * after the transaction, so that it never promises too much, and is not waited for. */
static void write_lock_file(const struct spool_file *file, const struct spool_state *state)
{
    char line[80];
    if (file->lock < 0)
        return;
    int length =
        snprintf(line, sizeof(line), "%020lld %020lld %020lld\n", (long long)state->transactions,
                 (long long)state->records, (long long)state->dead_letters);
    (void)!pwrite(file->lock, line, (size_t)length, 0); /* what is not said can't be missed later */
}

/* All 0 where it says nothing. */
static struct spool_state read_lock_file(const struct spool_file *file)
{
    char line[80] = "";
    int64_t numbers[3];
    ssize_t length = pread(file->lock, line, sizeof(line) - 1, 0);
    char *at = line;
    for (size_t i = 0; i < 3; i++) {
        char *end;
        numbers[i] = strtoll(at, &end, 10);
        if (length <= 0 || end == at)
            return (struct spool_state){0};
        at = end;
    }
    return (struct spool_state){
        .transactions = numbers[0], .records = numbers[1], .dead_letters = numbers[2]};
}

static int64_t missing(int64_t expected, int64_t found)
{
    return expected > found ? expected - found : 0;
}

/* Compares what is there with what the last transaction left, and begins to count from what is there. */
static enum error_code take_stock(struct spool_file *file, bool records_are_held,
                                  struct spool_loss *loss, struct error *err)
{
    struct spool_state state = {0};
    struct spool_counts counts = {0};
    enum error_code code = read_state(file, &state, err);
    if (code == ERROR_NONE)
        code = spool_file_count(file, &counts, err);
    if (code != ERROR_NONE)
        return code;
    const struct spool_state found = state;
    struct spool_state last = read_lock_file(file);
    if (last.transactions <= state.transactions)
        last = state;
    *loss = (struct spool_loss){
        .transactions = last.transactions - state.transactions,
        .records = missing(last.records, counts.records),
        .dead_letters = missing(last.dead_letters, counts.dead_letters),
        .records_before = last.records,
        .dead_letters_before = last.dead_letters,
    };
    if (records_are_held)
        loss->records = loss->transactions = 0;
    state.transactions = last.transactions;
    state.records = counts.records;
    state.dead_letters = counts.dead_letters;
    state.lost.transactions += loss->transactions;
    state.lost.records += loss->records;
    state.lost.dead_letters += loss->dead_letters;
    if (memcmp(&state, &found, sizeof(state)) != 0)
        code = write_state(file, &state, err);
    if (code == ERROR_NONE)
        write_lock_file(file, &state);
    return code;
}

static enum error_code open_locked(struct spool_file *file, bool records_are_held,
                                   struct spool_opening *opening, struct error *err)
{
    enum error_code code = open_whole(file, err);
    if (code == ERROR_INPUT) {
        code = set_aside(file, opening->quarantined, err);
        if (code == ERROR_NONE)
            code = open_whole(file, err);
    }
    if (code == ERROR_NONE)
        code = take_stock(file, records_are_held, &opening->loss, err);
    return code;
}

/* What this process knows of the files begins here. */
static enum error_code begin_looking(struct spool_file *file, struct error *err)
{
    remember_files(file);
    return read_number(file, STATEMENT_CHANGES, &file->changes, err);
}

enum error_code spool_file_open(const char *directory, bool records_are_held,
                                struct spool_file **result, struct spool_opening *opening,
                                struct error *err)
{
    *opening = (struct spool_opening){0};
    struct spool_file *file;
    enum error_code code = make(directory, &file, err);
    if (file == NULL)
        return code;
    code = take_lock(file, err);
    if (code == ERROR_NONE)
        code = open_locked(file, records_are_held, opening, err);
    if (code == ERROR_NONE)
        code = begin_looking(file, err);
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
    if (code == ERROR_NONE)
        code = upgrade(file, err);
    if (code == ERROR_NONE)
        code = begin_looking(file, err);
    if (code != ERROR_NONE) {
        spool_file_close(file);
        return code;
    }
    *result = file;
    return ERROR_NONE;
}

/* Others' transactions are known by data_version; what else has written there is a stranger. */
enum error_code spool_file_check(struct spool_file *file, struct error *err)
{
    int64_t changes = 0;
    enum error_code code = check_place(file, err);
    if (code == ERROR_NONE)
        code = read_number(file, STATEMENT_CHANGES, &changes, err);
    if (code != ERROR_NONE)
        return code;
    for (size_t i = 0; i < WRITE_COUNT && changes == file->changes; i++) {
        struct stat now = look_at(file, i);
        if (!is_unwritten(&file->files[i], &now)) {
            file->overwritten = true;
            return error_set(err, ERROR_INPUT,
                             "spool %s: its files were written by another program while they were "
                             "in use: keep it away from SPOOL_DIR",
                             file->path);
        }
    }
    remember_files(file);
    file->changes = changes;
    return ERROR_NONE;
}

/* From the files that only this process still has, to those that are in their place now. */
static enum error_code copy_rest(struct spool_file *file, bool with_records, struct error *err)
{
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
    char *attach = sqlite3_mprintf("ATTACH %Q AS fresh", file->path);
    if (attach == NULL)
        return error_set(err, ERROR_NOMEM, "spool %s: no memory", file->path);
    enum error_code code = exec(file, attach, err);
    sqlite3_free(attach);
    if (code == ERROR_NONE)
        code = spool_file_begin(file, err);
    if (code == ERROR_NONE)
        code = exec(file, rest, err);
    if (code == ERROR_NONE && with_records)
        code = exec(file, records, err);
    if (code == ERROR_NONE)
        code = exec(file, "COMMIT", err);
    return code;
}

enum error_code spool_file_leave(struct spool_file *file, bool records_are_held, struct error *err)
{
    enum error_code code = ERROR_NONE;
    struct stat now = look_at(file, 0);
    bool is_gone = !is_same(&file->files[0], &now);
    if (file->overwritten) /* what is in the log now is not to be copied over what is whole */
        sqlite3_db_config(file->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (is_gone && file->lock >= 0) {
        struct spool_file *fresh = NULL;
        struct spool_opening opening;
        (void)!ftruncate(file->lock, 0); /* what it says is here, and on its way */
        close(file->lock);
        file->lock = -1;
        code = spool_file_open(file->directory, records_are_held, &fresh, &opening, err);
        if (code == ERROR_NONE) {
            code = copy_rest(file, !records_are_held, err);
            spool_file_close(fresh);
        }
    }
    spool_file_close(file);
    return code;
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

enum error_code spool_file_begin(struct spool_file *file, struct error *err)
{
    return run_plain(file, STATEMENT_BEGIN, "begin", err);
}

static enum error_code count_up(struct spool_file *file, struct spool_state *state,
                                struct error *err)
{
    sqlite3_stmt *prepared;
    enum error_code code = statement(file, STATEMENT_COUNT_UP, &prepared, err);
    if (code != ERROR_NONE)
        return code;
    int status = sqlite3_step(prepared);
    if (status == SQLITE_ROW) {
        *state = (struct spool_state){.transactions = sqlite3_column_int64(prepared, 0),
                                      .records = sqlite3_column_int64(prepared, 1),
                                      .dead_letters = sqlite3_column_int64(prepared, 2)};
        status = sqlite3_step(prepared);
    }
    return end_reading(file, prepared, status, err);
}

enum error_code spool_file_commit(struct spool_file *file, struct error *err)
{
    struct spool_state state = {0};
    enum error_code code = count_up(file, &state, err);
    if (code == ERROR_NONE)
        code = run_plain(file, STATEMENT_COMMIT, "commit", err);
    if (code == ERROR_NONE)
        code = check_place(file, err);
    if (code != ERROR_NONE)
        return code;
    write_lock_file(file, &state);
    remember_files(file);
    return ERROR_NONE;
}

void spool_file_rollback(struct spool_file *file)
{
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
    sqlite3_bind_int64(prepared, 4, CHECKSUM(table, uid, body));
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

static int64_t letter_checksum(const struct dead_letter *letter)
{
    return CHECKSUM(letter->table, letter->uid, letter->version, letter->reason, letter->body);
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
    return finish(file, prepared, "drop an older dead letter", err);
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
    sqlite3_bind_int64(prepared, 8, letter_checksum(letter));
    code = finish(file, prepared, "put a dead letter", err);
    return code != ERROR_NONE ? code : drop_older(file, letter, err);
}

enum error_code spool_file_drop_dead(struct spool_file *file, int64_t id, struct error *err)
{
    sqlite3_stmt *prepared;
    enum error_code code = statement(file, STATEMENT_DROP_DEAD, &prepared, err);
    if (code != ERROR_NONE)
        return code;
    sqlite3_bind_int64(prepared, 1, id);
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
    sqlite3_bind_int64(prepared, 3, CHECKSUM(text_from(name), text_from(text)));
    return finish(file, prepared, "put a note", err);
}

enum error_code spool_file_read(struct spool_file *file, int64_t *after, size_t max,
                                spool_told_record *told, void *context, struct error *err)
{
    sqlite3_stmt *prepared;
    enum error_code code = statement(file, STATEMENT_READ, &prepared, err);
    if (code != ERROR_NONE)
        return code;
    sqlite3_bind_int64(prepared, 1, *after);
    sqlite3_bind_int64(prepared, 2, (int64_t)max);
    int status;
    while ((status = sqlite3_step(prepared)) == SQLITE_ROW) {
        const struct spool_record record = {.id = sqlite3_column_int64(prepared, 0),
                                            .table = column_text(prepared, 1),
                                            .uid = column_text(prepared, 2),
                                            .body = column_text(prepared, 3)};
        int64_t sum = CHECKSUM(record.table, record.uid, record.body);
        if (!told(context, &record, is_intact(prepared, 4, sum)))
            break;
        *after = record.id;
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
        struct dead_letter letter = {
            .id = sqlite3_column_int64(prepared, 0),
            .at_us = sqlite3_column_int64(prepared, 1),
            .table = column_text(prepared, 2),
            .uid = column_text(prepared, 3),
            .version = column_text(prepared, 4),
            .number = sqlite3_column_int64(prepared, 5),
            .reason = column_text(prepared, 6),
            .body = column_text(prepared, 7),
        };
        letter.damaged = !is_intact(prepared, 8, letter_checksum(&letter));
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
        struct text name = column_text(prepared, 0), text = column_text(prepared, 1);
        if (!note(context, name, text, is_intact(prepared, 2, CHECKSUM(name, text))))
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

static enum error_code move_to_quarantine(struct spool_file *file, int64_t id, struct text reason,
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

/* Where its key is what is damaged, the index does not lead to it any more. */
enum error_code spool_file_quarantine(struct spool_file *file, int64_t id, struct text reason,
                                      struct error *err)
{
    enum error_code code = move_to_quarantine(file, id, reason, err);
    if (code == ERROR_INPUT)
        code = exec(file, "REINDEX records", err);
    else
        return code;
    return code == ERROR_NONE ? move_to_quarantine(file, id, reason, err) : code;
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
        code = read_state(file, &usage->state, err);
    usage->file_bytes = look_at(file, 0).st_size + look_at(file, 1).st_size;
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
        counts->records_left = sqlite3_column_int64(prepared, 3);
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
    if (!*more)
        code = exec(file, "PRAGMA wal_checkpoint(TRUNCATE)", err);
    remember_files(file);
    return code;
}
