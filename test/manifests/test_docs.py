"""What docs/install.md says about the manifests is true."""

import re

import combinations
import pytest
import yaml

INSTALL = (combinations.ROOT / "docs" / "install.md").read_text()


def section(title):
    """The text below a heading, up to the next one of its level."""
    level, text = re.search(rf"^(##+) {re.escape(title)}\n(.*)", INSTALL, re.MULTILINE | re.DOTALL).groups()
    return re.split(rf"^#{{2,{len(level)}}} ", text, maxsplit=1, flags=re.MULTILINE)[0]


def test_lists_each_component():
    rows = re.findall(r"^\| `([a-z-]+)` \|", section("Add it to KubeDL"), re.MULTILINE)
    there = [path.name for path in (combinations.MANIFESTS / "components").iterdir()]
    assert sorted(rows) == sorted(there)


@pytest.mark.parametrize("title", ["Add it to KubeDL", "A Deployment of its own"])
def test_names_what_is_there(title):
    (block,) = re.findall(r"^```yaml\n# kustomization.yaml\n(.*?)^```", section(title), re.MULTILINE | re.DOTALL)
    kustomization = yaml.safe_load(block)
    for path in kustomization["resources"] + kustomization["components"]:
        name = path.removeprefix("kubedl-shipper/")
        assert name == path == "kubedl.yaml" or (combinations.ROOT / name / "kustomization.yaml").is_file()
