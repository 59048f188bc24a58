/* probe: looks at a database server from outside, without an account: at its name, its port and its greeting.
 *
 * All calls block, with time-outs. The server sees a client that connects and hangs up. */
#ifndef SIDECAR_PROBE_H
#define SIDECAR_PROBE_H

#include "lib/base/error.h"
#include "lib/settings/config.h"
#include "lib/sql/greeting.h"

#include <netdb.h>
#include <stddef.h>
#include <stdint.h>

/* Looks the host's name up. The caller frees *addresses by freeaddrinfo(). ERROR_AGAIN: the name server is
 * silent, or says so; ERROR_OPERATOR: there is no such name. */
enum error_code probe_resolve(const struct config_host *host, struct addrinfo **addresses,
                              struct error *err) MUST_CHECK;

/* Fills text with the addresses: "192.0.2.1, 2001:db8::1". */
void probe_addresses(const struct addrinfo *addresses, char *text, size_t size);

/* What came of connecting. */
enum probe_result {
    PROBE_CONNECTED,
    PROBE_REFUSED,     /* the machine answers, but nothing listens there */
    PROBE_SILENT,      /* nobody answers */
    PROBE_UNREACHABLE, /* the network, or the file system, refuses */
};

/* Connects to the first address that accepts, or to the host's Unix socket if addresses is NULL. The caller
 * closes *fd, which is -1 if no address accepts; *err then tells of the last one. */
enum probe_result probe_connect(const struct config_host *host, const struct addrinfo *addresses,
                                int64_t timeout_ms, int *fd, struct error *err);

/* Reads the first packet of the server. GREETING_UNFINISHED: it did not come, or not as a whole, in time. */
void probe_greeting(int fd, int64_t timeout_ms, struct greeting *greeting);

#endif
