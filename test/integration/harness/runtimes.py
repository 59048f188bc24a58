"""runtimes: what takes an image on somebody's machine, from Debian's packages: containerd and docker as daemons of our
own, podman and skopeo as programs. Each keeps all that it has below one directory, and a daemon is stopped by its pid.
"""

import json
import os
import signal
import subprocess
from pathlib import Path

import grpc

from .wait import until

INTEGRATION = Path(__file__).resolve().parent.parent
PACKAGES = ("containerd", "runc", "docker.io", "podman", "skopeo")

# A mount namespace of its own: dockerd knows one kind of control groups at a time, and keeps things in /run.
APART = ("unshare", "--mount", "sh", "-c",
         'mount -t cgroup2 none /sys/fs/cgroup && mount -t tmpfs none /run && exec "$@"', "sh")

CONTAINERD = """version = 2
root = "{0}/root"
state = "{0}/state"
[grpc]
  address = "{0}/s"
[plugins."io.containerd.internal.v1.opt"]
  path = "{0}/opt"
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "native"
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{0}/cni"
  conf_dir = "{0}/cni"
"""


class Programs:
    """Debian's programs, unpacked and not installed."""

    def __init__(self):
        script = INTEGRATION / "package-folder.sh"
        self.folder = Path(subprocess.run([script, *PACKAGES], stdout=subprocess.PIPE, check=True,
                                          text=True).stdout.strip())
        self.path = os.pathsep.join([f"{self.folder}/usr/bin", f"{self.folder}/usr/sbin", os.environ["PATH"]])

    def run(self, *command):
        """What it says; an AssertionError if it fails."""
        result = self.start_no_wait(command, subprocess.PIPE)
        output, _ = result.communicate()
        assert result.returncode == 0, f"{command[0]}: {output}"
        return output

    def start_no_wait(self, command, output):
        return subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output,
                                stderr=subprocess.STDOUT, text=True,
                                env={**os.environ, "PATH": self.path})


class Daemon:
    """A daemon that answers `question`; it ends with the `with`."""

    def __init__(self, programs, directory, command, question):
        self.programs = programs
        self.log = Path(directory) / "log"
        self.command = command
        self.question = question
        self.process = None

    def __enter__(self):
        with open(self.log, "ab") as log:
            self.process = self.programs.start_no_wait([*APART, *self.command], log)
        until(self._answers, lambda: f"{self.command[0]} answers:\n{self.log.read_text()[-4000:]}")
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def _answers(self):
        assert self.process.poll() is None, f"{self.command[0]} has ended:\n{self.log.read_text()[-4000:]}"
        question = self.programs.start_no_wait(self.question, subprocess.DEVNULL)
        return question.wait() == 0


class Containerd(Daemon):
    def __init__(self, programs, directory):
        (directory / "config.toml").write_text(CONTAINERD.format(directory))
        self.address = directory / "s"
        super().__init__(programs, directory, ("containerd", "--config", directory / "config.toml"),
                         ("ctr", "--address", self.address, "version"))

    def ctr(self, *arguments):
        return self.programs.run("ctr", "--address", self.address, "--namespace", "k8s.io", *arguments)

    def kubelet_finds(self, name):
        """Asks as a kubelet does before it would pull an image; what it is told of it, or nothing.

        The question is runtime.v1.ImageStatusRequest of the Container Runtime Interface, the answer an
        ImageStatusResponse: the field 1 of both is a message, whose field 1 is the image's name or id."""
        text = name.encode()
        message = bytes([0x0a, len(text) + 2, 0x0a, len(text)]) + text
        with grpc.insecure_channel(f"unix:{self.address}") as channel:
            return channel.unary_unary("/runtime.v1.ImageService/ImageStatus")(message, wait_for_ready=True)


class Docker(Daemon):
    """It has a containerd of its own, as a machine with docker has."""

    def __init__(self, programs, directory, containerd):
        key = {"deprecated-key-path": f"{directory}/key.json"}  # otherwise in /etc
        (directory / "daemon.json").write_text(json.dumps(key))
        self.host = f"unix://{directory}/s"
        super().__init__(programs, directory, (
            "dockerd", "--config-file", directory / "daemon.json", "--host", self.host,
            "--containerd", containerd.address, "--data-root", directory / "root",
            "--exec-root", directory / "state", "--pidfile", directory / "pid",
            "--storage-driver=vfs", "--bridge=none", "--iptables=false", "--ip6tables=false"),
            ("docker", "--host", self.host, "version"))

    def docker(self, *arguments):
        return self.programs.run("docker", "--host", self.host, *arguments)
