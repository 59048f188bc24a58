/* db: one connection to MariaDB or MySQL, over libmariadb's blocking API.
 *
 * Happy path: db_connect() connects and sets the session up (session.h), which also finds out what kind of
 * server it is. Then statements are sent as text, and batches of rows are written by db_write.c.
 *
 * Failure modes:
 *   the host is away or silent     the time-out of the connect; a name server has its own. At a stop, db_leave()
 *   no TLS where it is required,   the login ends before the account's name and password are sent (login.h)
 *   a wrong certificate
 *   the connection is lost, or     the time-out of each read and write; the connection is closed
 *   the server hangs
 *   a read-only server, no quorum  the connect fails with DBERROR_ELSEWHERE
 *   another thread aborts          the socket is shut down, and the call that runs fails
 */
#include "sidecar/store/db_private.h"

#include "lib/base/buffer.h"
#include "lib/base/memory.h"
#include "lib/settings/hosts.h"
#include "sidecar/store/credentials.h"
#include "sidecar/store/login.h"
#include "sidecar/store/session.h"

#include <errmsg.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* The time-out of a connect is that of a write, but no longer than this. */
#define CONNECT_TIMEOUT_MAX_MS 10000

enum error_code db_library_init(struct error *err)
{
    if (mysql_library_init(0, NULL, NULL) != 0 || !login_library_init())
        return error_set(err, ERROR_NOMEM, "the database client library does not start");
    return ERROR_NONE;
}

void db_library_fini(void)
{
    mysql_library_end();
}

struct db *db_new(const struct config *config)
{
    struct db *db = memory_new(sizeof(*db));
    db->config = config;
    db->fd = -1;
    db->statements = db_statements_new();
    if (uv_mutex_init(&db->lock) != 0)
        memory_exhausted("a database connection");
    return db;
}

void db_free(struct db *db)
{
    if (db == NULL)
        return;
    db_close(db);
    uv_mutex_destroy(&db->lock);
    db_statements_free(db->statements);
    free(db);
}

void db_read_only(struct db *db)
{
    db->only_reads = true;
}

bool db_is_connected(const struct db *db)
{
    return db->mysql != NULL;
}

const struct db_server *db_server(const struct db *db)
{
    return &db->server;
}

/* ---- errors ---------------------------------------------------------------------------------- */

static const enum error_code codes[] = {
    [DBERROR_RETRY] = ERROR_AGAIN,       [DBERROR_RECONNECT] = ERROR_AGAIN,
    [DBERROR_ELSEWHERE] = ERROR_AGAIN,   [DBERROR_WAIT] = ERROR_AGAIN,
    [DBERROR_OPERATOR] = ERROR_OPERATOR, [DBERROR_SPLIT] = ERROR_FULL,
    [DBERROR_ROW] = ERROR_INPUT,
};

/* Fills *err with what the client library says, and closes a connection that is of no more use. */
static enum error_code fail(struct db *db, struct db_error *err, enum dberror_phase phase,
                            const char *what, unsigned number, const char *sqlstate,
                            const char *message)
{
    struct text text = text_from(message);
    number = dberror_number(number, text);
    enum dberror_class class = dberror_classify(number, sqlstate, text, phase);
    const char *advice = dberror_advice(number, text, phase);
    *err = (struct db_error){.class = class, .number = number, .row = dberror_row(text)};
    error_set(&err->error, codes[class], "%s: %s (error %u, SQLSTATE %s)%s%s", what, message,
              number, sqlstate, advice != NULL ? "; " : "", advice != NULL ? advice : "");
    if (phase == DBERROR_CONNECTING || class == DBERROR_RECONNECT || class == DBERROR_ELSEWHERE)
        db_close(db);
    return err->error.code;
}

static enum error_code fail_connection(struct db *db, struct db_error *err,
                                       enum dberror_phase phase, const char *what)
{
    return fail(db, err, phase, what, mysql_errno(db->mysql), mysql_sqlstate(db->mysql),
                mysql_error(db->mysql));
}

