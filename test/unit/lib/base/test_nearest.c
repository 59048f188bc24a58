/* nearest: a word with a slip finds its name, and a word that is something else finds none. */
#include "lib/base/nearest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *found(const char *word)
{
    static const char *const names[] = {"check", "audit", "dead-letters", "jobs", "pods", "replay"};
    struct nearest nearest = nearest_to(text_from(word));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        nearest_try(&nearest, names[i]);
    return nearest.name != NULL ? nearest.name : "none";
}

static void test_slips(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"chek", "check"},        {"chekc", "check"},
        {"CHECK", "check"},       {"audits", "audit"},
        {"job", "jobs"},          {"posd", "pods"},
        {"repaly", "replay"},     {"rply", "replay"},
        {"bobs", "jobs"},         {"deadletters", "dead-letters"},
        {"dead", "dead-letters"}, {"aud", "audit"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(found(cases[i][0]), cases[i][1]);
}

static void test_other_words(void **state)
{
    (void)state;
    static const char *const words[] = {
        "",        "x",
        "jo",      "logs",
        "help-me", "status",
        "re",      "a-word-that-is-far-longer-than-any-name-that-a-command-or-a-setting-has",
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        assert_string_equal(found(words[i]), "none");
}

static void test_the_first_of_two_stays(void **state)
{
    (void)state;
    struct nearest nearest = nearest_to(TEXT("cat"));
    nearest_try(&nearest, "bat");
    nearest_try(&nearest, "hat");
    assert_string_equal(nearest.name, "bat");
    nearest_try(&nearest, "Cat");
    assert_string_equal(nearest.name, "Cat");
    assert_int_equal(nearest.distance, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slips),
        cmocka_unit_test(test_other_words),
        cmocka_unit_test(test_the_first_of_two_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
