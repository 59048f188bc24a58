/* kube_path: what is asked of the API server, and by which paths. */
#ifndef LIB_KUBE_PATH_H
#define LIB_KUBE_PATH_H

#include "lib/base/buffer.h"
#include "lib/base/text.h"
#include "lib/kube/kind.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Objects in one page of a list. */
#define KUBE_PAGE_OBJECTS 500

/* A resourceVersion, with its NUL: longer ones cannot be recorded either. */
#define KUBE_VERSION_SIZE 33

/* Which objects of a resource are asked for. */
struct kube_selection {
    const char *namespace;      /* "": all */
    const char *label_selector; /* "": all */
};

/* Each appends a path with its query. timeout_s: after which the server is to end the watch. */

/* The namespace that every cluster has, and whose uid therefore names the cluster. */
#define KUBE_CLUSTER_NAMESPACE "kube-system"

void kube_path_namespace(struct buffer *out, const char *name);

/* Which resources the group has. */
void kube_path_discovery(struct buffer *out, const struct resource *resource);

/* The objects; limit: how many of them in one answer, 0: all. next_page: the last page's token, "" at
 * first. */
void kube_path_list(struct buffer *out, const struct resource *resource,
                    const struct kube_selection *selection, unsigned limit, const char *next_page);

/* The objects as events, a mark, then what happens further (WatchList). */
void kube_path_snapshot(struct buffer *out, const struct resource *resource,
                        const struct kube_selection *selection, uint32_t timeout_s);

/* What has happened since the version. */
void kube_path_watch(struct buffer *out, const struct resource *resource,
                     const struct kube_selection *selection, const char *version,
                     uint32_t timeout_s);

#endif
