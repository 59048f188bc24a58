/* Pods: whose they are, the columns of replica_info, deletion, orphans. */
#include "test/support/decoding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CREATION    ",'creationTimestamp':'2026-01-01T00:00:00Z'"
#define LABELS      ",'labels':{'group-name':'kubedl.io','replica-type':'worker'}"
#define OWNER(KIND) ",'ownerReferences':[{'kind':'" KIND "','uid':'job-1','controller':true}]"
#define OURS        CREATION LABELS OWNER("TFJob")

#define AT(TIME) "'2026-01-01T0" #TIME ":00:00Z'"

/* An event of a pod, up to the end of its metadata: type, further metadata. */
#define EVENT                                                                                      \
    "{'type':'%s','object':{'apiVersion':'v1','kind':'Pod',"                                       \
    "'metadata':{'name':'p','namespace':'ns','uid':'p-1','resourceVersion':'7'%s}"

/* metadata and rest begin with a comma, or are empty. */
static void decode_pod(struct decoding *d, const char *type, const char *metadata, const char *rest)
{
    decode(d, EVENT "%s}}", type, metadata, rest);
}

static void decode_status(struct decoding *d, const char *type, const char *status)
{
    decode(d, EVENT ",'status':{%s}}}", type, OURS, status);
}

/* A pod of one container that is in `state`. */
static void decode_state(struct decoding *d, const char *type, const char *phase, const char *state)
{
    decode(d, EVENT ",'status':{'phase':'%s','containerStatuses':[{'state':{%s}}]}}}", type, OURS,
           phase, state);
}

static void test_each_column_of_a_live_pod(void **state)
{
    struct decoding *d = *state;
    decode_pod(d, "MODIFIED", OURS,
               ",'spec':{'containers':[{'image':'tf:1','resources':{'limits':{'cpu':'2'}}}]},"
               "'status':{'phase':'Running','hostIP':'10.0.0.1','podIP':'fd00::1',"
               "'containerStatuses':[{'state':{'running':{'startedAt':" AT(1) "}}}]}");
    assert_ptr_equal(d->result.row->table, &table_pod);
    assert_int_equal(d->result.row->mode, ROW_UPSERT);
    expect(d, POD_NAME, "p");
    expect(d, POD_NAMESPACE, "ns");
    expect(d, POD_UID, "p-1");
    expect(d, POD_VERSION, "7");
    expect(d, POD_STATUS, "Running");
    expect(d, POD_IMAGE, "tf:1");
    expect(d, POD_JOB_UID, "job-1");
    expect(d, POD_REPLICA_TYPE, "worker");
    expect(d, POD_RESOURCES, "{\"limits\":{\"cpu\":\"2\"}}");
    expect(d, POD_HOST_IP, "10.0.0.1");
    expect(d, POD_POD_IP, "fd00::1");
    expect(d, POD_REGION, TEXT_OF_NULL);
    expect(d, POD_DELETED, "0");
    expect(d, POD_IN_ETCD, "1");
    expect(d, POD_REMARK, TEXT_OF_NULL);
    expect(d, POD_CREATED, "2026-01-01T00:00:00Z");
    expect(d, POD_MODIFIED, RECEIVED);
    expect(d, POD_STARTED, "2026-01-01T01:00:00Z");
    expect(d, POD_FINISHED, TEXT_OF_NULL);
    expect(d, POD_CLUSTER, TEXT_OF_NULL);
    assert_int_equal(d->result.bad_fields, 0);
}

static void test_a_pod_with_nothing_but_its_owner(void **state)
{
    struct decoding *d = *state;
    decode_pod(d, "ADDED", LABELS OWNER("TFJob"), "");
    expect(d, POD_STATUS, "Unknown");
    expect(d, POD_IMAGE, "");
    expect(d, POD_RESOURCES, "{}");
    expect(d, POD_HOST_IP, TEXT_OF_NULL);
    expect(d, POD_POD_IP, TEXT_OF_NULL);
    expect(d, POD_CREATED, RECEIVED);
    expect(d, POD_STARTED, TEXT_OF_NULL);
}

static void test_region_and_cluster_come_from_the_settings(void **state)
{
    struct decoding *d = *state;
    decode_pod(d, "ADDED", OURS, "");
    expect(d, POD_REGION, TEST_REGION);
    expect(d, POD_CLUSTER, TEST_CLUSTER);
}

/* ---- whose it is ----------------------------------------------------------------------------- */

static void check_fate(struct decoding *d, const char *type, const char *metadata,
                       enum watch_fate fate)
{
    decode_pod(d, type, metadata, "");
    expect_fate(d, fate);
}

