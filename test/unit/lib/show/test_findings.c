/* findings: the same for a person and for a program, whatever texts a server has put in. */
#include "lib/show/findings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/json/json.h"

struct world {
    struct findings findings;
    struct buffer out;
};

static int set_up(void **state)
{
    struct world *world = test_calloc(1, sizeof(*world));
    findings_init(&world->findings);
    buffer_init(&world->out, 1 << 16);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    assert_false(world->findings.failed);
    findings_fini(&world->findings);
    buffer_fini(&world->out);
    test_free(world);
    return 0;
}

static const char *as_text(struct world *world)
{
    buffer_reset(&world->out);
    findings_text(&world->out, &world->findings);
    return buffer_cstring(&world->out);
}

static const char *as_json(struct world *world)
{
    buffer_reset(&world->out);
    findings_json(&world->out, &world->findings);
    return buffer_cstring(&world->out);
}

static void add_one_of_each(struct world *world)
{
    struct findings *findings = &world->findings;
    findings_add(findings, FINDING_OK, "dns", "", "%s: %d address", "db", 1);
    findings_add(findings, FINDING_WARN, "tls", "switch it on", "none");
    findings_add(findings, FINDING_FAIL, "database", "make it:\nCREATE DATABASE a;\n", "missing");
    findings_add(findings, FINDING_SKIP, "grants", "", "not looked at");
}

static void test_text_has_a_line_for_each_and_its_advice_below(void **state)
{
    struct world *world = *state;
    add_one_of_each(world);
    assert_string_equal(as_text(world), "ok    dns         db: 1 address\n"
                                        "warn  tls         none\n"
                                        "      switch it on\n"
                                        "FAIL  database    missing\n"
                                        "      make it:\n"
                                        "      CREATE DATABASE a;\n"
                                        "skip  grants      not looked at\n");
}

static void test_json_is_one_document(void **state)
{
    struct world *world = *state;
    add_one_of_each(world);
    assert_string_equal(
        as_json(world),
        "{\"status\":\"fail\",\"checks\":["
        "{\"status\":\"ok\",\"name\":\"dns\",\"detail\":\"db: 1 address\"},"
        "{\"status\":\"warn\",\"name\":\"tls\",\"detail\":\"none\",\"advice\":[\"switch it on\"]},"
        "{\"status\":\"fail\",\"name\":\"database\",\"detail\":\"missing\",\"advice\":"
        "[\"make it:\",\"CREATE DATABASE a;\"]},"
        "{\"status\":\"skip\",\"name\":\"grants\",\"detail\":\"not looked at\"}]}\n");
}

static void test_nothing_found_is_well(void **state)
{
    struct world *world = *state;
    assert_string_equal(as_text(world), "");
    assert_string_equal(as_json(world), "{\"status\":\"ok\",\"checks\":[]}\n");
}

static void test_a_servers_words_do_no_harm(void **state)
{
    struct world *world = *state;
    const json_value *root;
    struct json *json = json_new();
    findings_add(&world->findings, FINDING_FAIL, "server", "\"\x1b\"", "\x1b[2J\"\\\xff");
    assert_null(strchr(as_text(world), '\x1b'));
    assert_int_equal(json_read(json, text_from(as_json(world)), &root, NULL), JSON_OK);
    json_free(json);
}

static void test_the_worst_counts(void **state)
{
    struct world *world = *state;
    struct findings *findings = &world->findings;
    assert_int_equal(findings_worst(findings, 0), FINDING_OK);
    findings_add(findings, FINDING_FAIL, "a", "", "a");
    findings_add(findings, FINDING_WARN, "b", "", "b");
    findings_add(findings, FINDING_OK, "c", "", "c");
    assert_int_equal(findings_worst(findings, 0), FINDING_FAIL);
    assert_int_equal(findings_worst(findings, 1), FINDING_WARN);
    assert_int_equal(findings_worst(findings, 2), FINDING_OK);
    assert_int_equal(findings_worst(findings, 3), FINDING_OK);
}

static void test_softening_is_for_some(void **state)
{
    struct world *world = *state;
    struct findings *findings = &world->findings;
    for (unsigned i = 0; i < 3; i++)
        findings_add(findings, FINDING_FAIL, "a", "", "%u", i);
    findings_add(findings, FINDING_OK, "a", "", "well");
    findings_soften(findings, 1, 4);
    assert_int_equal(findings->list[0].status, FINDING_FAIL);
    assert_int_equal(findings->list[1].status, FINDING_WARN);
    assert_int_equal(findings->list[2].status, FINDING_WARN);
    assert_int_equal(findings->list[3].status, FINDING_OK);
}

static void test_many_are_kept(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < 1000; i++)
        findings_add(&world->findings, FINDING_OK, "a", "", "%u", i);
    assert_int_equal(world->findings.count, 1000);
    assert_string_equal(world->findings.list[999].detail, "999");
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_text_has_a_line_for_each_and_its_advice_below),
        TEST(test_json_is_one_document),
        TEST(test_nothing_found_is_well),
        TEST(test_a_servers_words_do_no_harm),
        TEST(test_the_worst_counts),
        TEST(test_softening_is_for_some),
        TEST(test_many_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
