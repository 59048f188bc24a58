/* check: examines everything that has to be right before rows can be written, in the order in which the
 * steps depend on each other, and says for each step what to do.
 *
 * Happy path: settings and secrets; then each host in MYSQL_HOST (check_host, check_database); then the
 * spool, the HTTP server's port and the sources (check_source). Nothing is changed anywhere.
 *
 * Failure modes:
 *   a setting is wrong          it is the only finding: the other steps would not know what to look at
 *   one host of several fails   this is a warning if at least one other host has no failure
 *   a host does not answer      each step has a time-out: DB_TIMEOUT_MS, for the API server
 *                               KUBE_SILENCE_MS, 10 s at the most
 */
#include "lib/settings/remarks.h"
#include "lib/show/findings.h"
#include "sidecar/commands/check_host.h"
#include "sidecar/commands/check_source.h"
#include "sidecar/commands/commands.h"
#include "sidecar/http/http.h"
#include "sidecar/spool/spool_file.h"
#include "sidecar/store/credentials.h"
#include "sidecar/store/db.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define TIMEOUT_MAX_MS 10000

#define TEXT_LIMIT ((size_t)1 << 20)

/* ---- settings and secrets -------------------------------------------------------------------- */

static void add_remark(void *context, const struct remark *remark)
{
    char advice[128];
    const char *variable = remark->variable.data;
    const int length = (int)remark->variable.length;
    if (remark->setting == NULL) {
        findings_add(context, FINDING_OK, "settings", "",
                     "%.*s: is a service link, which Kubernetes sets for a Service: it counts as "
                     "not set (enableServiceLinks: false in the pod leaves it out)",
                     length, variable);
        return;
    }
    (void)snprintf(advice, sizeof(advice), "call it %s, or take it out of the environment",
                   remark->setting);
    findings_add(context, FINDING_WARN, "settings", advice,
                 "%.*s: is no setting and has no effect; %s is one", length, variable,
                 remark->setting);
}

static void check_settings(struct findings *findings, struct text problems)
{
    if (problems.length == 0)
        findings_add(findings, FINDING_OK, "settings", "", "none is wrong");
    remarks_make(environ, add_remark, findings);
    while (problems.length > 0) {
        struct text problem = text_take_line(&problems);
        findings_add(
            findings, FINDING_FAIL, "settings",
            "correct it in the environment of the container, or in the Secret or ConfigMap "
            "that it comes from (kubedl-shipper help settings tells all of them)",
            "%.*s", (int)problem.length, problem.data);
    }
}

static void check_secrets(struct findings *findings, const struct config *config)
{
    struct credentials credentials;
    struct error err;
    if (credentials_read(config, &credentials, &err) != ERROR_NONE) {
        findings_add(
            findings, FINDING_FAIL, "secrets",
            "mount the Secret there, with a key of this name, readable for this user; make "
            "it with printf or echo -n",
            "%s", err.text);
        credentials_wipe(&credentials);
        return;
    }
    struct text password = text_from(credentials.password);
    if (password.length == 0)
        findings_add(findings, FINDING_WARN, "secrets",
                     "set MYSQL_PASSWORD or MYSQL_PASSWORD_FILE, and a password for the account",
                     "account %s, without a password", credentials.user);
    else if (text_starts_with(password, TEXT(" ")) || text_ends_in(password, TEXT(" ")))
        findings_add(findings, FINDING_WARN, "secrets", "see whether the blank belongs to it",
                     "account %s; its password begins or ends with a blank", credentials.user);
    else
        findings_add(findings, FINDING_OK, "secrets", "", "account %s, with a password",
                     credentials.user);
    credentials_wipe(&credentials);
}

/* ---- the hosts ------------------------------------------------------------------------------- */

/* One host that takes rows is enough, so the failures of the other hosts become warnings. */
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

/* ---- the spool -------------------------------------------------------------------------------- */

/* Makes a temporary spool in the directory, stores something in it and removes it again: a directory that
 * can be written is not enough for a working spool. */
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

/* Whether a process has locked the spool: the sidecar, if it runs here, or another one by mistake. */
static bool is_in_use(const char *directory)
{
    char path[CONFIG_TEXT_SIZE + 32];
    snprintf(path, sizeof(path), "%s/spool.lock", directory);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool in_use = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (fd >= 0)
        close(fd);
    return in_use;
}

