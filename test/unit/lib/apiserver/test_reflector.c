/* reflector: what follows from each answer. */
#include "lib/apiserver/reflector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DISCOVERY_MS 60000
#define LEAST        0
#define MOST         UINT32_MAX

static const struct resource pods = {.kind = "Pod", .group = "", .version = "v1", .name = "pods"};
static const struct resource jobs = {
    .kind = "TFJob", .group = "training.kubedl.io", .version = "v1alpha1", .name = "tfjobs"};
static const struct resource elsewhere = {.kind = "MPIJob",
                                          .group = "kubeflow.org",
                                          .version = "v1",
                                          .other_version = "v2beta1",
                                          .name = "mpijobs"};
static const struct kube_selection all = {"", ""};

static const struct reflector_answer good = {
    .status = 200, .is_json = true, .whole = true, .elapsed_ms = 60000, .documents = 1};

static struct kube_list page(const char *version, const char *next_page)
{
    struct kube_list list = {.whole = true};
    (void)snprintf(list.version, sizeof(list.version), "%s", version);
    (void)snprintf(list.next_page, sizeof(list.next_page), "%s", next_page);
    return list;
}

static struct reflector_step answer_page(struct reflector *reflector, const struct kube_list *list)
{
    struct reflector_answer answer = good;
    answer.list = list;
    return reflector_answered(reflector, &answer, LEAST);
}

static void assert_path_has(const struct reflector *reflector, const char *part)
{
    struct buffer out;
    buffer_init(&out, 8192);
    reflector_path(reflector, &all, LEAST, &out);
    assert_non_null(strstr(buffer_cstring(&out), part));
    buffer_fini(&out);
}

/* ---- the ways through ------------------------------------------------------------------------- */

static void test_snapshot_then_watch(void **state)
{
    (void)state;
    struct reflector reflector;
    reflector_init(&reflector, &jobs, DISCOVERY_MS);
    assert_path_has(&reflector, "/apis/training.kubedl.io/v1alpha1");
    struct reflector_answer answer = good;
    answer.found = true;
    struct reflector_step step = reflector_answered(&reflector, &answer, MOST);
    assert_int_equal(step.outcome, REFLECTOR_PROCEED);
    assert_int_equal(step.delay_ms, 0);
    assert_path_has(&reflector, "sendInitialEvents=true");

    reflector_saw(&reflector, "900"); /* not in order yet */
    assert_string_equal(reflector.version, "");
    reflector_marked(&reflector, "700");
    reflector_saw(&reflector, "701");
    reflector_saw(&reflector, "");
    step = reflector_answered(&reflector, &good, MOST);
    assert_int_equal(step.outcome, REFLECTOR_PROCEED);
    assert_false(step.ends_chain);
    assert_path_has(&reflector, "&resourceVersion=701");
    assert_path_has(&reflector, "timeoutSeconds=300");
}

static void test_list_page_by_page_then_watch(void **state)
{
    (void)state;
    struct reflector reflector;
    reflector_init(&reflector, &pods, DISCOVERY_MS);
    assert_path_has(&reflector, "sendInitialEvents=true");
    struct reflector_answer refused = {.status = 422, .is_json = true, .whole = true};
    struct reflector_step step = reflector_answered(&reflector, &refused, MOST);
    assert_int_equal(step.outcome, REFLECTOR_NO_SNAPSHOTS);
    assert_int_equal(step.delay_ms, 0);
    assert_path_has(&reflector, "limit=500");

    const struct kube_list first = page("2769", "more"), last = page("2769", "");
    assert_int_equal(answer_page(&reflector, &first).outcome, REFLECTOR_PROCEED);
    assert_path_has(&reflector, "limit=500&continue=more");
    step = answer_page(&reflector, &last);
    assert_int_equal(step.outcome, REFLECTOR_LISTED);
    assert_false(step.ends_chain);
    assert_path_has(&reflector, "&resourceVersion=2769");

    /* the server is not asked for a snapshot again */
    struct reflector_answer gone = good;
    gone.error_code = 410;
    assert_true(reflector_answered(&reflector, &gone, MOST).ends_chain);
    assert_path_has(&reflector, "limit=500");
}