enum error_code db_fail_statement(struct db *db, struct db_error *err, const char *what,
                                  MYSQL_STMT *stmt)
{
    return fail(db, err, DBERROR_CONNECTED, what, mysql_stmt_errno(stmt), mysql_stmt_sqlstate(stmt),
                mysql_stmt_error(stmt));
}

enum error_code db_error_set(struct db_error *err, enum dberror_class class, const char *format,
                             ...)
{
    char text[ERROR_TEXT_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    *err = (struct db_error){.class = class};
    return error_set(&err->error, codes[class], "%s", text);
}

enum error_code db_no_memory(struct db_error *err, const char *what)
{
    db_error_set(err, DBERROR_WAIT, "%s: no memory", what);
    err->error.code = ERROR_NOMEM;
    return ERROR_NOMEM;
}

/* ---- connect and close ----------------------------------------------------------------------- */

/* Returns false if the connection was aborted. The socket's number is published under the lock and withdrawn
 * before the socket is closed, so that db_abort() never shuts down a socket of somebody else that has the
 * same number. */
static bool publish_socket(struct db *db, int fd)
{
    uv_mutex_lock(&db->lock);
    db->fd = fd;
    bool aborted = db->aborted;
    uv_mutex_unlock(&db->lock);
    return !aborted;
}

void db_abort(struct db *db)
{
    uv_mutex_lock(&db->lock);
    db->aborted = true;
    if (db->fd >= 0)
        shutdown(db->fd, SHUT_RDWR);
    uv_mutex_unlock(&db->lock);
}

bool db_leave(struct db *db)
{
    uv_mutex_lock(&db->lock);
    db->left = db->connecting;
    bool left = db->left;
    uv_mutex_unlock(&db->lock);
    return left;
}

void db_close(struct db *db)
{
    if (db->mysql == NULL)
        return;
    publish_socket(db, -1);
    mysql_close(db->mysql); /* before the statements: closing these sends nothing any more */
    db->mysql = NULL;
    db_statements_drop(db->statements);
}

/* The largest row of an answer. The rows that are asked for have some KiB; without a limit, whoever answers
 * could make each connection allocate 1 GiB. */
#define ANSWER_MAX_BYTES ((size_t)32 << 20)

static unsigned timeout_seconds(int64_t ms)
{
    return (unsigned)((ms + 999) / 1000);
}

/* No option files, no LOCAL INFILE; "localhost" is TCP like any other name. */
static bool set_options(MYSQL *mysql, const struct config *config, const struct config_host *host)
{
    const unsigned timeout = timeout_seconds(config->db_timeout_ms);
    const unsigned connect_timeout = config->db_timeout_ms < CONNECT_TIMEOUT_MAX_MS
                                         ? timeout
                                         : timeout_seconds(CONNECT_TIMEOUT_MAX_MS);
    const unsigned protocol = hosts_is_socket(host) ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
    const unsigned local_infile = 0;
    const size_t answer_max = ANSWER_MAX_BYTES;
    int failed = 0;
    failed |= mysql_options(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &connect_timeout);
    failed |= mysql_options(mysql, MYSQL_OPT_READ_TIMEOUT, &timeout);
    failed |= mysql_options(mysql, MYSQL_OPT_WRITE_TIMEOUT, &timeout);
    failed |= mysql_options(mysql, MYSQL_OPT_PROTOCOL, &protocol);
    failed |= mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &local_infile);
    failed |= mysql_options(mysql, MYSQL_OPT_MAX_ALLOWED_PACKET, &answer_max);
    failed |= mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    failed |= mysql_options4(mysql, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "kubedl-shipper");
    return failed == 0;
}

