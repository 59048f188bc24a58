/* probe: looks at a database server from the outside, without an account: its name, its port, its
 * greeting. Blocking, with time-outs; the server sees a client that hangs up. */
#ifndef SIDECAR_PROBE_H
#define SIDECAR_PROBE_H

#include "lib/base/error.h"
#include "lib/settings/config.h"
#include "lib/sql/greeting.h"

#include <netdb.h>
#include <stddef.h>
#include <stdint.h>

/* ERROR_OPERATOR or ERROR_AGAIN with a text; else *addresses is for freeaddrinfo(). */
enum error_code probe_resolve(const struct config_host *host, struct addrinfo **addresses,
                              struct error *err) MUST_CHECK;

/* "192.0.2.1, 2001:db8::1" */
void probe_addresses(const struct addrinfo *addresses, char *text, size_t size);

/* What connecting gave. */
enum probe_result {
    PROBE_CONNECTED,
    PROBE_REFUSED,     /* the machine answers: nothing listens there */
    PROBE_SILENT,      /* nobody answers */
    PROBE_UNREACHABLE, /* the network, or the file system, says no */
};

/* Connects to the first address that takes it, or to a Unix socket (addresses NULL). *fd is -1 where
 * none does; *err then tells of the last one. */
enum probe_result probe_connect(const struct config_host *host, const struct addrinfo *addresses,
                                int64_t timeout_ms, int *fd, struct error *err);

/* Reads what the server says first. GREETING_UNFINISHED: it says nothing, or not enough, in time. */
void probe_greeting(int fd, int64_t timeout_ms, struct greeting *greeting);

#endif
