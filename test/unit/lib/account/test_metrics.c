/* metrics: Prometheus' text format to the letter, and that every series is there once. */
#include "lib/account/metrics.h"

#include "lib/base/text.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct exposition {
    struct metrics metrics;
    struct buffer text;
    const char *string;
};

static size_t number_of(const char *api_version, const char *kind)
{
    return metrics_kind(resource_find(text_from(api_version), text_from(kind)));
}

static int set_up(void **state)
{
    struct exposition *exposition = test_calloc(1, sizeof(*exposition));
    metrics_init(&exposition->metrics);
    buffer_init(&exposition->text, 1U << 20);
    *state = exposition;
    return 0;
}

static int tear_down(void **state)
{
    struct exposition *exposition = *state;
    buffer_fini(&exposition->text);
    test_free(exposition);
    return 0;
}

static const char *expose(struct exposition *exposition)
{
    buffer_reset(&exposition->text);
    metrics_expose(&exposition->text, &exposition->metrics);
    exposition->string = buffer_cstring(&exposition->text);
    assert_non_null(exposition->string);
    return exposition->string;
}

/* True if the text has this line. */
static bool has_line(struct exposition *exposition, const char *line)
{
    size_t length = strlen(line);
    const char *place = exposition->string;
    while ((place = strstr(place, line)) != NULL) {
        if ((place == exposition->string || place[-1] == '\n') && place[length] == '\n')
            return true;
        place += length;
    }
    return false;
}

static void assert_line(struct exposition *exposition, const char *line)
{
    if (!has_line(exposition, line))
        fail_msg("no line \"%s\" in:\n%s", line, exposition->string);
}

static void assert_absent(struct exposition *exposition, const char *part)
{
    if (strstr(exposition->string, part) != NULL)
        fail_msg("\"%s\" is in:\n%s", part, exposition->string);
}

static void test_a_counter_starts_at_nothing(void **state)
{
    struct exposition *exposition = *state;
    expose(exposition);
    assert_line(exposition, "# HELP kubedl_shipper_batches_total Transactions that were committed, "
                            "since the spool was made.");
    assert_line(exposition, "# TYPE kubedl_shipper_batches_total counter");
    assert_line(exposition, "kubedl_shipper_batches_total 0");
    assert_line(exposition, "kubedl_shipper_database_errors_total{class=\"operator\"} 0");
}

static void test_a_counter_holds_all_its_bits(void **state)
{
    struct exposition *exposition = *state;
    exposition->metrics.batches = UINT64_MAX;
    expose(exposition);
    assert_line(exposition, "kubedl_shipper_batches_total 18446744073709551615");
}

static void test_labels_name_the_place_in_the_array(void **state)
{
    struct exposition *exposition = *state;
    exposition->metrics.reconnects[DBERROR_ELSEWHERE] = 3;
    exposition->metrics.sweeps[METRICS_SWEEP_REFUSED] = 4;
    exposition->metrics.documents[WATCH_NOT_JSON] = 5;
    exposition->metrics.pending_rows[1] = 6;
    exposition->metrics.rows[1][2] = 7;
    expose(exposition);
    assert_line(exposition, "kubedl_shipper_reconnects_total{cause=\"elsewhere\"} 3");
    assert_line(exposition, "kubedl_shipper_sweeps_total{result=\"refused\"} 4");
    assert_line(exposition, "kubedl_shipper_documents_total{fate=\"not_json\"} 5");
    assert_line(exposition, "kubedl_shipper_pending_rows{table=\"replica_info\"} 6");
    assert_line(exposition, "kubedl_shipper_rows_total{table=\"replica_info\",fate=\"written\"} 7");
    assert_line(exposition, "kubedl_shipper_rows_total{table=\"job_info\",fate=\"written\"} 0");
}

static void test_what_goes_down_again_is_no_counter(void **state)
{
    struct exposition *exposition = *state;
    expose(exposition);
    assert_absent(exposition, "fate=\"held\"");
}

