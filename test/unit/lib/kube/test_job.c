/* Jobs: the columns of job_info, the kinds, deletion, tenancy, times. */
#include "test/support/decoding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CREATION "'creationTimestamp':'2026-01-01T00:00:00Z'"

/* An event of a TFJob, up to the end of its metadata: type, further metadata. */
#define EVENT                                                                                      \
    "{'type':'%s','object':{'apiVersion':'training.kubedl.io/v1alpha1','kind':'TFJob',"            \
    "'metadata':{'name':'j','namespace':'ns','uid':'u-1','resourceVersion':'7'%s}"

/* metadata and rest begin with a comma, or are empty. */
static void decode_job(struct decoding *d, const char *type, const char *metadata, const char *rest)
{
    decode(d, EVENT "%s}}", type, metadata, rest);
}

static void decode_spec(struct decoding *d, const char *replica_specs)
{
    decode(d, EVENT ",'spec':{'tfReplicaSpecs':%s}}}", "ADDED", "", replica_specs);
}

static void decode_conditions(struct decoding *d, const char *type, const char *metadata,
                              const char *conditions)
{
    decode(d, EVENT ",'status':{'conditions':%s}}}", type, metadata, conditions);
}

static void decode_tenancy(struct decoding *d, const char *annotation)
{
    decode(d,
           "{'type':'ADDED','object':{'apiVersion':'training.kubedl.io/v1alpha1','kind':'TFJob',"
           "'metadata':{'uid':'u-1','annotations':{'kubedl.io/tenancy':%s}}}}",
           annotation);
}

static void test_each_column_of_a_live_job(void **state)
{
    struct decoding *d = *state;
    decode_job(d, "MODIFIED",
               "," CREATION ",'annotations':{'kubedl.io/tensorboard-config':'',"
               "'kubedl.io/tenancy':'{\\'tenant\\':\\'t\\',\\'user\\':\\'u\\',"
               "\\'region\\':\\'r\\'}'}",
               ",'spec':{'tfReplicaSpecs':{'PS':{'replicas':2}}},"
               "'status':{'completionTime':'2026-01-01T03:00:00Z','conditions':["
               "{'type':'Running','lastTransitionTime':'2026-01-01T01:00:00Z'},"
               "{'type':'Succeeded','lastTransitionTime':'2026-01-01T02:00:00Z'}]}");
    assert_ptr_equal(d->result.row->table, &table_job);
    assert_int_equal(d->result.row->mode, ROW_UPSERT);
    assert_int_equal(d->result.row->received_us, RECEIVED_US);
    expect(d, JOB_NAME, "j");
    expect(d, JOB_NAMESPACE, "ns");
    expect(d, JOB_UID, "u-1");
    expect(d, JOB_VERSION, "7");
    expect(d, JOB_STATUS, "Succeeded");
    expect(d, JOB_KIND, "TFJob");
    expect(d, JOB_RESOURCES, "{\"PS\":{\"resources\":{},\"replicas\":2}}");
    expect(d, JOB_REGION, "r");
    expect(d, JOB_TENANT, "t");
    expect(d, JOB_OWNER, "u");
    expect(d, JOB_DELETED, "0");
    expect(d, JOB_IN_ETCD, "1");
    expect(d, JOB_REMARK, "EnableTensorBoard");
    expect(d, JOB_CREATED, "2026-01-01T00:00:00Z");
    expect(d, JOB_MODIFIED, RECEIVED);
    expect(d, JOB_RUNNING, "2026-01-01T01:00:00Z");
    expect(d, JOB_FINISHED, "2026-01-01T03:00:00Z");
    expect(d, JOB_CLUSTER, TEXT_OF_NULL);
    expect(d, JOB_GROUP, "training.kubedl.io");
    assert_int_equal(d->result.bad_fields, 0);
    assert_string_equal(d->result.api_version, "training.kubedl.io/v1alpha1");
    assert_string_equal(d->result.kind, "TFJob");
    assert_string_equal(d->result.namespace, "ns");
    assert_string_equal(d->result.name, "j");
    assert_string_equal(d->result.uid, "u-1");
    assert_string_equal(d->result.version, "7");
}