static void test_the_controller_decides_whose_a_pod_is(void **state)
{
    check_fate(*state, "ADDED", OURS, WATCH_ROW);
    check_fate(*state, "ADDED", LABELS OWNER("ReplicaSet"), WATCH_FOREIGN_POD);
    check_fate(*state, "ADDED",
               LABELS ",'ownerReferences':[{'kind':'Other','uid':'o'},null,"
                      "{'kind':'TFJob','uid':'job-1','controller':true}]",
               WATCH_ROW);
    check_fate(*state, "ADDED",
               LABELS ",'ownerReferences':[{'kind':'Other','uid':'o','controller':true},"
                      "{'kind':'TFJob','uid':'job-1','controller':true}]",
               WATCH_FOREIGN_POD);
}

#define OWNER_OF(API, KIND)                                                                        \
    ",'ownerReferences':[{'apiVersion':'" API "','kind':'" KIND                                    \
    "','uid':'job-1','controller':true}]"
#define KUBEFLOW_LABELS                                                                            \
    ",'labels':{'training.kubeflow.org/operator-name':'tfjob-controller',"                         \
    "'training.kubeflow.org/job-name':'j','training.kubeflow.org/replica-type':'worker',"          \
    "'training.kubeflow.org/replica-index':'0'}"

static void test_a_controller_of_an_unknown_api_group_counts_by_its_kind(void **state)
{
    check_fate(*state, "ADDED", LABELS OWNER_OF("training.kubedl.io/v9", "TFJob"), WATCH_ROW);
    check_fate(*state, "ADDED", LABELS OWNER_OF("example.org/v1", "TFJob"), WATCH_ROW);
    check_fate(*state, "ADDED", LABELS OWNER_OF("example.org/v1", "ReplicaSet"), WATCH_FOREIGN_POD);
}

static void test_pods_of_kubeflow_have_labels_of_their_own(void **state)
{
    struct decoding *d = *state;
    decode_pod(d, "ADDED", KUBEFLOW_LABELS OWNER_OF("kubeflow.org/v1", "TFJob"), "");
    expect(d, POD_JOB_UID, "job-1");
    expect(d, POD_REPLICA_TYPE, "worker");
    check_fate(d, "ADDED", LABELS OWNER_OF("kubeflow.org/v1", "TFJob"), WATCH_FOREIGN_POD);
    check_fate(d, "ADDED", KUBEFLOW_LABELS OWNER_OF("training.kubedl.io/v1alpha1", "TFJob"),
               WATCH_FOREIGN_POD);
    check_fate(d, "MODIFIED", KUBEFLOW_LABELS, WATCH_ORPHAN_POD);
    check_fate(d, "DELETED", KUBEFLOW_LABELS, WATCH_ROW);
    expect(d, POD_REPLICA_TYPE, "worker");
}

static void test_main_container_is_that_of_the_kind_in_its_group(void **state)
{
    struct decoding *d = *state;
    const char *spec = ",'spec':{'containers':[{'name':'side','image':'side:1'},"
                       "{'name':'xgboost','image':'kubeflow:1'},"
                       "{'name':'xgboostjob','image':'kubedl:1'}]}";
    decode_pod(d, "ADDED", KUBEFLOW_LABELS OWNER_OF("kubeflow.org/v1", "XGBoostJob"), spec);
    expect(d, POD_IMAGE, "kubeflow:1");
    decode_pod(d, "ADDED", LABELS OWNER_OF("training.kubedl.io/v1alpha1", "XGBoostJob"), spec);
    expect(d, POD_IMAGE, "kubedl:1");
}

static void test_a_live_pod_without_labels_or_job_uid_is_foreign(void **state)
{
    check_fate(*state, "ADDED", OWNER("TFJob"), WATCH_FOREIGN_POD);
    check_fate(*state, "ADDED", ",'labels':{'group-name':'g'}" OWNER("TFJob"), WATCH_FOREIGN_POD);
    check_fate(*state, "ADDED", ",'labels':{'replica-type':'w'}" OWNER("TFJob"), WATCH_FOREIGN_POD);
    check_fate(*state, "ADDED",
               ",'labels':{'kubedl.io/group-name':'g','kubedl.io/replica-type':'w'}" OWNER("TFJob"),
               WATCH_FOREIGN_POD);
    check_fate(*state, "ADDED",
               LABELS ",'ownerReferences':[{'kind':'TFJob','uid':'','controller':true}]",
               WATCH_FOREIGN_POD);
    check_fate(*state, "ADDED",
               LABELS ",'ownerReferences':[{'kind':'TFJob','uid':'jöb','controller':true}]",
               WATCH_FOREIGN_POD);
    check_fate(*state, "ADDED", ",'labels':{'group-name':'','replica-type':''}" OWNER("TFJob"),
               WATCH_ROW);
}

static void test_a_live_pod_that_lost_its_job_is_an_orphan(void **state)
{
    check_fate(*state, "MODIFIED", LABELS, WATCH_ORPHAN_POD);
    check_fate(*state, "MODIFIED",
               LABELS ",'ownerReferences':[{'kind':'TFJob','uid':'job-1','controller':false}]",
               WATCH_ORPHAN_POD);
    check_fate(*state, "MODIFIED", "", WATCH_FOREIGN_POD);
    check_fate(*state, "MODIFIED", ",'labels':{'replica-type':'w'}", WATCH_FOREIGN_POD);
}

