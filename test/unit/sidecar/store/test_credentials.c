/* credentials: what is in the files counts, at each reading; and what is wrong with a file is said
 * without what is in it. */
#include "sidecar/store/credentials.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "test/support/spool_directory.h"

struct world {
    char directory[256];
    struct config config;
    struct credentials credentials;
    struct error err;
};

static int set_up(void **state)
{
    struct world *world = test_calloc(1, sizeof(*world));
    spool_directory_make(world->directory, sizeof(world->directory));
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    spool_directory_remove(world->directory);
    test_free(world);
    return 0;
}

static void path_of(const struct world *world, const char *name, char path[CONFIG_TEXT_SIZE])
{
    snprintf(path, CONFIG_TEXT_SIZE, "%s/%s", world->directory, name);
}

static void write_file(const struct world *world, const char *name, const char *content,
                       size_t length)
{
    char path[CONFIG_TEXT_SIZE];
    path_of(world, name, path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static enum error_code read_again(struct world *world)
{
    memset(&world->credentials, 'x', sizeof(world->credentials));
    return credentials_read(&world->config, &world->credentials, &world->err);
}

/* What the password is, where the file holds this. */
static const char *password_of(struct world *world, const char *content)
{
    path_of(world, "password", world->config.mysql_password_file);
    write_file(world, "password", content, strlen(content));
    if (read_again(world) != ERROR_NONE)
        fail_msg("%s", world->err.text);
    return world->credentials.password;
}

static void assert_wiped(const struct credentials *credentials)
{
    const unsigned char *bytes = (const unsigned char *)credentials;
    for (size_t i = 0; i < sizeof(*credentials); i++)
        assert_int_equal(bytes[i], 0);
}

static void assert_refused(struct world *world, const char *part)
{
    assert_int_equal(read_again(world), ERROR_OPERATOR);
    if (strstr(world->err.text, part) == NULL)
        fail_msg("not '%s': %s", part, world->err.text);
    assert_non_null(strstr(world->err.text, "MYSQL_PASSWORD_FILE"));
    assert_non_null(strstr(world->err.text, world->config.mysql_password_file));
    assert_wiped(&world->credentials);
}

static void test_without_files_the_settings_count(void **state)
{
    struct world *world = *state;
    strcpy(world->config.mysql_user, "user");
    strcpy(world->config.mysql_password, "password");
    assert_int_equal(read_again(world), ERROR_NONE);
    assert_string_equal(world->credentials.user, "user");
    assert_string_equal(world->credentials.password, "password");
    credentials_wipe(&world->credentials);
    assert_wiped(&world->credentials);
}

static void test_one_line_end_is_not_part_of_a_secret(void **state)
{
    struct world *world = *state;
    assert_string_equal(password_of(world, "secret"), "secret");
    assert_string_equal(password_of(world, "secret\n"), "secret");
    assert_string_equal(password_of(world, "secret\r\n"), "secret");
    assert_string_equal(password_of(world, " se cret "), " se cret ");
}

static void test_each_reading_sees_what_is_there_then(void **state)
{
    struct world *world = *state;
    path_of(world, "user", world->config.mysql_user_file);
    write_file(world, "user", "one\n", 4);
    assert_string_equal(password_of(world, "first"), "first");
    assert_string_equal(world->credentials.user, "one");
    write_file(world, "user", "another", 7);
    assert_string_equal(password_of(world, "second"), "second");
    assert_string_equal(world->credentials.user, "another");
}

static void test_a_file_that_holds_no_secret_is_refused(void **state)
{
    struct world *world = *state;
    path_of(world, "password", world->config.mysql_password_file);
    strcpy(world->config.mysql_user, "user");
    assert_refused(world, "No such file");
    write_file(world, "password", "", 0);
    assert_refused(world, "is empty");
    write_file(world, "password", "\n", 1);
    assert_refused(world, "is empty");
    write_file(world, "password", "hunter2\n\n", 9);
    assert_refused(world, "newline");
    write_file(world, "password", "hun\nter2\n", 9);
    assert_refused(world, "control character");
    write_file(world, "password", "hun\0ter2", 8);
    assert_refused(world, "control character");
    write_file(world, "password", "hunter2\xff", 8);
    assert_refused(world, "UTF-8");
    assert_null(strstr(world->err.text, "hunter2"));
}

static void test_what_is_no_file_is_refused(void **state)
{
    struct world *world = *state;
    strcpy(world->config.mysql_password_file, world->directory);
    assert_refused(world, "is not a file");
    path_of(world, "fifo", world->config.mysql_password_file);
    assert_int_equal(mkfifo(world->config.mysql_password_file, 0600), 0);
    assert_refused(world, "is not a file");
}

static void test_secrets_are_as_long_as_settings_may_be(void **state)
{
    struct world *world = *state;
    char text[CONFIG_TEXT_SIZE + 8];
    memset(text, 'p', sizeof(text));
    path_of(world, "password", world->config.mysql_password_file);
    write_file(world, "password", text, CONFIG_TEXT_SIZE);
    assert_refused(world, "longer than 1023 bytes");
    write_file(world, "password", text, sizeof(text));
    assert_refused(world, "longer than 1023 bytes");
    text[CONFIG_TEXT_SIZE - 1] = '\n';
    write_file(world, "password", text, CONFIG_TEXT_SIZE);
    assert_int_equal(read_again(world), ERROR_NONE);
    assert_int_equal(strlen(world->credentials.password), CONFIG_TEXT_SIZE - 1);

    path_of(world, "user", world->config.mysql_user_file);
    write_file(world, "user", text, CONFIG_MAX_USER + 1);
    assert_int_equal(read_again(world), ERROR_OPERATOR);
    assert_non_null(strstr(world->err.text, "MYSQL_USER_FILE"));
    write_file(world, "user", text, CONFIG_MAX_USER);
    assert_int_equal(read_again(world), ERROR_NONE);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_without_files_the_settings_count),
        TEST(test_one_line_end_is_not_part_of_a_secret),
        TEST(test_each_reading_sees_what_is_there_then),
        TEST(test_a_file_that_holds_no_secret_is_refused),
        TEST(test_what_is_no_file_is_refused),
        TEST(test_secrets_are_as_long_as_settings_may_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
