/* db: one connection to MariaDB or MySQL. Nobody else knows the client library.
 *
 * Blocking, with time-outs; used by one thread at a time, except db_abort(). The credentials are
 * read at each connect and are never part of an error text. */
#ifndef SIDECAR_DB_H
#define SIDECAR_DB_H

#include "lib/base/error.h"
#include "lib/base/text.h"
#include "lib/outbox/outbox.h"
#include "lib/settings/config.h"
#include "lib/sql/dberror.h"

#include <stddef.h>
#include <stdint.h>

struct db;

/* What is kept from being written by an error, and so what may go on. */
enum db_affects {
    DB_AFFECTS_CONNECTION, /* everything */
    DB_AFFECTS_TABLE,      /* the rows of this table */
    DB_AFFECTS_ROWS,       /* these rows, taken together: it came of writing them */
};

/* What went wrong, with what to do about it. */
struct db_error {
    enum dberror_class class;
    unsigned number; /* the server's or client library's error number; 0: none */
    size_t row;      /* 1-based row of the statement that is at fault; 0: not said */
    enum db_affects affects;
    struct error error; /* text: "what was done: server's message (number)[; advice]" */
};

/* Fills *err with trouble that neither the server nor its client library has reported. */
enum error_code db_error_set(struct db_error *err, enum dberror_class class, const char *format,
                             ...) PRINTF_LIKE(3, 4);

/* The same for want of memory (DBERROR_WAIT) while `what` was being done. */
enum error_code db_no_memory(struct db_error *err, const char *what);

/* Once per process, before any thread; and at its end. */
enum error_code db_library_init(struct error *err) MUST_CHECK;
void db_library_fini(void);

/* In each thread that uses a db, before and after. */
void db_thread_init(void);
void db_thread_fini(void);

struct db *db_new(const struct config *config); /* never NULL; not connected yet */
void db_free(struct db *db);                    /* closes; NULL is allowed */

/* For one who only reads, before db_connect(): the session refuses to write, and a server that is
 * read-only is taken as well. */
void db_read_only(struct db *db);

/* Reads the credentials, connects to config->hosts[host], under TLS as config->mysql_ssl_mode wants
 * it (from SSL_MODE_REQUIRED on, a server without it gets neither name nor password), and sets the
 * session up (session.h); refuses a server that is read-only or not wsrep-ready (DBERROR_ELSEWHERE). */
enum error_code db_connect(struct db *db, size_t host, struct db_error *err) MUST_CHECK;

/* The same with one host after the other, until one takes the connection. */
enum error_code db_connect_any(struct db *db, struct db_error *err) MUST_CHECK;

bool db_is_connected(const struct db *db); /* false too after a call that lost the connection */
void db_close(struct db *db);

/* From another thread, for shutdown: ends what db is doing as soon as can be, and lets nothing new
 * begin, for good: calls fail with DBERROR_RECONNECT. Only a connect that has begun is not cut
 * short: it has its time-out, and a name server that is silent takes longer still. */
void db_abort(struct db *db);

/* From another thread, after db_abort(), for who does not wait for that: true if a connect is under
 * way. The thread then never comes back from it, and must be left alone, with db, its config and all
 * that it looks at, until the process ends, without db_library_fini() and by _exit(). */
bool db_leave(struct db *db) MUST_CHECK;

/* Facts of the connection, valid while it is connected. */
struct db_server {
    char version[128]; /* "10.11.19-MariaDB..." */
    bool is_mariadb;
    bool logs_statements; /* binlog_format = STATEMENT: no READ COMMITTED there */
    size_t max_packet;    /* bytes */
    char tls_version[32]; /* "TLSv1.3"; "" for a connection without TLS */
    char tls_cipher[64];
};
#define DB_BINLOG_ADVICE                                                                           \
    "set binlog_format to MIXED or ROW at the server, in its settings too (SET GLOBAL "            \
    "binlog_format = 'MIXED' for a start)"
const struct db_server *db_server(const struct db *db);

/* One statement without result, or with a result that is thrown away. */
enum error_code db_exec(struct db *db, struct text sql, struct db_error *err) MUST_CHECK;

/* One statement; row() for each row of its result, all values as text, .data == NULL for NULL. row()
 * must not use db. Columns after DB_MAX_VALUES are left out. */
#define DB_MAX_VALUES 64
typedef void db_row(void *context, const struct text *values, size_t count);
enum error_code db_query(struct db *db, struct text sql, db_row *row, void *context,
                         struct db_error *err) MUST_CHECK;

/* Asks for a sign of life. */
enum error_code db_ping(struct db *db, struct db_error *err) MUST_CHECK;

/* Quotes text as a string literal of SQL, with the quotes. */
void db_quote(struct db *db, struct buffer *out, struct text text);

/* Writes rows[0..count), all of one table and mode, in one transaction; on any error it is rolled
 * back and nothing of it is there (but after a lost COMMIT, when nobody knows: sending again is
 * harmless). */
enum error_code db_write(struct db *db, const struct table *table, enum row_mode mode,
                         struct row *const *rows, size_t count, struct db_error *err) MUST_CHECK;

#endif
