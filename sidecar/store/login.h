/* login: what is sent of an account's name and password on a connection that is not known to be safe yet. */
#ifndef SIDECAR_STORE_LOGIN_H
#define SIDECAR_STORE_LOGIN_H

#include <mysql.h>

#include <stdbool.h>

/* Called once in each process, after mysql_library_init(). Returns false without memory, or if the client
 * library takes no authentication of ours. */
bool login_library_init(void);

/* For a connection that must be under TLS. If the server offers none, or somebody between has struck out the
 * offer, the login ends with error CR_SSL_CONNECTION_ERROR before the account's name is sent. Returns false
 * without memory. */
bool login_require_tls(MYSQL *mysql);

/* For a connection without TLS on which others may listen. If the server asks for the password in clear, the
 * login ends with error CR_PLUGIN_NOT_ALLOWED. Returns false without memory. */
bool login_hide_password(MYSQL *mysql);

/* Called after a login that has failed: corrects the library's text for CR_PLUGIN_NOT_ALLOWED, which quotes
 * (3.3.20) other bytes of the packet than the authentication's name. If the server names no authentications
 * and offers no TLS, the error becomes the one for want of TLS. */
void login_explain(MYSQL *mysql);

#endif