static void test_pages_that_expire_are_followed_by_one_whole_list(void **state)
{
    (void)state;
    struct reflector reflector;
    reflector_init(&reflector, &pods, DISCOVERY_MS);
    reflector.request = REFLECTOR_LIST;
    const struct kube_list first = page("5", "more"), last = page("9", "");
    (void)answer_page(&reflector, &first);
    struct reflector_answer expired = {.status = 410, .is_json = true, .whole = true};
    struct reflector_step step = reflector_answered(&reflector, &expired, MOST);
    assert_int_equal(step.outcome, REFLECTOR_GONE);
    assert_true(step.ends_chain);
    assert_int_equal(reflector.request, REFLECTOR_LIST);
    struct buffer out;
    buffer_init(&out, 8192);
    reflector_path(&reflector, &all, LEAST, &out);
    assert_string_equal(buffer_cstring(&out), "/api/v1/pods?pretty=false");
    buffer_fini(&out);
    assert_int_equal(answer_page(&reflector, &last).outcome, REFLECTOR_LISTED);
    assert_string_equal(reflector.version, "9");
    assert_false(reflector.unpaged);
}

static void test_snapshot_that_breaks_off_is_followed_by_one_list(void **state)
{
    (void)state;
    struct reflector reflector;
    reflector_init(&reflector, &pods, DISCOVERY_MS);
    struct reflector_step step = reflector_answered(&reflector, &good, MOST);
    assert_int_equal(step.outcome, REFLECTOR_BROKEN);
    assert_true(step.ends_chain);
    assert_path_has(&reflector, "limit=500");
    const struct kube_list last = page("9", "");
    (void)answer_page(&reflector, &last);
    struct reflector_answer gone = {.status = 410, .is_json = true, .whole = true};
    (void)reflector_answered(&reflector, &gone, MOST);
    assert_path_has(&reflector, "sendInitialEvents=true");
}

static void test_resumed_reflector_watches_at_once(void **state)
{
    (void)state;
    struct reflector reflector;
    reflector_init(&reflector, &jobs, DISCOVERY_MS);
    reflector_resume(&reflector, "4711");
    assert_path_has(&reflector, "watch=true");
    assert_path_has(&reflector, "&resourceVersion=4711");
}

static void answer_silence(struct reflector *reflector)
{
    struct reflector_answer silence = good;
    silence.whole = false;
    silence.silent = true;
    silence.documents = 0;
    struct reflector_step step = reflector_answered(reflector, &silence, MOST);
    assert_int_equal(step.outcome, REFLECTOR_SILENT);
    assert_int_equal(step.delay_ms, 0);
    assert_false(step.ends_chain);
}

static void test_silent_watch_goes_on_if_the_server_has_reached_its_version(void **state)
{
    (void)state;
    struct reflector reflector;
    reflector_init(&reflector, &pods, DISCOVERY_MS);
    reflector_resume(&reflector, "999");
    static const char *const reached[] = {"999", "1000"};
    for (size_t i = 0; i < sizeof(reached) / sizeof(reached[0]); i++) {
        answer_silence(&reflector);
        assert_path_has(&reflector, "/api/v1/pods?pretty=false&limit=1");
        const struct kube_list list = page(reached[i], "more");
        struct reflector_step step = answer_page(&reflector, &list);
        assert_int_equal(step.outcome, REFLECTOR_PROCEED);
        assert_int_equal(step.delay_ms, 0);
        assert_false(step.ends_chain);
        assert_path_has(&reflector, "&resourceVersion=999");
    }
}

static void test_silent_watch_is_of_no_use_if_the_server_was_set_back(void **state)
{
    (void)state;
    struct reflector reflector;
    reflector_init(&reflector, &pods, DISCOVERY_MS);
    reflector_resume(&reflector, "1000");
    answer_silence(&reflector);
    const struct kube_list list = page("999", "");
    struct reflector_step step = answer_page(&reflector, &list);
    assert_int_equal(step.outcome, REFLECTOR_GONE);
    assert_true(step.ends_chain);
    assert_path_has(&reflector, "sendInitialEvents=true");
}

static void test_confirmation_that_breaks_off_is_asked_for_again(void **state)
{
    (void)state;
    struct reflector reflector;
    reflector_init(&reflector, &pods, DISCOVERY_MS);
    reflector_resume(&reflector, "1000");
    answer_silence(&reflector);
    struct kube_list cut = page("1000", "");
    cut.whole = false;
    assert_int_equal(answer_page(&reflector, &cut).outcome, REFLECTOR_BROKEN);
    assert_int_equal(reflector.request, REFLECTOR_CONFIRM);
    assert_string_equal(reflector.version, "1000");
}

