/* ledger: what became of every document. What is in none of these accounts is a bug:
 *
 *     received = filtered + invalid + rows
 *     rows + swept + repeated = written + superseded + dead-lettered + held + quarantined + unsaved
 *                                                                             (for each table)
 *
 * It is kept in the spool, so that it tells of all that was ever received, not of this process. */
#ifndef LIB_LEDGER_H
#define LIB_LEDGER_H

#include "lib/base/buffer.h"
#include "lib/kube/watch.h"
#include "lib/outbox/outbox.h"
#include "lib/rows/table.h"

#include <stdbool.h>
#include <stdint.h>

/* account, what it counts */
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

#define LEDGER_COUNTERS(X)                                                                         \
    X(batches, "transactions that were committed")                                                 \
    X(failures, "batches that came back")                                                          \
    X(cut_columns, "texts that were longer than their column and were cut")                        \
    X(bad_quantities, "resource quantities that do not parse and were left out")                   \
    X(bad_fields, "fields of a wrong type that were left out")                                     \
    X(cut_lines, "unfinished last lines of connections: not documents")

struct ledger {
    uint64_t fates[WATCH_FATE_COUNT];     /* documents, by what they were */
    struct ledger_rows rows[TABLE_COUNT]; /* superseded: before this process; held: only on disk */
    LEDGER_COUNTERS(LEDGER_FIELD)
};
#undef LEDGER_FIELD

uint64_t ledger_received(const struct ledger *ledger);
uint64_t ledger_of_class(const struct ledger *ledger, enum watch_class class);

/* The accounts of table number i as they are now, with what the outbox knows. */
struct ledger_rows ledger_rows(const struct ledger *ledger, const struct outbox *outbox, size_t i);

/* The sum over all tables. */
struct ledger_rows ledger_all_rows(const struct ledger *ledger, const struct outbox *outbox);

/* The accounts by number, from 0 to LEDGER_ROW_ACCOUNT_COUNT - 1. */
const char *ledger_row_account_name(size_t account);
uint64_t ledger_row_account(const struct ledger_rows *rows, size_t account);

bool ledger_rows_balance(const struct ledger_rows *rows);

/* True if the documents and the rows of each table add up. */
bool ledger_balances(const struct ledger *ledger, const struct outbox *outbox);

/* After a restart, for each row of table number i that came back from the spool: one that is held, or
 * that was written although it is still there. */
void ledger_restore(struct ledger *ledger, size_t i);

/* The same for a record that could not be read. */
void ledger_quarantine(struct ledger *ledger, size_t i);

/* All that was in the spool has come back: what was held and did not is unsaved. */
void ledger_settle(struct ledger *ledger);

/* Calls number() for every account, by name and value: to keep them. */
void ledger_numbers(const struct ledger *ledger, const struct outbox *outbox,
                    void (*number)(void *context, const char *name, uint64_t value), void *context);

/* The reverse: adds to the account, which is 0 at first. A name that is not known is ignored (another
 * version wrote it). */
void ledger_add_number(struct ledger *ledger, struct text name, uint64_t value);

#endif
