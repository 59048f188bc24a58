/* check_database: examines the account's rights, the server's state and the structure of the tables. It uses
 * only SELECT and SHOW, so it changes nothing. */
#include "sidecar/commands/check_database.h"

#include "lib/sql/migration.h"
#include "lib/sql/schema.h"
#include "sidecar/base/clock.h"
#include "sidecar/store/migrate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* A row may have two texts of 64 KiB. A larger batch is split to fit max_allowed_packet. */
#define LEAST_PACKET ((int64_t)1 << 20)

/* The versions of rows do not depend on the server's clock, but TLS and the times that people read do. */
#define MAX_SKEW_US INT64_C(5000000)

#define ADVICE_LIMIT ((size_t)1 << 18)

enum { WRITE_RIGHTS = 3, RIGHTS = 7 };

/* The first three rights are needed to write rows, the others to make the tables and to migrate them. */
static const char *const rights[RIGHTS] = {"SELECT", "INSERT", "UPDATE", "CREATE",
                                           "ALTER",  "INDEX",  "DELETE"};
#define WRITE_LIST   "SELECT, INSERT, UPDATE"
#define MIGRATE_LIST "CREATE, ALTER, INDEX, DELETE"

const char *const check_database_names[] = {"grants", "sql_mode", "charset", "packet", "read_only",
                                            "clock",  "binlog",   "galera",  "tables", NULL};

/* What the server has answered. */
struct facts {
    bool has[RIGHTS];
    char account[512]; /* "'name'@'host'" */
    char role[256];    /* "" or "NONE": there is none */
    char session_mode[512];
    char global_mode[512];
    char charset[64];
    char database_charset[64];
    char read_only[64]; /* the variable that says so; "": it takes writes */
    int64_t max_packet;
    int64_t skew_us; /* the server's clock is so far ahead of ours */
    bool wsrep_on;
    bool wsrep_provider;
    char wsrep_state[64];
    char wsrep_status[64];
    char wsrep_size[16];
};

struct check {
    struct findings *findings;
    const char *host;
    struct db *db;
    const struct config *config;
    struct facts facts;
};

void check_database_name(struct buffer *out, const struct config *config)
{
    buffer_append_char(out, '`');
    for (const char *c = config->mysql_db_name; *c != '\0'; c++) {
        if (*c == '`')
            buffer_append_char(out, '`');
        buffer_append_char(out, *c);
    }
    buffer_append_char(out, '`');
}

