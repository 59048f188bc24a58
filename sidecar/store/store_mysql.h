/* store_mysql: the store for MariaDB and MySQL. */
#ifndef SIDECAR_STORE_MYSQL_H
#define SIDECAR_STORE_MYSQL_H

#include "lib/settings/config.h"
#include "sidecar/base/logger.h"
#include "sidecar/store/store.h"

#include <uv.h>

/* Makes a store of config->db_connections lanes, each with a worker, which connects at its first request.
 * config and logger are borrowed until the store is closed. */
enum error_code store_mysql_new(uv_loop_t *loop, const struct config *config, struct logger *logger,
                                struct store **store, struct error *err) MUST_CHECK;

#endif