static void check_kind(struct decoding *d, const char *kind)
{
    decode(d,
           "{'type':'ADDED','object':{'apiVersion':'v1','kind':'Pod','metadata':{'uid':'p-1'" LABELS
           ",'ownerReferences':[{'kind':'%s','uid':'job-1','controller':true}]}}}",
           kind);
    expect(d, POD_JOB_UID, "job-1");
}

static void test_difference_8_pods_of_all_kinds_are_recorded(void **state)
{
    check_kind(*state, "TFJob");
    check_kind(*state, "PyTorchJob");
    check_kind(*state, "XGBoostJob");
    check_kind(*state, "XDLJob");
    check_kind(*state, "ElasticBatchJob");
    check_kind(*state, "MarsJob");
    check_kind(*state, "MPIJob");
    check_kind(*state, "ElasticDLJob");
}

/* ---- the main container ---------------------------------------------------------------------- */

static void check_image(struct decoding *d, const char *kind, const char *name, const char *image)
{
    decode(d,
           "{'type':'ADDED','object':{'apiVersion':'v1','kind':'Pod','metadata':{'uid':'p-1'" LABELS
           ",'ownerReferences':[{'kind':'%s','uid':'job-1','controller':true}]},"
           "'spec':{'containers':[{'name':'%s','image':'zero'},{'name':'istio','image':'one'},"
           "{'name':'%s','image':'two'},{'name':'%s','image':'three'}]}}}",
           kind, name, name, name);
    expect(d, POD_IMAGE, image);
}

static void test_a_later_container_of_the_kinds_name_stands_for_the_pod(void **state)
{
    check_image(*state, "TFJob", "tensorflow", "two");
    check_image(*state, "PyTorchJob", "pytorch", "two");
    check_image(*state, "XGBoostJob", "xgboostjob", "two");
    check_image(*state, "XDLJob", "xdl", "two");
    check_image(*state, "MarsJob", "mars", "two");
    check_image(*state, "MPIJob", "mpi", "two");
    check_image(*state, "ElasticDLJob", "elasticdl", "two");
    check_image(*state, "ElasticBatchJob", "elasticbatch", "two");
    check_image(*state, "TFJob", "pytorch", "zero");
}

static void test_the_container_status_is_chosen_by_itself(void **state)
{
    struct decoding *d = *state;
    decode_status(d, "MODIFIED",
                  "'phase':'Running','containerStatuses':["
                  "{'name':'istio','state':{'running':{'startedAt':" AT(
                      1) "}}},"
                         "{'name':'tensorflow','state':{'running':{'startedAt':" AT(2) "}}}]");
    expect(d, POD_STARTED, "2026-01-01T02:00:00Z");
}

/* ---- status, times, remark ------------------------------------------------------------------- */

static void test_difference_7_a_pod_without_container_statuses_has_its_phase(void **state)
{
    struct decoding *d = *state;
    decode_status(d, "ADDED", "'phase':'Pending'");
    expect(d, POD_STATUS, "Pending");
    expect(d, POD_STARTED, TEXT_OF_NULL);
    decode_status(d, "ADDED", "'phase':'Running'");
    expect(d, POD_STATUS, "Running");
    expect(d, POD_STARTED, "2026-01-01T00:00:00Z");
    decode_status(d, "ADDED", "'phase':'Failed','reason':'Evicted','message':'no memory'");
    expect(d, POD_STATUS, "Failed");
    expect(d, POD_REMARK, "Reason: Evicted\nExitCode: \nMessage: no memory");
    expect(d, POD_STARTED, "2026-01-01T00:00:00Z");
    expect(d, POD_FINISHED, RECEIVED);
}

static void test_difference_7_a_failed_pod_whose_container_waits_says_why(void **state)
{
    struct decoding *d = *state;
    decode_status(d, "ADDED",
                  "'phase':'Failed','reason':'DeadlineExceeded',"
                  "'containerStatuses':[{'state':{'waiting':{'reason':'ImagePullBackOff'}}}]");
    expect(d, POD_REMARK, "Reason: DeadlineExceeded\nExitCode: \nMessage: ");
}

#define ENDED(CODE)                                                                                \
    "'state':{'terminated':{'exitCode':" #CODE ",'reason':'R" #CODE "','message':'M'}}"
#define WAITING "{'name':'main','state':{'waiting':{'reason':'PodInitializing'}}}"