void check_grant(struct buffer *out, const char *list, const struct config *config,
                 const char *account)
{
    buffer_appendf(out, "GRANT %s ON ", list);
    check_database_name(out, config);
    buffer_appendf(out, ".* TO %s;\n", account);
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* The account of this connection, as the server's tables of rights write it. */
#define ACCOUNT                                                                                    \
    "CONCAT('''', LEFT(CURRENT_USER(), CHAR_LENGTH(CURRENT_USER()) - 1 - "                         \
    "CHAR_LENGTH(SUBSTRING_INDEX(CURRENT_USER(), '@', -1))), '''@''', "                            \
    "SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''')"

/* A right that is given on single tables counts if it is given on both of our tables. */
#define ASK_RIGHTS                                                                                 \
    "SELECT privilege_type FROM information_schema.user_privileges WHERE grantee = " ACCOUNT       \
    " UNION SELECT privilege_type FROM information_schema.schema_privileges"                       \
    " WHERE grantee = " ACCOUNT " AND DATABASE() LIKE table_schema"                                \
    " UNION SELECT privilege_type FROM information_schema.table_privileges"                        \
    " WHERE grantee = " ACCOUNT " AND table_schema = DATABASE()"                                   \
    " AND table_name IN ('job_info', 'replica_info')"                                              \
    " GROUP BY privilege_type HAVING COUNT(*) = 2"

#define ASK_SESSION                                                                                \
    "SELECT " ACCOUNT ", @@SESSION.sql_mode, @@GLOBAL.sql_mode, @@character_set_connection, "      \
    "@@character_set_database, @@GLOBAL.max_allowed_packet"

#define ASK_CLOCK "SELECT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)"

#define ASK_STATE                                                                                  \
    "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('read_only', 'super_read_only', "               \
    "'innodb_read_only', 'wsrep_on', 'wsrep_provider')"

#define ASK_CLUSTER                                                                                \
    "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_local_state_comment', "                     \
    "'wsrep_cluster_status', 'wsrep_cluster_size')"

static void on_right(void *context, const struct text *values, size_t count)
{
    struct facts *facts = context;
    for (size_t i = 0; count == 1 && i < RIGHTS; i++)
        facts->has[i] |= values[0].data != NULL && text_is(values[0], rights[i]);
}

static void on_role(void *context, const struct text *values, size_t count)
{
    struct facts *facts = context;
    if (count == 1)
        text_copy(facts->role, sizeof(facts->role), values[0]);
}

static int64_t number_of(struct text digits)
{
    char text[32];
    text_copy(text, sizeof(text), digits);
    return strtoll(text, NULL, 10);
}

static void on_session(void *context, const struct text *values, size_t count)
{
    struct facts *facts = context;
    if (count != 6)
        return;
    text_copy(facts->account, sizeof(facts->account), values[0]);
    text_copy(facts->session_mode, sizeof(facts->session_mode), values[1]);
    text_copy(facts->global_mode, sizeof(facts->global_mode), values[2]);
    text_copy(facts->charset, sizeof(facts->charset), values[3]);
    text_copy(facts->database_charset, sizeof(facts->database_charset), values[4]);
    facts->max_packet = number_of(values[5]);
}

static void on_clock(void *context, const struct text *values, size_t count)
{
    struct facts *facts = context;
    if (count == 1)
        facts->skew_us = number_of(values[0]) - clock_now_us();
}

static void on_state(void *context, const struct text *values, size_t count)
{
    struct facts *facts = context;
    if (count != 2 || values[0].data == NULL || values[1].data == NULL)
        return;
    struct text name = values[0], value = values[1];
    bool on = !text_is(value, "OFF") && !text_is(value, "0");
    if (text_is(name, "wsrep_on"))
        facts->wsrep_on = on;
    else if (text_is(name, "wsrep_provider"))
        facts->wsrep_provider = value.length > 0 && !text_is(value, "none");
    else if (text_is(name, "wsrep_local_state_comment"))
        text_copy(facts->wsrep_state, sizeof(facts->wsrep_state), value);
    else if (text_is(name, "wsrep_cluster_status"))
        text_copy(facts->wsrep_status, sizeof(facts->wsrep_status), value);
    else if (text_is(name, "wsrep_cluster_size"))
        text_copy(facts->wsrep_size, sizeof(facts->wsrep_size), value);
    else if (on)
        text_copy(facts->read_only, sizeof(facts->read_only), name);
}

struct question {
    const char *name; /* of the finding where there is no answer */
    const char *sql;
    db_row *row;
};

static const struct question questions[] = {
    {"grants", ASK_SESSION, on_session}, {"grants", ASK_RIGHTS, on_right},
    {"clock", ASK_CLOCK, on_clock},      {"read_only", ASK_STATE, on_state},
    {"galera", ASK_CLUSTER, on_state},
};

/* Returns false if the server did not answer one of the questions; a finding then says so. */
static bool ask(struct check *check)
{
    struct db_error err;
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        if (db_query(check->db, text_from(questions[i].sql), questions[i].row, &check->facts,
                     &err) == ERROR_NONE)
            continue;
        findings_add(check->findings, FINDING_FAIL, questions[i].name,
                     "see the server's log; what did not answer may be a proxy before it", "%s: %s",
                     check->host, err.error.text);
        return false;
    }
    /* Old servers have no roles and refuse this question. */
    if (db_query(check->db, TEXT("SELECT CURRENT_ROLE()"), on_role, &check->facts, &err) !=
        ERROR_NONE)
        check->facts.role[0] = '\0';
    return true;
}

/* ---- judging --------------------------------------------------------------------------------- */

#define LIST_SIZE 64 /* bytes of all rights in one list */

/* Writes the rights among rights[from..to) that are missing: "INSERT, UPDATE"; "" if none is. */
static void list_missing(char list[LIST_SIZE], const struct facts *facts, size_t from, size_t to)
{
    int used = 0;
    list[0] = '\0';
    for (size_t i = from; i < to; i++) {
        if (!facts->has[i])
            used += snprintf(list + used, LIST_SIZE - (size_t)used, "%s%s", used > 0 ? ", " : "",
                             rights[i]);
    }
}

static bool has_all(const struct facts *facts, size_t from, size_t to)
{
    bool all = true;
    for (size_t i = from; i < to; i++)
        all &= facts->has[i];
    return all;
}

static bool has_role(const struct facts *facts)
{
    return facts->role[0] != '\0' && strcmp(facts->role, "NONE") != 0;
}

