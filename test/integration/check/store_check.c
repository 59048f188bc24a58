/* store_mysql against a real server: every row of a request gets the fate that it is said to have,
 * and a lane gets over what it can get over by itself. */
#include "sidecar/store/store_mysql.h"

#include "test/integration/check/database.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define LANES    2
#define MAX_ROWS 256

struct check;

/* A request with its rows. */
struct job {
    struct store_request request;
    struct check *check;
    struct row *rows[MAX_ROWS];
    enum row_fate fates[MAX_ROWS];
    struct refusal refusals[MAX_ROWS];
    bool answered;
};

struct check {
    struct database database;
    uv_loop_t loop;
    struct logger *logger;
    struct store *store;
    struct job jobs[LANES];
    unsigned running;
    bool in_submit;
    bool closed;
};

static int set_up(void **state)
{
    struct check *check = test_calloc(1, sizeof(*check));
    database_open(&check->database);
    check->database.config.db_connections = LANES;
    assert_int_equal(uv_loop_init(&check->loop), 0);
    assert_int_equal(
        logger_new(STDERR_FILENO, LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT, &check->logger, NULL),
        ERROR_NONE);
    assert_int_equal(
        store_mysql_new(&check->loop, &check->database.config, check->logger, &check->store, NULL),
        ERROR_NONE);
    *state = check;
    return 0;
}

static void on_closed(void *context)
{
    ((struct check *)context)->closed = true;
}

/* Every test ends with an empty loop. */
static int tear_down(void **state)
{
    struct check *check = *state;
    check->store->close(check->store, on_closed, check);
    assert_false(check->closed);
    uv_run(&check->loop, UV_RUN_DEFAULT);
    assert_true(check->closed);
    assert_int_equal(uv_loop_close(&check->loop), 0);
    for (unsigned i = 0; i < LANES; i++)
        database_free_rows(check->jobs[i].rows, check->jobs[i].request.batch.count);
    database_close(&check->database);
    logger_free(check->logger);
    test_free(check);
    return 0;
}

static void on_done(struct store_request *request)
{
    struct job *job = request->owner;
    assert_false(job->check->in_submit);
    assert_false(job->answered);
    job->answered = true;
    if (--job->check->running == 0)
        uv_stop(&job->check->loop);
}

/* A job of lane `lane` with the pods first, first + 1, ... */
static struct job *make_job(struct check *check, unsigned lane, size_t count, unsigned first)
{
    struct job *job = &check->jobs[lane];
    database_free_rows(job->rows, job->request.batch.count);
    job->check = check;
    job->request = (struct store_request){
        .lane = lane,
        .batch =
            {
                .table = &table_pod,
                .mode = ROW_UPSERT,
                .count = count,
                .rows = job->rows,
                .capacity = MAX_ROWS,
            },
        .fates = job->fates,
        .refusals = job->refusals,
        .refusal_count = 99, /* of an earlier use, as the next two */
        .attempts = 99,
        .error = {.code = ERROR_AGAIN},
        .done = on_done,
        .owner = job,
    };
    memset(job->fates, 0xff, sizeof(job->fates));
    database_pods(job->rows, count, first, "1");
    return job;
}

static void submit(struct check *check, struct job *job)
{
    job->answered = false;
    check->running++;
    check->in_submit = true;
    check->store->submit(check->store, &job->request);
    check->in_submit = false;
}

static void write_job(struct check *check, struct job *job)
{
    submit(check, job);
    uv_run(&check->loop, UV_RUN_DEFAULT);
    assert_true(job->answered);
}

static void assert_all(const struct job *job, enum row_fate fate)
{
    for (size_t i = 0; i < job->request.batch.count; i++)
        assert_int_equal(job->fates[i], fate);
}

static void assert_all_written(const struct job *job)
{
    if (job->request.error.code != ERROR_NONE)
        fail_msg("%s", job->request.error.text);
    assert_all(job, ROW_WRITTEN);
    assert_int_equal(job->request.refusal_count, 0);
}

static void assert_all_wait(const struct job *job, enum dberror_class class)
{
    assert_int_not_equal(job->request.error.code, ERROR_NONE);
    assert_int_equal(job->request.class, class);
    assert_all(job, ROW_WAITS);
}

static int64_t count_pods(struct check *check)
{
    return database_number(&check->database, "SELECT COUNT(*) FROM replica_info");
}

/* The connections of the account that is tested. */
static int64_t count_connections(struct check *check)
{
    return database_number(&check->database,
                           "SELECT COUNT(*) FROM information_schema.processlist WHERE user = '%s'",
                           check->database.config.mysql_user);
}

static int64_t newest_connection(struct check *check)
{
    return database_number(&check->database,
                           "SELECT MAX(id) FROM information_schema.processlist WHERE user = '%s'",
                           check->database.config.mysql_user);
}

