/* ledger: sums over the accounts. */
#include "lib/ledger.h"

uint64_t ledger_received(const struct ledger *ledger)
{
    uint64_t sum = 0;
    for (unsigned fate = 0; fate < WATCH_FATE_COUNT; fate++)
        sum += ledger->fates[fate];
    return sum;
}

uint64_t ledger_of_class(const struct ledger *ledger, enum watch_class class)
{
    uint64_t sum = 0;
    for (unsigned fate = 0; fate < WATCH_FATE_COUNT; fate++) {
        if (watch_fate_class(fate) == class)
            sum += ledger->fates[fate];
    }
    return sum;
}

bool ledger_balances(const struct ledger *ledger, const struct outbox_counts *outbox)
{
    uint64_t held = outbox->pending + outbox->in_flight;
    return ledger->fates[WATCH_ROW] ==
           ledger->written + ledger->dead_lettered + outbox->superseded + held;
}
