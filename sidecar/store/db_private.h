/* db_private: what db.c and db_write.c share, and nobody else. Here alone mysql.h is included. */
#ifndef SIDECAR_DB_PRIVATE_H
#define SIDECAR_DB_PRIVATE_H

#include "sidecar/store/db.h"

#include <mysql.h>
#include <uv.h>

struct db_writers;

struct db {
    const struct config *config;
    bool only_reads;
    MYSQL *mysql;                    /* NULL: not connected */
    bool offers_tls;                 /* the server that was connected to last */
    bool is_plain[CONFIG_MAX_HOSTS]; /* those that offered none */
    struct db_server server;
    struct db_writers *writers;

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
enum error_code db_no_memory(struct db_error *err, const char *what);

/* The prepared statements of a connection, and memory for their parameters. NULL: no memory. */
struct db_writers *db_writers_new(void);
void db_writers_free(struct db_writers *writers); /* NULL is allowed */

/* The connection is closed: its statements are gone. */
void db_writers_forget(struct db_writers *writers);

#endif
