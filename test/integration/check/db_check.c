/* db against a real server: what is written is what is there, and each kind of trouble is told as
 * what it is. */
#include "sidecar/store/db.h"

#include "test/integration/check/database.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND_US INT64_C(1000000)

struct check {
    struct database database;
    struct db *db;
};

static int set_up(void **state)
{
    struct check *check = test_calloc(1, sizeof(*check));
    struct db_error err;
    database_open(&check->database);
    check->db = db_new(&check->database.config);
    if (db_connect(check->db, 0, &err) != ERROR_NONE)
        fail_msg("%s", err.error.text);
    *state = check;
    return 0;
}

static int tear_down(void **state)
{
    struct check *check = *state;
    db_free(check->db);
    database_close(&check->database);
    test_free(check);
    return 0;
}

static void assert_written(struct check *check, struct row **rows, size_t count)
{
    struct db_error err;
    if (db_write(check->db, rows[0]->table, rows[0]->mode, rows, count, &err) != ERROR_NONE)
        fail_msg("%s", err.error.text);
}

static void assert_not_written(struct check *check, struct row **rows, size_t count,
                               enum dberror_class class, struct db_error *err)
{
    assert_int_not_equal(db_write(check->db, rows[0]->table, rows[0]->mode, rows, count, err),
                         ERROR_NONE);
    if (err->class != class)
        fail_msg("%s, not %s: %s", dberror_class_name(err->class), dberror_class_name(class),
                 err->error.text);
    assert_int_not_equal(err->error.code, ERROR_NONE);
}

static int64_t count_pods(struct check *check, const char *where)
{
    return database_number(&check->database, "SELECT COUNT(*) FROM replica_info WHERE %s", where);
}

static int64_t connection_id(struct check *check);

/* ---- what is written is what is there -------------------------------------------------------- */

static void test_every_type_of_value_comes_back(void **state)
{
    struct check *check = *state;
    struct row *row = database_pod(1, "7");
    database_set_text(row, POD_REMARK, "caf\xc3\xa9 \xf0\x9f\x9a\x80 'quoted' \\ \n");
    database_set_text(row, POD_IMAGE, "");
    row->cells[POD_CREATED] = cell_time(-1); /* just before 1970 */
    row->cells[POD_MODIFIED] = cell_time(INT64_C(1700000000999999));
    row->cells[POD_STARTED] = cell_time(INT64_C(253402300799) * SECOND_US);
    row->cells[POD_FINISHED] = cell_time(INT64_C(253402300800) * SECOND_US); /* the year 10000 */
    row->cells[POD_DELETED] = cell_int(1);
    assert_written(check, &row, 1);
    assert_int_equal(count_pods(check, "pod_id = 'pod-000001' AND version = '7'"), 1);
    assert_int_equal(
        count_pods(check, "HEX(remark) = '636166C3A920F09F9A80202771756F74656427205C200A'"), 1);
    assert_int_equal(count_pods(check, "image = '' AND job_id IS NULL AND deleted = 1"), 1);
    assert_int_equal(count_pods(check, "gmt_created = '1969-12-31 23:59:59'"), 1);
    assert_int_equal(count_pods(check, "gmt_modified = '2023-11-14 22:13:20'"), 1);
    assert_int_equal(count_pods(check, "gmt_started = '9999-12-31 23:59:59'"), 1);
    assert_int_equal(count_pods(check, "gmt_finished IS NULL"), 1);
    row_free(row);
}

static void test_a_null_overwrites_what_the_same_place_held_before(void **state)
{
    struct check *check = *state;
    struct row *rows[] = {database_pod(1, "1"), database_pod(2, "1")};
    rows[0]->cells[POD_STARTED] = cell_time(0);
    rows[0]->cells[POD_IN_ETCD] = cell_int(1);
    database_set_text(rows[0], POD_REMARK, "a remark");
    assert_written(check, &rows[0], 1);
    assert_written(check, &rows[1], 1);
    assert_int_equal(count_pods(check, "remark IS NULL AND gmt_started IS NULL AND "
                                       "is_in_etcd IS NULL AND pod_id = 'pod-000002'"),
                     1);
    database_free_rows(rows, 2);
}

