/* kube_watch: how far a watch is safe: never one document further than what was acknowledged. */
#include "sidecar/kube/kube_watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define EVENT(version)                                                                             \
    "{\"type\":\"MODIFIED\",\"object\":{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":"      \
    "{\"uid\":\"u\",\"resourceVersion\":\"" version "\"}}}\n"

struct world {
    struct kube_session session;
    struct kube_watch watch;
    unsigned documents;
};

static void on_document(void *context, struct connection *connection, struct text line)
{
    struct world *world = context;
    assert_int_equal(connection->id, 1);
    assert_true(line.length > 0);
    world->documents++;
}

/* A watch whose answer has begun: events come to it as lines. */
static int set_up(void **state)
{
    struct world *world = test_calloc(1, sizeof(*world));
    world->session.json = json_new();
    assert_non_null(world->session.json);
    world->session.events = (struct source_events){.context = world, .document = on_document};
    world->watch.session = &world->session;
    world->watch.reflector.request = REFLECTOR_WATCH;
    world->watch.connection.id = 1;
    world->watch.body = KUBE_BODY_LINES;
    world->watch.request =
        (struct http_request *)world; /* there is one; nothing more comes from it */
    input_init(&world->watch.input, INPUT_LINES, 1 << 20);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    input_fini(&world->watch.input);
    json_free(world->session.json);
    test_free(world);
    return 0;
}

/* Delivers so many events that have come. */
static void deliver(struct world *world, const char *lines, unsigned count)
{
    size_t room = 0;
    char *start = input_room(&world->watch.input, &room);
    assert_true(start != NULL && room >= strlen(lines));
    memcpy(start, lines, strlen(lines));
    input_fed(&world->watch.input, strlen(lines));
    unsigned before = world->documents, work = count;
    assert_true(kube_watch_serve(&world->watch, &work));
    assert_int_equal(world->documents - before, count);
}

static void assert_safe(struct world *world, uint64_t documents, const char *version)
{
    struct kube_position position = {0};
    bool further = kube_watch_acknowledge(&world->watch, documents, &position);
    assert_string_equal(further ? position.version : "", version);
}

static void test_an_event_is_noted_once_it_is_acknowledged_itself(void **state)
{
    struct world *world = *state;
    deliver(world, EVENT("101"), 1);
    assert_safe(world, 0, "");
    deliver(world, EVENT("102"), 1);
    assert_safe(world, 0, "");
    assert_safe(world, 1, "101");
    assert_safe(world, 1, "");
    assert_safe(world, 2, "102");
    assert_safe(world, 2, "");
}

static void test_many_events_are_noted_late_not_early(void **state)
{
    struct world *world = *state;
    deliver(world, EVENT("101") EVENT("102") EVENT("103") EVENT("104"), 4);
    assert_safe(world, 3, "101");
    deliver(world, EVENT("105"), 1);
    assert_safe(world, 4, "104");
    assert_safe(world, 5, "105");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_an_event_is_noted_once_it_is_acknowledged_itself),
        TEST(test_many_events_are_noted_late_not_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
