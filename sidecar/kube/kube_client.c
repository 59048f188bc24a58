/* kube_client: from the settings to an http_client. */
#include "sidecar/kube/kube_client.h"

#include <stdio.h>
#include <string.h>

#define PROXIED "kube+unix:" /* and the path of a socket */

static bool is_proxied(const char *address)
{
    return text_starts_with(text_from(address), TEXT(PROXIED));
}

bool kube_client_is_for(const char *address)
{
    return is_proxied(address) || text_starts_with(text_from(address), TEXT("kube:"));
}

const char *kube_client_socket(const char *address)
{
    return is_proxied(address) ? address + strlen(PROXIED) : "";
}

const char *kube_client_advice(const char *address)
{
    if (kube_client_socket(address)[0] != '\0')
        return "start kubectl proxy --unix-socket=PATH with the path in EVENT_SOURCE, in a "
               "container that shares its directory, or correct EVENT_SOURCE";
    return "see that the pod mounts the token and ca.crt of a service account of this cluster "
           "(automountServiceAccountToken, KUBE_SERVICE_ACCOUNT), that KUBERNETES_SERVICE_HOST and "
           "KUBERNETES_SERVICE_PORT name its API server, and that no NetworkPolicy is in the way";
}

enum error_code kube_client_new(uv_loop_t *loop, const char *socket_path,
                                const struct config *config, struct logger *logger,
                                struct http_client **client, struct error *err)
{
    char ca_file[CONFIG_TEXT_SIZE + 8];
    char token_file[CONFIG_TEXT_SIZE + 8];
    bool is_unix = socket_path[0] != '\0';
    (void)snprintf(ca_file, sizeof(ca_file), "%s/ca.crt", config->kube_service_account);
    (void)snprintf(token_file, sizeof(token_file), "%s/token", config->kube_service_account);
    const struct http_server server = {
        .socket_path = socket_path,
        .host = config->kubernetes_service_host,
        .port = config->kubernetes_service_port,
        .ca_file = is_unix ? "" : ca_file,
        .token_file = is_unix ? "" : token_file,
    };
    return http_client_new(loop, &server, logger, client, err);
}
