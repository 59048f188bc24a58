/* intake without memory: a document is kept and acknowledged, or neither. Every allocation of our own is
 * refused once. */
#include "sidecar/pipeline/intake.h"
#include "sidecar/source/connection.h"
#include "test/fault/refusal.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct world {
    struct config config;
    struct ledger ledger;
    struct metrics metrics;
    struct outbox *outbox;
    struct acks acks;
    struct source source;
    struct connection connection;
    struct sweep *sweep;
    struct logger *logger;
    struct intake *intake;
    struct source_events events;
    unsigned no_memory;
    uint64_t acknowledged;
};

static void on_no_memory(void *context)
{
    ((struct world *)context)->no_memory++;
}

static void on_nothing(void *context)
{
    (void)context;
}

static void open_world(struct world *world)
{
    *world = (struct world){.config = {.cluster_id = "c"}};
    int log = open("/dev/null", O_WRONLY | O_CLOEXEC);
    assert_int_equal(logger_new(log, LOG_LEVEL_DEBUG, LOG_FORMAT_JSON, &world->logger, NULL),
                     ERROR_NONE);
    const struct outbox_limits limits = {.max_rows = 10, .max_bytes = 1 << 20, .lanes = 1};
    world->outbox = outbox_new(&limits);
    acks_init(&world->acks);
    world->connection.id = 1;
    world->connection.source = &world->source;
    const struct sweep_settings sweep = {.cluster_id = "c",
                                         .namespace = "",
                                         .outbox = world->outbox,
                                         .ledger = &world->ledger,
                                         .metrics = &world->metrics,
                                         .logger = world->logger};
    world->sweep = sweep_new(&sweep);
    const struct intake_settings settings = {.config = &world->config,
                                             .outbox = world->outbox,
                                             .ledger = &world->ledger,
                                             .metrics = &world->metrics,
                                             .acks = &world->acks,
                                             .sweep = world->sweep,
                                             .logger = world->logger,
                                             .stored = on_nothing,
                                             .no_memory = on_no_memory,
                                             .finished = on_nothing,
                                             .context = world};
    world->intake = intake_new(&settings);
    world->events = intake_events(world->intake);
    world->events.opened(world->events.context, &world->connection);
}

static void close_world(struct world *world)
{
    intake_free(world->intake);
    sweep_free(world->sweep);
    outbox_free(world->outbox);
    logger_free(world->logger);
}

static void acknowledge(void *context, struct acks_connection *connection, uint64_t documents)
{
    struct world *world = context;
    assert_ptr_equal(connection_of_acks(connection), &world->connection);
    world->acknowledged = documents;
}

static uint64_t acknowledged(struct world *world)
{
    acks_checkpoint(&world->acks, 1);
    acks_settle(&world->acks, UINT64_MAX, acknowledge, world);
    return world->acknowledged;
}

static void check_document(struct text document, bool is_row)
{
    unsigned refused = 0, missed = 0;
    for (bool reached = true; reached; refused++) {
        struct world world;
        open_world(&world);
        refuse(0, refused, 1);
        world.events.document(world.events.context, &world.connection, document);
        reached = refuse_none() == 0;
        size_t kept = outbox_counts(world.outbox).pending;
        assert_int_equal(ledger_received(&world.ledger), 1);
        assert_int_equal(world.ledger.fates[WATCH_NO_MEMORY], world.no_memory);
        assert_int_equal(acknowledged(&world), world.no_memory > 0 ? 0 : 1);
        assert_int_equal(kept, is_row && world.no_memory == 0 ? 1 : 0);
        missed += world.no_memory;
        close_world(&world);
    }
    assert_true(missed >= 1);
}

static void test_a_job_is_kept_and_acknowledged_or_neither(void **state)
{
    (void)state;
    check_document(
        TEXT("{\"type\":\"ADDED\",\"object\":{\"kind\":\"TFJob\","
             "\"apiVersion\":\"training.kubedl.io/v1alpha1\",\"metadata\":{\"uid\":\"u\","
             "\"resourceVersion\":\"7\",\"annotations\":"
             "{\"kubedl.io/tenancy\":\"{\\\"user\\\":\\\"u\\\"}\"}},"
             "\"spec\":{\"tfReplicaSpecs\":{\"PS\":{}}}}}"),
        true);
}

static void test_what_is_no_document_of_ours_is_not_taken_for_one(void **state)
{
    (void)state;
    check_document(
        TEXT("{\"type\":\"ADDED\",\"object\":{\"kind\":\"Service\",\"apiVersion\":\"v1\"}}"),
        false);
}

/* Its memory may be another connection's by then. */
static void test_the_connections_of_a_closed_source_are_let_go_of(void **state)
{
    struct world world;
    (void)state;
    open_world(&world);
    world.events.document(world.events.context, &world.connection, TEXT("{}"));
    intake_attach(world.intake, NULL);
    memset(&world.connection, 0xff, sizeof(world.connection));
    assert_int_equal(acknowledged(&world), 0);
    sweep_tick(world.sweep);
    assert_null(sweep_begin_again(world.sweep));
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_job_is_kept_and_acknowledged_or_neither),
        cmocka_unit_test(test_what_is_no_document_of_ours_is_not_taken_for_one),
        cmocka_unit_test(test_the_connections_of_a_closed_source_are_let_go_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
