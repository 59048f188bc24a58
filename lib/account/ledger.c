/* ledger: sums over the accounts, and the names under which they are kept (see ledger.h).
 *
 * Every field of struct ledger and of struct ledger_rows is a uint64_t, so that a loop can go through them. */
#include "lib/account/ledger.h"

#include <stdio.h>

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

struct ledger_rows ledger_rows(const struct ledger *ledger, const struct outbox *outbox, size_t i)
{
    struct outbox_counts counts = outbox_table_counts(outbox, tables[i]);
    struct ledger_rows rows = ledger->rows[i];
    rows.superseded += counts.superseded;
    rows.held += counts.pending + counts.in_flight;
    return rows;
}

struct ledger_rows ledger_all_rows(const struct ledger *ledger, const struct outbox *outbox)
{
    struct ledger_rows sum = {0};
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        struct ledger_rows rows = ledger_rows(ledger, outbox, i);
        for (size_t account = 0; account < LEDGER_ROW_ACCOUNT_COUNT; account++)
            ((uint64_t *)&sum)[account] += ledger_row_account(&rows, account);
    }
    return sum;
}

#define NAME(account, help) #account,

const char *ledger_row_account_name(size_t account)
{
    static const char *const names[] = {LEDGER_ROW_ACCOUNTS(NAME)};
    return names[account];
}

uint64_t ledger_row_account(const struct ledger_rows *rows, size_t account)
{
    return ((const uint64_t *)rows)[account];
}

bool ledger_rows_balance(const struct ledger_rows *rows)
{
    return rows->received + rows->swept + rows->repeated == rows->written + rows->superseded +
                                                                rows->dead_lettered + rows->held +
                                                                rows->quarantined + rows->unsaved;
}

bool ledger_balances(const struct ledger *ledger, const struct outbox *outbox)
{
    uint64_t received = 0;
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        struct ledger_rows rows = ledger_rows(ledger, outbox, i);
        received += rows.received;
        if (!ledger_rows_balance(&rows))
            return false;
    }
    return received == ledger->fates[WATCH_ROW];
}

void ledger_restore(struct ledger *ledger, size_t i)
{
    struct ledger_rows *rows = &ledger->rows[i];
    if (rows->held > 0)
        rows->held--;
    else
        rows->repeated++;
}

void ledger_quarantine(struct ledger *ledger, size_t i)
{
    ledger_restore(ledger, i);
    ledger->rows[i].quarantined++;
}

void ledger_settle(struct ledger *ledger)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        struct ledger_rows *rows = &ledger->rows[i];
        rows->unsaved += rows->held;
        rows->held = 0;
    }
}

#define NUMBER_COUNT (sizeof(struct ledger) / sizeof(uint64_t))

/* Writes the name under which the spool keeps number i of the ledger, as in "documents.row",
 * "job_info.written" and "batches". i counts the fields of struct ledger, all of which are uint64_t. */
static void write_name(size_t i, char *name, size_t size)
{
    static const char *const counters[] = {LEDGER_COUNTERS(NAME)};
    const size_t rows = WATCH_FATE_COUNT, others = rows + TABLE_COUNT * LEDGER_ROW_ACCOUNT_COUNT;
    if (i < rows)
        (void)snprintf(name, size, "documents.%s", watch_fate_name((enum watch_fate)i));
    else if (i < others)
        (void)snprintf(name, size, "%s.%s", tables[(i - rows) / LEDGER_ROW_ACCOUNT_COUNT]->name,
                       ledger_row_account_name((i - rows) % LEDGER_ROW_ACCOUNT_COUNT));
    else
        (void)snprintf(name, size, "%s", counters[i - others]);
}

void ledger_numbers(const struct ledger *ledger, const struct outbox *outbox,
                    void (*number)(void *context, const char *name, uint64_t value), void *context)
{
    struct ledger now = *ledger;
    for (size_t i = 0; i < TABLE_COUNT; i++)
        now.rows[i] = ledger_rows(ledger, outbox, i);
    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        char name[128];
        write_name(i, name, sizeof(name));
        number(context, name, ((const uint64_t *)&now)[i]);
    }
}

void ledger_add_number(struct ledger *ledger, struct text name, uint64_t value)
{
    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        char own[128];
        write_name(i, own, sizeof(own));
        if (text_is(name, own))
            ((uint64_t *)ledger)[i] += value;
    }
}
