/* config: the table of settings, and what is made from it: parser, help, the table of docs/settings.md and the
 * answer of --check-config. */
#include "lib/settings/config.h"

#include "lib/base/text.h"
#include "lib/base/utf8.h"
#include "lib/settings/hosts.h"

#include <inttypes.h>
#include <stddef.h>

enum setting_type {
    TYPE_TEXT,   /* char[CONFIG_TEXT_SIZE] */
    TYPE_SECRET, /* the same, never shown; blanks at its ends may be meant */
    TYPE_NUMBER, /* int64_t */
    TYPE_SIZE,   /* int64_t, bytes */
    TYPE_CHOICE, /* an enum: the number of one of the names in a list */
};

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

static const char *const *const choices[] = {
    [CHOICE_SSL_MODE] = ssl_mode_names,
    [CHOICE_LEADER] = leader_names,
    [CHOICE_LOG_LEVEL] = log_level_names,
    [CHOICE_LOG_FORMAT] = log_format_names,
};

_Static_assert(sizeof(enum log_level) == sizeof(unsigned) &&
                   sizeof(enum log_format) == sizeof(unsigned) &&
                   sizeof(enum ssl_mode) == sizeof(unsigned) &&
                   sizeof(enum config_leader) == sizeof(unsigned),
               "a choice is kept as an unsigned");

struct setting {
    const char *name;
    enum setting_type type;
    size_t offset;        /* in struct config */
    int64_t min, max;     /* of a number or size; bytes of a text; min of a choice: its list */
    const char *fallback; /* as a person would write it; "": empty */
    const char *help;     /* one or more sentences without the last full stop */
};

#define AT(field) offsetof(struct config, field)

#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#define MAX_TEXT (CONFIG_TEXT_SIZE - 1)

/* clang-format off */
static const struct setting settings[] = {
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
     "this runs in, kube+unix:PATH one behind the socket of a kubectl proxy"},
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
};
/* clang-format on */

#define SETTING_COUNT (sizeof(settings) / sizeof(settings[0]))

struct size_unit {
    const char *name;
    int64_t bytes;
};

static const struct size_unit size_units[] = {{"GiB", GIB}, {"MiB", MIB}, {"KiB", KIB}, {"", 1}};

#define SIZE_UNIT_COUNT (sizeof(size_units) / sizeof(size_units[0]))

/* "a, b or c" */
static void append_choices(struct buffer *out, const char *const *names)
{
    for (size_t i = 0; names[i] != NULL; i++) {
        if (i > 0)
            buffer_append_string(out, names[i + 1] == NULL ? " or " : ", ");
        buffer_append_string(out, names[i]);
    }
}

/* In the largest unit that divides it. */
static void append_size(struct buffer *out, int64_t bytes)
{
    const struct size_unit *unit = size_units;
    while (unit->bytes > 1 && bytes % unit->bytes != 0)
        unit++;
    buffer_appendf(out, "%" PRId64 "%s", bytes / unit->bytes, unit->name);
}

/* Which values the setting takes; nothing for texts. */
static void append_values(struct buffer *out, const struct setting *setting)
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
        append_choices(out, choices[setting->min]);
        break;
    }
}

/* NULL, or what is wrong with a value whatever its type. value is not empty. */
static const char *check_characters(struct text value, bool is_secret)
{
    char first = value.data[0];
    char last = value.data[value.length - 1];
    if (last == '\n' || last == '\r')
        return "ends in a newline, as a Secret does that was made with echo: make it with printf "
               "or "
               "echo -n";
    for (size_t i = 0; i < value.length; i++) {
        if ((unsigned char)value.data[i] < ' ' || value.data[i] == 0x7F)
            return "holds a control character, such as a tab or a newline";
    }
    if (!is_secret && (first == ' ' || last == ' '))
        return "begins or ends with a blank";
    return utf8_is_valid(value) ? NULL : "is not UTF-8";
}

const char *config_check_secret(struct text value)
{
    if (value.length == 0)
        return "is empty";
    return check_characters(value, true);
}

/* Takes digits from the front of value, as INT64_MAX if they are too many; -1 if there are none. */
static int64_t take_digits(struct text *value)
{
    int64_t number = -1;
    for (; value->length > 0 && value->data[0] >= '0' && value->data[0] <= '9'; value->length--) {
        int digit = *value->data++ - '0';
        if (number < 0)
            number = digit;
        else
            number = number > (INT64_MAX - digit) / 10 ? INT64_MAX : number * 10 + digit;
    }
    return number;
}

static bool parse_number(const struct setting *setting, struct text value, int64_t *field)
{
    int64_t number = take_digits(&value);
    if (value.length > 0 || number < setting->min || number > setting->max)
        return false;
    *field = number;
    return true;
}

static bool parse_size(const struct setting *setting, struct text value, int64_t *field)
{
    int64_t number = take_digits(&value);
    for (size_t i = 0; i < SIZE_UNIT_COUNT; i++) {
        int64_t unit = size_units[i].bytes;
        if (!text_is(value, size_units[i].name))
            continue;
        if (number > setting->max / unit || number * unit < setting->min)
            return false;
        *field = number * unit;
        return true;
    }
    return false;
}

