/* login: what a connection that is being made tells a server before it is known who listens. */
#ifndef SIDECAR_STORE_LOGIN_H
#define SIDECAR_STORE_LOGIN_H

#include <mysql.h>

#include <stdbool.h>

/* Once per process, after mysql_library_init(). False: no memory, or a client library that takes no
 * authentication of ours. */
bool login_library_init(void);

/* For a connection that has to be under TLS: where the server offers none, or somebody between has
 * struck that out, the login ends by error CR_SSL_CONNECTION_ERROR before the account's name is sent.
 * False: no memory. */
bool login_require_tls(MYSQL *mysql);

/* For a connection without TLS on which others may listen: the login ends by error CR_PLUGIN_NOT_ALLOWED
 * where the server asks for the password in clear. False: no memory. */
bool login_hide_password(MYSQL *mysql);

/* After a login that has failed: the library's own text on CR_PLUGIN_NOT_ALLOWED quotes (3.3.20) what was
 * sent instead of the authentication's name; and a server without TLS that names no authentications is
 * in the first place one without TLS. */
void login_explain(MYSQL *mysql);

#endif