/* Its label is where a pod has its kind. */
static void test_a_job_that_seems_to_be_a_pod_is_read_whole(void **state)
{
    struct decoding *d = *state;
    decode(d, "{'type':'ADDED','object':{'metadata':{'labels':{'kind':'Pod'},'uid':'u-1',"
              "'annotations':{'kubedl.io/tensorboard-config':''}},"
              "'kind':'TFJob','apiVersion':'training.kubedl.io/v1alpha1',"
              "'spec':{'tfReplicaSpecs':{'PS':{'replicas':2}}},"
              "'status':{'conditions':[{'type':'Running',"
              "'lastTransitionTime':'2026-01-01T01:00:00Z'}]}}}");
    expect(d, JOB_STATUS, "Running");
    expect(d, JOB_RESOURCES, "{\"PS\":{\"resources\":{},\"replicas\":2}}");
    expect(d, JOB_REMARK, "EnableTensorBoard");
    expect(d, JOB_RUNNING, "2026-01-01T01:00:00Z");
}

static void test_a_job_with_nothing_but_its_key(void **state)
{
    struct decoding *d = *state;
    decode(d, "{'type':'ADDED','object':{'apiVersion':'training.kubedl.io/v1alpha1',"
              "'kind':'TFJob','metadata':{'uid':'u-1'}}}");
    expect(d, JOB_NAME, "");
    expect(d, JOB_NAMESPACE, "");
    expect(d, JOB_VERSION, "0");
    expect(d, JOB_STATUS, "Created");
    expect(d, JOB_RESOURCES, "{}");
    expect(d, JOB_REGION, TEXT_OF_NULL);
    expect(d, JOB_TENANT, "");
    expect(d, JOB_OWNER, "");
    expect(d, JOB_REMARK, TEXT_OF_NULL);
    expect(d, JOB_CREATED, RECEIVED);
    expect(d, JOB_RUNNING, TEXT_OF_NULL);
    expect(d, JOB_FINISHED, TEXT_OF_NULL);
    assert_int_equal(d->result.bad_fields, 0);
}

static void test_region_and_cluster_come_from_the_settings(void **state)
{
    struct decoding *d = *state;
    decode_tenancy(d, "'{\\'region\\':\\'r\\'}'");
    expect(d, JOB_REGION, TEST_REGION);
    expect(d, JOB_CLUSTER, TEST_CLUSTER);
}

/* ---- kinds ----------------------------------------------------------------------------------- */

static void check_kind(struct decoding *d, const char *group, const char *kind, const char *specs)
{
    decode(d,
           "{'type':'ADDED','object':{'apiVersion':'%s/v1','kind':'%s',"
           "'metadata':{'uid':'u-1'},'spec':{'%s':{'W':{'replicas':3}}}}}",
           group, kind, specs);
    expect(d, JOB_KIND, kind);
    expect(d, JOB_GROUP, group);
    expect(d, JOB_RESOURCES, "{\"W\":{\"resources\":{},\"replicas\":3}}");
}

static void test_kinds_that_kubedl_records_too(void **state)
{
    check_kind(*state, "training.kubedl.io", "TFJob", "tfReplicaSpecs");
    check_kind(*state, "training.kubedl.io", "PyTorchJob", "pytorchReplicaSpecs");
    check_kind(*state, "training.kubedl.io", "XGBoostJob", "xgbReplicaSpecs");
    check_kind(*state, "training.kubedl.io", "XDLJob", "xdlReplicaSpecs");
    check_kind(*state, "training.kubedl.io", "MarsJob", "marsReplicaSpecs");
    check_kind(*state, "inference.kubedl.io", "ElasticBatchJob", "elasticBatchReplicaSpecs");
}

static void test_difference_8_mpi_and_elasticdl_jobs_are_recorded(void **state)
{
    check_kind(*state, "training.kubedl.io", "MPIJob", "mpiReplicaSpecs");
    check_kind(*state, "training.kubedl.io", "ElasticDLJob", "elasticdlReplicaSpecs");
}

static void test_kinds_of_kubeflow(void **state)
{
    check_kind(*state, "kubeflow.org", "TFJob", "tfReplicaSpecs");
    check_kind(*state, "kubeflow.org", "PyTorchJob", "pytorchReplicaSpecs");
    check_kind(*state, "kubeflow.org", "XGBoostJob", "xgbReplicaSpecs");
    check_kind(*state, "kubeflow.org", "MPIJob", "mpiReplicaSpecs");
    check_kind(*state, "kubeflow.org", "PaddleJob", "paddleReplicaSpecs");
    check_kind(*state, "kubeflow.org", "JAXJob", "jaxReplicaSpecs");
}

