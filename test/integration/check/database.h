/* database: what the checks against a real server share. The server is told by the environment:
 * MYSQL_HOST, MYSQL_PORT, MYSQL_DB_NAME, MYSQL_USER, MYSQL_PASSWORD as for the program itself, and
 * ADMIN_SOCKET, where root gets in without a password. */
#ifndef TEST_INTEGRATION_CHECK_DATABASE_H
#define TEST_INTEGRATION_CHECK_DATABASE_H

#include "lib/rows/row.h"
#include "sidecar/store/db.h"

#include <stdint.h>

struct database {
    struct config config; /* of the account that is tested */
    struct config admin_config;
    struct db *admin;
};

/* Connects the administrator and empties the tables. */
void database_open(struct database *database);
void database_close(struct database *database);

/* As the administrator. The number is the last column of the result's last row; 0: there is none. */
void database_exec(struct database *database, const char *format, ...) PRINTF_LIKE(2, 3);
int64_t database_number(struct database *database, const char *format, ...) PRINTF_LIKE(2, 3);

/* Waits until the query's number is at least this. */
void database_await(struct database *database, int64_t at_least, const char *query);

/* A pod's row with the uid "pod-<number>"; the caller frees it. */
struct row *database_pod(unsigned number, const char *version);

/* Past the checks of row_new: what only a server refuses. */
void database_set_text(struct row *row, size_t column, const char *text);

/* rows[i] is pod-<first + i>. */
void database_pods(struct row **rows, size_t count, unsigned first, const char *version);
void database_free_rows(struct row **rows, size_t count);

#endif
