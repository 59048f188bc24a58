/* config: the settings. One table (config.c) makes the parser, --help and README's table.
 * To add a setting: a field here and a line in config.c. Pure: the environment is an argument. */
#ifndef LIB_CONFIG_H
#define LIB_CONFIG_H

#include "lib/buffer.h"
#include "lib/error.h"
#include "lib/log.h"

#include <stdbool.h>
#include <stdint.h>

#define CONFIG_TEXT_SIZE 1024 /* longest text value, NUL included */
#define CONFIG_MAX_HOSTS 16

struct config_host {
    char name[256]; /* as written, but for brackets: never a resolved address, so that TLS can
                       verify it; a name that begins with '/' is a Unix socket */
    uint16_t port;  /* 0 for a Unix socket */
};

struct config {
    char mysql_host[CONFIG_TEXT_SIZE]; /* "a,b:3307,[::1]:3306,/run/mysqld/mysqld.sock" */
    int64_t mysql_port;
    char mysql_db_name[CONFIG_TEXT_SIZE];
    char mysql_user[CONFIG_TEXT_SIZE];
    char mysql_password[CONFIG_TEXT_SIZE]; /* secret */
    char region[CONFIG_TEXT_SIZE];
    char cluster_id[CONFIG_TEXT_SIZE];
    char event_source[CONFIG_TEXT_SIZE];
    int64_t max_document_bytes;
    int64_t batch_max_rows;
    int64_t batch_linger_ms;
    int64_t db_connections;
    int64_t db_timeout_ms;
    int64_t outbox_max_rows;
    int64_t outbox_max_bytes;
    char spool_dir[CONFIG_TEXT_SIZE]; /* "": no spool */
    int64_t spool_max_bytes;
    int64_t shutdown_grace_ms;
    int64_t log_summary_ms; /* 0: never */
    enum log_level log_level;
    enum log_format log_format;

    /* made from mysql_host and mysql_port */
    struct config_host hosts[CONFIG_MAX_HOSTS];
    size_t host_count;
};

/* What the environment holds for a name; NULL if it is not set. */
typedef const char *config_get(void *context, const char *name);

/* Fills *config. ERROR_OPERATOR: *problems has one line for each setting that is wrong, all of
 * them, without secret values. Empty is the same as not set (KubeDL's rule). */
enum error_code config_load(struct config *config, config_get *get, void *context,
                            struct buffer *problems) MUST_CHECK;

/* For --help: one setting after another, wrapped for a terminal of 80 columns. */
void config_help(struct buffer *out);

/* For README.md: a Markdown table. */
void config_markdown(struct buffer *out);

/* For --check-config: NAME=value lines; secrets as "(set)" or "(not set)". */
void config_show(struct buffer *out, const struct config *config);

#endif
