"""`kubedl-shipper check`: from each wrong set-up its output alone leads to the fix; once what it says is
done, it finds nothing more."""

import json
import shutil
import socket

import pytest
import yaml

from harness import addresses, events, faults, kubedl, sidecar, stream
from harness.apiserver import ApiServer
from harness.certificates import Authority

OK, FAILED, USAGE, WARNED = 0, 1, 2, 3
STEPS = ["settings", "secrets", "dns", "tcp", "server", "tls", "plugin", "login", "database", "grants",
         "sql_mode", "charset", "packet", "read_only", "clock", "binlog", "galera", "tables", "spool", "http", "source"]


class Finding:
    def __init__(self, status, name, detail, advice=()):
        self.status, self.name, self.detail, self.advice = status, name, detail, list(advice)

    def __repr__(self):
        return f"{self.status} {self.name} {self.detail} {self.advice}"


class Examination:
    """One run of the command, as a person sees it, and as a program does."""

    def __init__(self, settings):
        settings = {name: str(value) for name, value in settings.items() if value is not None}
        result = sidecar.run("check", settings=settings)
        self.status, self.text = result.returncode, result.stdout
        assert result.stderr == ""
        again = sidecar.run("check", "--json", settings=settings)
        document = json.loads(again.stdout)
        assert again.returncode == self.status
        self.findings = [Finding(**one) for one in document["checks"]]
        self.worst = document["status"]
        password = settings.get("MYSQL_PASSWORD", "")
        assert len(password) < 8 or password not in self.text + again.stdout
        for finding in self.findings:
            assert (finding.status in ("warn", "fail")) >= bool(finding.advice)
            for line in finding.advice:
                assert f"\n      {line}\n" in self.text, "both forms say the same"

    def of(self, *statuses):
        return [finding for finding in self.findings if finding.status in statuses]

    def failure(self):
        """The only one."""
        assert self.status in (FAILED, USAGE) and self.worst == "fail", self.text
        failures = self.of("fail")
        assert len(failures) == 1, self.text
        return failures[0]

    def assert_well(self):
        assert self.status == OK and not self.of("warn", "fail", "skip"), self.text
        assert [finding.name for finding in self.findings] == STEPS


@pytest.fixture
def settings(tls_database, authority, directory):
    """With which nothing is wrong."""
    spool = directory / "spool"
    spool.mkdir()
    return {**tls_database.environment(), "MYSQL_HOST": "localhost",
            "MYSQL_SSL_MODE": "verify-identity", "MYSQL_SSL_CA": authority.cert,
            "SPOOL_DIR": spool, "SPOOL_MAX_BYTES": "1MiB", "CLUSTER_ID": "blue",
            "EVENT_SOURCE": f"unix-listen:{directory}/events.sock"}


def statements(lines):
    return [line for line in lines if line.endswith(";")]


def run_as_administrator(server, lines):
    """The statements among these lines, one after the other, in one session."""
    sql = statements(lines)
    assert sql
    with server.connect() as connection, connection.cursor() as cursor:
        for one in sql:
            cursor.execute(one)


def make_tables(ship, settings):
    others = {name: value for name, value in settings.items() if name != "EVENT_SOURCE"}
    ship([stream.line(events.added(events.job("first")))], **others)


def limited(server, database, rights):
    """An account with these rights only; its settings."""
    name = f"{database.name}_limited"
    server.query(f"DROP USER IF EXISTS {name}@'%'")
    database.new_user(name, database.password, rights)
    return {"MYSQL_USER": name}


@pytest.fixture
def limited_account(tls_server, tls_database):
    yield lambda rights: limited(tls_server, tls_database, rights)
    tls_server.query(f"DROP USER IF EXISTS {tls_database.name}_limited@'%'")


def test_nothing_is_wrong(settings, tls_database):
    examination = Examination(settings)
    examination.assert_well()
    tables = examination.findings[STEPS.index("tables")]
    assert "the sidecar does them when it starts" in tables.detail
    assert not tls_database.has_table("job_info"), "nothing is changed"


def test_nothing_is_wrong_with_the_tables_there(settings, ship):
    make_tables(ship, settings)
    examination = Examination(settings)
    examination.assert_well()
    assert "as this version makes them" in examination.findings[STEPS.index("tables")].detail


# The wrong set-ups


def test_wrong_host(settings):
    failure = Examination({**settings, "MYSQL_HOST": "no-such-host.invalid"}).failure()
    assert failure.name == "dns" and "MYSQL_HOST" in failure.advice[0]
    Examination({**settings, "MYSQL_HOST": "localhost"}).assert_well()


