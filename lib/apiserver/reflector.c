/* reflector: the rules by which an answer is judged, and the moves that follow from the outcome (see
 * reflector.h). */
#include "lib/apiserver/reflector.h"

#include "lib/rows/row.h"

#include <string.h>

/* A request that failed is made again after a back-off. The back-off stays short while no server answers,
 * and for the first EAGER_FAILURES failures after one answers again (20 to 40 s): an API server that
 * starts refuses requests for some seconds, and it shall be noticed within 5 s that it is ready. A request
 * that is refused for longer is made seldom. */
#define RETRY_FIRST_MS         500
#define RETRY_EAGER_CEILING_MS 4000
#define RETRY_CEILING_MS       30000
#define EAGER_FAILURES         12

/* A delay that the server has named gets this much jitter, so that not all clients come back at the same
 * time. */
#define RETRY_AFTER_JITTER_MS 500

/* A watch that lasted less than this is followed by a back-off, not by the next watch at once. */
#define SHORT_WATCH_MS 1000

/* The server is asked to end a watch after a random time between this and twice this, so that not all
 * watches of all clients end at the same time. */
#define WATCH_TIMEOUT_S 300

/* A longer Retry-After of a server is cut to this: it may be a date, and the clocks of server and client may
 * differ. */
#define RETRY_AFTER_MAX_S 60

#define OF(request) (1U << REFLECTOR_##request)
#define OBJECTS     (OF(SNAPSHOT) | OF(LIST) | OF(WATCH))
#define ANY         (OF(IDENTIFY) | OF(DISCOVER) | OBJECTS | OF(CONFIRM))

struct rule {
    unsigned requests; /* to which the rule applies: bits made by OF() */
    int from, to;      /* HTTP status, both inclusive */
    enum reflector_outcome outcome;
};

/* The rules for an HTTP status that is not 200. The first rule that fits decides; if none fits, the
 * outcome is TROUBLE. */
static const struct rule rules[] = {
    {ANY, 401, 401, REFLECTOR_UNAUTHORIZED},
    {OF(IDENTIFY), 403, 404, REFLECTOR_ANONYMOUS},
    {OF(DISCOVER), 403, 403, REFLECTOR_PROCEED}, /* a LIST may be allowed all the same */
    {OF(CONFIRM), 403, 403, REFLECTOR_GONE},     /* its version stays unknown */
    {ANY, 403, 403, REFLECTOR_FORBIDDEN},
    {ANY, 404, 404, REFLECTOR_ABSENT},
    {OBJECTS, 410, 410, REFLECTOR_GONE},
    {OF(SNAPSHOT), 400, 400, REFLECTOR_NO_SNAPSHOTS}, /* it does not know WatchList */
    {OF(SNAPSHOT), 422, 422, REFLECTOR_NO_SNAPSHOTS},
    {OF(WATCH), 400, 400, REFLECTOR_GONE}, /* it refuses the resourceVersion */
    {OF(WATCH), 422, 422, REFLECTOR_GONE},
    {OF(LIST), 400, 400, REFLECTOR_REFUSED}, /* it refuses the selector */
    {OF(LIST), 422, 422, REFLECTOR_REFUSED},
    {ANY, 429, 429, REFLECTOR_BUSY},
    {ANY, 503, 503, REFLECTOR_BUSY},
};

void reflector_init(struct reflector *reflector, const struct resource *resource,
                    uint32_t discovery_ms)
{
    *reflector = (struct reflector){
        .resource = *resource,
        .request = resource->group[0] != '\0' ? REFLECTOR_DISCOVER : REFLECTOR_SNAPSHOT,
        .discovery_ms = discovery_ms,
        .settled = true,
        .backoff = {.first_ms = RETRY_FIRST_MS},
    };
}

void reflector_init_identify(struct reflector *reflector, const char *namespace)
{
    const struct resource resource = {
        .kind = "Namespace", .group = "", .version = "v1", .name = "namespaces"};
    reflector_init(reflector, &resource, 0);
    reflector->request = REFLECTOR_IDENTIFY;
    reflector->namespace = namespace;
}

static void set_version(struct reflector *reflector, const char *version)
{
    size_t length = strnlen(version, KUBE_VERSION_SIZE - 1);
    memmove(reflector->version, version, length);
    reflector->version[length] = '\0';
}

void reflector_resume(struct reflector *reflector, const char *version)
{
    set_version(reflector, version);
    if (reflector->resource.other_version == NULL)
        reflector->request = REFLECTOR_WATCH;
}

void reflector_show_all(struct reflector *reflector)
{
    reflector->next_page[0] = '\0';
    if (reflector->version[0] != '\0' && reflector->request != REFLECTOR_DISCOVER)
        reflector->request = REFLECTOR_LIST;
    else
        reflector->version[0] = '\0';
}

