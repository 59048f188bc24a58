"""container: the image, unpacked, and the program in it, run as Kubernetes would run it.

The container's process is number 1 of its own, user 65532, has no capabilities, can gain none, may do
what a runtime's default seccomp profile allows, and sees its root read-only. Its network is the
machine's, where the database is."""

import hashlib
import itertools
import json
import os
import platform
import subprocess
import tarfile
from pathlib import Path

from .sidecar import Sidecar

USER = 65532

# The default profile of buildah and its kin, in their own format.
SECCOMP = Path("/usr/share/containers/seccomp.json")

# crun knows the first and second kind of control groups, not a machine that has both. With a mount
# namespace of its own, it sees the second kind; none is made in either.
CRUN = ("unshare", "--mount", "sh", "-c", 'mount -t cgroup2 none /sys/fs/cgroup && exec "$@"', "sh",
        "crun", "--cgroup-manager=disabled")

_numbers = itertools.count()


class Image:
    """What `docker save` makes, unpacked to `root`. members: what is in it, as tar tells it."""

    def __init__(self, archive, directory):
        parts = Path(directory) / "archive"
        self.root = Path(directory) / "root"
        with tarfile.open(archive) as tar:
            tar.extractall(parts)
        manifest, = json.loads((parts / "manifest.json").read_text())
        self.names = manifest["RepoTags"]
        config = (parts / manifest["Config"]).read_bytes()
        self.id = f"sha256:{hashlib.sha256(config).hexdigest()}"
        self.description = json.loads(config)
        self.config = self.description["config"]
        self.labels = self.config["Labels"]
        layer, = manifest["Layers"]
        digest = hashlib.sha256((parts / layer).read_bytes()).hexdigest()
        assert self.description["rootfs"]["diff_ids"] == [f"sha256:{digest}"]
        with tarfile.open(parts / layer) as tar:
            self.members = tar.getmembers()
            tar.extractall(self.root, numeric_owner=True)
        self.root.chmod(0o755)

    def files(self):
        return [member for member in self.members if member.isfile()]

    def path(self, member):
        return self.root / member.name

    def elf_files(self):
        return [self.path(member) for member in self.files()
                if self.path(member).open("rb").read(4) == b"\x7fELF"]


def seccomp():
    """The default profile for a process without capabilities, as a runtime wants it."""
    profile = json.loads(SECCOMP.read_text())
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    this = f"SCMP_ARCH_{platform.machine().upper()}"
    architectures = [entry for entry in profile["archMap"] if entry["architecture"] == this]
    rules = []
    for rule in profile["syscalls"]:
        includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
        if includes.get("caps") or machine in excludes.get("arches", []):
            continue
        if includes.get("arches") and machine not in includes["arches"]:
            continue
        rules.append({key: rule[key] for key in ("names", "action", "args", "errnoRet")
                      if rule.get(key) is not None})
    return {"defaultAction": profile["defaultAction"],
            "defaultErrnoRet": profile["defaultErrnoRet"],
            "architectures": [this, *architectures[0]["subArchitectures"]],
            "syscalls": rules}


def _bind(destination, source, access):
    return {"destination": destination, "type": "bind", "source": str(source),
            "options": ["rbind", access, "nosuid", "nodev"]}


class Container(Sidecar):
    """One container. `volumes` has the directories `socket` and `spool`, as pods' volumes are: owned
    by root, for a group that the container is in. files: what is put over files of the image, text
    by path."""

    def __init__(self, image, directory, volumes, settings, files, number):
        super().__init__(directory, settings, number)
        self.image = image
        self.bundle = Path(directory) / f"bundle-{number}"
        self.state = Path(directory) / "crun"
        self.id = f"kubedl-{os.getpid()}-{next(_numbers)}"
        self.volumes = volumes
        self.files = files

    def start(self, *arguments, stdin=subprocess.DEVNULL):
        self.bundle.mkdir()
        (self.bundle / "config.json").write_text(json.dumps(self._bundle(arguments)))
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self._crun("run", "--bundle", self.bundle, self.id),
                stdin=stdin, stdout=log, stderr=log)
        return self

    def run(self, *arguments):
        """Starts it, to its end, with these arguments; returns all that it has said."""
        self.start(*arguments)
        assert self.wait() == 0, self.log_tail()
        return self.log_text()

    def execute(self, *command):
        """Runs a command in the running container, as `kubectl exec` does. Where the tests themselves run in a
        chroot, `crun exec` would find the machine's files instead of the container's."""
        user, group = self.image.config["User"].split(":")
        return subprocess.run(
            ["nsenter", f"--target={self._pid()}", "--mount", "--pid", "--root", "--wd=/",
             f"--setuid={user}", f"--setgid={group}", "--", *command], env=self._environment(),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def status(self):
        """/proc/PID/status of its first process."""
        text = Path(f"/proc/{self._pid()}/status").read_text()
        return dict(line.split(":\t", 1) for line in text.splitlines())

    def kill(self):
        if self.poll() is None:
            subprocess.run(self._crun("kill", self.id, "KILL"), check=True)
            self.wait()

    def _pid(self):
        state = subprocess.run(self._crun("state", self.id), stdout=subprocess.PIPE, check=True)
        return json.loads(state.stdout)["pid"]

    def _environment(self):
        image = dict(variable.split("=", 1) for variable in self.image.config["Env"])
        return {**image, "LOG_FORMAT": "json", **self.settings}

    def _crun(self, command, *arguments):
        return [*CRUN, f"--root={self.state}", command, *map(str, arguments)]

    def _bundle(self, arguments):
        config = self.image.config
        user, group = map(int, config["User"].split(":"))
        return {
            "ociVersion": "1.0.0",
            "process": {
                "user": {"uid": user, "gid": group},
                "args": [*config["Entrypoint"], *arguments],
                "env": [f"{name}={text}" for name, text in self._environment().items()],
                "cwd": config.get("WorkingDir") or "/",
                "capabilities": {kind: [] for kind in ("bounding", "effective", "inheritable",
                                                       "permitted", "ambient")},
                "noNewPrivileges": True,
            },
            "root": {"path": str(self.image.root), "readonly": True},
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
                 "options": ["nosuid", "strictatime", "mode=755", "size=64k"]},
                _bind("/run/kubedl", self.volumes / "socket", "rw"),
                _bind("/var/spool/kubedl-shipper", self.volumes / "spool", "rw"),
                *(_bind(path, self._file(path, text), "ro") for path, text in self.files.items()),
            ],
            "linux": {
                "namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts")],
                "seccomp": seccomp(),
                "readonlyPaths": ["/proc/sys"],
            },
        }

    def _file(self, path, text):
        source = self.bundle / path.strip("/").replace("/", "-")
        source.write_text(text)
        return source


def make_volumes(directory):
    for name in ("socket", "spool"):
        path = Path(directory) / name
        path.mkdir(parents=True)
        os.chown(path, 0, USER)
        path.chmod(0o2775)
    return Path(directory)