/* The number of the name, -1 if it is none of them. */
static int find_name(const char *const *names, struct text value)
{
    for (int i = 0; names[i] != NULL; i++) {
        if (text_is(value, names[i]))
            return i;
    }
    return -1;
}

static bool parse_choice(const struct setting *setting, struct text value, unsigned *field)
{
    int number = find_name(choices[setting->min], value);
    if (number >= 0)
        *field = (unsigned)number;
    return number >= 0;
}

static bool parse_text(const struct setting *setting, struct text value, char *field)
{
    if (value.length > (size_t)setting->max)
        return false;
    memcpy(field, value.data, value.length);
    field[value.length] = '\0';
    return true;
}

static bool parse(const struct setting *setting, struct text value, void *field)
{
    switch (setting->type) {
    case TYPE_TEXT:
    case TYPE_SECRET:
        return parse_text(setting, value, field);
    case TYPE_NUMBER:
        return parse_number(setting, value, field);
    case TYPE_SIZE:
        return parse_size(setting, value, field);
    case TYPE_CHOICE:
        return parse_choice(setting, value, field);
    }
    return false;
}

static bool is_text(const struct setting *setting)
{
    return setting->type == TYPE_TEXT || setting->type == TYPE_SECRET;
}

/* Texts are not repeated in problems: people put passwords into the wrong ones. */
static void append_misfit(struct buffer *problems, const struct setting *setting, const char *value)
{
    if (is_text(setting)) {
        buffer_appendf(problems, "%s: is longer than %" PRId64 " bytes\n", setting->name,
                       setting->max);
        return;
    }
    buffer_appendf(problems, "%s: must be ", setting->name);
    append_values(problems, setting);
    buffer_appendf(problems, ", is \"%.40s\"\n", value);
}

/* Kubernetes gives every container, for each Service NAME of its namespace, a variable NAME_PORT that
 * is an address ("service links"): a Service called mysql makes MYSQL_PORT=tcp://10.96.0.5:3306. */
static bool is_service_link(const struct setting *setting, const char *value)
{
    static const char *const protocols[] = {"tcp://", "udp://", "sctp://"};
    const size_t length = strlen(setting->name);
    if (length < strlen("_PORT") || strcmp(setting->name + length - strlen("_PORT"), "_PORT") != 0)
        return false;
    for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
        if (strncmp(value, protocols[i], strlen(protocols[i])) == 0)
            return true;
    }
    return false;
}

static bool load(struct config *config, const struct setting *setting, const char *value,
                 struct buffer *problems)
{
    if (value != NULL && is_service_link(setting, value)) {
        config->service_link = setting->name;
        value = NULL;
    }
    if (value == NULL || value[0] == '\0')
        value = setting->fallback;
    if (value[0] == '\0')
        return true;
    const char *problem = check_characters(text_from(value), setting->type == TYPE_SECRET);
    if (problem != NULL) {
        buffer_appendf(problems, "%s: %s\n", setting->name, problem);
        return false;
    }
    if (!parse(setting, text_from(value), (char *)config + setting->offset)) {
        append_misfit(problems, setting, value);
        return false;
    }
    return true;
}

/* ---- settings that depend on each other ------------------------------------------------------ */

static bool load_hosts(struct config *config, struct buffer *problems)
{
    struct error err;
    if (config->mysql_host[0] == '\0' ||
        hosts_parse(text_from(config->mysql_host), (uint16_t)config->mysql_port, config->hosts,
                    &config->host_count, &err) == ERROR_NONE)
        return true;
    buffer_appendf(problems, "MYSQL_HOST: %s\n", err.text);
    return false;
}

/* Whatever it is, good or bad: a bad one is told of elsewhere. */
static bool is_set(config_get *get, void *context, const char *name)
{
    const char *value = get(context, name);
    return value != NULL && value[0] != '\0';
}

/* Nobody can know which of the two is meant. */
static bool check_alternatives(config_get *get, void *context, const char *name,
                               const char *file_name, struct buffer *problems)
{
    if (!is_set(get, context, name) || !is_set(get, context, file_name))
        return true;
    buffer_appendf(problems, "%s: %s is set as well: keep one of them\n", file_name, name);
    return false;
}

static bool check_account(const struct config *config, config_get *get, void *context,
                          struct buffer *problems)
{
    bool good = check_alternatives(get, context, "MYSQL_USER", "MYSQL_USER_FILE", problems);
    good &= check_alternatives(get, context, "MYSQL_PASSWORD", "MYSQL_PASSWORD_FILE", problems);
    if (!is_set(get, context, "MYSQL_USER") && config->mysql_user_file[0] == '\0') {
        buffer_append_string(problems,
                             "MYSQL_USER: must be set (or MYSQL_USER_FILE) to the account on the "
                             "database server\n");
        good = false;
    }
    return good;
}

