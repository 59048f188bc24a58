/* config: from an environment to settings, and back to what a person reads. */
#include "lib/settings/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* An environment: names and values in turn, ending in NULL. */
static const char *look_up(void *context, const char *name)
{
    for (const char *const *pair = context; pair[0] != NULL; pair += 2) {
        if (strcmp(pair[0], name) == 0)
            return pair[1];
    }
    return NULL;
}

struct loaded {
    struct config config;
    enum error_code code;
    struct buffer problems;
};

static int set_up(void **state)
{
    static struct loaded loaded;
    buffer_init(&loaded.problems, 1 << 20);
    *state = &loaded;
    return 0;
}

static int tear_down(void **state)
{
    struct loaded *loaded = *state;
    buffer_fini(&loaded->problems);
    return 0;
}

static void load(struct loaded *loaded, const char *const *environment)
{
    buffer_reset(&loaded->problems);
    loaded->code = config_load(&loaded->config, look_up, (void *)environment, &loaded->problems);
    assert_false(loaded->problems.failed);
}

#define LOAD(loaded, ...) load((loaded), (const char *const[]){__VA_ARGS__, NULL})

static void assert_problems(struct loaded *loaded, const char *expected)
{
    assert_string_equal(buffer_cstring(&loaded->problems), expected);
    assert_int_equal(loaded->code, expected[0] != '\0' ? ERROR_OPERATOR : ERROR_NONE);
}

static void test_defaults(void **state)
{
    struct loaded *loaded = *state;
    const struct config *config = &loaded->config;
    LOAD(loaded, "MYSQL_USER", "kubedl");
    assert_problems(loaded, "");
    assert_string_equal(config->mysql_host, "localhost");
    assert_int_equal(config->mysql_port, 3306);
    assert_string_equal(config->mysql_db_name, "kubedl");
    assert_string_equal(config->mysql_user, "kubedl");
    assert_string_equal(config->mysql_password, "");
    assert_string_equal(config->mysql_user_file, "");
    assert_string_equal(config->mysql_password_file, "");
    assert_int_equal(config->mysql_ssl_mode, SSL_MODE_PREFERRED);
    assert_string_equal(config->mysql_ssl_ca, "");
    assert_string_equal(config->mysql_ssl_cert, "");
    assert_string_equal(config->mysql_ssl_key, "");
    assert_string_equal(config->region, "");
    assert_string_equal(config->cluster_id, "");
    assert_string_equal(config->event_source, "unix:/run/kubedl/events.sock");
    assert_int_equal(config->leader, LEADER_NONE);
    assert_int_equal(config->max_document_bytes, 16 << 20);
    assert_int_equal(config->source_max_bytes, 64 << 20);
    assert_int_equal(config->source_max_connections, 64);
    assert_int_equal(config->batch_max_rows, 256);
    assert_int_equal(config->batch_linger_ms, 5);
    assert_int_equal(config->db_connections, 2);
    assert_int_equal(config->db_timeout_ms, 30000);
    assert_int_equal(config->outbox_max_rows, 100000);
    assert_int_equal(config->outbox_max_bytes, 256 << 20);
    assert_int_equal(config->shutdown_grace_ms, 20000);
    assert_int_equal(config->log_summary_ms, 60000);
    assert_int_equal(config->log_level, LOG_LEVEL_INFO);
    assert_int_equal(config->log_format, LOG_FORMAT_LOGFMT);
    assert_int_equal(config->host_count, 1);
    assert_string_equal(config->hosts[0].name, "localhost");
    assert_int_equal(config->hosts[0].port, 3306);
}