static void judge_grants(struct check *check)
{
    const struct facts *facts = &check->facts;
    char missing[LIST_SIZE];
    if (has_all(facts, 0, WRITE_RIGHTS)) {
        list_missing(missing, facts, WRITE_RIGHTS, RIGHTS);
        bool some = missing[0] != '\0';
        findings_add(check->findings, FINDING_OK, "grants", "", "%s: %s may write the tables%s%s%s",
                     check->host, facts->account, some ? " (not " : ", and make and migrate them",
                     missing, some ? ": a DBA makes and migrates them)" : "");
        return;
    }
    struct buffer advice;
    buffer_init(&advice, ADVICE_LIMIT);
    buffer_append_string(&advice, "as an administrator of the database:\n");
    check_grant(&advice, WRITE_LIST, check->config, facts->account);
    const char *text = buffer_cstring(&advice);
    list_missing(missing, facts, 0, WRITE_RIGHTS);
    findings_add(check->findings, has_role(facts) ? FINDING_WARN : FINDING_FAIL, "grants",
                 text != NULL ? text : "", "%s: %s has no right to %s%s%s", check->host,
                 facts->account, missing,
                 has_role(facts) ? " of its own; not looked at: role " : "",
                 has_role(facts) ? facts->role : "");
    buffer_fini(&advice);
}

static void judge_session(struct check *check)
{
    const struct facts *facts = &check->facts;
    if (strstr(facts->session_mode, "STRICT_ALL_TABLES") != NULL)
        findings_add(check->findings, FINDING_OK, "sql_mode", "",
                     "%s: strict, as each session is made (the server's own: %s)", check->host,
                     facts->global_mode[0] != '\0' ? facts->global_mode : "none");
    else
        findings_add(
            check->findings, FINDING_FAIL, "sql_mode",
            "something between this program and the server (a proxy?) must let SET SESSION "
            "sql_mode through",
            "%s: the session is not strict: %s", check->host, facts->session_mode);
    if (strcmp(facts->charset, "utf8mb4") == 0)
        findings_add(check->findings, FINDING_OK, "charset", "",
                     "%s: utf8mb4 (the database's own: %s)", check->host, facts->database_charset);
    else
        findings_add(check->findings, FINDING_FAIL, "charset",
                     "the server, or a proxy before it, must take utf8mb4 from its clients",
                     "%s: the connection has %s", check->host, facts->charset);
    bool fits = facts->max_packet >= LEAST_PACKET;
    findings_add(check->findings, fits ? FINDING_OK : FINDING_WARN, "packet",
                 fits ? ""
                      : "as an administrator of the server (and in its settings, to last):\n"
                        "SET GLOBAL max_allowed_packet = 16777216;",
                 "%s: max_allowed_packet is %" PRId64 " bytes%s", check->host, facts->max_packet,
                 fits ? "" : ": batches are small, and a long row may not fit");
}

static void judge_server(struct check *check)
{
    const struct facts *facts = &check->facts;
    char advice[256];
    (void)snprintf(
        advice, sizeof(advice),
        "put the server that takes writes into MYSQL_HOST, alone or as well; or, if this one "
        "should, as its administrator:\nSET GLOBAL %s = OFF;",
        facts->read_only);
    if (facts->read_only[0] == '\0')
        findings_add(check->findings, FINDING_OK, "read_only", "", "%s: the server takes writes",
                     check->host);
    else
        findings_add(check->findings, FINDING_FAIL, "read_only", advice,
                     "%s: the server is read-only", check->host);
    bool off = facts->skew_us > MAX_SKEW_US || facts->skew_us < -MAX_SKEW_US;
    int64_t tenths = (facts->skew_us < 0 ? -facts->skew_us : facts->skew_us) / 100000;
    findings_add(check->findings, off ? FINDING_WARN : FINDING_OK, "clock",
                 off ? "let NTP set the clocks of both machines" : "",
                 "%s: the server's clock is %" PRId64 ".%" PRId64 " s %s ours", check->host,
                 tenths / 10, tenths % 10, facts->skew_us < 0 ? "behind" : "ahead of");
    const struct db_server *server = db_server(check->db);
    bool warns = server->warning != NULL;
    findings_add(check->findings, warns ? FINDING_WARN : FINDING_OK, "binlog",
                 warns ? server->advice : "", "%s: %s", check->host,
                 warns ? server->warning : "takes READ COMMITTED");
}

