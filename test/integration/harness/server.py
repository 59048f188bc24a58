"""server: a private, throwaway database server on loopback, and databases in it.

MariaDB is the machine's own. Oracle MySQL, which Debian 12 does not have, runs in a folder that
mysql-folder.sh makes. Both keep their data in a directory of their own, are stopped by their own
pid, and flush their log to the operating system at each commit but not to the disk: what was
committed survives a kill -9 of the server, and tests are quick.
"""

import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pymysql
import pymysql.cursors

from .wait import DEADLINE_SECONDS, until

INTEGRATION = Path(__file__).resolve().parent.parent


_given_ports = set()  # whoever has got one may not have taken it yet


def free_port():
    """A loopback port that nobody has. Not one of the ephemeral range: a client that retries such
    a port while its server is away will, sooner or later, connect to itself."""
    while True:
        port = random.randrange(20000, 32000)
        if port in _given_ports:
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
                _given_ports.add(port)
                return port
            except OSError:
                continue


class Server:
    """A server process. Subclasses say how it is installed and what its command is."""

    name = None
    is_mariadb = None
    reload_tls = None  # the statement that makes it read its certificate anew

    def __init__(self, directory):
        self.directory = Path(directory)
        self.data = self.directory / "data"
        self.socket = self.directory / "s"
        self.pid_file = self.directory / "pid"
        self.log = self.directory / "server.log"
        self.address = "127.0.0.1"
        self.port = free_port()
        self.process = None
        self.pid = None
        self.databases = 0
        self.options = []  # those of a test, besides its own
        self.tls = self.directory / "tls"  # its certificates, if it has any
        self.plugins = self.directory / "plugins"

    def install(self):
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    def start(self, seconds=DEADLINE_SECONDS):
        assert self.process is None, f"{self.name} is running already"
        self.pid_file.unlink(missing_ok=True)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        until(self._is_up, lambda: f"{self.name} answers; its log:\n{self.log_tail()}", seconds)
        self.pid = int(self.pid_file.read_text())

    def ensure_running(self):
        """Whatever the last test has left."""
        if self.process is not None and self.process.poll() is not None:
            self.process = None
        if self.process is None:
            self.start()
        else:
            self.thaw()

    def stop(self):
        """An orderly stop."""
        self._end(signal.SIGTERM)

    def kill(self):
        """kill -9."""
        self._end(signal.SIGKILL)

    def freeze(self):
        """The server answers no more, its connections stay open."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self):
        os.kill(self.pid, signal.SIGCONT)

    def restart(self, *options):
        """With these options besides its own."""
        self.stop()
        self.options = list(options)
        self.start()

    def close(self):
        """Ends it and removes all that it left."""
        if self.process is not None:
            self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def connect(self, **options):
        """A connection of the administrator, over the Unix socket."""
        return pymysql.connect(
            unix_socket=str(self.socket),
            user="root",
            password="",
            charset="utf8mb4",
            autocommit=True,
            cursorclass=pymysql.cursors.DictCursor,
            **options,
        )

    def use_certificate(self, certificate, authority):
        """Shows this certificate from now on, and trusts clients that the authority vouches for.
        A server that is to speak TLS at all is given one before it starts."""
        self.tls.mkdir(exist_ok=True)
        for source, name in ((authority.cert, "ca"), (certificate.cert, "cert"),
                             (certificate.key, "key")):
            shutil.copy(source, self.tls / name)
        if self.process is not None:
            self.query(self.reload_tls)

    def _tls_options(self):
        if not self.tls.exists():
            # Both make some by themselves, MariaDB from 11.4 on.
            return ["--skip-ssl"] if self.is_mariadb else ["--tls-version="]
        return [f"--ssl-{name}={self._inside(self.tls / name)}" for name in ("ca", "cert", "key")]

    def _inside(self, path):
        """A path as the server sees it."""
        return str(path)

    def query(self, sql, arguments=None):
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(sql, arguments)
            return cursor.fetchall()

    def new_database(self, charset="utf8mb4"):
        self.databases += 1
        return Database(self, f"kubedl_{self.databases}", charset)

    def log_tail(self, size=4000):
        return self.log.read_bytes()[-size:].decode(errors="replace") if self.log.exists() else ""

    def _is_up(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended at its start:\n{self.log_tail()}")
        try:
            self.connect().close()
        except (pymysql.Error, OSError):
            return False
        return self.pid_file.exists() and self.pid_file.read_text().strip() != ""

    def _end(self, sig):
        os.kill(self.pid, sig)
        self.process.wait(timeout=60)
        self.process = None
        self.pid = None

    def _run(self, *command):
        with open(self.log, "ab") as log:
            status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        assert status.returncode == 0, f"{command[0]} failed:\n{self.log_tail()}"


class MariaDB(Server):
    name = "MariaDB"
    is_mariadb = True
    reload_tls = "FLUSH SSL"

    @classmethod
    def new(cls):
        return cls(tempfile.mkdtemp(prefix="kubedl-test-"))

    def _user(self):
        # mariadbd runs as root only if it is told to.
        return ["--user=root"] if os.geteuid() == 0 else []

    def install(self):
        self._run(
            "mariadb-install-db",
            "--no-defaults",
            f"--datadir={self.data}",
            f"--tmpdir={self.directory}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
            "--force",  # where the machine's name has no address, too
            *self._user(),
        )
        self.plugins.mkdir()

    def install_ed25519(self):
        """Makes it offer ed25519 authentication; False where its plugin cannot be had."""
        if not self.query("SELECT 1 FROM information_schema.plugins"
                          " WHERE plugin_name = 'ed25519'"):
            script = INTEGRATION / "ed25519-plugin.sh"
            found = subprocess.run([script], stdout=subprocess.PIPE, text=True)
            if found.returncode != 0:
                return False
            shutil.copy(found.stdout.strip(), self.plugins)
            self.query("INSTALL SONAME 'auth_ed25519'")
        return True

    def command(self):
        program = shutil.which("mariadbd", path=os.environ["PATH"] + ":/usr/sbin")
        return [
            program or "mariadbd",
            "--no-defaults",
            *self._user(),
            f"--datadir={self.data}",
            f"--tmpdir={self.directory}",  # a server that starts removes other ones' tables there
            f"--socket={self.socket}",
            f"--pid-file={self.pid_file}",
            f"--plugin-dir={self.plugins}",
            f"--port={self.port}",
            f"--bind-address={self.address}",
            "--skip-name-resolve",
            "--skip-log-bin",
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-buffer-pool-size=128M",
            "--performance-schema=OFF",
            *self._tls_options(),
            *self.options,
        ]


class MySQL(Server):
    name = "MySQL"
    is_mariadb = False
    reload_tls = "ALTER INSTANCE RELOAD TLS"

    @classmethod
    def new(cls):
        script = INTEGRATION / "mysql-folder.sh"
        folder = subprocess.run([script], stdout=subprocess.PIPE, check=True, text=True)
        server = cls(tempfile.mkdtemp(prefix="kubedl-test-", dir=folder.stdout.strip() + "/tmp"))
        server.folder = Path(folder.stdout.strip())
        return server

    def _mysqld(self, *options):
        """Inside the folder, as the user who runs the tests."""
        chroot = ["chroot", f"--userspec={os.geteuid()}:{os.getegid()}", str(self.folder)]
        sudo = [] if os.geteuid() == 0 else ["sudo"]
        user = ["--user=root"] if os.geteuid() == 0 else []
        return [*sudo, *chroot, "/usr/sbin/mysqld", "--no-defaults", *user,
                f"--datadir={self._inside(self.data)}", *options]

    def _inside(self, path):
        return "/" + str(Path(path).relative_to(self.folder))

    def install(self):
        self._run(*self._mysqld("--initialize-insecure"))

    def command(self):
        return self._mysqld(
            f"--socket={self._inside(self.socket)}",
            f"--pid-file={self._inside(self.pid_file)}",
            f"--port={self.port}",
            f"--bind-address={self.address}",
            "--mysqlx=OFF",
            "--skip-name-resolve",
            "--skip-log-bin",
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-buffer-pool-size=128M",
            "--performance-schema=OFF",
            *self._tls_options(),
            *self.options,
        )


SERVERS = {"mariadb": MariaDB, "mysql": MySQL}


class Database:
    """A fresh database and an account that may do all in it, as KubeDL's has."""

    def __init__(self, server, name, charset):
        self.server = server
        self.name = name
        self.user = name
        # What a shell, SQL or a URL would have to quote; and easy to find where it must not be.
        self.password = f"s3cret %@'\"\\:/{secrets.token_hex(8)}"
        self._connection = None
        server.query(f"CREATE DATABASE {name} CHARACTER SET {charset}")
        self.new_user(self.user, self.password, "ALL")

    def new_user(self, user, password, grants):
        self.server.query(f"CREATE USER {user}@'%%' IDENTIFIED BY %s", (password,))
        self.server.query(f"GRANT {grants} ON {self.name}.* TO {user}@'%'")

    def environment(self):
        """The sidecar's settings for it."""
        return {
            "MYSQL_HOST": "127.0.0.1",
            "MYSQL_PORT": str(self.server.port),
            "MYSQL_DB_NAME": self.name,
            "MYSQL_USER": self.user,
            "MYSQL_PASSWORD": self.password,
        }

    def query(self, sql, arguments=None):
        """The rows as dicts. Connects again where the server was away in between."""
        for last_try in (False, True):
            try:
                if self._connection is None:
                    self._connection = self.server.connect(database=self.name)
                with self._connection.cursor() as cursor:
                    cursor.execute(sql, arguments)
                    return cursor.fetchall()
            except (pymysql.OperationalError, pymysql.InterfaceError) as error:
                self._connection = None
                if last_try or error.args[0] not in (0, 2006, 2013):
                    raise

    def execute_many(self, sql, rows):
        with self.server.connect(database=self.name) as connection, connection.cursor() as cursor:
            cursor.executemany(sql, rows)

    def kill_connections(self):
        """Those of its account; all of them are gone afterwards."""
        def none_left():
            left = self.server.query("SELECT id FROM information_schema.processlist"
                                     " WHERE user = %s", (self.user,))
            for row in left:
                try:
                    self.server.query(f"KILL {row['id']}")
                except pymysql.Error:
                    pass  # it is gone already
            return not left

        until(none_left, "the connections are gone")

    def has_table(self, table):
        return bool(
            self.query(
                "SELECT 1 FROM information_schema.tables"
                " WHERE table_schema = %s AND table_name = %s",
                (self.name, table),
            )
        )

    def count(self, table, where="1 = 1"):
        """Rows of a table; 0 as long as it is not there."""
        if not self.has_table(table):
            return 0
        return self.query(f"SELECT COUNT(*) AS n FROM {table} WHERE {where}")[0]["n"]

    def jobs(self):
        """job_info by uid."""
        return self._by_key("job_info", "job_id")

    def pods(self):
        """replica_info by uid."""
        return self._by_key("replica_info", "pod_id")

    def _by_key(self, table, key):
        rows = self.query(f"SELECT * FROM {table}") if self.has_table(table) else []
        result = {row[key]: row for row in rows}
        assert len(result) == len(rows), f"{table} has two rows of one {key}"
        return result

    def drop(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self.server.query(f"DROP DATABASE IF EXISTS {self.name}")
        self.server.query(f"DROP USER IF EXISTS {self.user}@'%'")
