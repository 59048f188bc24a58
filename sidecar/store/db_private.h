/* db_private: what db.c and db_write.c share. Nobody else includes it. */
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
    bool offers_tls;                 /* the server of the last connect does */
    bool is_plain[CONFIG_MAX_HOSTS]; /* the host offered no TLS at the last connect */
    struct db_server server;
    struct db_statements *statements;

    uv_mutex_t
        lock; /* guards the fields below, which db_abort() and db_leave() use from another thread */
    int fd;   /* the connection's socket; -1 while it must not be shut down */
    bool aborted;    /* for good */
    bool connecting; /* nothing can interrupt the thread */
    bool left;       /* the thread must not return from the connect */
};

/* Fills *err with what the client library says of the statement, whose error number the connection does not
 * have. Closes a connection that is of no more use. Returns the code. */
enum error_code db_fail_statement(struct db *db, struct db_error *err, const char *what,
                                  MYSQL_STMT *stmt);

/* The prepared statements of a connection, and memory for their parameters. Never NULL. */
struct db_statements *db_statements_new(void);
void db_statements_free(struct db_statements *statements);

/* Forgets the statements of a connection that is closed. */
void db_statements_drop(struct db_statements *statements);

#endif
