/* reflector: which requests keep up with one resource of an API server, and what follows from each answer.
 *
 *   DISCOVER ──▶ SNAPSHOT ──mark──▶ WATCH ──ended──▶ WATCH ...      from the version that was seen last
 *      ▲            │ server lacks it, or broken off   │
 *      │            ▼                                  │ 410: gone
 *      │           LIST, page by page ──────▶ WATCH    ▼
 *      └── 404: not installed                       SNAPSHOT or LIST again, at once
 *
 *   WATCH ──nothing comes──▶ CONFIRM ──▶ WATCH        from the same version, if the server has reached it;
 *                                                     else all objects again
 *
 * A SNAPSHOT is Kubernetes' WatchList: a watch that begins with all objects, then a mark. A server that
 * does not know WatchList is asked for a LIST. CONFIRM asks which version the server has reached: after
 * the server was restored from a backup, a watch from a version that is still to come is as silent as a
 * watch of objects that do not change.
 *
 * Failure modes: a table of rules in reflector.c says what each status means. Whatever is not in it is
 * tried again after a back-off, which begins anew with the first answer after the server was away.
 *
 * The caller (sidecar/kube/kube_watch) makes one request at a time on the loop's thread: it takes the path
 * from reflector_path(), tells what comes to reflector_saw() and reflector_marked(), and gives the end of
 * the answer to reflector_answered(), which says how long to wait before the next request. Nothing here
 * fails. */
#ifndef LIB_REFLECTOR_H
#define LIB_REFLECTOR_H

#include "lib/apiserver/kube_list.h"
#include "lib/apiserver/kube_path.h"
#include "lib/base/backoff.h"
#include "lib/base/buffer.h"

#include <stdbool.h>
#include <stdint.h>

enum reflector_request {
    REFLECTOR_IDENTIFY, /* reads a namespace; the only request of its reflector */
    REFLECTOR_DISCOVER,
    REFLECTOR_SNAPSHOT,
    REFLECTOR_LIST,
    REFLECTOR_WATCH,
    REFLECTOR_CONFIRM,
};

struct reflector {
    struct resource resource; /* a copy from the table, but with the version that is asked for */
    const char *namespace; /* the namespace that an IDENTIFY reads; NULL for all others; borrowed */
    enum reflector_request request; /* the request that comes next, or is under way */
    char version
        [KUBE_VERSION_SIZE]; /* the version that was seen last, from which a WATCH continues */
    char next_page
        [KUBE_TOKEN_SIZE]; /* the token for the next page of a LIST; "" for the first page */
    bool unpaged;          /* a LIST is made without pages, since the token of a page had expired */
    bool no_snapshots;     /* the server does not know WatchList */
    bool tried_other;      /* other_version is asked for, since the first one was missing */
    bool list_once;        /* a LIST is made in place of the next SNAPSHOT */
    bool away;             /* the last request was not answered by an API server */
    bool settled;          /* a watch has lasted since all objects were asked for anew */

    /* The server may be starting: it was away, did not tell its identity, or lost a resource, and has shown no
     * objects since. The caller may set it, too. */
    bool starting;

    uint32_t discovery_ms; /* milliseconds until a missing resource is looked for again */
    struct backoff backoff;
};

/* How a request has ended. */
struct reflector_answer {
    int status;            /* the status of HTTP; 0: there was no answer */
    bool is_json;          /* the content type is JSON */
    bool whole;            /* the answer did not break off */
    bool silent;           /* the caller gave the request up, since nothing came for too long */
    bool found;            /* the body has what an IDENTIFY or DISCOVER asked for */
    int64_t error_code;    /* the code of an ERROR event; 0: there was none */
    uint64_t documents;    /* how many lines or items have come */
    uint32_t elapsed_ms;   /* milliseconds from the request to the end of the answer */
    int64_t retry_after_s; /* the header Retry-After, in seconds; 0: there was none */
    const struct kube_list *list; /* the metadata that a LIST or CONFIRM has brought; borrowed */
};

enum reflector_outcome {
    REFLECTOR_PROCEED,    /* all is well, and the next request follows */
    REFLECTOR_LISTED,     /* the last page of a LIST has come; the caller makes a mark */
    REFLECTOR_IDENTIFIED, /* IDENTIFY has brought the uid; there is no next request */
    REFLECTOR_ANONYMOUS,  /* IDENTIFY was refused; it is tried again, and all else goes on */
    REFLECTOR_ABSENT,     /* the resource is not installed */
    REFLECTOR_STARTING, /* the resource was not found; it is tried again soon, as the server may be starting */
    REFLECTOR_ELSEWHERE, /* the resource is not installed in this version; the other version is tried */
    REFLECTOR_FORBIDDEN,    /* an RBAC rule is missing */
    REFLECTOR_UNAUTHORIZED, /* the token is not accepted */
    REFLECTOR_REFUSED,      /* the server does not accept the selector of a LIST */
    REFLECTOR_SILENT,       /* nothing has come in a WATCH for too long */
    REFLECTOR_GONE, /* the server cannot continue from the version; all objects are asked for anew */
    REFLECTOR_NO_SNAPSHOTS, /* the server does not know WatchList; a LIST is made instead */
    REFLECTOR_BUSY,         /* the server asks to come back later */
    REFLECTOR_BROKEN,       /* there was no answer, or it broke off */
    REFLECTOR_TROUBLE,      /* the answer is none of the above */
};

struct reflector_step {
    enum reflector_outcome outcome;
    uint32_t delay_ms; /* milliseconds before the next request */
    bool ends_chain;   /* the next request does not continue from where this one ended */
};

/* resource: an element of the resource table; it is copied. discovery_ms: as in struct reflector. */
void reflector_init(struct reflector *reflector, const struct resource *resource,
                    uint32_t discovery_ms);

/* A reflector that only reads a namespace: the uid of "kube-system" names the cluster. namespace is borrowed
 * for the reflector's life. */
void reflector_init_identify(struct reflector *reflector, const char *namespace);

/* Has the reflector watch from this version, since an earlier process has recorded everything up to it.
 * Where the resource may be served in another API version, DISCOVER comes first. */
void reflector_resume(struct reflector *reflector, const char *version);

/* Has all objects shown once more; the caller gives up the request under way. If the reflector was
 * watching, it makes a LIST, and then watches from the version that it had reached before, so that no event
 * is missed in between. If it had not shown all objects yet, it begins anew. */
void reflector_show_all(struct reflector *reflector);

/* Appends the path of the next request to out. random: a uniformly distributed number for the jitter, here
 * and in reflector_answered(). */
void reflector_path(const struct reflector *reflector, const struct kube_selection *selection,
                    uint32_t random, struct buffer *out);

/* To be called when the mark of a SNAPSHOT comes: from then on its request is a WATCH. */
void reflector_marked(struct reflector *reflector, const char *version);

/* Has all objects asked for anew; the caller gives up the request under way. */
void reflector_begin_again(struct reflector *reflector);

/* To be called when an event with this resourceVersion was taken over. version: "" if the event has none. */
void reflector_saw(struct reflector *reflector, const char *version);

/* To be called when the answer to the request has ended. Decides which request is next, and when. */
struct reflector_step reflector_answered(struct reflector *reflector,
                                         const struct reflector_answer *answer, uint32_t random);

#endif
