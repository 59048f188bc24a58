/* audit: prints the ledger as a table, and tells whether it balances and whether the spool still holds
 * everything that was stored in it. */
#include "lib/account/ledger.h"
#include "sidecar/commands/commands.h"
#include "sidecar/spool/spool_file.h"

#include <inttypes.h>
#include <stdio.h>

static bool set_number(void *context, struct text name, int64_t value)
{
    ledger_add_number(context, name, (uint64_t)value);
    return true;
}

/* Returns false if the accounts do not add up. */
static bool print_ledger(const struct ledger *ledger)
{
    uint64_t received = 0;
    bool balances = true;
    printf("DOCUMENTS  %" PRIu64 " received since the spool was made\n", ledger_received(ledger));
    for (unsigned fate = 0; fate < WATCH_FATE_COUNT; fate++) {
        if (ledger->fates[fate] > 0)
            printf("  %-16s %12" PRIu64 "\n", watch_fate_name(fate), ledger->fates[fate]);
    }
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        const struct ledger_rows *rows = &ledger->rows[i];
        bool table_balances = ledger_rows_balance(rows);
        printf("\n%s  %s\n", tables[i]->name, table_balances ? "balances" : "DOES NOT BALANCE");
#define PRINT(account, help)                                                                       \
    if (rows->account > 0)                                                                         \
        printf("  %-16s %12" PRIu64 "   %s\n", #account, rows->account, help);
        LEDGER_ROW_ACCOUNTS(PRINT)
#undef PRINT
        received += rows->received;
        balances = balances && table_balances;
    }
    if (received != ledger->fates[WATCH_ROW]) {
        printf("\n%" PRIu64 " documents were rows, but the tables received %" PRIu64 "\n",
               ledger->fates[WATCH_ROW], received);
        balances = false;
    }
    return balances;
}

/* Returns false if something that was stored in the spool is gone and the sidecar has not reported it yet. */
static bool print_spool(const struct spool_counts *counts, const struct spool_usage *usage)
{
    const struct spool_loss *lost = &usage->state.lost;
    int64_t missing = counts->records_left - counts->records;
    printf("\nSPOOL  %" PRId64 " bytes in use, %" PRId64 " on disk\n", usage->bytes,
           usage->file_bytes);
    printf("  %-16s %12" PRId64 "   objects that the database has not taken yet\n", "records",
           counts->records);
    printf("  %-16s %12" PRId64 "   kubedl-shipper dead-letters list\n", "dead letters",
           counts->dead_letters);
    printf("  %-16s %12" PRId64 "   records that could not be read\n", "quarantined",
           counts->quarantined);
    if (missing > 0)
        printf("  %-16s %12" PRId64 "   of %" PRId64 " records that the last transaction left\n",
               "missing", missing, counts->records_left);
    if (lost->records > 0)
        printf("  %-16s %12" PRId64 "   that were missing when it was opened\n", "lost records",
               lost->records);
    if (lost->dead_letters > 0)
        printf("  %-16s %12" PRId64 "   that were missing when it was opened\n", "lost letters",
               lost->dead_letters);
    if (lost->transactions > 0)
        printf("  %-16s %12" PRId64 "   with which its write-ahead log was damaged or removed\n",
               "lost writes", lost->transactions);
    return missing <= 0;
}

static int run(const struct invocation *invocation)
{
    struct spool_file *file;
    struct error err;
    struct ledger ledger = {0};
    struct spool_counts counts = {0};
    struct spool_usage usage = {0};
    enum error_code code = spool_file_attach(invocation->config->spool_dir, &file, &err);
    if (code == ERROR_NONE)
        code = spool_file_read_numbers(file, set_number, &ledger, &err);
    if (code == ERROR_NONE)
        code = spool_file_count(file, &counts, &err);
    if (code == ERROR_NONE)
        code = spool_file_usage(file, &usage, &err);
    spool_file_close(file);
    if (code != ERROR_NONE)
        return command_failed(&err);
    bool balances = print_ledger(&ledger);
    return print_spool(&counts, &usage) && balances ? EXIT_OK : EXIT_FAILED;
}

const struct command command_audit = {
    .name = "audit",
    .synopsis = "",
    .brief = "what became of every document, and whether it adds up",
    .summary = "Prints what became of every document since the spool was made, and what the spool "
               "holds. The exit status is 1 if "
               "this does not add up. A sidecar may run beside it.",
    .run = run,
};