static void test_difference_7_the_remark_is_of_the_container_that_failed(void **state)
{
    struct decoding *d = *state;
    decode_status(
        d, "ADDED",
        "'phase':'Failed','reason':'of the pod','initContainerStatuses':[{'name':'a'," ENDED(
            0) "},{'name':'b'," ENDED(7) "},{'name':'c'," ENDED(8) "}],"
                                                                   "'containerStatuses':[" WAITING
                                                                   ",{'name':'side'," ENDED(
                                                                       9) "}]");
    expect(d, POD_REMARK, "Reason: R7\nExitCode: 7\nMessage: b: M");
    decode_status(d, "ADDED",
                  "'phase':'Failed','initContainerStatuses':[{'name':'a'," ENDED(
                      0) "}],"
                         "'containerStatuses':[" WAITING ",{'name':'side'," ENDED(9) "}]");
    expect(d, POD_REMARK, "Reason: R9\nExitCode: 9\nMessage: side: M");
    decode_status(d, "ADDED",
                  "'phase':'Failed','initContainerStatuses':[{'name':'a','state':{'terminated':{"
                  "'exitCode':1}}}]");
    expect(d, POD_REMARK, "Reason: \nExitCode: 1\nMessage: a");
    decode_status(d, "ADDED",
                  "'phase':'Failed','initContainerStatuses':[{'name':'a'," ENDED(0) "}]");
    expect(d, POD_REMARK, TEXT_OF_NULL);
}

static void test_the_main_containers_word_counts_before_all_others(void **state)
{
    struct decoding *d = *state;
    decode_status(d, "ADDED",
                  "'phase':'Failed','initContainerStatuses':[{'name':'a'," ENDED(
                      7) "}],"
                         "'containerStatuses':[{'name':'main'," ENDED(2) "}]");
    expect(d, POD_REMARK, "Reason: R2\nExitCode: 2\nMessage: M");
}

static void test_a_running_pod_has_started_when_its_container_did(void **state)
{
    struct decoding *d = *state;
    decode_state(d, "MODIFIED", "Running", "'running':{'startedAt':" AT(1) "}");
    expect(d, POD_STARTED, "2026-01-01T01:00:00Z");
    decode_state(d, "MODIFIED", "Running", "'running':{'startedAt':null}");
    expect(d, POD_STARTED, "2026-01-01T00:00:00Z");
    decode_state(d, "MODIFIED", "Running", "'terminated':{'startedAt':" AT(1) "}");
    expect(d, POD_STARTED, "2026-01-01T00:00:00Z");
    expect(d, POD_FINISHED, TEXT_OF_NULL);
    decode_state(d, "MODIFIED", "Unknown", "'running':{'startedAt':" AT(1) "}");
    expect(d, POD_STARTED, TEXT_OF_NULL);
}

static void test_a_pod_that_ended_has_its_containers_times(void **state)
{
    struct decoding *d = *state;
    const char *terminated = "'terminated':{'startedAt':" AT(1) ",'finishedAt':" AT(2) "}";
    decode_state(d, "MODIFIED", "Succeeded", terminated);
    expect(d, POD_STARTED, "2026-01-01T01:00:00Z");
    expect(d, POD_FINISHED, "2026-01-01T02:00:00Z");
    expect(d, POD_REMARK, TEXT_OF_NULL);
    decode_state(d, "DELETED", "Failed", terminated);
    expect(d, POD_STARTED, "2026-01-01T01:00:00Z");
    expect(d, POD_FINISHED, "2026-01-01T02:00:00Z");
}

static void test_the_remark_of_a_failed_pod_has_three_lines(void **state)
{
    struct decoding *d = *state;
    decode_state(d, "MODIFIED", "Failed",
                 "'terminated':{'reason':'OOMKilled','exitCode':137,'message':'a\\nb'}");
    expect(d, POD_REMARK, "Reason: OOMKilled\nExitCode: 137\nMessage: a\nb");
    decode_state(d, "MODIFIED", "Failed", "'terminated':{'exitCode':-1}");
    expect(d, POD_REMARK, "Reason: \nExitCode: -1\nMessage: ");
    decode_state(d, "MODIFIED", "Failed", "'terminated':{}");
    expect(d, POD_REMARK, "Reason: \nExitCode: 0\nMessage: ");
}

static void test_difference_18_a_nul_in_a_message_is_u_fffd(void **state)
{
    struct decoding *d = *state;
    decode_state(d, "MODIFIED", "Failed", "'terminated':{'message':'a\\u0000b'}");
    static const char expected[] = "Reason: \nExitCode: 0\nMessage: a\xef\xbf\xbd"
                                   "b";
    struct text remark = cell_as_text(&d->result.row->cells[POD_REMARK]);
    assert_int_equal(remark.length, sizeof(expected) - 1);
    assert_memory_equal(remark.data, expected, sizeof(expected) - 1);
}

static void test_difference_3_a_missing_finish_is_the_newest_containers(void **state)
{
    struct decoding *d = *state;
    decode_state(d, "MODIFIED", "Failed", "'terminated':{}");
    expect(d, POD_FINISHED, RECEIVED);
    decode_state(d, "MODIFIED", "Failed", "'terminated':{'finishedAt':'1970-01-01T00:00:00Z'}");
    expect(d, POD_FINISHED, RECEIVED);
    decode_status(d, "MODIFIED",
                  "'phase':'Failed','conditions':[{'lastTransitionTime':" AT(5) "}]");
    expect(d, POD_FINISHED, RECEIVED);
    decode_status(d, "MODIFIED",
                  "'phase':'Succeeded','containerStatuses':[{},"
                  "{'state':{'terminated':{'finishedAt':" AT(
                      6) "}}},"
                         "{'state':{'terminated':{'finishedAt':" AT(4) "}}}]");
    expect(d, POD_FINISHED, "2026-01-01T06:00:00Z");
}

