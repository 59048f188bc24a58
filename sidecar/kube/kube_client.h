/* kube_client: the way to the API server that the address of a source names: kube: or kube+unix:PATH. */
#ifndef SIDECAR_KUBE_CLIENT_H
#define SIDECAR_KUBE_CLIENT_H

#include "lib/settings/config.h"
#include "sidecar/kube/http_client.h"

#include <stdbool.h>

/* Whether the address is one of an API server. */
bool kube_client_is_for(const char *address);

/* Returns the path of the Unix socket on which the API server answers; "": it is that of the own cluster, over
 * TLS. */
const char *kube_client_socket(const char *address);

/* Returns what to do if no API server answers at the address. */
const char *kube_client_advice(const char *address);

/* What to do if the API server answers 401. */
#define KUBE_CLIENT_TOKEN_ADVICE                                                                   \
    "let the pod mount a token of this cluster that has not expired; KUBE_SERVICE_ACCOUNT names "  \
    "its directory"

/* Makes a client as http_client_new() does. socket_path: as kube_client_socket() returns it. */
enum error_code kube_client_new(uv_loop_t *loop, const char *socket_path,
                                const struct config *config, struct logger *logger,
                                struct http_client **client, struct error *err) MUST_CHECK;

#endif
