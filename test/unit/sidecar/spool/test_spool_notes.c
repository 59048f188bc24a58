/* spool_notes: what is known by name, and what is still to be stored. */
#include "sidecar/spool/spool_notes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct pair {
    struct spool_notes here, taken;
};

static int set_up(void **state)
{
    *state = test_calloc(1, sizeof(struct pair));
    return 0;
}

static int tear_down(void **state)
{
    struct pair *pair = *state;
    spool_notes_fini(&pair->here);
    spool_notes_fini(&pair->taken);
    test_free(pair);
    return 0;
}

static void set(struct pair *pair, const char *name, const char *text)
{
    assert_int_equal(spool_notes_set(&pair->here, name, text), ERROR_NONE);
}

static void test_what_was_set_last_is_there(void **state)
{
    struct pair *pair = *state;
    assert_string_equal(spool_notes_get(&pair->here, "a"), "");
    set(pair, "a", "1");
    set(pair, "b", "2");
    set(pair, "a", "3");
    assert_string_equal(spool_notes_get(&pair->here, "a"), "3");
    assert_string_equal(spool_notes_get(&pair->here, "b"), "2");
}

static void test_only_what_changed_is_taken(void **state)
{
    struct pair *pair = *state;
    spool_notes_restore(&pair->here, TEXT("old"), TEXT("0"));
    set(pair, "a", "1");
    spool_notes_take(&pair->here, &pair->taken);
    assert_int_equal(pair->taken.count, 1);
    assert_string_equal(spool_notes_get(&pair->taken, "a"), "1");
    spool_notes_take(&pair->here, &pair->taken);
    assert_int_equal(pair->taken.count, 0);
}

static void test_what_could_not_be_stored_is_taken_again_as_it_is_by_then(void **state)
{
    struct pair *pair = *state;
    set(pair, "a", "1");
    set(pair, "b", "1");
    spool_notes_take(&pair->here, &pair->taken);
    set(pair, "a", "2");
    spool_notes_put_back(&pair->here, &pair->taken);
    spool_notes_take(&pair->here, &pair->taken);
    assert_int_equal(pair->taken.count, 2);
    assert_string_equal(spool_notes_get(&pair->taken, "a"), "2");
}

static void test_all_are_stored_anew(void **state)
{
    struct pair *pair = *state;
    spool_notes_restore(&pair->here, TEXT("a"), TEXT("1"));
    set(pair, "b", "1");
    spool_notes_take(&pair->here, &pair->taken);
    spool_notes_store_anew(&pair->here);
    spool_notes_take(&pair->here, &pair->taken);
    assert_int_equal(pair->taken.count, 2);
}

static void test_bounds(void **state)
{
    struct pair *pair = *state;
    char text[SPOOL_NOTE_SIZE + 1];
    memset(text, 'x', SPOOL_NOTE_SIZE);
    text[SPOOL_NOTE_SIZE] = '\0';
    assert_int_equal(spool_notes_set(&pair->here, text, "1"), ERROR_FULL);
    spool_notes_restore(&pair->here, text_from(text), TEXT("1"));
    assert_int_equal(pair->here.count, 0);
    for (int i = 0; i < SPOOL_MAX_NOTES; i++) {
        (void)snprintf(text, sizeof(text), "%d", i);
        set(pair, text, "1");
    }
    assert_int_equal(spool_notes_set(&pair->here, "one more", "1"), ERROR_FULL);
    set(pair, "7", "2");
}

static void test_a_text_may_be_long(void **state)
{
    struct pair *pair = *state;
    static char text[100000];
    memset(text, 'x', sizeof(text) - 1);
    set(pair, "a", text);
    spool_notes_take(&pair->here, &pair->taken);
    assert_string_equal(spool_notes_get(&pair->taken, "a"), text);
}

static void count_note(void *context, const char *name, const char *text)
{
    assert_string_equal(name, "a/1");
    assert_string_equal(text, "1");
    ++*(unsigned *)context;
}

static void test_those_of_a_prefix_are_told_that_are_not_empty(void **state)
{
    struct pair *pair = *state;
    unsigned told = 0;
    set(pair, "a/1", "1");
    set(pair, "a/2", "2");
    set(pair, "a/2", "");
    set(pair, "b/1", "1");
    spool_notes_each(&pair->here, "a/", count_note, &told);
    assert_int_equal(told, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_was_set_last_is_there),
        TEST(test_only_what_changed_is_taken),
        TEST(test_what_could_not_be_stored_is_taken_again_as_it_is_by_then),
        TEST(test_all_are_stored_anew),
        TEST(test_bounds),
        TEST(test_a_text_may_be_long),
        TEST(test_those_of_a_prefix_are_told_that_are_not_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
