/* check_kube: tries whether jobs and pods can be listed and watched.
 *
 * Happy path: the API server is asked for the cluster's identity and for the namespace; then, for each
 * resource, whether the resource is installed, for a list of one object, and for a watch, of which the head
 * of the answer is enough. Requests are made one at a time, on a loop of this file's own.
 *
 * Failure modes:
 *   no answer, or not an API server's     it is the only finding, with the reason
 *   the token is not accepted             it is the only finding, with the reason
 *   a right is missing                    one finding for all resources tells the rules to be added
 *   the selector is not understood        it is said once: all other resources would be refused for it, too
 *   a kind is not installed               it is no failure; if no kind is installed, it is a warning */
#include "sidecar/commands/check_kube.h"

#include "lib/apiserver/kube_answer.h"
#include "lib/apiserver/kube_path.h"
#include "lib/base/buffer.h"
#include "sidecar/base/logger.h"
#include "sidecar/kube/kube_client.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATH_LIMIT 32768
#define BODY_LIMIT (8U << 20) /* one object, or the resources of a group */
#define TEXT_LIMIT 16384

struct visit {
    struct findings *findings;
    const struct config *config;
    const char *address; /* of the source */
    uint32_t timeout_ms;
    uv_loop_t loop;
    uv_timer_t timer;
    struct http_client *client;
    struct json *json;
    struct kube_selection selection;

    /* These belong to the present request. */
    struct buffer path;
    struct buffer body;
    int status; /* HTTP; 0: there was no answer, error says why */
    bool is_json;
    bool expired;
    char error[512];
    struct kube_status said;

    /* These belong to all resources together. */
    struct buffer well, absent, forbidden, rules;
    size_t job_kinds;
    char denial[256]; /* what the API server said to the first request that it forbade */
};

/* ---- a request -------------------------------------------------------------------------------- */

/* Ends the present turn of the loop, which would otherwise wait for more input. */
static void on_progress(void *context)
{
    uv_stop(&((struct visit *)context)->loop);
}

static void on_expired(uv_timer_t *timer)
{
    struct visit *visit = timer->data;
    visit->expired = true;
    uv_stop(&visit->loop);
}

static void wait_for(struct visit *visit, struct http_request *request, bool head_only)
{
    size_t room, bytes;
    char *start;
    struct http_state state = http_request_state(request);
    while (!visit->expired && !visit->body.failed && !state.ended &&
           !(head_only && state.status == 200)) {
        uv_run(&visit->loop, UV_RUN_DEFAULT);
        while ((start = buffer_room(&visit->body, 1, &room)) != NULL &&
               (bytes = http_request_read(request, start, room)) > 0)
            buffer_commit(&visit->body, bytes);
        state = http_request_state(request);
    }
    visit->status = state.status;
    visit->is_json = state.is_json;
    if (visit->expired)
        (void)snprintf(visit->error, sizeof(visit->error), "no answer within %u ms",
                       visit->timeout_ms);
    else if (state.status == 0)
        (void)snprintf(visit->error, sizeof(visit->error), "%s", state.error);
}

/* Asks for visit->path, which is empty afterwards. head_only: the body of an answer that reports success is
 * not waited for. */
static void ask(struct visit *visit, bool head_only)
{
    const struct http_get get = {
        .path = buffer_cstring(&visit->path), .progress = on_progress, .context = visit};
    struct http_request *request = NULL;
    struct error err;
    buffer_reset(&visit->body);
    visit->status = 0;
    visit->expired = false;
    visit->error[0] = '\0';
    uv_timer_start(&visit->timer, on_expired, visit->timeout_ms, 0);
    if (get.path == NULL || http_client_get(visit->client, &get, &request, &err) != ERROR_NONE)
        (void)snprintf(visit->error, sizeof(visit->error), "%s",
                       get.path != NULL ? err.text : "no memory for a request");
    else
        wait_for(visit, request, head_only);
    http_request_free(request);
    uv_timer_stop(&visit->timer);
    buffer_reset(&visit->path);
    if (visit->status != 200)
        kube_status_read(visit->json, buffer_text(&visit->body), &visit->said);
}

/* ---- the server and the cluster --------------------------------------------------------------- */

static void fail(struct visit *visit, const char *advice, const char *what)
{
    findings_add(visit->findings, FINDING_FAIL, "source", advice, "%s: %s%s%s", visit->address,
                 what, visit->said.message[0] != '\0' ? ": " : "", visit->said.message);
}

static void append_rule(struct buffer *out, const char *group, const char *resources,
                        const char *verbs)
{
    buffer_appendf(out, "- apiGroups: [\"%s\"]\n  resources: [%s]\n  verbs: [%s]", group, resources,
                   verbs);
}

