/* login: an authentication of our own that comes before the account's.
 *
 * If a server offers no TLS, libmariadb goes on without it, and sends the account's name and an answer made
 * of the password. (Up to 3.3 it does so unless it has to verify a name or a fingerprint, from 3.4 on unless
 * it has to verify the certificate.) So a connection that must be under TLS begins with an authentication of
 * our own:
 *
 *   the greeting offers no TLS     our authentication ends the login; nothing has been sent
 *   it names no authentications    libmariadb takes mysql_native_password, which is not allowed yet:
 *   (every server since 5.5 does)  nothing has been sent
 *   TLS is offered                 our authentication sends an empty answer, before which libmariadb sets TLS
 *                                  up and verifies the certificate. Then it allows the account's own
 *                                  authentication, which the server asks for, since it does not know ours
 *
 * Without TLS, authentications that send the password as it is are not allowed: mysql_clear_password and
 * dialog (PAM). Neither is mysql_old_password, whose hash is broken within seconds. */
#include "sidecar/store/login.h"

#include <errmsg.h>
#include <mysql/plugin_auth.h>

#include <stdio.h>
#include <string.h>

#define FIRST "kubedl_shipper_tls"
#define HIDING                                                                                     \
    "mysql_native_password,client_ed25519,parsec,caching_sha2_password,sha256_password,"           \
    "auth_gssapi_client"
#define CLEAR "mysql_clear_password,dialog"

/* Sets the error for want of TLS. */
static int fail(MYSQL *mysql)
{
    mysql->net.last_errno = CR_SSL_CONNECTION_ERROR;
    snprintf(mysql->net.last_error, sizeof(mysql->net.last_error),
             "TLS/SSL error: TLS is required, but the server does not support it");
    snprintf(mysql->net.sqlstate, sizeof(mysql->net.sqlstate), "HY000");
    return CR_ERROR;
}

void login_explain(MYSQL *mysql)
{
    if (mysql->net.last_errno != CR_PLUGIN_NOT_ALLOWED)
        return;
    if (mysql->options.use_ssl && (mysql->server_capabilities & CLIENT_SSL) == 0)
        (void)fail(mysql);
    else
        snprintf(mysql->net.last_error, sizeof(mysql->net.last_error),
                 "The server asks for an authentication that is not allowed on this connection");
}

static int authenticate(MYSQL_PLUGIN_VIO *vio, MYSQL *mysql)
{
    if ((mysql->server_capabilities & CLIENT_SSL) == 0)
        return fail(mysql);
    if (vio->write_packet(vio, NULL, 0) != 0)
        return CR_ERROR;
    if (mysql_get_ssl_cipher(mysql) == NULL)
        return fail(mysql);
    if (mysql_options(mysql, MARIADB_OPT_RESTRICTED_AUTH, HIDING "," CLEAR) != 0)
        return CR_ERROR;
    return CR_OK;
}

/* <mysql/client_plugin.h> declares this, but includes headers that are not installed. */
struct authentication {
    MYSQL_CLIENT_PLUGIN_HEADER
    int (*authenticate_user)(MYSQL_PLUGIN_VIO *vio, MYSQL *mysql);
};

#define TYPE_AUTHENTICATION 2
#define INTERFACE_VERSION   0x0100

static const struct authentication first = {
    .type = TYPE_AUTHENTICATION,
    .interface_version = INTERFACE_VERSION,
    .name = FIRST,
    .author = "kubedl-shipper",
    .desc = "TLS before the account's own authentication",
    .version = {1, 0, 0},
    .license = "",
    .authenticate_user = authenticate,
};

bool login_library_init(void)
{
    MYSQL *mysql = mysql_init(NULL);
    if (mysql == NULL)
        return false;
    /* The library keeps the address, but never writes to it. */
    bool registered =
        mysql_client_register_plugin(mysql, (struct st_mysql_client_plugin *)&first) != NULL;
    mysql_close(mysql);
    return registered;
}

bool login_require_tls(MYSQL *mysql)
{
    return mysql_options(mysql, MYSQL_DEFAULT_AUTH, FIRST) == 0 &&
           mysql_options(mysql, MARIADB_OPT_RESTRICTED_AUTH, FIRST) == 0;
}

bool login_hide_password(MYSQL *mysql)
{
    return mysql_options(mysql, MARIADB_OPT_RESTRICTED_AUTH, HIDING) == 0;
}
