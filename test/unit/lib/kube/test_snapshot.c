/* snapshot: what counts as vanished, and above all what does not. */
#include "lib/kube/kind.h"
#include "lib/kube/snapshot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

static struct snapshot_connection connections[5];

static int set_up(void **state)
{
    struct snapshot *snapshot = snapshot_new();
    snapshot_opened(snapshot, &connections[1], true);
    *state = snapshot;
    return 0;
}

static int tear_down(void **state)
{
    snapshot_close_all(*state);
    snapshot_free(*state);
    return 0;
}

static bool present(struct snapshot *snapshot, const char *uid, uint64_t since)
{
    return snapshot_is_present(snapshot, 0, text_from(uid), since);
}

static void seen(struct snapshot *snapshot, const char *uid)
{
    snapshot_seen(snapshot, 0, text_from(uid), 1);
}

static bool mark(struct snapshot *snapshot, size_t connection, size_t resource,
                 const char *namespace, uint64_t *since)
{
    uint64_t known;
    (void)snapshot;
    return snapshot_mark(&connections[connection], resource, namespace, since, &known);
}

static void test_what_was_shown_since_the_window_opened_is_present(void **state)
{
    struct snapshot *snapshot = *state;
    uint64_t since;
    seen(snapshot, "a");
    assert_true(mark(snapshot, 1, 0, "", &since));
    assert_true(present(snapshot, "a", since));
    assert_false(present(snapshot, "b", since));
}

static void test_what_comes_after_the_mark_is_present_too(void **state)
{
    struct snapshot *snapshot = *state;
    uint64_t since;
    assert_true(mark(snapshot, 1, 0, "", &since));
    seen(snapshot, "late");
    assert_true(present(snapshot, "late", since));
}

static void test_a_second_mark_on_a_connection_sweeps_nothing(void **state)
{
    struct snapshot *snapshot = *state;
    uint64_t since;
    assert_true(mark(snapshot, 1, 0, "", &since));
    assert_false(mark(snapshot, 1, 0, "", &since));
    assert_true(mark(snapshot, 1, 1, "", &since)); /* another kind has its own window */
}

static void test_a_mark_on_a_connection_that_is_not_open_sweeps_nothing(void **state)
{
    struct snapshot *snapshot = *state;
    uint64_t since;
    snapshot_closed(snapshot, &connections[1]);
    assert_false(mark(snapshot, 1, 0, "", &since));
}

static void test_a_new_connection_counts_only_what_it_shows(void **state)
{
    struct snapshot *snapshot = *state;
    uint64_t since;
    seen(snapshot, "old");
    snapshot_closed(snapshot, &connections[1]);
    snapshot_opened(snapshot, &connections[2], true);
    seen(snapshot, "new");
    assert_true(mark(snapshot, 2, 0, "", &since));
    assert_false(present(snapshot, "old", since));
    assert_true(present(snapshot, "new", since));
}

static void test_an_error_opens_a_window_only_where_none_is_open(void **state)
{
    struct snapshot *snapshot = *state;
    uint64_t since;
    assert_true(mark(snapshot, 1, 0, "", &since)); /* the pods are whole, the jobs not yet */
    seen(snapshot, "before");
    snapshot_seen(snapshot, 1, text_from("job"), 1);
    snapshot_error(snapshot, &connections[1]);
    assert_true(mark(snapshot, 1, 0, "", &since));
    assert_false(present(snapshot, "before", since));
    assert_true(mark(snapshot, 1, 1, "", &since));
    assert_true(snapshot_is_present(snapshot, 1, text_from("job"), since));
}

static void test_a_document_that_was_lost_keeps_the_sweep_away(void **state)
{
    struct snapshot *snapshot = *state;
    uint64_t since;
    snapshot_lost(&connections[1]);
    assert_false(mark(snapshot, 1, 0, "", &since));
    snapshot_error(snapshot, &connections[1]); /* a new list begins */
    assert_true(mark(snapshot, 1, 0, "", &since));
}

static void test_what_was_deleted_is_not_present(void **state)
{
    struct snapshot *snapshot = *state;
    uint64_t since;
    seen(snapshot, "a");
    snapshot_gone(snapshot, 0, text_from("a"));
    snapshot_gone(snapshot, 0, text_from("never seen"));
    assert_true(mark(snapshot, 1, 0, "", &since));
    assert_false(present(snapshot, "a", since));
}

