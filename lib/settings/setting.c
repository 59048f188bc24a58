/* setting: the table of settings, and what is made from it for people: help, the table of
 * docs/settings.md, the answer of --check-config. A new setting is a line here and a field in struct config. */
#include "lib/settings/setting.h"

#include "lib/base/log.h"

#include <inttypes.h>

const char *const ssl_mode_names[] = {
    [SSL_MODE_DISABLED] = "disabled",
    [SSL_MODE_PREFERRED] = "preferred",
    [SSL_MODE_REQUIRED] = "required",
    [SSL_MODE_VERIFY_CA] = "verify-ca",
    [SSL_MODE_VERIFY_IDENTITY] = "verify-identity",
    NULL,
};

static const char *const leader_names[] = {[LEADER_NONE] = "none", [LEADER_MYSQL] = "mysql", NULL};

enum { CHOICE_SSL_MODE, CHOICE_LEADER, CHOICE_LOG_LEVEL, CHOICE_LOG_FORMAT };

const char *const *const setting_choices[] = {
    [CHOICE_SSL_MODE] = ssl_mode_names,
    [CHOICE_LEADER] = leader_names,
    [CHOICE_LOG_LEVEL] = log_level_names,
    [CHOICE_LOG_FORMAT] = log_format_names,
};

#define AT(field) offsetof(struct config, field)

#define MAX_TEXT (CONFIG_TEXT_SIZE - 1)