static void test_kind_that_is_not_installed_is_looked_for_again(void **state)
{
    (void)state;
    struct reflector reflector;
    reflector_init(&reflector, &jobs, DISCOVERY_MS);
    struct reflector_step step = reflector_answered(&reflector, &good, MOST);
    assert_int_equal(step.outcome, REFLECTOR_ABSENT);
    assert_in_range(step.delay_ms, DISCOVERY_MS - 1, DISCOVERY_MS);
    assert_int_equal(reflector.request, REFLECTOR_DISCOVER);
    struct reflector_answer missing = {.status = 404, .whole = true};
    step = reflector_answered(&reflector, &missing, LEAST);
    assert_int_equal(step.outcome, REFLECTOR_ABSENT);
    assert_int_equal(step.delay_ms, DISCOVERY_MS / 2);
}

static struct reflector_step answer_discovery(struct reflector *reflector, bool found)
{
    struct reflector_answer answer = good;
    answer.found = found;
    return reflector_answered(reflector, &answer, MOST);
}

static void test_kind_is_found_in_the_version_that_is_served(void **state)
{
    (void)state;
    struct reflector reflector;
    reflector_init(&reflector, &elsewhere, DISCOVERY_MS);
    assert_path_has(&reflector, "/apis/kubeflow.org/v1");
    struct reflector_step step = answer_discovery(&reflector, false);
    assert_int_equal(step.outcome, REFLECTOR_ELSEWHERE);
    assert_true(step.delay_ms < 1000);
    assert_path_has(&reflector, "/apis/kubeflow.org/v2beta1");
    assert_int_equal(answer_discovery(&reflector, true).outcome, REFLECTOR_PROCEED);
    assert_path_has(&reflector, "/apis/kubeflow.org/v2beta1/mpijobs?watch=true");

    /* replaced by the operator of the other version */
    reflector_marked(&reflector, "7");
    const struct reflector_answer not_found = {.status = 404};
    step = reflector_answered(&reflector, &not_found, MOST);
    assert_int_equal(step.outcome, REFLECTOR_ELSEWHERE);
    assert_true(step.ends_chain);
    assert_int_equal(answer_discovery(&reflector, true).outcome, REFLECTOR_PROCEED);
    assert_path_has(&reflector, "/apis/kubeflow.org/v1/mpijobs?watch=true");
    assert_path_has(&reflector, "sendInitialEvents=true");
}

static void test_kind_that_is_in_no_version_is_looked_for_again(void **state)
{
    (void)state;
    struct reflector reflector;
    reflector_init(&reflector, &elsewhere, DISCOVERY_MS);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(answer_discovery(&reflector, false).outcome, REFLECTOR_ELSEWHERE);
        struct reflector_step step = answer_discovery(&reflector, false);
        assert_int_equal(step.outcome, REFLECTOR_ABSENT);
        assert_in_range(step.delay_ms, DISCOVERY_MS / 2, DISCOVERY_MS);
    }
}

/* The lists tell then. */
static void test_versions_are_tried_without_a_right_to_discover(void **state)
{
    (void)state;
    struct reflector reflector;
    const struct reflector_answer forbidden = {.status = 403}, not_found = {.status = 404};
    reflector_init(&reflector, &elsewhere, DISCOVERY_MS);
    (void)reflector_answered(&reflector, &forbidden, MOST);
    assert_path_has(&reflector, "/v1/mpijobs");
    assert_int_equal(reflector_answered(&reflector, &not_found, MOST).outcome, REFLECTOR_ELSEWHERE);
    (void)reflector_answered(&reflector, &forbidden, MOST);
    assert_path_has(&reflector, "/v2beta1/mpijobs");
    assert_int_equal(reflector_answered(&reflector, &not_found, MOST).outcome, REFLECTOR_ABSENT);
}

static void test_resumed_reflector_finds_the_version_first(void **state)
{
    (void)state;
    struct reflector reflector;
    reflector_init(&reflector, &elsewhere, DISCOVERY_MS);
    reflector_resume(&reflector, "4711");
    assert_int_equal(answer_discovery(&reflector, false).outcome, REFLECTOR_ELSEWHERE);
    assert_false(answer_discovery(&reflector, true).ends_chain);
    assert_path_has(&reflector, "/v2beta1/mpijobs?watch=true");
    assert_path_has(&reflector, "&resourceVersion=4711");
}