static const char *text_in(struct buffer *buffer)
{
    const char *text = buffer_cstring(buffer);
    return text != NULL ? text : "";
}

static void judge_identity(struct visit *visit)
{
    struct buffer advice;
    if (visit->config->cluster_id[0] != '\0' || visit->status == 200)
        return;
    buffer_init(&advice, TEXT_LIMIT);
    buffer_append_string(&advice,
                         "set CLUSTER_ID to a name of this cluster, or add to a ClusterRole of the "
                         "account (manifests/rights/role.yaml has all rules):\n");
    append_rule(&advice, "", "namespaces", "get");
    buffer_append_string(&advice, "\n  resourceNames: [" KUBE_CLUSTER_NAMESPACE "]");
    findings_add(
        visit->findings, FINDING_WARN, "source", text_in(&advice),
        "the cluster's id cannot be read: objects that vanish while nobody watches are not "
        "closed: %s",
        visit->said.message);
    buffer_fini(&advice);
}

/* Returns false if no API server answers, or if it does not accept us. */
static bool identify(struct visit *visit)
{
    char uid[KUBE_UID_SIZE];
    kube_path_namespace(&visit->path, KUBE_CLUSTER_NAMESPACE);
    ask(visit, false);
    if (visit->status == 0) {
        visit->said.message[0] = '\0';
        fail(visit, kube_client_advice(visit->address), visit->error);
    } else if (visit->status == 401) {
        fail(visit, KUBE_CLIENT_TOKEN_ADVICE, "the API server does not accept the token");
    } else if (visit->status == 200 &&
               !(visit->is_json && kube_uid_read(visit->json, buffer_text(&visit->body), uid))) {
        visit->said.message[0] = '\0';
        fail(visit, kube_client_advice(visit->address), "what answers there is no API server");
    } else if (visit->status == 200 || visit->status == 403 || visit->status == 404) {
        judge_identity(visit);
        return true;
    } else {
        fail(visit, "see whether the API server runs; if it is just starting, try again",
             "the API server is not ready, or a proxy cannot reach it");
    }
    return false;
}

static void look_for_namespace(struct visit *visit)
{
    if (visit->selection.namespace[0] == '\0')
        return;
    kube_path_namespace(&visit->path, visit->selection.namespace);
    ask(visit, false);
    if (visit->status == 404)
        findings_add(
            visit->findings, FINDING_FAIL, "source",
            "correct KUBE_NAMESPACE, or make the namespace: until then nothing is recorded",
            "KUBE_NAMESPACE=%s: there is no such namespace", visit->selection.namespace);
    else if (visit->status != 200)
        findings_add(visit->findings, FINDING_OK, "source", "",
                     "KUBE_NAMESPACE=%s: whether it exists cannot be seen: %s",
                     visit->selection.namespace, visit->said.message);
}

/* ---- a resource ------------------------------------------------------------------------------- */

static void append_name(struct buffer *out, const struct resource *resource)
{
    buffer_appendf(out, "%s%s%s%s", out->length > 0 ? ", " : "", resource->name,
                   resource->group[0] != '\0' ? "." : "", resource->group);
}

/* Where the account may not ask which resources are installed, the answer to the list tells it. */
static bool is_installed(struct visit *visit, const struct resource *resource)
{
    kube_path_discovery(&visit->path, resource);
    ask(visit, false);
    return visit->status == 403 ||
           (visit->status == 200 &&
            kube_discovery_has(visit->json, buffer_text(&visit->body), resource->name));
}

/* Tries one verb. Returns false if the other resources need not be asked for after this answer. */
static bool try_verb(struct visit *visit, const struct resource *resource, bool watch, bool *denied)
{
    char what[256];
    if (watch)
        kube_path_watch(&visit->path, resource, &visit->selection, "0", 1);
    else
        kube_path_list(&visit->path, resource, &visit->selection, 1, "");
    ask(visit, watch);
    *denied = visit->status == 403;
    if (*denied && visit->denial[0] == '\0')
        (void)snprintf(visit->denial, sizeof(visit->denial), "%s", visit->said.message);
    if (visit->status == 200 || *denied)
        return true;
    if (visit->status == 0)
        (void)snprintf(visit->said.message, sizeof(visit->said.message), "%.255s", visit->error);
    if (visit->status == 400 || visit->status == 422) {
        fail(visit, "correct KUBE_LABEL_SELECTOR: it is as kubectl's --selector",
             "the API server does not take the request");
        return false;
    }
    (void)snprintf(what, sizeof(what), "the %s of %s is answered with HTTP %d",
                   watch ? "watch" : "list", resource->name, visit->status);
    fail(visit, "see whether the API server runs well; if it is just starting, try again", what);
    return false;
}