static void test_every_setting_is_read_from_its_own_variable(void **state)
{
    struct loaded *loaded = *state;
    const struct config *config = &loaded->config;
    LOAD(loaded, "MYSQL_HOST", "a,b:1", "MYSQL_PORT", "3307", "MYSQL_DB_NAME", "d", "MYSQL_USER",
         "u", "MYSQL_PASSWORD", "p", "MYSQL_SSL_MODE", "verify-ca", "MYSQL_SSL_CA", "/ca",
         "MYSQL_SSL_CERT", "/cert", "MYSQL_SSL_KEY", "/key", "REGION", "r", "CLUSTER_ID", "c",
         "EVENT_SOURCE", "-", "LEADER", "mysql", "MAX_DOCUMENT_BYTES", "5000", "SOURCE_MAX_BYTES",
         "70000", "SOURCE_MAX_CONNECTIONS", "9", "BATCH_MAX_ROWS", "11", "BATCH_LINGER_MS", "12",
         "DB_CONNECTIONS", "13", "DB_TIMEOUT_MS", "1400", "OUTBOX_MAX_ROWS", "15",
         "OUTBOX_MAX_BYTES", "160000", "SHUTDOWN_GRACE_MS", "17", "LOG_SUMMARY_MS", "18",
         "LOG_LEVEL", "error", "LOG_FORMAT", "json");
    assert_problems(loaded, "");
    assert_string_equal(config->mysql_host, "a,b:1");
    assert_int_equal(config->mysql_port, 3307);
    assert_string_equal(config->mysql_db_name, "d");
    assert_string_equal(config->mysql_user, "u");
    assert_string_equal(config->mysql_password, "p");
    assert_int_equal(config->mysql_ssl_mode, SSL_MODE_VERIFY_CA);
    assert_string_equal(config->mysql_ssl_ca, "/ca");
    assert_string_equal(config->mysql_ssl_cert, "/cert");
    assert_string_equal(config->mysql_ssl_key, "/key");
    assert_string_equal(config->region, "r");
    assert_string_equal(config->cluster_id, "c");
    assert_string_equal(config->event_source, "-");
    assert_int_equal(config->leader, LEADER_MYSQL);
    assert_int_equal(config->max_document_bytes, 5000);
    assert_int_equal(config->source_max_bytes, 70000);
    assert_int_equal(config->source_max_connections, 9);
    assert_int_equal(config->batch_max_rows, 11);
    assert_int_equal(config->batch_linger_ms, 12);
    assert_int_equal(config->db_connections, 13);
    assert_int_equal(config->db_timeout_ms, 1400);
    assert_int_equal(config->outbox_max_rows, 15);
    assert_int_equal(config->outbox_max_bytes, 160000);
    assert_int_equal(config->shutdown_grace_ms, 17);
    assert_int_equal(config->log_summary_ms, 18);
    assert_int_equal(config->log_level, LOG_LEVEL_ERROR);
    assert_int_equal(config->log_format, LOG_FORMAT_JSON);
    assert_int_equal(config->host_count, 2);
    assert_int_equal(config->hosts[0].port, 3307);
    assert_int_equal(config->hosts[1].port, 1);
}

static void test_the_shortest_host_is_a_host(void **state)
{
    struct loaded *loaded = *state;
    LOAD(loaded, "MYSQL_USER", "u", "MYSQL_HOST", "h");
    assert_problems(loaded, "");
    assert_int_equal(loaded->config.host_count, 1);
    assert_string_equal(loaded->config.hosts[0].name, "h");
}

static void test_empty_is_the_default(void **state)
{
    struct loaded *loaded = *state;
    LOAD(loaded, "MYSQL_USER", "u", "MYSQL_HOST", "", "MYSQL_PORT", "", "LOG_LEVEL", "",
         "MAX_DOCUMENT_BYTES", "");
    assert_problems(loaded, "");
    assert_string_equal(loaded->config.mysql_host, "localhost");
    assert_int_equal(loaded->config.mysql_port, 3306);
    assert_int_equal(loaded->config.log_level, LOG_LEVEL_INFO);
    assert_int_equal(loaded->config.max_document_bytes, 16 << 20);
}

/* What the kubelet sets for a Service called mysql. */
static void test_case_service_link_mysql_port(void **state)
{
    struct loaded *loaded = *state;
    LOAD(loaded, "MYSQL_USER", "u", "MYSQL_HOST", "mysql", "MYSQL_PORT", "tcp://10.96.0.5:3306",
         "KUBERNETES_SERVICE_PORT", "443");
    assert_problems(loaded, "");
    assert_int_equal(loaded->config.mysql_port, 3306);
    assert_int_equal(loaded->config.hosts[0].port, 3306);
    assert_string_equal(loaded->config.kubernetes_service_port, "443");
}

static void test_any_port_may_be_a_service_link(void **state)
{
    struct loaded *loaded = *state;
    LOAD(loaded, "MYSQL_USER", "u", "KUBERNETES_SERVICE_PORT", "udp://[fd00::1]:53");
    assert_problems(loaded, "");
    assert_string_equal(loaded->config.kubernetes_service_port, "");
}