/* One by one: a connection that was killed is listed until it is gone. */
static void kill_connections(struct check *check)
{
    int64_t id;
    while ((id = newest_connection(check)) > 0) {
        char is_gone[128];
        snprintf(is_gone, sizeof(is_gone),
                 "SELECT COUNT(*) = 0 FROM information_schema.processlist WHERE id = %lld",
                 (long long)id);
        database_exec(&check->database, "KILL %lld", (long long)id);
        database_await(&check->database, 1, is_gone);
    }
}

/* ---- the happy path -------------------------------------------------------------------------- */

static void test_lanes_write_at_the_same_time(void **state)
{
    struct check *check = *state;
    for (unsigned round = 0; round < 5; round++) {
        for (unsigned lane = 0; lane < LANES; lane++)
            submit(check, make_job(check, lane, MAX_ROWS, (round * LANES + lane) * MAX_ROWS));
        uv_run(&check->loop, UV_RUN_DEFAULT);
        for (unsigned lane = 0; lane < LANES; lane++) {
            assert_all_written(&check->jobs[lane]);
            assert_int_equal(check->jobs[lane].request.attempts, 1);
        }
    }
    assert_int_equal(count_pods(check), 5 * LANES * MAX_ROWS);
    assert_int_equal(count_connections(check), LANES);
}

static void test_a_request_without_rows_only_connects(void **state)
{
    struct check *check = *state;
    struct job *job = make_job(check, 1, 0, 0);
    write_job(check, job);
    assert_all_written(job);
    assert_int_equal(count_connections(check), 1);
}

static void test_the_store_closes_unused(void **state)
{
    struct check *check = *state;
    assert_int_equal(count_connections(check), 0);
}

/* ---- what a lane gets over by itself --------------------------------------------------------- */

static void test_a_lost_connection_costs_one_more_attempt(void **state)
{
    struct check *check = *state;
    write_job(check, make_job(check, 0, 10, 0));
    kill_connections(check);
    struct job *job = make_job(check, 0, 20, 0);
    write_job(check, job);
    assert_all_written(job);
    assert_int_equal(job->request.attempts, 2);
    assert_int_equal(count_pods(check), 20);
}

static void lock_all_rows(struct check *check)
{
    database_exec(&check->database, "START TRANSACTION");
    database_exec(&check->database, "UPDATE replica_info SET remark = 'locked'");
}

static void test_rows_beside_a_locked_one_are_written(void **state)
{
    struct check *check = *state;
    write_job(check, make_job(check, 0, 1, 5));
    lock_all_rows(check);
    struct job *job = make_job(check, 0, 20, 0);
    write_job(check, job);
    database_exec(&check->database, "COMMIT");
    assert_int_equal(job->request.error.code, ERROR_NONE);
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(job->fates[i], i == 5 ? ROW_ALONE : ROW_WRITTEN);
    assert_int_equal(job->request.refusal_count, 1);
    assert_int_equal(job->request.refusals[0].class, DBERROR_RETRY);
    assert_int_equal(count_pods(check), 20);
    write_job(check, job);
    assert_all_written(job);
}

static void test_the_next_host_is_taken_where_one_is_dead(void **state)
{
    struct check *check = *state;
    struct config *config = &check->database.config;
    config->hosts[2] = config->hosts[0];
    config->hosts[0].port = 1;
    config->hosts[1] = config->hosts[0];
    config->host_count = 3;
    struct job *job = make_job(check, 0, 10, 0);
    write_job(check, job);
    assert_all_written(job);
    assert_int_equal(job->request.attempts, 1);
}

/* The dead host's error had been taken for the answer. */
static void test_a_sign_of_life_is_one_where_the_next_host_gives_it(void **state)
{
    struct check *check = *state;
    struct config *config = &check->database.config;
    config->hosts[1] = config->hosts[0];
    config->hosts[0].port = 1;
    config->host_count = 2;
    struct job *job = make_job(check, 0, 0, 0);
    write_job(check, job);
    assert_int_equal(job->request.error.code, ERROR_NONE);
}

static void test_a_read_only_host_is_left_for_the_next_one(void **state)
{
    struct check *check = *state;
    write_job(check, make_job(check, 0, 10, 0));
    database_exec(&check->database, "SET GLOBAL read_only = 1");
    struct job *job = make_job(check, 0, 10, 0);
    write_job(check, job);
    database_exec(&check->database, "SET GLOBAL read_only = 0");
    assert_all_wait(job, DBERROR_ELSEWHERE);
    assert_int_equal(job->request.attempts, 1);
    write_job(check, job);
    assert_all_written(job);
}

static void test_bad_rows_are_refused_and_good_ones_written(void **state)
{
    struct check *check = *state;
    struct job *job = make_job(check, 0, MAX_ROWS, 0);
    for (size_t i = 0; i < MAX_ROWS; i += 17)
        database_set_text(job->rows[i], POD_STATUS, "longer than the column is wide, by far");
    write_job(check, job);
    assert_int_equal(job->request.error.code, ERROR_NONE);
    assert_int_equal(job->request.refusal_count, (MAX_ROWS + 16) / 17);
    for (size_t i = 0; i < job->request.refusal_count; i++) {
        const struct refusal *refusal = &job->request.refusals[i];
        assert_int_equal(refusal->row, i * 17);
        assert_int_equal(refusal->number, 1406);
        assert_non_null(strstr(refusal->text, "status"));
        assert_int_equal(job->fates[refusal->row], ROW_REFUSED);
    }
    assert_int_equal(count_pods(check), MAX_ROWS - job->request.refusal_count);
}

