/* check_host: examines one host in MYSQL_HOST, from its name up to its database.
 *
 * Happy path: the host's name, port, greeting, TLS, authentication plugin, login and database are examined,
 * and each gives a finding; check_database then examines the rest over the connection.
 *
 * Failure modes:
 *   a step fails                the later steps are skipped, and a finding for each of them says so
 *   a host does not answer      each step has the time-out of config->db_timeout_ms
 */
#include "sidecar/commands/check_host.h"

#include "lib/settings/hosts.h"
#include "sidecar/commands/check_database.h"
#include "sidecar/store/db.h"
#include "sidecar/store/probe.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TEXT_LIMIT ((size_t)1 << 20)

/* The steps up to the connection. The steps after these are those of check_database_names. */
static const char *const connecting[] = {"dns",    "tcp",   "server",   "tls",
                                         "plugin", "login", "database", NULL};

/* One host, and what is known of it so far. */
struct visit {
    struct findings *findings;
    const struct config *config; /* with time-outs for somebody who waits */
    const struct config_host *host;
    size_t number;                /* in config->hosts */
    char label[HOSTS_LABEL_SIZE]; /* "db.example port 3306" */
    struct greeting greeting;
};

/* ---- from the outside ------------------------------------------------------------------------ */

static void skip(struct visit *visit, const char *const *names, const char *failed)
{
    for (; *names != NULL; names++)
        if (strcmp(*names, failed) != 0)
            findings_add(visit->findings, FINDING_SKIP, *names, "",
                         "%s: not looked at, as %s failed", visit->label, failed);
}

/* Adds a finding for each step after the one that failed. */
static void skip_after(struct visit *visit, const char *failed)
{
    const char *const *names = connecting;
    while (*names != NULL && strcmp(*names, failed) != 0)
        names++;
    if (*names != NULL)
        names++;
    skip(visit, names, failed);
    skip(visit, check_database_names, failed);
}

static bool resolve(struct visit *visit, struct addrinfo **addresses)
{
    struct error err;
    char text[512];
    *addresses = NULL;
    if (hosts_is_socket(visit->host)) {
        findings_add(visit->findings, FINDING_OK, "dns", "", "%s: a Unix socket", visit->label);
        return true;
    }
    if (probe_resolve(visit->host, addresses, &err) == ERROR_NONE) {
        probe_addresses(*addresses, text, sizeof(text));
        findings_add(visit->findings, FINDING_OK, "dns", "", "%s: %s", visit->label, text);
        return true;
    }
    findings_add(
        visit->findings, FINDING_FAIL, "dns",
        "correct the name in MYSQL_HOST, or see that this pod's DNS knows it (a Service of "
        "another namespace is NAME.NAMESPACE.svc)",
        "%s: %s", visit->label, err.text);
    skip_after(visit, "dns");
    return false;
}

static bool reach(struct visit *visit, const struct addrinfo *addresses, int *fd)
{
    struct error err = {0};
    enum probe_result result =
        probe_connect(visit->host, addresses, visit->config->db_timeout_ms, fd, &err);
    if (result == PROBE_CONNECTED) {
        findings_add(visit->findings, FINDING_OK, "tcp", "", "%s: connected", visit->label);
        return true;
    }
    findings_add(
        visit->findings, FINDING_FAIL, "tcp",
        hosts_is_socket(visit->host)
            ? "start the server, correct the path in MYSQL_HOST, or mount its directory"
        : result == PROBE_REFUSED
            ? "start the server there (it must listen on more than 127.0.0.1: bind_address), or "
              "correct MYSQL_HOST, MYSQL_PORT or the port in MYSQL_HOST"
            : "see that the address is right, and that no firewall or NetworkPolicy is in the way",
        "%s: %s", visit->label, err.text);
    skip_after(visit, "tcp");
    return false;
}

