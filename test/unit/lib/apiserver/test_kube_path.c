/* kube_path: what is asked of the API server, to the letter. */
#include "lib/apiserver/kube_path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct resource pods = {.kind = "Pod", .group = "", .version = "v1", .name = "pods"};
static const struct resource jobs = {
    .kind = "TFJob", .group = "training.kubedl.io", .version = "v1alpha1", .name = "tfjobs"};
static const struct kube_selection all = {"", ""};
static const struct kube_selection some = {"team-a", "app in (a,b),tier!=c d"};

#define SOME_QUERY "&labelSelector=app%20in%20%28a%2Cb%29%2Ctier%21%3Dc%20d"

static void begin(struct buffer *out)
{
    buffer_init(out, 4096);
}

static void assert_path(struct buffer *out, const char *expected)
{
    assert_string_equal(buffer_cstring(out), expected);
    buffer_fini(out);
}

static void test_cluster_and_discovery(void **state)
{
    (void)state;
    struct buffer out;
    begin(&out);
    kube_path_namespace(&out, "kube-system");
    assert_path(&out, "/api/v1/namespaces/kube-system");
    begin(&out);
    kube_path_discovery(&out, &pods);
    assert_path(&out, "/api/v1");
    begin(&out);
    kube_path_discovery(&out, &jobs);
    assert_path(&out, "/apis/training.kubedl.io/v1alpha1");
}

static void test_lists(void **state)
{
    (void)state;
    struct buffer out;
    begin(&out);
    kube_path_list(&out, &pods, &all, KUBE_PAGE_OBJECTS, "");
    assert_path(&out, "/api/v1/pods?pretty=false&limit=500");
    begin(&out);
    kube_path_list(&out, &pods, &all, 0, "");
    assert_path(&out, "/api/v1/pods?pretty=false");
    begin(&out);
    kube_path_list(&out, &jobs, &some, KUBE_PAGE_OBJECTS, "eyJ2IjoibWV0_-+/=");
    assert_path(&out,
                "/apis/training.kubedl.io/v1alpha1/namespaces/team-a/tfjobs?pretty=false" SOME_QUERY
                "&limit=500&continue=eyJ2IjoibWV0_-%2B%2F%3D");
}

static void test_watches(void **state)
{
    (void)state;
    struct buffer out;
    begin(&out);
    kube_path_snapshot(&out, &pods, &all, 300);
    assert_path(&out, "/api/v1/pods?watch=true&allowWatchBookmarks=true&timeoutSeconds=300"
                      "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan");
    begin(&out);
    kube_path_watch(&out, &jobs, &some, "4711", 599);
    assert_path(&out,
                "/apis/training.kubedl.io/v1alpha1/namespaces/team-a/tfjobs?watch=true" SOME_QUERY
                "&allowWatchBookmarks=true&timeoutSeconds=599&resourceVersion=4711");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cluster_and_discovery),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_watches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
