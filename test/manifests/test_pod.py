"""The sidecar's pod, KubeDL's or its own, in every combination of the components."""

import copy
import re

import kinds
import render
import settings
from combinations import CONTROLLERS, RUNBOOKS, SIDECAR, by_itself, in_every_combination, in_kubedls_pod, original

NOBODY = 65532
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"
SOCKET_FOLDER = "/run/kubedl"

# Seconds that KubeDL's controller is given to end in KubeDL's own manifest.
CONTROLLER_GRACE = 10


@in_kubedls_pod
def test_kubedl_is_as_it_was_but_for_the_socket(pod, components):
    was = original(components)[-1]["spec"]["template"]
    controller = copy.deepcopy(pod.controller)
    mounts = controller.pop("volumeMounts", [])
    assert controller == was["spec"]["containers"][0]
    assert [mount["mountPath"] for mount in mounts] == [SOCKET_FOLDER]
    labels = {**was["metadata"]["labels"], SIDECAR: "true"}
    assert pod.template["metadata"] == {**was["metadata"], "labels": labels}
    assert pod.spec.get("serviceAccountName") == was["spec"].get("serviceAccountName")


@in_kubedls_pod
def test_a_new_name_makes_no_new_container(pod, components):
    """A patch for a name that is not there makes a container beside the one that was meant."""
    assert CONTROLLERS & set(pod.containers) == {pod.controller["name"]}
    assert pod.controller["name"] == ("kubedl" if "chart-names" in components else "kubedl-manager")


@in_every_combination
def test_each_container_has_an_image(pod):
    """A patch that names what is not there makes a container that has none."""
    assert all(container["image"] for container in pod.all_containers.values())


@in_kubedls_pod
def test_the_sidecar_starts_before_kubedl_and_ends_after_it(pod, components):
    if "plain-container" in components:
        assert SIDECAR in pod.containers and "restartPolicy" not in pod.sidecar
    else:
        assert SIDECAR in pod.init_containers and pod.sidecar["restartPolicy"] == "Always"


@in_every_combination
def test_each_variable_is_a_setting(pod, program):
    assert set(pod.env) <= settings.names(program)


@in_every_combination
def test_the_program_takes_the_settings(pod, program, directory):
    environment = {**settings.CLUSTER, **settings.environment(pod, directory)}
    in_force = settings.in_force(program, environment)
    assert in_force["CLUSTER_ID"] == "prod-1"
    for name, variable in pod.env.items():
        if "value" in variable and "/" not in variable["value"]:
            assert in_force[name] == variable["value"]


@in_every_combination
def test_settings_may_be_given_without_a_patch(pod):
    """And may be left out."""
    assert pod.sidecar["envFrom"] == [{"configMapRef": {"name": SIDECAR, "optional": True}}]


@in_every_combination
def test_the_port_may_be_missing_from_the_secret(pod):
    """It is, in KubeDL's documentation."""
    reference = pod.env["MYSQL_PORT"]["valueFrom"]["secretKeyRef"]
    assert reference["key"] == "port" and reference["optional"] is True


@in_every_combination
def test_each_volume_is_there_and_used(pod):
    used = set()
    for container in pod.all_containers.values():
        mounts = container.get("volumeMounts", [])
        paths = [mount["mountPath"] for mount in mounts]
        assert len(paths) == len(set(paths))
        used |= {mount["name"] for mount in mounts}
    assert used == set(pod.volumes)


@in_every_combination
def test_each_claim_is_there(pod):
    claims = {claim["metadata"]["name"] for claim in pod.of_kind("PersistentVolumeClaim")}
    used = {volume["persistentVolumeClaim"]["claimName"] for volume in pod.volumes.values()
            if "persistentVolumeClaim" in volume}
    assert claims == used


@in_every_combination
def test_a_volume_has_one_source(pod):
    assert all(len(volume) == 2 for volume in pod.volumes.values())


@in_kubedls_pod
def test_the_socket_is_where_kubedl_finds_it(pod):
    mount, volume = pod.mount_of(f"{SOCKET_FOLDER}/events.sock")
    assert pod.controller["volumeMounts"] == [{"name": mount["name"], "mountPath": SOCKET_FOLDER}]
    assert "emptyDir" in volume and not mount.get("readOnly")


@in_every_combination
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


@in_every_combination
def test_a_claim_is_never_used_by_two_pods(pod):
    if pod.of_kind("PersistentVolumeClaim"):
        assert pod.deployment["spec"]["strategy"] == {"type": "Recreate"}
        assert pod.deployment["spec"]["replicas"] == 1


