"""Wrong set-ups: from each one, what `kubedl-shipper check` says and what the log of the process says lead to
the fix, each without the other."""

import json
import resource
import shutil
import socket
from contextlib import ExitStack

import pytest

from harness import addresses, faults, kubedl, sidecar
from harness.apiserver import ApiServer
from harness.certificates import Authority
from harness.stripper import Stripper
from harness.wait import until

SETUPS = {}


class Setup:
    """make(world) gives the settings in which it differs from one that is right. check: the exit status, then the
    words that one finding has, the name of its step the first; log: the words that one line has."""

    def __init__(self, make, check, log):
        self.make, self.check, self.log = make, check, log


def wrong(check, log):
    def register(make):
        SETUPS[make.__name__] = Setup(make, check, log)
        return make

    return register


def settings_only(name, check, log, **settings):
    SETUPS[name] = Setup(lambda world: settings, check, log)


class World:
    """What a set-up may change: a server with TLS, a database, an API server, a directory."""

    def __init__(self, server, database, directory, authority):
        self.server, self.database, self.directory, self.authority = server, database, directory, authority
        self.ends = ExitStack()  # how to put right what others would see

    def enter(self, context):
        return self.ends.enter_context(context)

    def path(self, name, content=None):
        path = self.directory / name
        if content is not None:
            path.write_text(content)
        return path

    def administer(self, sql, undo=None):
        self.server.query(sql)
        if undo:
            self.ends.callback(self.server.query, undo)

    def set_global(self, name, value):
        before = self.server.query(f"SELECT @@GLOBAL.{name} AS value")[0]["value"]
        self.administer(f"SET GLOBAL {name} = {value}", f"SET GLOBAL {name} = {before}")

    def account(self, rights, attributes=""):
        """Another account, with these rights on the database."""
        name = f"{self.database.name}_other"
        self.administer(f"CREATE USER {name}@'%'", f"DROP USER {name}@'%'")
        self.server.query(f"ALTER USER {name}@'%%' IDENTIFIED BY %s {attributes}", (self.database.password,))
        if rights:
            self.administer(f"GRANT {rights} ON {self.database.name}.* TO {name}@'%'")
        return {"MYSQL_USER": name}

    def proxied(self, **api):
        self.api = self.enter(ApiServer(self.path("proxy.sock"), **api))
        return {"EVENT_SOURCE": f"kube+unix:{self.path('proxy.sock')}"}

    def in_cluster(self, **changes):
        account = self.path("serviceaccount")
        account.mkdir()
        (account / "token").write_text("the-token")
        shutil.copy(self.authority.cert, account / "ca.crt")
        certificate = self.authority.issue("kubernetes", "DNS:kubernetes,IP:127.0.0.1")
        api = self.enter(ApiServer(certificate=certificate.cert, key=certificate.key, tokens=["the-token"]))
        return {"EVENT_SOURCE": "kube:", "KUBE_SERVICE_ACCOUNT": account,
                "KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": api.port, **changes}


# The way to the database


def somewhere(port, **settings):
    return {"MYSQL_HOST": "127.0.0.1", "MYSQL_PORT": port, "DB_TIMEOUT_MS": 1000, **settings}


settings_only("host_name", (1, "dns", "no-such-host.invalid", "MYSQL_HOST"), ("no-such-host.invalid", "MYSQL_HOST"),
              MYSQL_HOST="no-such-host.invalid")


@wrong((1, "tcp", "MYSQL_PORT"), ("MYSQL_PORT",))
def closed_port(world):
    return somewhere(world.enter(addresses.refusing()))


@wrong((1, "server", "neither MariaDB nor MySQL", "MYSQL_PORT"), ("MYSQL_PORT",))
def port_of_a_web_server(world):
    return somewhere(world.enter(addresses.speaking(b"HTTP/1.1 400 Bad Request\r\n\r\n")))


@wrong((1, "server", "neither MariaDB nor MySQL", "MYSQL_PORT"), ("MYSQL_PORT",))
def port_of_ssh(world):
    return somewhere(world.enter(addresses.speaking(b"SSH-2.0-OpenSSH_9.2p1\r\n")))


@wrong((1, "server", "says nothing", "port"), ("MYSQL_PORT",))
def port_that_says_nothing(world):
    return somewhere(world.enter(addresses.mute()))


