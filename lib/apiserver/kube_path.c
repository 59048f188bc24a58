/* kube_path: building of paths and queries (see kube_path.h). */
#include "lib/apiserver/kube_path.h"

#include <ctype.h>
#include <inttypes.h>

/* Appends the value percent-encoded: only RFC 3986's unreserved characters stay as they are. */
static void append_escaped(struct buffer *out, const char *value)
{
    for (; *value != '\0'; value++) {
        unsigned char c = (unsigned char)*value;
        if (c < 0x80 && (isalnum(c) || strchr("-._~", c) != NULL))
            buffer_append_char(out, (char)c);
        else
            buffer_appendf(out, "%%%02X", c);
    }
}

void kube_path_namespace(struct buffer *out, const char *name)
{
    buffer_append_string(out, "/api/v1/namespaces/");
    append_escaped(out, name);
}

void kube_path_discovery(struct buffer *out, const struct resource *resource)
{
    if (resource->group[0] == '\0')
        buffer_appendf(out, "/api/%s", resource->version);
    else
        buffer_appendf(out, "/apis/%s/%s", resource->group, resource->version);
}

/* Appends the path of the objects and the first parameters. The caller appends more, each with a & in
 * front. */
static void append_objects(struct buffer *out, const struct resource *resource,
                           const struct kube_selection *selection, const char *first_parameter)
{
    kube_path_discovery(out, resource);
    if (selection->namespace[0] != '\0') {
        buffer_append_string(out, "/namespaces/");
        append_escaped(out, selection->namespace);
    }
    buffer_appendf(out, "/%s?%s", resource->name, first_parameter);
    if (selection->label_selector[0] != '\0') {
        buffer_append_string(out, "&labelSelector=");
        append_escaped(out, selection->label_selector);
    }
}

void kube_path_list(struct buffer *out, const struct resource *resource,
                    const struct kube_selection *selection, unsigned limit, const char *next_page)
{
    append_objects(out, resource, selection, "pretty=false");
    if (limit > 0)
        buffer_appendf(out, "&limit=%u", limit);
    if (next_page[0] != '\0') {
        buffer_append_string(out, "&continue=");
        append_escaped(out, next_page);
    }
}

static void append_watch(struct buffer *out, const struct resource *resource,
                         const struct kube_selection *selection, uint32_t timeout_s)
{
    append_objects(out, resource, selection, "watch=true");
    buffer_appendf(out, "&allowWatchBookmarks=true&timeoutSeconds=%" PRIu32, timeout_s);
}

void kube_path_snapshot(struct buffer *out, const struct resource *resource,
                        const struct kube_selection *selection, uint32_t timeout_s)
{
    append_watch(out, resource, selection, timeout_s);
    buffer_append_string(out, "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan");
}

void kube_path_watch(struct buffer *out, const struct resource *resource,
                     const struct kube_selection *selection, const char *version,
                     uint32_t timeout_s)
{
    append_watch(out, resource, selection, timeout_s);
    buffer_append_string(out, "&resourceVersion=");
    append_escaped(out, version);
}
