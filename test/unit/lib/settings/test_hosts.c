/* hosts: lists of servers. */
#include "lib/settings/hosts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

struct fixture {
    struct config_host hosts[CONFIG_MAX_HOSTS];
    size_t count;
};

static void parse(struct fixture *fixture, const char *list)
{
    struct error err;
    if (hosts_parse(text_from(list), 3306, fixture->hosts, &fixture->count, &err) != ERROR_NONE)
        fail_msg("%s: %s", list, err.text);
}

static void assert_single(const char *list, const char *name, uint16_t port)
{
    struct fixture fixture;
    parse(&fixture, list);
    assert_int_equal(fixture.count, 1);
    assert_string_equal(fixture.hosts[0].name, name);
    assert_int_equal(fixture.hosts[0].port, port);
}

static void test_one_host_of_each_form(void **state)
{
    (void)state;
    assert_single("localhost", "localhost", 3306);
    assert_single("db-1.example_x.COM", "db-1.example_x.COM", 3306);
    assert_single("azAZ09", "azAZ09", 3306);
    assert_single("db:3307", "db", 3307);
    assert_single("db:1", "db", 1);
    assert_single("db:65535", "db", 65535);
    assert_single("db:03306", "db", 3306);
    assert_single("10.0.0.1:3307", "10.0.0.1", 3307);
    assert_single("[::1]", "::1", 3306);
    assert_single("[fe80::1%eth0]:3307", "fe80::1%eth0", 3307);
    assert_single("/run/mysqld/mysqld.sock", "/run/mysqld/mysqld.sock", 0);
    assert_single("/run/a b:c]/s", "/run/a b:c]/s", 0);
}

static void test_a_list_keeps_its_order(void **state)
{
    (void)state;
    struct fixture fixture;
    parse(&fixture, "a,b:3307,[::1]:3306,/run/x.sock,a");
    assert_int_equal(fixture.count, 5);
    assert_string_equal(fixture.hosts[0].name, "a");
    assert_int_equal(fixture.hosts[0].port, 3306);
    assert_string_equal(fixture.hosts[1].name, "b");
    assert_int_equal(fixture.hosts[1].port, 3307);
    assert_string_equal(fixture.hosts[2].name, "::1");
    assert_string_equal(fixture.hosts[3].name, "/run/x.sock");
    assert_string_equal(fixture.hosts[4].name, "a");
}

/* The list is refused for a reason that contains part, and without repeating the list. */
static void assert_refused(const char *list, const char *part)
{
    struct fixture fixture;
    struct error err = {0};
    enum error_code code = hosts_parse(text_from(list), 3306, fixture.hosts, &fixture.count, &err);
    if (code != ERROR_OPERATOR || strstr(err.text, part) == NULL)
        fail_msg("%s: %d, %s", list, (int)code, err.text);
}

static void test_what_is_no_host_is_refused(void **state)
{
    (void)state;
    assert_refused("", "entry 1 of the list: it has no name");
    assert_refused(",", "entry 1 of the list: it has no name");
    assert_refused("a,", "entry 2 of the list: it has no name");
    assert_refused("a,,b", "entry 2 of the list: it has no name");
    assert_refused(":3306", "no name");
    assert_refused("[]", "no name");
    assert_refused("a, b", "entry 2 of the list: its name has a character");
    assert_refused("mysql:3306/kubedl", "port is not a number");
    assert_refused("tcp(db:3306)", "port is not a number");
    assert_refused("mysql://db", "is a URL");
    assert_refused("a,mysql://kubedl:secret@db:3306/kubedl", "entry 2 of the list: it is a URL");
    assert_refused("kubedl@db", "has an account in it");
    assert_refused("db/kubedl", "character");
    assert_refused("d\xc3\xa9", "character");
    assert_refused("::1", "brackets");
    assert_refused("::", "brackets");
    assert_refused("fe80::1:3306", "brackets");
    assert_refused("[", "not closed");
    assert_refused("[::1", "not closed");
    assert_refused("[::1]3306", "colon");
    assert_refused("[::g z]", "character");
    assert_refused("db:", "port");
    assert_refused("db:0", "1 to 65535");
    assert_refused("db:65536", "1 to 65535");
    assert_refused("db:99999999999999999999", "1 to 65535");
    assert_refused("db:65535x", "not a number");
    assert_refused("db:+1", "not a number");
    assert_refused("[::1]:", "1 to 65535");
    assert_refused("/run/\nx", "character");
}

static void test_long_names_and_paths_are_refused(void **state)
{
    (void)state;
    char name[300];
    memset(name, 'x', sizeof(name));
    name[255] = '\0';
    assert_single(name, name, 3306);
    name[255] = 'x';
    name[256] = '\0';
    assert_refused(name, "too long");
    name[0] = '/';
    name[107] = '\0';
    assert_single(name, name, 0);
    name[107] = 'x';
    name[108] = '\0';
    assert_refused(name, "too long");
}

static void test_more_hosts_than_fit_are_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    char list[100] = "h";
    for (int i = 1; i < CONFIG_MAX_HOSTS; i++)
        strcat(list, ",h");
    parse(&fixture, list);
    assert_int_equal(fixture.count, CONFIG_MAX_HOSTS);
    strcat(list, ",h");
    assert_refused(list, "more than 16");
}

static void test_a_password_in_the_list_is_not_repeated(void **state)
{
    (void)state;
    struct fixture fixture;
    struct error err;
    assert_int_equal(
        hosts_parse(TEXT("root:hunter2@db"), 3306, fixture.hosts, &fixture.count, &err),
        ERROR_OPERATOR);
    assert_null(strstr(err.text, "hunter2"));
}

static void test_a_label_is_what_messages_name_the_host(void **state)
{
    (void)state;
    struct fixture fixture;
    char label[HOSTS_LABEL_SIZE];
    parse(&fixture, "db:3307,/run/mysqld.sock,[::1]");
    hosts_label(&fixture.hosts[0], label);
    assert_string_equal(label, "db port 3307");
    hosts_label(&fixture.hosts[1], label);
    assert_string_equal(label, "/run/mysqld.sock");
    hosts_label(&fixture.hosts[2], label);
    assert_string_equal(label, "::1 port 3306");
    assert_true(hosts_is_socket(&fixture.hosts[1]));
    assert_false(hosts_is_socket(&fixture.hosts[0]) || hosts_is_socket(&fixture.hosts[2]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_host_of_each_form),
        cmocka_unit_test(test_a_list_keeps_its_order),
        cmocka_unit_test(test_what_is_no_host_is_refused),
        cmocka_unit_test(test_long_names_and_paths_are_refused),
        cmocka_unit_test(test_more_hosts_than_fit_are_refused),
        cmocka_unit_test(test_a_password_in_the_list_is_not_repeated),
        cmocka_unit_test(test_a_label_is_what_messages_name_the_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