settings_only("url_as_host", (2, "settings", "MYSQL_HOST", "is a URL", "MYSQL_PASSWORD"), ("MYSQL_HOST", "is a URL"),
              MYSQL_HOST="mysql://kubedl:s3cret@db:3306/kubedl")
settings_only("socket_of_no_server", (1, "tcp", "/nowhere/mysqld.sock", "MYSQL_HOST"), ("MYSQL_HOST",),
              MYSQL_HOST="/nowhere/mysqld.sock", MYSQL_SSL_MODE="preferred", MYSQL_SSL_CA=None)


@wrong((1, "server", "1040", "DB_CONNECTIONS"), ("1040", "DB_CONNECTIONS"))
def too_many_connections(world):
    world.set_global("max_connections", 10)
    for _ in range(11):
        try:
            world.enter(world.server.connect())
        except Exception:
            break
    return {}


# TLS


@wrong((1, "tls", "does not support it", "ssl_cert", "MYSQL_SSL_MODE=preferred"), ("ssl_cert",))
def no_tls_offered(world):
    middle = world.enter(Stripper(world.server.port))
    return somewhere(middle.port, MYSQL_SSL_MODE="required", MYSQL_SSL_CA=None)


@wrong((1, "tls", "MYSQL_SSL_CA"), ("MYSQL_SSL_CA",))
def another_authority(world):
    return {"MYSQL_SSL_CA": Authority(world.directory, "stranger").cert}


@wrong((1, "tls", "MYSQL_SSL_CA"), ("MYSQL_SSL_CA",))
def authority_without_a_file(world):
    return {"MYSQL_SSL_CA": world.path("no-ca.crt")}


@wrong((1, "tls", "MYSQL_SSL_CA"), ("MYSQL_SSL_CA",))
def authority_that_is_no_certificate(world):
    return {"MYSQL_SSL_CA": world.path("ca.crt", "hello\n")}


@wrong((1, "tls", "MYSQL_HOST"), ("MYSQL_HOST",))
def certificate_of_another_name(world):
    other = world.authority.issue("other", "DNS:db.example")
    world.server.use_certificate(other, world.authority)
    return {}


settings_only("authority_that_nobody_looks_at", (2, "settings", "MYSQL_SSL_CA", "verify-identity"),
              ("MYSQL_SSL_CA", "verify-identity"), MYSQL_SSL_MODE="required")


# The account and its secrets


settings_only("wrong_password", (1, "login", "1045", "MYSQL_PASSWORD"), ("1045", "MYSQL_PASSWORD"),
              MYSQL_PASSWORD="wrong-password")
settings_only("unknown_user", (1, "login", "1045", "MYSQL_USER"), ("1045", "MYSQL_USER"), MYSQL_USER="nobody")
settings_only("no_user", (2, "settings", "MYSQL_USER"), ("MYSQL_USER",), MYSQL_USER=None)


@wrong((1, "login", "MYSQL_SSL_MODE=required"), ("MYSQL_SSL_MODE=required",))
def account_that_must_use_tls(world):
    return {**world.account("ALL", "REQUIRE SSL"), "MYSQL_SSL_MODE": "disabled", "MYSQL_SSL_CA": None}


@wrong((1, "login", "MYSQL_SSL_CERT"), ("MYSQL_SSL_CERT",))
def account_that_must_show_a_certificate(world):
    return world.account("ALL", "REQUIRE X509")


@wrong((1, "login", "ACCOUNT UNLOCK"), ("ACCOUNT UNLOCK",))
def locked_account(world):
    return world.account("ALL", "ACCOUNT LOCK")


@wrong((1, "login", "new password", "MYSQL_PASSWORD"), ("new password", "MYSQL_PASSWORD"))
def expired_password(world):
    return world.account("ALL", "PASSWORD EXPIRE")


@wrong((1, "server", "1226", "MAX_"), ("1226", "MAX_"))
def account_with_a_limit(world):
    return world.account("ALL", "WITH MAX_QUERIES_PER_HOUR 1")


@wrong((1, "secrets", "MYSQL_PASSWORD_FILE", "mount the Secret"), ("MYSQL_PASSWORD_FILE", "No such file"))
def password_file_that_is_missing(world):
    return {"MYSQL_PASSWORD": None, "MYSQL_PASSWORD_FILE": world.path("no-password")}


