/* check: a doctor. Goes through all that has to be right before rows can be written, in the order in
 * which it matters, and says of each what to do.
 *
 * Happy path: settings and secrets; then, for each host in MYSQL_HOST, from the outside inwards:
 * name, port, greeting, TLS, authentication plugin, login, database, and what is seen over the
 * connection (check_database); then the spool and the source (check_kube). Nothing is changed anywhere.
 *
 * Failure modes:
 *   a setting is wrong          the only finding: what the others would look at is not known
 *   a step of a host fails      the later steps of this host are skipped
 *   one host of several fails   a warning, if another one has nothing that fails
 *   a host does not answer      each step has a time-out: DB_TIMEOUT_MS, for the API server
 *                               KUBE_SILENCE_MS, 10 s at the most
 */
#include "lib/base/options.h"
#include "lib/show/findings.h"
#include "sidecar/commands/check_database.h"
#include "sidecar/commands/check_kube.h"
#include "sidecar/commands/commands.h"
#include "sidecar/kube/kube_client.h"
#include "sidecar/spool/spool_file.h"
#include "sidecar/store/credentials.h"
#include "sidecar/store/probe.h"

#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <unistd.h>

#define TIMEOUT_MAX_MS 10000

#define TEXT_LIMIT ((size_t)1 << 20)

/* The steps of a host, up to the connection; then those of check_database_names. */
static const char *const connecting[] = {"dns",    "tcp",   "server",   "tls",
                                         "plugin", "login", "database", NULL};

/* A host, and how far its examination has come. */
struct visit {
    struct findings *findings;
    const struct config *config; /* with time-outs for somebody who waits */
    const struct config_host *host;
    size_t number;   /* in config->hosts */
    char label[300]; /* "db.example port 3306" */
    struct greeting greeting;
};

static bool is_unix_socket(const struct config_host *host)
{
    return host->name[0] == '/';
}

/* ---- settings and secrets -------------------------------------------------------------------- */

static void check_settings(struct findings *findings, struct text problems)
{
    if (problems.length == 0) {
        findings_add(findings, FINDING_OK, "settings", "", "none is wrong");
        return;
    }
    while (problems.length > 0) {
        struct text problem = text_take_line(&problems);
        findings_add(
            findings, FINDING_FAIL, "settings",
            "correct it in the environment of the container, or in the Secret or ConfigMap "
            "that it comes from (kubedl-shipper --help tells all settings)",
            "%.*s", (int)problem.length, problem.data);
    }
}

static bool has_outer_blank(const char *text)
{
    size_t length = strlen(text);
    return length > 0 && (text[0] == ' ' || text[length - 1] == ' ');
}

static void judge_credentials(struct findings *findings, const struct credentials *credentials)
{
    if (credentials->password[0] == '\0')
        findings_add(findings, FINDING_WARN, "secrets",
                     "set MYSQL_PASSWORD or MYSQL_PASSWORD_FILE, and a password for the account",
                     "account %s, without a password", credentials->user);
    else if (has_outer_blank(credentials->password))
        findings_add(findings, FINDING_WARN, "secrets", "see whether the blank belongs to it",
                     "account %s; its password begins or ends with a blank", credentials->user);
    else
        findings_add(findings, FINDING_OK, "secrets", "", "account %s, with a password",
                     credentials->user);
}

static void check_secrets(struct findings *findings, const struct config *config)
{
    struct credentials credentials;
    struct error err;
    if (credentials_read(config, &credentials, &err) == ERROR_NONE)
        judge_credentials(findings, &credentials);
    else
        findings_add(
            findings, FINDING_FAIL, "secrets",
            "mount the Secret there, with a key of this name, readable for this user; make "
            "it with printf or echo -n",
            "%s", err.text);
    credentials_wipe(&credentials);
}

/* ---- a host, from the outside ---------------------------------------------------------------- */

static void skip(struct visit *visit, const char *const *names, const char *failed)
{
    for (; *names != NULL; names++)
        if (strcmp(*names, failed) != 0)
            findings_add(visit->findings, FINDING_SKIP, *names, "",
                         "%s: not looked at, as %s failed", visit->label, failed);
}