static void test_cluster_is_identified_once(void **state)
{
    (void)state;
    struct reflector reflector;
    reflector_init_identify(&reflector, KUBE_CLUSTER_NAMESPACE);
    assert_path_has(&reflector, "/api/v1/namespaces/kube-system");
    struct reflector_answer answer = good;
    assert_int_equal(reflector_answered(&reflector, &answer, MOST).outcome, REFLECTOR_TROUBLE);
    answer.found = true;
    assert_int_equal(reflector_answered(&reflector, &answer, MOST).outcome, REFLECTOR_IDENTIFIED);
}

/* ---- single answers --------------------------------------------------------------------------- */

struct answer_case {
    const char *name;
    enum reflector_request request;
    struct reflector_answer answer;
    enum reflector_outcome outcome;
    enum reflector_request next;
    bool ends_chain;
};

#define JSON_200 .status = 200, .is_json = true, .elapsed_ms = 60000

static const struct answer_case answer_cases[] = {
    {"no answer", REFLECTOR_WATCH, {.status = 0}, REFLECTOR_BROKEN, REFLECTOR_WATCH, false},
    {"no answer at all, silent",
     REFLECTOR_WATCH,
     {.status = 0, .silent = true},
     REFLECTOR_BROKEN,
     REFLECTOR_WATCH,
     false},
    {"no answer to a list", REFLECTOR_LIST, {.status = 0}, REFLECTOR_BROKEN, REFLECTOR_LIST, false},
    {"no answer to a snapshot",
     REFLECTOR_SNAPSHOT,
     {.status = 0},
     REFLECTOR_BROKEN,
     REFLECTOR_SNAPSHOT,
     false},
    {"token",
     REFLECTOR_LIST,
     {.status = 401, .is_json = true},
     REFLECTOR_UNAUTHORIZED,
     REFLECTOR_LIST,
     false},
    {"rule",
     REFLECTOR_LIST,
     {.status = 403, .is_json = true},
     REFLECTOR_FORBIDDEN,
     REFLECTOR_LIST,
     false},
    {"rule for watching",
     REFLECTOR_WATCH,
     {.status = 403, .is_json = true},
     REFLECTOR_FORBIDDEN,
     REFLECTOR_WATCH,
     false},
    {"discovery may be forbidden",
     REFLECTOR_DISCOVER,
     {.status = 403},
     REFLECTOR_PROCEED,
     REFLECTOR_SNAPSHOT,
     true},
    {"discovery broken off",
     REFLECTOR_DISCOVER,
     {JSON_200},
     REFLECTOR_BROKEN,
     REFLECTOR_DISCOVER,
     false},
    {"identity forbidden",
     REFLECTOR_IDENTIFY,
     {.status = 403},
     REFLECTOR_ANONYMOUS,
     REFLECTOR_IDENTIFY,
     false},
    {"identity, proxy away",
     REFLECTOR_IDENTIFY,
     {.status = 500},
     REFLECTOR_TROUBLE,
     REFLECTOR_IDENTIFY,
     false},
    {"uninstalled while watched",
     REFLECTOR_WATCH,
     {.status = 404},
     REFLECTOR_ABSENT,
     REFLECTOR_DISCOVER,
     true},
    {"gone",
     REFLECTOR_WATCH,
     {.status = 410, .is_json = true},
     REFLECTOR_GONE,
     REFLECTOR_SNAPSHOT,
     true},
    {"gone, said by an event",
     REFLECTOR_WATCH,
     {JSON_200, .whole = true, .documents = 1, .error_code = 410},
     REFLECTOR_GONE,
     REFLECTOR_SNAPSHOT,
     true},
    {"too many, said by an event",
     REFLECTOR_WATCH,
     {JSON_200, .whole = true, .documents = 1, .error_code = 429},
     REFLECTOR_BUSY,
     REFLECTOR_WATCH,
     false},
    {"another error event",
     REFLECTOR_WATCH,
     {JSON_200, .whole = true, .documents = 1, .error_code = 500},
     REFLECTOR_TROUBLE,
     REFLECTOR_WATCH,
     false},
    {"version refused",
     REFLECTOR_WATCH,
     {.status = 400, .is_json = true},
     REFLECTOR_GONE,
     REFLECTOR_SNAPSHOT,
     true},
    {"snapshots unknown",
     REFLECTOR_SNAPSHOT,
     {.status = 400, .is_json = true},
     REFLECTOR_NO_SNAPSHOTS,
     REFLECTOR_LIST,
     true},
    {"list refused",
     REFLECTOR_LIST,
     {.status = 422, .is_json = true},
     REFLECTOR_REFUSED,
     REFLECTOR_LIST,
     false},
    {"busy",
     REFLECTOR_LIST,
     {.status = 429, .is_json = true},
     REFLECTOR_BUSY,
     REFLECTOR_LIST,
     false},
    {"shutting down", REFLECTOR_WATCH, {.status = 503}, REFLECTOR_BUSY, REFLECTOR_WATCH, false},
    {"plain text of a proxy",
     REFLECTOR_WATCH,
     {.status = 500},
     REFLECTOR_TROUBLE,
     REFLECTOR_WATCH,
     false},
    {"a redirect", REFLECTOR_LIST, {.status = 302}, REFLECTOR_TROUBLE, REFLECTOR_LIST, false},
    {"HTML with 200",
     REFLECTOR_WATCH,
     {.status = 200, .whole = true},
     REFLECTOR_TROUBLE,
     REFLECTOR_WATCH,
     false},
    {"HTML for a list",
     REFLECTOR_LIST,
     {.status = 200, .whole = true},
     REFLECTOR_TROUBLE,
     REFLECTOR_LIST,
     false},
    {"watch broken",
     REFLECTOR_WATCH,
     {JSON_200, .documents = 3},
     REFLECTOR_BROKEN,
     REFLECTOR_WATCH,
     false},
    {"watch silent from its beginning",
     REFLECTOR_WATCH,
     {JSON_200, .silent = true},
     REFLECTOR_SILENT,
     REFLECTOR_CONFIRM,
     false},
    {"watch gone silent",
     REFLECTOR_WATCH,
     {JSON_200, .silent = true, .documents = 2},
     REFLECTOR_SILENT,
     REFLECTOR_WATCH,
     false},
    {"no confirmation: no answer",
     REFLECTOR_CONFIRM,
     {.status = 0, .silent = true},
     REFLECTOR_BROKEN,
     REFLECTOR_CONFIRM,
     false},
    {"no confirmation: proxy away",
     REFLECTOR_CONFIRM,
     {.status = 500},
     REFLECTOR_TROUBLE,
     REFLECTOR_CONFIRM,
     false},
    {"no confirmation: busy",
     REFLECTOR_CONFIRM,
     {.status = 429, .is_json = true},
     REFLECTOR_BUSY,
     REFLECTOR_CONFIRM,
     false},
    {"no confirmation: only watching is allowed",
     REFLECTOR_CONFIRM,
     {.status = 403, .is_json = true},
     REFLECTOR_GONE,
     REFLECTOR_SNAPSHOT,
     true},
    {"no confirmation: uninstalled",
     REFLECTOR_CONFIRM,
     {.status = 404},
     REFLECTOR_ABSENT,
     REFLECTOR_DISCOVER,
     true},
    {"snapshot silent",
     REFLECTOR_SNAPSHOT,
     {JSON_200, .silent = true},
     REFLECTOR_BROKEN,
     REFLECTOR_LIST,
     true},
};

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(answer_cases) / sizeof(answer_cases[0]); i++) {
        const struct answer_case *expected = &answer_cases[i];
        struct reflector reflector;
        reflector_init(&reflector, &jobs, DISCOVERY_MS);
        reflector.request = expected->request;
        struct reflector_step step = reflector_answered(&reflector, &expected->answer, MOST);
        bool as_expected = step.outcome == expected->outcome &&
                           reflector.request == expected->next &&
                           step.ends_chain == expected->ends_chain;
        if (!as_expected)
            fail_msg("%s: outcome %d, next %d, ends_chain %d", expected->name, (int)step.outcome,
                     (int)reflector.request, step.ends_chain);
        bool at_once = step.outcome == REFLECTOR_PROCEED || step.outcome == REFLECTOR_GONE ||
                       step.outcome == REFLECTOR_NO_SNAPSHOTS || step.outcome == REFLECTOR_SILENT;
        assert_true(at_once == (step.delay_ms == 0));
    }
}

