/* ledger: sums over the accounts, and their names. */
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
#define ADD(account, help) sum.account += rows.account;
        LEDGER_ROW_ACCOUNTS(ADD)
#undef ADD
    }
    return sum;
}

const char *ledger_row_account_name(size_t account)
{
#define NAME(account, help) #account,
    static const char *const names[] = {LEDGER_ROW_ACCOUNTS(NAME)};
#undef NAME
    return names[account];
}

uint64_t ledger_row_account(const struct ledger_rows *rows, size_t account)
{
#define VALUE(account, help) rows->account,
    const uint64_t values[] = {LEDGER_ROW_ACCOUNTS(VALUE)};
#undef VALUE
    return values[account];
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

/* One place says the names; the visitor reads the value or sets it. */
typedef void visit_account(void *context, const char *name, uint64_t *value);

static void visit(struct ledger *ledger, visit_account *visitor, void *context)
{
    char name[128];
    for (unsigned fate = 0; fate < WATCH_FATE_COUNT; fate++) {
        snprintf(name, sizeof(name), "documents.%s", watch_fate_name(fate));
        visitor(context, name, &ledger->fates[fate]);
    }
    for (size_t i = 0; i < TABLE_COUNT; i++) {
#define VISIT(account, help)                                                                       \
    snprintf(name, sizeof(name), "%s.%s", tables[i]->name, #account);                              \
    visitor(context, name, &ledger->rows[i].account);
        LEDGER_ROW_ACCOUNTS(VISIT)
#undef VISIT
    }
#define VISIT(counter, help) visitor(context, #counter, &ledger->counter);
    LEDGER_COUNTERS(VISIT)
#undef VISIT
}

struct reader {
    void (*number)(void *context, const char *name, uint64_t value);
    void *context;
};

static void read_account(void *context, const char *name, uint64_t *value)
{
    struct reader *reader = context;
    reader->number(reader->context, name, *value);
}

void ledger_numbers(const struct ledger *ledger, const struct outbox *outbox,
                    void (*number)(void *context, const char *name, uint64_t value), void *context)
{
    struct ledger now = *ledger;
    for (size_t i = 0; i < TABLE_COUNT; i++)
        now.rows[i] = ledger_rows(ledger, outbox, i);
    struct reader reader = {number, context};
    visit(&now, read_account, &reader);
}

struct adder {
    struct text name;
    uint64_t value;
};

static void add_account(void *context, const char *name, uint64_t *value)
{
    const struct adder *adder = context;
    if (text_is(adder->name, name))
        *value += adder->value;
}

void ledger_add_number(struct ledger *ledger, struct text name, uint64_t value)
{
    struct adder adder = {name, value};
    visit(ledger, add_account, &adder);
}
