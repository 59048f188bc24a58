/* dberror: what may be done about an error, by the number that the server or the client library gave it. */
#ifndef LIB_DBERROR_H
#define LIB_DBERROR_H

#include "lib/base/text.h"

#include <stdbool.h>
#include <stddef.h>

enum dberror_class {
    DBERROR_RETRY,     /* same connection, ROLLBACK, the whole transaction again after a jitter */
    DBERROR_RECONNECT, /* the connection is gone or stale: close, connect, prepare, send again */
    DBERROR_ELSEWHERE, /* this server takes no writes now (read-only, no quorum): next host */
    DBERROR_WAIT,      /* the server is away or out of resources: back-off, keep the rows */
    DBERROR_OPERATOR,  /* login, grants, schema: slow retry, tell a person what to do */
    DBERROR_SPLIT,     /* the packet is too large: smaller batches */
    DBERROR_ROW,       /* one row cannot be stored: take it out, write the others */
};

#define DBERROR_CLASS_COUNT (DBERROR_ROW + 1)

/* Returns the name of the class in metrics and logs: "retry", ... */
const char *dberror_class_name(enum dberror_class class);

/* When the error occurred: the class of a number depends on it. */
enum dberror_phase { DBERROR_CONNECTING, DBERROR_CONNECTED };

/* Returns the class of an error. sqlstate decides for numbers that are not in the table; it has five
 * characters, or is "" or NULL if there is none. */
enum dberror_class dberror_classify(unsigned number, const char *sqlstate, struct text message,
                                    enum dberror_phase phase);

/* Returns what a person can do about the error, as one sentence, or NULL if there is nothing to do. */
const char *dberror_advice(unsigned number, struct text message, enum dberror_phase phase);

/* Returns the server's own number of the error. libmariadb reports a server that refuses a client before TLS
 * stands as 2002, and the server's number is in its text: "...cannot be verified: 1040 - Too many
 * connections". All other numbers are returned as they are. */
unsigned dberror_number(unsigned number, struct text message);

/* Returns the N of "... at row N" at the end of a server's message, counted from 1, or 0 if it names no
 * row. */
size_t dberror_row(struct text message);

/* Returns whether a statement failed because the account lacks a privilege. */
bool dberror_is_lack_of_rights(unsigned number);

/* Returns whether an ALTER TABLE failed because of a row that the changed table does not take: a duplicate,
 * or a NULL. */
bool dberror_is_row_in_the_way(unsigned number);

#endif
