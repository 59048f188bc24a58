"""docs/ has what the program says; its queries answer; its "Add a column" is true."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness import events
from harness.sidecar import command
from harness.stream import line

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "test" / "docs"
STREAM = ROOT / "test" / "data" / "stream-c.ndjson.zst"
QUERIES = re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "tables.md").read_text(), re.DOTALL)

# A column of the pods: the node that the pod is bound to.
COLUMN = '    X(NODE, "node_name", TEXT, 253, SETTLED, NULL) \\\n'
PATH = '    "spec nodeName",\n'
CONVERTER = "        [POD_NODE] = node_name(object),\n"
READER = """static struct cell node_name(struct object *object)
{
    const json_value *spec = object_child(object, object->root, "spec");
    struct text name;
    return object_find_text(object, spec, "nodeName", &name) ? cell_text(name) : cell_null();
}

"""


def check(directory):
    return subprocess.run([SCRIPT, command()[-1], "check"], cwd=directory, capture_output=True,
                          text=True)


def test_the_documents_have_what_the_program_makes():
    result = check(ROOT)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("document, text", [("settings.md", "| `3306` |"), ("commands.md", "FILE|-"),
                                            ("tables.md", "`paddlejobs`"),
                                            ("kubedl-shipper.1", "BATCH_LINGER_MS"),
                                            ("kubedl-shipper.bash", "--dry-run")])
def test_a_document_that_has_it_not_is_found(directory, document, text):
    shutil.copytree(ROOT / "docs", directory / "docs")
    path = directory / "docs" / document
    assert text in path.read_text()
    path.write_text(path.read_text().replace(text, "other"))
    result = check(directory)
    assert result.returncode != 0 and f"docs/{document}: run: make docs" in result.stdout


@pytest.mark.parametrize("words, found", [
    ([""], {"audit", "dead-letters", "help", "--version"}), (["dead"], {"dead-letters"}),
    (["jobs", "--st"], {"--status"}), (["jobs", "--status", "S"], {"Succeeded", "Stopped"}),
    (["jobs", "--output", "=", "j"], {"json"}), (["pods", "-o", ""], {"table", "json"}),
    (["jobs", "--kind", "TF"], {"TFJob"}), (["repair", "--only", "jobs"], {"jobs-gone", "jobs-replaced"}),
    (["dead-letters", "d"], {"drop"}), (["dead-letters", "retry", ""], {"all"}),
    (["help", "set"], {"settings"}), (["replay", "Make"], {"Makefile"}),
])
def test_completion_of_bash(words, found):
    """What bash calls when somebody presses the tabulator behind the last of the words."""
    script = """. docs/kubedl-shipper.bash
        COMP_WORDS=(kubedl-shipper "$@") COMP_CWORD=$#
        _kubedl_shipper kubedl-shipper "${COMP_WORDS[$#]}" "${COMP_WORDS[$# - 1]}"
        printf '%s\\n' "${COMPREPLY[@]}" """
    result = subprocess.run(["bash", "-c", script, "bash", *words], cwd=ROOT, capture_output=True,
                            text=True, check=True)
    replies = set(result.stdout.split())
    assert (found <= replies) if words == [""] else (found == replies), result.stderr


def test_the_man_page_is_one():
    """groff finds nothing to complain of, and shows each command and setting."""
    result = subprocess.run(["groff", "-man", "-Tascii", "-ww", "docs/kubedl-shipper.1"], cwd=ROOT,
                            capture_output=True, text=True, check=True)
    assert result.stderr == ""
    shown = re.sub("\x1b\\[[0-9]*m|.\b", "", result.stdout)
    assert "kubedl-shipper dead-letters list | show ID" in shown
    assert all(name in shown for name in ("--namespace NAMESPACE", "MYSQL_SSL_MODE", "EXIT STATUS"))


def test_each_query_of_the_cookbook_answers(database, ship):
    lines = subprocess.run(["zstd", "-dcq", STREAM], stdout=subprocess.PIPE, check=True).stdout
    ship([lines], CLUSTER_ID="prod-1")
    assert len(QUERIES) >= 10
    for query in QUERIES:
        rows = database.query(query)
        assert rows and all(value is not None for value in rows[0].values()), query


def add_column(tree):
    header = tree / "lib" / "rows" / "table.h"
    text = header.read_text()
    head, tail = text.split("#define POD_COLUMNS(X)", 1)
    first, rest = tail.split("\n", 1)
    header.write_text(f"{head}#define POD_COLUMNS(X){first}\n{COLUMN}{rest}")
    converter = tree / "lib" / "kube" / "pod.c"
    text = converter.read_text()
    text = text.replace("const char *const pod_paths[] = {\n",
                        "const char *const pod_paths[] = {\n" + PATH, 1)
    place = text.index("        [POD_NAME] = ")
    text = text[:place] + CONVERTER + text[place:]
    place = text.index("enum error_code pod_convert(")
    converter.write_text(text[:place] + READER + text[place:])


@pytest.fixture(scope="module")
def with_column(tmp_path_factory):
    """The program with a column more."""
    tree = tmp_path_factory.mktemp("tree")
    for name in ("Makefile", ".ci", "lib", "sidecar"):
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, tree / name)
    add_column(tree)
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(("MAKE", "MFLAGS", "LINT_"))
                   and name not in ("BUILD", "VARIANT", "SHIPPER")}
    subprocess.run(["make", "-j2", "VARIANT=debug"], cwd=tree, env=environment, check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return tree / "build" / "debug" / "kubedl-shipper"


def pod(version, node):
    event = events.added(events.pod("pod-new", version))
    if node is not None:
        event["object"]["spec"]["nodeName"] = node
    return line(event)


def test_adding_a_column_takes_a_line_and_its_converter(database, ship, with_column, monkeypatch):
    """The table that is there gets the column, the upsert fills it, and it is merged by its rule."""
    ship([pod("5", None)])
    assert "node_name" not in database.query("SELECT * FROM replica_info")[0]
    monkeypatch.setenv("SHIPPER", str(with_column))
    ship([pod("6", "node-1")])
    assert [row["node_name"] for row in database.query("SELECT * FROM replica_info")] == ["node-1"]
    ship([pod("8", None)])
    row = database.query("SELECT * FROM replica_info")[0]
    assert (row["version"], row["node_name"]) == ("8", "node-1")
    kind = database.query("SELECT COLUMN_TYPE AS type FROM information_schema.COLUMNS"
                          " WHERE TABLE_SCHEMA = DATABASE() AND COLUMN_NAME = 'node_name'")
    assert [row["type"] for row in kind] == ["varchar(253)"]