static bool greet(struct visit *visit, int fd)
{
    struct greeting *greeting = &visit->greeting;
    const char *advice;
    probe_greeting(fd, visit->config->db_timeout_ms, greeting);
    switch (greeting->kind) {
    case GREETING_SERVER:
        findings_add(visit->findings, FINDING_OK, "server", "", "%s: %s", visit->label,
                     greeting->version);
        return true;
    case GREETING_REFUSAL:
        advice = dberror_advice(greeting->number, text_from(greeting->text), DBERROR_CONNECTING);
        findings_add(visit->findings, FINDING_FAIL, "server",
                     advice != NULL ? advice : "see the server's log", "%s: %s (error %u)",
                     visit->label, greeting->text, greeting->number);
        break;
    case GREETING_UNFINISHED:
        findings_add(visit->findings, FINDING_FAIL, "server",
                     "see in its log why the server does not answer; or correct the port, if "
                     "something else listens there",
                     "%s: what listens there says nothing", visit->label);
        break;
    case GREETING_ALIEN:
        findings_add(visit->findings, FINDING_FAIL, "server",
                     "correct MYSQL_PORT or the port in MYSQL_HOST",
                     "%s: what listens there is neither MariaDB nor MySQL", visit->label);
        break;
    }
    skip_after(visit, "server");
    return false;
}

/* ---- over a connection ----------------------------------------------------------------------- */

/* Judges a connection without TLS, be it for the sake of MYSQL_SSL_MODE or of a server without TLS. */
static void judge_plain(struct visit *visit)
{
    if (hosts_is_socket(visit->host))
        findings_add(visit->findings, FINDING_OK, "tls", "", "%s: not needed on a Unix socket",
                     visit->label);
    else if (visit->config->mysql_ssl_mode == SSL_MODE_DISABLED)
        findings_add(visit->findings, FINDING_WARN, "tls",
                     "set MYSQL_SSL_MODE=verify-identity (or preferred, at least), unless nobody "
                     "else can listen",
                     "%s: switched off (MYSQL_SSL_MODE=disabled)", visit->label);
    else
        findings_add(visit->findings, FINDING_WARN, "tls",
                     "switch TLS on at the server (ssl_cert and ssl_key in its settings), unless "
                     "nobody else can listen",
                     "%s: the server offers none, so what is sent can be read on the way",
                     visit->label);
}

static void judge_tls(struct visit *visit, const struct db_server *server)
{
    if (server->tls_version[0] == '\0') {
        judge_plain(visit);
        return;
    }
    bool verified = visit->config->mysql_ssl_mode >= SSL_MODE_VERIFY_CA;
    findings_add(visit->findings, FINDING_OK, "tls", "", "%s: %s, %s, %s", visit->label,
                 server->tls_version, server->tls_cipher,
                 verified
                     ? "the certificate is trusted"
                     : "the certificate is not looked at (MYSQL_SSL_MODE=verify-identity does)");
}

/* Returns the step in which the connect failed. */
static const char *step_of(const struct db_error *err)
{
    switch (err->number) {
    case 2026:
        return "tls";
    case 1251:
    case 2059:
    case 2061:
    case 5010:
    case 5012:
        return "plugin";
    case 1045:
        return strstr(err->error.text, "could not be loaded") != NULL ? "plugin" : "login";
    case 1044:
    case 1049:
        return "database";
    case 0:
        if (err->class == DBERROR_ELSEWHERE)
            return "galera";
        return strstr(err->error.text, "SET NAMES") != NULL ? "charset" : "login";
    default:
        return err->class == DBERROR_OPERATOR ? "login" : "server";
    }
}

/* message: of the server, such as "...Access denied for user 'a'@'%' to database...", which names the account
 * as the server knows it. */
static void append_database_advice(struct buffer *out, const struct visit *visit,
                                   const char *message)
{
    char account[512];
    const char *user = visit->config->mysql_user;
    const char *begin = strstr(message, "for user '");
    const char *end = begin != NULL ? strstr(begin, " to database") : NULL;
    if (end != NULL)
        snprintf(account, sizeof(account), "%.*s", (int)(end - begin - (long)strlen("for user ")),
                 begin + strlen("for user "));
    else
        snprintf(account, sizeof(account), "'%.128s'@'%%'", user[0] != '\0' ? user : "ACCOUNT");
    buffer_append_string(out, "correct MYSQL_DB_NAME, or as an administrator of the database:\n"
                              "CREATE DATABASE IF NOT EXISTS ");
    check_database_name(out, visit->config);
    buffer_append_string(out, " CHARACTER SET utf8mb4;\n");
    check_grant(out, "SELECT, INSERT, UPDATE, CREATE, ALTER, INDEX, DELETE", visit->config,
                account);
}

