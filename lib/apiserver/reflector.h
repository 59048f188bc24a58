/* reflector: which request keeps up with a resource, and what follows from its answer.
 *
 *   DISCOVER ──▶ SNAPSHOT ──mark──▶ WATCH ──ended──▶ WATCH ...      from the version that was seen last
 *      ▲            │ not known, or broken off         │
 *      │            ▼                                  │ 410: gone
 *      │           LIST, page by page ──────▶ WATCH    ▼
 *      └── 404: not installed                       SNAPSHOT or LIST again, at once
 *
 *   WATCH ──nothing comes──▶ CONFIRM ──▶ WATCH        from the same version, if the server has reached it;
 *                                                     else all objects again
 *
 * A SNAPSHOT is Kubernetes' WatchList: a watch that begins with all objects and then a mark. Servers that
 * do not know it are asked for a LIST. CONFIRM asks which version the server has reached: a watch from one
 * that is still to come, as after the server was set back, is as silent as one of objects that do not
 * change. Requests are made one at a time. What a server or a proxy may
 * answer is a table of rules; whatever is not in it is tried again after a back-off, which begins anew with
 * the first answer after the server was away.
 *
 * Pure: it says which path is next and, when the answer has ended, how long to wait. */
#ifndef LIB_REFLECTOR_H
#define LIB_REFLECTOR_H

#include "lib/apiserver/kube_list.h"
#include "lib/apiserver/kube_path.h"
#include "lib/base/backoff.h"
#include "lib/base/buffer.h"

#include <stdbool.h>
#include <stdint.h>

enum reflector_request {
    REFLECTOR_IDENTIFY, /* a namespace; the only request of such a reflector */
    REFLECTOR_DISCOVER,
    REFLECTOR_SNAPSHOT,
    REFLECTOR_LIST,
    REFLECTOR_WATCH,
    REFLECTOR_CONFIRM,
};

struct reflector {
    struct resource resource; /* a copy from the table, but with the version that is asked for */
    const char *namespace;    /* IDENTIFY: this one */
    enum reflector_request request;  /* the next one, or that which is under way */
    char version[KUBE_VERSION_SIZE]; /* seen last: a WATCH goes on from here */
    char next_page[KUBE_TOKEN_SIZE]; /* of a LIST; "" at its beginning */
    bool unpaged;      /* LIST: the pages have taken longer than the server keeps them */
    bool no_snapshots; /* the server does not know them */
    bool tried_other;  /* the other version of the resource, since this one is not installed */
    bool list_once;    /* a SNAPSHOT has broken off */
    bool away;         /* the last request was not answered by an API server */
    bool starting; /* it may be: it was away, did not say who it is, or lost what it had, and has
                            * not shown objects since; may be set for what another reflector knows */
    bool settled;  /* a watch has lasted since all objects had to be asked for anew */
    uint32_t discovery_ms; /* what is not installed is looked for again after this */
    struct backoff backoff;
};

/* How a request has ended. */
struct reflector_answer {
    int status;         /* HTTP; 0: there was no answer */
    bool is_json;       /* its content type */
    bool whole;         /* it has ended as HTTP lets an answer end */
    bool silent;        /* given up by us: nothing came for too long */
    bool found;         /* IDENTIFY, DISCOVER: the body has what was asked for */
    int64_t error_code; /* of an ERROR event; 0: there was none */
    uint64_t documents; /* lines or items that it has brought */
    uint32_t elapsed_ms;
    int64_t retry_after_s;        /* 0: not said */
    const struct kube_list *list; /* LIST, CONFIRM */
};

enum reflector_outcome {
    REFLECTOR_PROCEED,    /* all is well: the next request */
    REFLECTOR_LISTED,     /* LIST: this was the last page; a mark follows */
    REFLECTOR_IDENTIFIED, /* there is no next request */
    REFLECTOR_ANONYMOUS,  /* IDENTIFY was refused: asked for again, all else goes on meanwhile */
    REFLECTOR_ABSENT,     /* not installed */
    REFLECTOR_STARTING, /* not found, by a server that may just be starting: asked for again soon */
    REFLECTOR_ELSEWHERE,    /* not installed in this version: the other one is asked for */
    REFLECTOR_FORBIDDEN,    /* an RBAC rule is missing */
    REFLECTOR_UNAUTHORIZED, /* the token is not accepted */
    REFLECTOR_REFUSED,      /* LIST: the server does not take what is selected */
    REFLECTOR_SILENT,       /* WATCH: nothing has come for too long */
    REFLECTOR_GONE,         /* what has happened since is no longer known: all objects again */
    REFLECTOR_NO_SNAPSHOTS, /* the server does not know them: a list instead */
    REFLECTOR_BUSY,         /* the server wants to be asked later */
    REFLECTOR_BROKEN,       /* no answer, or one that broke off */
    REFLECTOR_TROUBLE,      /* an answer that is none of these */
};

struct reflector_step {
    enum reflector_outcome outcome;
    uint32_t delay_ms; /* before the next request */
    bool ends_chain;   /* what follows does not go on where this has ended */
};

void reflector_init(struct reflector *reflector, const struct resource *resource,
                    uint32_t discovery_ms);

/* One that asks for a namespace: "kube-system" names the cluster. Borrowed. */
void reflector_init_identify(struct reflector *reflector, const char *namespace);

/* All up to this version is safe since an earlier process: it goes on from there. Where the resource may be
 * served in another version, that is found out first. */
void reflector_resume(struct reflector *reflector, const char *version);

/* All objects are to be shown once more. True if they are listed as part of what has gone on until now,
 * whose watch then goes on from its version, so that nothing is missed in between; false if nothing has
 * been shown to its end: it begins anew. The request under way is given up by the caller. */
bool reflector_show_all(struct reflector *reflector);

/* random: for jitter, here and below. */
void reflector_path(const struct reflector *reflector, const struct kube_selection *selection,
                    uint32_t random, struct buffer *out);

/* The mark of a SNAPSHOT has come: it is a WATCH from now on. */
void reflector_marked(struct reflector *reflector, const char *version);

/* All objects are to be asked for again, whatever is under way. */
void reflector_begin_again(struct reflector *reflector);

/* An event of this version was taken; "" for one that has none. */
void reflector_saw(struct reflector *reflector, const char *version);

/* The request has ended: decides on the next one. */
struct reflector_step reflector_answered(struct reflector *reflector,
                                         const struct reflector_answer *answer, uint32_t random);

#endif