/* The conditions as Kubeflow's operator leaves them, each with the hour of its transition. */
#define CREATED "{'type':'Created','status':'True','lastTransitionTime':'2026-01-01T00:00:00Z'}"
#define CONDITION(TYPE, STATUS, REASON, HOUR)                                                      \
    ",{'type':'" TYPE "','status':'" STATUS "','reason':'TFJob" REASON                             \
    "','lastTransitionTime':'2026-01-01T0" #HOUR ":00:00Z'}"

static void check_conditions(struct decoding *d, const char *group, const char *conditions,
                             const char *status, const char *running)
{
    decode(d,
           "{'type':'MODIFIED','object':{'apiVersion':'%s/v1','kind':'TFJob',"
           "'metadata':{'uid':'u-1'},'status':{'conditions':[%s]}}}",
           group, conditions);
    expect(d, JOB_STATUS, status);
    expect(d, JOB_RUNNING, running);
}

static void test_a_job_of_kubeflow_that_runs_to_its_end(void **state)
{
    const char *group = "kubeflow.org";
    check_conditions(*state, group, CREATED, "Created", TEXT_OF_NULL);
    check_conditions(*state, group, CREATED CONDITION("Running", "True", "Running", 1), "Running",
                     "2026-01-01T01:00:00Z");
    check_conditions(*state, group, CREATED CONDITION("Restarting", "True", "Restarting", 2),
                     "Restarting", TEXT_OF_NULL);
    check_conditions(*state, group,
                     CREATED CONDITION("Running", "False", "Running", 1)
                         CONDITION("Succeeded", "True", "Succeeded", 2),
                     "Succeeded", "2026-01-01T01:00:00Z");
    check_conditions(*state, group,
                     CREATED CONDITION("Running", "False", "Running", 1)
                         CONDITION("Failed", "True", "Failed", 2),
                     "Failed", "2026-01-01T01:00:00Z");
}

/* A suspended job waits to be let in; its Running became False at the time of the suspension. */
static void test_a_job_of_kubeflow_that_is_suspended_and_resumed(void **state)
{
    const char *group = "kubeflow.org";
    check_conditions(*state, group, CREATED CONDITION("Suspended", "True", "Suspended", 1),
                     "Queuing", TEXT_OF_NULL);
    check_conditions(*state, group,
                     CREATED CONDITION("Running", "False", "Suspended", 2)
                         CONDITION("Suspended", "True", "Suspended", 2),
                     "Queuing", TEXT_OF_NULL);
    check_conditions(*state, group,
                     CREATED CONDITION("Running", "False", "Suspended", 2)
                         CONDITION("Suspended", "False", "Resumed", 3),
                     "Created", TEXT_OF_NULL);
    check_conditions(*state, group,
                     CREATED CONDITION("Suspended", "False", "Resumed", 3)
                         CONDITION("Running", "True", "Running", 4),
                     "Running", "2026-01-01T04:00:00Z");
}

static void test_conditions_of_kubedl_count_whatever_their_status(void **state)
{
    check_conditions(*state, "training.kubedl.io",
                     CREATED CONDITION("Running", "False", "Suspended", 1), "Running",
                     "2026-01-01T01:00:00Z");
}

static void test_a_job_of_another_api_group_is_another_kind(void **state)
{
    struct decoding *d = *state;
    decode(d, "{'type':'ADDED','object':{'apiVersion':'example.org/v1','kind':'TFJob',"
              "'metadata':{'uid':'u-1'}}}");
    expect_fate(d, WATCH_OTHER_KIND);
    assert_string_equal(d->result.kind, "TFJob");
}

/* ---- status and times ------------------------------------------------------------------------ */

static void test_status_is_the_last_condition_whatever_its_own_status(void **state)
{
    struct decoding *d = *state;
    decode_conditions(d, "MODIFIED", "",
                      "[{'type':'Created','status':'True'},{'type':'Running','status':'False'}]");
    expect(d, JOB_STATUS, "Running");
    decode_conditions(d, "MODIFIED", "", "[]");
    expect(d, JOB_STATUS, "Created");
    decode_conditions(d, "MODIFIED", "", "[{'type':'Running'},{}]");
    expect(d, JOB_STATUS, "");
}

