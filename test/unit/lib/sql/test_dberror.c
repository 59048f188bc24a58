/* dberror: every number that is known, in its class; the rest by SQLSTATE. */
#include "lib/sql/dberror.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const struct text no_message = {"", 0};

static enum dberror_class classify(unsigned number, enum dberror_phase phase)
{
    return dberror_classify(number, "HY000", no_message, phase);
}

static const unsigned operator_numbers[] = {1045, 1698, 2059, 2061, 5012, 5010, 1251, 2049, 1862,
                                            1820, 4151, 3118, 3955, 3159, 1130, 1044, 1142, 1143,
                                            1227, 1049, 1146, 1054, 1503, 1064, 1390, 5003, 0};

/* numbers ends in 0. */
static void assert_classes(const unsigned *numbers, enum dberror_class connected,
                           enum dberror_class connecting)
{
    for (; *numbers != 0; numbers++) {
        if (classify(*numbers, DBERROR_CONNECTED) != connected ||
            classify(*numbers, DBERROR_CONNECTING) != connecting)
            fail_msg("%u is %s, while connecting %s", *numbers,
                     dberror_class_name(classify(*numbers, DBERROR_CONNECTED)),
                     dberror_class_name(classify(*numbers, DBERROR_CONNECTING)));
    }
}

static void test_every_known_number_has_its_class(void **state)
{
    (void)state;
    static const unsigned retry[] = {1213, 1205, 1969, 3024, 1020, 3101, 1317, 1180, 0};
    static const unsigned reconnect[] = {2006, 2013, 2055, 2014, 2027, 2056, 4031, 1053, 1927,
                                         1152, 1158, 1159, 1160, 1161, 1615, 1243, 0};
    static const unsigned elsewhere[] = {1836, 1792, 1047, 3032, 3100, 0};
    static const unsigned wait[] = {2001, 2002, 2003, 2005, 2008, 2012, 1042, 1043,
                                    1040, 1203, 1226, 1129, 1461, 1135, 1041, 1037,
                                    1038, 1028, 1114, 1021, 1030, 3,    0};
    static const unsigned split[] = {1153, 2020, 0};
    static const unsigned row[] = {1406, 1366, 1264, 1292, 1048, 1062, 3819,
                                   4025, 1265, 1300, 1411, 1452, 3140, 0};
    assert_classes(retry, DBERROR_RETRY, DBERROR_WAIT);
    assert_classes(reconnect, DBERROR_RECONNECT, DBERROR_WAIT);
    assert_classes(elsewhere, DBERROR_ELSEWHERE, DBERROR_ELSEWHERE);
    assert_classes(wait, DBERROR_WAIT, DBERROR_WAIT);
    assert_classes(operator_numbers, DBERROR_OPERATOR, DBERROR_OPERATOR);
    assert_classes(split, DBERROR_SPLIT, DBERROR_WAIT);
    assert_classes(row, DBERROR_ROW, DBERROR_OPERATOR);
}

static void
test_an_option_of_the_server_is_its_being_read_only_or_for_its_administrator(void **state)
{
    (void)state;
    static const char *const read_only[] = {
        "The MariaDB server is running with the --read-only option so it cannot execute this "
        "statement",
        "The MySQL server is running with the --super-read-only option so it cannot execute this "
        "statement",
    };
    static const struct text other =
        TEXT("The MariaDB server is running with the NO_ENGINE_SUBSTITUTION "
             "option so it cannot execute this statement");
    for (size_t i = 0; i < sizeof(read_only) / sizeof(read_only[0]); i++)
        assert_int_equal(
            dberror_classify(1290, "HY000", text_from(read_only[i]), DBERROR_CONNECTED),
            DBERROR_ELSEWHERE);
    assert_int_equal(dberror_classify(1290, "HY000", other, DBERROR_CONNECTED), DBERROR_OPERATOR);
    assert_non_null(dberror_advice(1290, other, DBERROR_CONNECTED));
}

