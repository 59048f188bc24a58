"""What `kubectl kustomize` makes of a kustomization, for as much of it as manifests/ uses.

Debian has no kustomize that knows components. test_render.py holds this one against kubectl's, where
there is one. A field that is not covered here is an error, not ignored.
"""

import copy
import functools
import re
from pathlib import Path

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# Lists in a Deployment that are merged item by item, and the field that tells the items apart.
# Other lists are replaced.
MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "ports": "containerPort",
    "volumeMounts": "mountPath",
    "volumes": "name",
}

MARK = "$patch"

# A resource with this annotation is read, and not among what is rendered.
LOCAL_CONFIG = "config.kubernetes.io/local-config"


class RenderError(Exception):
    """The kustomization cannot be rendered."""


@functools.lru_cache(maxsize=None)
def parse(path):
    return [document for document in yaml.load_all(path.read_text(), LOADER) if document is not None]


def load(path):
    """The documents of a file."""
    return copy.deepcopy(parse(Path(path)))


def identity(resource):
    """What tells a resource from others."""
    metadata = resource["metadata"]
    return resource["kind"], metadata.get("namespace"), metadata["name"]


# ---- strategic merge patches ----------------------------------------------------------------------


def merge(target, patch):
    """`target` changed by `patch`: null removes a field, dictionaries are merged."""
    merged = dict(target)
    for field, change in patch.items():
        if change is None:
            merged.pop(field, None)
        else:
            merged[field] = merge_value(field, merged.get(field), change)
    return merged


def merge_value(field, target, change):
    if isinstance(change, dict):
        return merge(target if isinstance(target, dict) else {}, change)
    if isinstance(change, list) and field in MERGE_KEYS:
        return merge_items(MERGE_KEYS[field], target or [], change)
    return change


def merge_items(key, target, changes):
    """The changed items in the order of the patch, then the others."""
    rest = {item[key]: item for item in target}
    merged = []
    for change in changes:
        item = rest.pop(change[key], {})
        mark = change.get(MARK)
        if mark not in (None, "delete"):
            raise RenderError(f"{MARK}: {mark} is not covered")
        if mark is None:
            merged.append(merge(item, change))
    return merged + list(rest.values())


# ---- JSON patches ---------------------------------------------------------------------------------


def walk(document, pointer):
    """The container that a JSON pointer points into, and the index there."""
    *parents, last = pointer.removeprefix("/").split("/")
    for name in parents:
        document = document[int(name) if isinstance(document, list) else name]
    if isinstance(document, list):
        return document, len(document) if last == "-" else int(last)
    return document, last


def insert(document, pointer, value):
    parent, index = walk(document, pointer)
    if isinstance(parent, list):
        parent.insert(index, value)
    else:
        parent[index] = value


def apply_operation(document, operation):
    name, pointer = operation["op"], operation["path"]
    if name == "test":
        parent, index = walk(document, pointer)
        if parent[index] != operation["value"]:
            raise RenderError(f"{pointer} is {parent[index]}, not {operation['value']}")
    elif name == "remove":
        parent, index = walk(document, pointer)
        del parent[index]
    elif name == "replace":
        parent, index = walk(document, pointer)
        parent[index] = operation["value"]
    elif name == "add":
        insert(document, pointer, operation["value"])
    elif name == "move":
        parent, index = walk(document, operation["from"])
        insert(document, pointer, parent.pop(index))
    else:
        raise RenderError(f"operation {name} is not covered")


# ---- kustomizations -------------------------------------------------------------------------------


def check_fields(what, mapping, known):
    for field in mapping:
        if field not in known:
            raise RenderError(f"{what}: {field} is not covered")


def selected(resources, target):
    """Those that a target means. Its fields are regular expressions; no namespace is "default"."""
    check_fields("target", target, ("kind", "name", "namespace"))
    return [resource for resource in resources
            if re.fullmatch(target["kind"], resource["kind"])
            and re.fullmatch(target["name"], resource["metadata"]["name"])
            and re.fullmatch(target.get("namespace", ".*"),
                             resource["metadata"].get("namespace", "default"))]


def apply_patch(resources, directory, patch):
    """With a target, it is no error if there is none."""
    check_fields("patch", patch, ("path", "target"))
    (body,) = load(directory / patch["path"])
    if "target" in patch:
        chosen = selected(resources, patch["target"])
    else:
        chosen = [resource for resource in resources if identity(resource) == identity(body)]
        if not chosen:
            raise RenderError(f"{patch['path']}: there is nothing that it patches")
    for resource in chosen:
        if isinstance(body, list):
            for operation in body:
                apply_operation(resource, operation)
        elif body.get(MARK) == "delete":
            resources.remove(resource)
        elif resource["kind"] == "Deployment":
            check_fields("metadata", body["metadata"], ("name", "namespace"))
            change = {field: value for field, value in body.items() if field != "metadata"}
            resource.update(merge(resource, change))
        else:
            raise RenderError(f"patches of a {resource['kind']} are not covered")