static void test_batches_of_any_size_are_whole(void **state)
{
    static const size_t sizes[] = {1, 2, 3, 15, 16, 17, 255, 256, 257, 300, 513, 767};
    struct check *check = *state;
    struct row *rows[767];
    unsigned first = 0;
    int64_t there = 0;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        database_pods(rows, sizes[i], first, "1");
        assert_written(check, rows, sizes[i]);
        there += (int64_t)sizes[i];
        assert_int_equal(count_pods(check, "version = '1'"), there);
        first += (unsigned)sizes[i];
        database_free_rows(rows, sizes[i]);
    }
    assert_int_equal(count_pods(check, "pod_id = 'pod-000000'"), 1);
    assert_int_equal(
        database_number(&check->database, "SELECT COUNT(DISTINCT pod_id) FROM replica_info"),
        there);
}

static void test_updates_change_rows_and_make_none(void **state)
{
    struct check *check = *state;
    struct row *rows[20];
    database_pods(rows, 10, 0, "1");
    assert_written(check, rows, 10);
    database_free_rows(rows, 10);

    database_pods(rows, 20, 0, "2");
    for (size_t i = 0; i < 20; i++) {
        rows[i]->mode = ROW_UPDATE;
        database_set_text(rows[i], POD_STATUS, "Stopped");
    }
    assert_written(check, rows, 20);
    assert_int_equal(count_pods(check, "1 = 1"), 10);
    assert_int_equal(count_pods(check, "status = 'Stopped' AND version = '2'"), 10);
    database_free_rows(rows, 20);
}

static void take_text(void *context, const struct text *values, size_t count)
{
    struct buffer *out = context;
    for (size_t i = 0; i < count; i++)
        buffer_append(out, values[i].data != NULL ? values[i] : TEXT("(NULL)"));
    buffer_append_char(out, ';');
}

static void test_a_query_gives_every_row_as_text(void **state)
{
    struct check *check = *state;
    struct db_error err;
    struct buffer out;
    buffer_init(&out, 1000);
    assert_int_equal(db_query(check->db, TEXT("SELECT 1, NULL, 'x' UNION ALL SELECT 2, '', 'y'"),
                              take_text, &out, &err),
                     ERROR_NONE);
    assert_string_equal(buffer_cstring(&out), "1(NULL)x;2y;");
    assert_int_equal(db_exec(check->db, TEXT("SELECT 1"), &err), ERROR_NONE);
    buffer_fini(&out);
}

static void test_a_quoted_text_is_the_text(void **state)
{
    static const char nasty[] = "a'b\"c\\d\0e\xf0\x9f\x9a\x80%";
    struct check *check = *state;
    struct db_error err;
    struct buffer sql, out;
    buffer_init(&sql, 1000);
    buffer_init(&out, 1000);
    buffer_append_string(&sql, "SELECT ");
    db_quote(check->db, &sql, (struct text){nasty, sizeof(nasty) - 1});
    assert_int_equal(db_query(check->db, buffer_text(&sql), take_text, &out, &err), ERROR_NONE);
    assert_int_equal(buffer_text(&out).length, sizeof(nasty));
    assert_memory_equal(buffer_text(&out).data, nasty, sizeof(nasty) - 1);
    buffer_fini(&sql);
    buffer_fini(&out);
}

static void test_the_session_is_as_the_statements_need_it(void **state)
{
    struct check *check = *state;
    struct db_error err;
    struct buffer out;
    buffer_init(&out, 1000);
    assert_int_equal(db_query(check->db,
                              TEXT("SELECT @@sql_mode, '|', @@time_zone, '|', @@autocommit, '|', "
                                   "@@innodb_lock_wait_timeout, '|', @@lock_wait_timeout, '|', "
                                   "@@character_set_client"),
                              take_text, &out, &err),
                     ERROR_NONE);
    assert_string_equal(buffer_cstring(&out),
                        "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION|+00:00|1|1|1|utf8mb4;");
    buffer_reset(&out);
    assert_int_equal(db_query(check->db,
                              TEXT("SHOW SESSION VARIABLES WHERE Variable_name IN "
                                   "('transaction_isolation', 'tx_isolation')"),
                              take_text, &out, &err),
                     ERROR_NONE);
    assert_non_null(strstr(buffer_cstring(&out), "isolationREAD-COMMITTED;"));
    assert_int_equal(db_server(check->db)->max_packet,
                     database_number(&check->database, "SELECT @@global.max_allowed_packet"));
    assert_true(strlen(db_server(check->db)->version) > 0);
    buffer_fini(&out);
}