static void test_what_is_no_port_or_no_service_link_is_taken_as_it_is(void **state)
{
    struct loaded *loaded = *state;
    LOAD(loaded, "MYSQL_USER", "tcp://10.96.0.5:3306", "MYSQL_PORT", "http://10.96.0.5:3306");
    assert_problems(loaded, "MYSQL_PORT: must be 1 to 65535, is \"http://10.96.0.5:3306\"\n");
    assert_string_equal(loaded->config.mysql_user, "tcp://10.96.0.5:3306");
}

static void test_a_user_must_be_set(void **state)
{
    struct loaded *loaded = *state;
    static const char *const problem =
        "MYSQL_USER: must be set (or MYSQL_USER_FILE) to the account "
        "on the database server\n";
    LOAD(loaded, "MYSQL_PASSWORD", "p");
    assert_problems(loaded, problem);
    LOAD(loaded, "MYSQL_USER", "");
    assert_problems(loaded, problem);
    LOAD(loaded, "MYSQL_USER_FILE", "/user");
    assert_problems(loaded, "");
    assert_string_equal(loaded->config.mysql_user_file, "/user");
}

static void test_a_secret_is_set_in_one_way(void **state)
{
    struct loaded *loaded = *state;
    LOAD(loaded, "MYSQL_USER", "u", "MYSQL_PASSWORD_FILE", "/password");
    assert_problems(loaded, "");
    assert_string_equal(loaded->config.mysql_password_file, "/password");
    LOAD(loaded, "MYSQL_USER", "u", "MYSQL_PASSWORD", "", "MYSQL_PASSWORD_FILE", "/password");
    assert_problems(loaded, "");
    LOAD(loaded, "MYSQL_USER", "u", "MYSQL_USER_FILE", "/user", "MYSQL_PASSWORD", "p",
         "MYSQL_PASSWORD_FILE", "/password");
    assert_problems(loaded, "MYSQL_USER_FILE: MYSQL_USER is set as well: keep one of them\n"
                            "MYSQL_PASSWORD_FILE: MYSQL_PASSWORD is set as well: keep one of "
                            "them\n");
}

static void test_a_secret_from_elsewhere_follows_the_same_rules(void **state)
{
    (void)state;
    assert_null(config_check_secret(TEXT("p w")));
    assert_null(config_check_secret(TEXT(" pw ")));
    assert_non_null(config_check_secret(TEXT("")));
    assert_non_null(config_check_secret(TEXT("pw\n")));
    assert_non_null(config_check_secret(TEXT("p\nw")));
    assert_non_null(config_check_secret(TEXT("p\0w")));
    assert_non_null(config_check_secret(TEXT("pw\xff")));
}

/* What is wrong with these settings of TLS, or "". */
static const char *tls_problem(struct loaded *loaded, const char *mode, const char *ca,
                               const char *cert, const char *key)
{
    LOAD(loaded, "MYSQL_USER", "u", "MYSQL_SSL_MODE", mode, "MYSQL_SSL_CA", ca, "MYSQL_SSL_CERT",
         cert, "MYSQL_SSL_KEY", key);
    assert_int_equal(loaded->code == ERROR_NONE, loaded->problems.length == 0);
    return buffer_cstring(&loaded->problems);
}

static void test_a_certificate_that_nobody_would_look_at_is_refused(void **state)
{
    struct loaded *loaded = *state;
    static const char *const lax[] = {"disabled", "preferred", "required", ""};
    for (size_t i = 0; i < sizeof(lax) / sizeof(lax[0]); i++) {
        assert_string_equal(tls_problem(loaded, lax[i], "", "", ""), "");
        assert_non_null(strstr(tls_problem(loaded, lax[i], "/ca", "", ""), "verify-identity"));
    }
    assert_string_equal(tls_problem(loaded, "verify-ca", "/ca", "", ""), "");
    assert_string_equal(tls_problem(loaded, "verify-identity", "/ca", "", ""), "");
    assert_string_equal(tls_problem(loaded, "verify-identity", "", "", ""), "");
    assert_non_null(strstr(tls_problem(loaded, "verify-ca", "", "", ""), "MYSQL_SSL_CA: must be"));
    assert_string_equal(tls_problem(loaded, "preferred", "", "/cert", "/key"), "");
    assert_string_equal(tls_problem(loaded, "preferred", "", "/cert", ""), "");
    assert_string_equal(tls_problem(loaded, "disabled", "", "/cert", ""),
                        "MYSQL_SSL_CERT: is not used with MYSQL_SSL_MODE=disabled\n");
    assert_string_equal(tls_problem(loaded, "required", "", "", "/key"),
                        "MYSQL_SSL_KEY: is of no use without MYSQL_SSL_CERT\n");
    assert_string_equal(tls_problem(loaded, "strict", "/ca", "", "/key"),
                        "MYSQL_SSL_MODE: must be disabled, preferred, required, verify-ca or "
                        "verify-identity, is \"strict\"\n");
}

