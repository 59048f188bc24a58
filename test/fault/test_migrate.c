/* migrate without memory: it says so, gives its lock back, and leaves the rest to the next run; or the
 * process ends, where it was a small object. Every allocation of our own is refused once. */
#include "sidecar/store/migrate.h"
#include "test/fault/refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- what migrate.c is linked with: a server whose database stays empty, whatever is made --------- */

struct db {
    bool locked;
    unsigned executed;
};

bool db_is_connected(const struct db *db)
{
    (void)db;
    return true;
}

void db_close(struct db *db)
{
    db->locked = false;
}

enum error_code db_exec(struct db *db, struct text sql, struct db_error *err)
{
    (void)err;
    db->executed++;
    if (sql.length > 15 && memcmp(sql.data, "DO RELEASE_LOCK", 15) == 0)
        db->locked = false;
    return ERROR_NONE;
}

enum error_code db_query(struct db *db, struct text sql, db_row *row, void *context,
                         struct db_error *err)
{
    (void)err;
    const struct text one = TEXT("1");
    if (sql.length > 15 && memcmp(sql.data, "SELECT GET_LOCK", 15) == 0) {
        db->locked = true;
        row(context, &one, 1);
    }
    return ERROR_NONE;
}

enum error_code db_error_set(struct db_error *err, enum dberror_class class, const char *format,
                             ...)
{
    char text[ERROR_TEXT_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    *err = (struct db_error){.class = class};
    return error_set(&err->error, ERROR_AGAIN, "%s", text);
}

enum error_code db_no_memory(struct db_error *err, const char *what)
{
    return db_error_set(err, DBERROR_WAIT, "%s: no memory", what);
}

void logger_write(struct logger *logger, enum log_level level, const char *message,
                  const struct log_field *fields, size_t field_count)
{
    (void)logger;
    (void)level;
    (void)message;
    (void)fields;
    (void)field_count;
}

/* ------------------------------------------------------------------------------------------------ */

/* Migrates with its n-th allocation refused. Returns whether that one had come. */
static bool migrate_without(unsigned n, unsigned *executed)
{
    struct db db = {.locked = false};
    struct db_error err;
    refuse(0, n, 1);
    enum error_code code = migrate_run(&db, NULL, &err);
    bool was_refused = refuse_none() == 0;
    assert_false(db.locked);
    assert_int_not_equal(code, ERROR_NONE);
    if (was_refused) {
        assert_int_equal(err.class, DBERROR_WAIT);
        assert_non_null(strstr(err.error.text, "no memory"));
    }
    *executed = db.executed;
    return was_refused;
}

/* In a process of its own, which a small object that there is no memory for ends with a line, and the
 * server's lock with it. */
enum { ENDED_WITH_ALL, ENDED_WITHOUT_OBJECT, ENDED_WITH_ERROR, ENDED_LATE };

static int fate_of(unsigned n)
{
    int pipe_ends[2], status;
    char said[256] = "";
    assert_int_equal(pipe(pipe_ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        unsigned executed;
        dup2(pipe_ends[1], STDERR_FILENO);
        bool was_refused = migrate_without(n, &executed);
        _exit(!was_refused ? ENDED_WITH_ALL : executed > 4 ? ENDED_LATE : ENDED_WITH_ERROR);
    }
    close(pipe_ends[1]);
    (void)!read(pipe_ends[0], said, sizeof(said) - 1);
    close(pipe_ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == ENDED_WITHOUT_OBJECT)
        assert_non_null(strstr(said, "no memory for"));
    return WEXITSTATUS(status);
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    unsigned counts[ENDED_LATE + 1] = {0};
    for (unsigned n = 0; counts[ENDED_WITH_ALL] == 0; n++) {
        int fate = fate_of(n);
        assert_in_range(fate, ENDED_WITH_ALL, ENDED_LATE);
        counts[fate]++;
    }
    assert_true(counts[ENDED_WITHOUT_OBJECT] > 20);
    assert_true(counts[ENDED_WITH_ERROR] > 0);
    assert_true(counts[ENDED_LATE] > 0); /* it has come as far as the steps */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
