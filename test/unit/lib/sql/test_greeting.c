/* greeting: real first packets, refusals, strangers, and every piece of them. */
#include "lib/sql/greeting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* MariaDB 10.11 and MySQL 8.0, up to the capabilities; the rest is not looked at. */
#define MARIADB(capabilities)                                                                      \
    "\x34\0\0\0\x0a"                                                                               \
    "5.5.5-10.11.19-MariaDB-0+deb12u1\0"                                                           \
    "\x05\0\0\0scramble\0" capabilities "\x2d\x02\0"
#define MYSQL                                                                                      \
    "\x1a\0\0\0\x0a"                                                                               \
    "8.0.36\0"                                                                                     \
    "\x09\0\0\0scramble\0\xff\xff\xff\x02\0"
#define TOO_MANY "\x17\0\0\0\xff\x10\x04Too many connections"
#define BLOCKED  "\x1c\0\0\0\xff\x69\x04#HY000Host is not allowed"

#define BYTES(literal) ((struct text){(literal), sizeof(literal) - 1})

static struct greeting read_all(struct text bytes)
{
    struct greeting greeting;
    greeting_read(&greeting, bytes);
    return greeting;
}

static void test_a_server_tells_its_version_and_whether_it_has_tls(void **state)
{
    (void)state;
    struct greeting greeting = read_all(BYTES(MARIADB("\xfe\xff")));
    assert_int_equal(greeting.kind, GREETING_SERVER);
    assert_string_equal(greeting.version, "10.11.19-MariaDB-0+deb12u1");
    assert_true(greeting.offers_tls);
    greeting = read_all(BYTES(MARIADB("\xfe\xf7")));
    assert_int_equal(greeting.kind, GREETING_SERVER);
    assert_false(greeting.offers_tls);
    greeting = read_all(BYTES(MYSQL));
    assert_int_equal(greeting.kind, GREETING_SERVER);
    assert_string_equal(greeting.version, "8.0.36");
    assert_true(greeting.offers_tls);
}

static void test_a_refusal_has_a_number_and_a_text(void **state)
{
    (void)state;
    struct greeting greeting = read_all(BYTES(TOO_MANY));
    assert_int_equal(greeting.kind, GREETING_REFUSAL);
    assert_int_equal(greeting.number, 1040);
    assert_string_equal(greeting.text, "Too many connections");
    greeting = read_all(BYTES(BLOCKED));
    assert_int_equal(greeting.kind, GREETING_REFUSAL);
    assert_int_equal(greeting.number, 1129);
    assert_string_equal(greeting.text, "Host is not allowed");
}

static void test_others_are_strangers(void **state)
{
    (void)state;
    static const struct text others[] = {
        {"SSH-2.0-OpenSSH_9.2p1\r\n", 23},
        {"HTTP/1.1 400 Bad Request\r\n", 26},
        {"\0\0\0\0\x0a", 5},
        {"\x40\0\0\0\x09", 5},
        {"\x40\0\0\x01\x0a", 5},
        {"\xff\xff\0\0\x0a", 5},
        {"\x01\0\0\0\xff", 5},
        {"\x02\0\0\0\x0a"
         "5",
         6},
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_int_equal(read_all(others[i]).kind, GREETING_ALIEN);
}

/* Each piece in memory of its own, so that a sanitizer sees a step too far. */
static void check_pieces(struct text whole, size_t head)
{
    for (size_t length = 0; length < whole.length; length++) {
        char *piece = malloc(length > 0 ? length : 1);
        assert_non_null(piece);
        memcpy(piece, whole.data, length);
        struct greeting greeting = read_all((struct text){piece, length});
        assert_true(greeting.kind == GREETING_UNFINISHED || length >= head);
        free(piece);
    }
}

static void test_a_piece_is_unfinished(void **state)
{
    (void)state;
    check_pieces(BYTES(MARIADB("\xfe\xff")), 4 + 0x34);
    check_pieces(BYTES(TOO_MANY), 4 + 0x17);
}

/* A packet that is cut off inside, and says that it is whole. */
static void test_a_packet_that_is_too_short_for_its_fields(void **state)
{
    (void)state;
    const struct text whole = BYTES(MARIADB("\xfe\xff"));
    for (size_t length = 5; length < whole.length; length++) {
        char *piece = malloc(length);
        assert_non_null(piece);
        memcpy(piece, whole.data, length);
        piece[0] = (char)(length - 4);
        struct greeting greeting = read_all((struct text){piece, length});
        assert_true(greeting.kind == GREETING_ALIEN || greeting.kind == GREETING_SERVER);
        free(piece);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_server_tells_its_version_and_whether_it_has_tls),
        cmocka_unit_test(test_a_refusal_has_a_number_and_a_text),
        cmocka_unit_test(test_others_are_strangers),
        cmocka_unit_test(test_a_piece_is_unfinished),
        cmocka_unit_test(test_a_packet_that_is_too_short_for_its_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
