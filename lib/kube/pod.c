/* pod: how the owner of a pod is found, and how each column of replica_info is made; pod_convert(), at the
 * end, puts them together. */
#include "lib/kube/pod.h"

/* A remark has at most three texts, each cut to one byte more than its column holds, and some words
 * between them. What is longer than the column is cut, and counted as cut, when the row is made. */
#define REMARK_LIMIT (4 * (size_t)TEXT_MAX_BYTES)

const char *const pod_paths[] = {
    "metadata creationTimestamp",
    "metadata ownerReferences controller",
    "metadata ownerReferences apiVersion",
    "metadata ownerReferences kind",
    "metadata ownerReferences uid",
    "spec containers name",
    "spec containers image",
    "status phase",
    "status reason",
    "status message",
    "status hostIP",
    "status podIP",
    "status containerStatuses name",
    "status containerStatuses state running startedAt",
    "status containerStatuses state terminated startedAt",
    "status containerStatuses state terminated finishedAt",
    "status containerStatuses state terminated exitCode",
    "status containerStatuses state terminated reason",
    "status containerStatuses state terminated message",
    "status initContainerStatuses name",
    "status initContainerStatuses state terminated exitCode",
    "status initContainerStatuses state terminated reason",
    "status initContainerStatuses state terminated message",
    NULL,
};

static const json_value *find_controller(struct object *object)
{
    const json_value *owners = object_list(object, object->metadata, "ownerReferences");
    for (const json_value *owner = json_first(owners); owner != NULL; owner = json_next(owner)) {
        if (json_type(json_member(owner, "controller")) == JSON_TRUE)
            return owner;
    }
    return NULL;
}

/* The kind of job that controls the pod. KubeDL compares only the name of the kind; so do we where the API
 * group is not known. */
static const struct resource *find_job_kind(struct object *object, const json_value *controller)
{
    struct text api_version = object_text(object, controller, "apiVersion");
    struct text name = object_text(object, controller, "kind");
    const struct resource *resource = resource_find(api_version, name);
    bool is_job = resource != NULL && resource->table == &table_job;
    return is_job ? resource : resource_find_job(name);
}

/* True if the pod has both labels of the convention. *owner gets the replica type if the pod has one. */
static bool find_labels(struct object *object, const struct convention *convention,
                        struct pod_owner *owner)
{
    const json_value *labels = object_child(object, object->metadata, "labels");
    struct text job, replica_type;
    bool has_job = object_find_text(object, labels, convention->job_label, &job);
    bool has_type =
        object_find_text(object, labels, convention->replica_type_label, &replica_type) ||
        (convention->role_label != NULL &&
         object_find_text(object, labels, convention->role_label, &replica_type));
    if (has_type) {
        owner->replica_type = replica_type;
        owner->has_replica_type = true;
    }
    return has_job && has_type;
}

void pod_find_owner(struct object *object, struct pod_owner *owner)
{
    const json_value *controller = find_controller(object);
    *owner = (struct pod_owner){.job_uid = TEXT(""), .replica_type = TEXT("")};
    owner->job = find_job_kind(object, controller);
    if (controller != NULL && owner->job == NULL) {
        owner->claim = POD_FOREIGN;
        return;
    }
    /* The labels of a pod that nothing controls may be those of any convention. */
    bool has_labels = owner->job != NULL && find_labels(object, owner->job->convention, owner);
    for (size_t i = 0; owner->job == NULL && conventions[i] != NULL && !has_labels; i++)
        has_labels = find_labels(object, conventions[i], owner);
    struct text uid = object_text(object, controller, "uid");
    if (object_is_uid(uid))
        owner->job_uid = uid;
    if (has_labels && controller == NULL)
        owner->claim = POD_ORPHAN;
    else
        owner->claim = has_labels && owner->job_uid.length > 0 ? POD_OURS : POD_UNKNOWN;
}

void pod_converter_init(struct pod_converter *converter, struct text region, struct text cluster_id)
{
    converter->region = region;
    converter->cluster_id = cluster_id;
    buffer_init(&converter->json, REQUIREMENTS_BUFFER_LIMIT);
    buffer_init(&converter->remark, REMARK_LIMIT);
}

void pod_converter_fini(struct pod_converter *converter)
{
    buffer_fini(&converter->json);
    buffer_fini(&converter->remark);
}

/* The container, or container status, that stands for the pod: the one that has the name which the job's
 * operator gives to the container that does the work; the first one if none has it. */