static void test_any_number_of_bad_rows_is_refused(void **state)
{
    struct check *check = *state;
    struct job *job = make_job(check, 0, MAX_ROWS, 0);
    for (size_t i = 0; i < MAX_ROWS; i++)
        database_set_text(job->rows[i], POD_STATUS, "longer than the column is wide, by far");
    write_job(check, job);
    assert_int_equal(job->request.error.code, ERROR_NONE);
    assert_all(job, ROW_REFUSED);
    assert_int_equal(count_pods(check), 0);
}

static void test_a_table_that_is_gone_is_made_again(void **state)
{
    struct check *check = *state;
    write_job(check, make_job(check, 0, 10, 0));
    database_exec(&check->database, "DROP TABLE replica_info");
    struct job *job = make_job(check, 0, 10, 0);
    write_job(check, job);
    assert_int_equal(job->request.class, DBERROR_OPERATOR);
    assert_true(job->request.others_may);
    assert_int_equal(job->fates[9], ROW_WAITS);
    write_job(check, job);
    assert_all_written(job);
}

/* ---- what it answers ------------------------------------------------------------------------- */

static void test_without_a_server_the_rows_wait(void **state)
{
    struct check *check = *state;
    check->database.config.hosts[0].port = 1;
    struct job *job = make_job(check, 0, 10, 0);
    write_job(check, job);
    assert_all_wait(job, DBERROR_WAIT);
    assert_int_equal(job->request.attempts, 0);
    assert_int_equal(job->request.refusal_count, 0);

    job = make_job(check, 0, 0, 0);
    write_job(check, job);
    assert_all_wait(job, DBERROR_WAIT);
}

static struct store_description describe(struct check *check)
{
    struct store_description description;
    check->store->describe(check->store, &description);
    return description;
}

static void test_it_describes_the_connection_and_the_last_error(void **state)
{
    struct check *check = *state;
    const struct config_host *host = &check->database.config.hosts[0];
    struct store_description seen = describe(check);
    assert_false(seen.connected);
    assert_string_equal(seen.host, "");
    assert_int_equal(seen.last_error_us, 0);

    write_job(check, make_job(check, 1, 10, 0));
    seen = describe(check);
    assert_true(seen.connected);
    assert_string_equal(seen.host, host->name);
    assert_int_equal(seen.port, host->port);
    assert_true(seen.version[0] >= '1' && seen.version[0] <= '9');
    assert_string_equal(seen.tls_version, "");
    assert_string_equal(seen.last_error, "");

    kill_connections(check);
    check->database.config.hosts[0].port = 1;
    write_job(check, make_job(check, 1, 10, 0));
    seen = describe(check);
    assert_false(seen.connected);
    assert_string_equal(seen.last_error, check->jobs[1].request.error.text);
    assert_true(seen.last_error_us > 0);
}

static void test_abort_lets_a_hanging_write_wait(void **state)
{
    struct check *check = *state;
    write_job(check, make_job(check, 0, 10, 0));
    lock_all_rows(check);
    struct job *job = make_job(check, 0, 10, 0);
    submit(check, job);
    database_await(&check->database, 1,
                   "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'INSERT%'");
    check->store->abort(check->store);
    uv_run(&check->loop, UV_RUN_DEFAULT);
    assert_all_wait(job, DBERROR_RECONNECT);
    assert_int_equal(job->request.attempts, 1);
    database_exec(&check->database, "ROLLBACK");

    write_job(check, job); /* it is for good */
    assert_all_wait(job, DBERROR_RECONNECT);
    assert_int_equal(count_pods(check), 10);
}

#define CHECK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK(test_lanes_write_at_the_same_time),
        CHECK(test_a_request_without_rows_only_connects),
        CHECK(test_the_store_closes_unused),
        CHECK(test_a_lost_connection_costs_one_more_attempt),
        CHECK(test_rows_beside_a_locked_one_are_written),
        CHECK(test_the_next_host_is_taken_where_one_is_dead),
        CHECK(test_a_sign_of_life_is_one_where_the_next_host_gives_it),
        CHECK(test_a_read_only_host_is_left_for_the_next_one),
        CHECK(test_bad_rows_are_refused_and_good_ones_written),
        CHECK(test_any_number_of_bad_rows_is_refused),
        CHECK(test_a_table_that_is_gone_is_made_again),
        CHECK(test_without_a_server_the_rows_wait),
        CHECK(test_it_describes_the_connection_and_the_last_error),
        CHECK(test_abort_lets_a_hanging_write_wait),
    };
    if (db_library_init(NULL) != ERROR_NONE)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    db_library_fini();
    return failed != 0;
}