static void assert_tls(const char *message, enum dberror_class connecting)
{
    struct text text = text_from(message);
    assert_int_equal(dberror_classify(2026, "HY000", text, DBERROR_CONNECTED), DBERROR_RECONNECT);
    assert_int_equal(dberror_classify(2026, "HY000", text, DBERROR_CONNECTING), connecting);
}

static void test_tls_errors_are_lost_connections_or_bad_certificates(void **state)
{
    (void)state;
    assert_tls("TLS/SSL error: Connection timed out (110)", DBERROR_WAIT);
    assert_tls("TLS/SSL error: Connection reset by peer (104)", DBERROR_WAIT);
    assert_tls("TLS/SSL error: unexpected eof while reading", DBERROR_WAIT);
    assert_tls("TLS/SSL error: Broken pipe (32)", DBERROR_WAIT);
    assert_tls("TLS/SSL error: self-signed certificate", DBERROR_OPERATOR);
    assert_tls("TLS/SSL error: Validation of SSL server certificate failed", DBERROR_OPERATOR);
    assert_tls("TLS/SSL error: wrong version number", DBERROR_OPERATOR);
    assert_tls("", DBERROR_OPERATOR);
    struct text text = TEXT("TLS/SSL error: self-signed certificate");
    assert_non_null(dberror_advice(2026, text, DBERROR_CONNECTING));
    assert_null(dberror_advice(2026, text, DBERROR_CONNECTED));
}

static void test_a_commit_without_quorum_goes_elsewhere(void **state)
{
    (void)state;
    struct text no_quorum = TEXT("Got error 6 \"No such device or address\" during COMMIT");
    assert_int_equal(dberror_classify(1180, "HY000", no_quorum, DBERROR_CONNECTED), DBERROR_RETRY);
    no_quorum = TEXT("Not connected to Primary Component");
    assert_int_equal(dberror_classify(1180, "HY000", no_quorum, DBERROR_CONNECTED),
                     DBERROR_ELSEWHERE);
}

static void test_only_a_read_only_server_is_left_for_another_one(void **state)
{
    static const char *const options[] = {"read-only", "super-read-only"};
    char message[128];

    (void)state;
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        snprintf(message, sizeof(message),
                 "The server is running with the --%s option so it cannot execute this statement",
                 options[i]);
        assert_int_equal(dberror_classify(1290, "HY000", text_from(message), DBERROR_CONNECTED),
                         DBERROR_ELSEWHERE);
    }
    struct text engine =
        TEXT("The MariaDB server is running with the NO_ENGINE_SUBSTITUTION option "
             "so it cannot execute this statement");
    assert_int_equal(dberror_classify(1290, "HY000", engine, DBERROR_CONNECTED), DBERROR_OPERATOR);
}

static enum dberror_class classify_state(const char *sqlstate, enum dberror_phase phase)
{
    return dberror_classify(9999, sqlstate, no_message, phase);
}

static void test_unknown_numbers_go_by_sqlstate(void **state)
{
    (void)state;
    assert_int_equal(classify_state("08S01", DBERROR_CONNECTED), DBERROR_RECONNECT);
    assert_int_equal(classify_state("08S01", DBERROR_CONNECTING), DBERROR_WAIT);
    assert_int_equal(classify_state("40001", DBERROR_CONNECTED), DBERROR_RETRY);
    assert_int_equal(classify_state("22001", DBERROR_CONNECTED), DBERROR_ROW);
    assert_int_equal(classify_state("23000", DBERROR_CONNECTED), DBERROR_ROW);
    assert_int_equal(classify_state("45000", DBERROR_CONNECTED), DBERROR_ROW);
    assert_int_equal(classify_state("22001", DBERROR_CONNECTING), DBERROR_OPERATOR);
    assert_int_equal(classify_state("42000", DBERROR_CONNECTED), DBERROR_OPERATOR);
    assert_int_equal(classify_state("HY000", DBERROR_CONNECTED), DBERROR_OPERATOR);
    assert_int_equal(classify_state("4", DBERROR_CONNECTED), DBERROR_OPERATOR);
    assert_int_equal(classify_state("", DBERROR_CONNECTED), DBERROR_OPERATOR);
    assert_int_equal(classify_state(NULL, DBERROR_CONNECTED), DBERROR_OPERATOR);
}