static void test_lists_that_are_not_whole_are_asked_for_again(void **state)
{
    (void)state;
    struct reflector reflector;
    reflector_init(&reflector, &pods, DISCOVERY_MS);
    reflector.request = REFLECTOR_LIST;
    struct kube_list cut = page("5", "");
    cut.whole = false;
    assert_int_equal(answer_page(&reflector, &cut).outcome, REFLECTOR_BROKEN);
    struct kube_list bad = page("5", "");
    bad.damaged = true;
    assert_int_equal(answer_page(&reflector, &bad).outcome, REFLECTOR_TROUBLE);
    const struct kube_list no_version = page("", "");
    assert_int_equal(answer_page(&reflector, &no_version).outcome, REFLECTOR_TROUBLE);
    const struct kube_list again = page("5", "more");
    assert_int_equal(answer_page(&reflector, &again).outcome, REFLECTOR_PROCEED);
    struct reflector_step step = answer_page(&reflector, &again); /* its own next page */
    assert_int_equal(step.outcome, REFLECTOR_TROUBLE);
    assert_true(step.delay_ms > 0);
    const struct kube_list fine = page("5", "");
    struct reflector_answer broken = good;
    broken.list = &fine;
    broken.whole = false;
    assert_int_equal(reflector_answered(&reflector, &broken, MOST).outcome, REFLECTOR_BROKEN);
    assert_int_equal(reflector.request, REFLECTOR_LIST);
}

