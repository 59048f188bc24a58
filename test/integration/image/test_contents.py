"""What is in the image, and what is not."""

import os
import re
import subprocess
from datetime import datetime, timezone
from pathlib import Path

import pytest

MIB = 1024 * 1024
CEILING = 25 * MIB          # of all files; docs/install.md says so, too
PROGRAM_CEILING = 1 * MIB

ROOT = Path(__file__).resolve().parents[3]
INSTALL = ROOT / "docs" / "install.md"
SIDECAR = ROOT / "manifests" / "base" / "sidecar.yaml"
VOLUMES = {"run/kubedl", "var/spool/kubedl-shipper"}

# Everything else would have to be explained.
EXPECTED_FILES = re.compile(
    r"usr/bin/kubedl-shipper"
    r"|(usr/)?lib\w*/([^/]+/)*[^/]+\.so(\.[0-9.]+)?"
    r"|etc/(passwd|group|nsswitch\.conf|os-release|debian_version)"
    r"|etc/ssl/certs/ca-certificates\.crt"
    r"|usr/share/doc/[^/]+/copyright"
    r"|usr/share/doc/kubedl-shipper/(LICENSE|sbom\.spdx\.json)"
    r"|usr/share/man/man1/kubedl-shipper\.1|usr/share/bash-completion/completions/kubedl-shipper"
    r"|var/lib/dpkg/status\.d/[^/]+")
LOADER = re.compile(r"(usr/)?lib\w*/([^/]+/)*ld-linux-[^/]+\.so\.[0-9]+")


def readelf(*arguments):
    return subprocess.run(["readelf", "--wide", *map(str, arguments)], stdout=subprocess.PIPE,
                          check=True, text=True).stdout


def tags(path, tag):
    """The values of a tag of an ELF file's dynamic section."""
    return re.findall(rf"\({tag}\).*\[(.*)\]", readelf("--dynamic", path))


def program(image):
    return image.root / "usr/bin/kubedl-shipper"


def test_its_name_is_the_one_that_a_kubelet_looks_for(image):
    written, = re.findall(r"^\s*image: (kubedl-shipper:\S+)$", SIDECAR.read_text(), re.MULTILINE)
    assert f"docker.io/library/{written}" in image.names


def test_labels(image):
    labels = {name.removeprefix("org.opencontainers.image."): text
              for name, text in image.labels.items() if name.startswith("org.opencontainers")}
    assert len(labels.pop("description")) > 20
    assert labels == {
        "title": "kubedl-shipper", "licenses": "Apache-2.0", "created": image.description["created"],
        "version": os.environ["IMAGE_VERSION"], "revision": os.environ["IMAGE_REVISION"],
        "source": os.environ["IMAGE_SOURCE"]}


def test_runs_the_program_as_a_user_who_is_not_root(image):
    assert image.config["User"] == "65532:65532"
    assert image.config["Entrypoint"] == ["/usr/bin/kubedl-shipper"]
    assert image.config.get("Cmd") is None
    assert image.config["Env"] == ["PATH=/usr/bin"]
    assert "kubedl-shipper:x:65532:65532:" in (image.root / "etc/passwd").read_text()


def test_sizes(image, record_cost):
    size = sum(member.size for member in image.files())
    own = program(image).stat().st_size
    record_cost(f"image: {size / MIB:.1f} MiB in {len(image.files())} files; "
                f"the program: {own / 1024:.0f} KiB")
    assert size <= CEILING
    assert own <= PROGRAM_CEILING
    assert re.search(rf"below\s+{CEILING // MIB} MiB", INSTALL.read_text())


def test_no_file_but_those_expected(image):
    names = {member.name for member in image.files()}
    assert not [name for name in names if not EXPECTED_FILES.fullmatch(name)]
    assert all(member.isfile() or member.isdir() or member.issym() for member in image.members)


def test_nothing_but_the_program_can_be_started(image):
    executable = [member.name for member in image.files() if member.mode & 0o111]
    assert len(executable) == 2
    assert "usr/bin/kubedl-shipper" in executable
    assert [name for name in executable if LOADER.fullmatch(name)]


def test_root_owns_all_and_others_may_only_read(image):
    for member in image.members:
        assert member.mode & 0o7000 == 0, f"{member.name} is setuid, setgid or sticky"
        assert not member.pax_headers.keys() & {"SCHILY.xattr.security.capability"}, member.name
        if member.name in VOLUMES:
            assert (member.uid, member.gid, member.mode & 0o777) == (65532, 65532, 0o755)
            continue
        assert (member.uid, member.gid) == (0, 0), member.name
        assert member.issym() or member.mode & 0o022 == 0, member.name
    assert VOLUMES <= {member.name for member in image.members}


def test_what_libraries_need_is_there(image):
    files = image.elf_files()
    assert len(files) > 10
    # Where the loader looks, it finds a library by its file's name.
    plugins = [path for path in files if path.parent.name == "plugin"]
    found = {path.name for path in files if path not in plugins}
    for path in files:
        assert set(tags(path, "NEEDED")) <= found, path
        assert path in plugins or path == program(image) or tags(path, "SONAME") == [path.name]
        assert tags(path, "RPATH") == tags(path, "RUNPATH") == []


def test_login_plugins(image):
    names = {path.name for path in image.elf_files() if path.parent.name == "plugin"}
    assert names == {"caching_sha2_password.so", "sha256_password.so", "client_ed25519.so"}


def test_the_program_is_hardened_and_stripped(image):
    path = program(image)
    assert re.search(r"Type: +DYN", readelf("--file-header", path)), "not position-independent"
    assert "BIND_NOW" in readelf("--dynamic", path)
    headers = readelf("--program-headers", path)
    assert "GNU_RELRO" in headers
    assert re.search(r"GNU_STACK( +0x0+)+ +RW +0x", headers), "a stack that can be executed"
    assert "__stack_chk_fail" in readelf("--dyn-syms", path)
    assert ".symtab" not in readelf("--sections", path)


def test_each_package_has_its_licence_and_its_version(image):
    packages = {path.name for path in (image.root / "var/lib/dpkg/status.d").iterdir()}
    licences = {path.parent.name for path in image.root.glob("usr/share/doc/*/copyright")}
    assert packages == licences
    assert {"libc6", "libmariadb3", "libssl3", "ca-certificates"} <= packages
    for name in packages:
        status = (image.root / "var/lib/dpkg/status.d" / name).read_text()
        assert re.search(rf"^Package: {re.escape(name)}$", status, re.MULTILINE)
        assert re.search(r"^Version: .", status, re.MULTILINE)


@pytest.mark.parametrize("place, source", [
    ("doc/kubedl-shipper/LICENSE", "LICENSE"), ("man/man1/kubedl-shipper.1", "docs/kubedl-shipper.1"),
    ("bash-completion/completions/kubedl-shipper", "docs/kubedl-shipper.bash")])
def test_the_projects_own_files_are_there(place, source, image):
    assert (image.root / "usr/share" / place).read_bytes() == (ROOT / source).read_bytes()


def test_all_times_are_that_of_the_sources(image):
    seconds = int(os.environ["IMAGE_DATE"])
    assert {member.mtime for member in image.members} == {seconds}
    created = datetime.strptime(image.description["created"], "%Y-%m-%dT%H:%M:%SZ")
    assert created.replace(tzinfo=timezone.utc).timestamp() == seconds
