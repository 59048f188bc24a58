/* file_watch: a change is seen behind links too, one call for each; and the loop ends empty. */
#include "sidecar/base/file_watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/support/spool_directory.h"

#define WATCHDOG_MS 60000
#define INTERVAL_MS 10

struct world {
    char directory[256];
    char path[512];
    uv_loop_t loop;
    uv_timer_t watchdog;
    struct file_watch *watch;
    unsigned changes;
};

static void on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("waited in vain");
}

static void on_changed(void *context, const char *path)
{
    struct world *world = context;
    assert_string_equal(path, world->path);
    world->changes++;
}

static int set_up(void **state)
{
    struct world *world = test_calloc(1, sizeof(*world));
    spool_directory_make(world->directory, sizeof(world->directory));
    snprintf(world->path, sizeof(world->path), "%s/secret", world->directory);
    assert_int_equal(uv_loop_init(&world->loop), 0);
    uv_timer_init(&world->loop, &world->watchdog);
    uv_timer_start(&world->watchdog, on_watchdog, WATCHDOG_MS, 0);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    file_watch_close(world->watch);
    uv_close((uv_handle_t *)&world->watchdog, NULL);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    spool_directory_remove(world->directory);
    test_free(world);
    return 0;
}

static void start(struct world *world)
{
    const char *const paths[] = {"", world->path, ""};
    assert_int_equal(
        file_watch_new(&world->loop, INTERVAL_MS, paths, 3, on_changed, world, &world->watch, NULL),
        ERROR_NONE);
    assert_non_null(world->watch);
}

/* In one step: a file that is being written changes more than once. */
static void write_file(const char *path, const char *content)
{
    char draft[600];
    snprintf(draft, sizeof(draft), "%s.draft", path);
    FILE *file = fopen(draft, "w");
    assert_non_null(file);
    assert_true(fputs(content, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(draft, path), 0);
}

static void await(struct world *world, unsigned changes)
{
    while (world->changes < changes)
        uv_run(&world->loop, UV_RUN_ONCE);
    assert_int_equal(world->changes, changes);
}

static void on_round_over(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

/* Lets it look at the file, several times. */
static void pass_rounds(struct world *world)
{
    bool over = false;
    uv_timer_t timer;
    uv_timer_init(&world->loop, &timer);
    timer.data = &over;
    uv_timer_start(&timer, on_round_over, 10 * INTERVAL_MS, 0);
    while (!over)
        uv_run(&world->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&world->loop, UV_RUN_NOWAIT);
}

static void test_without_files_there_is_nothing_to_watch(void **state)
{
    struct world *world = *state;
    const char *const paths[] = {"", ""};
    assert_int_equal(
        file_watch_new(&world->loop, INTERVAL_MS, paths, 2, on_changed, world, &world->watch, NULL),
        ERROR_NONE);
    assert_null(world->watch);
}

static void test_a_change_is_told_once(void **state)
{
    struct world *world = *state;
    write_file(world->path, "one");
    start(world);
    pass_rounds(world);
    assert_int_equal(world->changes, 0);
    write_file(world->path, "another");
    await(world, 1);
    pass_rounds(world);
    assert_int_equal(world->changes, 1);
}

static void test_a_file_that_comes_is_a_change_and_one_that_goes_is_not(void **state)
{
    struct world *world = *state;
    start(world);
    pass_rounds(world);
    assert_int_equal(world->changes, 0);
    write_file(world->path, "one");
    await(world, 1);
    assert_int_equal(unlink(world->path), 0);
    pass_rounds(world);
    assert_int_equal(world->changes, 1);
    write_file(world->path, "another");
    await(world, 2);
}

/* As kubelet does it: secret -> ..data/secret, and ..data -> a directory that is replaced. Here the
 * directories are files. */
static void test_a_link_that_is_turned_round_is_a_change(void **state)
{
    struct world *world = *state;
    char first[512], second[512], data[512], new_data[512];
    snprintf(first, sizeof(first), "%s/..1", world->directory);
    snprintf(second, sizeof(second), "%s/..2", world->directory);
    snprintf(data, sizeof(data), "%s/..data", world->directory);
    snprintf(new_data, sizeof(new_data), "%s/..data_tmp", world->directory);
    write_file(first, "one");
    write_file(second, "two");
    assert_int_equal(symlink("..1", data), 0);
    assert_int_equal(symlink("..data", world->path), 0);
    start(world);
    pass_rounds(world);
    assert_int_equal(world->changes, 0);
    assert_int_equal(symlink("..2", new_data), 0);
    assert_int_equal(rename(new_data, data), 0);
    await(world, 1);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_without_files_there_is_nothing_to_watch),
        TEST(test_a_change_is_told_once),
        TEST(test_a_file_that_comes_is_a_change_and_one_that_goes_is_not),
        TEST(test_a_link_that_is_turned_round_is_a_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