/* A random number between half of `most` and `most`. */
static uint32_t jittered(uint32_t most, uint32_t random)
{
    uint32_t half = most / 2;
    return half + (uint32_t)((uint64_t)(most - half) * random >> 32);
}

void reflector_path(const struct reflector *reflector, const struct kube_selection *selection,
                    uint32_t random, struct buffer *out)
{
    const struct resource *resource = &reflector->resource;
    const struct kube_selection unlabelled = {selection->namespace, ""};
    uint32_t timeout_s = jittered(2 * WATCH_TIMEOUT_S, random);
    switch (reflector->request) {
    case REFLECTOR_IDENTIFY:
        kube_path_namespace(out, reflector->namespace);
        break;
    case REFLECTOR_DISCOVER:
        kube_path_discovery(out, resource);
        break;
    case REFLECTOR_SNAPSHOT:
        kube_path_snapshot(out, resource, selection, timeout_s);
        break;
    case REFLECTOR_LIST:
        kube_path_list(out, resource, selection, reflector->unpaged ? 0 : KUBE_PAGE_OBJECTS,
                       reflector->next_page);
        break;
    case REFLECTOR_WATCH:
        kube_path_watch(out, resource, selection, reflector->version, timeout_s);
        break;
    case REFLECTOR_CONFIRM:
        /* A list names the newest version, whatever objects are in it. So it is asked for one object at most, and
         * without the label selector, so that the server finds that object at once. */
        kube_path_list(out, resource, &unlabelled, 1, "");
        break;
    }
}

/* A request has succeeded: the back-off begins anew, but not while `settled` is false: after all objects
 * had to be asked for anew, only a watch that lasts ends the back-off. */
static void succeed(struct reflector *reflector)
{
    reflector->starting = false;
    if (reflector->settled)
        backoff_reset(&reflector->backoff);
}

void reflector_marked(struct reflector *reflector, const char *version)
{
    set_version(reflector, version);
    reflector->request = REFLECTOR_WATCH;
    succeed(reflector);
}

/* The objects that a SNAPSHOT shows before its mark are not sorted by version, so only a WATCH counts. */
void reflector_saw(struct reflector *reflector, const char *version)
{
    if (reflector->request == REFLECTOR_WATCH && version[0] != '\0')
        set_version(reflector, version);
}

/* ---- judging ---------------------------------------------------------------------------------- */

static enum reflector_outcome judge_status(const struct reflector *reflector, int status)
{
    enum reflector_request request = reflector->request;
    if (request == REFLECTOR_LIST && status == 400 && reflector->next_page[0] != '\0')
        return REFLECTOR_GONE; /* it does not accept the token of the page */
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        const struct rule *rule = &rules[i];
        if ((rule->requests & 1U << request) != 0 && rule->from <= status && status <= rule->to)
            return rule->outcome;
    }
    return REFLECTOR_TROUBLE;
}

static enum reflector_outcome judge_watch(const struct reflector_answer *answer)
{
    if (answer->silent)
        return REFLECTOR_SILENT;
    if (answer->error_code == 410)
        return REFLECTOR_GONE;
    if (answer->error_code == 429)
        return REFLECTOR_BUSY;
    if (answer->error_code != 0)
        return REFLECTOR_TROUBLE;
    return answer->whole ? REFLECTOR_PROCEED : REFLECTOR_BROKEN;
}

static enum reflector_outcome judge_list(const struct reflector_answer *answer)
{
    const struct kube_list *list = answer->list;
    if (!answer->whole || !list->whole)
        return REFLECTOR_BROKEN;
    if (list->damaged || list->version[0] == '\0')
        return REFLECTOR_TROUBLE;
    return list->next_page[0] != '\0' ? REFLECTOR_PROCEED : REFLECTOR_LISTED;
}

static enum reflector_outcome judge_confirmation(const struct reflector *reflector,
                                                 const struct reflector_answer *answer)
{
    enum reflector_outcome outcome = judge_list(answer);
    if (outcome != REFLECTOR_PROCEED && outcome != REFLECTOR_LISTED)
        return outcome;
    bool reached =
        version_compare(text_from(answer->list->version), text_from(reflector->version)) >= 0;
    return reached ? REFLECTOR_PROCEED : REFLECTOR_GONE;
}

