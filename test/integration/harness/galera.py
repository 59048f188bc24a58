"""galera: a private cluster of three MariaDB nodes on loopback.

A node that joins gets its data from another one by rsync, which the server runs as its own user: as
root that would be nobody, so root starts the nodes as the user mysql."""

import os
import shutil
import tempfile

import pymysql

from .server import MariaDB, free_port
from .wait import until

# Three nodes on a small machine: one has to be sent a whole copy while the others work.
JOIN_SECONDS = 180

NODES = 3


class Node(MariaDB):
    def __init__(self, directory, cluster, number):
        super().__init__(directory)
        self.name = f"node {number}"
        self.cluster = cluster
        self.group_port, self.ist_port, self.sst_port = (free_port() for _ in range(3))
        self.bootstraps = False

    def _user(self):
        return ["--user=mysql"] if os.geteuid() == 0 else []

    def make_directory(self):
        """Empty: what is in it comes from the cluster."""
        self.data.mkdir()
        if os.geteuid() == 0:
            shutil.chown(self.directory, "mysql", "mysql")
            shutil.chown(self.data, "mysql", "mysql")

    def command(self):
        group = ",".join(f"127.0.0.1:{node.group_port}" for node in self.cluster.nodes)
        provider = {
            "base_port": self.group_port,
            "gmcast.listen_addr": f"tcp://127.0.0.1:{self.group_port}",
            "ist.recv_addr": f"127.0.0.1:{self.ist_port}",
            "gcache.size": "64M",
            "gcache.dir": self.data,
        }
        return [
            *super().command(),
            *(["--wsrep-new-cluster"] if self.bootstraps else []),
            "--binlog-format=ROW",
            "--innodb-autoinc-lock-mode=2",
            "--wsrep-on=ON",
            "--wsrep-provider=/usr/lib/galera/libgalera_smm.so",
            "--wsrep-cluster-name=kubedl-test",
            f"--wsrep-cluster-address=gcomm://{group}",
            f"--wsrep-node-name={self.name}",
            f"--wsrep-node-address=127.0.0.1:{self.group_port}",
            f"--wsrep-node-incoming-address=127.0.0.1:{self.port}",
            "--wsrep-sst-method=rsync",
            f"--wsrep-sst-receive-address=127.0.0.1:{self.sst_port}",
            "--wsrep-provider-options="
            + ";".join(f"{name}={value}" for name, value in provider.items()),
        ]

    def status(self, name):
        return self.query("SHOW GLOBAL STATUS LIKE %s", (name,))[0]["Value"]

    def is_synced(self):
        assert self.process.poll() is None, f"{self.name} has ended:\n{self.log_tail(20000)}"
        try:
            return self.status("wsrep_local_state_comment") == "Synced"
        except pymysql.OperationalError:
            return False

    def join(self, bootstraps=False):
        """Starts it and waits until it is a node like the others. bootstraps: as the first one."""
        self.bootstraps = bootstraps
        self.start(JOIN_SECONDS)
        until(self.is_synced, lambda: f"{self.name} is synced; its log:\n{self.log_tail()}",
              JOIN_SECONDS)

    def make_primary(self):
        """To a node that was left without a quorum: what you see is the whole cluster."""
        self.query("SET GLOBAL wsrep_provider_options = 'pc.bootstrap=YES'")


class Cluster:
    def __init__(self):
        self.nodes = []
        for number in range(NODES):
            directory = tempfile.mkdtemp(prefix="kubedl-test-")
            self.nodes.append(Node(directory, self, number))

    def start(self):
        first, *others = self.nodes
        for node in self.nodes:
            node.make_directory()
        first.install()
        first.join(bootstraps=True)
        for node in others:
            node.join()

    def hosts(self):
        """For MYSQL_HOST."""
        return ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def close(self):
        for node in self.nodes:
            node.close()
