/* job: how each column of job_info is made; job_convert(), at the end, puts them together. */
#include "lib/kube/job.h"

#include "lib/kube/tenancy.h"

#define TENSORBOARD_ANNOTATION "kubedl.io/tensorboard-config"

const char *const job_paths[] = {
    "metadata creationTimestamp",
    "metadata annotations " TENANCY_ANNOTATION,
    "metadata annotations " TENSORBOARD_ANNOTATION,
    "status conditions type",
    "status conditions status",
    "status conditions reason",
    "status conditions lastTransitionTime",
    "status completionTime",
    NULL,
};

const char *const replica_paths[] = {"replicas", NULL};

void job_converter_init(struct job_converter *converter, struct text region, struct text cluster_id)
{
    converter->region = region;
    converter->cluster_id = cluster_id;
    converter->annotation = json_new();
    buffer_init(&converter->json, REQUIREMENTS_BUFFER_LIMIT);
}

void job_converter_fini(struct job_converter *converter)
{
    json_free(converter->annotation);
    buffer_fini(&converter->json);
}

/* Writes {"Worker":{"resources":{...},"replicas":3},...}, made from the replica specs. A replica spec
 * that is null counts as an empty one (difference 10: KubeDL panics). */
static enum error_code build_resources(struct job_converter *converter, struct object *object,
                                       const struct resource *resource, struct error *err)
{
    struct json_writer writer = json_writer(&converter->json);
    struct members *specs = &converter->replica_specs;
    const json_value *job_spec = object_child(object, object->root, "spec");
    buffer_reset(&converter->json);
    members_reset(specs);
    members_add(specs, object_child(object, job_spec, resource->replica_specs), 0);
    members_sort(specs);
    object->bad_fields += (uint32_t)specs->left_out;

    json_begin_object(&writer, NULL);
    for (size_t i = 0; i < specs->count && !requirements_overflow(writer.out); i++) {
        const json_value *spec = specs->items[i].value;
        const json_value *template = object_child(object, spec, "template");
        requirements_write_name(&writer, specs->items[i].key);
        json_begin_object(&writer, NULL);
        json_write_name(&writer, TEXT("resources"));
        requirements_write(&converter->requirements, object, object_child(object, template, "spec"),
                           &writer);
        json_write_integer(&writer, "replicas", object_integer(object, spec, "replicas"));
        json_end(&writer);
    }
    json_end(&writer);
    return converter->json.failed ? error_set(err, ERROR_NOMEM, "no memory for a job's resources")
                                  : ERROR_NONE;
}

static enum error_code find_tenancy(struct job_converter *converter, struct object *object,
                                    const json_value *annotations, struct tenancy *tenancy,
                                    struct error *err)
{
    struct text annotation;
    *tenancy = (struct tenancy){TEXT(""), TEXT(""), TEXT("")};
    if (!object_find_text(object, annotations, TENANCY_ANNOTATION, &annotation))
        return ERROR_NONE;
    enum error_code code = tenancy_read(converter->annotation, annotation, tenancy);
    if (code == ERROR_NOMEM)
        return error_set(err, code, "no memory for a tenancy annotation");
    if (code != ERROR_NONE)
        object_refuse(object, TENANCY_ANNOTATION);
    return ERROR_NONE;
}

struct progress {
    struct text status;  /* the type of the last condition that counts */
    struct cell running; /* the first transition to Running; a NULL cell if there is none */
    struct cell ended;   /* the transition to `status`, if that is final; else a NULL cell */
};

/* True if the condition does not hold any more. A condition of KubeDL's jobs counts whatever its own
 * status is. Where jobs can be suspended, a condition that is False is over: a job that was resumed has
 * the condition Suspended with the status False. */
static bool is_over(struct object *object, const json_value *condition,
                    const struct resource *resource)
{
    return resource->convention->suspends &&
           text_is(object_text(object, condition, "status"), "False");
}

/* True if the condition Running tells of a start. It does not if it is False because the job was suspended
 * (reason "TFJobSuspended"): then its transition is that of the suspension. */
static bool is_start(struct object *object, const json_value *condition,
                     const struct resource *resource)
{
    return !is_over(object, condition, resource) ||
           !text_ends_in(object_text(object, condition, "reason"), TEXT("Suspended"));
}

