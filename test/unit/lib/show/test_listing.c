/* listing: rows as the database gives them, as tables and as JSON. */
#include "lib/show/listing.h"

#include "lib/base/timestamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define LIMIT ((size_t)1 << 20)

struct world {
    struct listing listing;
    struct text values[TABLE_MAX_COLUMNS];
};

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    world->listing.json = json_new();
    assert_non_null(world->listing.json);
    assert_int_equal(timestamp_parse(TEXT("2026-01-10T00:00:00Z"), &world->listing.now_us),
                     ERROR_NONE);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    json_free(world->listing.json);
    free(world);
    return 0;
}

static void fill_job(struct world *world)
{
    world->listing.table = &table_job;
    world->values[JOB_NAMESPACE] = TEXT("team");
    world->values[JOB_NAME] = TEXT("train");
    world->values[JOB_UID] = TEXT("u-1");
    world->values[JOB_KIND] = TEXT("TFJob");
    world->values[JOB_STATUS] = TEXT("Failed");
    world->values[JOB_RESOURCES] =
        TEXT("{\"PS\":{\"resources\":{},\"replicas\":1},\"Worker\":{\"resources\":{\"limits\":{"
             "\"nvidia.com/gpu\":\"2\"}},\"replicas\":3}}");
    world->values[JOB_CREATED] = TEXT("2026-01-01 00:00:00");
    world->values[JOB_RUNNING] = TEXT("2026-01-01 01:00:00");
    world->values[JOB_FINISHED] = TEXT("2026-01-01 04:05:00");
    world->values[JOB_DELETED] = TEXT("1");
    world->values[JOB_IN_ETCD] = TEXT("0");
}

/* The row, without the head. */
static void assert_row(struct world *world, const char *expected)
{
    struct columns columns;
    struct buffer out;
    buffer_init(&out, LIMIT);
    listing_begin(&world->listing, &columns);
    listing_add(&world->listing, world->values, &columns);
    columns_append(&columns, &out);
    const char *text = buffer_cstring(&out);
    assert_non_null(text);
    const char *row = strchr(text, '\n');
    assert_non_null(row);
    assert_string_equal(row + 1, expected);
    buffer_fini(&out);
    columns_fini(&columns);
}

static void assert_json(struct world *world, const char *member)
{
    struct buffer out;
    const json_value *root;
    struct error err;
    buffer_init(&out, LIMIT);
    listing_append_json(&world->listing, world->values, &out);
    const char *text = buffer_cstring(&out);
    assert_non_null(text);
    if (strstr(text, member) == NULL)
        fail_msg("%s is not in %s", member, text);
    assert_int_equal(json_read(world->listing.json, buffer_text(&out), &root, &err), JSON_OK);
    buffer_fini(&out);
}

static void test_job_that_is_gone(void **state)
{
    struct world *world = *state;
    fill_job(world);
    assert_row(world,
               "team        train   TFJob   Failed   PS:1,Worker:3   6      3h5m       9d    "
               "no\n");
}

static void test_job_that_runs(void **state)
{
    struct world *world = *state;
    fill_job(world);
    world->values[JOB_STATUS] = TEXT("Running");
    world->values[JOB_FINISHED] = (struct text){0};
    world->values[JOB_DELETED] = TEXT("0");
    world->values[JOB_IN_ETCD] = TEXT("1");
    assert_row(world,
               "team        train   TFJob   Running   PS:1,Worker:3   6      8d         9d   "
               " yes\n");
}

static void test_row_of_nulls(void **state)
{
    struct world *world = *state;
    world->listing.table = &table_job;
    assert_row(world, "<none>      <none>   <none>   <none>   <unknown>   <unknown>   <none>     "
                      "<unknown>   no\n");
    world->listing.table = &table_pod;
    assert_row(world, "<none>   <none>   <none>   <none>      <none>   <none>     <unknown>   "
                      "<none>   <none>\n");
}

static void test_gpus_of_all_kinds_are_added_up(void **state)
{
    static const struct {
        const char *resources;
        const char *replicas, *gpus;
    } cases[] = {
        {"{\"W\":{\"resources\":{\"limits\":{\"amd.com/gpu\":\"1\",\"cpu\":\"9\"},"
         "\"requests\":{\"amd.com/gpu\":\"1\"}},\"replicas\":4}}",
         "W:4", "4"},
        {"{\"A\":{\"resources\":{\"requests\":{\"nvidia.com/gpu\":\"2\"}},\"replicas\":2},"
         "\"B\":{\"resources\":{\"limits\":{\"nvidia.com/gpu\":\"500m\"}},\"replicas\":1}}",
         "A:2,B:1", "4500m"},
        {"{\"W\":{\"resources\":{\"limits\":{\"nvidia.com/gpu\":\"nonsense\"}},\"replicas\":-3}}",
         "W:-3", "0"},
        {"{}", "<none>", "0"},
        {"{\"W\":null,\"X\":[1]}", "W:0,X:0", "0"},
        {"{\"W\":{\"resources\":{\"lim...[cut]", "<unknown>", "<unknown>"},
        {"", "<unknown>", "<unknown>"},
    };
    struct world *world = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char expected[256];
        memset(world->values, 0, sizeof(world->values));
        world->listing.table = &table_job;
        world->values[JOB_RESOURCES] = text_from(cases[i].resources);
        (void)snprintf(expected, sizeof(expected),
                       "<none>      <none>   <none>   <none>   %-*s   %-*s   <none>     <unknown>  "
                       " no\n",
                       strlen(cases[i].replicas) > 8 ? (int)strlen(cases[i].replicas) : 8,
                       cases[i].replicas,
                       strlen(cases[i].gpus) > 4 ? (int)strlen(cases[i].gpus) : 4, cases[i].gpus);
        assert_row(world, expected);
    }
}