/* clang-format off */
const struct setting settings[] = {
    {"MYSQL_HOST", TYPE_TEXT, AT(mysql_host), 0, MAX_TEXT, "localhost",
     "Database servers, separated by commas, which are tried in turn: names, addresses (IPv6 in "
     "brackets) and paths of Unix sockets. A server with another port than MYSQL_PORT has :port behind it"},
    {"MYSQL_PORT", TYPE_NUMBER, AT(mysql_port), 1, 65535, "3306",
     "Port of servers without a port of their own. The address that Kubernetes sets for a Service called "
     "mysql (tcp://...) counts as not set"},
    {"MYSQL_DB_NAME", TYPE_TEXT, AT(mysql_db_name), 0, 64, "kubedl",
     "Database that holds the tables"},
    {"MYSQL_USER", TYPE_TEXT, AT(mysql_user), 0, CONFIG_MAX_USER, "",
     "Account on the database server; it must be set, here or in MYSQL_USER_FILE"},
    {"MYSQL_PASSWORD", TYPE_SECRET, AT(mysql_password), 0, MAX_TEXT, "",
     "Password of the account"},
    {"MYSQL_USER_FILE", TYPE_TEXT, AT(mysql_user_file), 0, MAX_TEXT, "",
     "File with the account's name, in place of MYSQL_USER. It is read at each connect, so that a Secret "
     "may change"},
    {"MYSQL_PASSWORD_FILE", TYPE_TEXT, AT(mysql_password_file), 0, MAX_TEXT, "",
     "File with the password, in place of MYSQL_PASSWORD. A newline at the end of either file does not "
     "count"},
    {"MYSQL_SSL_MODE", TYPE_CHOICE, AT(mysql_ssl_mode), CHOICE_SSL_MODE, 0, "preferred",
     "TLS to the database. preferred: if the server offers it, so an attacker or a mistake can turn it "
     "off; required: always, whoever answers; verify-ca: the server's certificate is from the authority "
     "in MYSQL_SSL_CA; verify-identity: the certificate is also for the name in MYSQL_HOST"},
    {"MYSQL_SSL_CA", TYPE_TEXT, AT(mysql_ssl_ca), 0, MAX_TEXT, "",
     "PEM file of the authorities that verify-ca and verify-identity trust; without it, "
     "verify-identity trusts those of the system"},
    {"MYSQL_SSL_CERT", TYPE_TEXT, AT(mysql_ssl_cert), 0, MAX_TEXT, "",
     "PEM file of the client's certificate, for accounts that need one"},
    {"MYSQL_SSL_KEY", TYPE_TEXT, AT(mysql_ssl_key), 0, MAX_TEXT, "",
     "PEM file of the client's key, if it is not in the same file"},
    {"REGION", TYPE_TEXT, AT(region), 0, 64, "",
     "Value of the column deploy_region; without it, a job's tenancy annotation decides"},
    {"CLUSTER_ID", TYPE_TEXT, AT(cluster_id), 0, 64, "",
     "Value of the column cluster_id, which tells apart clusters that share a database. Without it, rows of "
     "objects that vanished while nobody watched are not closed"},
    {"EVENT_SOURCE", TYPE_TEXT, AT(event_source), 0, MAX_TEXT, "unix:/run/kubedl/events.sock",
     "Where events come from: unix:PATH connects to a socket, unix-listen:PATH makes one and "
     "listens, - reads standard input; kube: lists and watches the API server of the cluster that "
     "this runs in, kube+unix:PATH one behind the socket of a kubectl proxy. Several sources of the same "
     "cluster work at once with commas between them: unix-listen:PATH,kube:"},
    {"KUBE_NAMESPACE", TYPE_TEXT, AT(kube_namespace), 0, 63, "",
     "Namespace that is listed and watched, and swept; without it all are"},
    {"KUBE_LABEL_SELECTOR", TYPE_TEXT, AT(kube_label_selector), 0, MAX_TEXT, "",
     "Only objects with these labels are listed and watched (as in kubectl's --selector). It needs a "
     "CLUSTER_ID of its own, because all other objects count as deleted"},
    {"KUBE_SILENCE_MS", TYPE_NUMBER, AT(kube_silence_ms), 1000, 3600000, "150000",
     "Milliseconds of silence after which a connection to the API server counts as lost; a watch has a "
     "bookmark about once a minute"},
    {"KUBE_DISCOVERY_MS", TYPE_NUMBER, AT(kube_discovery_ms), 1000, 86400000, "60000",
     "Milliseconds after which kinds that the cluster does not have are looked for again"},
    {"KUBE_SERVICE_ACCOUNT", TYPE_TEXT, AT(kube_service_account), 0, 400,
     "/var/run/secrets/kubernetes.io/serviceaccount",
     "Directory with the token and ca.crt that kube: uses"},
    {"KUBERNETES_SERVICE_HOST", TYPE_TEXT, AT(kubernetes_service_host), 0, 253, "",
     "Address of the API server that kube: uses; Kubernetes sets it in every container"},
    {"KUBERNETES_SERVICE_PORT", TYPE_TEXT, AT(kubernetes_service_port), 0, 5, "",
     "Port of the API server; Kubernetes sets it, too"},
    {"LEADER", TYPE_CHOICE, AT(leader), CHOICE_LEADER, 0, "none",
     "Which of several sidecars takes events in. none: all of them, which is right with any number; "
     "mysql: the one that holds a lock of the database leads, and the others stand by"},
    {"MAX_DOCUMENT_BYTES", TYPE_SIZE, AT(max_document_bytes), 4 * KIB, 64 * MIB, "16MiB",
     "Longest event; longer ones are skipped and counted"},
    {"SOURCE_MAX_BYTES", TYPE_SIZE, AT(source_max_bytes), 64 * KIB, 64 * GIB, "64MiB",
     "Memory for unfinished events of all connections together; beyond it they are finished one after the "
     "other. Besides this memory, each connection may use 128KiB"},
    {"SOURCE_MAX_CONNECTIONS", TYPE_NUMBER, AT(source_max_connections), 1, 1024, "64",
     "Producers that may be connected to unix-listen: at once. For one more, the producer that has been "
     "silent longest is disconnected, if it has been silent for 10 seconds"},
    {"BATCH_MAX_ROWS", TYPE_NUMBER, AT(batch_max_rows), 1, 1024, "256",
     "Most rows in one transaction"},
    {"BATCH_LINGER_MS", TYPE_NUMBER, AT(batch_linger_ms), 0, 10000, "5",
     "Milliseconds that a row may wait for others to be written with"},
    {"DB_CONNECTIONS", TYPE_NUMBER, AT(db_connections), 1, 16, "2",
     "Connections to the database; rows of one object are never on two of them at once"},
    {"DB_TIMEOUT_MS", TYPE_NUMBER, AT(db_timeout_ms), 1000, 600000, "30000",
     "Milliseconds that a database may take to answer. A Galera cluster that loses a node stands "
     "still for some seconds: with much less than the default, its healthy nodes seem lost too"},
    {"OUTBOX_MAX_ROWS", TYPE_NUMBER, AT(outbox_max_rows), 1, 100000000, "100000",
     "Rows that may wait for the database before the source is paused"},
    {"OUTBOX_MAX_BYTES", TYPE_SIZE, AT(outbox_max_bytes), 64 * KIB, 64 * GIB, "256MiB",
     "Memory that these rows may take before the source is paused"},
    {"SPOOL_DIR", TYPE_TEXT, AT(spool_dir), 0, 400, "",
     "Directory for rows that the database has not taken yet, on a volume that outlives the container. "
     "Without it these rows are only in memory, and lost when the process is killed"},
    {"SPOOL_MAX_BYTES", TYPE_SIZE, AT(spool_max_bytes), MIB, 1024 * GIB, "1GiB",
     "Size that the spool may reach before the source is paused. Keep it 64 MiB below the volume's size, "
     "because the spool's log and what is stored at a stop come on top"},
    {"SHUTDOWN_GRACE_MS", TYPE_NUMBER, AT(shutdown_grace_ms), 0, 3600000, "20000",
     "Milliseconds that a stop may take to write what waits; keep it below the pod's "
     "terminationGracePeriodSeconds"},
    {"HTTP_LISTEN", TYPE_TEXT, AT(http_listen), 0, 64, "",
     "Where /metrics, /livez, /readyz and /status are served: :PORT, or ADDRESS:PORT for one address. "
     "Without it they are not served"},
    {"LOG_SUMMARY_MS", TYPE_NUMBER, AT(log_summary_ms), 0, 86400000, "60000",
     "Milliseconds between two summary records in the log; 0 means no summaries"},
    {"LOG_LEVEL", TYPE_CHOICE, AT(log_level), CHOICE_LOG_LEVEL, 0, "info",
     "Least important level that is logged"},
    {"LOG_FORMAT", TYPE_CHOICE, AT(log_format), CHOICE_LOG_FORMAT, 0, "logfmt",
     "Layout of the log"},
    {0},
};
/* clang-format on */

