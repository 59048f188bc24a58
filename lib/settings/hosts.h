/* hosts: the list of servers in MYSQL_HOST. */
#ifndef LIB_HOSTS_H
#define LIB_HOSTS_H

#include "lib/base/error.h"
#include "lib/base/text.h"
#include "lib/settings/config.h"

#include <stdbool.h>

#define HOSTS_LABEL_SIZE 300

/* Parses a list such as "db,other:3307,[::1]:3306,/run/mysqld/mysqld.sock": names and addresses with an
 * optional port, IPv6 addresses in brackets, and paths of Unix sockets. Fills hosts[0..*count).
 * ERROR_OPERATOR: the text says which entry is wrong and why. It does not repeat the entry, since people put
 * whole DSNs there, with the password. */
enum error_code hosts_parse(struct text list, uint16_t default_port,
                            struct config_host hosts[CONFIG_MAX_HOSTS], size_t *count,
                            struct error *err) MUST_CHECK;

/* Returns whether the host is the path of a Unix socket, and not a name or an address. */
bool hosts_is_socket(const struct config_host *host);

/* Writes the host as messages name it: "db.example port 3306", or the path of its socket. */
void hosts_label(const struct config_host *host, char label[HOSTS_LABEL_SIZE]);

#endif
