/* check_host: the part of `kubedl-shipper check` that is about one host in MYSQL_HOST. */
#ifndef SIDECAR_CHECK_HOST_H
#define SIDECAR_CHECK_HOST_H

#include "lib/settings/config.h"
#include "lib/show/findings.h"

#include <stddef.h>

/* Adds a finding for each step. number: of the host in config->hosts. Waits for each step as long as
 * config->db_timeout_ms says. */
void check_host(struct findings *findings, const struct config *config, size_t number);

#endif