const struct size_unit size_units[SIZE_UNIT_COUNT] = {
    {"GiB", GIB}, {"MiB", MIB}, {"KiB", KIB}, {"", 1}};

/* Appends the size in the largest unit that divides it. */
static void append_size(struct buffer *out, int64_t bytes)
{
    const struct size_unit *unit = size_units;
    while (unit->bytes > 1 && bytes % unit->bytes != 0)
        unit++;
    buffer_appendf(out, "%" PRId64 "%s", bytes / unit->bytes, unit->name);
}

void setting_append_values(struct buffer *out, const struct setting *setting)
{
    switch (setting->type) {
    case TYPE_TEXT:
    case TYPE_SECRET:
        break;
    case TYPE_NUMBER:
        buffer_appendf(out, "%" PRId64 " to %" PRId64, setting->min, setting->max);
        break;
    case TYPE_SIZE:
        append_size(out, setting->min);
        buffer_append_string(out, " to ");
        append_size(out, setting->max);
        break;
    case TYPE_CHOICE:
        for (const char *const *name = setting_choices[setting->min]; *name != NULL; name++)
            buffer_appendf(out, "%s%s",
                           name == setting_choices[setting->min] ? ""
                           : name[1] == NULL                     ? " or "
                                                                 : ", ",
                           *name);
        break;
    }
}

bool setting_is_service_link(struct text name, struct text value)
{
    return text_ends_in(name, TEXT("_PORT")) &&
           (text_starts_with(value, TEXT("tcp://")) || text_starts_with(value, TEXT("udp://")) ||
            text_starts_with(value, TEXT("sctp://")));
}

#define HELP_COLUMNS 80
#define HELP_INDENT  6
#define SCRATCH_SIZE 4096

void config_help(struct buffer *out)
{
    struct buffer help;
    buffer_init(&help, SCRATCH_SIZE);
    for (size_t i = 0; settings[i].name != NULL; i++) {
        buffer_reset(&help);
        buffer_appendf(&help, "%s.", settings[i].help);
        if (!setting_is_text(&settings[i])) {
            buffer_append_string(&help, " Takes ");
            setting_append_values(&help, &settings[i]);
            buffer_append_char(&help, '.');
        }
        if (settings[i].fallback[0] != '\0')
            buffer_appendf(&help, " Default: %s.", settings[i].fallback);
        buffer_appendf(out, "  %s\n%*s", settings[i].name, HELP_INDENT, "");
        buffer_append_wrapped(out, buffer_text(&help), HELP_INDENT, HELP_COLUMNS);
        out->failed |= help.failed;
    }
    buffer_append_string(out,
                         "\nAn empty value is the same as none. Sizes are in bytes, or with KiB, "
                         "MiB or GiB\nright behind the number.\n");
    buffer_fini(&help);
}

void config_markdown(struct buffer *out)
{
    buffer_append_string(out, "| Setting | Default | Values | Meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; settings[i].name != NULL; i++) {
        const struct setting *setting = &settings[i];
        buffer_appendf(out, "| `%s` | ", setting->name);
        if (setting->fallback[0] != '\0')
            buffer_appendf(out, "`%s`", setting->fallback);
        buffer_append_string(out, " | ");
        setting_append_values(out, setting);
        buffer_appendf(out, " | %s |\n", setting->help);
    }
}

static void append_value(struct buffer *out, const struct setting *setting, const void *field)
{
    switch (setting->type) {
    case TYPE_TEXT:
        buffer_append_string(out, field);
        break;
    case TYPE_SECRET:
        buffer_append_string(out, *(const char *)field != '\0' ? "(set)" : "(not set)");
        break;
    case TYPE_NUMBER:
        buffer_appendf(out, "%" PRId64, *(const int64_t *)field);
        break;
    case TYPE_SIZE:
        append_size(out, *(const int64_t *)field);
        break;
    case TYPE_CHOICE:
        buffer_append_string(out, setting_choices[setting->min][*(const unsigned *)field]);
        break;
    }
}

void config_show(struct buffer *out, const struct config *config)
{
    for (size_t i = 0; settings[i].name != NULL; i++) {
        buffer_appendf(out, "%s=", settings[i].name);
        append_value(out, &settings[i], (const char *)config + settings[i].offset);
        buffer_append_char(out, '\n');
    }
}