static void test_of_events_only_what_there_was(void **state)
{
    struct exposition *exposition = *state;
    struct metrics *metrics = &exposition->metrics;
    expose(exposition);
    assert_line(exposition, "# TYPE kubedl_shipper_events_total counter");
    assert_absent(exposition, "kubedl_shipper_events_total{");
    metrics->events[WATCH_TYPE_DELETED][number_of("v1", "Pod")][WATCH_ROW] = 2;
    metrics->events[WATCH_TYPE_ADDED][number_of("kubeflow.org/v1", "TFJob")][WATCH_BAD_UID] = 3;
    metrics->events[WATCH_TYPE_OTHER][number_of("", "")][WATCH_NO_MEMORY] = 4;
    expose(exposition);
    assert_line(
        exposition,
        "kubedl_shipper_events_total{type=\"deleted\",kind=\"Pod\",api_group=\"\",fate=\"row\"} 2");
    assert_line(exposition, "kubedl_shipper_events_total{type=\"added\",kind=\"TFJob\",api_group="
                            "\"kubeflow.org\",fate=\"bad_uid\"} 3");
    assert_line(exposition, "kubedl_shipper_events_total{type=\"other\",kind=\"other\",api_group="
                            "\"\",fate=\"no_memory\"} 4");
}

static void test_kinds_that_are_not_recorded_share_one(void **state)
{
    (void)state;
    assert_int_equal(number_of("v1", "Node"), METRICS_KIND_OTHER);
    assert_int_equal(number_of("v1", "pod"), METRICS_KIND_OTHER);
    assert_int_not_equal(number_of("training.kubedl.io/v1alpha1", "TFJob"),
                         number_of("kubeflow.org/v1", "TFJob"));
    assert_int_not_equal(number_of("v1", "Pod"), number_of("kubeflow.org/v1", "TFJob"));
}

static void test_gauges_say_what_is_known(void **state)
{
    struct exposition *exposition = *state;
    struct metrics *metrics = &exposition->metrics;
    expose(exposition);
    assert_absent(exposition, "\nkubedl_shipper_spool_bytes ");
    metrics->spool_bytes = 0;
    metrics->oldest_unwritten = 0.25;
    metrics->outage_left = INFINITY;
    metrics->start_time = 1795826445.125;
    metrics->spool_limit_bytes = 1099511627776.0;
    expose(exposition);
    assert_line(exposition, "kubedl_shipper_spool_bytes 0");
    assert_line(exposition, "kubedl_shipper_oldest_unwritten_seconds 0.25");
    assert_line(exposition, "kubedl_shipper_spool_outage_seconds_left +Inf");
    assert_line(exposition, "process_start_time_seconds 1795826445.125");
    assert_line(exposition, "kubedl_shipper_spool_limit_bytes 1099511627776");
}

static void test_what_is_not_watched_has_a_reason(void **state)
{
    struct exposition *exposition = *state;
    expose(exposition);
    assert_absent(exposition, "source_unwatched{");
    exposition->metrics.unwatched[number_of("v1", "Pod")] = "no_answer";
    exposition->metrics.unwatched[number_of("kubeflow.org/v2beta1", "MPIJob")] = "forbidden";
    expose(exposition);
    assert_line(
        exposition,
        "kubedl_shipper_source_unwatched{kind=\"Pod\",api_group=\"\",reason=\"no_answer\"} 1");
    assert_line(exposition,
                "kubedl_shipper_source_unwatched{kind=\"MPIJob\",api_group=\"kubeflow.org\","
                "reason=\"forbidden\"} 1");
}

static void test_texts_are_escaped(void **state)
{
    struct exposition *exposition = *state;
    struct metrics *metrics = &exposition->metrics;
    metrics->database[METRICS_DATABASE_VERSION] = "8.0 \"x\\y\"\nz\xff\xc3\xa9";
    metrics->database[METRICS_DATABASE_TLS] = "TLSv1.3";
    metrics->database[METRICS_DATABASE_CIPHER] = "";
    expose(exposition);
    assert_line(exposition,
                "kubedl_shipper_database_info{version=\"8.0 \\\"x\\\\y\\\"\\nz?\xc3\xa9\","
                "tls_version=\"TLSv1.3\",tls_cipher=\"\"} 1");
    assert_absent(exposition, "kubedl_shipper_build_info{");
}

