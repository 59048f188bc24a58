/* kube_client: the way to the API server that EVENT_SOURCE names, as kube: or kube+unix:PATH. */
#ifndef SIDECAR_KUBE_CLIENT_H
#define SIDECAR_KUBE_CLIENT_H

#include "lib/settings/config.h"
#include "sidecar/kube/http_client.h"

#include <stdbool.h>

/* Whether the address is one of an API server. */
bool kube_client_is_for(const char *event_source);

/* The path of the Unix socket behind which it is; "": the cluster's own, over TLS. */
const char *kube_client_socket(const char *event_source);

/* As http_client_new(). */
enum error_code kube_client_new(uv_loop_t *loop, const struct config *config, struct logger *logger,
                                struct http_client **client, struct error *err) MUST_CHECK;

#endif
