/* config: the settings. The parser, the help and the table of docs/settings.md are made from one table in
 * setting.c. To add a setting, add a field here and a line there. The environment is an argument. */
#ifndef LIB_CONFIG_H
#define LIB_CONFIG_H

#include "lib/base/buffer.h"
#include "lib/base/error.h"
#include "lib/base/log.h"
#include "lib/base/text.h"

#include <stdbool.h>
#include <stdint.h>

#define CONFIG_TEXT_SIZE 1024 /* longest text value, NUL included */
#define CONFIG_MAX_HOSTS 16
#define CONFIG_MAX_USER  128 /* bytes of an account's name */

struct config_host {
    char name[256]; /* as written, but for brackets: never a resolved address, so that TLS can
                       verify it; a name that begins with '/' is a Unix socket */
    uint16_t port;  /* 0 for a Unix socket */
};

/* How much TLS a connection must have, in order: each mode demands at least as much as the one before it. */
enum ssl_mode {
    SSL_MODE_DISABLED,
    SSL_MODE_PREFERRED,       /* TLS where the server offers it, else none */
    SSL_MODE_REQUIRED,        /* TLS with anybody */
    SSL_MODE_VERIFY_CA,       /* with who has a certificate of this authority */
    SSL_MODE_VERIFY_IDENTITY, /* with who has one for the name that is in MYSQL_HOST */
};

/* The names of the modes, by number; the list ends in NULL. */
extern const char *const ssl_mode_names[];

enum config_leader {
    LEADER_NONE,  /* every sidecar takes events in */
    LEADER_MYSQL, /* the one that holds a lock of the database */
};

struct config {
    char mysql_host[CONFIG_TEXT_SIZE]; /* "a,b:3307,[::1]:3306,/run/mysqld/mysqld.sock" */
    int64_t mysql_port;
    char mysql_db_name[CONFIG_TEXT_SIZE];
    char mysql_user[CONFIG_TEXT_SIZE];
    char mysql_password[CONFIG_TEXT_SIZE];      /* secret */
    char mysql_user_file[CONFIG_TEXT_SIZE];     /* "": it is mysql_user; these two are for
                                                   sidecar/credentials to read */
    char mysql_password_file[CONFIG_TEXT_SIZE]; /* the same */
    enum ssl_mode mysql_ssl_mode;
    char mysql_ssl_ca[CONFIG_TEXT_SIZE]; /* "": the system's authorities */
    char mysql_ssl_cert[CONFIG_TEXT_SIZE];
    char mysql_ssl_key[CONFIG_TEXT_SIZE]; /* "": it is in the file of mysql_ssl_cert */
    char region[CONFIG_TEXT_SIZE];
    char cluster_id[CONFIG_TEXT_SIZE];
    char event_source[CONFIG_TEXT_SIZE];
    char kube_namespace[CONFIG_TEXT_SIZE];      /* "": all */
    char kube_label_selector[CONFIG_TEXT_SIZE]; /* "": all objects */
    int64_t kube_silence_ms;
    int64_t kube_discovery_ms;
    char kube_service_account[CONFIG_TEXT_SIZE]; /* directory */
    char kubernetes_service_host[CONFIG_TEXT_SIZE];
    char kubernetes_service_port[CONFIG_TEXT_SIZE];
    enum config_leader leader;
    int64_t max_document_bytes;
    int64_t source_max_bytes;
    int64_t source_max_connections;
    int64_t batch_max_rows;
    int64_t batch_linger_ms;
    int64_t db_connections;
    int64_t db_timeout_ms;
    int64_t outbox_max_rows;
    int64_t outbox_max_bytes;
    char spool_dir[CONFIG_TEXT_SIZE]; /* "": no spool */
    int64_t spool_max_bytes;
    int64_t shutdown_grace_ms;
    char http_listen[CONFIG_TEXT_SIZE]; /* "": no HTTP */
    int64_t log_summary_ms;             /* 0: never */
    enum log_level log_level;
    enum log_format log_format;

    /* made from mysql_host and mysql_port */
    struct config_host hosts[CONFIG_MAX_HOSTS];
    size_t host_count;
};

/* Returns the value of an environment variable; NULL if it is not set. */
typedef const char *config_get(void *context, const char *name);

/* Fills *config. ERROR_OPERATOR: *problems has one line for every setting that is wrong, without secret
 * values. An empty variable counts as not set (KubeDL's rule),
 * and so does a service link of Kubernetes. */
enum error_code config_load(struct config *config, config_get *get, void *context,
                            struct buffer *problems) MUST_CHECK;

/* Returns NULL, or what is wrong with a secret that was read from a file. The rules for variables hold for
 * it, too, and it must not be empty. */
const char *config_check_secret(struct text value);

/* Appends what `help settings` prints of each setting, wrapped for a terminal of 80 columns. */
void config_help(struct buffer *out);

/* Appends the Markdown table of docs/settings.md. */
void config_markdown(struct buffer *out);

/* Appends what --check-config prints: NAME=value lines; secrets as "(set)" or "(not set)". */
void config_show(struct buffer *out, const struct config *config);

#endif
