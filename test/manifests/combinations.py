"""Which components go together, what they render to, and a pod's parts by their names."""

import functools
import inspect
import itertools
import os
import tempfile
from pathlib import Path

import yaml
from render import load, render

ROOT = Path(__file__).resolve().parents[2]
MANIFESTS = ROOT / "manifests"

# Names what KubeDL's own Deployment names.
STAND_IN = MANIFESTS / "examples" / "mysql" / "kubedl.yaml"

SIDECAR = "kubedl-shipper"
CONTROLLER = "kubedl-manager"

# Of these at most one: they say where events come from.
SOURCES = ["kube-source", "kube-proxy-source"]
# Moves the sidecar, so that it comes behind what changes it.
LAST = ["plain-container"]


def all_combinations():
    """Each as a tuple of components in an order in which they may be named."""
    names = sorted(path.name for path in (MANIFESTS / "components").iterdir())
    free = [name for name in names if name not in SOURCES + LAST]
    choices = [[(), (name,)] for name in free]
    choices.append([()] + [(name,) for name in SOURCES if name in names])
    choices.append([()] + [(name,) for name in LAST if name in names])
    return [sum(chosen, ()) for chosen in itertools.product(*choices)]


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


def original():
    """KubeDL's Deployment as it was: the stand-in for it, without what only that needs."""
    (deployment,) = load(STAND_IN)
    spec = deployment["spec"]["template"]["spec"]
    del spec["volumes"]
    for field in ("command", "volumeMounts"):
        del spec["containers"][0][field]
    return deployment


def write(directory, components):
    """A kustomization of the combination, such as a user would write."""
    (directory / "kubedl.yaml").write_text(yaml.safe_dump(original()))
    paths = [MANIFESTS / "base", *(MANIFESTS / "components" / name for name in components)]
    (directory / "kustomization.yaml").write_text(yaml.safe_dump({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": ["kubedl.yaml"],
        "components": [os.path.relpath(path, directory.resolve()) for path in paths],
    }))


@functools.lru_cache(maxsize=None)
def rendered(components):
    with tempfile.TemporaryDirectory() as directory:
        write(Path(directory), components)
        return render(directory)


def in_every_combination(check):
    """Makes a test of a check, which takes what it needs of: pod, components, program, directory (one for
    all combinations)."""
    wanted = inspect.signature(check).parameters

    def test(program):
        with tempfile.TemporaryDirectory() as directory:
            given = {"program": program, "directory": Path(directory)}
            for components in all_combinations():
                given |= {"pod": Pod(rendered(components)), "components": components}
                try:
                    check(**{name: given[name] for name in wanted})
                except AssertionError as error:
                    raise AssertionError("+".join(("base", *components))) from error

    test.__name__, test.__doc__ = check.__name__, check.__doc__
    return test


def by_name(items):
    named = {item["name"]: item for item in items}
    assert len(named) == len(items)
    return named


class Pod:
    """KubeDL's pod in what was rendered, and what belongs to it."""

    def __init__(self, resources):
        self.resources = resources
        self.deployment = resources["Deployment", "kubedl-system", "kubedl"]
        self.template = self.deployment["spec"]["template"]
        self.spec = self.template["spec"]
        self.init_containers = by_name(self.spec.get("initContainers", []))
        self.containers = by_name(self.spec["containers"])
        self.all_containers = {**self.init_containers, **self.containers}
        self.sidecar = self.all_containers[SIDECAR]
        self.controller = self.containers[CONTROLLER]
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
