"""What docs/install.md says about the manifests is true."""

import re

import combinations
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


def test_names_components_that_are_there():
    (block,) = re.findall(r"^```yaml\n# kustomization.yaml\n(.*?)^```", section("Add it to KubeDL"),
                          re.MULTILINE | re.DOTALL)
    for path in yaml.safe_load(block)["components"]:
        name = path.removeprefix("kubedl-shipper/")
        assert name != path and (combinations.ROOT / name / "kustomization.yaml").is_file()