@wrong((1, "secrets", "MYSQL_PASSWORD_FILE", "is empty"), ("MYSQL_PASSWORD_FILE", "is empty"))
def password_file_that_is_empty(world):
    return {"MYSQL_PASSWORD": None, "MYSQL_PASSWORD_FILE": world.path("password", "\n")}


@wrong((1, "secrets", "MYSQL_PASSWORD_FILE", "is not a file"), ("MYSQL_PASSWORD_FILE", "is not a file"))
def password_file_that_is_a_directory(world):
    return {"MYSQL_PASSWORD": None, "MYSQL_PASSWORD_FILE": world.directory}


@wrong((1, "secrets", "MYSQL_PASSWORD_FILE", "control character"), ("MYSQL_PASSWORD_FILE", "control character"))
def password_file_of_two_lines(world):
    return {"MYSQL_PASSWORD": None, "MYSQL_PASSWORD_FILE": world.path("password", "a\nb\n")}


@wrong((2, "settings", "MYSQL_PASSWORD_FILE", "keep one"), ("MYSQL_PASSWORD_FILE", "keep one"))
def password_given_twice(world):
    return {"MYSQL_PASSWORD_FILE": world.path("password", "a")}


settings_only("password_with_a_newline", (2, "settings", "MYSQL_PASSWORD", "echo -n"), ("MYSQL_PASSWORD", "echo -n"),
              MYSQL_PASSWORD="secret\n")


# The database and its tables


@wrong((1, "database", "1044", "MYSQL_DB_NAME", "GRANT"), ("1044", "MYSQL_DB_NAME", "grant"))
def account_without_rights(world):
    return world.account("")


@wrong((1, "database", "1049", "MYSQL_DB_NAME", "CREATE DATABASE"), ("1049", "MYSQL_DB_NAME"))
def no_such_database(world):
    world.administer(f"GRANT ALL ON *.* TO {world.database.user}@'%'")
    return {"MYSQL_DB_NAME": "kubedl_missing"}


@wrong((1, "database", "MYSQL_DB_NAME"), ("MYSQL_DB_NAME",))
def database_in_capitals(world):
    return {"MYSQL_DB_NAME": world.database.name.upper()}


@wrong((1, "grants", "INSERT, UPDATE", "GRANT"), ("INSERT", "grant"))
def account_that_may_only_read(world):
    kubedl.create_tables(world.database)
    return world.account("SELECT")


@wrong((1, "tables", "CREATE TABLE", "GRANT"), ("CREATE TABLE",))
def no_tables_and_no_right_to_make_them(world):
    return world.account("SELECT, INSERT, UPDATE")


@wrong((1, "tables", "ALTER TABLE", "GRANT"), ("ALTER TABLE",))
def old_tables_and_no_right_to_change_them(world):
    kubedl.create_tables(world.database)
    return world.account("SELECT, INSERT, UPDATE")


@wrong((1, "read_only", "SET GLOBAL read_only = OFF", "MYSQL_HOST"), ("MYSQL_HOST",))
def read_only_server(world):
    world.set_global("read_only", 1)
    return {}


@wrong((3, "packet", "max_allowed_packet"), ("connected",))
def small_packets(world):
    world.set_global("max_allowed_packet", 65536)
    return {}


@wrong((3, "tables", "REMOVE PARTITIONING"), ("REMOVE PARTITIONING",))
def partitioned_table(world):
    kubedl.create_tables(world.database)
    world.database.query("ALTER TABLE job_info PARTITION BY HASH (id) PARTITIONS 4")
    return {}


@wrong((1, "tables", "job_info is a view", "rename"), ("job_info is a view", "rename"))
def view_in_place_of_a_table(world):
    world.database.query("CREATE VIEW job_info AS SELECT 1 AS id, 'a' AS job_id")
    return {}


# The spool


settings_only("spool_without_a_directory", (1, "spool", "/nowhere/spool", "SPOOL_DIR"), ("/nowhere/spool", "SPOOL_DIR"),
              SPOOL_DIR="/nowhere/spool")
settings_only("spool_that_cannot_be_written", (1, "spool", "/proc/self", "SPOOL_DIR"), ("/proc/self", "SPOOL_DIR"),
              SPOOL_DIR="/proc/self")
