"""The ways of installing that docs/install.md describes."""

import re
from pathlib import Path

import yaml
from combinations import CHART, ROOT, original
from render import load, render

TEXT = (ROOT / "docs" / "install.md").read_text()

# What the user's own files of the kustomizations hold.
OWN = {
    "KubeDL from its own manifest": lambda: original(),
    "KubeDL from its Helm chart": lambda: load(CHART),
    "A controller that sends events": lambda: original(),
}


def section(title):
    """The text below a heading, up to the next one of its level."""
    level, text = re.search(rf"^(##+) {re.escape(title)}\n(.*)", TEXT, re.MULTILINE | re.DOTALL).groups()
    return re.split(rf"^#{{2,{len(level)}}} ", text, maxsplit=1, flags=re.MULTILINE)[0]


def kustomizations():
    """Pairs: the title of a section, and a kustomization in it."""
    titles = re.findall(r"^### (.*)", TEXT, re.MULTILINE)
    return [(title, yaml.safe_load(block)) for title in titles
            for block in re.findall(r"^ *```yaml\n *# kustomization.yaml\n(.*?)^ *```", section(title),
                                    re.MULTILINE | re.DOTALL)]


def write(directory, title, kustomization, hashes=False):
    """As the user has it, with a clone beside it. hashes: names of ConfigMaps have one, as kubectl makes."""
    (Path(directory) / "kubedl-shipper").symlink_to(ROOT)
    for name in kustomization["resources"]:
        if name.endswith(".yaml"):
            (Path(directory) / name).write_text(yaml.safe_dump_all(OWN[title]()))
    whole = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", **kustomization}
    if not hashes:
        whole["configMapGenerator"] = [{**generator, "options": {"disableNameSuffixHash": True}}
                                       for generator in kustomization.get("configMapGenerator", [])]
    (Path(directory) / "kustomization.yaml").write_text(yaml.safe_dump(whole))


def rendered(directory, title, kustomization):
    write(directory, title, kustomization)
    return render(directory)