/* ---- delays ----------------------------------------------------------------------------------- */

static void test_failures_are_spaced_and_success_resets(void **state)
{
    (void)state;
    struct reflector reflector;
    reflector_init(&reflector, &pods, DISCOVERY_MS);
    reflector_resume(&reflector, "1");
    const struct reflector_answer refused = {.status = 500};
    assert_int_equal(reflector_answered(&reflector, &refused, MOST).delay_ms, 500);
    assert_int_equal(reflector_answered(&reflector, &refused, MOST).delay_ms, 1000);
    assert_int_equal(reflector_answered(&reflector, &good, MOST).delay_ms, 0);
    assert_int_equal(reflector_answered(&reflector, &refused, MOST).delay_ms, 500);
}

static void test_watches_that_end_at_once_are_spaced(void **state)
{
    (void)state;
    struct reflector reflector;
    reflector_init(&reflector, &pods, DISCOVERY_MS);
    reflector_resume(&reflector, "1");
    struct reflector_answer short_one = good;
    short_one.elapsed_ms = 10;
    assert_int_equal(reflector_answered(&reflector, &short_one, MOST).delay_ms, 500);
    assert_int_equal(reflector_answered(&reflector, &short_one, MOST).delay_ms, 1000);
    struct reflector_answer broken = good;
    broken.whole = false;
    assert_int_equal(reflector_answered(&reflector, &broken, MOST).delay_ms, 500);
}

static void test_retry_after_is_obeyed_within_reason(void **state)
{
    (void)state;
    struct reflector reflector;
    reflector_init(&reflector, &pods, DISCOVERY_MS);
    struct reflector_answer busy = {.status = 429, .retry_after_s = 7};
    assert_in_range(reflector_answered(&reflector, &busy, MOST).delay_ms, 7001, 7500);
    busy.retry_after_s = INT64_MAX;
    assert_in_range(reflector_answered(&reflector, &busy, MOST).delay_ms, 60001, 60500);
    busy.retry_after_s = -1;
    assert_int_equal(reflector_answered(&reflector, &busy, MOST).delay_ms, 500);
}

/* ---- a server that comes back ----------------------------------------------------------------- */

#define READY_WITHIN_MS 5000

/* A model of an API server: nothing answers until up_ms; it then answers `starting` until ready_ms. */
struct returning {
    uint64_t up_ms, ready_ms;
    const struct reflector_answer *starting;
};

static struct reflector_answer answer_at(const struct returning *server, uint64_t now_ms)
{
    if (now_ms < server->up_ms)
        return (struct reflector_answer){.status = 0};
    if (now_ms < server->ready_ms)
        return *server->starting;
    struct reflector_answer answer = good;
    answer.found = true;
    return answer;
}

/* When the objects are watched again, in the time of the model. */
static uint64_t watched_again_ms(struct reflector *reflector, const struct returning *server,
                                 uint32_t random)
{
    const struct kube_list all_of_it = page("100", "");
    uint64_t now_ms = 0;
    for (;;) {
        bool objects = reflector->request != REFLECTOR_DISCOVER;
        struct reflector_answer answer = answer_at(server, now_ms);
        answer.list = &all_of_it;
        if (objects && now_ms >= server->ready_ms)
            return now_ms;
        random = random * 1664525U + 1013904223U;
        now_ms += reflector_answered(reflector, &answer, random).delay_ms;
    }
}