/* It was evicted, or reached its deadline: its phase is ahead of its containers. */
static void test_difference_3_a_failed_pod_has_no_end_while_a_container_runs(void **state)
{
    struct decoding *d = *state;
    decode_state(d, "MODIFIED", "Failed", "'running':{'startedAt':" AT(1) "}");
    expect(d, POD_FINISHED, RECEIVED);
    decode_status(d, "MODIFIED",
                  "'phase':'Failed','containerStatuses':["
                  "{'state':{'terminated':{'finishedAt':" AT(4) "}}},{'state':{'running':{}}}]");
    expect(d, POD_FINISHED, RECEIVED);
}

static void test_a_pod_has_no_end_before_its_phase_is_final(void **state)
{
    struct decoding *d = *state;
    decode_status(d, "MODIFIED",
                  "'phase':'Running','containerStatuses':["
                  "{'state':{'terminated':{'finishedAt':" AT(4) "}}},{'state':{'running':{}}}]");
    expect(d, POD_FINISHED, TEXT_OF_NULL);
    decode_status(d, "DELETED",
                  "'phase':'Running','containerStatuses':["
                  "{'state':{'terminated':{'finishedAt':" AT(4) "}}},{'state':{'running':{}}}]");
    expect(d, POD_FINISHED, RECEIVED);
}

/* containerd says so of a container that could not be started. */
static void test_difference_3_a_start_in_1970_is_none(void **state)
{
    struct decoding *d = *state;
    decode_state(d, "MODIFIED", "Failed",
                 "'terminated':{'startedAt':'1970-01-01T00:00:00Z','finishedAt':" AT(2) "}");
    expect(d, POD_STARTED, "2026-01-01T00:00:00Z");
    expect(d, POD_FINISHED, "2026-01-01T02:00:00Z");
    assert_int_equal(d->result.bad_fields, 0);
}

static void test_the_deletion_deadline_of_a_live_pod_is_no_finish(void **state)
{
    struct decoding *d = *state;
    decode_pod(d, "MODIFIED", OURS ",'deletionTimestamp':" AT(9), ",'status':{'phase':'Running'}");
    expect(d, POD_FINISHED, TEXT_OF_NULL);
    expect(d, POD_STATUS, "Running");
    decode_pod(d, "MODIFIED", OURS ",'deletionTimestamp':" AT(9), ",'status':{'phase':'Failed'}");
    expect(d, POD_FINISHED, RECEIVED);
}

/* ---- deletion -------------------------------------------------------------------------------- */

static void expect_gone(struct decoding *d, const char *status, const char *started,
                        const char *finished)
{
    expect(d, POD_STATUS, status);
    expect(d, POD_STARTED, started);
    expect(d, POD_FINISHED, finished);
    expect(d, POD_DELETED, "1");
    expect(d, POD_IN_ETCD, "0");
}

static void test_difference_1_a_deleted_pod_is_closed(void **state)
{
    struct decoding *d = *state;
    decode_status(d, "DELETED", "'phase':'Pending'");
    assert_int_equal(d->result.row->mode, ROW_UPSERT);
    expect_gone(d, "Stopped", "2026-01-01T00:00:00Z", RECEIVED);
    decode_state(d, "DELETED", "Running", "'running':{'startedAt':" AT(1) "}");
    expect_gone(d, "Stopped", "2026-01-01T01:00:00Z", RECEIVED);
    decode_pod(d, "DELETED", OURS ",'deletionTimestamp':" AT(4), ",'status':{'phase':'Unknown'}");
    expect_gone(d, "Stopped", "2026-01-01T00:00:00Z", "2026-01-01T04:00:00Z");
    decode_pod(d, "DELETED", OURS ",'deletionTimestamp':" AT(4),
               ",'status':{'phase':'Running','containerStatuses':[{'state':{"
               "'terminated':{'finishedAt':" AT(2) "}}}]}");
    expect_gone(d, "Stopped", "2026-01-01T00:00:00Z", "2026-01-01T04:00:00Z");
    decode_state(d, "DELETED", "Failed", "'terminated':{'finishedAt':" AT(2) "}");
    expect_gone(d, "Failed", "2026-01-01T00:00:00Z", "2026-01-01T02:00:00Z");
    decode_pod(d, "DELETED", OURS ",'deletionTimestamp':'2027-01-01T00:00:30Z'",
               ",'status':{'phase':'Running'}"); /* its grace period has not passed */
    expect_gone(d, "Stopped", "2026-01-01T00:00:00Z", RECEIVED);
    decode_pod(d, "DELETED", LABELS OWNER("TFJob"), "");
    expect_gone(d, "Stopped", RECEIVED, RECEIVED);
}

