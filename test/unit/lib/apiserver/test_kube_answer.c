/* kube_answer: what the API server says beside objects, and what proxies say in its place. */
#include "lib/apiserver/kube_answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int open_json(void **state)
{
    *state = kube_answer_reader();
    return *state == NULL;
}

static int close_json(void **state)
{
    json_free(*state);
    return 0;
}

static void test_a_status_is_read(void **state)
{
    struct kube_status status;
    kube_status_read(*state,
                     TEXT("{\n  \"kind\": \"Status\",\n  \"apiVersion\": \"v1\",\n"
                          "  \"metadata\": {\"continue\": \"x\"},\n  \"status\": \"Failure\",\n"
                          "  \"message\": \"pods is forbidden:\\nno\",\n"
                          "  \"reason\": \"Forbidden\",\n  \"code\": 403\n}\n"),
                     &status);
    assert_int_equal(status.code, 403);
    assert_string_equal(status.reason, "Forbidden");
    assert_string_equal(status.message, "pods is forbidden: no");
}

static void test_what_is_no_status_is_its_own_message(void **state)
{
    struct kube_status status;
    kube_status_read(*state, TEXT("dial tcp 127.0.0.1:16443: connect: connection refused\n"),
                     &status);
    assert_string_equal(status.message, "dial tcp 127.0.0.1:16443: connect: connection refused ");
    assert_string_equal(status.reason, "");
    kube_status_read(*state, TEXT("<html>\r\n<body>502</body></html>"), &status);
    assert_string_equal(status.message, "<html>  <body>502</body></html>");
    kube_status_read(*state, TEXT("{\"kind\":\"Pod\",\"code\":1}"), &status);
    assert_int_equal(status.code, 0);
    kube_status_read(*state, TEXT(""), &status);
    assert_string_equal(status.message, "");
}