/* Sets the options of TLS, or of a login without it. */
static bool set_tls_options(MYSQL *mysql, const struct config *config,
                            const struct config_host *host, enum ssl_mode mode)
{
    /* Up to 3.3, libmariadb checks the chain if it has a CA, and the name if it is told to verify. From 3.4
     * on it checks both or nothing: then verify-ca is as strict as verify-identity. */
    const my_bool on = 1,
                  verify = mode == SSL_MODE_VERIFY_IDENTITY ||
                           (mode == SSL_MODE_VERIFY_CA && mysql_get_client_version() >= 30400);
    int failed = mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
    if (mode == SSL_MODE_DISABLED)
        return failed == 0 && (hosts_is_socket(host) || login_hide_password(mysql));
    failed |= mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &on);
    failed |= mysql_options(mysql, MARIADB_OPT_TLS_VERSION, "TLSv1.2,TLSv1.3");
    if (config->mysql_ssl_cert[0] != '\0')
        failed |= mysql_options(mysql, MYSQL_OPT_SSL_CERT, config->mysql_ssl_cert);
    if (config->mysql_ssl_key[0] != '\0')
        failed |= mysql_options(mysql, MYSQL_OPT_SSL_KEY, config->mysql_ssl_key);
    if (mode >= SSL_MODE_VERIFY_CA && config->mysql_ssl_ca[0] != '\0')
        failed |= mysql_options(mysql, MYSQL_OPT_SSL_CA, config->mysql_ssl_ca);
    return failed == 0 && login_require_tls(mysql);
}

static enum error_code log_in(struct db *db, const struct config_host *host,
                              const struct credentials *credentials, enum ssl_mode mode,
                              struct db_error *err)
{
    const char *name = hosts_is_socket(host) ? NULL : host->name;
    const char *unix_socket = hosts_is_socket(host) ? host->name : NULL;
    db_close(db);
    db->mysql = mysql_init(NULL);
    if (db->mysql == NULL || !set_options(db->mysql, db->config, host) ||
        !set_tls_options(db->mysql, db->config, host, mode))
        return db_no_memory(err, "connecting");
    bool connected =
        mysql_real_connect(db->mysql, name, credentials->user, credentials->password,
                           db->config->mysql_db_name, host->port, unix_socket, 0) != NULL;
    /* The library keeps a copy, which it does not need: it never connects again by itself. */
    if (db->mysql->passwd != NULL)
        explicit_bzero(db->mysql->passwd, strlen(db->mysql->passwd));
    db->offers_tls = (db->mysql->server_capabilities & CLIENT_SSL) != 0;
    if (connected)
        return ERROR_NONE;
    login_explain(db->mysql);
    return fail_connection(db, err, DBERROR_CONNECTING, "connecting");
}

/* Logs in with TLS, and without TLS only if the server offers none. The two are never mixed: libmariadb would
 * take a connection that was meant to be under TLS for safe, and send MySQL's caching_sha2 login the password
 * as it is. It is remembered that a server offers no TLS, since a server blocks a client that hangs up time
 * and again. */
static enum error_code log_in_preferred(struct db *db, size_t number,
                                        const struct credentials *credentials, struct db_error *err)
{
    const struct config_host *host = &db->config->hosts[number];
    enum error_code code;
    if (db->is_plain[number]) {
        code = log_in(db, host, credentials, SSL_MODE_DISABLED, err);
        if (!db->offers_tls)
            return code;
    }
    code = log_in(db, host, credentials, SSL_MODE_REQUIRED, err);
    db->is_plain[number] =
        code != ERROR_NONE && err->number == CR_SSL_CONNECTION_ERROR && !db->offers_tls;
    return db->is_plain[number] ? log_in(db, host, credentials, SSL_MODE_DISABLED, err) : code;
}

static enum error_code open_connection(struct db *db, size_t number, struct db_error *err)
{
    const struct config *config = db->config;
    const struct config_host *host = &config->hosts[number];
    enum ssl_mode mode = config->mysql_ssl_mode;
    struct credentials credentials;
    struct error why;
    /* What goes over a local socket does not leave the machine. So, as with MySQL's own client, TLS has to be
     * asked for there. */
    if (mode == SSL_MODE_PREFERRED && hosts_is_socket(host))
        mode = SSL_MODE_DISABLED;
    if (credentials_read(config, &credentials, &why) != ERROR_NONE)
        return db_error_set(err, DBERROR_OPERATOR, "%s", why.text);
    enum error_code code = mode == SSL_MODE_PREFERRED
                               ? log_in_preferred(db, number, &credentials, err)
                               : log_in(db, host, &credentials, mode, err);
    credentials_wipe(&credentials);
    if (code == ERROR_NONE && !publish_socket(db, (int)mysql_get_socket(db->mysql)))
        code = db_error_set(err, DBERROR_RECONNECT, "connecting: aborted");
    return code;
}