static const json_value *find_main(struct object *object, const json_value *list,
                                   const struct resource *job)
{
    const json_value *first = json_first(list);
    if (first == NULL || job == NULL)
        return first;
    for (const json_value *c = json_next(first); c != NULL; c = json_next(c)) {
        if (text_is(object_text(object, c, "name"), job->default_container))
            return c;
    }
    return first;
}

struct pod_state {
    const json_value *status;     /* of the pod; NULL if there is none */
    const json_value *containers; /* status.containerStatuses; NULL if there are none */
    const json_value *running; /* the main container's state; at most one of the two is not NULL */
    const json_value *terminated;
    struct text phase;
    bool knows_phase; /* false: status.phase is absent */
};

/* A pod whose containers have no status, since they have not started or the pod was evicted, keeps its phase
 * (difference 7: KubeDL writes Unknown). */
static struct pod_state find_state(struct object *object, const struct pod_owner *owner)
{
    struct pod_state state = {.status = object_child(object, object->root, "status")};
    state.containers = object_list(object, state.status, "containerStatuses");
    state.knows_phase = object_find_text(object, state.status, "phase", &state.phase);
    const json_value *container = find_main(object, state.containers, owner->job);
    if (state.phase.length == 0 && container == NULL)
        state.phase = TEXT("Unknown");
    const json_value *of_container = object_child(object, container, "state");
    state.running = object_child(object, of_container, "running");
    state.terminated = object_child(object, of_container, "terminated");
    return state;
}

static struct cell start_time(struct object *object, const struct pod_state *state,
                              struct cell creation)
{
    struct cell started = cell_null();
    if (text_is(state->phase, "Running"))
        started = cell_or(object_time(object, state->running, "startedAt"), creation);
    else if (table_status_is_final(state->phase))
        started = cell_or(object_time(object, state->terminated, "startedAt"), creation);
    return started;
}

/* The newest end of a container. A NULL cell if none has ended, or if one still runs: then the pod has not
 * ended, whatever its phase is. */
static struct cell last_finish(struct object *object, const json_value *containers)
{
    struct cell last = cell_null();
    for (const json_value *c = json_first(containers); c != NULL; c = json_next(c)) {
        const json_value *state = object_child(object, c, "state");
        const json_value *terminated = object_child(object, state, "terminated");
        if (object_child(object, state, "running") != NULL)
            return cell_null();
        last = object_later(last, object_time(object, terminated, "finishedAt"));
    }
    return last;
}

/* A pod whose phase is final ended when its main container did. If that time is missing, if a container
 * still runs, or if the pod was stopped, object_stopped() gives the end (difference 3: KubeDL takes the
 * time when it noticed). A pod that is not gone has no end before its phase is final. */
static struct cell finish_time(struct object *object, const struct pod_state *state)
{
    bool ended = table_status_is_final(state->phase);
    if (!ended && !object->gone)
        return cell_null();
    struct cell last = last_finish(object, state->containers);
    struct cell finished = object_time(object, state->terminated, "finishedAt");
    if (ended && last.type != CELL_NULL && finished.type != CELL_NULL)
        return finished;
    return object_stopped(object, last);
}

/* Appends the value behind its name: at most one byte more of it than the column holds. */
static void append_line(struct buffer *out, const char *name, struct text value)
{
    if (value.length > TEXT_MAX_BYTES + 1)
        value.length = TEXT_MAX_BYTES + 1;
    buffer_append_string(out, name);
    buffer_append(out, value);
}

/* The first container of the list that failed; NULL if none did. */
static const json_value *find_failed(struct object *object, const json_value *containers)
{
    for (const json_value *c = json_first(containers); c != NULL; c = json_next(c)) {
        const json_value *state = object_child(object, c, "state");
        const json_value *terminated = object_child(object, state, "terminated");
        if (object_integer(object, terminated, "exitCode") != 0)
            return c;
    }
    return NULL;
}

/* Why the pod failed, in the three lines that KubeDL writes. They are taken from the main container. If
 * that has not terminated (difference 7), they are taken from the init container or sidecar that failed,
 * whose name then stands before its message. If none failed, they are taken from the pod's status, which
 * has no exit code. If that has neither reason nor message, there is no remark. */
