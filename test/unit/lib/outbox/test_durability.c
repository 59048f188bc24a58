/* durability and acks: nothing is acknowledged before it is safe, and all is in the end. */
#include "lib/outbox/acks.h"
#include "lib/outbox/durability.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct fixture {
    struct durability *durability;
    struct acks acks;
    struct acks_connection connections[4];
    uint64_t acked[4]; /* by connection */
    unsigned calls;
};

static int set_up(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof(*fixture));
    fixture->durability = durability_new();
    acks_init(&fixture->acks);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    durability_free(fixture->durability);
    test_free(fixture);
    return 0;
}

static void acknowledge(void *context, struct acks_connection *acks, uint64_t documents)
{
    struct fixture *fixture = context;
    size_t connection = (size_t)(acks - fixture->connections);
    assert_true(documents > fixture->acked[connection]);
    fixture->acked[connection] = documents;
    fixture->calls++;
}

static void tick(struct fixture *fixture)
{
    acks_checkpoint(&fixture->acks, durability_epoch(fixture->durability));
    durability_advance(fixture->durability);
    acks_settle(&fixture->acks, durability_safe(fixture->durability), acknowledge, fixture);
}

static void test_the_present_epoch_is_never_safe(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(durability_epoch(fixture->durability), 1);
    assert_int_equal(durability_safe(fixture->durability), 0);
    durability_advance(fixture->durability);
    assert_int_equal(durability_safe(fixture->durability), 1);
}

static void test_a_held_epoch_keeps_later_ones_back(void **state)
{
    struct fixture *fixture = *state;
    struct durability *durability = fixture->durability;
    durability_hold(durability, 1);
    durability_advance(durability);
    durability_hold(durability, 2);
    durability_advance(durability);
    durability_release(durability, 2);
    assert_int_equal(durability_safe(durability), 0);
    durability_release(durability, 1);
    assert_int_equal(durability_safe(durability), 2);
}

static void test_an_epoch_needs_all_its_holds_released(void **state)
{
    struct fixture *fixture = *state;
    durability_hold(fixture->durability, 1);
    durability_hold(fixture->durability, 1);
    durability_advance(fixture->durability);
    durability_release(fixture->durability, 1);
    assert_int_equal(durability_safe(fixture->durability), 0);
    durability_release(fixture->durability, 1);
    assert_int_equal(durability_safe(fixture->durability), 1);
}

static void test_epochs_stand_still_when_too_many_are_held(void **state)
{
    struct fixture *fixture = *state;
    durability_hold(fixture->durability, 1);
    uint64_t last = 0;
    while (durability_epoch(fixture->durability) != last) {
        last = durability_epoch(fixture->durability);
        durability_advance(fixture->durability);
    }
    assert_true(last > 1000);
    durability_hold(fixture->durability, last);
    durability_release(fixture->durability, 1);
    assert_int_equal(durability_safe(fixture->durability), last - 1);
    durability_advance(fixture->durability);
    assert_int_equal(durability_epoch(fixture->durability), last + 1);
    durability_release(fixture->durability, last);
    assert_int_equal(durability_safe(fixture->durability), last);
}

static void test_documents_are_acknowledged_when_their_epoch_is_safe(void **state)
{
    struct fixture *fixture = *state;
    acks_opened(&fixture->acks, &fixture->connections[1]);
    acks_document(&fixture->connections[1]);
    durability_hold(fixture->durability, 1);
    tick(fixture);
    acks_document(&fixture->connections[1]);
    tick(fixture);
    assert_int_equal(fixture->calls, 0);
    durability_release(fixture->durability, 1);
    tick(fixture);
    assert_int_equal(fixture->acked[1], 2);
    assert_int_equal(fixture->calls, 1);
    tick(fixture);
    assert_int_equal(fixture->calls, 1); /* nothing new, nothing said */
}

static void test_connections_are_counted_apart(void **state)
{
    struct fixture *fixture = *state;
    acks_opened(&fixture->acks, &fixture->connections[1]);
    acks_opened(&fixture->acks, &fixture->connections[2]);
    for (int i = 0; i < 5; i++)
        acks_document(&fixture->connections[1]);
    acks_document(&fixture->connections[2]);
    tick(fixture);
    assert_int_equal(fixture->acked[1], 5);
    assert_int_equal(fixture->acked[2], 1);
    acks_document(&fixture->connections[1]);
    acks_closed(&fixture->acks, &fixture->connections[1]);
    tick(fixture);
    assert_int_equal(fixture->calls, 2);
}

static void test_many_checkpoints_make_acknowledgements_late_not_early(void **state)
{
    struct fixture *fixture = *state;
    acks_opened(&fixture->acks, &fixture->connections[1]);
    for (int i = 0; i < 300; i++) {
        acks_document(&fixture->connections[1]);
        durability_hold(fixture->durability, durability_epoch(fixture->durability));
        tick(fixture);
    }
    for (uint64_t epoch = 1; epoch <= 300; epoch++) {
        durability_release(fixture->durability, epoch);
        tick(fixture);
        assert_true(fixture->acked[1] <= epoch);
    }
    assert_int_equal(fixture->acked[1], 300);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_present_epoch_is_never_safe),
        TEST(test_a_held_epoch_keeps_later_ones_back),
        TEST(test_an_epoch_needs_all_its_holds_released),
        TEST(test_epochs_stand_still_when_too_many_are_held),
        TEST(test_documents_are_acknowledged_when_their_epoch_is_safe),
        TEST(test_connections_are_counted_apart),
        TEST(test_many_checkpoints_make_acknowledgements_late_not_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
