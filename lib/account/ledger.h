/* ledger: what became of every document. It has an account for each fate that a document or row can have, so
 * that the accounts add up; where they do not, something was lost, and that is a defect:
 *
 *     received = filtered + invalid + rows
 *     rows + swept + repeated = written + superseded + dead-lettered + held + quarantined + unsaved
 *                                                                             (for each table)
 *
 * The ledger is kept in the spool, so that it covers all that was received since the spool was made, by all
 * processes. It is used on the loop's thread alone. */
#ifndef LIB_LEDGER_H
#define LIB_LEDGER_H

#include "lib/base/text.h"
#include "lib/kube/watch.h"
#include "lib/outbox/outbox.h"
#include "lib/rows/table.h"

#include <stdbool.h>
#include <stdint.h>

/* X(account, what it counts), for the rows of one table. */
#define LEDGER_ROW_ACCOUNTS(X)                                                                     \
    X(received, "rows that documents were turned into")                                            \
    X(swept, "tombstones of objects that vanished while nobody watched")                           \
    X(written, "rows that the database has, or has a newer version of")                            \
    X(superseded, "rows that a newer one of the same object replaced before they were written")    \
    X(dead_lettered, "rows that the database will never take as they are")                         \
    X(held, "rows that wait: in memory or in the spool")                                           \
    X(quarantined, "records of the spool that could not be read and were set aside")               \
    X(unsaved, "rows that were not acknowledged yet when the process was killed")                  \
    X(repeated, "rows that were written, but not yet forgotten, when the process was killed")

#define LEDGER_FIELD(account, help) uint64_t account;
struct ledger_rows {
    LEDGER_ROW_ACCOUNTS(LEDGER_FIELD)
};

#define LEDGER_ROW_ACCOUNT_COUNT (sizeof(struct ledger_rows) / sizeof(uint64_t))

/* X(counter, what it counts): counted besides, and not part of the balance. */
#define LEDGER_COUNTERS(X)                                                                         \
    X(batches, "transactions that were committed")                                                 \
    X(failures, "batches that came back")                                                          \
    X(cut_columns, "texts that were longer than their column and were cut")                        \
    X(bad_quantities, "resource quantities that do not parse and were left out")                   \
    X(bad_fields, "fields of a wrong type that were left out")                                     \
    X(cut_lines, "unfinished last lines of connections: not documents")

/* All zero at first. The outbox counts for itself the rows that it holds, and those that it has superseded in
 * this process. So `held` here counts only rows of the spool that have not come back yet after a restart,
 * and `superseded` only those of earlier processes; ledger_rows() adds what the outbox has counted. */
struct ledger {
    uint64_t fates[WATCH_FATE_COUNT];     /* documents by their fate */
    struct ledger_rows rows[TABLE_COUNT]; /* in the order of tables[] */
    LEDGER_COUNTERS(LEDGER_FIELD)
};
#undef LEDGER_FIELD

/* Return the number of all documents, and of those whose fate is of that class. */
uint64_t ledger_received(const struct ledger *ledger);
uint64_t ledger_of_class(const struct ledger *ledger, enum watch_class class);

/* Returns the accounts of tables[i] as they are now, together with what the outbox has counted. */
struct ledger_rows ledger_rows(const struct ledger *ledger, const struct outbox *outbox, size_t i);

/* Returns the sum of ledger_rows() over all tables. */
struct ledger_rows ledger_all_rows(const struct ledger *ledger, const struct outbox *outbox);

/* Return the name and the value of an account by its number, from 0 to LEDGER_ROW_ACCOUNT_COUNT - 1. */
const char *ledger_row_account_name(size_t account);
uint64_t ledger_row_account(const struct ledger_rows *rows, size_t account);

/* True if the equation for rows at the top of this file holds. rows: made by ledger_rows(). */
bool ledger_rows_balance(const struct ledger_rows *rows);

/* True if the rows of each table balance, and as many rows were received as documents became rows. */
bool ledger_balances(const struct ledger *ledger, const struct outbox *outbox);

/* To be called after a restart for each row of tables[i] that the spool gives back. If the ledger has a row
 * as held, it is this one. If not, all that was held has come back already: the row had been written when
 * the process was killed, but the spool had not deleted it yet. Then it is counted as repeated. */
void ledger_restore(struct ledger *ledger, size_t i);

/* To be called instead of ledger_restore() for a record of the spool that could not be read. */
void ledger_quarantine(struct ledger *ledger, size_t i);

/* To be called when the spool has given back all that it had. Rows that are still counted as held were only
 * in the memory of the process that was killed: they are unsaved from now on. */
void ledger_settle(struct ledger *ledger);

/* Calls number() for every account with the name under which it is to be kept, and its present value. */
void ledger_numbers(const struct ledger *ledger, const struct outbox *outbox,
                    void (*number)(void *context, const char *name, uint64_t value), void *context);

/* Adds value to the account of this name; to be called with what ledger_numbers() gave out. A name that is not
 * known is ignored: another version of the program wrote it. */
void ledger_add_number(struct ledger *ledger, struct text name, uint64_t value);

#endif
