/* remarks: which variables of an environment a person is told of. */
#include "lib/settings/remarks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* What was said, as "VARIABLE>SETTING VARIABLE> ". */
static char said[4096];

static void note(void *context, const struct remark *remark)
{
    (void)context;
    size_t used = strlen(said);
    snprintf(said + used, sizeof(said) - used, "%.*s>%s ", (int)remark->variable.length,
             remark->variable.data, remark->setting != NULL ? remark->setting : "");
}

#define ASSERT_SAID(expected, ...)                                                                 \
    do {                                                                                           \
        said[0] = '\0';                                                                            \
        remarks_make((char *[]){__VA_ARGS__, NULL}, note, NULL);                                   \
        assert_string_equal(said, expected);                                                       \
    } while (0)

static void test_names_that_are_nearly_those_of_settings(void **state)
{
    (void)state;
    ASSERT_SAID("CLUSTERID>CLUSTER_ID OUTBOX_MAX_ROW>OUTBOX_MAX_ROWS ", "CLUSTERID=a",
                "OUTBOX_MAX_ROW=5");
    ASSERT_SAID("MYSQL_PROT>MYSQL_PORT mysql_host>MYSQL_HOST LOGLEVEL>LOG_LEVEL ",
                "MYSQL_PROT=3307", "mysql_host=db", "LOGLEVEL=debug");
    ASSERT_SAID("MYSQL_DB>MYSQL_DB_NAME MYSQL_PASS>MYSQL_PASSWORD DB_TIMEOUT>DB_TIMEOUT_MS ",
                "MYSQL_DB=kubedl", "MYSQL_PASS=p", "DB_TIMEOUT=5");
    ASSERT_SAID("MYSQL_USERNAME>MYSQL_USER SPOOL_DIRECTORY>SPOOL_DIR ", "MYSQL_USERNAME=u",
                "SPOOL_DIRECTORY=/s");
    ASSERT_SAID("SHUTDWN_GRACE_S>SHUTDOWN_GRACE_MS ", "SHUTDWN_GRACE_S=20");
}

static void test_names_that_other_programs_use(void **state)
{
    (void)state;
    ASSERT_SAID("MYSQL_DATABASE>MYSQL_DB_NAME DB_HOST>MYSQL_HOST ", "MYSQL_DATABASE=kubedl",
                "DB_HOST=db");
    ASSERT_SAID("DB_PORT>MYSQL_PORT ", "MYSQL_PORT_3306_TCP=tcp://10.96.0.5:3306", "DB_PORT=3307");
}

/* Whoever has set the setting knows its name; the other variable is for another program. */
static void test_the_names_of_other_programs_beside_our_own(void **state)
{
    (void)state;
    ASSERT_SAID("", "MYSQL_DATABASE=kubedl", "MYSQL_DB_NAME=kubedl");
    ASSERT_SAID("", "DB_PASSWORD=p", "MYSQL_PASSWORD=", "DB_USER=u", "MYSQL_USER_FILE=/u");
    ASSERT_SAID("OUTBOX_MAX_ROW>OUTBOX_MAX_ROWS ", "OUTBOX_MAX_ROWS=9", "OUTBOX_MAX_ROW=5");
}

static void test_variables_that_are_not_meant_for_us(void **state)
{
    (void)state;
    ASSERT_SAID("", "PATH=/bin", "HOME=/", "HOSTNAME=kubedl-0", "LANG=C.UTF-8", "TERM=xterm",
                "LOG=1", "LOGNAME=root", "READER=x", "HTTP_PROXY=http://proxy", "NO_PROXY=*",
                "SSL_CERT_FILE=/ca", "KUBECONFIG=/k", "POD_NAMESPACE=n", "AWS_REGION=r",
                "MARIADB_PLUGIN_DIR=/plugins", "SOURCE_DATE_EPOCH=0", "=strange", "no equals sign");
    /* the MySQL image, and the client library */
    ASSERT_SAID("", "MYSQL_ROOT_PASSWORD=p", "MYSQL_ROOT_PASSWORD_FILE=/p", "MYSQL_ROOT_HOST=%",
                "MYSQL_ALLOW_EMPTY_PASSWORD=1", "MYSQL_RANDOM_ROOT_PASSWORD=1",
                "MYSQL_ONETIME_PASSWORD=1", "MYSQL_INITDB_SKIP_TZINFO=1", "MYSQL_MAJOR=8.0",
                "MYSQL_VERSION=8.0.36", "MYSQL_HOME=/", "MYSQL_TCP_PORT=1", "MYSQL_UNIX_PORT=/s",
                "MYSQL_HISTFILE=/dev/null", "PGSQL_HOST=db");
    /* settings, and empty variables, which count as not set */
    ASSERT_SAID("", "MYSQL_HOST=db", "MYSQL_PORT=3306", "CLUSTER_ID=a",
                "MYSQL_DATABASE=", "CLUSTERID=");
}

/* As the kubelet sets them for Services called mysql, kubedl, db, and http. */
static void test_service_links_of_other_names(void **state)
{
    (void)state;
    ASSERT_SAID("", "MYSQL_SERVICE_HOST=10.96.0.5", "MYSQL_SERVICE_PORT=3306",
                "MYSQL_SERVICE_PORT_CLIENT=3306", "MYSQL_PORT_3306_TCP=tcp://10.96.0.5:3306",
                "MYSQL_PORT_3306_TCP_PROTO=tcp", "MYSQL_PORT_3306_TCP_PORT=3306",
                "MYSQL_PORT_3306_TCP_ADDR=10.96.0.5", "MYSQL_PORT_53_UDP=udp://10.96.0.5:53");
    ASSERT_SAID("", "KUBEDL_PORT=tcp://10.0.0.1:80", "KUBERNETES_PORT=tcp://10.96.0.1:443",
                "KUBERNETES_PORT_443_TCP_ADDR=10.96.0.1", "KUBERNETES_SERVICE_HOST=10.96.0.1",
                "KUBERNETES_SERVICE_PORT=443", "KUBERNETES_SERVICE_PORT_HTTPS=443",
                "DB_PORT=tcp://10.0.0.1:3306", "HTTP_PORT=tcp://10.0.0.1:80");
    ASSERT_SAID("DB_PORT>MYSQL_PORT HTTP_PORT>HTTP_LISTEN ", "DB_PORT=3306", "HTTP_PORT=9470");
}

static void test_service_links_that_are_settings(void **state)
{
    (void)state;
    ASSERT_SAID("MYSQL_PORT> KUBERNETES_SERVICE_PORT> ", "MYSQL_PORT=tcp://10.96.0.5:3306",
                "KUBERNETES_SERVICE_PORT=udp://[fd00::1]:53");
    ASSERT_SAID("", "MYSQL_PORT=http://10.96.0.5:3306", "MYSQL_USER=tcp://10.96.0.5:3306");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_that_are_nearly_those_of_settings),
        cmocka_unit_test(test_names_that_other_programs_use),
        cmocka_unit_test(test_the_names_of_other_programs_beside_our_own),
        cmocka_unit_test(test_variables_that_are_not_meant_for_us),
        cmocka_unit_test(test_service_links_of_other_names),
        cmocka_unit_test(test_service_links_that_are_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