/* A certificate that is not looked at makes people feel safe who are not. */
static bool check_tls(const struct config *config, config_get *get, void *context,
                      struct buffer *problems)
{
    const size_t before = problems->length;
    if (is_set(get, context, "MYSQL_SSL_MODE") &&
        find_name(ssl_mode_names, text_from(get(context, "MYSQL_SSL_MODE"))) < 0)
        return true; /* nobody knows which mode the others should fit */
    bool verifies = config->mysql_ssl_mode >= SSL_MODE_VERIFY_CA;
    if (config->mysql_ssl_ca[0] != '\0' && !verifies)
        buffer_appendf(problems,
                       "MYSQL_SSL_CA: is not looked at with MYSQL_SSL_MODE=%s: set that to "
                       "verify-identity or verify-ca\n",
                       ssl_mode_names[config->mysql_ssl_mode]);
    if (config->mysql_ssl_ca[0] == '\0' && config->mysql_ssl_mode == SSL_MODE_VERIFY_CA)
        buffer_append_string(problems,
                             "MYSQL_SSL_CA: must be set for MYSQL_SSL_MODE=verify-ca (with the "
                             "system's authorities, anybody's certificate would do)\n");
    if (config->mysql_ssl_cert[0] != '\0' && config->mysql_ssl_mode == SSL_MODE_DISABLED)
        buffer_append_string(problems,
                             "MYSQL_SSL_CERT: is not used with MYSQL_SSL_MODE=disabled\n");
    if (config->mysql_ssl_key[0] != '\0' && config->mysql_ssl_cert[0] == '\0')
        buffer_append_string(problems, "MYSQL_SSL_KEY: is of no use without MYSQL_SSL_CERT\n");
    return problems->length == before;
}

static bool check_leader(const struct config *config, struct buffer *problems)
{
    if (config->leader == LEADER_NONE || config->cluster_id[0] != '\0')
        return true;
    buffer_append_string(problems,
                         "LEADER: needs CLUSTER_ID, so that clusters which share a database "
                         "do not stand by for each other\n");
    return false;
}

enum error_code config_load(struct config *config, config_get *get, void *context,
                            struct buffer *problems)
{
    *config = (struct config){0};
    bool good = true;
    for (size_t i = 0; i < SETTING_COUNT; i++)
        good &= load(config, &settings[i], get(context, settings[i].name), problems);

    good &= load_hosts(config, problems);
    good &= check_account(config, get, context, problems);
    good &= check_tls(config, get, context, problems);
    good &= check_leader(config, problems);
    return good ? ERROR_NONE : ERROR_OPERATOR;
}

/* ---- what a person reads ----------------------------------------------------------------------- */

#define HELP_COLUMNS 80
#define HELP_INDENT  6
#define SCRATCH_SIZE 4096

static void append_help(struct buffer *out, const struct setting *setting)
{
    buffer_appendf(out, "%s.", setting->help);
    if (!is_text(setting)) {
        buffer_append_string(out, " Takes ");
        append_values(out, setting);
        buffer_append_char(out, '.');
    }
    if (setting->fallback[0] != '\0')
        buffer_appendf(out, " Default: %s.", setting->fallback);
}

/* Breaks a text at its blanks into indented lines. */
static void append_wrapped(struct buffer *out, struct text text)
{
    size_t column = HELP_COLUMNS;
    while (text.length > 0) {
        const char *blank = memchr(text.data, ' ', text.length);
        size_t word = blank != NULL ? (size_t)(blank - text.data) : text.length;
        if (column + 1 + word > HELP_COLUMNS) {
            buffer_appendf(out, "\n%*s", HELP_INDENT, "");
            column = HELP_INDENT;
        } else {
            buffer_append_char(out, ' ');
            column++;
        }
        buffer_append(out, (struct text){text.data, word});
        column += word;
        size_t used = blank != NULL ? word + 1 : word;
        text = (struct text){text.data + used, text.length - used};
    }
    buffer_append_char(out, '\n');
}

void config_help(struct buffer *out)
{
    struct buffer help;
    buffer_init(&help, SCRATCH_SIZE);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        buffer_reset(&help);
        append_help(&help, &settings[i]);
        buffer_appendf(out, "  %s", settings[i].name);
        append_wrapped(out, buffer_text(&help));
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
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *setting = &settings[i];
        buffer_appendf(out, "| `%s` | ", setting->name);
        if (setting->fallback[0] != '\0')
            buffer_appendf(out, "`%s`", setting->fallback);
        buffer_append_string(out, " | ");
        append_values(out, setting);
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
        buffer_append_string(out, choices[setting->min][*(const unsigned *)field]);
        break;
    }
}

void config_show(struct buffer *out, const struct config *config)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        buffer_appendf(out, "%s=", settings[i].name);
        append_value(out, &settings[i], (const char *)config + settings[i].offset);
        buffer_append_char(out, '\n');
    }
}
