/* database: see database.h. */
#include "test/integration/check/database.h"

#include "lib/base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/sql/sql.h"

static const char *setting(const char *name)
{
    const char *value = getenv(name);
    if (value == NULL)
        fail_msg("%s is not set", name);
    return value;
}

static void copy_setting(char *to, size_t size, const char *name)
{
    snprintf(to, size, "%s", setting(name));
}

static void read_settings(struct database *database)
{
    struct config *config = &database->config;
    copy_setting(config->mysql_db_name, sizeof(config->mysql_db_name), "MYSQL_DB_NAME");
    copy_setting(config->mysql_user, sizeof(config->mysql_user), "MYSQL_USER");
    copy_setting(config->mysql_password, sizeof(config->mysql_password), "MYSQL_PASSWORD");
    copy_setting(config->hosts[0].name, sizeof(config->hosts[0].name), "MYSQL_HOST");
    config->hosts[0].port = (uint16_t)atoi(setting("MYSQL_PORT"));
    config->host_count = 1;
    config->db_connections = 1;
    config->db_timeout_ms = 30000;

    struct config *admin = &database->admin_config;
    *admin = *config;
    strcpy(admin->mysql_user, "root");
    admin->mysql_password[0] = '\0';
    copy_setting(admin->hosts[0].name, sizeof(admin->hosts[0].name), "ADMIN_SOCKET");
}

static void make_table(struct database *database, const struct table *table)
{
    struct buffer sql;
    buffer_init(&sql, 1 << 16);
    sql_create_table(&sql, table);
    database_exec(database, "%s", buffer_cstring(&sql));
    buffer_fini(&sql);
    database_exec(database, "DELETE FROM %s", table->name);
}

void database_open(struct database *database)
{
    struct db_error err;
    *database = (struct database){0};
    read_settings(database);
    database->admin = db_new(&database->admin_config);
    if (db_connect(database->admin, 0, &err) != ERROR_NONE)
        fail_msg("%s", err.error.text);
    for (size_t i = 0; tables[i] != NULL; i++)
        make_table(database, tables[i]);
}

void database_close(struct database *database)
{
    db_free(database->admin);
}

static void last_number(void *context, const struct text *values, size_t count)
{
    if (count > 0 && values[count - 1].data != NULL)
        *(int64_t *)context = strtoll(values[count - 1].data, NULL, 10);
}

PRINTF_LIKE(2, 0)
static int64_t run(struct database *database, const char *format, va_list args)
{
    struct db_error err;
    struct buffer sql;
    int64_t number = 0;
    buffer_init(&sql, 1 << 16);
    buffer_vappendf(&sql, format, args);
    assert_false(sql.failed);
    if (db_query(database->admin, buffer_text(&sql), last_number, &number, &err) != ERROR_NONE)
        fail_msg("%s", err.error.text);
    buffer_fini(&sql);
    return number;
}

void database_exec(struct database *database, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)run(database, format, args);
    va_end(args);
}

int64_t database_number(struct database *database, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int64_t number = run(database, format, args);
    va_end(args);
    return number;
}

void database_await(struct database *database, int64_t at_least, const char *query)
{
    for (int tries = 0; tries < 3000; tries++) {
        if (database_number(database, "%s", query) >= at_least)
            return;
        usleep(10000);
    }
    fail_msg("still not so after 30 s: %s", query);
}

struct row *database_pod(unsigned number, const char *version)
{
    char uid[32];
    struct row *row = NULL;
    struct cell cells[POD_COLUMN_COUNT] = {{.type = CELL_NULL}};
    snprintf(uid, sizeof(uid), "pod-%06u", number);
    cells[POD_UID] = cell_text(text_from(uid));
    cells[POD_VERSION] = cell_text(text_from(version));
    cells[POD_NAME] = cell_text(TEXT("a-pod"));
    cells[POD_NAMESPACE] = cell_text(TEXT("default"));
    cells[POD_STATUS] = cell_text(TEXT("Running"));
    cells[POD_DELETED] = cell_int(0);
    cells[POD_CREATED] = cell_time(INT64_C(1700000000) * 1000000);
    assert_int_equal(row_new(&table_pod, ROW_UPSERT, cells, 0, &row, NULL), ERROR_NONE);
    return row;
}

void database_set_text(struct row *row, size_t column, const char *text)
{
    row->cells[column] = cell_text(text_from(text));
}

void database_pods(struct row **rows, size_t count, unsigned first, const char *version)
{
    for (size_t i = 0; i < count; i++)
        rows[i] = database_pod(first + (unsigned)i, version);
}

void database_free_rows(struct row **rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        row_free(rows[i]);
}
