/* db: one connection to MariaDB or MySQL. Nobody but this module and login.c uses the client library.
 *
 * All calls block, with time-outs. One thread at a time uses a connection, except for db_abort() and
 * db_leave(). The account's name and password are read at each connect, and are never part of an error's
 * text. */
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

/* What an error keeps from being written. Everything else may still be written. */
enum db_affects {
    DB_AFFECTS_CONNECTION, /* everything */
    DB_AFFECTS_TABLE,      /* the rows of this table */
    DB_AFFECTS_ROWS,       /* these rows together: the error came of writing them */
};

/* What went wrong, and what to do about it. */
struct db_error {
    enum dberror_class class;
    unsigned number; /* the server's or the client library's error number; 0: none */
    size_t row;      /* the row of the statement that is at fault, counted from 1; 0: not known */
    enum db_affects affects;
    struct error error; /* text: "what was done: server's message (number)[; advice]" */
};

/* Fills *err with an error that neither the server nor its client library has reported. Returns its code. */
enum error_code db_error_set(struct db_error *err, enum dberror_class class, const char *format,
                             ...) PRINTF_LIKE(3, 4);

/* Fills *err for want of memory (DBERROR_WAIT) while `what` was being done. Returns ERROR_NOMEM. */
enum error_code db_no_memory(struct db_error *err, const char *what);

/* Start and end the client library: once in each process, before there are threads, and at its end. */
enum error_code db_library_init(struct error *err) MUST_CHECK;
void db_library_fini(void);

/* Makes a connection that is not open yet. Never returns NULL. config is borrowed. */
struct db *db_new(const struct config *config);
void db_free(struct db *db); /* closes it; NULL is allowed */

/* To be called before db_connect() by who only reads: the session refuses to write, and a server that is
 * read-only is accepted. */
void db_read_only(struct db *db);

/* Reads the credentials, connects to config->hosts[host], and sets the session up (session.h). TLS is used as
 * config->mysql_ssl_mode says: from SSL_MODE_REQUIRED on, a server without TLS gets neither name nor
 * password. DBERROR_ELSEWHERE: the server is read-only, or its Galera node is not ready. */
enum error_code db_connect(struct db *db, size_t host, struct db_error *err) MUST_CHECK;

/* Connects to the first of config->hosts that accepts the connection. On failure the error is the last
 * host's. */
enum error_code db_connect_any(struct db *db, struct db_error *err) MUST_CHECK;

bool db_is_connected(
    const struct db *db); /* false as well after a call that has lost the connection */
void db_close(struct db *db);

/* Called by another thread, for shutdown: ends what the connection is doing as soon as possible, and makes
 * every later call fail with DBERROR_RECONNECT. Only a connect that has begun is not interrupted: it ends by
 * its time-out, or later if a name server is silent. */
void db_abort(struct db *db);

/* Called by another thread after db_abort(), if it does not wait for a connect: returns whether one is under
 * way. If so, the connection's thread never returns from it. That thread, db, its config and all that the
 * thread uses must then be left alone until the process ends by _exit(), without db_library_fini(). */
bool db_leave(struct db *db) MUST_CHECK;

/* Facts about the connection, valid while it is open. */
struct db_server {
    char version[128];    /* "10.11.19-MariaDB..." */
    size_t max_packet;    /* bytes */
    char tls_version[32]; /* "TLSv1.3"; "" for a connection without TLS */
    char tls_cipher[64];
    const char *warning; /* what is not well set at the server, though it works; NULL: nothing */
    const char *advice;  /* what to do about it */
};
const struct db_server *db_server(const struct db *db);

/* Sends one statement. A result is thrown away. */
enum error_code db_exec(struct db *db, struct text sql, struct db_error *err) MUST_CHECK;

/* Sends one statement and calls row() for each row of its result, with all values as text; .data is NULL for
 * SQL's NULL. row() must not use db. Columns after DB_MAX_VALUES are left out. */
#define DB_MAX_VALUES 64
typedef void db_row(void *context, const struct text *values, size_t count);
enum error_code db_query(struct db *db, struct text sql, db_row *row, void *context,
                         struct db_error *err) MUST_CHECK;

/* Appends text as a string literal of SQL, with its quotes. */
void db_quote(struct db *db, struct buffer *out, struct text text);

/* Writes rows[0..count), all of one table and mode, in one transaction. After an error nothing of them is
 * written. If the answer to COMMIT is lost, nobody knows whether they are; writing them again is harmless. */
enum error_code db_write(struct db *db, const struct table *table, enum row_mode mode,
                         struct row *const *rows, size_t count, struct db_error *err) MUST_CHECK;

#endif
