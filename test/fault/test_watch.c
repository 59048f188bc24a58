/* watch without memory: the event is lost and says so, and the next one is whole. Every allocation
 * of our own is refused once. */
#include "lib/kube/watch.h"
#include "test/fault/refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct watch_settings settings = {TEXT(""), TEXT("")};

static struct watch *new_watch(void)
{
    return watch_new(&settings);
}

/* With a new decoder each time, as memory that is used again is only missed the first time. */
static void check_line(struct text line)
{
    struct watch_result result;
    unsigned refused = 0;
    for (;; refused++) {
        struct watch *watch = new_watch();
        refuse(0, refused, 1);
        watch_decode(watch, line, 1, &result);
        bool reached = refuse_none() == 0;
        if (reached) {
            assert_int_equal(result.fate, WATCH_NO_MEMORY);
            assert_null(result.row);
            watch_decode(watch, line, 1, &result);
        }
        assert_int_equal(result.fate, WATCH_ROW);
        row_free(result.row);
        watch_free(watch);
        if (!reached)
            break;
    }
    assert_true(refused >= 3);
}

static void test_a_job_is_lost_whole_and_the_next_one_is_whole(void **state)
{
    (void)state;
    check_line(TEXT("{\"type\":\"ADDED\",\"object\":{\"kind\":\"TFJob\","
                    "\"apiVersion\":\"training.kubedl.io/v1alpha1\",\"metadata\":{\"uid\":\"u\","
                    "\"annotations\":{\"kubedl.io/tenancy\":\"{\\\"user\\\":\\\"u\\\"}\"}},"
                    "\"spec\":{\"tfReplicaSpecs\":{\"PS\":{}}}}}"));
}

static void test_a_pod_is_lost_whole_and_the_next_one_is_whole(void **state)
{
    (void)state;
    check_line(TEXT("{\"type\":\"ADDED\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\","
                    "\"metadata\":{\"uid\":\"p\",\"ownerReferences\":[{\"kind\":\"TFJob\","
                    "\"uid\":\"u\",\"controller\":true}],"
                    "\"labels\":{\"group-name\":\"\",\"replica-type\":\"\"}},"
                    "\"status\":{\"phase\":\"Failed\",\"reason\":\"Evicted\"}}}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_job_is_lost_whole_and_the_next_one_is_whole),
        cmocka_unit_test(test_a_pod_is_lost_whole_and_the_next_one_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