/* ---- rows that a server refuses -------------------------------------------------------------- */

static void test_the_bad_row_of_a_batch_is_named_and_nothing_is_written(void **state)
{
    static const size_t places[] = {0, 1, 255, 256, 287, 288, 299};
    struct check *check = *state;
    struct row *rows[300];
    struct db_error err;
    database_pods(rows, 300, 0, "1");
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        struct row *bad = rows[places[i]];
        database_set_text(bad, POD_STATUS, "a status that is longer than its column");
        assert_not_written(check, rows, 300, DBERROR_ROW, &err);
        assert_int_equal(err.row, places[i] + 1);
        assert_int_equal(err.number, 1406);
        database_set_text(bad, POD_STATUS, "\xff");
        assert_not_written(check, rows, 300, DBERROR_ROW, &err);
        assert_int_equal(err.row, places[i] + 1);
        assert_int_equal(err.number, 1366);
        assert_int_equal(count_pods(check, "1 = 1"), 0);
        database_set_text(bad, POD_STATUS, "Running");
    }
    assert_written(check, rows, 300);
    database_free_rows(rows, 300);
}

static void test_the_bad_row_of_updates_is_named(void **state)
{
    struct check *check = *state;
    struct row *rows[5];
    struct db_error err;
    database_pods(rows, 5, 0, "1");
    assert_written(check, rows, 5);
    for (size_t i = 0; i < 5; i++) {
        rows[i]->mode = ROW_UPDATE;
        database_set_text(rows[i], POD_VERSION, "2");
    }
    database_set_text(rows[3], POD_STATUS, "a status that is longer than its column");
    assert_not_written(check, rows, 5, DBERROR_ROW, &err);
    assert_int_equal(err.row, 4);
    assert_int_equal(count_pods(check, "version = '1'"), 5);
    database_free_rows(rows, 5);
}

static void test_no_statement_is_larger_than_the_server_takes(void **state)
{
    struct check *check = *state;
    int64_t usual = database_number(&check->database, "SELECT @@global.max_allowed_packet");
    char *text = test_calloc(1, 50001);
    struct row *rows[40];
    struct db_error err;
    memset(text, 'x', 50000);
    database_pods(rows, 40, 0, "1");
    database_exec(&check->database, "SET GLOBAL max_allowed_packet = 65536");
    enum error_code code = db_connect(check->db, 0, &err);
    database_exec(&check->database, "SET GLOBAL max_allowed_packet = %lld", (long long)usual);
    assert_int_equal(code, ERROR_NONE);

    for (size_t i = 0; i < 40; i++)
        database_set_text(rows[i], POD_REMARK, text + 30000); /* two of them fit */
    database_set_text(rows[39], POD_REMARK, text);
    assert_written(check, rows, 40);
    assert_int_equal(count_pods(check, "LENGTH(remark) = 20000"), 39);

    database_set_text(rows[38], POD_IMAGE, text); /* with the remark: too much */
    assert_not_written(check, rows, 40, DBERROR_ROW, &err);
    assert_int_equal(err.row, 39);
    assert_true(db_is_connected(check->db));
    database_free_rows(rows, 40);
    test_free(text);
}

/* ---- trouble with the server ----------------------------------------------------------------- */

static void test_a_wrong_password_is_told_without_the_password(void **state)
{
    struct check *check = *state;
    struct db_error err;
    strcpy(check->database.config.mysql_password, "not-the-s3cret");
    assert_int_equal(db_connect(check->db, 0, &err), ERROR_OPERATOR);
    assert_int_equal(err.class, DBERROR_OPERATOR);
    assert_int_equal(err.number, 1045);
    assert_null(strstr(err.error.text, "s3cret"));
    assert_non_null(strstr(err.error.text, "1045"));
    assert_false(db_is_connected(check->db));
}

static void test_the_credentials_are_read_at_each_connect(void **state)
{
    struct check *check = *state;
    char right[CONFIG_TEXT_SIZE];
    struct db_error err;
    strcpy(right, check->database.config.mysql_password);
    strcpy(check->database.config.mysql_password, "wrong");
    assert_int_not_equal(db_connect(check->db, 0, &err), ERROR_NONE);
    strcpy(check->database.config.mysql_password, right);
    assert_int_equal(db_connect(check->db, 0, &err), ERROR_NONE);
}