/* Judges the body of an answer whose status is 200. */
static enum reflector_outcome judge_body(const struct reflector *reflector,
                                         const struct reflector_answer *answer)
{
    switch (reflector->request) {
    case REFLECTOR_IDENTIFY:
        return answer->found ? REFLECTOR_IDENTIFIED : REFLECTOR_TROUBLE;
    case REFLECTOR_DISCOVER:
        if (!answer->whole)
            return REFLECTOR_BROKEN;
        return answer->found ? REFLECTOR_PROCEED : REFLECTOR_ABSENT;
    case REFLECTOR_SNAPSHOT:
        return REFLECTOR_BROKEN; /* it ended before its mark, which makes it a WATCH */
    case REFLECTOR_LIST: /* a page that names itself as the next one would be asked for without end */
        return reflector->next_page[0] != '\0' &&
                       strcmp(answer->list->next_page, reflector->next_page) == 0
                   ? REFLECTOR_TROUBLE
                   : judge_list(answer);
    case REFLECTOR_CONFIRM:
        return judge_confirmation(reflector, answer);
    case REFLECTOR_WATCH:
        break;
    }
    return judge_watch(answer);
}

static enum reflector_outcome judge(const struct reflector *reflector,
                                    const struct reflector_answer *answer)
{
    if (answer->status == 0)
        return REFLECTOR_BROKEN;
    if (answer->status != 200)
        return judge_status(reflector, answer->status);
    return answer->is_json ? judge_body(reflector, answer) : REFLECTOR_TROUBLE;
}

/* ---- moving ----------------------------------------------------------------------------------- */

static void begin_listing(struct reflector *reflector)
{
    bool lists = reflector->no_snapshots || reflector->list_once;
    reflector->request = lists ? REFLECTOR_LIST : REFLECTOR_SNAPSHOT;
    reflector->list_once = false;
    reflector->next_page[0] = '\0';
    reflector->version[0] = '\0';
}

void reflector_begin_again(struct reflector *reflector)
{
    begin_listing(reflector);
    backoff_reset(&reflector->backoff);
}

static void move_on_in_list(struct reflector *reflector, const struct kube_list *list)
{
    if (reflector->version[0] == '\0')
        set_version(reflector, list->version); /* all pages show the state as of the first one */
    memcpy(reflector->next_page, list->next_page, sizeof(reflector->next_page));
    succeed(reflector);
}

static uint32_t back_off(struct reflector *reflector, uint32_t random)
{
    bool eager = reflector->away || reflector->backoff.failures < EAGER_FAILURES;
    reflector->backoff.ceiling_ms = eager ? RETRY_EAGER_CEILING_MS : RETRY_CEILING_MS;
    return backoff_next_ms(&reflector->backoff, random);
}

static void proceed(struct reflector *reflector, const struct reflector_answer *answer,
                    uint32_t random, struct reflector_step *step)
{
    if (reflector->request == REFLECTOR_DISCOVER) {
        if (answer->found) /* false where the server forbids to ask: nothing was found then */
            reflector->tried_other = false;
        /* If an earlier process had reached a version, that is watched from. If not, all objects are asked for. */
        step->ends_chain = reflector->version[0] == '\0';
        if (step->ends_chain)
            begin_listing(reflector);
        else
            reflector->request = REFLECTOR_WATCH;
    } else if (reflector->request == REFLECTOR_LIST) {
        move_on_in_list(reflector, answer->list);
    } else if (reflector->request == REFLECTOR_CONFIRM) {
        reflector->request = REFLECTOR_WATCH;
        succeed(reflector);
    } else if (answer->elapsed_ms < SHORT_WATCH_MS) {
        step->delay_ms = back_off(reflector, random);
    }
}

/* All objects are asked for anew, the first time at once. If no watch lasts in between, there is a
 * back-off, so that a server that answers every watch with 410 is not asked for all objects without a
 * pause. */
static void list_anew(struct reflector *reflector, uint32_t random, struct reflector_step *step)
{
    reflector->unpaged = reflector->request == REFLECTOR_LIST;
    reflector->list_once |= reflector->unpaged;
    step->ends_chain = true;
    step->delay_ms = reflector->settled ? 0 : back_off(reflector, random);
    reflector->settled = false;
    begin_listing(reflector);
}

/* Swaps the two versions of the resource, if it has two. True the first time; false the second time, when
 * both versions have been tried. */
static bool turn_to_other_version(struct reflector *reflector)
{
    struct resource *resource = &reflector->resource;
    const char *other = resource->other_version;
    if (other == NULL)
        return false;
    resource->other_version = resource->version;
    resource->version = other;
    reflector->tried_other = !reflector->tried_other;
    return reflector->tried_other;
}

/* An API server that starts answers 404 for custom resources for a while. So a resource that was there a
 * moment ago, and any resource after the server was away, is asked for up to EAGER_FAILURES times before it
 * counts as not installed. */
