/* kube_answer: what the API server says beside objects: why it refuses, what it has, how a watch goes. */
#ifndef LIB_KUBE_ANSWER_H
#define LIB_KUBE_ANSWER_H

#include "lib/apiserver/kube_path.h"
#include "lib/base/text.h"
#include "lib/json/json.h"

#include <stdbool.h>
#include <stdint.h>

/* A reader of all that the functions below look at. */
struct json *kube_answer_reader(void);

struct kube_status {
    int64_t code;      /* 410; 0: not said */
    char reason[64];   /* "Expired"; "" if the text is no Status */
    char message[256]; /* for a person: one line; of a text that is no Status its beginning */
};

/* text: the body of an answer that is not 200, or its beginning: a Status object, or whatever a proxy
 * has put in its place. */
void kube_status_read(struct json *json, struct text text, struct kube_status *status);

/* True if the answer to a discovery lists the resource. */
bool kube_discovery_has(struct json *json, struct text body, const char *resource_name);

#define KUBE_UID_SIZE 65 /* with its NUL */

/* metadata.uid of an object; false if it has none that fits. */
bool kube_uid_read(struct json *json, struct text body, char uid[KUBE_UID_SIZE]);

enum kube_event_type { KUBE_OBJECT, KUBE_BOOKMARK, KUBE_ERROR };

struct kube_event {
    enum kube_event_type type;       /* what is no event is KUBE_OBJECT, without a version */
    char version[KUBE_VERSION_SIZE]; /* metadata.resourceVersion; "" if it has none that is valid */
    bool ends_snapshot;              /* BOOKMARK: all objects were shown */
    struct kube_status status;       /* ERROR */
};

/* Appends the event by which a snapshot ends, as WatchList has it, for a list that has none. */
void kube_mark_append(struct buffer *out, const struct resource *resource, const char *version);

/* A line of a watch. */
void kube_event_read(struct json *json, struct text line, struct kube_event *event);

#endif