static void test_a_long_message_is_cut_between_characters(void **state)
{
    struct kube_status status;
    char text[600];
    for (size_t i = 0; i + 2 < sizeof(text); i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    kube_status_read(*state, (struct text){text, 598}, &status);
    assert_int_equal(strlen(status.message), 254);
    kube_status_read(*state, (struct text){text + 1, 597}, &status);
    assert_int_equal(strlen(status.message), 255);
}

static void test_discovery(void **state)
{
    const struct text body =
        TEXT("{\"kind\":\"APIResourceList\",\"groupVersion\":\"training.kubedl.io/v1alpha1\","
             "\"resources\":[{\"name\":\"tfjobs/"
             "status\"},{\"name\":\"tfjobs\",\"kind\":\"TFJob\"},{}]}");
    assert_true(kube_discovery_has(*state, body, "tfjobs"));
    assert_false(kube_discovery_has(*state, body, "mpijobs"));
    assert_false(
        kube_discovery_has(*state, TEXT("{\"resources\":{\"name\":\"tfjobs\"}}"), "tfjobs"));
    assert_false(kube_discovery_has(*state, TEXT("404 page not found"), "tfjobs"));
    assert_false(kube_discovery_has(*state, TEXT(""), "tfjobs"));
}

static void test_uid_of_a_namespace(void **state)
{
    char uid[KUBE_UID_SIZE];
    assert_true(kube_uid_read(
        *state, TEXT("{\"kind\":\"Namespace\",\"metadata\":{\"uid\":\"5f-1\"}}"), uid));
    assert_string_equal(uid, "5f-1");
    assert_false(kube_uid_read(*state, TEXT("{\"metadata\":{\"uid\":\"\"}}"), uid));
    assert_false(kube_uid_read(*state, TEXT("{\"metadata\":{}}"), uid));
    assert_false(kube_uid_read(*state, TEXT("[]"), uid));
    assert_false(
        kube_uid_read(*state,
                      TEXT("{\"metadata\":{\"uid\":\"0123456789012345678901234567890123456789"
                           "0123456789012345678901234\"}}"),
                      uid));
}

struct event_case {
    const char *line;
    enum kube_event_type type;
    const char *version;
    bool ends_snapshot;
    int64_t code;
};

static const struct event_case event_cases[] = {
    {"{\"type\":\"ADDED\",\"object\":{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\","
     "\"resourceVersion\":\"12\"},\"spec\":{\"metadata\":{\"resourceVersion\":\"13\"}}}}",
     KUBE_OBJECT, "12", false, 0},
    {"{\"object\":{\"metadata\":{\"annotations\":{\"resourceVersion\":\"9\"},\"resourceVersion\":"
     "\"12\"}},"
     "\"type\":\"BOOKMARK\"}",
     KUBE_BOOKMARK, "12", false, 0},
    {"{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"metadata\":{\"resourceVersion\":\"7\","
     "\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}}",
     KUBE_BOOKMARK, "7", true, 0},
    {"{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"metadata\":{\"resourceVersion\":\"7\","
     "\"annotations\":{\"k8s.io/initial-events-end\":\"false\"}}}}",
     KUBE_BOOKMARK, "7", false, 0},
    {"{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"
     "\"status\":\"Failure\",\"message\":\"too old resource version: 600 (3601)\","
     "\"reason\":\"Expired\",\"code\":410}}",
     KUBE_ERROR, "", false, 410},
    {"{\"type\":\"ERROR\"}", KUBE_ERROR, "", false, 0},
    {"{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"resourceVersion\":\"x\"}}}", KUBE_OBJECT,
     "", false, 0},
    {"{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"resourceVersion\":\"0012\"}}}",
     KUBE_OBJECT, "", false, 0},
    {"{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":", KUBE_OBJECT, "", false, 0},
    {"<html>", KUBE_OBJECT, "", false, 0},
};

static void test_events(void **state)
{
    for (size_t i = 0; i < sizeof(event_cases) / sizeof(event_cases[0]); i++) {
        const struct event_case *expected = &event_cases[i];
        struct kube_event event;
        kube_event_read(*state, text_from(expected->line), &event);
        assert_int_equal(event.type, expected->type);
        assert_string_equal(event.version, expected->version);
        assert_int_equal(event.ends_snapshot, expected->ends_snapshot);
        assert_int_equal(event.status.code, expected->code);
    }
}

static void assert_mark(struct json *json, const struct resource *resource, const char *expected)
{
    struct buffer mark;
    struct kube_event event;
    buffer_init(&mark, 1024);
    kube_mark_append(&mark, resource, "4711");
    assert_string_equal(buffer_cstring(&mark), expected);
    kube_event_read(json, buffer_text(&mark), &event);
    assert_true(event.ends_snapshot);
    assert_string_equal(event.version, "4711");
    buffer_fini(&mark);
}

static void test_marks_are_those_of_watch_list(void **state)
{
    const struct resource pods = {.kind = "Pod", .group = "", .version = "v1", .name = "pods"};
    const struct resource jobs = {
        .kind = "TFJob", .group = "training.kubedl.io", .version = "v1alpha1", .name = "tfjobs"};
    assert_mark(*state, &pods,
                "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\","
                "\"metadata\":{\"resourceVersion\":\"4711\",\"annotations\":{"
                "\"k8s.io/initial-events-end\":\"true\"}}}}");
    assert_mark(*state, &jobs,
                "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"TFJob\","
                "\"apiVersion\":\"training.kubedl.io/v1alpha1\","
                "\"metadata\":{\"resourceVersion\":\"4711\",\"annotations\":{"
                "\"k8s.io/initial-events-end\":\"true\"}}}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_status_is_read),
        cmocka_unit_test(test_what_is_no_status_is_its_own_message),
        cmocka_unit_test(test_a_long_message_is_cut_between_characters),
        cmocka_unit_test(test_discovery),
        cmocka_unit_test(test_uid_of_a_namespace),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_marks_are_those_of_watch_list),
    };
    return cmocka_run_group_tests(tests, open_json, close_json) != 0;
}
