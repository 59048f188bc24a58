/* kube_list: what a list says about itself: its version, and the token for its next page. */
#ifndef LIB_KUBE_LIST_H
#define LIB_KUBE_LIST_H

#include "lib/apiserver/kube_path.h"
#include "lib/base/text.h"
#include "lib/json/json.h"

#include <stdbool.h>
#include <stddef.h>

/* The longest token that is understood, with its NUL: it holds the key of an object, in base64. */
#define KUBE_TOKEN_SIZE 4096

struct kube_list {
    char version[KUBE_VERSION_SIZE]; /* metadata.resourceVersion; "" if it has none */
    char next_page[KUBE_TOKEN_SIZE]; /* metadata.continue; "": this is the last page */
    bool whole;                      /* its last bracket has come */
    bool damaged;                    /* it is no JSON, or its version or token is none */
};

/* around: the list without its items (items_list() of lib/stream/items.h), "" if that is not whole.
 * json: of kube_answer_reader(). */
void kube_list_read(struct json *json, struct text around, struct kube_list *list);

#endif
