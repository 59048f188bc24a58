/* dberror: a server's or client library's error number -> what may be done about it. */
#ifndef LIB_DBERROR_H
#define LIB_DBERROR_H

#include "lib/base/text.h"

#include <stdbool.h>
#include <stddef.h>

enum dberror_class {
    DBERROR_RETRY,     /* same connection, ROLLBACK, the whole transaction again after a jitter */
    DBERROR_RECONNECT, /* the connection is gone or stale: close, connect, prepare, send again */
    DBERROR_ELSEWHERE, /* this server can't take writes now (read-only, no quorum): next host */
    DBERROR_WAIT,      /* the server is away or out of resources: back-off, keep the rows */
    DBERROR_OPERATOR,  /* login, grants, schema: slow retry, tell a person what to do */
    DBERROR_SPLIT,     /* the packet is too large: smaller batches */
    DBERROR_ROW,       /* one row can't be stored: take it out, write the others */
};

#define DBERROR_CLASS_COUNT (DBERROR_ROW + 1)

/* When the error was met: the same number means other things at other times. */
enum dberror_phase { DBERROR_CONNECTING, DBERROR_CONNECTED };

/* sqlstate: five characters, "" or NULL if there is none; decides for numbers that are not known.
 */
enum dberror_class dberror_classify(unsigned number, const char *sqlstate, struct text message,
                                    enum dberror_phase phase);

/* The number that counts: a server that refuses a client before TLS stands is reported as 2002, with
 * its own number ("...cannot be verified: 1040 - Too many connections") in the text. */
unsigned dberror_number(unsigned number, struct text message);

const char *dberror_class_name(enum dberror_class class);

/* What a person can do about it: one sentence, or NULL where there is nothing to do. */
const char *dberror_advice(unsigned number, struct text message, enum dberror_phase phase);

/* The N of "... at row N" at the end of a server's message, 1-based; 0 if it does not say. */
size_t dberror_row(struct text message);

/* Of a migration's ALTER TABLE: the account lacks a privilege. */
bool dberror_is_lack_of_rights(unsigned number);

/* The same: a row is a duplicate, or has a NULL, that the changed table does not take. */
bool dberror_is_row_in_the_way(unsigned number);

#endif