static void test_running_since_the_first_running_condition(void **state)
{
    struct decoding *d = *state;
    decode_conditions(d, "MODIFIED", "",
                      "[{'type':'Running','lastTransitionTime':'2026-01-01T01:00:00Z'},"
                      "{'type':'Running','lastTransitionTime':'2026-01-01T02:00:00Z'}]");
    expect(d, JOB_RUNNING, "2026-01-01T01:00:00Z");
    decode_conditions(d, "MODIFIED", "",
                      "[{'type':'Running'},"
                      "{'type':'Running','lastTransitionTime':'2026-01-01T02:00:00Z'}]");
    expect(d, JOB_RUNNING, TEXT_OF_NULL);
}

/* Without completionTime. */
static void check_live_end(struct decoding *d, const char *condition, const char *finished)
{
    decode(d,
           EVENT
           ",'status':{'conditions':[{'type':'%s','lastTransitionTime':'2026-01-01T02:00:00Z'}]}}}",
           "MODIFIED", ",'deletionTimestamp':'2026-01-01T05:00:00Z'", condition);
    expect(d, JOB_STATUS, condition);
    expect(d, JOB_FINISHED, finished);
    expect(d, JOB_DELETED, "0");
}

static void test_difference_3_a_live_job_has_ended_once_its_state_is_final(void **state)
{
    check_live_end(*state, "Running", TEXT_OF_NULL);
    check_live_end(*state, "Restarting", TEXT_OF_NULL);
    check_live_end(*state, "Failed", "2026-01-01T02:00:00Z");
    check_live_end(*state, "Succeeded", "2026-01-01T02:00:00Z");
}

static void test_a_failed_job_that_goes_on_has_no_end(void **state)
{
    struct decoding *d = *state;
    decode_conditions(d, "MODIFIED", "",
                      "[{'type':'Failed','lastTransitionTime':'2026-01-01T02:00:00Z'},"
                      "{'type':'Running','lastTransitionTime':'2026-01-01T03:00:00Z'}]");
    expect(d, JOB_FINISHED, TEXT_OF_NULL);
}

static void test_difference_12_unknown_times(void **state)
{
    struct decoding *d = *state;
    decode_job(d, "ADDED", ",'creationTimestamp':null",
               ",'status':{'completionTime':'0001-01-01T00:00:00Z'}");
    expect(d, JOB_CREATED, RECEIVED);
    expect(d, JOB_FINISHED, TEXT_OF_NULL);
    assert_int_equal(d->result.bad_fields, 0);
    decode_job(d, "ADDED", "", ",'status':{'completionTime':'1970-01-01T00:00:00Z'}");
    expect(d, JOB_FINISHED, TEXT_OF_NULL);
    assert_int_equal(d->result.bad_fields, 0);
    decode_job(d, "ADDED", ",'creationTimestamp':'yesterday'",
               ",'status':{'completionTime':'0999-12-31T23:59:59Z'}");
    expect(d, JOB_CREATED, RECEIVED);
    expect(d, JOB_FINISHED, TEXT_OF_NULL);
    assert_int_equal(d->result.bad_fields, 2);
    assert_string_equal(d->result.reason, "creationTimestamp");
}

static void test_difference_13_times_are_utc(void **state)
{
    struct decoding *d = *state;
    decode_job(d, "ADDED", ",'creationTimestamp':'2026-02-28T10:00:00.123456789+08:00'",
               ",'status':{'completionTime':'1969-12-31T23:00:01-01:00'}");
    expect(d, JOB_CREATED, "2026-02-28T02:00:00.123456Z");
    expect(d, JOB_FINISHED, "1970-01-01T00:00:01Z");
}

/* ---- deletion -------------------------------------------------------------------------------- */

static void check_stopped(struct decoding *d, const char *status)
{
    decode(d,
           EVENT
           ",'status':{'conditions':[{'type':'%s','lastTransitionTime':'2026-01-01T02:00:00Z'}]}}}",
           "DELETED", "", status);
    expect(d, JOB_STATUS, "Stopped");
    expect(d, JOB_FINISHED, RECEIVED);
    expect(d, JOB_DELETED, "1");
    expect(d, JOB_IN_ETCD, "0");
}

static void test_difference_2_a_deleted_job_has_stopped_whatever_it_did(void **state)
{
    check_stopped(*state, "Created");
    check_stopped(*state, "Queuing");
    check_stopped(*state, "Running");
    check_stopped(*state, "Restarting");
    check_stopped(*state, "Suspended");
}

