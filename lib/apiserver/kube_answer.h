/* kube_answer: what an API server answers beside the objects of a resource: a Status that says why it
 * refuses, a list of the resources that it has, the uid of a namespace, the type and version of a watch
 * event.
 *
 * Nothing here fails: a text that cannot be read gives empty fields or false. */
#ifndef LIB_KUBE_ANSWER_H
#define LIB_KUBE_ANSWER_H

#include "lib/apiserver/kube_path.h"
#include "lib/base/text.h"
#include "lib/json/json.h"

#include <stdbool.h>
#include <stdint.h>

/* A new reader that keeps all that the functions below and kube_list_read() look at. The caller owns it. */
struct json *kube_answer_reader(void);

struct kube_status {
    int64_t code;      /* as 410; 0 if there is none */
    char reason[64];   /* as "Expired"; "" if the text is no Status */
    char message[256]; /* one line for a person; the beginning of a text that is no Status */
};

/* text: the body of an answer that is not 200, or the beginning of the body. It is a Status object, or
 * whatever a proxy has put in the place of one. */
void kube_status_read(struct json *json, struct text text, struct kube_status *status);

/* True if body, the APIResourceList of an API group, has a resource of that name ("tfjobs"). */
bool kube_discovery_has(struct json *json, struct text body, const char *resource_name);

#define KUBE_UID_SIZE 65 /* with its NUL */

/* Copies metadata.uid of the object in body. False if it has none, or one that does not fit. */
bool kube_uid_read(struct json *json, struct text body, char uid[KUBE_UID_SIZE]);

enum kube_event_type { KUBE_OBJECT, KUBE_BOOKMARK, KUBE_ERROR };

struct kube_event {
    enum kube_event_type type;       /* KUBE_OBJECT, without a version, if the line is no event */
    char version[KUBE_VERSION_SIZE]; /* metadata.resourceVersion; "" if there is no valid one */
    bool ends_snapshot;        /* BOOKMARK: it is the mark after the last object of a WatchList */
    struct kube_status status; /* ERROR: what the server says about it */
};

/* Appends the mark by which a WatchList ends, a BOOKMARK with the annotation k8s.io/initial-events-end,
 * without a newline. It is put behind the items of a list, which has no such event. */
void kube_mark_append(struct buffer *out, const struct resource *resource, const char *version);

/* Reads one line of a watch. */
void kube_event_read(struct json *json, struct text line, struct kube_event *event);

#endif
