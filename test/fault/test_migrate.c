/* migrate without memory: it says so, gives its lock back, and leaves the rest to the next run. Every
 * allocation of our own is refused once. */
#include "sidecar/store/migrate.h"
#include "test/fault/refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

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

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    unsigned refused = 0, most_executed = 0;
    for (;; refused++) {
        struct db db = {.locked = false};
        struct db_error err;
        refuse(0, refused, 1);
        enum error_code code = migrate_run(&db, NULL, &err);
        bool all_given = refuse_none() > 0;
        assert_false(db.locked);
        assert_int_not_equal(code, ERROR_NONE);
        if (all_given)
            break;
        assert_int_equal(err.class, DBERROR_WAIT);
        assert_non_null(strstr(err.error.text, "no memory to migrate the tables"));
        if (db.executed > most_executed)
            most_executed = db.executed;
    }
    assert_true(refused > 20);
    assert_true(most_executed > 4); /* it has come as far as the steps */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