static void test_pod_and_why_it_failed(void **state)
{
    struct world *world = *state;
    world->listing.table = &table_pod;
    world->values[POD_NAME] = TEXT("train-worker-0");
    world->values[POD_REPLICA_TYPE] = TEXT("worker");
    world->values[POD_STATUS] = TEXT("Failed");
    world->values[POD_HOST_IP] = TEXT("10.0.0.1");
    world->values[POD_CREATED] = TEXT("2026-01-09 00:00:00");
    world->values[POD_STARTED] = TEXT("2026-01-09 00:00:10");
    world->values[POD_FINISHED] = TEXT("2026-01-09 00:00:40");
    world->values[POD_REMARK] =
        TEXT("Reason: OOMKilled\nExitCode: 137\nMessage: Traceback:\n  x\nMemory\x1b[0m\n \n");
    assert_row(world, "train-worker-0   worker   Failed   137         OOMKilled   30s        24h   "
                      "10.0.0.1   Memory\\x1b[0m\n");
    world->values[POD_REMARK] = TEXT("something else");
    assert_row(world,
               "train-worker-0   worker   Failed   <none>      something else   30s        24h   "
               "10.0.0.1   <none>\n");
    world->values[POD_REMARK] = TEXT("Reason: \nExitCode: 1\nMessage: ");
    assert_row(world, "train-worker-0   worker   Failed   1           <none>   30s        24h   "
                      "10.0.0.1   <none>\n");
}

static void test_json_has_every_column(void **state)
{
    struct world *world = *state;
    fill_job(world);
    for (size_t i = 0; i < table_job.column_count; i++) {
        char key[64];
        (void)snprintf(key, sizeof(key), "\"%s\":", table_job.columns[i].name);
        assert_json(world, key);
    }
    assert_json(world, "\"gmt_created\":\"2026-01-01T00:00:00Z\"");
    assert_json(world, "\"resources\":{\"PS\":{");
    assert_json(world, "\"deleted\":1,\"is_in_etcd\":0");
    assert_json(world, "\"owner\":null");
}

static void test_json_of_values_that_are_not_what_they_should_be(void **state)
{
    struct world *world = *state;
    fill_job(world);
    world->values[JOB_RESOURCES] = TEXT("{\"PS\":...[cut]");
    world->values[JOB_CREATED] = TEXT("0000-00-00 00:00:00");
    world->values[JOB_DELETED] = TEXT("01");
    world->values[JOB_NAME] = TEXT("\x1b\xc2\x9b\xff\"");
    assert_json(world, "\"resources\":\"{\\\"PS\\\":...[cut]\"");
    assert_json(world, "\"gmt_created\":null");
    assert_json(world, "\"deleted\":\"01\"");
    assert_json(world, "\"name\":\"\\u001b\\u009b\\ufffd\\\"\"");
}

static void test_times(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "2026-01-01",
                                        "0000-00-00 00:00:00",
                                        "2026-01-01 00:00:00.1234567",
                                        "2026-13-01 00:00:00",
                                        "2026-01-01 00:00:00Z"};
    int64_t microseconds, expected;
    assert_true(listing_time(TEXT("2026-01-02 03:04:05"), &microseconds));
    assert_int_equal(timestamp_parse(TEXT("2026-01-02T03:04:05Z"), &expected), ERROR_NONE);
    assert_true(microseconds == expected);
    assert_true(listing_time(TEXT("2026-01-02 03:04:05.5"), &microseconds));
    assert_true(microseconds == expected + 500000);
    assert_false(listing_time((struct text){NULL, 0}, &microseconds));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(listing_time(text_from(wrong[i]), &microseconds));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_job_that_is_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_job_that_runs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_row_of_nulls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_gpus_of_all_kinds_are_added_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pod_and_why_it_failed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_json_has_every_column, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_json_of_values_that_are_not_what_they_should_be,
                                        set_up, tear_down),
        cmocka_unit_test(test_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
