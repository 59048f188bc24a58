/* config: reads and checks the settings (see setting.c for their table). */
#include "lib/settings/config.h"

#include "lib/base/text.h"
#include "lib/base/utf8.h"
#include "lib/settings/hosts.h"
#include "lib/settings/setting.h"

#include <inttypes.h>

_Static_assert(sizeof(enum log_level) == sizeof(unsigned) &&
                   sizeof(enum log_format) == sizeof(unsigned) &&
                   sizeof(enum ssl_mode) == sizeof(unsigned) &&
                   sizeof(enum config_leader) == sizeof(unsigned),
               "a choice is kept as an unsigned");

/* Returns NULL, or what is wrong with a value regardless of its type. value is not empty. */
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

/* Takes digits from the front of value and returns their number: INT64_MAX if it is too large, -1 if there
 * are no digits. */
static int64_t take_digits(struct text *value)
{
    int64_t number = -1;
    for (; value->length > 0 && is_digit(value->data[0]); value->length--) {
        int digit = *value->data++ - '0';
        if (number < 0)
            number = digit;
        else
            number = number > (INT64_MAX - digit) / 10 ? INT64_MAX : number * 10 + digit;
    }
    return number;
}

/* A size may have a unit after its digits. A number has no unit, which is the last one in the table. */
static bool parse_number(const struct setting *setting, struct text value, int64_t *field)
{
    int64_t number = take_digits(&value);
    size_t i = setting->type == TYPE_SIZE ? 0 : SIZE_UNIT_COUNT - 1;
    while (i < SIZE_UNIT_COUNT && !text_is(value, size_units[i].name))
        i++;
    if (i == SIZE_UNIT_COUNT || number > setting->max / size_units[i].bytes ||
        number * size_units[i].bytes < setting->min)
        return false;
    *field = number * size_units[i].bytes;
    return true;
}

/* Returns the place of the name in the list, -1 if it is not there. */
static int find_name(const char *const *names, struct text value)
{
    for (int i = 0; names[i] != NULL; i++) {
        if (text_is(value, names[i]))
            return i;
    }
    return -1;
}

static bool parse(const struct setting *setting, struct text value, void *field)
{
    int choice;
    switch (setting->type) {
    case TYPE_TEXT:
    case TYPE_SECRET:
        if (value.length > (size_t)setting->max)
            return false;
        memcpy(field, value.data, value.length);
        ((char *)field)[value.length] = '\0';
        return true;
    case TYPE_NUMBER:
    case TYPE_SIZE:
        return parse_number(setting, value, field);
    case TYPE_CHOICE:
        choice = find_name(setting_choices[setting->min], value);
        if (choice >= 0)
            *(unsigned *)field = (unsigned)choice;
        return choice >= 0;
    }
    return false;
}

static bool load(struct config *config, const struct setting *setting, const char *value,
                 struct buffer *problems)
{
    if (value == NULL || value[0] == '\0' ||
        setting_is_service_link(text_from(setting->name), text_from(value)))
        value = setting->fallback;
    if (value[0] == '\0')
        return true;
    const char *problem = check_characters(text_from(value), setting->type == TYPE_SECRET);
    if (problem != NULL) {
        buffer_appendf(problems, "%s: %s\n", setting->name, problem);
        return false;
    }
    if (parse(setting, text_from(value), (char *)config + setting->offset))
        return true;
    if (setting_is_text(
            setting)) { /* it is not repeated: people put passwords into the wrong ones */
        buffer_appendf(problems, "%s: is longer than %" PRId64 " bytes\n", setting->name,
                       setting->max);
        return false;
    }
    buffer_appendf(problems, "%s: must be ", setting->name);
    setting_append_values(problems, setting);
    buffer_appendf(problems, ", is \"%.40s\"\n", value);
    return false;
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

/* Returns whether the variable is set, be its value right or wrong: a wrong value is reported elsewhere. */
static bool is_set(config_get *get, void *context, const char *name)
{
    const char *value = get(context, name);
    return value != NULL && value[0] != '\0';
}

/* Two settings that exclude each other: if both are set, nobody can know which one is meant. */
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

/* A certificate that is set but not verified would make people feel safe who are not, so it is refused. */
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

enum error_code config_load(struct config *config, config_get *get, void *context,
                            struct buffer *problems)
{
    *config = (struct config){0};
    bool good = true;
    for (size_t i = 0; settings[i].name != NULL; i++)
        good &= load(config, &settings[i], get(context, settings[i].name), problems);

    good &= load_hosts(config, problems);
    good &= check_account(config, get, context, problems);
    good &= check_tls(config, get, context, problems);
    if (config->leader != LEADER_NONE && config->cluster_id[0] == '\0') {
        buffer_append_string(problems,
                             "LEADER: needs CLUSTER_ID, so that clusters which share a database "
                             "do not stand by for each other\n");
        good = false;
    }
    return good ? ERROR_NONE : ERROR_OPERATOR;
}
