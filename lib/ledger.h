/* ledger: what became of every document. What is in none of these accounts is a bug:
 *
 *     received = filtered + invalid + written + superseded + dead-lettered + held
 */
#ifndef LIB_LEDGER_H
#define LIB_LEDGER_H

#include "lib/outbox.h"
#include "lib/watch.h"

#include <stdbool.h>
#include <stdint.h>

struct ledger {
    uint64_t fates[WATCH_FATE_COUNT]; /* documents, by what they were */
    uint64_t written;                 /* rows that the database has */
    uint64_t dead_lettered;           /* rows that it will never take */
    uint64_t batches;                 /* transactions that were committed */
    uint64_t failures;                /* batches that came back */
    uint64_t cut_columns;             /* texts that were longer than their column */
    uint64_t bad_quantities;          /* resource quantities that were left out */
    uint64_t bad_fields;              /* fields of a wrong type that were left out */
    uint64_t cut_lines;               /* unfinished last lines of connections: not documents */
};

uint64_t ledger_received(const struct ledger *ledger);
uint64_t ledger_of_class(const struct ledger *ledger, enum watch_class class);

/* True if the accounts add up with what the outbox holds. */
bool ledger_balances(const struct ledger *ledger, const struct outbox_counts *outbox);

#endif
