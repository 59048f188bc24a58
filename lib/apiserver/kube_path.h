/* kube_path: the paths, with their queries, of the requests that are made to an API server.
 *
 * Each function appends one path to out; without memory out->failed is set. timeout_s is the number of
 * seconds after which the server is asked to end the watch. Source: "Kubernetes API Concepts" of
 * Kubernetes' reference. */
#ifndef LIB_KUBE_PATH_H
#define LIB_KUBE_PATH_H

#include "lib/base/buffer.h"
#include "lib/base/text.h"
#include "lib/kube/kind.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many objects one page of a list may have. */
#define KUBE_PAGE_OBJECTS 500

/* The size of the longest resourceVersion, with its NUL. A longer one does not fit its column either. */
#define KUBE_VERSION_SIZE 33

/* Which objects of a resource are asked for. The texts are not escaped yet. */
struct kube_selection {
    const char *namespace;      /* "": all */
    const char *label_selector; /* "": all */
};

/* Every cluster has this namespace, and so its uid names the cluster. */
#define KUBE_CLUSTER_NAMESPACE "kube-system"

/* The namespace of that name. */
void kube_path_namespace(struct buffer *out, const char *name);

/* The APIResourceList of the resource's API group and version: which resources the server has in it. */
void kube_path_discovery(struct buffer *out, const struct resource *resource);

/* A page of the list of objects. limit: how many objects it may have, 0 for all. next_page: the token that
 * the page before gave, "" for the first page. */
void kube_path_list(struct buffer *out, const struct resource *resource,
                    const struct kube_selection *selection, unsigned limit, const char *next_page);

/* A WatchList: first all objects as ADDED events, then a mark (a BOOKMARK), then what happens from there
 * on. */
void kube_path_snapshot(struct buffer *out, const struct resource *resource,
                        const struct kube_selection *selection, uint32_t timeout_s);

/* A watch: the events after that resourceVersion. */
void kube_path_watch(struct buffer *out, const struct resource *resource,
                     const struct kube_selection *selection, const char *version,
                     uint32_t timeout_s);

#endif
