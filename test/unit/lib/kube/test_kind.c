/* kind: which objects are recorded, and under which number. */
#include "lib/kube/kind.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#define TRAINING  "training.kubedl.io/v1alpha1"
#define INFERENCE "inference.kubedl.io/v1alpha1"
#define KUBEFLOW  "kubeflow.org/v1"

static void assert_kind(const char *api_version, const char *name, const char *path,
                        const char *replica_specs, const char *container)
{
    const struct resource *resource = resource_find(text_from(api_version), text_from(name));
    assert_non_null(resource);
    assert_string_equal(resource->kind, name);
    assert_int_equal(strncmp(api_version, resource->group, strlen(resource->group)), 0);
    assert_string_equal(resource->version, strchr(api_version, '/') + 1);
    assert_string_equal(resource->name, path);
    assert_string_equal(resource->replica_specs, replica_specs);
    assert_string_equal(resource->default_container, container);
}

static const struct resource *find_api(const char *api_version, const char *kind)
{
    return resource_find(text_from(api_version), text_from(kind));
}

static void test_kinds_of_kubedl(void **state)
{
    (void)state;
    assert_kind(TRAINING, "TFJob", "tfjobs", "tfReplicaSpecs", "tensorflow");
    assert_kind(TRAINING, "PyTorchJob", "pytorchjobs", "pytorchReplicaSpecs", "pytorch");
    assert_kind(TRAINING, "XGBoostJob", "xgboostjobs", "xgbReplicaSpecs", "xgboostjob");
    assert_kind(TRAINING, "XDLJob", "xdljobs", "xdlReplicaSpecs", "xdl");
    assert_kind(TRAINING, "MarsJob", "marsjobs", "marsReplicaSpecs", "mars");
    assert_kind(TRAINING, "MPIJob", "mpijobs", "mpiReplicaSpecs", "mpi");
    assert_kind(TRAINING, "ElasticDLJob", "elasticdljobs", "elasticdlReplicaSpecs", "elasticdl");
    assert_kind(INFERENCE, "ElasticBatchJob", "elasticbatchjobs", "elasticBatchReplicaSpecs",
                "elasticbatch");
}

static void test_kinds_of_kubeflow(void **state)
{
    (void)state;
    assert_kind(KUBEFLOW, "TFJob", "tfjobs", "tfReplicaSpecs", "tensorflow");
    assert_kind(KUBEFLOW, "PyTorchJob", "pytorchjobs", "pytorchReplicaSpecs", "pytorch");
    assert_kind(KUBEFLOW, "XGBoostJob", "xgboostjobs", "xgbReplicaSpecs", "xgboost");
    assert_kind(KUBEFLOW, "MPIJob", "mpijobs", "mpiReplicaSpecs", "mpi");
    assert_kind(KUBEFLOW, "PaddleJob", "paddlejobs", "paddleReplicaSpecs", "paddle");
    assert_string_equal(find_api(KUBEFLOW, "MPIJob")->other_version, "v2beta1");
    assert_kind(KUBEFLOW, "JAXJob", "jaxjobs", "jaxReplicaSpecs", "jax");
}

static void test_a_name_alone_is_the_kind_of_kubedl_if_it_has_one(void **state)
{
    (void)state;
    for (size_t i = 1; i < RESOURCE_COUNT; i++) {
        const struct resource *first = resource_find_job(text_from(resource_table[i].kind));
        assert_string_equal(first->kind, resource_table[i].kind);
        bool only_kubeflow =
            strcmp(first->kind, "PaddleJob") == 0 || strcmp(first->kind, "JAXJob") == 0;
        assert_int_equal(strcmp(first->group, "kubeflow.org") == 0, only_kubeflow);
    }
}

static void assert_unknown(struct text kind)
{
    assert_null(resource_find_job(kind));
    assert_null(resource_find(TEXT(TRAINING), kind));
}

static void test_other_names_are_not_ours(void **state)
{
    (void)state;
    assert_unknown(TEXT(""));
    assert_unknown((struct text){NULL, 0});
    assert_unknown(TEXT("Job"));
    assert_unknown(TEXT("tfjob"));
    assert_unknown(TEXT("TFJo"));
    assert_unknown(TEXT("TFJobs"));
    assert_unknown(TEXT("TFJob\0"));
    assert_unknown(TEXT("Inference"));
}

static void test_the_same_name_in_another_group_is_not_ours(void **state)
{
    (void)state;
    assert_null(find_api("example.org/v1", "TFJob"));
    assert_null(find_api(KUBEFLOW, "MarsJob"));
    assert_null(find_api(TRAINING, "JAXJob"));
    assert_null(find_api(INFERENCE, "TFJob"));
    assert_null(find_api(TRAINING, "ElasticBatchJob"));
    assert_null(find_api("v1", "TFJob"));
    assert_null(find_api("", "TFJob"));
    assert_null(find_api("/v1alpha1", "TFJob"));
    assert_null(find_api("training.kubedl.io", "TFJob"));
    assert_null(find_api("training.kubedl.io.evil/v1alpha1", "TFJob"));
    assert_null(resource_find((struct text){NULL, 0}, TEXT("TFJob")));
}

static void test_the_version_of_the_group_does_not_matter(void **state)
{
    (void)state;
    assert_non_null(find_api("training.kubedl.io/v1", "TFJob"));
    assert_non_null(find_api("training.kubedl.io/", "TFJob"));
    assert_ptr_equal(find_api("kubeflow.org/v2beta1", "MPIJob"), find_api(KUBEFLOW, "MPIJob"));
}

static void test_each_resource_is_found_by_its_kind(void **state)
{
    (void)state;
    assert_ptr_equal(find_api("v1", "Pod"), &resource_table[0]);
    assert_ptr_equal(resource_table[0].table, &table_pod);
    for (size_t i = 1; i < RESOURCE_COUNT; i++) {
        char api_version[128];
        snprintf(api_version, sizeof(api_version), "%s/v9", resource_table[i].group);
        const struct resource *found = find_api(api_version, resource_table[i].kind);
        assert_ptr_equal(found, &resource_table[i]);
        assert_int_equal(resource_number(found), i);
        assert_ptr_equal(found->table, &table_job);
        assert_true(found->name[0] != '\0' && found->version[0] != '\0');
    }
}

static void test_other_resources_are_not_recorded(void **state)
{
    (void)state;
    assert_null(find_api("v1", "Event"));
    assert_null(find_api("", ""));
    assert_null(find_api("", "Pod"));
    assert_null(find_api("v2", "Pod"));
    assert_null(find_api(KUBEFLOW, "Pod"));
    assert_null(resource_find_job(TEXT("Pod")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_resource_is_found_by_its_kind),
        cmocka_unit_test(test_other_resources_are_not_recorded),
        cmocka_unit_test(test_kinds_of_kubedl),
        cmocka_unit_test(test_kinds_of_kubeflow),
        cmocka_unit_test(test_a_name_alone_is_the_kind_of_kubedl_if_it_has_one),
        cmocka_unit_test(test_other_names_are_not_ours),
        cmocka_unit_test(test_the_same_name_in_another_group_is_not_ours),
        cmocka_unit_test(test_the_version_of_the_group_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