static void test_nobody_listens(void **state)
{
    struct check *check = *state;
    struct db_error err;
    check->database.config.hosts[0].port = 1;
    assert_int_equal(db_connect(check->db, 0, &err), ERROR_AGAIN);
    assert_int_equal(err.class, DBERROR_WAIT);
    assert_non_null(strstr(err.error.text, "port 1"));
}

static void test_a_peer_that_never_speaks_is_given_up(void **state)
{
    struct check *check = *state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    struct db_error err;
    int silent = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(silent, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(silent, 1), 0);
    assert_int_equal(getsockname(silent, (struct sockaddr *)&address, &length), 0);
    strcpy(check->database.config.hosts[0].name, "127.0.0.1");
    check->database.config.hosts[0].port = ntohs(address.sin_port);
    check->database.config.db_timeout_ms = 1000;
    assert_int_equal(db_connect(check->db, 0, &err), ERROR_AGAIN);
    close(silent);
}

static void test_localhost_is_tcp_and_a_path_is_a_socket(void **state)
{
    struct check *check = *state;
    struct db_error err;
    strcpy(check->database.config.hosts[0].name, "localhost");
    assert_int_equal(db_connect(check->db, 0, &err), ERROR_NONE);
    check->database.config.hosts[0] = check->database.admin_config.hosts[0];
    assert_int_equal(db_connect(check->db, 0, &err), ERROR_NONE);
}

static void test_a_killed_connection_is_lost_and_comes_back(void **state)
{
    struct check *check = *state;
    struct row *rows[17];
    struct db_error err;
    database_pods(rows, 17, 0, "1");
    assert_written(check, rows, 17); /* its statements are prepared */
    database_exec(&check->database, "KILL %lld", (long long)connection_id(check));
    assert_not_written(check, rows, 17, DBERROR_RECONNECT, &err);
    assert_false(db_is_connected(check->db));
    assert_not_written(check, rows, 17, DBERROR_RECONNECT, &err);
    assert_int_equal(db_connect(check->db, 0, &err), ERROR_NONE);
    assert_written(check, rows, 17);
    database_free_rows(rows, 17);
}

static void test_a_server_that_hangs_is_given_up(void **state)
{
    struct check *check = *state;
    struct db_error err;
    check->database.config.db_timeout_ms = 1000;
    assert_int_equal(db_connect(check->db, 0, &err), ERROR_NONE);
    assert_int_equal(db_exec(check->db, TEXT("DO SLEEP(600)"), &err), ERROR_AGAIN);
    assert_int_equal(err.class, DBERROR_RECONNECT);
    assert_false(db_is_connected(check->db));
}

static void test_a_locked_row_is_told_before_the_time_out(void **state)
{
    struct check *check = *state;
    struct row *rows[3];
    struct db_error err;
    database_pods(rows, 3, 0, "1");
    assert_written(check, &rows[2], 1);
    check->database.config.db_timeout_ms = 2000;
    assert_int_equal(db_connect(check->db, 0, &err), ERROR_NONE);
    database_exec(&check->database, "START TRANSACTION");
    database_exec(&check->database, "UPDATE replica_info SET remark = 'locked'");
    assert_not_written(check, rows, 3, DBERROR_RETRY, &err);
    assert_true(db_is_connected(check->db));
    database_exec(&check->database, "ROLLBACK");
    assert_int_equal(count_pods(check, "1 = 1"), 1); /* 1205 alone would not have rolled back */
    assert_written(check, rows, 3);
    database_free_rows(rows, 3);
}

static void test_a_read_only_server_is_left(void **state)
{
    struct check *check = *state;
    struct row *row = database_pod(1, "1");
    struct db_error write_err, connect_err;
    database_exec(&check->database, "SET GLOBAL read_only = 1");
    enum error_code written = db_write(check->db, row->table, row->mode, &row, 1, &write_err);
    bool connected = db_is_connected(check->db);
    enum error_code refused = db_connect(check->db, 0, &connect_err);
    database_exec(&check->database, "SET GLOBAL read_only = 0");
    assert_int_equal(written, ERROR_AGAIN);
    assert_int_equal(write_err.class, DBERROR_ELSEWHERE);
    assert_false(connected);
    assert_int_equal(refused, ERROR_AGAIN);
    assert_int_equal(connect_err.class, DBERROR_ELSEWHERE);
    assert_non_null(strstr(connect_err.error.text, "read_only"));
    assert_false(db_is_connected(check->db));
    row_free(row);
}