static void test_a_deleted_pod_of_somebody_else_closes_nothing(void **state)
{
    check_fate(*state, "DELETED", LABELS OWNER("ReplicaSet"), WATCH_FOREIGN_POD);
    check_fate(*state, "DELETED", OWNER("Job"), WATCH_FOREIGN_POD);
}

static void test_a_deleted_pod_that_lost_its_owner_closes_the_row_it_may_have(void **state)
{
    struct decoding *d = *state;
    decode_pod(d, "DELETED", CREATION, ",'status':{'phase':'Running','podIP':'10.0.0.2'}");
    assert_int_equal(d->result.row->mode, ROW_UPDATE);
    expect_gone(d, "Stopped", "2026-01-01T00:00:00Z", RECEIVED);
    expect(d, POD_NAME, "p");
    expect(d, POD_JOB_UID, TEXT_OF_NULL);
    expect(d, POD_REPLICA_TYPE, TEXT_OF_NULL);
    expect(d, POD_IMAGE, TEXT_OF_NULL);
    expect(d, POD_RESOURCES, TEXT_OF_NULL);
    expect(d, POD_POD_IP, "10.0.0.2");
    expect(d, POD_CREATED, "2026-01-01T00:00:00Z");
}

static void test_an_update_says_nothing_where_it_knows_nothing(void **state)
{
    struct decoding *d = *state;
    decode(d, "{'type':'DELETED','object':{'apiVersion':'v1','kind':'Pod',"
              "'metadata':{'uid':'p-1'}}}");
    assert_int_equal(d->result.row->mode, ROW_UPDATE);
    expect(d, POD_NAME, TEXT_OF_NULL);
    expect(d, POD_NAMESPACE, TEXT_OF_NULL);
    expect(d, POD_CREATED, TEXT_OF_NULL);
    expect(d, POD_STATED, ""); /* a tombstone: it does not know the phase either */
    expect_gone(d, "Stopped", TEXT_OF_NULL, RECEIVED);
}

static void test_an_update_keeps_what_it_knows_of_the_owner(void **state)
{
    struct decoding *d = *state;
    decode_pod(d, "DELETED", OWNER("TFJob"),
               ",'spec':{'containers':[{'image':'a'},{'name':'tensorflow','image':'b'}]}");
    assert_int_equal(d->result.row->mode, ROW_UPDATE);
    expect(d, POD_JOB_UID, "job-1");
    expect(d, POD_REPLICA_TYPE, TEXT_OF_NULL);
    expect(d, POD_IMAGE, "b");
    decode_pod(d, "DELETED", LABELS, ",'spec':{'containers':[{'image':'a'}]}");
    assert_int_equal(d->result.row->mode, ROW_UPDATE);
    expect(d, POD_JOB_UID, TEXT_OF_NULL);
    expect(d, POD_REPLICA_TYPE, "worker");
    expect(d, POD_IMAGE, "a");
    expect(d, POD_RESOURCES, "{}");
    decode_pod(d, "DELETED", LABELS, ",'spec':{'containers':[{'image':'a'},{'image':'b'}]}");
    expect(d, POD_IMAGE, TEXT_OF_NULL);
}

static void test_the_row_of_an_orphan_keeps_its_job_when_it_is_closed(void **state)
{
    struct decoding *d = *state;
    struct error err;
    decode_state(d, "ADDED", "Running", "'running':{'startedAt':" AT(1) "}");
    struct row *there = d->result.row;
    d->result.row = NULL;
    decode(d, "{'type':'DELETED','object':{'apiVersion':'v1','kind':'Pod','metadata':{"
              "'uid':'p-1','resourceVersion':'8'},'status':{'phase':'Running'}}}");
    struct row *comes = d->result.row;
    assert_int_equal(row_merge(there, comes, &d->result.row, &err), ERROR_NONE);
    row_free(there);
    row_free(comes);
    assert_int_equal(d->result.row->mode, ROW_UPSERT);
    expect_gone(d, "Stopped", "2026-01-01T01:00:00Z", RECEIVED);
    expect(d, POD_JOB_UID, "job-1");
    expect(d, POD_REPLICA_TYPE, "worker");
    expect(d, POD_NAME, "p");
}

/* ---- resources ------------------------------------------------------------------------------- */

static void decode_requests(struct decoding *d, const char *requests)
{
    decode(d, EVENT ",'spec':{'containers':[{'resources':{'requests':%s}}]}}}", "ADDED", OURS,
           requests);
}

static void test_a_quantity_may_be_a_number_or_null(void **state)
{
    struct decoding *d = *state;
    decode_requests(d, "{'b':null,'a':1.50,'c':1e3}");
    expect(d, POD_RESOURCES, "{\"requests\":{\"a\":\"1500m\",\"b\":\"0\",\"c\":\"1k\"}}");
    assert_int_equal(d->result.bad_quantities, 0);
}