static void test_a_known_number_goes_before_its_sqlstate(void **state)
{
    (void)state;
    assert_int_equal(dberror_classify(1213, "23000", no_message, DBERROR_CONNECTED), DBERROR_RETRY);
    assert_int_equal(dberror_classify(1045, "08000", no_message, DBERROR_CONNECTED),
                     DBERROR_OPERATOR);
}

static void assert_advice(unsigned number, const char *message, const char *part)
{
    const char *advice = dberror_advice(number, text_from(message), DBERROR_CONNECTING);
    if (advice == NULL || strstr(advice, part) == NULL)
        fail_msg("the advice for %u is: %s", number, advice != NULL ? advice : "(none)");
}

static void test_advice_says_what_to_do(void **state)
{
    (void)state;
    assert_advice(1045, "Access denied for user 'a'@'b'", "MYSQL_PASSWORD");
    assert_advice(1045, "Plugin caching_sha2_password could not be loaded: no such file", "plugin");
    assert_advice(2059, "", "plugin");
    assert_advice(1044, "", "grant");
    assert_advice(1049, "", "MYSQL_DB_NAME");
    assert_advice(1142, "", "grant");
    assert_advice(1143, "", "grant");
    assert_advice(1227, "", "grant");
    assert_advice(1146, "", "restart");
    assert_advice(1054, "", "restart");
    assert_advice(1130, "", "create the account");
    assert_advice(1251, "", "authentication");
    assert_advice(1820, "", "new password");
    assert_advice(1862, "", "new password");
    assert_advice(4151, "", "unlock");
    assert_advice(2026, "TLS/SSL error: certificate has expired", "renew");
    assert_advice(2026, "SSL is required, but the server does not support it", "MYSQL_SSL_MODE");
    assert_advice(2026, "unable to get local issuer certificate", "MYSQL_SSL_CA");
    assert_advice(2026, "self-signed certificate in certificate chain", "MYSQL_SSL_CA");
    assert_advice(2026, "Validation of SSL server certificate failed", "MYSQL_HOST");
    assert_advice(2026, "tlsv13 alert certificate required", "MYSQL_SSL_CERT");
    assert_advice(2026, "No such file or directory", "MYSQL_SSL_CA");
    assert_advice(2002, "", "MYSQL_HOST");
    assert_advice(2005, "", "DNS");
    assert_advice(2013, "", "MYSQL_HOST");
    assert_advice(1040, "", "DB_CONNECTIONS");
    assert_advice(1114, "", "disk");
    assert_advice(1290, "running with the --read-only option", "MYSQL_HOST");
    assert_advice(5010, "", "MYSQL_SSL_MODE");
    assert_advice(2026, "TLS/SSL error: Hostname verification failed", "MYSQL_HOST");
    assert_advice(2026, "TLS/SSL error: Certificate not yet valid or expired", "renew");
    assert_advice(1364, "Field 'team' doesn't have a default value", "default");
    assert_advice(1047, "", "quorum");
}

static void assert_number(unsigned number, const char *message, unsigned expected)
{
    assert_int_equal(dberror_number(number, text_from(message)), expected);
}

static void test_an_error_from_before_tls_has_its_number_in_the_text(void **state)
{
    (void)state;
    assert_number(2002,
                  "Received error packet before completion of TLS handshake. The authenticity of "
                  "the following error cannot be verified: 1040 - Too many connections",
                  1040);
    assert_number(2002, "cannot be verified: 1130", 1130);
    assert_number(2002, "Can't connect to server on 'db' (111)", 2002);
    assert_number(2002, "cannot be verified: ", 2002);
    assert_number(2002, "cannot be verified: none", 2002);
    assert_number(2002, "", 2002);
    assert_number(1045, "cannot be verified: 1040", 1045);
}