static void test_a_table_that_is_gone_is_for_an_operator(void **state)
{
    struct check *check = *state;
    struct row *row = database_pod(1, "1");
    struct db_error err;
    assert_written(check, &row, 1);
    database_exec(&check->database, "DROP TABLE replica_info");
    assert_not_written(check, &row, 1, DBERROR_OPERATOR, &err);
    assert_int_equal(err.number, 1146);
    assert_non_null(strstr(err.error.text, "replica_info"));
    row_free(row);
}

static void test_a_table_may_change_under_prepared_statements(void **state)
{
    struct check *check = *state;
    struct row *rows[] = {database_pod(1, "1"), database_pod(2, "1")};
    assert_written(check, &rows[0], 1);
    database_exec(&check->database, "ALTER TABLE replica_info ADD COLUMN more int");
    assert_written(check, &rows[1], 1);
    database_exec(&check->database, "ALTER TABLE replica_info DROP COLUMN more");
    assert_int_equal(count_pods(check, "1 = 1"), 2);
    database_free_rows(rows, 2);
}

/* ---- abort ----------------------------------------------------------------------------------- */

static void *sleep_in_the_server(void *argument)
{
    struct check *check = argument;
    struct db_error *err = calloc(1, sizeof(*err));
    err->error.code = db_exec(check->db, TEXT("DO SLEEP(600)"), err);
    return err;
}

static void test_abort_ends_what_runs_and_lets_nothing_begin(void **state)
{
    struct check *check = *state;
    struct db_error err;
    pthread_t thread;
    void *result;
    assert_int_equal(pthread_create(&thread, NULL, sleep_in_the_server, check), 0);
    database_await(&check->database, 1,
                   "SELECT COUNT(*) FROM information_schema.processlist WHERE "
                   "info = 'DO SLEEP(600)'");
    db_abort(check->db);
    pthread_join(thread, &result);
    assert_int_equal(((struct db_error *)result)->error.code, ERROR_AGAIN);
    assert_int_equal(((struct db_error *)result)->class, DBERROR_RECONNECT);
    free(result);
    assert_false(db_is_connected(check->db));
    assert_int_equal(db_connect(check->db, 0, &err), ERROR_AGAIN);
    assert_int_equal(err.class, DBERROR_RECONNECT);
    db_abort(check->db);
}

static int64_t connection_id(struct check *check)
{
    struct db_error err;
    struct buffer out;
    buffer_init(&out, 100);
    assert_int_equal(db_query(check->db, TEXT("SELECT CONNECTION_ID()"), take_text, &out, &err),
                     ERROR_NONE);
    int64_t id = strtoll(buffer_cstring(&out), NULL, 10);
    buffer_fini(&out);
    return id;
}

#define CHECK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK(test_every_type_of_value_comes_back),
        CHECK(test_a_null_overwrites_what_the_same_place_held_before),
        CHECK(test_batches_of_any_size_are_whole),
        CHECK(test_updates_change_rows_and_make_none),
        CHECK(test_a_query_gives_every_row_as_text),
        CHECK(test_a_quoted_text_is_the_text),
        CHECK(test_the_session_is_as_the_statements_need_it),
        CHECK(test_the_bad_row_of_a_batch_is_named_and_nothing_is_written),
        CHECK(test_the_bad_row_of_updates_is_named),
        CHECK(test_no_statement_is_larger_than_the_server_takes),
        CHECK(test_a_wrong_password_is_told_without_the_password),
        CHECK(test_the_credentials_are_read_at_each_connect),
        CHECK(test_nobody_listens),
        CHECK(test_a_peer_that_never_speaks_is_given_up),
        CHECK(test_localhost_is_tcp_and_a_path_is_a_socket),
        CHECK(test_a_killed_connection_is_lost_and_comes_back),
        CHECK(test_a_server_that_hangs_is_given_up),
        CHECK(test_a_locked_row_is_told_before_the_time_out),
        CHECK(test_a_read_only_server_is_left),
        CHECK(test_a_table_that_is_gone_is_for_an_operator),
        CHECK(test_a_table_may_change_under_prepared_statements),
        CHECK(test_abort_ends_what_runs_and_lets_nothing_begin),
    };
    if (db_library_init(NULL) != ERROR_NONE)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    db_library_fini();
    return failed != 0;
}