static void test_difference_17_a_bad_quantity_loses_its_resource_not_the_row(void **state)
{
    struct decoding *d = *state;
    decode_requests(d, "{'a':'1K','b':'2','c':true,'d':''}");
    expect(d, POD_RESOURCES, "{\"requests\":{\"b\":\"2\"}}");
    assert_int_equal(d->result.bad_quantities, 3);
    decode_requests(d, "{'a':'1K'}");
    expect(d, POD_RESOURCES, "{}");
}

static void test_one_bad_quantity_makes_the_whole_sum_unknown(void **state)
{
    struct decoding *d = *state;
    decode_pod(d, "ADDED", OURS,
               ",'spec':{'containers':[{'resources':{'requests':{'cpu':'1','gpu':'1'}}},"
               "{'resources':{'requests':{'cpu':'?','gpu':'2'}}}]}");
    expect(d, POD_RESOURCES, "{\"requests\":{\"gpu\":\"3\"}}");
    assert_int_equal(d->result.bad_quantities, 1);
}

static void test_of_a_duplicate_resource_the_last_one_counts(void **state)
{
    struct decoding *d = *state;
    decode_pod(d, "ADDED", OURS,
               ",'spec':{'containers':[{'resources':{'requests':{'cpu':'8','cpu':'1'}}},"
               "{'resources':{'requests':{'cpu':'2'}}}]}");
    expect(d, POD_RESOURCES, "{\"requests\":{\"cpu\":\"3\"}}");
}

static void test_a_list_of_too_many_resources_is_left_out_as_a_whole(void **state)
{
    struct decoding *d = *state;
    char *rest = malloc(100000);
    assert_non_null(rest);
    size_t used = (size_t)sprintf(rest, ",'spec':{'containers':[{'resources':{"
                                        "'limits':{'gpu':'1'},'requests':{");
    for (int i = 0; i < 5000; i++)
        used += (size_t)sprintf(rest + used, "%s'r%04d':'1'", i > 0 ? "," : "", i);
    sprintf(rest + used, "}}}]}");
    decode_pod(d, "ADDED", OURS, rest);
    free(rest);
    expect(d, POD_RESOURCES, "{\"limits\":{\"gpu\":\"1\"}}");
    assert_int_equal(d->result.bad_quantities, 5000);
}

static void test_empty_and_null_maps_are_left_out(void **state)
{
    struct decoding *d = *state;
    decode_pod(d, "ADDED", OURS,
               ",'spec':{'containers':[{'resources':{'limits':{},'requests':null}},"
               "{'resources':null},null]}");
    expect(d, POD_RESOURCES, "{}");
    assert_int_equal(d->result.bad_fields, 0);
}

/* ---- what does not fit ----------------------------------------------------------------------- */

static void test_difference_9_emoji_and_long_texts_are_kept(void **state)
{
    struct decoding *d = *state;
    char status[4096];
    char message[2001];
    memset(message, 'x', 2000);
    message[2000] = '\0';
    snprintf(status, sizeof(status), "'terminated':{'message':'\xF0\x9F\x98\x80 %s'}", message);
    decode_state(d, "MODIFIED", "Failed", status);
    assert_int_equal(d->result.row->cut_columns, 0);
    assert_int_equal(d->result.row->cells[POD_REMARK].length,
                     strlen("Reason: \nExitCode: 0\nMessage: \xF0\x9F\x98\x80 ") + 2000);
}

static void test_difference_9_an_endless_message_is_cut(void **state)
{
    struct decoding *d = *state;
    size_t length = 300000;
    char *rest = malloc(2 * length + 200);
    assert_non_null(rest);
    size_t used = (size_t)sprintf(rest, ",'status':{'phase':'Failed','reason':'");
    memset(rest + used, 'r', length);
    used += length;
    used += (size_t)sprintf(rest + used, "','message':'");
    memset(rest + used, 'm', length);
    sprintf(rest + used + length, "'}");
    decode_pod(d, "MODIFIED", OURS, rest);
    free(rest);
    expect_fate(d, WATCH_ROW);
    struct text remark = cell_as_text(&d->result.row->cells[POD_REMARK]);
    assert_int_equal(remark.length, TEXT_MAX_BYTES);
    assert_memory_equal(remark.data, "Reason: rrr", 11);
    assert_int_equal(d->result.row->cut_columns, 1U << POD_REMARK);
}