/* All steps behind the one that failed. */
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
    if (is_unix_socket(visit->host)) {
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

static const char *connect_advice(const struct visit *visit, enum probe_result result)
{
    if (is_unix_socket(visit->host))
        return "start the server, correct the path in MYSQL_HOST, or mount its directory";
    if (result == PROBE_REFUSED)
        return "start the server there (it must listen on more than 127.0.0.1: bind_address), or "
               "correct MYSQL_PORT or the port in MYSQL_HOST";
    return "see that the address is right, and that no firewall or NetworkPolicy is in the way";
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
    findings_add(visit->findings, FINDING_FAIL, "tcp", connect_advice(visit, result), "%s: %s",
                 visit->label, err.text);
    skip_after(visit, "tcp");
    return false;
}

static void refused(struct visit *visit)
{
    const struct greeting *greeting = &visit->greeting;
    const char *advice =
        dberror_advice(greeting->number, text_from(greeting->text), DBERROR_CONNECTING);
    findings_add(visit->findings, FINDING_FAIL, "server",
                 advice != NULL ? advice : "see the server's log", "%s: %s (error %u)",
                 visit->label, greeting->text, greeting->number);
}

static bool greet(struct visit *visit, int fd)
{
    struct greeting *greeting = &visit->greeting;
    probe_greeting(fd, visit->config->db_timeout_ms, greeting);
    switch (greeting->kind) {
    case GREETING_SERVER:
        findings_add(visit->findings, FINDING_OK, "server", "", "%s: %s", visit->label,
                     greeting->version);
        return true;
    case GREETING_REFUSAL:
        refused(visit);
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

/* ---- a host, over a connection --------------------------------------------------------------- */

/* What a mode without TLS, or a server without it, means. */
static void judge_plain(struct visit *visit)
{
    if (is_unix_socket(visit->host))
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

/* The step that an error of the connect belongs to. */
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

/* "...Access denied for user 'a'@'%' to database..." -> "'a'@'%'" */
static void account_in(const char *message, const struct config *config, char *account, size_t size)
{
    const char *begin = strstr(message, "for user '");
    const char *end = begin != NULL ? strstr(begin, " to database") : NULL;
    if (end != NULL) {
        begin += sizeof("for user ") - 1;
        snprintf(account, size, "%.*s", (int)(end - begin), begin);
    } else {
        snprintf(account, size, "'%.128s'@'%%'",
                 config->mysql_user[0] != '\0' ? config->mysql_user : "ACCOUNT");
    }
}

static void append_database_advice(struct buffer *out, const struct visit *visit,
                                   const char *message)
{
    char account[512];
    account_in(message, visit->config, account, sizeof(account));
    buffer_append_string(out, "correct MYSQL_DB_NAME, or as an administrator of the database:\n"
                              "CREATE DATABASE IF NOT EXISTS ");
    check_database_name(out, visit->config);
    buffer_append_string(out, " CHARACTER SET utf8mb4;\n");
    check_grant(out, "SELECT, INSERT, UPDATE, CREATE, ALTER, INDEX, DELETE", visit->config,
                account);
}

/* With the advice that belongs to it behind instead of inside. */
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

/* The steps before the one that failed went well. */
static void judge_failure(struct visit *visit, const struct db_error *err)
{
    const char *step = step_of(err);
    bool over = strcmp(step, "server") == 0 || strcmp(step, "tls") == 0;
    if (!over && visit->config->mysql_ssl_mode < SSL_MODE_REQUIRED &&
        (!visit->greeting.offers_tls || visit->config->mysql_ssl_mode == SSL_MODE_DISABLED ||
         is_unix_socket(visit->host)))
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

static void check_host(struct findings *findings, const struct config *config, size_t number)
{
    struct visit visit = {
        .findings = findings,
        .config = config,
        .host = &config->hosts[number],
        .number = number,
    };
    struct addrinfo *addresses;
    int fd = -1;
    if (is_unix_socket(visit.host))
        snprintf(visit.label, sizeof(visit.label), "%s", visit.host->name);
    else
        snprintf(visit.label, sizeof(visit.label), "%s port %u", visit.host->name,
                 visit.host->port);
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

/* One that takes rows is enough. */
static void check_hosts(struct findings *findings, const struct config *config)
{
    size_t ends[CONFIG_MAX_HOSTS + 1] = {findings->count};
    bool one_is_well = false;
    for (size_t i = 0; i < config->host_count; i++) {
        check_host(findings, config, i);
        ends[i + 1] = findings->count;
        one_is_well |= findings_worst(findings, ends[i]) < FINDING_FAIL;
    }
    if (one_is_well)
        findings_soften(findings, ends[0], ends[config->host_count]);
}

/* ---- the spool and the source ---------------------------------------------------------------- */

/* Makes a spool of its own there, stores something and removes it again: whether the directory can be
 * written is not all that it takes. */
static enum error_code try_spool(const char *directory, struct error *err)
{
    static const char *const names[] = {"spool.db", "spool.db-wal", "spool.db-shm", "spool.lock"};
    char path[CONFIG_TEXT_SIZE + 32], name[CONFIG_TEXT_SIZE + 64];
    snprintf(path, sizeof(path), "%s/.check-XXXXXX", directory);
    if (mkdtemp(path) == NULL)
        return error_set(err, ERROR_OPERATOR, "%s: %s", directory, strerror(errno));
    struct spool_file *file = NULL;
    struct spool_opening opening;
    enum error_code code = spool_file_open(path, false, &file, &opening, err);
    if (code == ERROR_NONE)
        code = spool_file_begin(file, err);
    if (code == ERROR_NONE)
        code = spool_file_put(file, TEXT("check"), TEXT("check"), TEXT("[]"), err);
    if (code == ERROR_NONE)
        code = spool_file_commit(file, err);
    spool_file_close(file);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(name, sizeof(name), "%s/%s", path, names[i]);
        unlink(name);
    }
    rmdir(path);
    return code;
}

static void judge_room(struct findings *findings, const struct config *config)
{
    const int64_t mib = INT64_C(1) << 20;
    struct statvfs volume;
    if (statvfs(config->spool_dir, &volume) != 0) {
        findings_add(findings, FINDING_WARN, "spool", "see that its volume is well", "%s: %s",
                     config->spool_dir, strerror(errno));
        return;
    }
    int64_t size = (int64_t)(volume.f_blocks * volume.f_frsize);
    int64_t room = (int64_t)(volume.f_bavail * volume.f_frsize);
    bool fits = config->spool_max_bytes < size;
    findings_add(findings, fits ? FINDING_OK : FINDING_WARN, "spool",
                 fits ? "" : "lower SPOOL_MAX_BYTES, or give it a larger volume",
                 "%s: can be written; SPOOL_MAX_BYTES is %" PRId64 " MiB, the volume has %" PRId64
                 " MiB, %" PRId64 " of them free",
                 config->spool_dir, config->spool_max_bytes / mib, size / mib, room / mib);
}

static void check_spool(struct findings *findings, const struct config *config)
{
    struct error err;
    if (config->spool_dir[0] == '\0')
        findings_add(findings, FINDING_WARN, "spool",
                     "set SPOOL_DIR to a directory on a volume that outlives the container",
                     "there is none: what the database has not taken is lost when the process is "
                     "killed");
    else if (try_spool(config->spool_dir, &err) != ERROR_NONE)
        findings_add(
            findings, FINDING_FAIL, "spool",
            "mount a volume there with some room that this user can write to (fsGroup in the "
            "pod's securityContext), or correct SPOOL_DIR",
            "%s", err.text);
    else
        judge_room(findings, config);
}

/* The socket is looked at, not connected to: a controller would take that for the sidecar. */
static void check_source_socket(struct findings *findings, const char *path)
{
    struct stat status;
    if (stat(path, &status) == 0 && S_ISSOCK(status.st_mode))
        findings_add(findings, FINDING_OK, "source", "", "%s: is there", path);
    else
        findings_add(findings, FINDING_WARN, "source",
                     "start the controller, which makes it; or let both containers mount the "
                     "directory, and EVENT_SOURCE name the same path",
                     "%s: is not there yet, or no socket", path);
}

static void check_source_directory(struct findings *findings, const char *path)
{
    char copy[CONFIG_TEXT_SIZE];
    snprintf(copy, sizeof(copy), "%s", path);
    const char *directory = dirname(copy);
    struct stat status;
    if (stat(path, &status) == 0 && S_ISSOCK(status.st_mode))
        findings_add(findings, FINDING_OK, "source", "",
                     "%s: is there, from a sidecar that runs, or has run", path);
    else if (access(directory, W_OK | X_OK) == 0)
        findings_add(findings, FINDING_OK, "source", "", "%s: can be made", path);
    else
        findings_add(findings, FINDING_FAIL, "source",
                     "mount a volume there that this user can write to and that the controller "
                     "shares",
                     "%s: cannot be made: %s: %s", path, directory, strerror(errno));
}

static void check_source(struct findings *findings, const struct config *config)
{
    static const char connects[] = "unix:", listens[] = "unix-listen:";
    const char *address = config->event_source;
    if (strncmp(address, connects, sizeof(connects) - 1) == 0)
        check_source_socket(findings, address + sizeof(connects) - 1);
    else if (strncmp(address, listens, sizeof(listens) - 1) == 0)
        check_source_directory(findings, address + sizeof(listens) - 1);
    else if (kube_client_is_for(address))
        check_kube(findings, config,
                   config->kube_silence_ms < TIMEOUT_MAX_MS ? (uint32_t)config->kube_silence_ms
                                                            : TIMEOUT_MAX_MS);
    else
        findings_add(findings, FINDING_OK, "source", "", "%s", address);
}

/* ---- the command ----------------------------------------------------------------------------- */

static void examine(struct findings *findings, const struct config *config)
{
    struct config hurried = *config;
    if (hurried.db_timeout_ms > TIMEOUT_MAX_MS)
        hurried.db_timeout_ms = TIMEOUT_MAX_MS;
    check_secrets(findings, config);
    if (findings_worst(findings, 0) < FINDING_FAIL)
        check_hosts(findings, &hurried);
    check_spool(findings, config);
    check_source(findings, config);
    explicit_bzero(&hurried, sizeof(hurried));
}

static int print_findings(const struct findings *findings, bool json)
{
    struct buffer out;
    buffer_init(&out, TEXT_LIMIT);
    if (json)
        findings_json(&out, findings);
    else
        findings_text(&out, findings);
    struct text text = buffer_text(&out);
    bool whole = !findings->failed && !out.failed &&
                 fwrite(text.data, 1, text.length, stdout) == text.length && fflush(stdout) == 0;
    buffer_fini(&out);
    if (!whole)
        return EXIT_FAILED;
    switch (findings_worst(findings, 0)) {
    case FINDING_FAIL:
        return EXIT_FAILED;
    case FINDING_WARN:
        return CHECK_WARNED;
    case FINDING_OK:
    case FINDING_SKIP:
        break;
    }
    return EXIT_OK;
}

static const struct option_spec specs[] = {
    {"--json", NULL, NULL, "the same as one JSON document"},
    {NULL, NULL, NULL, NULL},
};

int command_check(const struct config *config, struct text problems, int count, char **arguments)
{
    struct options options;
    struct error err;
    if (options_read(specs, NULL, count, arguments, &options, &err) != ERROR_NONE ||
        (problems.length == 0 && db_library_init(&err) != ERROR_NONE)) {
        fprintf(stderr, "kubedl-shipper check: %s\n", err.text);
        return EXIT_USAGE;
    }
    struct findings findings;
    findings_init(&findings);
    check_settings(&findings, problems);
    if (problems.length == 0) {
        examine(&findings, config);
        db_library_fini();
    }
    int status = print_findings(&findings, options.values[0] != NULL);
    findings_fini(&findings);
    return problems.length == 0 ? status : EXIT_USAGE;
}
