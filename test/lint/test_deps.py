""".ci/deps on a machine of our own making: apt and dpkg look into a directory instead of the system."""

import os
import subprocess
from pathlib import Path

import pytest

DEPS = Path(__file__).resolve().parents[2] / ".ci" / "deps"

INSTALLED = """Package: mysql-server
Status: install ok installed
Version: 8.4
Architecture: all
Maintainer: nobody
Description: a server that somebody uses

"""


@pytest.fixture
def environment(tmp_path):
    """A machine that has mysql-server. The mirror has all that the tests need, and a server that excludes it."""
    names = subprocess.run([DEPS, "--names", "test"], stdout=subprocess.PIPE, check=True,
                           text=True).stdout.split()
    for directory in ("dpkg", "mirror", "state/lists/partial", "cache/archives/partial", "etc", "bin"):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / "dpkg/status").write_text(INSTALLED)
    (tmp_path / "mirror/Packages").write_text("".join(
        f"Package: {name}\nVersion: 1\nArchitecture: all\nFilename: ./{name}.deb\nSize: 1\n"
        f"{'Conflicts: mysql-server' if name == 'mariadb-server-core' else 'Priority: optional'}\n\n"
        for name in names))
    (tmp_path / "etc/sources.list").write_text(f"deb [trusted=yes] file:{tmp_path}/mirror ./\n")
    (tmp_path / "apt.conf").write_text(f"""
        Dir::State "{tmp_path}/state"; Dir::State::status "{tmp_path}/dpkg/status";
        Dir::Cache "{tmp_path}/cache"; Dir::Etc "{tmp_path}/etc"; Dir::Log "{tmp_path}";
        Dir::Bin::dpkg "/bin/false"; APT::Sandbox::User ""; """)
    sudo = tmp_path / "bin/sudo"
    sudo.write_text('#!/bin/sh\n[ "$1" != -n ] || shift\nexec "$@"\n')
    sudo.chmod(0o755)
    return {**os.environ, "PATH": f"{sudo.parent}:{os.environ['PATH']}", "APT_CONFIG": str(tmp_path / "apt.conf"),
            "DPKG_ADMINDIR": str(tmp_path / "dpkg")}


def run(*command, environment):
    return subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


@pytest.mark.parametrize("fresh", [True, False], ids=["without package lists", "with package lists"])
def test_an_installed_server_is_not_taken_away_and_it_is_said(fresh, environment):
    if not fresh:
        assert run("apt-get", "-qq", "update", environment=environment).returncode == 0
    result = run(DEPS, "test", environment=environment)
    assert result.returncode == 1
    assert "exclude what is installed here: mysql-server." in result.stdout
    assert "mariadb-server-core" in result.stdout
    assert "Installing" not in result.stdout or fresh


def test_apt_itself_is_told_to_remove_nothing(environment, tmp_path):
    """Between the look and the installation somebody else may have installed something."""
    (tmp_path / "bin/apt-get").write_text("#!/bin/sh\necho apt-get \"$@\"\n")
    (tmp_path / "bin/apt-get").chmod(0o755)
    result = run(DEPS, "test", environment=environment)
    assert "--no-remove" in result.stdout and "install" in result.stdout