static void test_difference_9_endless_resource_names_are_cut(void **state)
{
    struct decoding *d = *state;
    char *rest = malloc(900000);
    assert_non_null(rest);
    size_t used = (size_t)sprintf(rest, ",'spec':{'containers':[{'resources':{'requests':{");
    for (int i = 0; i < 4; i++) {
        used += (size_t)sprintf(rest + used, "%s'%d", i > 0 ? "," : "", i);
        memset(rest + used, '&', 200000);
        used += 200000;
        used += (size_t)sprintf(rest + used, "':'1'");
    }
    sprintf(rest + used, "}}}]}");
    decode_pod(d, "MODIFIED", OURS, rest);
    free(rest);
    expect_fate(d, WATCH_ROW);
    assert_int_equal(d->result.row->cells[POD_RESOURCES].length, TEXT_MAX_BYTES);
    assert_int_equal(d->result.row->cut_columns, 1U << POD_RESOURCES);
}

/* ---- wrong types ----------------------------------------------------------------------------- */

static void test_fields_of_a_wrong_type_are_dropped_and_counted(void **state)
{
    struct decoding *d = *state;
    decode_pod(d, "ADDED", OURS,
               ",'spec':{'containers':{'a':{'image':'x'}}},'status':{'phase':3,'podIP':[],"
               "'containerStatuses':'none'}");
    expect(d, POD_STATUS, "Unknown");
    expect(d, POD_IMAGE, "");
    expect(d, POD_POD_IP, TEXT_OF_NULL);
    assert_true(d->result.bad_fields >= 4);
    decode_pod(d, "ADDED", OURS, ",'spec':{'containers':[7]},'status':'x'");
    expect(d, POD_IMAGE, "");
    assert_true(d->result.bad_fields >= 2);
    decode_state(d, "ADDED", "Failed", "'terminated':{'exitCode':'1','finishedAt':'soon'}");
    expect(d, POD_REMARK, "Reason: \nExitCode: 0\nMessage: ");
    expect(d, POD_FINISHED, RECEIVED);
    assert_true(d->result.bad_fields >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        decoding_test(test_each_column_of_a_live_pod),
        decoding_test(test_a_pod_with_nothing_but_its_owner),
        decoding_test_with_settings(test_region_and_cluster_come_from_the_settings),
        decoding_test(test_the_controller_decides_whose_a_pod_is),
        decoding_test(test_a_controller_of_an_unknown_api_group_counts_by_its_kind),
        decoding_test(test_pods_of_kubeflow_have_labels_of_their_own),
        decoding_test(test_main_container_is_that_of_the_kind_in_its_group),
        decoding_test(test_a_live_pod_without_labels_or_job_uid_is_foreign),
        decoding_test(test_a_live_pod_that_lost_its_job_is_an_orphan),
        decoding_test(test_difference_8_pods_of_all_kinds_are_recorded),
        decoding_test(test_a_later_container_of_the_kinds_name_stands_for_the_pod),
        decoding_test(test_the_container_status_is_chosen_by_itself),
        decoding_test(test_difference_7_a_pod_without_container_statuses_has_its_phase),
        decoding_test(test_difference_7_a_failed_pod_whose_container_waits_says_why),
        decoding_test(test_difference_7_the_remark_is_of_the_container_that_failed),
        decoding_test(test_the_main_containers_word_counts_before_all_others),
        decoding_test(test_a_running_pod_has_started_when_its_container_did),
        decoding_test(test_a_pod_that_ended_has_its_containers_times),
        decoding_test(test_the_remark_of_a_failed_pod_has_three_lines),
        decoding_test(test_difference_18_a_nul_in_a_message_is_u_fffd),
        decoding_test(test_difference_3_a_missing_finish_is_the_newest_containers),
        decoding_test(test_difference_3_a_failed_pod_has_no_end_while_a_container_runs),
        decoding_test(test_a_pod_has_no_end_before_its_phase_is_final),
        decoding_test(test_difference_3_a_start_in_1970_is_none),
        decoding_test(test_the_deletion_deadline_of_a_live_pod_is_no_finish),
        decoding_test(test_difference_1_a_deleted_pod_is_closed),
        decoding_test(test_a_deleted_pod_of_somebody_else_closes_nothing),
        decoding_test(test_a_deleted_pod_that_lost_its_owner_closes_the_row_it_may_have),
        decoding_test(test_an_update_says_nothing_where_it_knows_nothing),
        decoding_test(test_an_update_keeps_what_it_knows_of_the_owner),
        decoding_test(test_the_row_of_an_orphan_keeps_its_job_when_it_is_closed),
        decoding_test(test_a_quantity_may_be_a_number_or_null),
        decoding_test(test_difference_17_a_bad_quantity_loses_its_resource_not_the_row),
        decoding_test(test_one_bad_quantity_makes_the_whole_sum_unknown),
        decoding_test(test_of_a_duplicate_resource_the_last_one_counts),
        decoding_test(test_a_list_of_too_many_resources_is_left_out_as_a_whole),
        decoding_test(test_empty_and_null_maps_are_left_out),
        decoding_test(test_difference_9_emoji_and_long_texts_are_kept),
        decoding_test(test_difference_9_an_endless_message_is_cut),
        decoding_test(test_difference_9_endless_resource_names_are_cut),
        decoding_test(test_fields_of_a_wrong_type_are_dropped_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
