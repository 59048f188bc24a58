/* kube_watch: one resource of the API server, listed and watched, as a connection of a source.
 *
 * A connection begins with all objects, or where an earlier process has stopped. It lasts over as many
 * requests as follow one another without a gap; lib/apiserver/reflector decides which these are. All on the
 * loop's thread. */
#ifndef SIDECAR_KUBE_WATCH_H
#define SIDECAR_KUBE_WATCH_H

#include "lib/apiserver/kube_answer.h"
#include "lib/apiserver/kube_list.h"
#include "lib/apiserver/reflector.h"
#include "lib/json/json.h"
#include "lib/stream/input.h"
#include "sidecar/kube/http_client.h"
#include "sidecar/source/connection.h"
#include "sidecar/source/source.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

struct kube_watch;

/* What all watches of a source share. The source owns it. */
struct kube_session {
    uv_loop_t *loop;
    struct http_client *client;
    const char *server; /* the source's address, for logs */
    struct json *json;
    struct kube_selection selection;
    uint32_t silence_ms; /* a server that has sent nothing for so long is taken for lost */
    uint32_t discovery_ms;
    size_t max_document; /* bytes */
    struct source_events events;
    struct logger *logger;
    struct source *source;
    struct source_shared *shared;
    bool paused;
    bool stopped; /* by finish() or close() of the source: nothing new is begun */

    /* The watch has something to deliver: kube_watch_serve() is to be called, later. */
    void (*ready)(struct kube_watch *watch);

    /* A request for a namespace was answered. uid: that of the namespace; "" if there is no such namespace,
     * or if it may not be read. said: the answer of the API server then. Returns true if the namespace is to
     * be asked for again. */
    bool (*identified)(struct kube_watch *watch, const char *uid, const struct kube_status *said);
};

/* Once the first `documents` documents of the connection are safe, all is safe that had happened up to the
 * version. */
struct kube_position {
    uint64_t documents; /* 0: there is no such position */
    char version[KUBE_VERSION_SIZE];
};

/* How the body of an answer is read. */
enum kube_body {
    KUBE_BODY_UNKNOWN, /* the head of the answer has not come */
    KUBE_BODY_WHOLE,   /* as one text */
    KUBE_BODY_LINES,   /* watch events */
    KUBE_BODY_ITEMS,   /* the items of a list */
};

struct kube_watch {
    struct kube_session *session;
    struct reflector reflector;
    struct http_request *request; /* NULL: none is under way */
    uv_timer_t timer;             /* to the next request, or to the end of patience with this one */
    TAILQ_ENTRY(kube_watch) entry;
    bool is_ready; /* in the source's list; kept by the source */

    enum kube_body body;
    struct input input; /* of the body; not used while that is unknown */
    struct kube_list list;
    struct reflector_answer answer; /* what is known of it so far */
    uint64_t begun_ms,
        active_ms; /* when the request began, and when its last bytes came (uv_now) */

    struct connection connection; /* id 0: there is none */
    uint64_t documents;           /* of the connection */
    uint64_t objects;             /* that the snapshot has shown so far */
    struct kube_position unsafe;  /* the oldest that is not safe yet */
    struct kube_position newest;  /* the newest, if there is one after `unsafe` */
    bool said_absent;             /* that the kind is not installed */
    const char *trouble; /* in a word, why the resource is not watched: "forbidden"; "": it is */
};

TAILQ_HEAD(kube_watch_list, kube_watch);

/* resource: NULL for a watch that only asks for a namespace, whose name is borrowed. */
void kube_watch_init(struct kube_watch *watch, struct kube_session *session,
                     const struct resource *resource, const char *namespace);

/* version: all is safe that had happened up to it; "": no such version is known. */
void kube_watch_begin(struct kube_watch *watch, const char *version);

/* Delivers what has come, up to *work, and takes from *work what that cost. Returns false if there is nothing
 * more for now. */
bool kube_watch_serve(struct kube_watch *watch, unsigned *work);

/* The first `documents` documents of the connection are safe. Returns true and fills *position if that reaches
 * a further position. */
bool kube_watch_acknowledge(struct kube_watch *watch, uint64_t documents,
                            struct kube_position *position);

/* The connection ends, and on a new one all objects are shown once more. If the resource is watched, it is
 * listed, and then watched from where it was, so that no event in between is missed. */
void kube_watch_show_again(struct kube_watch *watch);

/* The connection ends, and a new one begins with all objects. */
void kube_watch_begin_again(struct kube_watch *watch);

/* Gives up the request, and begins no other. */
void kube_watch_stop(struct kube_watch *watch);

/* Says that the connection has ended, if there is one. */
void kube_watch_close_connection(struct kube_watch *watch);

/* After kube_watch_stop(), and after the source has closed the timer. */
void kube_watch_fini(struct kube_watch *watch);

#endif