static void test_every_error_for_an_operator_has_advice(void **state)
{
    (void)state;
    for (size_t i = 0; operator_numbers[i] != 0; i++)
        assert_advice(operator_numbers[i], "", "");
}

static void test_what_heals_by_itself_has_no_advice(void **state)
{
    (void)state;
    assert_null(dberror_advice(1213, no_message, DBERROR_CONNECTED));
    assert_null(dberror_advice(2013, no_message, DBERROR_CONNECTED));
    assert_null(dberror_advice(9999, no_message, DBERROR_CONNECTED));
    assert_null(dberror_advice(0, no_message, DBERROR_CONNECTED));
}

static void test_classes_have_names(void **state)
{
    (void)state;
    assert_string_equal(dberror_class_name(DBERROR_RETRY), "retry");
    assert_string_equal(dberror_class_name(DBERROR_RECONNECT), "reconnect");
    assert_string_equal(dberror_class_name(DBERROR_ELSEWHERE), "elsewhere");
    assert_string_equal(dberror_class_name(DBERROR_WAIT), "wait");
    assert_string_equal(dberror_class_name(DBERROR_OPERATOR), "operator");
    assert_string_equal(dberror_class_name(DBERROR_SPLIT), "split");
    assert_string_equal(dberror_class_name(DBERROR_ROW), "row");
}

static size_t row_of_message(const char *message)
{
    return dberror_row(text_from(message));
}

static void test_the_row_is_read_from_the_end_of_the_message(void **state)
{
    (void)state;
    assert_int_equal(row_of_message("Data too long for column 'name' at row 6"), 6);
    assert_int_equal(row_of_message("Incorrect string value: '' for column `a`.`b` at row 256"),
                     256);
    assert_int_equal(row_of_message("x at row 3: y at row 17"), 17);
    assert_int_equal(row_of_message("x at row 100"), 100);
    assert_int_equal(row_of_message("x at row 90"), 90);
    assert_int_equal(row_of_message(" at row 1"), 1);
    assert_int_equal(row_of_message("at row 1"), 0);
    assert_int_equal(row_of_message("Data too long at row "), 0);
    assert_int_equal(row_of_message("Data too long at row 6."), 0);
    assert_int_equal(row_of_message("Data too long at row -6"), 0);
    assert_int_equal(row_of_message("Incorrect value at row 6 of 8"), 0);
    assert_int_equal(row_of_message("8"), 0);
    assert_int_equal(row_of_message(""), 0);
    assert_int_equal(dberror_row((struct text){NULL, 0}), 0);
    assert_int_equal(row_of_message("x at row 999999999"), 999999999);
    assert_int_equal(row_of_message("x at row 9999999999"), 0);
    assert_int_equal(row_of_message("x at row 99999999999999999999999999999999"), 0);
    assert_int_equal(dberror_row((struct text){"x at row 123", 10}), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_known_number_has_its_class),
        cmocka_unit_test(
            test_an_option_of_the_server_is_its_being_read_only_or_for_its_administrator),
        cmocka_unit_test(test_tls_errors_are_lost_connections_or_bad_certificates),
        cmocka_unit_test(test_a_commit_without_quorum_goes_elsewhere),
        cmocka_unit_test(test_only_a_read_only_server_is_left_for_another_one),
        cmocka_unit_test(test_unknown_numbers_go_by_sqlstate),
        cmocka_unit_test(test_a_known_number_goes_before_its_sqlstate),
        cmocka_unit_test(test_advice_says_what_to_do),
        cmocka_unit_test(test_an_error_from_before_tls_has_its_number_in_the_text),
        cmocka_unit_test(test_every_error_for_an_operator_has_advice),
        cmocka_unit_test(test_what_heals_by_itself_has_no_advice),
        cmocka_unit_test(test_classes_have_names),
        cmocka_unit_test(test_the_row_is_read_from_the_end_of_the_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
