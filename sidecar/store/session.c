/* session: the first statements of a connection. */
#include "sidecar/store/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of a server that does not tell, and the least that one can be set to. */
#define DEFAULT_MAX_PACKET ((size_t)1 << 20)
#define LEAST_MAX_PACKET   ((size_t)1 << 10)

/* What an administrator, or init_connect, may have set otherwise for all sessions, and what it would
 * do here. Only what needs no privilege, and what every server has; the two limits of time, which have
 * a name for each kind of server, stand in comments that the other kind passes over.
 *
 *   sql_mode            what does not fit would be cut off
 *   autocommit,         what a single statement has written would be rolled back with the connection
 *   completion_type
 *   unique_checks       InnoDB would take a row twice
 *   sql_select_limit,   columns and rows that are there would not be seen
 *   sql_auto_is_null
 *   sql_big_selects,    a migration's statements would be refused, or given up half-way
 *   sql_safe_updates,
 *   max_..._time
 *   lc_messages         errors would not be understood (dberror.h)
 *
 * A lock is waited for as shortly as can be: who waits holds up rows that are not locked, and which row it
 * is nobody says. What it is about is tried again, by itself. */
static enum error_code set_variables(struct db *db, struct db_error *err)
{
    enum error_code code = db_exec(db, TEXT("SET NAMES utf8mb4"), err);
    if (code != ERROR_NONE)
        return code;

    return db_exec(
        db,
        TEXT("SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', "
             "time_zone = '+00:00', autocommit = 1, completion_type = 0, unique_checks = 1, "
             "foreign_key_checks = 1, sql_select_limit = 18446744073709551615, "
             "sql_auto_is_null = 0, sql_big_selects = 1, sql_safe_updates = 0, "
             "lc_messages = 'en_US', innodb_lock_wait_timeout = 1, lock_wait_timeout = 1"
             "/*M!100100 , max_statement_time = 0 */ /*!50708 , max_execution_time = 0 */"),
        err);
}

/* That sessions are read-only is left as it is: so an administrator keeps a server from being written to.
 * A server that logs statements refuses to write to InnoDB tables under READ COMMITTED (error 1665). */
static enum error_code set_transactions(struct db *db, bool only_reads, struct db_error *err)
{
    char sql[128];
    snprintf(sql, sizeof(sql), "SET SESSION TRANSACTION ISOLATION LEVEL %s%s",
             db_server(db)->logs_statements ? "REPEATABLE READ" : "READ COMMITTED",
             only_reads ? ", READ ONLY" : "");
    return db_exec(db, text_from(sql), err);
}

/* What a server says about itself. */
struct facts {
    struct db_server *server;
    char read_only[32]; /* the name of a variable that makes it read-only, or "" */
    char charset[64];   /* one of the session that is not utf8mb4, or "" */
    bool binlog_on;
    bool binlog_statement;
    bool wsrep_on;
    bool wsrep_provider; /* there is one: wsrep_on alone does not make it a cluster */
    bool wsrep_ready;
};

static void take_max_packet(struct db_server *server, struct text digits)
{
    char text[32];
    snprintf(text, sizeof(text), "%.*s", (int)digits.length, digits.data);
    size_t bytes = (size_t)strtoull(text, NULL, 10);
    if (bytes >= LEAST_MAX_PACKET)
        server->max_packet = bytes;
}

static void take_charset(struct facts *facts, struct text name, struct text value)
{
    if (!text_is(value, "utf8mb4"))
        snprintf(facts->charset, sizeof(facts->charset), "%.*s = %.*s", (int)name.length, name.data,
                 (int)value.length, value.data);
}

static void on_fact(void *context, const struct text *values, size_t count)
{
    struct facts *facts = context;
    if (count != 2 || values[0].data == NULL || values[1].data == NULL)
        return;
    struct text name = values[0];
    struct text value = values[1];
    bool off = text_is(value, "OFF") || text_is(value, "0");
    if (text_is(name, "version"))
        snprintf(facts->server->version, sizeof(facts->server->version), "%.*s", (int)value.length,
                 value.data);
    else if (text_is(name, "max_allowed_packet"))
        take_max_packet(facts->server, value);
    else if (text_is(name, "log_bin"))
        facts->binlog_on = !off;
    else if (text_is(name, "binlog_format"))
        facts->binlog_statement = text_is(value, "STATEMENT");
    else if (name.length > 14 && memcmp(name.data, "character_set_", 14) == 0)
        take_charset(facts, name, value);
    else if (text_is(name, "wsrep_on"))
        facts->wsrep_on = !off;
    else if (text_is(name, "wsrep_provider"))
        facts->wsrep_provider = value.length > 0 && !text_is(value, "none");
    else if (text_is(name, "wsrep_ready"))
        facts->wsrep_ready = !off;
    else if (!off) /* one of the read-only ones; not every server has all of them */
        snprintf(facts->read_only, sizeof(facts->read_only), "%.*s", (int)name.length, name.data);
}

static enum error_code ask(struct db *db, struct facts *facts, struct db_error *err)
{
    enum error_code code = db_query(
        db,
        TEXT("SHOW SESSION VARIABLES WHERE Variable_name IN ('version', 'max_allowed_packet', "
             "'character_set_client', 'character_set_results', 'character_set_connection', "
             "'log_bin', 'binlog_format', "
             "'read_only', 'super_read_only', 'innodb_read_only', 'wsrep_on', 'wsrep_provider')"),
        on_fact, facts, err);
    /* A MariaDB that is no cluster shows wsrep_ready too: as OFF. */
    if (code == ERROR_NONE && facts->wsrep_on && facts->wsrep_provider)
        code = db_query(db, TEXT("SHOW GLOBAL STATUS LIKE 'wsrep_ready'"), on_fact, facts, err);
    return code;
}

enum error_code session_set_up(struct db *db, bool only_reads, struct db_server *server,
                               struct db_error *err)
{
    struct facts facts = {.server = server};
    *server = (struct db_server){.max_packet = DEFAULT_MAX_PACKET};
    enum error_code code = set_variables(db, err);
    if (code == ERROR_NONE)
        code = ask(db, &facts, err);
    if (code != ERROR_NONE)
        return code;
    server->is_mariadb = strstr(server->version, "MariaDB") != NULL;
    server->logs_statements = facts.binlog_on && facts.binlog_statement;
    if (facts.charset[0] != '\0')
        return db_error_set(err, DBERROR_OPERATOR,
                            "texts would be damaged: the session has %s after SET NAMES utf8mb4; "
                            "something between this program and the server (a proxy?) must let it "
                            "through",
                            facts.charset);
    if (facts.read_only[0] != '\0' && !only_reads)
        return db_error_set(
            err, DBERROR_ELSEWHERE,
            "the server is read-only (%s is on); MYSQL_HOST should list the one that "
            "takes writes",
            facts.read_only);
    if (facts.wsrep_on && facts.wsrep_provider && !facts.wsrep_ready)
        return db_error_set(err, DBERROR_ELSEWHERE,
                            "the server's Galera cluster has no quorum, or it is still joining");
    return set_transactions(db, only_reads, err);
}
