/* watch: decodes one line of the stream, and says what becomes of it (its fate).
 *
 * A line is a Kubernetes watch event, {"type":...,"object":{...}}, with its keys in any order. Every line
 * gets exactly one fate. A line that is no row is counted under its fate by the caller,
 * sidecar/pipeline/intake, on the loop's thread. */
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
/* Each line: fate, name in logs and metrics, class, meaning. */
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

/* Each line: type, name in metrics, text in an event. */
#define WATCH_TYPES(X)                                                                             \
    X(OTHER, "other", NULL) /* there is no type, or an unknown one */                              \
    X(ADDED, "added", "ADDED")                                                                     \
    X(MODIFIED, "modified", "MODIFIED")                                                            \
    X(DELETED, "deleted", "DELETED")                                                               \
    X(BOOKMARK, "bookmark", "BOOKMARK")                                                            \
    X(ERROR, "error", "ERROR")

#define WATCH_ENUM(type, ...) WATCH_TYPE_##type,
enum watch_type { WATCH_TYPES(WATCH_ENUM) WATCH_TYPE_COUNT };
#undef WATCH_ENUM

const char *watch_type_name(enum watch_type type);

/* A BOOKMARK that has this annotation with the value "true" is a mark: the API server has shown all
 * objects. */
#define INITIAL_EVENTS_END "k8s.io/initial-events-end"

struct watch_settings {     /* its texts are borrowed for the decoder's life */
    struct text region;     /* REGION; "" if not set */
    struct text cluster_id; /* CLUSTER_ID; "" if not set */
};

struct watch; /* the decoder: settings, and memory that is used again for each line */

/* Tells a JSON reader to keep all fields of a document that the decoder reads. */
void watch_keep(struct json *json);

struct watch *watch_new(const struct watch_settings *settings) __attribute__((returns_nonnull));
void watch_free(struct watch *watch);

/* Replaces the cluster_id of the settings for the lines that are decoded from now on. The text is
 * borrowed. */
void watch_set_cluster(struct watch *watch, struct text cluster_id);

/* What became of one line. The texts are copies that are cut to their sizes. */
struct watch_result {
    enum watch_fate fate;
    enum watch_type type;
    const struct resource *resource; /* that of the object; NULL if its kind is not recorded */
    struct row *row;                 /* ROW: the caller owns it; else NULL */
    uint32_t bad_quantities; /* ROW: resource quantities that do not parse and were left out */
    uint32_t bad_fields;     /* ROW: optional fields of a wrong type or form, taken as absent */
    bool initial_events_end; /* BOOKMARK: all objects of this kind, which is recorded, were shown */
    char api_version[128];   /* "training.kubedl.io/v1alpha1" */
    char kind[64];
    char namespace[64];
    char name[128];
    char uid[65];
    char version[34]; /* one byte too long for a valid one, so that none is cut to a valid one */
    char reason[160]; /* what is wrong, what the server said, or the first bad field */
};

/* Decodes one line, without its newline. received_us: the present time in microseconds since 1970. */
void watch_decode(struct watch *watch, struct text line, int64_t received_us,
                  struct watch_result *result);

/* Decodes the beginning, `head`, of a line that was too long. The fate is WATCH_TOO_LONG, and the result
 * has what is whole in `head` of apiVersion, kind, namespace, name, uid and resourceVersion. */
void watch_decode_head(struct watch *watch, struct text head, struct watch_result *result);

#endif
