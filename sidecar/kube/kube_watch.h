/* kube_watch: one resource of the API server, listed and watched, as a connection of a source.
 *
 * A connection begins with all objects, or where an earlier process has stopped, and lasts over as many
 * requests as follow without a gap. lib/apiserver/reflector decides which these are. */
#ifndef SIDECAR_KUBE_WATCH_H
#define SIDECAR_KUBE_WATCH_H

#include "lib/apiserver/kube_answer.h"
#include "lib/apiserver/kube_list.h"
#include "lib/apiserver/reflector.h"
#include "lib/base/buffer.h"
#include "lib/json/json.h"
#include "sidecar/kube/http_client.h"
#include "sidecar/kube/kube_input.h"
#include "sidecar/source/connection.h"
#include "sidecar/source/source.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

struct kube_watch;

/* What all of them share; the source's. */
struct kube_session {
    uv_loop_t *loop;
    struct http_client *client;
    const char *server; /* where it is, for logs */
    struct json *json;
    struct kube_selection selection;
    uint32_t silence_ms; /* after which a server that says nothing is lost */
    uint32_t discovery_ms;
    size_t max_document;
    struct source_events events;
    struct logger *logger;
    struct source *source;
    struct source_shared *shared;
    bool paused;
    bool stopped; /* by finish() or close() of the source: nothing new is begun */

    /* The watch has something to deliver: kube_watch_serve() is to be called, later. */
    void (*ready)(struct kube_watch *watch);

    /* The answer to a watch of a namespace: its uid; "" if there is none, or it may not be read, with what
     * the API server said to that. True if it is to be asked for again. */
    bool (*identified)(struct kube_watch *watch, const char *uid, const struct kube_status *said);
};

/* Up to a document of the connection, and up to a version, all is taken. */
struct kube_position {
    uint64_t documents; /* 0: there is none */
    char version[KUBE_VERSION_SIZE];
};

struct kube_watch {
    struct kube_session *session;
    struct reflector reflector;
    struct http_request *request; /* NULL: none is under way */
    uv_timer_t timer;             /* to the next request, or to the end of patience with this one */
    TAILQ_ENTRY(kube_watch) entry;
    bool is_ready; /* in the source's list; kept by the source */

    struct kube_input input;
    struct kube_list list;
    struct reflector_answer answer; /* what is known of it so far */
    uint64_t begun_ms, active_ms;   /* by the loop's clock: the request, and its last bytes */

    struct connection connection; /* id 0: there is none */
    uint64_t documents;           /* of it */
    uint64_t objects;             /* that the snapshot has shown so far */
    struct kube_position unsafe;  /* the oldest that is not safe yet */
    struct kube_position newest;  /* behind it */
    bool said_absent;
    const char *trouble; /* in a word, why its resource is not watched: "forbidden"; "": it is */
};

TAILQ_HEAD(kube_watch_list, kube_watch);

/* resource: NULL for one that asks for a namespace, whose name is borrowed. */
void kube_watch_init(struct kube_watch *watch, struct kube_session *session,
                     const struct resource *resource, const char *namespace);

/* version: up to which all is safe; "": none is known. */
void kube_watch_begin(struct kube_watch *watch, const char *version);

/* Delivers; takes from *work what that was. False when there is nothing more for now. */
bool kube_watch_serve(struct kube_watch *watch, unsigned *work);

/* True, and *position, if what is safe of the connection reaches a further position. */
bool kube_watch_acknowledge(struct kube_watch *watch, uint64_t documents,
                            struct kube_position *position);

/* Shows all objects once more, since something about them has become known. What vanished meanwhile is
 * not missed. */
void kube_watch_show_again(struct kube_watch *watch);

/* The connection ends, and a new one begins with all objects. */
void kube_watch_begin_again(struct kube_watch *watch);

/* Ends the request; begins none. */
void kube_watch_stop(struct kube_watch *watch);

/* Says that the connection has ended, if there is one. */
void kube_watch_close_connection(struct kube_watch *watch);

/* After kube_watch_stop(): when its timer is closed by the source. */
void kube_watch_fini(struct kube_watch *watch);

#endif