static void test_a_deleted_job_that_had_ended_keeps_its_end(void **state)
{
    struct decoding *d = *state;
    decode_job(d, "DELETED", ",'deletionTimestamp':'2026-01-01T09:00:00Z'",
               ",'status':{'completionTime':'2026-01-01T03:00:00Z','conditions':["
               "{'type':'Succeeded','lastTransitionTime':'2026-01-01T04:00:00Z'}]}");
    expect(d, JOB_STATUS, "Succeeded");
    expect(d, JOB_FINISHED, "2026-01-01T03:00:00Z");
    expect(d, JOB_DELETED, "1");
    expect(d, JOB_IN_ETCD, "0");
}

static void check_finish(struct decoding *d, const char *metadata, const char *status,
                         const char *finished)
{
    decode_job(d, "DELETED", metadata, status);
    expect(d, JOB_FINISHED, finished);
}

#define CONDITIONS(TYPE, HOUR)                                                                     \
    "'conditions':[{'type':'" TYPE "','lastTransitionTime':'2026-01-01T0" #HOUR ":00:00Z'}]"

/* A transition is when a state began: a plain `kubectl delete` leaves no other time. */
static void test_difference_3_a_job_stops_when_it_states_or_when_the_event_came(void **state)
{
    const char *deletion = ",'deletionTimestamp':'2026-01-01T05:00:00Z'";
    const char *runs = ",'status':{" CONDITIONS("Running", 6) "}";
    check_finish(*state, deletion, "", "2026-01-01T05:00:00Z");
    check_finish(*state, deletion, runs, "2026-01-01T05:00:00Z");
    check_finish(*state, "", runs, RECEIVED);
    check_finish(*state, "," CREATION, "", RECEIVED);
    check_finish(
        *state, "",
        ",'status':{'completionTime':'2026-01-01T07:00:00Z'," CONDITIONS("Restarting", 6) "}",
        "2026-01-01T07:00:00Z");
    check_finish(*state, deletion,
                 ",'status':{'completionTime':'2026-01-01T03:00:00Z'," CONDITIONS("Running", 2) "}",
                 "2026-01-01T05:00:00Z");
}

static void test_difference_3_a_deletion_deadline_ahead_of_the_event_is_no_end(void **state)
{
    check_finish(*state, ",'deletionTimestamp':'2027-01-01T00:00:00Z'", "", RECEIVED);
    check_finish(*state, ",'deletionTimestamp':'2027-01-01T00:00:30Z'", "", RECEIVED);
}

static void test_difference_3_a_failed_job_that_is_deleted_keeps_its_end(void **state)
{
    const char *deletion = ",'deletionTimestamp':'2026-01-01T05:00:00Z'";
    const char *failed = ",'status':{" CONDITIONS("Failed", 4) "}";
    check_finish(*state, deletion, failed, "2026-01-01T04:00:00Z");
    check_finish(*state, "", failed, "2026-01-01T04:00:00Z");
    check_finish(*state, deletion, ",'status':{'conditions':[{'type':'Failed'}]}",
                 "2026-01-01T05:00:00Z");
}

/* ---- one row per object ---------------------------------------------------------------------- */

static struct row *take_row(struct decoding *d)
{
    struct row *row = d->result.row;
    assert_non_null(row);
    d->result.row = NULL;
    return row;
}

/* Merges the row that was decoded over `there`, and puts the result in its place. */
static void merge_over(struct decoding *d, struct row *there)
{
    struct row *comes = take_row(d);
    struct error err;
    assert_int_equal(row_merge(there, comes, &d->result.row, &err), ERROR_NONE);
    row_free(there);
    row_free(comes);
}

static void decode_version(struct decoding *d, const char *version, const char *rest)
{
    decode(d,
           "{'type':'MODIFIED','object':{'apiVersion':'training.kubedl.io/v1alpha1',"
           "'kind':'TFJob','metadata':{'name':'j','uid':'u-1','resourceVersion':'%s'%s}}}",
           version, rest);
}