static void check_spool(struct findings *findings, const struct config *config)
{
    const char *directory = config->spool_dir;
    const int64_t mib = INT64_C(1) << 20;
    struct error err;
    struct statvfs volume;
    if (directory[0] == '\0') {
        findings_add(findings, FINDING_WARN, "spool",
                     "set SPOOL_DIR to a directory on a volume that outlives the container",
                     "there is none: what the database has not taken is lost when the process is "
                     "killed");
        return;
    }
    if (try_spool(directory, &err) != ERROR_NONE) {
        findings_add(
            findings, FINDING_FAIL, "spool",
            "mount a volume there with some room that this user can write to (fsGroup in the "
            "pod's securityContext), or correct SPOOL_DIR",
            "%s", err.text);
        return;
    }
    if (statvfs(directory, &volume) != 0) {
        findings_add(findings, FINDING_WARN, "spool", "see that its volume is well", "%s: %s",
                     directory, strerror(errno));
        return;
    }
    int64_t size = (int64_t)(volume.f_blocks * volume.f_frsize);
    int64_t room = (int64_t)(volume.f_bavail * volume.f_frsize);
    bool fits = config->spool_max_bytes < size;
    findings_add(findings, fits ? FINDING_OK : FINDING_WARN, "spool",
                 fits ? "" : "lower SPOOL_MAX_BYTES, or give it a larger volume",
                 "%s: can be written; SPOOL_MAX_BYTES is %" PRId64 " MiB, the volume has %" PRId64
                 " MiB, %" PRId64 " of them free%s",
                 directory, config->spool_max_bytes / mib, size / mib, room / mib,
                 is_in_use(directory)
                     ? "; a sidecar uses it: if that is another one, this one needs its own"
                     : "");
}

/* ---- the HTTP server -------------------------------------------------------------------------- */

static void check_http(struct findings *findings, const struct config *config)
{
    struct error err;
    enum error_code code = http_try(config->http_listen, &err);
    if (config->http_listen[0] == '\0')
        findings_add(findings, FINDING_OK, "http", "",
                     "HTTP_LISTEN is not set: there are no metrics and no probes");
    else if (code == ERROR_NONE)
        findings_add(findings, FINDING_OK, "http", "", "%s: can be listened on",
                     config->http_listen);
    else if (code == ERROR_AGAIN)
        findings_add(findings, FINDING_OK, "http", "",
                     "%s: is in use: by the sidecar, if it runs here; else give HTTP_LISTEN "
                     "another port",
                     config->http_listen);
    else
        findings_add(findings, FINDING_WARN, "http", "correct HTTP_LISTEN", "%s: %s",
                     config->http_listen, err.text);
}

/* ---- the command ----------------------------------------------------------------------------- */

static void examine(struct findings *findings, const struct config *config)
{
    struct config quick = *config; /* with time-outs for a person who waits */
    if (quick.db_timeout_ms > TIMEOUT_MAX_MS)
        quick.db_timeout_ms = TIMEOUT_MAX_MS;
    check_secrets(findings, config);
    if (findings_worst(findings, 0) < FINDING_FAIL)
        check_hosts(findings, &quick);
    check_spool(findings, config);
    check_http(findings, config);
    check_sources(findings, config,
                  config->kube_silence_ms < TIMEOUT_MAX_MS ? (uint32_t)config->kube_silence_ms
                                                           : TIMEOUT_MAX_MS);
    explicit_bzero(&quick, sizeof(quick));
}

static int print_findings(const struct findings *findings, bool json)
{
    struct buffer out;
    buffer_init(&out, TEXT_LIMIT);
    if (json)
        findings_json(&out, findings);
    else
        findings_text(&out, findings);
    out.failed |= findings->failed;
    if (command_print(&out, stdout) != EXIT_OK)
        return EXIT_FAILED;
    enum finding_status worst = findings_worst(findings, 0);
    return worst == FINDING_FAIL ? EXIT_FAILED : worst == FINDING_WARN ? EXIT_WARNED : EXIT_OK;
}

static int run(const struct invocation *invocation)
{
    bool good_settings = invocation->problems.length == 0;
    struct findings findings;
    struct error err;
    if (good_settings && db_library_init(&err) != ERROR_NONE)
        return command_failed(&err);
    findings_init(&findings);
    check_settings(&findings, invocation->problems);
    if (good_settings) {
        examine(&findings, invocation->config);
        db_library_fini();
    }
    int status = print_findings(&findings, invocation->values[0] != NULL);
    findings_fini(&findings);
    return good_settings ? status : EXIT_USAGE;
}

const struct command command_check = {
    .name = "check",
    .synopsis = "[--json]",
    .brief = "look at all that has to be right, and say what to do",
    .summary =
        "Looks at the settings and at all that they name, and says of each thing whether it is "
        "well and what to do. Nothing is changed. Exit status: 0 all is well; 1 something has to "
        "be put right; 2 a setting is wrong; 3 there are nothing but warnings.",
    .options = {{"json", '\0', NULL, "the same as one JSON document"}},
    .any_settings = true,
    .run = run,
};