# ---- replacements ---------------------------------------------------------------------------------


def places(document, fields):
    """Where a path with stars leads: pairs of a dictionary and the field in it."""
    field, *rest = fields
    if not rest:
        return [(document, field)]
    return [place for inner in (document if field == "*" else [document[field]])
            for place in places(inner, rest)]


def apply_replacement(resources, replacement):
    """The part of a text in front of the delimiter is replaced."""
    source = replacement["source"]
    named = {"kind": source["kind"], "name": source["name"]}
    found = selected(resources, named)
    if len(found) != 1:
        raise RenderError(f"{named}: there is not one source of the replacement")
    ((holder, field),) = places(found[0], source["fieldPath"].split("."))
    for target in replacement["targets"]:
        check_fields("replacement", target["options"], ("delimiter",))
        mark = target["options"]["delimiter"]
        for resource in selected(resources, target["select"]):
            for path in target["fieldPaths"]:
                for parent, last in places(resource, path.split(".")):
                    parent[last] = mark.join([holder[field], *parent[last].split(mark)[1:]])


def generate(directory, generator):
    check_fields("configMapGenerator", generator, ("name", "namespace", "files", "literals",
                                                   "options"))
    options = generator["options"]
    check_fields("options", options, ("disableNameSuffixHash", "labels"))
    if not options["disableNameSuffixHash"]:
        raise RenderError("names with a hash are not covered")
    data = dict(literal.split("=", 1) for literal in generator.get("literals", []))
    for name in generator.get("files", []):
        data[name] = (directory / name).read_text()
    metadata = {field: generator[field] for field in ("name", "namespace") if field in generator}
    if "labels" in options:
        metadata["labels"] = options["labels"]
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


CLUSTER_WIDE = ("ClusterRole", "ClusterRoleBinding", "Namespace")


def subjects(resources):
    """The accounts that are bound to roles."""
    return [subject for resource in resources for subject in resource.get("subjects", [])]


def move(resources, namespace):
    """All into a namespace. A binding follows its account if that is among the resources, or "default"."""
    accounts = {(resource["metadata"]["name"], resource["metadata"].get("namespace"))
                for resource in resources if resource["kind"] == "ServiceAccount"}
    for subject in subjects(resources):
        if subject["name"] == "default" or (subject["name"], subject.get("namespace")) in accounts:
            subject["namespace"] = namespace
    for resource in resources:
        if resource["kind"] == "Namespace":
            raise RenderError("renaming a Namespace is not covered")
        if resource["kind"] not in CLUSTER_WIDE:
            resource["metadata"]["namespace"] = namespace


def fill_subjects(resources):
    """A binding that names no namespace gets that of the account of this name."""
    for subject in subjects(resources):
        if "namespace" not in subject:
            (account,) = selected(resources, {"kind": "ServiceAccount", "name": subject["name"]})
            subject["namespace"] = account["metadata"]["namespace"]


KINDS = {
    "Kustomization": "kustomize.config.k8s.io/v1beta1",
    "Component": "kustomize.config.k8s.io/v1alpha1",
}


def accumulate(resources, directory, kustomization):
    """Adds to `resources` what the kustomization has, and changes what it patches."""
    check_fields("kustomization", kustomization,
                 ("apiVersion", "kind", "resources", "components", "patches", "configMapGenerator",
                  "replacements", "namespace"))
    if kustomization["apiVersion"] != KINDS[kustomization["kind"]]:
        raise RenderError(f"{directory}: apiVersion")
    for name in kustomization.get("resources", []):
        if (directory / name).is_dir():
            accumulate(resources, *read(directory / name))
        else:
            resources += load(directory / name)
    for name in kustomization.get("components", []):
        accumulate(resources, *read(directory / name))
    for generator in kustomization.get("configMapGenerator", []):
        resources.append(generate(directory, generator))
    for patch in kustomization.get("patches", []):
        apply_patch(resources, directory, patch)
    for replacement in kustomization.get("replacements", []):
        apply_replacement(resources, replacement)
    if "namespace" in kustomization:
        move(resources, kustomization["namespace"])


def read(directory):
    (kustomization,) = load(directory / "kustomization.yaml")
    return directory, kustomization


def render(directory):
    """The resources by their identity."""
    resources = []
    accumulate(resources, *read(Path(directory)))
    fill_subjects(resources)
    resources = [resource for resource in resources
                 if resource["metadata"].get("annotations", {}).get(LOCAL_CONFIG) != "true"]
    by_identity = {identity(resource): resource for resource in resources}
    if len(by_identity) != len(resources):
        raise RenderError(f"{directory}: a resource is there twice")
    return by_identity