static void test_all_is_watched_soon_after_the_server_is_back(void **state)
{
    (void)state;
    static const struct reflector_answer starting[] = {
        {.status = 401, .is_json = true},
        {.status = 403, .is_json = true},
        {.status = 404},
        {.status = 429, .is_json = true, .retry_after_s = 1},
        {.status = 500, .is_json = true},
        {.status = 500},
        {.status = 503},
    };
    static const struct resource *const resources[] = {&pods, &jobs, &elsewhere};
    static const uint32_t outages_ms[] = {0, 30000, 90000, 3600000}, starts_ms[] = {0, 3000, 12000};
    for (size_t i = 0; i < 7 * 3 * 4 * 3; i++) {
        const struct resource *resource = resources[i % 3];
        uint64_t up_ms = outages_ms[i / 3 % 4], ready_ms = up_ms + starts_ms[i / 12 % 3];
        const struct returning server = {up_ms, ready_ms, &starting[i / 36]};
        for (uint32_t seed = 0; seed < 20; seed++) {
            struct reflector reflector;
            reflector_init(&reflector, resource, DISCOVERY_MS);
            reflector_resume(&reflector, "99");
            (void)reflector_answered(&reflector, &(struct reflector_answer){.status = 0}, LEAST);
            uint64_t late_ms = watched_again_ms(&reflector, &server, seed * 77) - ready_ms;
            if (late_ms > READY_WITHIN_MS)
                fail_msg("%s, %llu ms away, then %d for %llu ms: %llu ms late", resource->kind,
                         (unsigned long long)up_ms, server.starting->status,
                         (unsigned long long)(ready_ms - up_ms), (unsigned long long)late_ms);
        }
    }
}

static void fail_often(struct reflector *reflector, int status, int times)
{
    const struct reflector_answer failure = {.status = status, .is_json = status != 0};
    while (times-- > 0)
        (void)reflector_answered(reflector, &failure, MOST);
}

static void test_what_lasts_is_asked_for_seldom(void **state)
{
    (void)state;
    struct reflector reflector;
    reflector_init(&reflector, &pods, DISCOVERY_MS);
    fail_often(&reflector, 403, 30);
    const struct reflector_answer forbidden = {.status = 403, .is_json = true};
    assert_int_equal(reflector_answered(&reflector, &forbidden, MOST).delay_ms, 30000);
}

static void test_back_off_starts_anew_with_the_first_answer(void **state)
{
    (void)state;
    struct reflector reflector;
    reflector_init(&reflector, &pods, DISCOVERY_MS);
    reflector_resume(&reflector, "1");
    fail_often(&reflector, 0, 50);
    const struct reflector_answer forbidden = {.status = 403, .is_json = true};
    assert_int_equal(reflector_answered(&reflector, &forbidden, MOST).delay_ms, 500);
    assert_int_equal(reflector_answered(&reflector, &forbidden, MOST).delay_ms, 1000);
}

static void test_what_is_gone_is_listed_at_once(void **state)
{
    (void)state;
    struct reflector reflector;
    reflector_init(&reflector, &pods, DISCOVERY_MS);
    reflector_resume(&reflector, "1");
    fail_often(&reflector, 0, 50);
    struct reflector_answer gone = {.status = 200,
                                    .is_json = true,
                                    .whole = true,
                                    .documents = 1,
                                    .error_code = 410,
                                    .elapsed_ms = 5};
    assert_int_equal(reflector_answered(&reflector, &gone, MOST).delay_ms, 0);

    /* but a server that forgets all there is, as soon as it was listed, is not asked without a pause */
    for (uint32_t delay_ms = 500; delay_ms <= 4000; delay_ms *= 2) {
        reflector_marked(&reflector, "7");
        assert_int_equal(reflector_answered(&reflector, &gone, MOST).delay_ms, delay_ms);
    }
    reflector_marked(&reflector, "8");
    (void)reflector_answered(&reflector, &good, MOST); /* a watch that lasts */
    assert_int_equal(reflector_answered(&reflector, &gone, MOST).delay_ms, 0);
}

static void assert_given_up_at_last(const struct resource *resource, const char *path)
{
    struct reflector reflector;
    const struct reflector_answer not_found = {.status = 404};
    reflector_init(&reflector, resource, DISCOVERY_MS);
    reflector_resume(&reflector, "99");
    struct reflector_step step = reflector_answered(&reflector, &not_found, MOST);
    unsigned tries = 0;
    for (; step.outcome == REFLECTOR_STARTING; tries++) {
        assert_false(step.ends_chain);
        assert_in_range(step.delay_ms, 1, 4000);
        assert_string_equal(reflector.version, "99");
        assert_path_has(&reflector, path);
        step = reflector_answered(&reflector, &not_found, MOST);
        assert_true(tries < 20);
    }
    assert_true(tries > 5);
    assert_int_equal(step.outcome, REFLECTOR_ABSENT);
    assert_true(step.ends_chain);
    assert_in_range(step.delay_ms, DISCOVERY_MS - 1, DISCOVERY_MS);
    assert_string_equal(reflector.version, "");
    assert_int_equal(reflector_answered(&reflector, &not_found, MOST).outcome, REFLECTOR_ABSENT);
}

