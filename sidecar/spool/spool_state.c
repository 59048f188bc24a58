/* spool_state: how many transactions, records and dead letters there should be, and what is missing.
 *
 * Triggers keep the counts in the file's table `state`, and the lock file notes what each transaction left. A
 * file that counts fewer transactions than the lock file notes has lost some; a file that holds fewer records
 * than its `state` counts has lost records. */
#include "sidecar/spool/spool_file_private.h"

#include <string.h>

enum error_code spool_state_count_up(struct spool_file *file, struct spool_left *left,
                                     struct error *err)
{
    static const struct spool_statement count_up = {
        "count the transaction", "UPDATE state SET transactions = transactions + 1"
                                 " RETURNING transactions, records, dead_letters"};
    int64_t n[3] = {0};
    enum error_code code = spool_sql_integers(&file->sql, &count_up, n, 3, err);
    *left = (struct spool_left){.transactions = n[0], .records = n[1], .dead_letters = n[2]};
    return code;
}

enum error_code spool_state_read(struct spool_file *file, struct spool_state *state,
                                 struct error *err)
{
    static const struct spool_statement read = {
        "read the state", "SELECT transactions, records, dead_letters,"
                          " lost_transactions, lost_records, lost_letters FROM state"};
    int64_t n[6] = {0};
    enum error_code code = spool_sql_integers(&file->sql, &read, n, 6, err);
    if (code == ERROR_NONE)
        *state = (struct spool_state){
            .transactions = n[0],
            .records = n[1],
            .dead_letters = n[2],
            .lost = {.transactions = n[3], .records = n[4], .dead_letters = n[5]},
        };
    return code;
}

enum error_code spool_file_count(struct spool_file *file, struct spool_counts *counts,
                                 struct error *err)
{
    static const struct spool_statement count = {
        "count", "SELECT (SELECT count(*) FROM records), (SELECT count(*) FROM dead_letters),"
                 " (SELECT count(*) FROM quarantine), (SELECT records FROM state)"};
    int64_t n[4] = {0};
    enum error_code code = spool_sql_integers(&file->sql, &count, n, 4, err);
    *counts = (struct spool_counts){
        .records = n[0], .dead_letters = n[1], .quarantined = n[2], .records_left = n[3]};
    return code;
}

static int64_t missing(int64_t expected, int64_t found)
{
    return expected > found ? expected - found : 0;
}

enum error_code spool_state_take_stock(struct spool_file *file, bool records_are_held,
                                       struct spool_loss *loss, struct error *err)
{
    static const struct spool_statement write = {
        "write the state", "UPDATE state SET transactions = ?, records = ?, dead_letters = ?,"
                           " lost_transactions = ?, lost_records = ?, lost_letters = ?"};
    struct spool_state state = {0};
    struct spool_counts counts = {0};
    enum error_code code = spool_state_read(file, &state, err);
    if (code == ERROR_NONE)
        code = spool_file_count(file, &counts, err);
    if (code != ERROR_NONE)
        return code;
    const struct spool_state found = state;
    struct spool_left last = spool_place_noted(&file->place);
    if (last.transactions <= state.transactions)
        last = (struct spool_left){state.transactions, state.records, state.dead_letters};
    *loss = (struct spool_loss){
        .transactions = last.transactions - state.transactions,
        .records = missing(last.records, counts.records),
        .dead_letters = missing(last.dead_letters, counts.dead_letters),
        .records_before = last.records,
        .dead_letters_before = last.dead_letters,
    };
    if (records_are_held)
        loss->records = loss->transactions = 0;
    state.transactions = last.transactions;
    state.records = counts.records;
    state.dead_letters = counts.dead_letters;
    state.lost.transactions += loss->transactions;
    state.lost.records += loss->records;
    state.lost.dead_letters += loss->dead_letters;
    if (memcmp(&state, &found, sizeof(state)) != 0)
        code = spool_sql_run(
            &file->sql, &write,
            SPOOL_VALUES(spool_integer(state.transactions), spool_integer(state.records),
                         spool_integer(state.dead_letters), spool_integer(state.lost.transactions),
                         spool_integer(state.lost.records), spool_integer(state.lost.dead_letters)),
            err);
    if (code == ERROR_NONE)
        spool_place_note(&file->place, &(struct spool_left){state.transactions, state.records,
                                                            state.dead_letters});
    return code;
}