settings_only("spool_larger_than_its_volume", (3, "spool", "SPOOL_MAX_BYTES"), ("started",), SPOOL_MAX_BYTES="1024GiB")
settings_only("no_spool", (3, "spool", "SPOOL_DIR"), ("SPOOL_DIR",), SPOOL_DIR=None)


@wrong((1, "spool", "SPOOL_DIR"), ("SPOOL_DIR",))
def spool_that_is_a_file(world):
    return {"SPOOL_DIR": world.path("file", "")}


@wrong((1, "spool", "free some room"), ("free some room",))
def spool_on_a_full_disk(world):
    """For processes that begin now, the disk is full when a file has 16 KiB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16 << 10, hard))
    world.ends.callback(resource.setrlimit, resource.RLIMIT_FSIZE, (soft, hard))
    return {}


@wrong((0, "spool", "its own"), ("used by another kubedl-shipper",))
def spool_of_another_process(world):
    spool = world.path("shared")
    spool.mkdir()
    other = sidecar.Sidecar(world.directory, world.right(SPOOL_DIR=spool, EVENT_SOURCE="unix:/nowhere"), 9).start()
    world.ends.callback(other.kill)
    other.wait_for_record("started")
    return {"SPOOL_DIR": spool}


# Sources on a socket


settings_only("no_source", (2, "settings", "EVENT_SOURCE", "unix-listen:"), ("EVENT_SOURCE", "unix-listen:"),
              EVENT_SOURCE="http://kubedl:8080")
settings_only("socket_with_a_long_path", (2, "settings", "EVENT_SOURCE", "bytes"), ("EVENT_SOURCE", "bytes"),
              EVENT_SOURCE="unix:/" + "long/" * 22 + "events.sock")
settings_only("socket_in_no_directory", (1, "source", "/nowhere", "mount"), ("/nowhere", "mount"),
              EVENT_SOURCE="unix-listen:/nowhere/events.sock")


@wrong((1, "source", "not a socket"), ("not a socket",))
def file_in_the_sockets_place(world):
    return {"EVENT_SOURCE": f"unix-listen:{world.path('file', '')}"}


@wrong((3, "source", "a process listens", "nobody has connected"), ("another process",))
def socket_that_somebody_else_listens_on(world):
    path = world.path("taken.sock")
    listener = world.enter(socket.socket(socket.AF_UNIX))
    listener.bind(str(path))
    listener.listen()
    return {"EVENT_SOURCE": f"unix-listen:{path}"}


@wrong((3, "source", "kube:"), ("producer",))
def socket_that_nobody_makes(world):
    return {"EVENT_SOURCE": f"unix:{world.path('nobody.sock')}"}


@wrong((3, "source", "nobody listens", "kube:"), ("nobody listens",))
def socket_that_a_dead_producer_left(world):
    path = world.path("stale.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    return {"EVENT_SOURCE": f"unix:{path}"}


@wrong((1, "source", "not a socket", "EVENT_SOURCE"), ("nobody listens", "no socket"))
def file_in_the_producers_place(world):
    return {"EVENT_SOURCE": f"unix:{world.path('file', '')}"}


@wrong((3, "source", "CLUSTER_ID"), ("CLUSTER_ID",))
def socket_without_a_cluster_id(world):
    return {"CLUSTER_ID": None}


# The API server as a source


settings_only("outside_of_a_cluster", (2, "settings", "EVENT_SOURCE", "KUBERNETES_SERVICE_HOST"),
              ("EVENT_SOURCE", "KUBERNETES_SERVICE_HOST"), EVENT_SOURCE="kube:")
settings_only("no_proxy", (1, "source", "kubectl proxy --unix-socket"), ("/nowhere/proxy.sock", "kubectl proxy"),
              EVENT_SOURCE="kube+unix:/nowhere/proxy.sock")


@wrong((1, "source", "token", "automountServiceAccountToken"), ("token", "automountServiceAccountToken"))
def no_token(world):
    settings = world.in_cluster()
    (settings["KUBE_SERVICE_ACCOUNT"] / "token").unlink()
    return settings


@wrong((1, "source", "does not hold a token"), ("does not hold a token",))
def empty_token(world):
    settings = world.in_cluster()
    (settings["KUBE_SERVICE_ACCOUNT"] / "token").write_text("")
    return settings


@wrong((1, "source", "does not accept the token", "expired"), ("does not accept the token", "401", "has not expired"))
def token_that_is_not_accepted(world):
    settings = world.in_cluster()
    (settings["KUBE_SERVICE_ACCOUNT"] / "token").write_text("an-old-one")
    return settings


@wrong((1, "source", "ca.crt"), ("ca.crt",))
def no_authority_of_the_api_server(world):
    settings = world.in_cluster()
    (settings["KUBE_SERVICE_ACCOUNT"] / "ca.crt").unlink()
    return settings


@wrong((1, "source", "certificate", "ca.crt"), ("certificate", "ca.crt"))
def another_authority_of_the_api_server(world):
    settings = world.in_cluster()
    shutil.copy(Authority(world.directory, "stranger").cert, settings["KUBE_SERVICE_ACCOUNT"] / "ca.crt")
    return settings


@wrong((1, "source", "KUBERNETES_SERVICE_PORT"), ("KUBERNETES_SERVICE_PORT",))
def api_server_without_tls(world):
    return world.in_cluster(KUBERNETES_SERVICE_PORT=world.enter(addresses.speaking(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent")))


@wrong((1, "source", "KUBERNETES_SERVICE_PORT"), ("KUBERNETES_SERVICE_PORT",))
def api_server_that_is_away(world):
    return world.in_cluster(KUBERNETES_SERVICE_PORT=world.enter(addresses.refusing()))


@wrong((1, "source", 'apiGroups: [""]', "resources: [pods]", "verbs: [list, watch]", "role.yaml"),
       ("pods", "RBAC", "manifests/rights/role.yaml"))
def no_rights_in_the_cluster(world):
    settings = world.proxied()
    world.api.fault("snapshot", faults.refuses(403, "pods is forbidden"), times=9, resource="pods")
    world.api.fault("confirm", faults.refuses(403, "pods is forbidden"), times=9, resource="pods")
    world.api.fault("list", faults.refuses(403, "pods is forbidden"), times=9, resource="pods")
    world.api.fault("watch", faults.refuses(403, "pods is forbidden"), times=9, resource="pods")
    return settings


@wrong((1, "source", "resources: [mpijobs]", "verbs: [watch]"), ("mpijobs", "training.kubedl.io", "manifests/rights/role.yaml"))
def no_right_to_watch_one_kind(world):
    settings = world.proxied()
    world.api.fault("snapshot", faults.refuses(403, "mpijobs is forbidden"), times=9, resource="mpijobs")
    world.api.fault("watch", faults.refuses(403, "mpijobs is forbidden"), times=9, resource="mpijobs")
    return settings


@wrong((3, "source", "CLUSTER_ID", "resources: [namespaces]"), ("set CLUSTER_ID", "namespaces"))
def cluster_that_may_not_be_identified(world):
    return {**world.proxied(uid=None), "CLUSTER_ID": None}


@wrong((1, "source", "KUBE_NAMESPACE=taem"), ("taem", "KUBE_NAMESPACE"))
def no_such_namespace(world):
    return {**world.proxied(), "KUBE_NAMESPACE": "taem"}


@wrong((2, "settings", "KUBE_LABEL_SELECTOR", "CLUSTER_ID"), ("KUBE_LABEL_SELECTOR", "CLUSTER_ID"))
def selector_without_a_cluster_id(world):
    return {**world.proxied(), "CLUSTER_ID": None, "KUBE_LABEL_SELECTOR": "a=b"}


@wrong((1, "source", "KUBE_LABEL_SELECTOR"), ("KUBE_LABEL_SELECTOR",))
def selector_that_is_none(world):
    settings = world.proxied()
    for what in ("confirm", "list", "snapshot", "watch"):
        world.api.fault(what, faults.refuses(400, "unable to parse requirement"), times=99)
    return {**settings, "KUBE_LABEL_SELECTOR": "=x"}


@wrong((3, "source", "no kind of jobs"), ("not installed",))
def cluster_without_jobs(world):
    return world.proxied(installed=["Pod"])


# Other settings


settings_only("level_of_the_log", (2, "settings", "LOG_LEVEL", "debug, info, warn or error"),
              ("LOG_LEVEL", "debug, info, warn or error"), LOG_LEVEL="trace")
settings_only("number_with_a_unit", (2, "settings", "DB_TIMEOUT_MS", "1000 to 600000"),
              ("DB_TIMEOUT_MS", "1000 to 600000"), DB_TIMEOUT_MS="30s")
settings_only("size_with_another_unit", (2, "settings", "OUTBOX_MAX_BYTES", "64KiB to 64GiB"),
              ("OUTBOX_MAX_BYTES", "64KiB to 64GiB"), OUTBOX_MAX_BYTES="256Mi")
settings_only("unknown_names", (3, "settings", "OUTBOX_MAX_ROW:", "OUTBOX_MAX_ROWS"), ("OUTBOX_MAX_ROW", "OUTBOX_MAX_ROWS"),
              OUTBOX_MAX_ROW="5")
settings_only("names_of_the_mysql_image", (1, "settings", "MYSQL_DATABASE", "MYSQL_DB_NAME"),
              ("MYSQL_DATABASE", "MYSQL_DB_NAME"), MYSQL_DATABASE="jobs", MYSQL_DB_NAME=None)
settings_only("service_link", (1, "settings", "MYSQL_PORT", "service link"), ("MYSQL_PORT", "service link"),
              MYSQL_PORT="tcp://10.96.0.5:3306")
settings_only("leader_without_a_cluster", (2, "settings", "LEADER", "CLUSTER_ID"), ("LEADER", "CLUSTER_ID"),
              LEADER="mysql", CLUSTER_ID=None, EVENT_SOURCE="unix:/nowhere")
settings_only("leader_of_a_socket", (2, "settings", "LEADER", "EVENT_SOURCE"), ("LEADER", "EVENT_SOURCE"),
              LEADER="mysql")
settings_only("no_address_to_listen_on", (2, "settings", "HTTP_LISTEN"), ("HTTP_LISTEN",), HTTP_LISTEN="9470")


@wrong((0, "http", "is in use", "HTTP_LISTEN"), ("HTTP_LISTEN", "in use"))
def port_for_metrics_in_use(world):
    listener = world.enter(socket.create_server(("127.0.0.1", 0)))
    return {"HTTP_LISTEN": f"127.0.0.1:{listener.getsockname()[1]}"}


settings_only("another_machines_address", (3, "http", "no such address", "HTTP_LISTEN"), ("HTTP_LISTEN",), HTTP_LISTEN="192.0.2.1:9470")


# All of them


@pytest.fixture
def world(tls_server, tls_database, directory, authority):
    spool = directory / "spool"
    spool.mkdir()
    instance = World(tls_server, tls_database, directory, authority)
    right = {**tls_database.environment(), "MYSQL_HOST": "localhost", "MYSQL_SSL_MODE": "verify-identity",
             "MYSQL_SSL_CA": authority.cert, "SPOOL_DIR": spool, "SPOOL_MAX_BYTES": "1MiB", "CLUSTER_ID": "blue",
             "EVENT_SOURCE": f"unix-listen:{directory}/events.sock"}
    instance.right = lambda **changes: {name: str(value) for name, value in {**right, **changes}.items()
                                        if value is not None}
    with instance.ends:
        yield instance


def test_there_are_enough():
    assert len(SETUPS) >= 40


@pytest.mark.parametrize("name", SETUPS)
def test_wrong_setup(name, world):
    case = SETUPS[name]
    settings = world.right(**case.make(world))
    secret = world.database.password

    status, step, *words = case.check
    found = sidecar.run("check", "--json", settings=settings)
    findings = [" ".join([one["detail"], *one.get("advice", [])]) for one in json.loads(found.stdout)["checks"]
                if one["name"] == step]
    assert any(all(word in one for word in words) for one in findings), (words, findings)
    assert found.returncode == status, found.stdout
    assert secret not in found.stdout + found.stderr

    process = sidecar.Sidecar(world.directory, settings).start()
    world.ends.callback(process.kill)

    def is_said():
        has_ended = process.poll() is not None
        if any(all(word in line for word in case.log) for line in process.log_text().splitlines()):
            return True
        assert not has_ended, process.log_tail()
        return False

    until(is_said, lambda: f"a line with {case.log}: {process.log_tail()}")
    assert secret not in process.log_text()
