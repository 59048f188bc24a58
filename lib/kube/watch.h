/* watch: one line of the stream -> what is to be done about it.
 *
 * A line is a Kubernetes watch event, {"type":...,"object":{...}}, keys in any order. Every line
 * gets exactly one fate; what is not a row is counted under it. */
#ifndef LIB_WATCH_H
#define LIB_WATCH_H

#include "lib/base/error.h"
#include "lib/base/text.h"
#include "lib/json/json.h"
#include "lib/kube/kind.h"
#include "lib/rows/row.h"

#include <stdbool.h>
#include <stdint.h>

/* clang-format off */
/* fate, name in logs and metrics, class, what it is */
#define WATCH_FATES(X)                                                                             \
    X(ROW, "row", ROW, "a job or pod of ours: its row")                                            \
    X(BOOKMARK, "bookmark", FILTERED, "BOOKMARK: a resourceVersion, no object")                    \
    X(ERROR_EVENT, "error_event", FILTERED, "ERROR: the watch has ended, a Status says why")       \
    X(OTHER_KIND, "other_kind", FILTERED, "an object of a kind that is not recorded")              \
    X(FOREIGN_POD, "foreign_pod", FILTERED, "a pod that no job of ours controls")                  \
    X(ORPHAN_POD, "orphan_pod", FILTERED, "a live pod that has lost its job: its row stays as is") \
    X(STATUS, "status", FILTERED, "a bare Status: an API server's answer, not an event")           \
    X(TABLE, "table", FILTERED, "a Table or PartialObjectMetadata: columns to print, not objects") \
    X(LIST, "list", FILTERED, "a List document, not an event")                                     \
    X(BARE_OBJECT, "bare_object", FILTERED, "an object without an event around it")                \
    X(NOT_JSON, "not_json", INVALID, "not a JSON document")                                        \
    X(TOO_DEEP, "too_deep", INVALID, "nested deeper than 64 levels")                               \
    X(TOO_LONG, "too_long", INVALID, "over MAX_DOCUMENT_BYTES: skipped up to the next newline")    \
    X(NOT_EVENT, "not_event", INVALID, "JSON, but no watch event")                                 \
    X(BAD_TYPE, "bad_type", INVALID, "an event type that Kubernetes does not have")                \
    X(BAD_UID, "bad_uid", INVALID, "no metadata.uid, or one that cannot be a key")                 \
    X(BAD_VERSION, "bad_version", INVALID, "a resourceVersion that is not decimal")                \
    X(NO_MEMORY, "no_memory", INVALID, "no memory to decode it: it is not acknowledged, and the process ends")

/* clang-format on */

enum watch_class { WATCH_CLASS_ROW, WATCH_CLASS_FILTERED, WATCH_CLASS_INVALID };

#define WATCH_ENUM(fate, ...) WATCH_##fate,
enum watch_fate { WATCH_FATES(WATCH_ENUM) WATCH_FATE_COUNT };
#undef WATCH_ENUM

const char *watch_fate_name(enum watch_fate fate);
enum watch_class watch_fate_class(enum watch_fate fate);

/* type, its name in metrics, as it stands in an event */
#define WATCH_TYPES(X)                                                                             \
    X(OTHER, "other", NULL) /* there is none, or one that is not known */                          \
    X(ADDED, "added", "ADDED")                                                                     \
    X(MODIFIED, "modified", "MODIFIED")                                                            \
    X(DELETED, "deleted", "DELETED")                                                               \
    X(BOOKMARK, "bookmark", "BOOKMARK")                                                            \
    X(ERROR, "error", "ERROR")

#define WATCH_ENUM(type, ...) WATCH_TYPE_##type,
enum watch_type { WATCH_TYPES(WATCH_ENUM) WATCH_TYPE_COUNT };
#undef WATCH_ENUM

const char *watch_type_name(enum watch_type type);

/* The annotation of a BOOKMARK, with the value "true", by which the API server says that all objects were shown. */
#define INITIAL_EVENTS_END "k8s.io/initial-events-end"

struct watch_settings {     /* the texts are borrowed for the decoder's life */
    struct text region;     /* REGION; "" if not set */
    struct text cluster_id; /* CLUSTER_ID; "" if not set */
};

struct watch; /* the decoder: settings and memory that is used again for each line */

/* Tells a reader to keep of a document what is looked at here. */
void watch_keep(struct json *json);

struct watch *watch_new(const struct watch_settings *settings) __attribute__((returns_nonnull));
void watch_free(struct watch *watch);

/* Instead of that in the settings, for what is decoded from now on; borrowed likewise. */
void watch_set_cluster(struct watch *watch, struct text cluster_id);

/* What became of one line. The texts are for logs: they are bounded and NUL-terminated. */
struct watch_result {
    enum watch_fate fate;
    enum watch_type type;
    const struct resource *resource; /* of the object's kind; NULL if it is not recorded */
    struct row *row;                 /* WATCH_ROW: the caller's from now on; else NULL */
    uint32_t bad_quantities; /* ROW: resource quantities that do not parse and were left out */
    uint32_t bad_fields;     /* ROW: optional fields of a wrong type or form, taken as absent */
    bool initial_events_end; /* BOOKMARK: all objects of this kind, which is recorded, were shown */
    char api_version[128];   /* "training.kubedl.io/v1alpha1" */
    char kind[64];
    char namespace[64];
    char name[128];
    char uid[65];
    char version[34]; /* one longer than a valid one may be, so that it is not cut to one */
    char reason[160]; /* what is wrong, what the server said, or the first bad field */
};

/* Decodes one line (without its newline). received_us: now, microseconds since 1970. */
void watch_decode(struct watch *watch, struct text line, int64_t received_us,
                  struct watch_result *result);

/* The same for a line that was too long: only its beginning is here. Says what can be known of it
 * (apiVersion, kind, namespace, name, uid) of what is whole in `head`; fate WATCH_TOO_LONG. */
void watch_decode_head(struct watch *watch, struct text head, struct watch_result *result);

#endif