static void test_a_mark_does_not_forget_what_another_window_has_seen(void **state)
{
    struct snapshot *snapshot = *state;
    uint64_t since;
    seen(snapshot, "a");
    snapshot_opened(snapshot, &connections[2], true);
    assert_true(mark(snapshot, 2, 0, "", &since));
    snapshot_forget(snapshot, 0, UINT64_MAX);
    assert_false(present(snapshot, "a", since));
    assert_true(mark(snapshot, 1, 0, "", &since));
    assert_true(present(snapshot, "a", since));
}

static void test_what_nobody_asks_for_is_forgotten(void **state)
{
    struct snapshot *snapshot = *state;
    uint64_t since;
    seen(snapshot, "a");
    assert_true(mark(snapshot, 1, 0, "", &since));
    snapshot_forget(snapshot, 0, since);
    assert_true(present(snapshot, "a", since));
    snapshot_forget(snapshot, 0, since + 1);
    assert_false(present(snapshot, "a", since));
}

/* Two namespaced watches of one kind on one connection. */
static void test_a_mark_of_a_namespace_closes_its_window_only(void **state)
{
    struct snapshot *snapshot = *state;
    uint64_t since;
    seen(snapshot, "a");
    assert_true(mark(snapshot, 1, 0, "one", &since));
    assert_false(mark(snapshot, 1, 0, "one", &since));
    assert_true(mark(snapshot, 1, 0, "two", &since));
    assert_true(present(snapshot, "a", since));
    snapshot_error(snapshot, &connections[1]); /* a new list of each may follow */
    assert_true(mark(snapshot, 1, 0, "one", &since));
    assert_false(present(snapshot, "a", since));
    assert_true(mark(snapshot, 1, 0, "", &since)); /* never closed as a whole */
    assert_false(mark(snapshot, 1, 0, "two", &since));
    snapshot_lost(&connections[1]);
    assert_false(mark(snapshot, 1, 0, "three", &since));
}

static uint64_t known_at_mark(size_t connection)
{
    uint64_t since, known;
    assert_true(snapshot_mark(&connections[connection], 0, "", &since, &known));
    return known;
}

static void test_what_was_reached_before_the_window_opened_is_known(void **state)
{
    struct snapshot *snapshot = *state;
    snapshot_reached(&connections[1], 0, 50);         /* its own window is open */
    snapshot_opened(snapshot, &connections[2], true); /* the first one is not over */
    assert_int_equal(known_at_mark(1), 0);
    assert_int_equal(known_at_mark(2), 0);
    snapshot_closed(snapshot, &connections[1]);
    snapshot_opened(snapshot, &connections[3], true);
    assert_int_equal(known_at_mark(3), 50);
    snapshot_reached(&connections[3], 0, 60);
    snapshot_error(snapshot, &connections[3]); /* a new list on the same connection */
    assert_int_equal(known_at_mark(3), 60);
    snapshot_go_back(snapshot, 0, 20);
    snapshot_closed(snapshot, &connections[3]);
    snapshot_opened(snapshot, &connections[4], true);
    assert_int_equal(known_at_mark(4), 20);
    assert_int_equal(snapshot_known(snapshot, 1), 0); /* of another resource */
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_was_shown_since_the_window_opened_is_present),
        TEST(test_what_comes_after_the_mark_is_present_too),
        TEST(test_a_second_mark_on_a_connection_sweeps_nothing),
        TEST(test_a_mark_on_a_connection_that_is_not_open_sweeps_nothing),
        TEST(test_a_new_connection_counts_only_what_it_shows),
        TEST(test_an_error_opens_a_window_only_where_none_is_open),
        TEST(test_a_document_that_was_lost_keeps_the_sweep_away),
        TEST(test_what_was_deleted_is_not_present),
        TEST(test_a_mark_does_not_forget_what_another_window_has_seen),
        TEST(test_what_nobody_asks_for_is_forgotten),
        TEST(test_a_mark_of_a_namespace_closes_its_window_only),
        TEST(test_what_was_reached_before_the_window_opened_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