static void test_all_problems_are_told_at_once(void **state)
{
    struct loaded *loaded = *state;
    LOAD(loaded, "MYSQL_HOST", "a,:1", "MYSQL_PORT", "0", "LOG_LEVEL", "loud", "LOG_FORMAT", "xml",
         "BATCH_MAX_ROWS", "1025", "MAX_DOCUMENT_BYTES", "16MB");
    assert_problems(loaded, "MYSQL_PORT: must be 1 to 65535, is \"0\"\n"
                            "MAX_DOCUMENT_BYTES: must be 4KiB to 64MiB, is \"16MB\"\n"
                            "BATCH_MAX_ROWS: must be 1 to 1024, is \"1025\"\n"
                            "LOG_LEVEL: must be debug, info, warn or error, is \"loud\"\n"
                            "LOG_FORMAT: must be logfmt or json, is \"xml\"\n"
                            "MYSQL_HOST: entry 2 of the list: it has no name\n"
                            "MYSQL_USER: must be set (or MYSQL_USER_FILE) to the account on the "
                            "database server\n");
}

/* Whether NAME=value is taken. */
static bool is_taken(struct loaded *loaded, const char *name, const char *value)
{
    LOAD(loaded, name, value, "MYSQL_USER", "u");
    assert_int_equal(loaded->code == ERROR_NONE, loaded->problems.length == 0);
    if (loaded->problems.length > 0)
        assert_int_equal(strncmp(buffer_cstring(&loaded->problems), name, strlen(name)), 0);
    return loaded->code == ERROR_NONE;
}

