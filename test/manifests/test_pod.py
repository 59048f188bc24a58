"""KubeDL's pod with the sidecar, in every combination of the components."""

import copy

import settings
from combinations import SIDECAR, original

NOBODY = 65532
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"
SOCKET_FOLDER = "/run/kubedl"

# Seconds that KubeDL's controller is given to end in KubeDL's own manifest.
CONTROLLER_GRACE = 10


def test_kubedl_is_as_it_was_but_for_the_socket(pod):
    was = original()["spec"]["template"]["spec"]
    controller = copy.deepcopy(pod.controller)
    controller["volumeMounts"] = [mount for mount in controller["volumeMounts"]
                                  if mount["mountPath"] != SOCKET_FOLDER]
    assert controller == was["containers"][0]
    assert pod.template["metadata"]["labels"] == original()["spec"]["template"]["metadata"]["labels"]
    for volume in was["volumes"]:
        assert volume in pod.spec["volumes"]


def test_each_container_has_an_image(pod):
    """A patch that names what is not there makes a container that has none."""
    assert all(container["image"] for container in pod.all_containers.values())


def test_the_sidecar_starts_before_kubedl_and_ends_after_it(pod, components):
    if "plain-container" in components:
        assert SIDECAR in pod.containers and "restartPolicy" not in pod.sidecar
    else:
        assert SIDECAR in pod.init_containers and pod.sidecar["restartPolicy"] == "Always"


def test_each_variable_is_a_setting(pod, program):
    assert set(pod.env) <= settings.names(program)


def test_the_program_takes_the_settings(pod, program, tmp_path):
    environment = settings.environment(pod, tmp_path)
    in_force = settings.in_force(program, environment)
    for name, variable in pod.env.items():
        if "value" in variable and "/" not in variable["value"]:
            assert in_force[name] == variable["value"]


def test_settings_may_be_given_without_a_patch(pod):
    assert pod.sidecar["envFrom"] == [{"configMapRef": {"name": SIDECAR, "optional": True}}]


def test_the_port_may_be_missing_from_the_secret(pod):
    """It is, in KubeDL's documentation."""
    reference = pod.env["MYSQL_PORT"]["valueFrom"]["secretKeyRef"]
    assert reference["key"] == "port" and reference["optional"] is True


def test_each_volume_is_there_and_used(pod):
    used = set()
    for container in pod.all_containers.values():
        mounts = container.get("volumeMounts", [])
        paths = [mount["mountPath"] for mount in mounts]
        assert len(paths) == len(set(paths))
        used |= {mount["name"] for mount in mounts}
    assert used == set(pod.volumes)


def test_each_claim_is_there(pod):
    claims = {claim["metadata"]["name"] for claim in pod.of_kind("PersistentVolumeClaim")}
    used = {volume["persistentVolumeClaim"]["claimName"] for volume in pod.volumes.values()
            if "persistentVolumeClaim" in volume}
    assert claims == used


def test_a_volume_has_one_source(pod):
    assert all(len(volume) == 2 for volume in pod.volumes.values())


def test_the_socket_is_where_kubedl_finds_it(pod):
    source = pod.env["EVENT_SOURCE"]["value"]
    shared = [mount for mount in pod.controller["volumeMounts"] if mount["mountPath"] == SOCKET_FOLDER]
    if not source.startswith("unix-listen:"):
        assert shared == []
        return
    mount, volume = pod.mount_of(source.removeprefix("unix-listen:"))
    assert shared == [{"name": mount["name"], "mountPath": SOCKET_FOLDER}]
    assert "emptyDir" in volume and not mount.get("readOnly")


def test_the_spool_fits_on_its_volume(pod):
    """A pod that overfills an emptyDir is evicted; log and dead letters come on top of the cap."""
    mount, volume = pod.mount_of(pod.env["SPOOL_DIR"]["value"])
    assert not mount.get("readOnly")
    if "persistentVolumeClaim" in volume:
        (claim,) = pod.of_kind("PersistentVolumeClaim")
        size = claim["spec"]["resources"]["requests"]["storage"]
    else:
        size = volume["emptyDir"]["sizeLimit"]
    cap = settings.bytes_of(pod.env["SPOOL_MAX_BYTES"]["value"])
    assert 2 * cap <= settings.bytes_of(size)


def test_a_claim_is_never_used_by_two_pods(pod):
    if pod.of_kind("PersistentVolumeClaim"):
        assert pod.deployment["spec"]["strategy"] == {"type": "Recreate"}
        assert pod.deployment["spec"]["replicas"] == 1


def test_what_waits_fits_into_memory(pod):
    """Twice: rows take what they count for, and documents, snapshots and batches take the rest."""
    waiting = settings.bytes_of(pod.env["OUTBOX_MAX_BYTES"]["value"])
    resources = pod.sidecar["resources"]
    assert 2 * waiting <= settings.bytes_of(resources["limits"]["memory"])
    assert set(resources["requests"]) == {"cpu", "memory"}


def test_there_is_time_for_both_to_end(pod):
    grace = int(pod.env["SHUTDOWN_GRACE_MS"]["value"]) / 1000
    assert CONTROLLER_GRACE + grace + 5 <= pod.spec["terminationGracePeriodSeconds"]


def test_ours_may_do_nothing_they_need_not(pod):
    ours = set(pod.all_containers) - {pod.controller["name"]}
    for name in ours:
        assert pod.all_containers[name]["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": NOBODY,
            "runAsGroup": NOBODY,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        }, name
    # So that they can write to their volumes, and read what only a group may.
    assert pod.spec["securityContext"]["fsGroup"] == NOBODY


def test_the_sidecar_has_no_token_that_it_does_not_use(pod):
    """Something that is mounted in the token's place keeps the token out."""
    masked = any(mount["mountPath"] == TOKEN for mount in pod.sidecar["volumeMounts"])
    assert masked == (pod.env["EVENT_SOURCE"]["value"] != "kube:")


def test_all_is_in_kubedls_namespace(pod):
    for kind, namespace, name in pod.resources:
        assert namespace == "kubedl-system" or kind in ("ClusterRole", "ClusterRoleBinding"), name