/* The error's text contains the advice; the finding has it in a field of its own. */
static void add_failure(struct visit *visit, const char *step, const struct db_error *err)
{
    const char *text = err->error.text;
    const char *advice = dberror_advice(err->number, text_from(text), DBERROR_CONNECTING);
    const char *cut = advice != NULL ? strstr(text, "); ") : NULL;
    struct buffer lines;
    buffer_init(&lines, TEXT_LIMIT);
    if (strcmp(step, "database") == 0)
        append_database_advice(&lines, visit, text);
    else if (strcmp(step, "galera") == 0)
        buffer_append_string(&lines, "heal the cluster, or list its other nodes in MYSQL_HOST");
    else if (strcmp(step, "charset") == 0)
        buffer_append_string(&lines,
                             "connect to the server without a proxy, or have it pass on SET "
                             "NAMES");
    else
        buffer_append_string(&lines, advice != NULL ? advice : "see the server's log");
    const char *whole = buffer_cstring(&lines);
    findings_add(visit->findings, FINDING_FAIL, step, whole != NULL ? whole : "", "%.*s",
                 cut != NULL ? (int)(cut - text + 1) : (int)strlen(text), text);
    buffer_fini(&lines);
}

/* Adds a finding for each step: those before the one that failed went well, those after it are skipped. */
static void judge_failure(struct visit *visit, const struct db_error *err)
{
    const char *step = step_of(err);
    bool over = strcmp(step, "server") == 0 || strcmp(step, "tls") == 0;
    if (!over && visit->config->mysql_ssl_mode < SSL_MODE_REQUIRED &&
        (!visit->greeting.offers_tls || visit->config->mysql_ssl_mode == SSL_MODE_DISABLED ||
         hosts_is_socket(visit->host)))
        judge_plain(visit);
    else if (!over)
        findings_add(visit->findings, FINDING_OK, "tls", "", "%s: agreed on", visit->label);
    for (const char *const *name = connecting + 4; !over && *name != NULL; name++) {
        if (strcmp(*name, step) == 0)
            break;
        findings_add(visit->findings, FINDING_OK, *name, "", "%s: ok", visit->label);
    }
    add_failure(visit, step, err);
    skip_after(visit, step);
}

static void connect_and_look(struct visit *visit)
{
    struct db_error err;
    struct db *db = db_new(visit->config);
    db_read_only(db);
    if (db_connect(db, visit->number, &err) != ERROR_NONE) {
        judge_failure(visit, &err);
    } else {
        judge_tls(visit, db_server(db));
        findings_add(visit->findings, FINDING_OK, "plugin", "",
                     "%s: the account's authentication is one that this client has", visit->label);
        findings_add(visit->findings, FINDING_OK, "login", "", "%s: accepted", visit->label);
        findings_add(visit->findings, FINDING_OK, "database", "", "%s: %s", visit->label,
                     visit->config->mysql_db_name);
        check_database(visit->findings, visit->label, db, visit->config);
    }
    db_free(db);
}

void check_host(struct findings *findings, const struct config *config, size_t number)
{
    struct visit visit = {
        .findings = findings,
        .config = config,
        .host = &config->hosts[number],
        .number = number,
    };
    struct addrinfo *addresses;
    int fd = -1;
    hosts_label(visit.host, visit.label);
    if (!resolve(&visit, &addresses))
        return;
    bool greeted = reach(&visit, addresses, &fd) && greet(&visit, fd);
    if (fd >= 0)
        close(fd);
    if (addresses != NULL)
        freeaddrinfo(addresses);
    if (greeted)
        connect_and_look(&visit);
}
