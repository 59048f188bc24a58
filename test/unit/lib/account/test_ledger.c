/* ledger: it adds up, it says when it does not, and it survives a restart. */
#include "lib/account/ledger.h"
#include "test/support/rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct fixture {
    struct outbox *outbox;
    struct batch batch;
    struct ledger ledger;
    struct ledger kept; /* what a spool would have of it */
};

static int set_up(void **state)
{
    static const struct outbox_limits limits = {.max_rows = 100, .max_bytes = 1 << 20, .lanes = 1};
    struct fixture *fixture = test_calloc(1, sizeof(*fixture));
    struct error err;
    fixture->outbox = outbox_new(&limits);
    assert_int_equal(batch_init(&fixture->batch, 8, &err), ERROR_NONE);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    outbox_free(fixture->outbox);
    batch_fini(&fixture->batch);
    test_free(fixture);
    return 0;
}

static void receive(struct fixture *fixture, const char *uid, const char *version)
{
    struct error err;
    assert_int_equal(outbox_put(fixture->outbox, job_row(uid, version, 1), &err), ERROR_NONE);
    fixture->ledger.fates[WATCH_ROW]++;
    fixture->ledger.rows[0].received++;
}

static void write_all(struct fixture *fixture)
{
    assert_true(outbox_take(fixture->outbox, 0, 8, SIZE_MAX, &fixture->batch));
    for (size_t i = 0; i < fixture->batch.count; i++) {
        outbox_done(fixture->outbox, &fixture->batch, i);
        fixture->ledger.rows[0].written++;
    }
}

static void keep(void *context, const char *name, uint64_t value)
{
    struct fixture *fixture = context;
    ledger_add_number(&fixture->kept, text_from(name), value);
}

static void test_it_balances_at_every_step(void **state)
{
    struct fixture *fixture = *state;
    assert_true(ledger_balances(&fixture->ledger, fixture->outbox));
    receive(fixture, "a", "1");
    receive(fixture, "a", "2");
    receive(fixture, "b", "1");
    assert_true(ledger_balances(&fixture->ledger, fixture->outbox));
    struct ledger_rows rows = ledger_all_rows(&fixture->ledger, fixture->outbox);
    assert_int_equal(rows.received, 3);
    assert_int_equal(rows.superseded, 1);
    assert_int_equal(rows.held, 2);
    write_all(fixture);
    assert_true(ledger_balances(&fixture->ledger, fixture->outbox));
    fixture->ledger.rows[0].received--; /* a row from nowhere */
    assert_false(ledger_balances(&fixture->ledger, fixture->outbox));
}

static void test_a_document_without_a_row_does_not_balance(void **state)
{
    struct fixture *fixture = *state;
    fixture->ledger.fates[WATCH_ROW]++;
    assert_false(ledger_balances(&fixture->ledger, fixture->outbox));
}

static void test_sums_by_class(void **state)
{
    struct fixture *fixture = *state;
    fixture->ledger.fates[WATCH_ROW] = 1;
    fixture->ledger.fates[WATCH_BOOKMARK] = 10;
    fixture->ledger.fates[WATCH_OTHER_KIND] = 20;
    fixture->ledger.fates[WATCH_NOT_JSON] = 100;
    assert_int_equal(ledger_received(&fixture->ledger), 131);
    assert_int_equal(ledger_of_class(&fixture->ledger, WATCH_CLASS_FILTERED), 30);
    assert_int_equal(ledger_of_class(&fixture->ledger, WATCH_CLASS_INVALID), 100);
}

static void test_every_account_is_kept_under_a_name_of_its_own(void **state)
{
    struct fixture *fixture = *state;
    uint64_t *accounts = (uint64_t *)&fixture->ledger;
    for (size_t i = 0; i < sizeof(struct ledger) / sizeof(uint64_t); i++)
        accounts[i] = 1000 + i;
    ledger_numbers(&fixture->ledger, fixture->outbox, keep, fixture);
    assert_memory_equal(&fixture->kept, &fixture->ledger, sizeof(struct ledger));
}

static void test_unknown_numbers_are_ignored(void **state)
{
    struct fixture *fixture = *state;
    const struct ledger nothing = {0};
    ledger_add_number(&fixture->ledger, TEXT("documents.of_the_future"), 7);
    assert_memory_equal(&fixture->ledger, &nothing, sizeof(nothing));
}

/* After a restart the outbox holds only what has come back. */
static bool balances_after_restart(const struct fixture *fixture, uint64_t in_memory)
{
    struct ledger_rows rows = fixture->kept.rows[0];
    rows.held += in_memory;
    return ledger_rows_balance(&rows);
}

static void test_it_balances_while_rows_come_back(void **state)
{
    struct fixture *fixture = *state;
    receive(fixture, "a", "1");
    receive(fixture, "b", "1");
    ledger_numbers(&fixture->ledger, fixture->outbox, keep, fixture);
    assert_true(balances_after_restart(fixture, 0));
    ledger_restore(&fixture->kept, 0);
    assert_true(balances_after_restart(fixture, 1));
    ledger_restore(&fixture->kept, 0);
    ledger_settle(&fixture->kept);
    assert_true(balances_after_restart(fixture, 2));
    assert_int_equal(fixture->kept.rows[0].unsaved, 0);
    assert_int_equal(fixture->kept.rows[0].repeated, 0);
}

static void test_rows_that_a_kill_lost_are_unsaved(void **state)
{
    struct fixture *fixture = *state;
    receive(fixture, "a", "1");
    receive(fixture, "b", "1");
    receive(fixture, "c", "1");
    ledger_numbers(&fixture->ledger, fixture->outbox, keep, fixture);
    ledger_restore(&fixture->kept, 0);
    ledger_quarantine(&fixture->kept, 0);
    ledger_settle(&fixture->kept); /* the third was not on disk yet */
    assert_int_equal(fixture->kept.rows[0].unsaved, 1);
    assert_int_equal(fixture->kept.rows[0].quarantined, 1);
    assert_int_equal(fixture->kept.rows[0].repeated, 0);
    assert_true(balances_after_restart(fixture, 1));
}

static void test_rows_that_were_written_but_not_forgotten_are_repeated(void **state)
{
    struct fixture *fixture = *state;
    receive(fixture, "a", "1");
    receive(fixture, "b", "1");
    write_all(fixture);
    ledger_numbers(&fixture->ledger, fixture->outbox, keep, fixture);
    ledger_restore(&fixture->kept, 0); /* one of them is still on disk */
    ledger_settle(&fixture->kept);
    assert_int_equal(fixture->kept.rows[0].repeated, 1);
    assert_true(balances_after_restart(fixture, 1));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_it_balances_at_every_step),
        TEST(test_a_document_without_a_row_does_not_balance),
        TEST(test_sums_by_class),
        TEST(test_every_account_is_kept_under_a_name_of_its_own),
        TEST(test_unknown_numbers_are_ignored),
        TEST(test_it_balances_while_rows_come_back),
        TEST(test_rows_that_a_kill_lost_are_unsaved),
        TEST(test_rows_that_were_written_but_not_forgotten_are_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