@in_every_combination
def test_what_waits_fits_into_memory(pod):
    """Twice: rows take what they count for, and documents, snapshots and batches take the rest."""
    waiting = settings.bytes_of(pod.env["OUTBOX_MAX_BYTES"]["value"])
    resources = pod.sidecar["resources"]
    assert 2 * waiting <= settings.bytes_of(resources["limits"]["memory"])
    assert set(resources["requests"]) == {"cpu", "memory"}


@in_every_combination
def test_there_is_time_for_both_to_end(pod):
    grace = int(pod.env["SHUTDOWN_GRACE_MS"]["value"]) / 1000
    before = CONTROLLER_GRACE if pod.controller else 0
    assert before + grace + 5 <= pod.spec["terminationGracePeriodSeconds"]


@in_every_combination
def test_ours_may_do_nothing_they_need_not(pod):
    for name in set(pod.all_containers) - CONTROLLERS:
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


@in_every_combination
def test_the_sidecar_has_no_token_that_it_does_not_use(pod):
    """Something that is mounted in the token's place keeps the token out."""
    masked = any(mount["mountPath"] == TOKEN for mount in pod.sidecar["volumeMounts"])
    assert masked == ("kube:" not in sources(pod))


@in_every_combination
def test_events_come_from_where_the_components_say(pod, components):
    listen, kube = f"unix-listen:{SOCKET_FOLDER}/events.sock", "kube:"
    chosen = {"event-stream": [listen], "kube-source": [kube], "standalone": [kube],
              "kube-proxy-source": ["kube+unix:/run/kubedl-shipper-proxy/api.sock"]}
    (expected,) = [chosen[name] for name in components if name in chosen] or [[listen, kube]]
    assert sources(pod) == expected


@in_every_combination
def test_probes_ask_the_program_where_it_listens(pod):
    (port,) = pod.sidecar["ports"]
    assert pod.env["HTTP_LISTEN"]["value"] == f":{port['containerPort']}"
    for probe, path in (("startupProbe", "/readyz"), ("readinessProbe", "/readyz"),
                        ("livenessProbe", "/livez")):
        assert pod.sidecar[probe]["httpGet"] == {"path": path, "port": port["name"]}


@in_every_combination
def test_a_port_has_a_name_and_a_number_of_its_own(pod):
    ports = [port for container in pod.all_containers.values() for port in container.get("ports", [])]
    assert len({port["name"] for port in ports}) == len(ports)
    assert len({port["containerPort"] for port in ports}) == len(ports)
    assert all(len(port["name"]) <= 15 for port in ports)


