/* db_private: what db.c and db_write.c share, and nobody else. Here alone mysql.h is included. */
#ifndef SIDECAR_DB_PRIVATE_H
#define SIDECAR_DB_PRIVATE_H

#include "sidecar/store/db.h"

#include <mysql.h>
#include <uv.h>

struct db_statements;

struct db {
    const struct config *config;
    bool only_reads;
    MYSQL *mysql;                    /* NULL: not connected */
    bool offers_tls;                 /* the server that was connected to last */
    bool is_plain[CONFIG_MAX_HOSTS]; /* those that offered none */
    struct db_server server;
    struct db_statements *statements;

    uv_mutex_t lock; /* guards what follows: db_abort() and db_leave() come from another thread */
    int fd;          /* of the connection; -1 while it must not be touched */
    bool aborted;    /* for good */
    bool connecting; /* nothing interrupts it */
    bool left;       /* its thread is to go no further */
};

/* Fills *err from what the client library says of the statement: the connection has no error number
 * then. A connection that is of no more use is closed. */
enum error_code db_fail_statement(struct db *db, struct db_error *err, const char *what,
                                  MYSQL_STMT *stmt);

/* The prepared statements of a connection, and memory for their parameters. */
struct db_statements *db_statements_new(void);
void db_statements_free(struct db_statements *statements);

/* The connection is closed: its statements are gone. */
void db_statements_drop(struct db_statements *statements);

#endif