static void test_kind_that_was_there_is_not_given_up_at_once(void **state)
{
    (void)state;
    assert_given_up_at_last(&jobs, "/apis/training.kubedl.io/v1alpha1");
    assert_given_up_at_last(&pods, "/api/v1/pods?watch=true");
}

static void test_page_that_is_refused_is_followed_by_one_whole_list(void **state)
{
    (void)state;
    struct reflector reflector;
    reflector_init(&reflector, &pods, DISCOVERY_MS);
    reflector.request = REFLECTOR_LIST;
    const struct kube_list first = page("5", "more");
    const struct reflector_answer refused = {.status = 400, .is_json = true};
    (void)answer_page(&reflector, &first);
    assert_int_equal(reflector_answered(&reflector, &refused, MOST).outcome, REFLECTOR_GONE);
    assert_int_equal(reflector_answered(&reflector, &refused, MOST).outcome, REFLECTOR_REFUSED);
    assert_int_equal(reflector.request, REFLECTOR_LIST);
}

/* The cluster has become known: what is recorded is shown once more, and nothing in between is missed. */
static void test_all_is_shown_again_without_a_gap(void **state)
{
    (void)state;
    struct reflector reflector;
    reflector_init(&reflector, &pods, DISCOVERY_MS);
    reflector_resume(&reflector, "99");
    reflector_show_all(&reflector);
    assert_path_has(&reflector, "limit=500");
    const struct kube_list first = page("120", "more"), last = page("120", "");
    (void)answer_page(&reflector, &first);
    struct reflector_step step = answer_page(&reflector, &last);
    assert_int_equal(step.outcome, REFLECTOR_LISTED);
    assert_path_has(&reflector, "&resourceVersion=99");

    /* one that has not begun to watch begins anew */
    reflector_init(&reflector, &pods, DISCOVERY_MS);
    reflector_show_all(&reflector);
    assert_path_has(&reflector, "sendInitialEvents=true");
    reflector_init(&reflector, &jobs, DISCOVERY_MS);
    reflector_show_all(&reflector);
    assert_path_has(&reflector, "/apis/training.kubedl.io/v1alpha1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_snapshot_then_watch),
        cmocka_unit_test(test_list_page_by_page_then_watch),
        cmocka_unit_test(test_pages_that_expire_are_followed_by_one_whole_list),
        cmocka_unit_test(test_snapshot_that_breaks_off_is_followed_by_one_list),
        cmocka_unit_test(test_resumed_reflector_watches_at_once),
        cmocka_unit_test(test_silent_watch_goes_on_if_the_server_has_reached_its_version),
        cmocka_unit_test(test_silent_watch_is_of_no_use_if_the_server_was_set_back),
        cmocka_unit_test(test_confirmation_that_breaks_off_is_asked_for_again),
        cmocka_unit_test(test_kind_that_is_not_installed_is_looked_for_again),
        cmocka_unit_test(test_kind_is_found_in_the_version_that_is_served),
        cmocka_unit_test(test_kind_that_is_in_no_version_is_looked_for_again),
        cmocka_unit_test(test_versions_are_tried_without_a_right_to_discover),
        cmocka_unit_test(test_resumed_reflector_finds_the_version_first),
        cmocka_unit_test(test_cluster_is_identified_once),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_lists_that_are_not_whole_are_asked_for_again),
        cmocka_unit_test(test_failures_are_spaced_and_success_resets),
        cmocka_unit_test(test_watches_that_end_at_once_are_spaced),
        cmocka_unit_test(test_retry_after_is_obeyed_within_reason),
        cmocka_unit_test(test_all_is_watched_soon_after_the_server_is_back),
        cmocka_unit_test(test_what_lasts_is_asked_for_seldom),
        cmocka_unit_test(test_back_off_starts_anew_with_the_first_answer),
        cmocka_unit_test(test_what_is_gone_is_listed_at_once),
        cmocka_unit_test(test_kind_that_was_there_is_not_given_up_at_once),
        cmocka_unit_test(test_page_that_is_refused_is_followed_by_one_whole_list),
        cmocka_unit_test(test_all_is_shown_again_without_a_gap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
