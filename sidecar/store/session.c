/* session: the first statements of a connection. */
#include "sidecar/store/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The max_allowed_packet of a server that does not tell it, and the least that it can be set to. */
#define DEFAULT_MAX_PACKET ((size_t)1 << 20)
#define LEAST_MAX_PACKET   ((size_t)1 << 10)

/* Variables that an administrator, or init_connect, may have set otherwise for all sessions, and what would
 * happen then. They need no privilege, and every server has them; the two limits of time, which are named
 * differently by MariaDB and MySQL, stand in comments that the other server skips.
 *
 *   sql_mode            values that are too long would be cut off
 *   autocommit,         what a single statement has written would be rolled back with the connection
 *   completion_type
 *   unique_checks       InnoDB would insert a row twice
 *   sql_select_limit,   columns and rows that exist would not be seen
 *   sql_auto_is_null
 *   sql_big_selects,    a migration's statements would be refused, or be interrupted
 *   sql_safe_updates,
 *   max_..._time
 *   lc_messages         errors would not be understood (dberror.h)
 *
 * Waits for locks are as short as possible: while a statement waits, the rows that are not locked wait as
 * well, and nothing tells which row is locked. The rows are then written one by one (isolate.h). */
#define VARIABLES                                                                                  \
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', "                          \
    "time_zone = '+00:00', autocommit = 1, completion_type = 0, unique_checks = 1, "               \
    "foreign_key_checks = 1, sql_select_limit = 18446744073709551615, "                            \
    "sql_auto_is_null = 0, sql_big_selects = 1, sql_safe_updates = 0, "                            \
    "lc_messages = 'en_US', innodb_lock_wait_timeout = 1, lock_wait_timeout = 1"                   \
    "/*M!100100 , max_statement_time = 0 */ /*!50708 , max_execution_time = 0 */"

#define FACTS                                                                                      \
    "SHOW SESSION VARIABLES WHERE Variable_name IN ('version', 'max_allowed_packet', "             \
    "'character_set_client', 'character_set_results', 'character_set_connection', "                \
    "'log_bin', 'binlog_format', "                                                                 \
    "'read_only', 'super_read_only', 'innodb_read_only', 'wsrep_on', 'wsrep_provider')"

/* What a server tells about itself. */
struct facts {
    struct db_server *server;
    char read_only[32]; /* the name of a variable that makes the server read-only, or "" */
    char charset[64];   /* a variable of the session that is not utf8mb4, with its value, or "" */
    bool binlog_on;
    bool binlog_statement;
    bool wsrep_on;
    bool wsrep_provider; /* without a provider, a server is no cluster although wsrep_on is set */
    bool wsrep_ready;
};

static void on_fact(void *context, const struct text *values, size_t count)
{
    struct facts *facts = context;
    if (count != 2 || values[0].data == NULL || values[1].data == NULL)
        return;
    struct text name = values[0];
    struct text value = values[1];
    bool off = text_is(value, "OFF") || text_is(value, "0");
    if (text_is(name, "version"))
        text_copy(facts->server->version, sizeof(facts->server->version), value);
    else if (text_is(name, "max_allowed_packet"))
        facts->server->max_packet =
            strtoull(value.data, NULL, 10); /* the library ends values by NUL */
    else if (text_is(name, "log_bin"))
        facts->binlog_on = !off;
    else if (text_is(name, "binlog_format"))
        facts->binlog_statement = text_is(value, "STATEMENT");
    else if (text_starts_with(name, TEXT("character_set_"))) {
        if (!text_is(value, "utf8mb4"))
            snprintf(facts->charset, sizeof(facts->charset), "%.*s = %.*s", (int)name.length,
                     name.data, (int)value.length, value.data);
    } else if (text_is(name, "wsrep_on"))
        facts->wsrep_on = !off;
    else if (text_is(name, "wsrep_provider"))
        facts->wsrep_provider = value.length > 0 && !text_is(value, "none");
    else if (text_is(name, "wsrep_ready"))
        facts->wsrep_ready = !off;
    else if (!off) /* one of those that make a server read-only; not every server has all of them */
        text_copy(facts->read_only, sizeof(facts->read_only), name);
}

enum error_code session_set_up(struct db *db, bool only_reads, struct db_server *server,
                               struct db_error *err)
{
    struct facts facts = {.server = server};
    *server = (struct db_server){0};
    enum error_code code = db_exec(db, TEXT("SET NAMES utf8mb4"), err);
    if (code == ERROR_NONE)
        code = db_exec(db, TEXT(VARIABLES), err);
    if (code == ERROR_NONE)
        code = db_query(db, TEXT(FACTS), on_fact, &facts, err);
    /* A MariaDB that is no cluster has wsrep_ready as well, and it is OFF. */
    if (code == ERROR_NONE && facts.wsrep_on && facts.wsrep_provider)
        code = db_query(db, TEXT("SHOW GLOBAL STATUS LIKE 'wsrep_ready'"), on_fact, &facts, err);
    if (code != ERROR_NONE)
        return code;
    if (server->max_packet < LEAST_MAX_PACKET)
        server->max_packet = DEFAULT_MAX_PACKET;
    bool logs_statements = facts.binlog_on && facts.binlog_statement;
    if (logs_statements) {
        server->warning = "the server logs statements (binlog_format=STATEMENT): rows are written "
                          "under REPEATABLE READ, with more waits for locks";
        server->advice =
            "set binlog_format to MIXED or ROW at the server, in its settings too (SET "
            "GLOBAL binlog_format = 'MIXED' for a start)";
    }
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
    /* READ WRITE is not asked for: by making sessions read-only, an administrator keeps a server from being
     * written to. A server that logs statements refuses to write to InnoDB tables under READ COMMITTED (error
     * 1665). */
    char sql[128];
    snprintf(sql, sizeof(sql), "SET SESSION TRANSACTION ISOLATION LEVEL %s%s",
             logs_statements ? "REPEATABLE READ" : "READ COMMITTED",
             only_reads ? ", READ ONLY" : "");
    return db_exec(db, text_from(sql), err);
}