static bool look_at(struct visit *visit, struct resource *resource)
{
    bool no_list, no_watch;
    bool is_job = resource->group[0] != '\0';
    bool is_there = !is_job || is_installed(visit, resource);
    if (!is_there && resource->other_version != NULL) {
        resource->version = resource->other_version;
        is_there = is_installed(visit, resource);
    }
    if (!is_there) {
        append_name(&visit->absent, resource);
        return true;
    }
    visit->job_kinds += is_job;
    if (!try_verb(visit, resource, false, &no_list) || !try_verb(visit, resource, true, &no_watch))
        return false;
    if (!no_list && !no_watch) {
        append_name(&visit->well, resource);
        return true;
    }
    append_name(&visit->forbidden, resource);
    buffer_append_char(&visit->rules, '\n');
    append_rule(&visit->rules, resource->group, resource->name,
                no_list && no_watch ? "list, watch"
                : no_list           ? "list"
                                    : "watch");
    return true;
}

static void conclude(struct visit *visit)
{
    struct buffer advice;
    if (visit->job_kinds == 0)
        findings_add(
            visit->findings, FINDING_WARN, "source",
            "install KubeDL or Kubeflow's training operator; kinds are looked for again and "
            "again",
            "the cluster has no kind of jobs that is recorded");
    if (visit->forbidden.length > 0) {
        buffer_init(&advice, TEXT_LIMIT);
        buffer_appendf(
            &advice, "add to a %s of the account (manifests/rights/role.yaml has all rules):%s",
            visit->selection.namespace[0] != '\0' ? "Role in this namespace" : "ClusterRole",
            text_in(&visit->rules));
        findings_add(visit->findings, FINDING_FAIL, "source", text_in(&advice),
                     "may not be listed and watched: %s: %s", text_in(&visit->forbidden),
                     visit->denial);
        buffer_fini(&advice);
        return;
    }
    findings_add(visit->findings, FINDING_OK, "source", "",
                 "%s: can be listed and watched: %s; not installed: %s", visit->address,
                 text_in(&visit->well),
                 visit->absent.length > 0 ? text_in(&visit->absent) : "none");
}

/* ---- all of it -------------------------------------------------------------------------------- */

static void on_closed(void *context)
{
    (void)context; /* the loop ends empty then */
}

static void run(struct visit *visit, struct logger *logger)
{
    struct error err;
    visit->json = kube_answer_reader();
    if (kube_client_new(&visit->loop, kube_client_socket(visit->address), visit->config, logger,
                        &visit->client, &err) == ERROR_NONE) {
        uv_timer_init(&visit->loop, &visit->timer);
        visit->timer.data = visit;
        bool goes_on = identify(visit);
        if (goes_on)
            look_for_namespace(visit);
        for (size_t i = 0; i < RESOURCE_COUNT && goes_on; i++) {
            struct resource resource = resource_table[i];
            goes_on = look_at(visit, &resource);
        }
        if (goes_on)
            conclude(visit);
        uv_close((uv_handle_t *)&visit->timer, NULL);
        http_client_close(visit->client, on_closed, NULL);
    } else {
        findings_add(visit->findings, FINDING_FAIL, "source", "see what it says", "%s: %s",
                     visit->address, err.text);
    }
    json_free(visit->json);
    uv_run(&visit->loop, UV_RUN_DEFAULT);
}

void check_kube(struct findings *findings, const struct config *config, const char *address,
                uint32_t timeout_ms)
{
    struct visit visit = {
        .findings = findings,
        .config = config,
        .address = address,
        .timeout_ms = timeout_ms,
        .selection = {config->kube_namespace, config->kube_label_selector},
    };
    struct logger *logger = NULL;
    buffer_init(&visit.path, PATH_LIMIT);
    buffer_init(&visit.body, BODY_LIMIT);
    buffer_init(&visit.well, TEXT_LIMIT);
    buffer_init(&visit.absent, TEXT_LIMIT);
    buffer_init(&visit.forbidden, TEXT_LIMIT);
    buffer_init(&visit.rules, TEXT_LIMIT);
    if (uv_loop_init(&visit.loop) != 0 ||
        logger_new(STDERR_FILENO, LOG_LEVEL_ERROR, LOG_FORMAT_JSON, &logger, NULL) != ERROR_NONE) {
        findings->failed = true;
    } else {
        run(&visit, logger);
        findings->failed |= uv_loop_close(&visit.loop) != 0;
    }
    logger_free(logger);
    buffer_fini(&visit.path);
    buffer_fini(&visit.body);
    buffer_fini(&visit.well);
    buffer_fini(&visit.absent);
    buffer_fini(&visit.forbidden);
    buffer_fini(&visit.rules);
}