static void test_difference_5_a_job_is_its_uid_not_its_name(void **state)
{
    struct decoding *d = *state;
    decode_job(d, "ADDED", "", "");
    struct row *first = take_row(d);
    decode(d, "{'type':'ADDED','object':{'apiVersion':'training.kubedl.io/v1alpha1',"
              "'kind':'TFJob','metadata':{'name':'j','namespace':'ns','uid':'u-2'}}}");
    assert_false(text_equal(row_uid(first), row_uid(d->result.row)));
    row_free(first);
}

static void test_difference_6_every_column_follows_the_newest_version(void **state)
{
    struct decoding *d = *state;
    decode_version(d, "7",
                   ",'annotations':{'kubedl.io/tensorboard-config':'',"
                   "'kubedl.io/tenancy':'{\\'tenant\\':\\'t\\',\\'user\\':\\'u\\'}'}");
    struct row *first = take_row(d);
    decode_version(d, "8", "");
    merge_over(d, first);
    expect(d, JOB_VERSION, "8");
    expect(d, JOB_REMARK, TEXT_OF_NULL);
    expect(d, JOB_TENANT, "");
    expect(d, JOB_OWNER, "");
}

static void test_difference_11_a_region_that_is_set_later_fills_the_same_row(void **state)
{
    struct decoding *d = *state;
    void *later;
    decode_version(d, "7", "");
    expect(d, JOB_REGION, TEXT_OF_NULL);
    assert_int_equal(decoding_setup_with_settings(&later), 0);
    decode_version(later, "8", "");
    merge_over(later, take_row(d));
    expect(later, JOB_UID, "u-1");
    expect(later, JOB_REGION, TEST_REGION);
    decoding_teardown(&later);
}

static void test_difference_14_versions_of_any_length_compare_as_numbers(void **state)
{
    struct decoding *d = *state;
    decode_version(d, "99999999999999999998", ",'namespace':'newer'");
    struct row *there = take_row(d);
    decode_version(d, "9999999999999999999", ",'namespace':'older'");
    merge_over(d, there);
    expect(d, JOB_NAMESPACE, "newer");
    there = take_row(d);
    decode_version(d, "99999999999999999999", ",'namespace':'newest'");
    merge_over(d, there);
    expect(d, JOB_NAMESPACE, "newest");
}

static void test_difference_16_an_empty_version_never_overwrites(void **state)
{
    struct decoding *d = *state;
    decode_version(d, "7", ",'namespace':'versioned'");
    struct row *there = take_row(d);
    decode_version(d, "", ",'namespace':'not'");
    expect(d, JOB_VERSION, "0");
    merge_over(d, there);
    expect(d, JOB_NAMESPACE, "versioned");
    expect(d, JOB_VERSION, "7");
}

static void test_a_revived_job_is_alive_and_has_not_finished(void **state)
{
    struct decoding *d = *state;
    decode_job(d, "DELETED", "", "");
    struct row *gone = take_row(d);
    decode_version(d, "8", "");
    merge_over(d, gone);
    expect(d, JOB_DELETED, "0");
    expect(d, JOB_IN_ETCD, "1");
    expect(d, JOB_STATUS, "Created");
    expect(d, JOB_FINISHED, TEXT_OF_NULL);
}

/* ---- resources ------------------------------------------------------------------------------- */

static void test_replica_types_in_byte_order_the_last_duplicate_wins(void **state)
{
    struct decoding *d = *state;
    decode_spec(d, "{'b':{'replicas':1},'Ärger':{'replicas':2},'B':{'replicas':3},"
                   "'ba':{'replicas':4},'b':{'replicas':5},'a<b':{'replicas':6}}");
    expect(d, JOB_RESOURCES,
           "{\"B\":{\"resources\":{},\"replicas\":3},"
           "\"a\\u003cb\":{\"resources\":{},\"replicas\":6},"
           "\"b\":{\"resources\":{},\"replicas\":5},"
           "\"ba\":{\"resources\":{},\"replicas\":4},"
           "\"Ärger\":{\"resources\":{},\"replicas\":2}}");
}

static void test_limits_come_before_requests(void **state)
{
    struct decoding *d = *state;
    decode_spec(d, "{'W':{'replicas':2,'template':{'spec':{"
                   "'initContainers':[{'resources':{'requests':{'cpu':'3','disk':'1Gi'}}}],"
                   "'containers':["
                   "{'resources':{'requests':{'memory':'1Gi','cpu':'500m'},'limits':{'gpu':1}}},"
                   "{'resources':{'requests':{'cpu':'1'}}}]}}}}");
    expect(d, JOB_RESOURCES,
           "{\"W\":{\"resources\":{\"limits\":{\"gpu\":\"1\"},"
           "\"requests\":{\"cpu\":\"3\",\"disk\":\"1Gi\",\"memory\":\"1Gi\"}},\"replicas\":2}}");
}

