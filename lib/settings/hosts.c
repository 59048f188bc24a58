/* hosts: parses the list of servers (see hosts.h). */
#include "lib/settings/hosts.h"

#include <stdio.h>

/* Bytes of sun_path, with its NUL. */
#define SOCKET_PATH_SIZE 108

static bool is_name_character(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == '-' || c == '_';
}

/* Whether an IPv6 address, which may have a zone ("fe80::1%eth0"), can contain this character. */
static bool is_address_character(char c)
{
    return is_name_character(c) || c == ':' || c == '%';
}

static bool is_path_character(char c)
{
    return c >= ' ' && c != 0x7F;
}

static size_t find(struct text text, char c)
{
    const char *found = text.length > 0 ? memchr(text.data, c, text.length) : NULL;
    return found != NULL ? (size_t)(found - text.data) : text.length;
}

/* Each parse function below returns NULL, or what is wrong. */

/* Parses ":3307"; an empty text leaves the port as it is. */
static const char *parse_port(struct text text, struct config_host *host)
{
    if (text.length == 0)
        return NULL;
    if (text.data[0] != ':')
        return "behind the bracket may only stand a colon and a port";
    uint32_t port = 0;
    for (size_t i = 1; i < text.length && port <= UINT16_MAX; i++) {
        if (!is_digit(text.data[i]))
            return "its port is not a number";
        port = port * 10 + (uint32_t)(text.data[i] - '0');
    }
    if (port == 0 || port > UINT16_MAX)
        return "its port is not one of 1 to 65535";
    host->port = (uint16_t)port;
    return NULL;
}

static const char *copy_name(struct text name, size_t size, bool (*belongs)(char),
                             struct config_host *host)
{
    if (name.length == 0)
        return "it has no name";
    if (name.length >= size)
        return "its name is too long";
    for (size_t i = 0; i < name.length; i++) {
        if (!belongs(name.data[i]))
            return "its name has a character that no host name has";
    }
    memcpy(host->name, name.data, name.length);
    host->name[name.length] = '\0';
    return NULL;
}

static const char *parse_bracketed(struct text entry, struct config_host *host)
{
    size_t close = find(entry, ']');
    if (close == entry.length)
        return "its bracket is not closed";
    struct text address = {entry.data + 1, close - 1};
    const char *problem = parse_port(text_skip(entry, close + 1), host);
    return problem != NULL ? problem
                           : copy_name(address, sizeof(host->name), is_address_character, host);
}

static const char *parse_named(struct text entry, struct config_host *host)
{
    size_t colon = find(entry, ':');
    if (text_contains(entry, "://") || text_contains(entry, "@"))
        return "it is a URL or has an account in it: write the name alone, and the rest into "
               "MYSQL_PORT, MYSQL_DB_NAME, MYSQL_USER and MYSQL_PASSWORD";
    struct text name = {entry.data, colon};
    struct text port = text_skip(entry, colon);
    if (port.length > 1 && find(text_skip(port, 1), ':') < port.length - 1)
        return "an IPv6 address must stand in brackets";
    const char *problem = parse_port(port, host);
    return problem != NULL ? problem : copy_name(name, sizeof(host->name), is_name_character, host);
}

static const char *parse_entry(struct text entry, struct config_host *host)
{
    if (text_starts_with(entry, TEXT("/"))) {
        host->port = 0;
        return copy_name(entry, SOCKET_PATH_SIZE, is_path_character, host);
    }
    return text_starts_with(entry, TEXT("[")) ? parse_bracketed(entry, host)
                                              : parse_named(entry, host);
}

enum error_code hosts_parse(struct text list, uint16_t default_port,
                            struct config_host hosts[CONFIG_MAX_HOSTS], size_t *count,
                            struct error *err)
{
    *count = 0;
    for (bool more = true; more;) {
        if (*count == CONFIG_MAX_HOSTS)
            return error_set(err, ERROR_OPERATOR, "lists more than %d hosts", CONFIG_MAX_HOSTS);
        size_t comma = find(list, ',');
        struct config_host *host = &hosts[*count];
        *host = (struct config_host){.port = default_port};
        const char *problem = parse_entry((struct text){list.data, comma}, host);
        if (problem != NULL)
            return error_set(err, ERROR_OPERATOR, "entry %zu of the list: %s", *count + 1, problem);
        ++*count;
        more = comma < list.length;
        if (more)
            list = text_skip(list, comma + 1);
    }
    return ERROR_NONE;
}

bool hosts_is_socket(const struct config_host *host)
{
    return host->name[0] == '/';
}

void hosts_label(const struct config_host *host, char label[HOSTS_LABEL_SIZE])
{
    if (hosts_is_socket(host))
        (void)snprintf(label, HOSTS_LABEL_SIZE, "%s", host->name);
    else
        (void)snprintf(label, HOSTS_LABEL_SIZE, "%s port %u", host->name, host->port);
}
