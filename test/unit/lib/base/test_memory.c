/* memory: it is zeroed; where there is none the process ends, and says so. */
#include "lib/base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void test_memory_is_zeroed(void **state)
{
    (void)state;
    unsigned char *bytes = memory_new_array(100, 3);
    for (size_t i = 0; i < 300; i++)
        assert_int_equal(bytes[i], 0);
    free(bytes);
    free(memory_new(0));
}

static void test_a_copy_is_the_callers_own(void **state)
{
    (void)state;
    char original[] = "text";
    char *copy = memory_copy_string(original);
    original[0] = 'n';
    assert_string_equal(copy, "text");
    free(copy);
}

static void test_the_end_is_said(void **state)
{
    (void)state;
    int pipe_ends[2];
    char said[400] = "";
    assert_int_equal(pipe(pipe_ends), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)dup2(pipe_ends[1], STDERR_FILENO);
        memory_exhausted("a test");
    }
    close(pipe_ends[1]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    assert_true(read(pipe_ends[0], said, sizeof(said) - 1) > 0);
    assert_non_null(strstr(said, "no memory for a test"));
    close(pipe_ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_zeroed),
        cmocka_unit_test(test_a_copy_is_the_callers_own),
        cmocka_unit_test(test_the_end_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
