/* remarks: compares the names of the environment with those of the settings (see remarks.h).
 *
 * A container's environment also has variables that are meant for somebody else: those that Kubernetes sets,
 * those of the MySQL image in a Secret or ConfigMap that several containers share, and those of the client
 * library. So a name is only taken for a mistake if it is a setting's name but for a letter or two, if one of
 * the two is the beginning of the other, or if it is in the list of names that other programs use. */
#include "lib/settings/remarks.h"

#include "lib/base/nearest.h"
#include "lib/settings/setting.h"

#include <string.h>

/* Shorter names, such as LOG and READER, are compared with no setting. */
#define MIN_LENGTH 8

/* From this length on, two letters may be wrong; in shorter names one. */
#define LONG_NAME 12

/* What other programs call the things that these settings are for. If the setting is there, too, the other
 * name is for that other program. */
static const struct {
    const char *name, *setting;
} foreign[] = {
    {"BATCH_SIZE", "BATCH_MAX_ROWS"},
    {"CLUSTER_NAME", "CLUSTER_ID"},
    {"DB_DATABASE", "MYSQL_DB_NAME"},
    {"DB_HOST", "MYSQL_HOST"},
    {"DB_NAME", "MYSQL_DB_NAME"},
    {"DB_PASSWORD", "MYSQL_PASSWORD"},
    {"DB_PORT", "MYSQL_PORT"},
    {"DB_USER", "MYSQL_USER"},
    {"EVENT_SOCKET", "EVENT_SOURCE"},
    {"HTTP_ADDRESS", "HTTP_LISTEN"},
    {"HTTP_PORT", "HTTP_LISTEN"},
    {"KUBE_SELECTOR", "KUBE_LABEL_SELECTOR"},
    {"LEADER_ELECTION", "LEADER"},
    {"LOG_VERBOSITY", "LOG_LEVEL"},
    {"METRICS_PORT", "HTTP_LISTEN"},
    {"MYSQL_ADDRESS", "MYSQL_HOST"},
    {"MYSQL_CA", "MYSQL_SSL_CA"},
    {"MYSQL_DATABASE", "MYSQL_DB_NAME"},
    {"MYSQL_DSN", "MYSQL_HOST"},
    {"MYSQL_PWD", "MYSQL_PASSWORD"},
    {"MYSQL_SCHEMA", "MYSQL_DB_NAME"},
    {"MYSQL_SERVER", "MYSQL_HOST"},
    {"MYSQL_SOCKET", "MYSQL_HOST"},
    {"MYSQL_TLS_CA", "MYSQL_SSL_CA"},
    {"MYSQL_TLS_MODE", "MYSQL_SSL_MODE"},
    {"MYSQL_URL", "MYSQL_HOST"},
    {"OUTBOX_SIZE", "OUTBOX_MAX_ROWS"},
    {"SPOOL_PATH", "SPOOL_DIR"},
    {"SPOOL_SIZE", "SPOOL_MAX_BYTES"},
};

/* What Kubernetes sets for a Service: NAME_SERVICE_HOST, NAME_SERVICE_PORT, NAME_SERVICE_PORT_HTTP,
 * NAME_PORT_3306_TCP, NAME_PORT_3306_TCP_ADDR and the like, besides NAME_PORT. */
static bool is_of_service(struct text name, struct text value)
{
    static const char *const protocols[] = {"_TCP", "_UDP", "_SCTP"};
    if (setting_is_service_link(name, value) || text_ends_in(name, TEXT("_SERVICE_HOST")) ||
        text_contains(name, "_SERVICE_PORT"))
        return true;
    for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
        if (text_contains(name, "_PORT_") && text_contains(name, protocols[i]))
            return true;
    }
    return false;
}

/* Whether the setting is there, or the one for a file in its place. Its value may be empty: that of the
 * password is wiped once it was read. */
static bool is_there(char *const *environment, const char *setting)
{
    const size_t length = strlen(setting);
    for (; *environment != NULL; environment++) {
        struct text rest = text_from(*environment);
        if (!text_starts_with(rest, text_from(setting)))
            continue;
        rest = text_skip(rest, length);
        if (text_starts_with(rest, TEXT("=")) || text_starts_with(rest, TEXT("_FILE=")))
            return true;
    }
    return false;
}

/* Returns the setting that the variable, which is none, is probably meant for; NULL: it is somebody else's. */
static const char *setting_meant(char *const *environment, struct text name)
{
    struct nearest nearest = nearest_to(name);
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
        if (text_is(name, foreign[i].name))
            return is_there(environment, foreign[i].setting) ? NULL : foreign[i].setting;
    }
    if (name.length < MIN_LENGTH)
        return NULL;
    for (size_t i = 0; settings[i].name != NULL; i++) {
        struct text setting = text_from(settings[i].name);
        if (text_contains(setting, "_") && text_starts_with(name, setting))
            return settings[i].name;
        nearest_try(&nearest, settings[i].name);
    }
    return nearest.distance <= (name.length < LONG_NAME ? 1 : 2) ? nearest.name : NULL;
}

static bool is_setting(struct text name)
{
    for (size_t i = 0; settings[i].name != NULL; i++) {
        if (text_is(name, settings[i].name))
            return true;
    }
    return false;
}

void remarks_make(char *const *environment, remark_say *say, void *context)
{
    for (char *const *variable = environment; *variable != NULL; variable++) {
        const char *equals = strchr(*variable, '=');
        if (equals == NULL)
            continue;
        struct remark remark = {.variable = {*variable, (size_t)(equals - *variable)}};
        struct text value = text_from(equals + 1);
        if (is_setting(remark.variable)) {
            if (setting_is_service_link(remark.variable, value))
                say(context, &remark);
        } else if (value.length > 0 && !is_of_service(remark.variable, value)) {
            remark.setting = setting_meant(environment, remark.variable);
            if (remark.setting != NULL)
                say(context, &remark);
        }
    }
}
