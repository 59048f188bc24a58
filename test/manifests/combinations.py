"""Which components go together, what they render to, and a pod's parts by their names."""

import functools
import inspect
import itertools
import os
import tempfile
from pathlib import Path

import yaml
from render import load, render, subjects

ROOT = Path(__file__).resolve().parents[2]
MANIFESTS = ROOT / "manifests"

# Names what KubeDL's own Deployment names.
STAND_IN = MANIFESTS / "examples" / "mysql" / "kubedl.yaml"
CHART = ROOT / "test" / "manifests" / "data" / "chart.yaml"

SIDECAR = "kubedl-shipper"
CONTROLLERS = {"kubedl-manager", "kubedl"}  # in KubeDL's own manifest, and in its chart

# What a user of runbook-url has among the resources.
RUNBOOKS = {"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "kubedl-shipper-runbooks",
                         "annotations": {"config.kubernetes.io/local-config": "true"}},
            "data": {"url": "https://wiki.example.com/runbooks"}}

# Of each line one: with the sidecar in KubeDL's pod, and with a Deployment of its own. Their order is
# one in which they may be named.
CHOICES = {
    "base": [
        [(), ("chart-names",)],
        [(), ("kube-source",), ("kube-proxy-source",), ("event-stream",)],
        [(), ("tls",)],
        [(), ("password-file",)],
        [(), ("persistent-spool",)],
        [(), ("monitoring", "secret")],
        [(), ("plain-container",)],
    ],
    "standalone": [
        [(), ("tls",)],
        [(), ("persistent-spool",), ("two-replicas",)],
        [(), ("monitoring", "secret"), ("monitoring", "runbook-url")],
    ],
}


def all_combinations():
    """Each as a tuple: base or standalone, and components in an order in which they may be named."""
    return [sum(chosen, (form,)) for form, choices in CHOICES.items()
            for chosen in itertools.product(*choices)]


def covering():
    """A few of them, in which any two components are once both there, once both not, and so on."""
    chosen = all_combinations()
    names = sorted(set(sum(chosen, ())))
    pairs = {components: set(itertools.combinations([(name, name in components) for name in names], 2))
             for components in chosen}
    missing = set.union(*pairs.values())
    few = []
    while missing:
        few.append(max(chosen, key=lambda components: len(pairs[components] & missing)))
        missing -= pairs[few[-1]]
    return few


def original(components=(), release="kubedl-system"):
    """KubeDL's resources as they were, its Deployment last: what the chart renders for a release in a
    namespace, or the stand-in for its own manifest, without what only that needs."""
    if "chart-names" in components:
        resources = load(CHART)
        for subject in subjects(resources):
            subject["namespace"] = release
        return resources
    (deployment,) = load(STAND_IN)
    spec = deployment["spec"]["template"]["spec"]
    del spec["volumes"], spec["enableServiceLinks"]
    for field in ("command", "volumeMounts"):
        del spec["containers"][0][field]
    return [deployment]


def write(directory, components, **fields):
    """A kustomization of the combination, such as a user would write. fields: further ones of it."""
    form, *components = components
    resources, paths = [], [MANIFESTS / "components" / name for name in components]
    if form == "base":
        (directory / "kubedl.yaml").write_text(yaml.safe_dump_all(
            original(components, fields.get("namespace", "kubedl-system"))))
        resources.append("kubedl.yaml")
        paths.insert(0, MANIFESTS / form)
    else:
        resources.append(os.path.relpath(MANIFESTS / form, directory.resolve()))
    if "runbook-url" in components:
        (directory / "runbooks.yaml").write_text(yaml.safe_dump(RUNBOOKS))
        resources.append("runbooks.yaml")
    (directory / "kustomization.yaml").write_text(yaml.safe_dump({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": resources,
        "components": [os.path.relpath(path, directory.resolve()) for path in paths],
        "configMapGenerator": [{"name": SIDECAR, "namespace": "kubedl-system",
                                "literals": ["CLUSTER_ID=prod-1"],
                                "options": {"disableNameSuffixHash": True}}],
        **fields,
    }))


@functools.lru_cache(maxsize=None)
def rendered(components):
    with tempfile.TemporaryDirectory() as directory:
        write(Path(directory), components)
        return render(directory)


def in_every_combination(check, forms=tuple(CHOICES)):
    """Makes a test of a check, which takes what it needs of: pod, components, program, directory (one for
    all combinations)."""
    wanted = inspect.signature(check).parameters

    def test(program):
        with tempfile.TemporaryDirectory() as directory:
            given = {"program": program, "directory": Path(directory)}
            for components in all_combinations():
                if components[0] not in forms:
                    continue
                given |= {"pod": Pod(rendered(components)), "components": components}
                try:
                    check(**{name: given[name] for name in wanted})
                except AssertionError as error:
                    raise AssertionError("+".join(components)) from error

    test.__name__, test.__doc__ = check.__name__, check.__doc__
    return test


def in_kubedls_pod(check):
    """As in_every_combination, where the sidecar is in KubeDL's pod."""
    return in_every_combination(check, ("base",))


def by_itself(check):
    """As in_every_combination, where it has a Deployment of its own."""
    return in_every_combination(check, ("standalone",))


def by_name(items):
    named = {item["name"]: item for item in items}
    assert len(named) == len(items)
    return named


class Pod:
    """The sidecar's pod in what was rendered, and what belongs to it."""

    def __init__(self, resources):
        self.resources = resources
        (self.deployment,) = [deployment for deployment in self.of_kind("Deployment")
                              if deployment["metadata"]["name"] in ("kubedl", SIDECAR)]
        self.template = self.deployment["spec"]["template"]
        self.spec = self.template["spec"]
        self.init_containers = by_name(self.spec.get("initContainers", []))
        self.containers = by_name(self.spec["containers"])
        self.all_containers = {**self.init_containers, **self.containers}
        self.sidecar = self.all_containers[SIDECAR]
        self.controller = next((self.containers[name] for name in CONTROLLERS & set(self.containers)),
                               None)
        self.env = by_name(self.sidecar["env"])
        self.volumes = by_name(self.spec["volumes"])

    def of_kind(self, kind):
        """The resources of a kind."""
        return [resource for resource in self.resources.values() if resource["kind"] == kind]

    def mount_of(self, path):
        """The sidecar's mount that a path lies in, and the volume that is mounted."""
        for mount in self.sidecar["volumeMounts"]:
            if path.startswith(mount["mountPath"] + "/") or path == mount["mountPath"]:
                return mount, self.volumes[mount["name"]]
        raise AssertionError(f"{path} is in no volume")
