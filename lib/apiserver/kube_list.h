/* kube_list: what a list says about itself: its version, and the token for its next page.
 *
 * A list of pods says it before its items, one of custom resources behind them (their keys are sorted).
 * The bytes are looked at as they come, in any pieces; of the items nothing is kept. It is not checked
 * that they are JSON: who reads the items will. */
#ifndef LIB_KUBE_LIST_H
#define LIB_KUBE_LIST_H

#include "lib/apiserver/kube_path.h"
#include "lib/base/text.h"

#include <stdbool.h>
#include <stddef.h>

/* The longest token that is understood, with its NUL: it holds the key of an object, in base64. */
#define KUBE_TOKEN_SIZE 4096

enum kube_list_key { KUBE_LIST_OTHER, KUBE_LIST_METADATA, KUBE_LIST_VERSION, KUBE_LIST_CONTINUE };

struct kube_list {
    char version[KUBE_VERSION_SIZE]; /* metadata.resourceVersion; "" until it has come */
    char next_page[KUBE_TOKEN_SIZE]; /* metadata.continue; "": this is the last page */
    bool whole;                      /* its last bracket has come */
    bool damaged;                    /* its version or token is none */

    size_t depth; /* brackets that are open */
    bool in_string, escaped;
    bool in_metadata;           /* at depth 2 */
    char previous;              /* the last byte outside strings that is no white space */
    enum kube_list_key key;     /* the last one at depth 1, or at depth 2 in metadata */
    char text[KUBE_TOKEN_SIZE]; /* the string that is being read, if it may matter */
    size_t text_length;         /* of it; over the size: too long */
};

void kube_list_init(struct kube_list *list);

/* The next bytes of the body. */
void kube_list_feed(struct kube_list *list, struct text bytes);

#endif