/* A node without a quorum does not come here, since no connection to such a node is made at all. */
static void judge_galera(struct check *check)
{
    const struct facts *facts = &check->facts;
    if (!facts->wsrep_on || !facts->wsrep_provider)
        findings_add(check->findings, FINDING_OK, "galera", "", "%s: not a node of a cluster",
                     check->host);
    else if (strcmp(facts->wsrep_status, "Primary") == 0 &&
             strcmp(facts->wsrep_state, "Synced") == 0)
        findings_add(check->findings, FINDING_OK, "galera", "",
                     "%s: a synced node of a cluster of %s", check->host, facts->wsrep_size);
    else
        findings_add(check->findings, FINDING_WARN, "galera",
                     "wait until the node is Synced, or heal the cluster; list the other nodes in "
                     "MYSQL_HOST",
                     "%s: the node is %s, its part of the cluster %s", check->host,
                     facts->wsrep_state, facts->wsrep_status);
}

/* ---- the tables ------------------------------------------------------------------------------ */

static void judge_plan(struct check *check, const struct migration *migration)
{
    if (migration->count == 0) {
        findings_add(check->findings, FINDING_OK, "tables", "", "%s: as this version makes them",
                     check->host);
        return;
    }
    const char *first = migration->steps[0].reason;
    if (has_all(&check->facts, WRITE_RIGHTS, RIGHTS)) {
        findings_add(check->findings, FINDING_OK, "tables", "",
                     "%s: %zu steps are to be done, and the sidecar does them when it starts; the "
                     "first one: %s",
                     check->host, migration->count, first);
        return;
    }
    bool required = migration->is_required;
    struct buffer advice;
    buffer_init(&advice, ADVICE_LIMIT);
    buffer_append_string(&advice, "give the account these rights, for the first start at least:\n");
    check_grant(&advice, MIGRATE_LIST, check->config, check->facts.account);
    buffer_append_string(&advice, "or have a DBA run:\nUSE ");
    check_database_name(&advice, check->config);
    buffer_append_string(&advice, ";\n" MIGRATE_DBA_SESSION ";\n");
    for (size_t i = 0; i < migration->count; i++)
        buffer_appendf(&advice, "%s;\n", migration->steps[i].sql);
    const char *text = buffer_cstring(&advice);
    findings_add(
        check->findings, required ? FINDING_FAIL : FINDING_WARN, "tables", text != NULL ? text : "",
        "%s: %zu steps are to be done, for which the account lacks rights%s; the first "
        "one: %s",
        check->host, migration->count, required ? "; rows cannot be written before" : "", first);
    buffer_fini(&advice);
}

/* A server refuses the unique key on the uid where the rows are partitioned by another column. */
static void judge_partitions(struct check *check, const struct schema *schema)
{
    for (size_t i = 0; i < schema->table_count; i++) {
        const struct schema_table *table = &schema->tables[i];
        const char *uid = table->table->columns[table->table->uid].name;
        char columns[SCHEMA_NAME_SIZE + 1]; /* as struct schema_index has them */
        bool has_key = false;
        (void)snprintf(columns, sizeof(columns), "%s,", uid);
        for (size_t j = 0; j < table->index_count; j++)
            has_key |= table->indexes[j].unique && strcmp(table->indexes[j].columns, columns) == 0;
        if (table->is_partitioned && !has_key)
            findings_add(
                check->findings, FINDING_WARN, "tables",
                "unless it is partitioned by KEY of that column, as an administrator:\n"
                "ALTER TABLE ... REMOVE PARTITIONING;",
                "%s: %s is partitioned, and has no unique key on %s yet, which cannot be made if "
                "it is partitioned by another column",
                check->host, table->table->name, uid);
    }
}

static void judge_tables(struct check *check)
{
    struct db_error err = {0};
    struct migration migration;
    if (!has_all(&check->facts, 0, WRITE_RIGHTS) && !has_role(&check->facts)) {
        findings_add(check->findings, FINDING_SKIP, "tables", "",
                     "%s: not to be seen without the rights above", check->host);
        return;
    }
    struct schema *schema = schema_new(tables);
    enum error_code code = migrate_look(check->db, schema, &err);
    if (code == ERROR_NONE)
        code = migration_plan(schema, false, &migration, &err.error);
    if (code == ERROR_NONE) {
        judge_plan(check, &migration);
        judge_partitions(check, schema);
        migration_fini(&migration);
    } else {
        findings_add(check->findings, FINDING_FAIL, "tables",
                     "the sidecar says the same when it starts, and writes nothing before it is "
                     "put right",
                     "%s: %s", check->host, err.error.text);
    }
    schema_free(schema);
}

void check_database(struct findings *findings, const char *host, struct db *db,
                    const struct config *config)
{
    struct check check = {.findings = findings, .host = host, .db = db, .config = config};
    if (!ask(&check))
        return;
    judge_grants(&check);
    judge_session(&check);
    judge_server(&check);
    judge_galera(&check);
    judge_tables(&check);
}