static bool may_be_starting(struct reflector *reflector)
{
    bool was_there = reflector->version[0] != '\0' && reflector->request != REFLECTOR_DISCOVER;
    if (was_there && !reflector->starting) {
        reflector->starting = true;
        backoff_reset(&reflector->backoff);
    }
    reflector->starting &= reflector->backoff.failures < EAGER_FAILURES;
    return reflector->starting;
}

static void miss(struct reflector *reflector, uint32_t random, struct reflector_step *step)
{
    bool elsewhere = turn_to_other_version(reflector);
    if (!elsewhere && may_be_starting(reflector)) {
        if (reflector->resource.group[0] != '\0')
            reflector->request = REFLECTOR_DISCOVER;
        step->outcome = REFLECTOR_STARTING;
        step->delay_ms = back_off(reflector, random);
        return;
    }
    if (!elsewhere || reflector->request != REFLECTOR_DISCOVER)
        begin_listing(reflector);
    if (reflector->resource.group[0] != '\0')
        reflector->request = REFLECTOR_DISCOVER;
    step->ends_chain = true;
    step->delay_ms =
        elsewhere ? back_off(reflector, random) : jittered(reflector->discovery_ms, random);
    if (elsewhere)
        step->outcome = REFLECTOR_ELSEWHERE;
}

static void wait_as_told(struct reflector *reflector, int64_t retry_after_s, uint32_t random,
                         struct reflector_step *step)
{
    int64_t told_s = retry_after_s < RETRY_AFTER_MAX_S ? retry_after_s : RETRY_AFTER_MAX_S;
    if (told_s > 0)
        step->delay_ms = (uint32_t)told_s * 1000 + jittered(RETRY_AFTER_JITTER_MS, random);
    else
        step->delay_ms = back_off(reflector, random);
}

/* The same request is made again after a back-off. But a SNAPSHOT that had begun and broke off cannot be
 * gone on with: a LIST is made instead, once. */
static void try_again(struct reflector *reflector, const struct reflector_answer *answer,
                      uint32_t random, struct reflector_step *step)
{
    if (reflector->request == REFLECTOR_SNAPSHOT && answer->status == 200) {
        reflector->list_once = true;
        step->ends_chain = true;
        begin_listing(reflector);
    }
    step->delay_ms = back_off(reflector, random);
}

struct reflector_step reflector_answered(struct reflector *reflector,
                                         const struct reflector_answer *answer, uint32_t random)
{
    struct reflector_step step = {.outcome = judge(reflector, answer)};
    bool was_away = reflector->away;
    /* No API server answered: there was no answer at all, or one of a proxy. */
    reflector->away = answer->status == 0 || (answer->status >= 500 && !answer->is_json);
    reflector->starting |= reflector->away || (reflector->request == REFLECTOR_IDENTIFY &&
                                               step.outcome != REFLECTOR_IDENTIFIED);
    if (was_away && !reflector->away)
        backoff_reset(&reflector->backoff);
    if (reflector->request == REFLECTOR_WATCH && answer->status == 200 && answer->is_json &&
        answer->elapsed_ms >= SHORT_WATCH_MS) {
        reflector->settled = true;
        succeed(reflector);
    }
    switch (step.outcome) {
    case REFLECTOR_PROCEED:
        proceed(reflector, answer, random, &step);
        break;
    case REFLECTOR_LISTED:
        move_on_in_list(reflector, answer->list);
        reflector->unpaged = false;
        reflector->request = REFLECTOR_WATCH;
        break;
    case REFLECTOR_IDENTIFIED:
    case REFLECTOR_ELSEWHERE: /* miss() makes this one and the next out of REFLECTOR_ABSENT */
    case REFLECTOR_STARTING:
        break;
    case REFLECTOR_ABSENT:
        miss(reflector, random, &step);
        break;
    case REFLECTOR_SILENT:
        /* If a watch has brought no event at all, the server may be older than the version. */
        if (answer->documents == 0)
            reflector->request = REFLECTOR_CONFIRM;
        break;
    case REFLECTOR_GONE:
        list_anew(reflector, random, &step);
        break;
    case REFLECTOR_NO_SNAPSHOTS:
        reflector->no_snapshots = true;
        step.ends_chain = true;
        begin_listing(reflector);
        break;
    case REFLECTOR_BUSY:
        wait_as_told(reflector, answer->retry_after_s, random, &step);
        break;
    case REFLECTOR_ANONYMOUS:
    case REFLECTOR_FORBIDDEN:
    case REFLECTOR_UNAUTHORIZED:
    case REFLECTOR_REFUSED:
    case REFLECTOR_BROKEN:
    case REFLECTOR_TROUBLE:
        try_again(reflector, answer, random, &step);
        break;
    }
    return step;
}