static void test_difference_10_a_null_replica_spec_is_an_empty_one(void **state)
{
    struct decoding *d = *state;
    decode_spec(d, "{'Worker':null}");
    expect(d, JOB_RESOURCES, "{\"Worker\":{\"resources\":{},\"replicas\":0}}");
    assert_int_equal(d->result.bad_fields, 0);
}

static void test_difference_9_too_many_replica_types_are_cut(void **state)
{
    struct decoding *d = *state;
    const char *tail = "<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<"; /* each becomes six bytes */
    char *rest = malloc(500000);
    assert_non_null(rest);
    size_t used = (size_t)sprintf(rest, ",'spec':{'tfReplicaSpecs':{");
    for (int i = 0; i < 5000; i++)
        used += (size_t)sprintf(rest + used, "%s'r%04d%s':{'replicas':%d}", i > 0 ? "," : "", i,
                                tail, i);
    sprintf(rest + used, "}}");
    decode_job(d, "ADDED", "", rest);
    free(rest);

    struct text resources = cell_as_text(&d->result.row->cells[JOB_RESOURCES]);
    struct text marker = TEXT(ROW_CUT_MARKER);
    assert_int_equal(resources.length, TEXT_MAX_BYTES);
    assert_memory_equal(resources.data, "{\"r0000\\u003c", 13);
    assert_memory_equal(resources.data + resources.length - marker.length, marker.data,
                        marker.length);
    assert_int_equal(d->result.row->cut_columns, 1U << JOB_RESOURCES);
    assert_int_equal(d->result.bad_fields, 5000 - 4096);
}

static void test_difference_9_an_endless_replica_type_is_cut(void **state)
{
    struct decoding *d = *state;
    char *rest = malloc(300000);
    assert_non_null(rest);
    size_t used = (size_t)sprintf(rest, ",'spec':{'tfReplicaSpecs':{'");
    memset(rest + used, '<', 200000);
    sprintf(rest + used + 200000, "':{}}}");
    decode_job(d, "ADDED", "", rest);
    free(rest);
    expect_fate(d, WATCH_ROW);
    assert_int_equal(d->result.row->cut_columns, 1U << JOB_RESOURCES);
}

/* ---- tenancy --------------------------------------------------------------------------------- */

static void expect_tenancy(struct decoding *d, const char *tenant, const char *owner,
                           const char *region, uint32_t bad_fields)
{
    expect(d, JOB_TENANT, tenant);
    expect(d, JOB_OWNER, owner);
    expect(d, JOB_REGION, region);
    assert_int_equal(d->result.bad_fields, bad_fields);
}

static void test_tenancy_keys_in_any_case_the_last_one_wins(void **state)
{
    struct decoding *d = *state;
    decode_tenancy(d, "'{\\'TENANT\\':\\'a\\',\\'Tenant\\':\\'b\\',\\'uSer\\':\\'u\\',"
                      "\\'other\\':[1]} '");
    expect_tenancy(d, "b", "u", TEXT_OF_NULL, 0);
}

static void test_a_null_in_the_tenancy_changes_nothing(void **state)
{
    struct decoding *d = *state;
    decode_tenancy(d, "'{\\'tenant\\':\\'a\\',\\'tenant\\':null,\\'region\\':\\'\\'}'");
    expect_tenancy(d, "a", "", TEXT_OF_NULL, 0);
    decode_tenancy(d, "'null'");
    expect_tenancy(d, "", "", TEXT_OF_NULL, 0);
    decode_tenancy(d, "null");
    expect_tenancy(d, "", "", TEXT_OF_NULL, 0);
}

static void check_ignored_tenancy(struct decoding *d, const char *annotation)
{
    decode_tenancy(d, annotation);
    expect_tenancy(d, "", "", TEXT_OF_NULL, 1);
}

