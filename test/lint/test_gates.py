"""Every gate can fail: plants one violation at a time in a small copy of the tree.

The copy has the build, the gates and one module, and passes all gates as it is.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COPIED = ["Makefile", ".ci", ".clang-format", ".clang-tidy", "lib/base/text.c", "lib/base/text.h", "test/lint"]
GATES = ["words", "docs", "rooms", "includes", "functions", "layers", "globals", "manifests", "format", "headers",
         "tidy"]

DOCUMENT = "docs/x" ".md"

# gate, file, what is in it, and what the gate has to say
VIOLATIONS = [
    ("words", "lib/base/x.c", "/* TO" "DO: later */\n", "finish it"),
    ("words", "test/x.py", "# FIX" "ME\n", "finish it"),
    ("words", "test/x.sh", "# See /wo" "rk/main.\n", "only one machine"),
    ("words", "manifests/x.yaml", "# ../sha" "red\n", "only one machine"),
    ("words", "sidecar/base/x.c", "    ass" "ert(row != 0);\n", "gone with NDEBUG"),
    ("words", "lib/base/x.h", "/* see absent" ".md */\n", "no such document"),
    ("docs", DOCUMENT, "[a](absent.txt)\n", "no such file or heading"),
    ("docs", DOCUMENT, "# A b\n\n[a](#a-c)\n", "no such file or heading"),
    ("docs", DOCUMENT, "`lib/base/absent.c`\n", "no such file or function"),
    ("docs", DOCUMENT, "`absent()`\n", "no such file or function"),
    ("docs", DOCUMENT, "`text_equal()` in `lib/base/text.h`; `error_failed()`\n", "no such file or function"),
    ("docs", "docs/architecture" ".md", "`lib/base`\n", "named there"),
    ("docs", "docs/development" ".md", "`test/lint/words`\n", "named there"),
    ("rooms", "lib/x.c", "int x(void);\n", "lies in one of the rooms"),
    ("rooms", "sidecar/absent/x.h", "int x(void);\n", "lies in one of the rooms"),
    ("rooms", "lib/base/x.c", '#include "lib/rows/row.h"\n', "no such arrow"),
    ("rooms", "sidecar/spool/x.c", '#  include "sidecar/kube/x.h"\n', "no such arrow"),
    ("includes", "sidecar/base/x.c", "#include <mysql.h>\n", "belongs to sidecar/store/db.c"),
    ("includes", "sidecar/base/x.h", "#include <mariadb/mysql.h>\n", "belongs to sidecar/store/db.c"),
    ("includes", "sidecar/base/x.c", "#include <cjson/cJSON.h>\n", "belongs to lib/json/json.c"),
    ("includes", "lib/base/x.h", "#include <cJSON.h>\n", "belongs to lib/json/json.c"),
    ("includes", "lib/base/x.h", "#include <uthash.h>\n", "inside of modules"),
    ("includes", "sidecar/base/x.c", "#include <utlist.h>\n", "inside of modules"),
    ("includes", "lib/base/x.c", "#include <uthash.h>\n", "HASH_NONFATAL_OOM"),
    ("includes", "sidecar/base/x.c", "#include <sqlite3.h>\n", "belongs to sidecar/spool/spool_sql.c"),
    ("includes", "sidecar/base/x.c", "#include <curl/curl.h>\n", "belongs to sidecar/kube/curl_library.h"),
    ("includes", "sidecar/base/x.h", "#include <http_parser.h>\n", "belongs to sidecar/http/http.c"),
    ("includes", "lib/base/x.c", '#include "sidecar/store/db.h"\n', "lib is below"),
    ("includes", "sidecar/base/x.c", '#include "test/support/fake.h"\n', "sidecar is below"),
    ("includes", "lib/base/x.c", "#include <uv.h>\n", "as arguments"),
    ("includes", "lib/base/x.c", "#  include <time.h>\n", "as arguments"),
    ("includes", "lib/base/x.c", "#include <unistd.h>\n", "as arguments"),
    ("functions", "lib/base/x.c", "void f(void)\n{\n" + "    f();\n" * 81 + "}\n", "81 lines"),
    ("layers", "lib/base/x.c", "#include <stdlib.h>\nconst char *x(void);\n"
     'const char *x(void)\n{\n    return getenv("X");\n}\n', "getenv"),
    ("layers", "lib/base/x.c", "#include <stdio.h>\nvoid x(void);\n"
     'void x(void)\n{\n    fputs("x", stderr);\n}\n', "stderr"),
    ("layers", "lib/base/x.c", "#include <time.h>\nlong x(void);\n"
     "long x(void)\n{\n    return time(NULL);\n}\n", "time"),
    ("globals", "lib/base/x.c", "int x_count;\n", "x_count"),
    ("globals", "sidecar/base/x.c", "int x(void);\nint x(void)\n{\n    static int calls = 1;\n"
     "    return calls++;\n}\n", "calls"),
    ("globals", "lib/base/x.c", "_Thread_local int x_count;\n", "x_count"),
    ("globals", "lib/base/x.c", 'const char *x_names[] = {"a", "b"};\n', "x_names"),
    ("manifests", "manifests/x.yaml", "env:\n  - name: NO_SUCH\n", "no such setting"),
    ("manifests", "manifests/x.yaml", "image: kubedl-shipper:0.0.9\n", "this version is"),
    ("format", "lib/base/x.c", "int  x(void);\n", "make format"),
    ("headers", "lib/base/x.h", "size_t x(void);\n", "does not compile alone"),
    ("headers", "lib/base/x.h", "struct x {\n    int a;\n};\n", "does not compile alone"),
    ("tidy", "lib/base/x.c", "#include <stdlib.h>\nint *x(void);\nint *x(void)\n{\n"
     "    int *p = malloc(sizeof(int));\n    free(p);\n    return p;\n}\n", "after it is freed"),
    ("tidy", "sidecar/base/x.c", "#define X_TWICE(x) x * 2\n", "macro-parentheses"),
]

# What looks like a violation and is none.
ALLOWED = [
    ("words", "lib/base/x.c", '_Static_assert(1, "");\n/* https://example.org/absent' '.md, XXXXXX */\n'),
    ("docs", DOCUMENT, "# A b\n\n[a](#a-b) [b](../lib) `lib/base/text.c`: `text_contains()`\n"
     "```\n[a](absent)\n```\n"),
    ("rooms", "sidecar/pipeline/x.c", '#include "lib/rows/row.h"\n#include "sidecar/pipeline/y.h"\n'),
    ("includes", "sidecar/store/db.c", "#include <mysql.h>\n"),
    ("includes", "lib/json/json.c", "#include <cjson/cJSON.h>\n"),
    ("includes", "lib/base/x.c", "#define HASH_NONFATAL_OOM 1\n#include <uthash.h>\n"),
    ("includes", "lib/base/x.c", "#include <utlist.h>\n"),
    ("functions", "lib/base/x.c", "void f(void)\n{\n" + "    f();\n" * 80 + "}\n"),
    ("globals", "lib/base/x.c", 'const char *const x_names[] = {"a", "b"};\n'),
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """The copy."""
    copy = tmp_path_factory.mktemp("tree")
    for name in COPIED:
        source, target = ROOT / name, copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)
    (copy / "sidecar").mkdir()
    (copy / "README.md").write_text("The gates name it.\n")
    return copy


@pytest.fixture
def plant(tree):
    """plant(path, text) adds a file to the copy for the time of one test."""
    planted = []

    def add(path, text):
        file = tree / path
        assert not file.exists()
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        planted.append(file)

    yield add
    for file in planted:
        file.unlink()


def run(tree, gate):
    """The gate as make runs it, without the settings of a make that runs this test."""
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(("MAKE", "LINT_", "MFLAGS"))
                   and name not in ("BUILD", "VARIANT", "CC", "CFLAGS", "SHIPPER")}
    return subprocess.run(
        ["make", "--no-print-directory", f"lint-{gate}"], cwd=tree, env=environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )


def case_name(case):
    return f"{case[0]}-{case[1]}"


@pytest.mark.parametrize("gate", GATES)
def test_gate_passes_the_copy_as_it_is(tree, gate):
    result = run(tree, gate)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("gate, path, text, message", VIOLATIONS, ids=map(case_name, VIOLATIONS))
def test_gate_fails_on(tree, plant, gate, path, text, message):
    plant(path, text)
    result = run(tree, gate)
    assert result.returncode != 0
    assert message in result.stdout
    assert f"^ {gate}:" in result.stdout, "it was not the gate that failed"


@pytest.mark.parametrize("gate, path, text", ALLOWED, ids=map(case_name, ALLOWED))
def test_gate_allows(tree, plant, gate, path, text):
    plant(path, text)
    result = run(tree, gate)
    assert result.returncode == 0, result.stdout


def test_make_lint_runs_every_gate(tree):
    scripts = {path.name for path in (ROOT / "test/lint").iterdir()
               if path.is_file() and path.suffix == "" and os.access(path, os.X_OK)}
    assert scripts == set(GATES)
    commands = subprocess.run(["make", "-n", "lint"], cwd=tree, stdout=subprocess.PIPE, text=True)
    for gate in GATES:
        assert f"test/lint/{gate}\n" in commands.stdout
