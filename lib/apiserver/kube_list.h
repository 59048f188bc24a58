/* kube_list: the metadata of a list of objects: its resourceVersion, and the token that asks for the next
 * page (`continue`). */
#ifndef LIB_KUBE_LIST_H
#define LIB_KUBE_LIST_H

#include "lib/apiserver/kube_path.h"
#include "lib/base/text.h"
#include "lib/json/json.h"

#include <stdbool.h>
#include <stddef.h>

/* The size of the longest token that is understood, with its NUL. A token is the key of an object and a
 * version, in base64. */
#define KUBE_TOKEN_SIZE 4096

struct kube_list {
    char version[KUBE_VERSION_SIZE]; /* metadata.resourceVersion; "" if it has none */
    char next_page[KUBE_TOKEN_SIZE]; /* metadata.continue; "" on the last page */
    bool whole;                      /* its last bracket has been received */
    bool damaged; /* it is no JSON, or its version or token is invalid or too long */
};

/* around: the list without its items, as items_list() of lib/stream/items.h gives it; "" while the list is
 * not whole. json: a reader made by kube_answer_reader(). */
void kube_list_read(struct json *json, struct text around, struct kube_list *list);

#endif