static void test_numbers_are_plain_digits_within_bounds(void **state)
{
    struct loaded *loaded = *state;
    static const char *const refused[] = {"0",
                                          "65536",
                                          "-1",
                                          "+1",
                                          "1.0",
                                          "1e3",
                                          "0x10",
                                          "1 000",
                                          "one",
                                          "3306a",
                                          "9223372036854775807",
                                          "9223372036854775808",
                                          "99999999999999999999999"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_false(is_taken(loaded, "MYSQL_PORT", refused[i]));
    assert_true(is_taken(loaded, "MYSQL_PORT", "1"));
    assert_int_equal(loaded->config.mysql_port, 1);
    assert_true(is_taken(loaded, "MYSQL_PORT", "65535"));
    assert_int_equal(loaded->config.mysql_port, 65535);
    assert_true(is_taken(loaded, "MYSQL_PORT", "0003306"));
    assert_int_equal(loaded->config.mysql_port, 3306);
}

/* NAME takes least to most, and nothing beyond. */
static void assert_bounds(struct loaded *loaded, const char *name, int64_t least, int64_t most)
{
    char text[32];
    const int64_t values[] = {least - 1, least, most, most + 1};
    for (size_t i = 0; i < 4; i++) {
        snprintf(text, sizeof(text), "%lld", (long long)values[i]);
        if (is_taken(loaded, name, text) != (i == 1 || i == 2))
            fail_msg("%s=%s", name, text);
    }
}

static void test_every_number_has_bounds(void **state)
{
    struct loaded *loaded = *state;
    assert_bounds(loaded, "MYSQL_PORT", 1, 65535);
    assert_bounds(loaded, "MAX_DOCUMENT_BYTES", 4096, 1 << 26);
    assert_bounds(loaded, "SOURCE_MAX_BYTES", 64 << 10, INT64_C(64) << 30);
    assert_bounds(loaded, "SOURCE_MAX_CONNECTIONS", 1, 1024);
    assert_bounds(loaded, "BATCH_MAX_ROWS", 1, 1024);
    assert_bounds(loaded, "BATCH_LINGER_MS", 0, 10000);
    assert_bounds(loaded, "DB_CONNECTIONS", 1, 16);
    assert_bounds(loaded, "DB_TIMEOUT_MS", 1000, 600000);
    assert_bounds(loaded, "OUTBOX_MAX_ROWS", 1, 100000000);
    assert_bounds(loaded, "OUTBOX_MAX_BYTES", 1 << 16, (int64_t)1 << 36);
    assert_bounds(loaded, "SPOOL_MAX_BYTES", 1 << 20, (int64_t)1 << 40);
    assert_bounds(loaded, "SHUTDOWN_GRACE_MS", 0, 3600000);
    assert_bounds(loaded, "LOG_SUMMARY_MS", 0, 86400000);
}

static void assert_size(struct loaded *loaded, const char *value, int64_t bytes)
{
    assert_true(is_taken(loaded, "MAX_DOCUMENT_BYTES", value));
    assert_int_equal(loaded->config.max_document_bytes, bytes);
}

static void test_sizes_are_bytes_or_have_a_binary_unit(void **state)
{
    struct loaded *loaded = *state;
    assert_size(loaded, "4096", 4096);
    assert_size(loaded, "4KiB", 4096);
    assert_size(loaded, "5MiB", 5 << 20);
    assert_size(loaded, "64MiB", 64 << 20);
    static const char *const refused[] = {"4095",
                                          "3KiB",
                                          "65MiB",
                                          "2GiB",
                                          "67108865",
                                          "KiB",
                                          "-4KiB",
                                          "4 KiB",
                                          "4KB",
                                          "4K",
                                          "4kib",
                                          "4KiBB",
                                          "1.5MiB",
                                          "9007199254740993KiB",
                                          "99999999999999999999GiB"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_false(is_taken(loaded, "MAX_DOCUMENT_BYTES", refused[i]));
}

static void test_names_are_exact(void **state)
{
    struct loaded *loaded = *state;
    assert_true(is_taken(loaded, "LOG_LEVEL", "debug"));
    assert_int_equal(loaded->config.log_level, LOG_LEVEL_DEBUG);
    assert_true(is_taken(loaded, "LOG_LEVEL", "warn"));
    assert_int_equal(loaded->config.log_level, LOG_LEVEL_WARN);
    assert_false(is_taken(loaded, "LOG_LEVEL", "INFO"));
    assert_false(is_taken(loaded, "LOG_LEVEL", "warning"));
    assert_false(is_taken(loaded, "LOG_LEVEL", "inf"));
    assert_false(is_taken(loaded, "LOG_FORMAT", "JSON"));
    assert_false(is_taken(loaded, "LEADER", "MYSQL"));
}

/* The lock is of one cluster: without its name others would stand by for it. */
static void test_a_leader_is_of_a_cluster(void **state)
{
    struct loaded *loaded = *state;
    LOAD(loaded, "MYSQL_USER", "u", "LEADER", "mysql");
    assert_problems(loaded, "LEADER: needs CLUSTER_ID, so that clusters which share a database do "
                            "not stand by for each other\n");
    LOAD(loaded, "MYSQL_USER", "u", "LEADER", "none");
    assert_problems(loaded, "");
}

static void test_a_newline_at_the_end_is_refused_with_advice(void **state)
{
    struct loaded *loaded = *state;
    static const char *const names[] = {"MYSQL_HOST", "MYSQL_PORT", "MYSQL_DB_NAME",
                                        "MYSQL_USER", "REGION",     "MYSQL_PASSWORD",
                                        "LOG_LEVEL"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_false(is_taken(loaded, names[i], "1\n"));
        assert_non_null(strstr(buffer_cstring(&loaded->problems), "printf or echo -n"));
        assert_false(is_taken(loaded, names[i], "1\r\n"));
        assert_non_null(strstr(buffer_cstring(&loaded->problems), "printf or echo -n"));
    }
}

static void test_blanks_at_the_ends_are_refused_except_in_a_password(void **state)
{
    struct loaded *loaded = *state;
    assert_false(is_taken(loaded, "MYSQL_DB_NAME", "kubedl "));
    assert_false(is_taken(loaded, "MYSQL_DB_NAME", " kubedl"));
    assert_false(is_taken(loaded, "MYSQL_DB_NAME", " "));
    assert_false(is_taken(loaded, "MYSQL_PORT", "3306 "));
    assert_true(is_taken(loaded, "MYSQL_DB_NAME", "kube dl"));
    assert_true(is_taken(loaded, "MYSQL_PASSWORD", " p w "));
    assert_string_equal(loaded->config.mysql_password, " p w ");
}

static void test_control_characters_and_invalid_utf8_are_refused(void **state)
{
    struct loaded *loaded = *state;
    assert_false(is_taken(loaded, "REGION", "a\tb"));
    assert_false(is_taken(loaded, "REGION", "\tb"));
    assert_false(is_taken(loaded, "REGION", "a\t"));
    assert_false(is_taken(loaded, "REGION", "a\nb"));
    assert_false(is_taken(loaded, "REGION",
                          "a\x7f"
                          "b"));
    assert_false(is_taken(loaded, "REGION",
                          "a\xff"
                          "b"));
    assert_false(is_taken(loaded, "MYSQL_PASSWORD", "a\nb"));
    assert_true(is_taken(loaded, "REGION", "caf\xc3\xa9"));
}

static void test_texts_are_bounded(void **state)
{
    struct loaded *loaded = *state;
    char text[CONFIG_TEXT_SIZE + 1];
    memset(text, 'x', sizeof(text));
    text[CONFIG_TEXT_SIZE] = '\0';
    assert_false(is_taken(loaded, "MYSQL_PASSWORD", text));
    assert_string_equal(buffer_cstring(&loaded->problems),
                        "MYSQL_PASSWORD: is longer than 1023 bytes\n");
    text[CONFIG_TEXT_SIZE - 1] = '\0';
    assert_true(is_taken(loaded, "MYSQL_PASSWORD", text));
    assert_string_equal(loaded->config.mysql_password, text);
    text[65] = '\0';
    assert_false(is_taken(loaded, "REGION", text));
    text[64] = '\0';
    assert_true(is_taken(loaded, "REGION", text));
}

static void assert_no_password(struct loaded *loaded)
{
    assert_null(strstr(buffer_cstring(&loaded->problems), "hunter2"));
}

static void test_a_password_is_never_shown(void **state)
{
    struct loaded *loaded = *state;
    LOAD(loaded, "MYSQL_USER", "u", "MYSQL_PASSWORD", "hunter2");
    assert_problems(loaded, "");
    config_show(&loaded->problems, &loaded->config);
    config_help(&loaded->problems);
    assert_no_password(loaded);
    static const char *const refused[] = {"hunter2\n", "hunter2\t!", "hunter2\xff"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        assert_false(is_taken(loaded, "MYSQL_PASSWORD", refused[i]));
        assert_no_password(loaded);
    }
    assert_false(is_taken(loaded, "MYSQL_HOST", "root:hunter2@db"));
    assert_no_password(loaded);
    assert_false(is_taken(loaded, "REGION", "hunter2\n"));
    assert_no_password(loaded);
}

static void test_show_prints_values_that_can_be_read_again(void **state)
{
    struct loaded *loaded = *state;
    LOAD(loaded, "MYSQL_USER", "u", "MYSQL_PASSWORD", "p", "MAX_DOCUMENT_BYTES", "4097",
         "OUTBOX_MAX_BYTES", "1048576", "LOG_FORMAT", "json");
    buffer_reset(&loaded->problems);
    config_show(&loaded->problems, &loaded->config);
    assert_string_equal(buffer_cstring(&loaded->problems),
                        "MYSQL_HOST=localhost\n"
                        "MYSQL_PORT=3306\n"
                        "MYSQL_DB_NAME=kubedl\n"
                        "MYSQL_USER=u\n"
                        "MYSQL_PASSWORD=(set)\n"
                        "MYSQL_USER_FILE=\n"
                        "MYSQL_PASSWORD_FILE=\n"
                        "MYSQL_SSL_MODE=preferred\n"
                        "MYSQL_SSL_CA=\n"
                        "MYSQL_SSL_CERT=\n"
                        "MYSQL_SSL_KEY=\n"
                        "REGION=\n"
                        "CLUSTER_ID=\n"
                        "EVENT_SOURCE=unix:/run/kubedl/events.sock\n"
                        "KUBE_NAMESPACE=\n"
                        "KUBE_LABEL_SELECTOR=\n"
                        "KUBE_SILENCE_MS=150000\n"
                        "KUBE_DISCOVERY_MS=60000\n"
                        "KUBE_SERVICE_ACCOUNT=/var/run/secrets/kubernetes.io/serviceaccount\n"
                        "KUBERNETES_SERVICE_HOST=\n"
                        "KUBERNETES_SERVICE_PORT=\n"
                        "LEADER=none\n"
                        "MAX_DOCUMENT_BYTES=4097\n"
                        "SOURCE_MAX_BYTES=64MiB\n"
                        "SOURCE_MAX_CONNECTIONS=64\n"
                        "BATCH_MAX_ROWS=256\n"
                        "BATCH_LINGER_MS=5\n"
                        "DB_CONNECTIONS=2\n"
                        "DB_TIMEOUT_MS=30000\n"
                        "OUTBOX_MAX_ROWS=100000\n"
                        "OUTBOX_MAX_BYTES=1MiB\n"
                        "SPOOL_DIR=\n"
                        "SPOOL_MAX_BYTES=1GiB\n"
                        "SHUTDOWN_GRACE_MS=20000\n"
                        "HTTP_LISTEN=\n"
                        "LOG_SUMMARY_MS=60000\n"
                        "LOG_LEVEL=info\n"
                        "LOG_FORMAT=json\n");
    LOAD(loaded, "MYSQL_USER", "u");
    config_show(&loaded->problems, &loaded->config);
    assert_non_null(strstr(buffer_cstring(&loaded->problems), "MYSQL_PASSWORD=(not set)\n"));
}

static size_t count_lines(const char *text)
{
    size_t lines = 0;
    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

static void test_help_fits_80_columns_and_has_each_default(void **state)
{
    struct loaded *loaded = *state;
    buffer_reset(&loaded->problems);
    config_help(&loaded->problems);
    char *help = (char *)buffer_cstring(&loaded->problems);
    assert_non_null(strstr(help, "  BATCH_MAX_ROWS\n      Most rows in one transaction. Takes 1 to "
                                 "1024. Default: 256.\n"));
    assert_non_null(strstr(help, "  MYSQL_USER\n      Account on the database server; it must be "
                                 "set, here or in\n      MYSQL_USER_FILE.\n"));
    assert_non_null(strstr(help, "Takes debug, info, warn or error."));
    char *rest = help;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        assert_in_range(strlen(line), 0, 80);
        if (line[0] != '\0')
            assert_int_not_equal(line[strlen(line) - 1], ' ');
    }
}

static void test_markdown_has_a_row_for_each_setting(void **state)
{
    struct loaded *loaded = *state;
    LOAD(loaded, "MYSQL_USER", "u");
    config_show(&loaded->problems, &loaded->config);
    size_t settings = count_lines(buffer_cstring(&loaded->problems));
    buffer_reset(&loaded->problems);
    config_markdown(&loaded->problems);
    char *markdown = (char *)buffer_cstring(&loaded->problems);
    assert_int_equal(count_lines(markdown), settings + 2);
    assert_non_null(strstr(markdown, "| `MYSQL_PORT` | `3306` | 1 to 65535 | Port of servers "
                                     "without a port of their own. "));
    char *rest = markdown;
    for (char *line = strsep(&rest, "\n"); line != NULL && line[0] != '\0';
         line = strsep(&rest, "\n")) {
        size_t bars = 0;
        for (const char *c = line; *c != '\0'; c++)
            bars += *c == '|';
        assert_int_equal(bars, 5);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_defaults),
        TEST(test_every_setting_is_read_from_its_own_variable),
        TEST(test_the_shortest_host_is_a_host),
        TEST(test_empty_is_the_default),
        TEST(test_case_service_link_mysql_port),
        TEST(test_any_port_may_be_a_service_link),
        TEST(test_what_is_no_port_or_no_service_link_is_taken_as_it_is),
        TEST(test_a_user_must_be_set),
        TEST(test_a_secret_is_set_in_one_way),
        TEST(test_a_secret_from_elsewhere_follows_the_same_rules),
        TEST(test_a_certificate_that_nobody_would_look_at_is_refused),
        TEST(test_all_problems_are_told_at_once),
        TEST(test_numbers_are_plain_digits_within_bounds),
        TEST(test_every_number_has_bounds),
        TEST(test_sizes_are_bytes_or_have_a_binary_unit),
        TEST(test_names_are_exact),
        TEST(test_a_leader_is_of_a_cluster),
        TEST(test_a_newline_at_the_end_is_refused_with_advice),
        TEST(test_blanks_at_the_ends_are_refused_except_in_a_password),
        TEST(test_control_characters_and_invalid_utf8_are_refused),
        TEST(test_texts_are_bounded),
        TEST(test_a_password_is_never_shown),
        TEST(test_show_prints_values_that_can_be_read_again),
        TEST(test_help_fits_80_columns_and_has_each_default),
        TEST(test_markdown_has_a_row_for_each_setting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