enum error_code db_connect(struct db *db, size_t host, struct db_error *err)
{
    const struct config_host *target = &db->config->hosts[host];
    char label[HOSTS_LABEL_SIZE];
    db_close(db);
    /* While .connecting is set, nothing interrupts this thread: it takes as long as name servers and hosts
     * are silent. */
    uv_mutex_lock(&db->lock);
    db->connecting = true;
    bool aborted = db->aborted;
    uv_mutex_unlock(&db->lock);
    enum error_code code =
        aborted ? db_error_set(err, DBERROR_RECONNECT, "aborted") : open_connection(db, host, err);
    uv_mutex_lock(&db->lock);
    db->connecting = false;
    bool left = db->left;
    uv_mutex_unlock(&db->lock);
    if (left)
        for (;;)
            pause(); /* db_leave(): all that this thread has worked for is gone */

    if (code == ERROR_NONE)
        code = session_set_up(db, db->only_reads, &db->server, err);
    if (code != ERROR_NONE) {
        db_close(db);
        hosts_label(target, label);
        return error_context(&err->error, code, "%s", label);
    }
    struct db_server *server = &db->server;
    const char *cipher = mysql_get_ssl_cipher(db->mysql), *version = NULL;
    if (cipher == NULL)
        return ERROR_NONE;
    snprintf(server->tls_cipher, sizeof(server->tls_cipher), "%s", cipher);
    if (mariadb_get_infov(db->mysql, MARIADB_CONNECTION_TLS_VERSION, &version) == 0 &&
        version != NULL)
        snprintf(server->tls_version, sizeof(server->tls_version), "%s", version);
    return ERROR_NONE;
}

enum error_code db_connect_any(struct db *db, struct db_error *err)
{
    enum error_code code = ERROR_NONE;
    for (size_t host = 0; host < db->config->host_count; host++) {
        code = db_connect(db, host, err);
        if (code == ERROR_NONE)
            break;
    }
    return code;
}

/* ---- statements as text ---------------------------------------------------------------------- */

enum error_code db_query(struct db *db, struct text sql, db_row *row, void *context,
                         struct db_error *err)
{
    if (db->mysql == NULL)
        return db_error_set(err, DBERROR_RECONNECT, "not connected");
    MYSQL_RES *result = NULL;
    bool failed = mysql_real_query(db->mysql, sql.data, sql.length) != 0;
    if (!failed && mysql_field_count(db->mysql) > 0)
        result = mysql_use_result(db->mysql);
    MYSQL_ROW cells;
    while (result != NULL && (cells = mysql_fetch_row(result)) != NULL) {
        struct text values[DB_MAX_VALUES];
        const unsigned long *lengths = mysql_fetch_lengths(result);
        size_t count = mysql_num_fields(result);
        if (count > DB_MAX_VALUES)
            count = DB_MAX_VALUES;
        for (size_t i = 0; i < count; i++)
            values[i] = (struct text){cells[i], lengths[i]};
        if (row != NULL)
            row(context, values, count);
    }
    failed |= mysql_errno(db->mysql) != 0;
    mysql_free_result(result); /* before the connection is closed */
    if (!failed)
        return ERROR_NONE;
    char what[128];
    bool cut = sql.length > 80;
    snprintf(what, sizeof(what), "%.*s%s", cut ? 80 : (int)sql.length, sql.data, cut ? "..." : "");
    return fail_connection(db, err, DBERROR_CONNECTED, what);
}

enum error_code db_exec(struct db *db, struct text sql, struct db_error *err)
{
    return db_query(db, sql, NULL, NULL, err);
}

void db_quote(struct db *db, struct buffer *out, struct text text)
{
    size_t room;
    char *quoted = buffer_room(out, 2 * text.length + 3, &room);
    if (quoted == NULL || db->mysql == NULL) {
        out->failed = true;
        return;
    }
    quoted[0] = '\'';
    size_t length =
        1 + mysql_real_escape_string(db->mysql, quoted + 1, text.data, (unsigned long)text.length);
    quoted[length++] = '\'';
    buffer_commit(out, length);
}