@in_every_combination
def test_there_is_time_to_read_back_a_full_spool(pod):
    probe = pod.sidecar["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 300


@in_every_combination
def test_prometheus_finds_the_port(pod, components):
    monitors = pod.of_kind("PodMonitor")
    assert len(monitors) == ("monitoring" in components)
    for monitor in monitors:
        (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
        (port,) = pod.sidecar["ports"]
        assert (endpoint["port"], endpoint["path"]) == (port["name"], "/metrics")
        labels = pod.template["metadata"]["labels"]
        assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()
        # The operator makes the label "job" of these, and the alerts ask for it, in any namespace.
        job = f"{monitor['metadata']['namespace']}/{monitor['metadata']['name']}"
        (rules,) = pod.of_kind("PrometheusRule")
        asked = re.findall(r'job=~"([^"]*)"', str(rules["spec"]))
        assert asked and all(re.fullmatch(pattern, job) for pattern in asked)


@in_every_combination
def test_the_alerts_lead_to_the_runbooks(pod, components):
    for rules in pod.of_kind("PrometheusRule"):
        for rule in rules["spec"]["groups"][0]["rules"]:
            page, section = rule["annotations"]["runbook_url"].split("#")
            assert section == rule["alert"].lower()
            assert page == (RUNBOOKS["data"]["url"] if "runbook-url" in components else "docs/runbooks.md")


@in_every_combination
def test_the_connection_to_the_database_is_as_safe_as_it_says(pod, components):
    if "tls" in components:
        assert pod.env["MYSQL_SSL_MODE"]["value"] == "verify-identity"
        mount, _ = pod.mount_of(pod.env["MYSQL_SSL_CA"]["value"])
        assert mount["readOnly"]
    else:
        assert not any(name.startswith("MYSQL_SSL") for name in pod.env)


@in_every_combination
def test_the_account_is_in_variables_or_in_files(pod, components):
    for name in ("MYSQL_USER", "MYSQL_PASSWORD"):
        in_file = {"password-file", "standalone"} & set(components) != set()
        assert (name in pod.env, f"{name}_FILE" in pod.env) == (not in_file, in_file)
        if in_file:
            mount, _ = pod.mount_of(pod.env[f"{name}_FILE"]["value"])
            assert mount["readOnly"] and "subPath" not in mount


def sources(pod):
    """Where events come from."""
    return pod.env["EVENT_SOURCE"]["value"].split(",")


def rights(pod):
    """What the sidecar's account may: triples of API group, resource, verb."""
    return {(group, resource, verb) for role in pod.of_kind("ClusterRole") for rule in role["rules"]
            for group in rule["apiGroups"] for resource in rule["resources"] for verb in rule["verbs"]}


@in_every_combination
def test_the_rights_are_what_the_program_reads(pod, program):
    if not any(source.startswith("kube") for source in sources(pod)):
        assert rights(pod) == set()
        return
    read = {("", "pods"), *kinds.resources(program)}
    assert rights(pod) == {(*resource, verb) for resource in read for verb in ("list", "watch")} \
        | {("", "namespaces", "get")}
    (role,) = pod.of_kind("ClusterRole")
    assert [rule["resourceNames"] for rule in role["rules"] if "namespaces" in rule["resources"]] \
        == [["kube-system"]]


@in_every_combination
def test_the_rights_are_the_pods(pod):
    """base and standalone may be in one cluster, where the names of both bindings have to differ."""
    alone = pod.deployment["metadata"]["name"] == SIDECAR
    name = f"{SIDECAR}-standalone" if alone else SIDECAR
    for role in pod.of_kind("ClusterRole"):
        binding = pod.resources["ClusterRoleBinding", None, name]
        assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                                      "name": role["metadata"]["name"]}
        assert binding["subjects"] == [{
            "kind": "ServiceAccount", "name": pod.spec.get("serviceAccountName", "default"),
            "namespace": pod.deployment["metadata"]["namespace"]}]


@in_kubedls_pod
def test_the_proxy_serves_the_socket_that_the_sidecar_asks(pod, components):
    if "kube-proxy-source" not in components:
        return
    path = pod.env["EVENT_SOURCE"]["value"].removeprefix("kube+unix:")
    mount, volume = pod.mount_of(path)
    proxy = pod.containers["kubedl-shipper-proxy"]
    assert proxy["volumeMounts"] == [mount] and "emptyDir" in volume
    assert f"--unix-socket={path}" in proxy["args"]
    assert "--reject-methods=^(POST|PUT|PATCH|DELETE)$" in proxy["args"]


@in_every_combination
def test_all_of_ours_is_in_kubedls_namespace(pod, components):
    theirs = {(resource["kind"], resource["metadata"]["name"]) for resource in original(components)}
    for kind, namespace, name in pod.resources:
        assert namespace == "kubedl-system" or (kind, name) in theirs or kind in render.CLUSTER_WIDE


@by_itself
def test_its_deployment_finds_its_own_pods(pod):
    labels = pod.template["metadata"]["labels"]
    assert pod.deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert not {"app", "control-plane", "app.kubernetes.io/instance"} & set(labels)
    assert list(pod.all_containers) == [SIDECAR]


@by_itself
def test_its_account_is_its_own(pod):
    (account,) = pod.of_kind("ServiceAccount")
    assert account["metadata"]["name"] == pod.spec["serviceAccountName"] == SIDECAR
    assert not account["automountServiceAccountToken"] and pod.spec["automountServiceAccountToken"]


@by_itself
def test_services_set_no_variables(pod):
    """One that is called mysql would set MYSQL_PORT."""
    assert pod.spec["enableServiceLinks"] is False


@by_itself
def test_of_two_one_leads(pod, components):
    """And each has a spool of its own."""
    leader = pod.env.get("LEADER", {}).get("value")
    two = "two-replicas" in components
    assert (pod.deployment["spec"]["replicas"], leader) == ((2, "mysql") if two else (1, None))
    if two:
        assert "emptyDir" in pod.volumes["kubedl-shipper-spool"]
        (spread,) = pod.spec["topologySpreadConstraints"]
        assert spread["labelSelector"] == pod.deployment["spec"]["selector"]