def test_wrong_port(settings):
    with addresses.refusing() as port:
        examination = Examination({**settings, "MYSQL_HOST": "127.0.0.1", "MYSQL_PORT": port})
    failure = examination.failure()
    assert failure.name == "tcp" and "MYSQL_PORT" in failure.advice[0]
    assert [one.name for one in examination.of("skip")] == STEPS[4:-3]
    Examination(settings).assert_well()


@pytest.mark.parametrize("words", [b"SSH-2.0-OpenSSH_9.2p1\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_port_of_something_else(words, settings):
    with addresses.speaking(words) as port:
        failure = Examination({**settings, "MYSQL_HOST": "127.0.0.1", "MYSQL_PORT": port}).failure()
    assert failure.name == "server" and "MYSQL_PORT" in failure.advice[0]


def test_port_that_says_nothing(settings):
    with addresses.mute() as port:
        failure = Examination({**settings, "MYSQL_HOST": "127.0.0.1", "MYSQL_PORT": port,
                               "DB_TIMEOUT_MS": 1000}).failure()
    assert failure.name == "server"


def test_wrong_password(settings, tls_database):
    failure = Examination({**settings, "MYSQL_PASSWORD": "wrong"}).failure()
    assert failure.name == "login" and "1045" in failure.detail
    assert "MYSQL_PASSWORD" in failure.advice[0]
    Examination(settings).assert_well()


def test_password_with_a_newline(settings, tls_database):
    examination = Examination({**settings, "MYSQL_PASSWORD": tls_database.password + "\n"})
    failure = examination.failure()
    assert examination.status == USAGE
    assert failure.name == "settings" and "MYSQL_PASSWORD: ends in a newline" in failure.detail
    assert "printf or echo -n" in failure.detail
    assert tls_database.password not in examination.text
    Examination(settings).assert_well()


def test_password_file_with_a_newline_is_well(settings, tls_database, directory):
    path = directory / "password"
    path.write_text(tls_database.password + "\n")
    files = {"MYSQL_PASSWORD": None, "MYSQL_PASSWORD_FILE": path}
    Examination({**settings, **files}).assert_well()
    path.unlink()
    failure = Examination({**settings, **files}).failure()
    assert failure.name == "secrets" and "MYSQL_PASSWORD_FILE" in failure.detail


def test_no_tls_where_it_is_required(settings, database):
    plain = {**settings, **database.environment()}
    failure = Examination({**plain, "MYSQL_SSL_MODE": "required", "MYSQL_SSL_CA": None}).failure()
    assert failure.name == "tls" and "does not support it" in failure.detail
    assert "ssl_cert" in failure.advice[0] and "MYSQL_SSL_MODE=preferred" in failure.advice[0]
    examination = Examination({**plain, "MYSQL_SSL_MODE": "preferred", "MYSQL_SSL_CA": None})
    assert examination.status == WARNED and [f.name for f in examination.of("warn")] == ["tls"]
    Examination(settings).assert_well()  # a server where it is switched on


def test_no_tls_where_the_account_requires_it(settings, tls_server, tls_database):
    tls_server.query(f"ALTER USER {tls_database.user}@'%' REQUIRE SSL")
    off = {**settings, "MYSQL_SSL_MODE": "disabled", "MYSQL_SSL_CA": None}
    failure = Examination(off).failure()
    assert failure.name == "login" and "MYSQL_SSL_MODE=required" in failure.advice[0]
    Examination({**off, "MYSQL_SSL_MODE": "required"}).assert_well()


def test_wrong_authority(settings, directory, authority):
    stranger = Authority(directory, "stranger")
    failure = Examination({**settings, "MYSQL_SSL_CA": stranger.cert}).failure()
    assert failure.name == "tls" and "MYSQL_SSL_CA" in failure.advice[0]
    Examination({**settings, "MYSQL_SSL_CA": authority.cert}).assert_well()


def test_missing_right(settings, ship, tls_server, limited_account):
    make_tables(ship, settings)
    account = {**settings, **limited_account("SELECT")}
    examination = Examination(account)
    failure = examination.failure()
    assert failure.name == "grants" and "no right to INSERT, UPDATE" in failure.detail
    assert len(statements(failure.advice)) == 1
    run_as_administrator(tls_server, failure.advice)
    Examination(account).assert_well()
    make_tables(ship, account)


def test_rights_on_the_tables_alone(settings, ship, tls_server, tls_database, limited_account):
    make_tables(ship, settings)
    account = {**settings, **limited_account("SELECT")}
    name = account["MYSQL_USER"]
    tls_server.query(f"GRANT INSERT, UPDATE ON {tls_database.name}.job_info TO {name}@'%'")
    assert "INSERT, UPDATE" in Examination(account).failure().detail
    tls_server.query(f"GRANT INSERT, UPDATE ON {tls_database.name}.replica_info TO {name}@'%'")
    Examination(account).assert_well()


def test_read_only_server(settings, tls_server):
    tls_server.query("SET GLOBAL read_only = ON")
    try:
        failure = Examination(settings).failure()
        assert failure.name == "read_only" and "MYSQL_HOST" in failure.advice[0]
        run_as_administrator(tls_server, failure.advice)
        Examination(settings).assert_well()
    finally:
        tls_server.query("SET GLOBAL read_only = OFF")


@pytest.mark.parametrize("everywhere", [False, True], ids=["1044", "1049"])
def test_missing_database(everywhere, settings, tls_server, tls_database):
    name = tls_database.name + "_missing"
    if everywhere:
        tls_server.query(f"GRANT ALL ON *.* TO {tls_database.user}@'%'")
    wrong = {**settings, "MYSQL_DB_NAME": name}
    failure = Examination(wrong).failure()
    assert failure.name == "database" and "MYSQL_DB_NAME" in failure.advice[0]
    assert ("1049" if everywhere else "1044") in failure.detail
    Examination(settings).assert_well()  # the name corrected
    try:
        run_as_administrator(tls_server, failure.advice)
        Examination(wrong).assert_well()
    finally:
        tls_server.query(f"DROP DATABASE IF EXISTS {name}")


@pytest.mark.parametrize("way", ["rights", "statements"])
def test_old_tables_without_the_right_to_change_them(way, settings, ship, rng, tls_server,
                                                     tls_database, limited_account):
    kubedl.create_tables(tls_database)
    kubedl.fill_with_duplicates(tls_database, list(stream.events("stream-a")), rng)
    account = {**settings, **limited_account("SELECT, INSERT, UPDATE")}
    failure = Examination(account).failure()
    assert failure.name == "tables" and "rows cannot be written before" in failure.detail
    border = failure.advice.index("or have a DBA run:")
    if way == "rights":
        run_as_administrator(tls_server, failure.advice[:border])
    else:
        run_as_administrator(tls_server, failure.advice[border:])
    Examination(account).assert_well()
    make_tables(ship, account)
    assert "first" in tls_database.jobs()
    assert "as this version makes them" in Examination(account).findings[-4].detail


# What is not wrong, but could be better


def test_one_of_several_hosts_is_enough(settings):
    with addresses.refusing() as port:
        examination = Examination({**settings, "MYSQL_HOST": f"127.0.0.1:{port},localhost"})
    assert examination.status == WARNED, examination.text
    assert [one.name for one in examination.of("warn")] == ["tcp"]


def test_none_of_several_hosts_is_not(settings):
    with addresses.refusing() as port:
        examination = Examination({**settings, "MYSQL_HOST": f"127.0.0.1:{port},[::1]:{port}"})
    assert examination.status == FAILED
    assert [one.name for one in examination.of("fail")] == ["tcp", "tcp"]


def test_warnings(settings, tls_server):
    packet = tls_server.query("SELECT @@max_allowed_packet AS n")[0]["n"]
    tls_server.query("SET GLOBAL max_allowed_packet = 65536")
    tls_server.query("SET GLOBAL init_connect = 'SET timestamp = UNIX_TIMESTAMP() - 3600'")
    try:
        examination = Examination({**settings, "SPOOL_DIR": None,
                                   "EVENT_SOURCE": "unix:/nowhere/events.sock"})
    finally:
        tls_server.query("SET GLOBAL init_connect = ''")
        tls_server.query(f"SET GLOBAL max_allowed_packet = {packet}")
    assert examination.status == WARNED and examination.worst == "warn"
    assert [one.name for one in examination.of("warn")] == ["packet", "clock", "spool", "source"]
    assert all(one.advice for one in examination.of("warn"))
    assert "3600." in examination.findings[STEPS.index("clock")].detail


def test_a_spool_that_cannot_be_written(settings):
    failure = Examination({**settings, "SPOOL_DIR": "/proc/self"}).failure()
    assert failure.name == "spool" and "SPOOL_DIR" in failure.advice[0]


def test_a_spool_larger_than_its_volume(settings):
    examination = Examination({**settings, "SPOOL_MAX_BYTES": "1024GiB"})
    assert examination.status == WARNED
    assert "SPOOL_MAX_BYTES" in examination.of("warn")[0].advice[0]


def test_over_a_unix_socket(settings, tls_server):
    plain = {**settings, "MYSQL_HOST": tls_server.socket, "MYSQL_SSL_MODE": "preferred",
             "MYSQL_SSL_CA": None}
    Examination(plain).assert_well()
    failure = Examination({**plain, "MYSQL_HOST": "/nowhere/mysqld.sock"}).failure()
    assert failure.name == "tcp" and "MYSQL_HOST" in failure.advice[0]


# Sockets as a source


def test_a_producer_is_seen_without_a_connection_to_it(settings, directory):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{directory}/producer.sock")
        listener.listen()
        listener.setblocking(False)
        Examination({**settings, "EVENT_SOURCE": f"unix:{directory}/producer.sock"}).assert_well()
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_producers_of_the_sidecar_are_counted(settings, directory):
    path = f"{directory}/events.sock"
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as producer:
        listener.bind(path)
        listener.listen()
        examination = Examination(settings)
        assert examination.status == WARNED and [one.name for one in examination.of("warn")] == ["source"]
        assert "nobody has connected" in examination.of("warn")[0].detail
        producer.connect(path)
        connection, _ = listener.accept()
        with connection:
            examination = Examination(settings)
        examination.assert_well()
        assert "producers that are connected: 1" in examination.findings[-1].detail


def test_a_silent_socket_is_well_beside_another_source(settings, directory):
    both = f"unix:{directory}/nobody.sock,kube+unix:{directory}/proxy.sock"
    with ApiServer(directory / "proxy.sock"):
        examination = Examination({**settings, "EVENT_SOURCE": both, "CLUSTER_ID": None})
    assert examination.status == OK and "the socket is not there" in examination.findings[-2].detail


# The API server as a source


@pytest.fixture
def proxied(settings, directory):
    """Settings for an API server behind a socket; it is not there yet."""
    return {**settings, "EVENT_SOURCE": f"kube+unix:{directory}/proxy.sock"}


@pytest.fixture
def api(directory, proxied):
    with ApiServer(directory / "proxy.sock") as server:
        yield server


def source_of(examination):
    """What is said of the source, which comes last."""
    found = [one for one in examination.findings if one.name == "source"]
    assert found == examination.findings[-len(found):]
    return found


def test_api_server_that_lets_us_list_and_watch(api, proxied):
    examination = Examination(proxied)
    examination.assert_well()
    detail = source_of(examination)[0].detail
    assert "can be listed and watched: pods, tfjobs.training.kubedl.io, " in detail
    assert "not installed: tfjobs.kubeflow.org, " in detail
    assert {r.what for r in api.requests} == {"identify", "discover", "confirm", "watch"}


def test_proxy_that_is_not_there(proxied, directory):
    failure = Examination(proxied).failure()
    assert failure.name == "source" and "port 80" not in failure.detail
    assert f"cannot connect to the socket {directory}/proxy.sock: No such file" in failure.detail
    assert "kubectl proxy --unix-socket" in failure.advice[0]


def test_proxy_without_an_api_server(api, proxied):
    api.fault("identify", faults.PROXY_DOWN, times=2)
    failure = Examination(proxied).failure()
    assert failure.name == "source" and "connection refused" in failure.detail
    Examination(proxied).assert_well()


@pytest.mark.parametrize("garbage", [faults.HTML_AS_SUCCESS, faults.says(200, b"{}", "application/json")])
def test_something_that_is_no_api_server(garbage, api, proxied):
    api.fault("identify", garbage, times=2)
    failure = Examination(proxied).failure()
    assert failure.name == "source" and "no API server" in failure.detail


def test_api_server_that_says_nothing(api, proxied):
    api.fault("identify", lambda *_: api.wait_until_closed(), times=2)
    failure = Examination({**proxied, "KUBE_SILENCE_MS": 1000}).failure()
    assert failure.name == "source" and "no answer within 1000 ms" in failure.detail


def test_rights_that_are_missing(api, proxied):
    denial = 'pods is forbidden: User "system:serviceaccount:kubedl-system:default" cannot list'
    for what, resource in (("confirm", "pods"), ("watch", "pods"), ("watch", "mpijobs")):
        api.fault(what, faults.refuses(403, denial), times=2, resource=resource)
    examination = Examination(proxied)
    failure = examination.failure()
    assert failure.name == "source" and denial in failure.detail
    assert "pods, mpijobs.training.kubedl.io" in failure.detail
    assert "ClusterRole" in failure.advice[0]
    assert yaml.safe_load("\n".join(failure.advice[1:])) == [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]},
        {"apiGroups": ["training.kubedl.io"], "resources": ["mpijobs"], "verbs": ["watch"]}]
    Examination(proxied).assert_well()