/* KubeDL's console does not know the status Suspended. Such a job waits until it may run, as a queued job
 * does, and so it is shown as Queuing. */
static struct text console_word(struct text type, const struct resource *resource)
{
    return resource->convention->suspends && text_is(type, "Suspended") ? TEXT("Queuing") : type;
}

static struct progress find_progress(struct object *object, const struct resource *resource,
                                     const json_value *status)
{
    struct progress progress = {.status = TEXT("Created")};
    bool has_run = false;
    const json_value *conditions = object_list(object, status, "conditions");
    for (const json_value *c = json_first(conditions); c != NULL; c = json_next(c)) {
        struct text type = object_text(object, c, "type");
        if (!has_run && text_is(type, "Running") && is_start(object, c, resource)) {
            progress.running = object_time(object, c, "lastTransitionTime");
            has_run = true;
        }
        if (!is_over(object, c, resource)) {
            progress.status = console_word(type, resource);
            progress.ended = table_status_is_final(type)
                                 ? object_time(object, c, "lastTransitionTime")
                                 : cell_null();
        }
    }
    return progress;
}

/* A job that ended by itself ended at its completionTime. Failed jobs often have none: they ended at the
 * transition to their final condition. A transition to any other condition is no end. A job that is gone
 * without having ended by itself was stopped (differences 2 and 3: KubeDL takes the time when it noticed,
 * or none). */
static struct cell finish_time(struct object *object, const json_value *status,
                               const struct progress *progress)
{
    struct cell completion = object_time(object, status, "completionTime");
    if (completion.type == CELL_NULL)
        completion = progress->ended;
    if (!object->gone || (table_status_is_final(progress->status) && completion.type != CELL_NULL))
        return completion;
    return object_stopped(object, completion);
}

enum error_code job_convert(struct job_converter *converter, struct object *object,
                            const struct resource *resource, struct row **row, struct error *err)
{
    const json_value *status = object_child(object, object->root, "status");
    const json_value *annotations = object_child(object, object->metadata, "annotations");
    struct text tensorboard;
    struct tenancy tenancy;
    enum error_code code = find_tenancy(converter, object, annotations, &tenancy, err);
    if (code == ERROR_NONE)
        code = build_resources(converter, object, resource, err);
    if (code != ERROR_NONE)
        return code;

    struct progress progress = find_progress(object, resource, status);
    bool stopped = object->gone && !table_status_is_final(progress.status);
    struct text region = converter->region.length > 0 ? converter->region : tenancy.region;
    bool has_tensorboard =
        object_find_text(object, annotations, TENSORBOARD_ANNOTATION, &tensorboard);
    struct cell created = object_time(object, object->metadata, "creationTimestamp");
    const struct cell cells[JOB_COLUMN_COUNT] = {
        [JOB_NAME] = cell_text(object->name),
        [JOB_NAMESPACE] = cell_text(object->namespace),
        [JOB_UID] = cell_text(object->uid),
        [JOB_VERSION] = cell_text(object->version),
        [JOB_STATUS] = cell_text(stopped ? TEXT(STATUS_STOPPED) : progress.status),
        [JOB_KIND] = cell_text(text_from(resource->kind)),
        [JOB_RESOURCES] = cell_text(buffer_text(&converter->json)),
        [JOB_REGION] = object_text_or_null(region),
        [JOB_TENANT] = cell_text(tenancy.tenant),
        [JOB_OWNER] = cell_text(tenancy.owner),
        [JOB_DELETED] = cell_int(object->gone ? 1 : 0),
        [JOB_IN_ETCD] = cell_int(object->gone ? 0 : 1),
        [JOB_REMARK] = has_tensorboard ? cell_text(TEXT("EnableTensorBoard")) : cell_null(),
        [JOB_CREATED] = cell_or(created, cell_time(object->received_us)),
        [JOB_MODIFIED] = cell_time(object->received_us),
        [JOB_RUNNING] = progress.running,
        [JOB_FINISHED] = finish_time(object, status, &progress),
        [JOB_CLUSTER] = object_text_or_null(converter->cluster_id),
        [JOB_GROUP] = cell_text(text_from(resource->group)),
    };
    return row_new(&table_job, ROW_UPSERT, cells, object->received_us, row, err);
}