static void test_a_histogram_is_cumulative(void **state)
{
    struct exposition *exposition = *state;
    struct histogram *lag = &exposition->metrics.lag_us;
    histogram_observe(lag, 0);
    histogram_observe(lag, 5000); /* a bound belongs to what lies below it */
    histogram_observe(lag, 5001);
    histogram_observe(lag, 200000);
    histogram_observe(lag, UINT64_C(86400000000));
    expose(exposition);
    assert_line(exposition, "# TYPE kubedl_shipper_event_to_commit_seconds histogram");
    assert_line(exposition, "kubedl_shipper_event_to_commit_seconds_bucket{le=\"0.005\"} 2");
    assert_line(exposition, "kubedl_shipper_event_to_commit_seconds_bucket{le=\"0.01\"} 3");
    assert_line(exposition, "kubedl_shipper_event_to_commit_seconds_bucket{le=\"0.1\"} 3");
    assert_line(exposition, "kubedl_shipper_event_to_commit_seconds_bucket{le=\"0.25\"} 4");
    assert_line(exposition, "kubedl_shipper_event_to_commit_seconds_bucket{le=\"10800\"} 4");
    assert_line(exposition, "kubedl_shipper_event_to_commit_seconds_bucket{le=\"+Inf\"} 5");
    assert_line(exposition, "kubedl_shipper_event_to_commit_seconds_sum 86400.210001");
    assert_line(exposition, "kubedl_shipper_event_to_commit_seconds_count 5");
}

static void test_a_histogram_of_rows_has_no_fractions(void **state)
{
    struct exposition *exposition = *state;
    histogram_observe(&exposition->metrics.batch_rows, 256);
    histogram_observe(&exposition->metrics.batch_rows, 2000);
    expose(exposition);
    assert_line(exposition, "kubedl_shipper_batch_rows_bucket{le=\"128\"} 0");
    assert_line(exposition, "kubedl_shipper_batch_rows_bucket{le=\"256\"} 1");
    assert_line(exposition, "kubedl_shipper_batch_rows_bucket{le=\"1024\"} 1");
    assert_line(exposition, "kubedl_shipper_batch_rows_bucket{le=\"+Inf\"} 2");
    assert_line(exposition, "kubedl_shipper_batch_rows_sum 2256");
}

/* All the reals known and all the counters of events set. */
static void fill(struct metrics *metrics)
{
    for (size_t i = 0; i < sizeof(metrics->events) / sizeof(uint64_t); i++)
        (&metrics->events[0][0][0])[i] = 1;
    metrics->pending_rows[0] = metrics->pending_rows[1] = 1;
    metrics->build[0] = "1";
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The shape of a field and its labels say the same, or two series would have one name. */
static void test_no_series_is_there_twice(void **state)
{
    struct exposition *exposition = *state;
    fill(&exposition->metrics);
    char *text = strdup(expose(exposition));
    char *names[8192];
    size_t count = 0;
    for (char *rest = text, *line; (line = strtok_r(rest, "\n", &rest)) != NULL;) {
        if (line[0] == '#')
            continue;
        *strrchr(line, ' ') = '\0';
        assert_true(count < sizeof(names) / sizeof(names[0]));
        names[count++] = line;
    }
    assert_true(count > WATCH_TYPE_COUNT * WATCH_FATE_COUNT);
    qsort(names, count, sizeof(names[0]), compare);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(names[i - 1], names[i]) == 0)
            fail_msg("twice: %s", names[i]);
    }
    free(text);
}

static void test_every_metric_is_in_the_list_for_people(void **state)
{
    struct exposition *exposition = *state;
    struct buffer list;
    buffer_init(&list, 1U << 20);
    metrics_markdown(&list);
    const char *markdown = buffer_cstring(&list);
    assert_non_null(markdown);
    assert_non_null(strstr(markdown,
                           "\n| `kubedl_shipper_events_total` | counter | `type`, `kind`, "
                           "`api_group`, "
                           "`fate` | Documents "));
    const char *line = expose(exposition);
    size_t count = 0;
    while ((line = strstr(line, "# TYPE ")) != NULL) {
        char entry[128];
        line += strlen("# TYPE ");
        int length = (int)strcspn(line, " ");
        snprintf(entry, sizeof(entry), "\n| `%.*s` | ", length, line);
        assert_non_null(strstr(markdown, entry));
        count++;
    }
    assert_true(count > 30);
    buffer_fini(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_a_counter_starts_at_nothing),
        TEST(test_a_counter_holds_all_its_bits),
        TEST(test_labels_name_the_place_in_the_array),
        TEST(test_what_goes_down_again_is_no_counter),
        TEST(test_of_events_only_what_there_was),
        TEST(test_kinds_that_are_not_recorded_share_one),
        TEST(test_gauges_say_what_is_known),
        TEST(test_what_is_not_watched_has_a_reason),
        TEST(test_texts_are_escaped),
        TEST(test_a_histogram_is_cumulative),
        TEST(test_a_histogram_of_rows_has_no_fractions),
        TEST(test_no_series_is_there_twice),
        TEST(test_every_metric_is_in_the_list_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