def test_cluster_that_may_not_be_identified(api, proxied):
    api.uid = None
    examination = Examination({**proxied, "CLUSTER_ID": None})
    assert examination.status == WARNED, examination.text
    (warning,) = examination.of("warn")
    assert warning.name == "source" and "CLUSTER_ID" in warning.advice[0]
    assert yaml.safe_load("\n".join(warning.advice[1:])) == [
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"],
         "resourceNames": ["kube-system"]}]
    Examination({**proxied, "CLUSTER_ID": "blue"}).assert_well()


def test_namespace_that_does_not_exist(api, proxied):
    failure = Examination({**proxied, "KUBE_NAMESPACE": "taem"}).failure()
    assert failure.name == "source" and "KUBE_NAMESPACE=taem" in failure.detail
    api.put(events.pod("a", namespace="team"))
    Examination({**proxied, "KUBE_NAMESPACE": "team"}).assert_well()


def test_namespace_that_may_not_be_looked_at(api, proxied):
    """A Role in it is enough to record what is in it."""
    def forbid(request, usual):
        return usual() if request.path.endswith("kube-system") else faults.refuses(403, "it is forbidden")()

    api.fault("identify", forbid, times=4)
    examination = Examination({**proxied, "KUBE_NAMESPACE": "team"})
    assert examination.status == OK
    assert "KUBE_NAMESPACE=team: whether it exists cannot be seen: it is forbidden" in examination.text