static void test_an_invalid_tenancy_is_ignored_as_a_whole(void **state)
{
    check_ignored_tenancy(*state, "''");
    check_ignored_tenancy(*state, "'[]'");
    check_ignored_tenancy(*state, "'{\\'tenant\\':\\'t\\',\\'region\\':\\'r\\'} x'");
    check_ignored_tenancy(*state, "'{\\'tenant\\':\\'t\\',\\'user\\':\\'u\\',\\'idc\\':5}'");
    check_ignored_tenancy(*state, "'{\\'tenant\\':\\'t\\',\\'user\\':true}'");
    check_ignored_tenancy(*state, "5");
}

/* ---- wrong types ----------------------------------------------------------------------------- */

static void test_fields_of_a_wrong_type_are_dropped_and_counted(void **state)
{
    struct decoding *d = *state;
    decode_job(d, "ADDED", ",'creationTimestamp':1,'annotations':[]",
               ",'spec':{'tfReplicaSpecs':{'A':{'replicas':'3'},'B':{'replicas':1.5},'C':7}},"
               "'status':{'completionTime':{},'conditions':{'type':'Running'}}");
    expect(d, JOB_STATUS, "Created");
    expect(d, JOB_RESOURCES,
           "{\"A\":{\"resources\":{},\"replicas\":0},"
           "\"B\":{\"resources\":{},\"replicas\":0},"
           "\"C\":{\"resources\":{},\"replicas\":0}}");
    expect(d, JOB_CREATED, RECEIVED);
    assert_true(d->result.bad_fields >= 7);
    decode_job(d, "ADDED", "", ",'spec':5,'status':'x'");
    expect(d, JOB_RESOURCES, "{}");
    assert_int_equal(d->result.bad_fields, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        decoding_test(test_each_column_of_a_live_job),
        decoding_test(test_a_job_that_seems_to_be_a_pod_is_read_whole),
        decoding_test(test_a_job_with_nothing_but_its_key),
        decoding_test_with_settings(test_region_and_cluster_come_from_the_settings),
        decoding_test(test_kinds_that_kubedl_records_too),
        decoding_test(test_difference_8_mpi_and_elasticdl_jobs_are_recorded),
        decoding_test(test_kinds_of_kubeflow),
        decoding_test(test_a_job_of_kubeflow_that_runs_to_its_end),
        decoding_test(test_a_job_of_kubeflow_that_is_suspended_and_resumed),
        decoding_test(test_conditions_of_kubedl_count_whatever_their_status),
        decoding_test(test_a_job_of_another_api_group_is_another_kind),
        decoding_test(test_status_is_the_last_condition_whatever_its_own_status),
        decoding_test(test_running_since_the_first_running_condition),
        decoding_test(test_difference_3_a_live_job_has_ended_once_its_state_is_final),
        decoding_test(test_a_failed_job_that_goes_on_has_no_end),
        decoding_test(test_difference_12_unknown_times),
        decoding_test(test_difference_13_times_are_utc),
        decoding_test(test_difference_2_a_deleted_job_has_stopped_whatever_it_did),
        decoding_test(test_a_deleted_job_that_had_ended_keeps_its_end),
        decoding_test(test_difference_3_a_job_stops_when_it_states_or_when_the_event_came),
        decoding_test(test_difference_3_a_deletion_deadline_ahead_of_the_event_is_no_end),
        decoding_test(test_difference_3_a_failed_job_that_is_deleted_keeps_its_end),
        decoding_test(test_difference_5_a_job_is_its_uid_not_its_name),
        decoding_test(test_difference_6_every_column_follows_the_newest_version),
        decoding_test(test_difference_11_a_region_that_is_set_later_fills_the_same_row),
        decoding_test(test_difference_14_versions_of_any_length_compare_as_numbers),
        decoding_test(test_difference_16_an_empty_version_never_overwrites),
        decoding_test(test_a_revived_job_is_alive_and_has_not_finished),
        decoding_test(test_replica_types_in_byte_order_the_last_duplicate_wins),
        decoding_test(test_limits_come_before_requests),
        decoding_test(test_difference_10_a_null_replica_spec_is_an_empty_one),
        decoding_test(test_difference_9_too_many_replica_types_are_cut),
        decoding_test(test_difference_9_an_endless_replica_type_is_cut),
        decoding_test(test_tenancy_keys_in_any_case_the_last_one_wins),
        decoding_test(test_a_null_in_the_tenancy_changes_nothing),
        decoding_test(test_an_invalid_tenancy_is_ignored_as_a_whole),
        decoding_test(test_fields_of_a_wrong_type_are_dropped_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
