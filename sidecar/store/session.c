/* session: the first statements of a connection. */
#include "sidecar/store/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of a server that does not tell, and the least that one can be set to. */
#define DEFAULT_MAX_PACKET ((size_t)1 << 20)
#define LEAST_MAX_PACKET   ((size_t)1 << 10)

/* A lock is waited for as shortly as can be: who waits holds up rows that are not locked, and which
 * row it is nobody says. What it is about is tried again, by itself. */
static enum error_code set_variables(struct db *db, struct db_error *err)
{
    enum error_code code =
        db_exec(db, TEXT("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"), err);
    if (code != ERROR_NONE)
        return code;
    return db_exec(db,
                   TEXT("SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', "
                        "time_zone = '+00:00', autocommit = 1, innodb_lock_wait_timeout = 1, "
                        "lock_wait_timeout = 1"),
                   err);
}

/* What a server says about itself. */
struct facts {
    struct db_server *server;
    char read_only[32]; /* the name of a variable that makes it read-only, or "" */
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
        TEXT("SHOW GLOBAL VARIABLES WHERE Variable_name IN ('version', 'max_allowed_packet', "
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
    if (code == ERROR_NONE && only_reads)
        code = db_exec(db, TEXT("SET SESSION TRANSACTION READ ONLY"), err);
    if (code == ERROR_NONE)
        code = ask(db, &facts, err);
    if (code != ERROR_NONE)
        return code;
    server->is_mariadb = strstr(server->version, "MariaDB") != NULL;
    if (facts.read_only[0] != '\0' && !only_reads)
        return db_error_set(err, DBERROR_ELSEWHERE, "the server is read-only (%s is on)",
                            facts.read_only);
    if (facts.wsrep_on && facts.wsrep_provider && !facts.wsrep_ready)
        return db_error_set(err, DBERROR_ELSEWHERE,
                            "the server's Galera cluster has no quorum, or it is still joining");
    return ERROR_NONE;
}