def test_selector_that_does_not_parse(api, proxied):
    message = "unable to parse requirement: found '=', expected: identifier"
    api.fault("confirm", faults.refuses(400, message), times=2)
    failure = Examination({**proxied, "KUBE_LABEL_SELECTOR": "=x", "CLUSTER_ID": "selected"}).failure()
    assert failure.name == "source" and message in failure.detail
    assert "KUBE_LABEL_SELECTOR" in failure.advice[0]


def test_cluster_without_kinds_of_jobs(directory, proxied):
    with ApiServer(directory / "proxy.sock", installed=["Pod"]):
        examination = Examination(proxied)
    assert examination.status == WARNED
    assert [one.name for one in examination.of("warn")] == ["source"]


@pytest.mark.parametrize("wrong", [None, "no token", "wrong token", "no ca.crt", "wrong ca.crt", "no server"])
def test_account_of_the_pod(wrong, settings, directory, authority):
    account = directory / "serviceaccount"
    account.mkdir()
    (account / "token").write_text("the-token-of-the-pod")
    (account / "ca.crt").write_bytes(authority.cert.read_bytes())
    certificate = authority.issue("kubernetes", "DNS:kubernetes,IP:127.0.0.1")
    with ApiServer(certificate=certificate.cert, key=certificate.key,
                   tokens=["the-token-of-the-pod"]) as api, addresses.refusing() as refusing:
        kube = {**settings, "EVENT_SOURCE": "kube:", "KUBE_SERVICE_ACCOUNT": account,
                "KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": api.port}
        if wrong == "no token":
            (account / "token").unlink()
        elif wrong == "wrong token":
            (account / "token").write_text("of-somebody-else")
        elif wrong == "no ca.crt":
            (account / "ca.crt").unlink()
        elif wrong == "wrong ca.crt":
            shutil.copy(Authority(directory, "other").cert, account / "ca.crt")
        elif wrong == "no server":
            kube["KUBERNETES_SERVICE_PORT"] = refusing
        examination = Examination(kube)
    if wrong is None:
        examination.assert_well()
        return
    failure = examination.failure()
    assert failure.name == "source"
    assert {"no token": "cannot read the service account's token", "wrong token": "does not accept",
            "no ca.crt": "ca.crt", "wrong ca.crt": "SSL certificate problem",
            "no server": "onnect"}[wrong] in failure.detail
    assert "KUBE_SERVICE_ACCOUNT" in failure.advice[0]
    assert "the-token-of-the-pod" not in examination.text


def test_other_arguments_are_refused(settings):
    result = sidecar.run("check", "--yaml")
    assert result.returncode == USAGE and result.stdout == ""
