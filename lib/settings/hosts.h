/* hosts: the list of servers in MYSQL_HOST. */
#ifndef LIB_HOSTS_H
#define LIB_HOSTS_H

#include "lib/base/error.h"
#include "lib/base/text.h"
#include "lib/settings/config.h"

/* Parses a list such as "db,other:3307,[::1]:3306,/run/mysqld/mysqld.sock": names and addresses with an
 * optional port, IPv6 addresses in brackets, and paths of Unix sockets. Fills hosts[0..*count).
 * ERROR_OPERATOR: the text says which entry is wrong and why. It does not repeat the entry, since people put
 * whole DSNs there, with the password. */
enum error_code hosts_parse(struct text list, uint16_t default_port,
                            struct config_host hosts[CONFIG_MAX_HOSTS], size_t *count,
                            struct error *err) MUST_CHECK;

#endif