static struct cell build_remark(struct pod_converter *converter, struct object *object,
                                const struct pod_state *state)
{
    struct buffer *out = &converter->remark;
    buffer_reset(out);
    if (!text_is(state->phase, "Failed"))
        return cell_null();

    const json_value *terminated = state->terminated;
    struct text name = TEXT("");
    if (terminated == NULL) {
        const json_value *failed =
            find_failed(object, object_list(object, state->status, "initContainerStatuses"));
        if (failed == NULL)
            failed = find_failed(object, state->containers);
        name = object_text(object, failed, "name");
        terminated = object_child(object, object_child(object, failed, "state"), "terminated");
    }
    const json_value *from = terminated != NULL ? terminated : state->status;
    struct text reason = object_text(object, from, "reason");
    struct text message = object_text(object, from, "message");
    if (terminated == NULL && reason.length == 0 && message.length == 0)
        return cell_null();
    append_line(out, "Reason: ", reason);
    buffer_append_string(out, "\nExitCode: ");
    if (terminated != NULL)
        buffer_appendf(out, "%lld", (long long)object_integer(object, from, "exitCode"));
    append_line(out, "\nMessage: ", name);
    append_line(out, name.length > 0 && message.length > 0 ? ": " : "", message);
    return cell_text(buffer_text(out));
}

/* The image of the container that stands for the pod. Without an owner it is not known which of several
 * containers that is: a NULL cell. */
static struct cell find_image(struct object *object, const struct pod_owner *owner,
                              const json_value *spec)
{
    const json_value *containers = object_list(object, spec, "containers");
    const json_value *first = json_first(containers);
    if (owner->job == NULL && (first == NULL || json_next(first) != NULL))
        return cell_null();
    return cell_text(object_text(object, find_main(object, containers, owner->job), "image"));
}

static struct text build_resources(struct pod_converter *converter, struct object *object,
                                   const json_value *spec, bool is_update)
{
    struct json_writer writer = json_writer(&converter->json);
    buffer_reset(&converter->json);
    if (spec != NULL || !is_update)
        requirements_write(&converter->requirements, object, spec, &writer);
    return buffer_text(&converter->json);
}

/* In an update a NULL cell leaves its column as it is. */
static struct cell text_if_known(struct text text, bool is_update)
{
    return is_update ? object_text_or_null(text) : cell_text(text);
}

enum error_code pod_convert(struct pod_converter *converter, struct object *object,
                            const struct pod_owner *owner, struct row **row, struct error *err)
{
    const json_value *spec = object_child(object, object->root, "spec");
    bool is_update = owner->claim != POD_OURS;
    struct pod_state state = find_state(object, owner);
    struct cell remark = build_remark(converter, object, &state);
    struct text resources = build_resources(converter, object, spec, is_update);
    if (converter->json.failed || converter->remark.failed)
        return error_set(err, ERROR_NOMEM, "no memory for a pod's resources or remark");

    bool stopped = object->gone && !table_status_is_final(state.phase);
    struct cell creation = object_time(object, object->metadata, "creationTimestamp");
    struct cell created = is_update ? creation : cell_or(creation, cell_time(object->received_us));
    struct cell started = start_time(object, &state, creation);
    const struct cell cells[POD_COLUMN_COUNT] = {
        [POD_NAME] = text_if_known(object->name, is_update),
        [POD_NAMESPACE] = text_if_known(object->namespace, is_update),
        [POD_UID] = cell_text(object->uid),
        [POD_VERSION] = cell_text(object->version),
        [POD_STATUS] = cell_text(stopped ? TEXT(STATUS_STOPPED) : state.phase),
        [POD_IMAGE] = find_image(object, owner, spec),
        [POD_JOB_UID] = object_text_or_null(owner->job_uid),
        [POD_REPLICA_TYPE] = owner->has_replica_type ? cell_text(owner->replica_type) : cell_null(),
        [POD_RESOURCES] = text_if_known(resources, is_update),
        [POD_HOST_IP] = object_text_or_null(object_text(object, state.status, "hostIP")),
        [POD_POD_IP] = object_text_or_null(object_text(object, state.status, "podIP")),
        [POD_REGION] = object_text_or_null(converter->region),
        [POD_DELETED] = cell_int(object->gone ? 1 : 0),
        [POD_IN_ETCD] = cell_int(object->gone ? 0 : 1),
        [POD_REMARK] = remark,
        [POD_CREATED] = created,
        [POD_MODIFIED] = cell_time(object->received_us),
        [POD_STARTED] = object->gone ? cell_or(started, created) : started,
        [POD_FINISHED] = finish_time(object, &state),
        [POD_CLUSTER] = object_text_or_null(converter->cluster_id),
        /* A pod whose phase is not even known gives a tombstone, which leaves a final status as it is. */
        [POD_STATED] = is_update && !state.knows_phase ? cell_text(TEXT("")) : cell_null(),
    };
    return row_new(&table_pod, is_update ? ROW_UPDATE : ROW_UPSERT, cells, object->received_us, row,
                   err);
}
