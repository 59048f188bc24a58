"""The program in its container: nothing that it needs is missing, and it needs no rights."""

import os
import re
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from harness import expected, producer, stream
from harness.nameserver import Nameserver
from harness.server import free_port
from harness.wait import until

NAME = "stream-a"
HOST = "mysql.kubedl-system.svc"
GRACE_SECONDS = 45  # the manifests' terminationGracePeriodSeconds

# What a container has in Kubernetes, before the service's name is added.
HOSTS = "127.0.0.1 localhost\n"
NO_NAMESERVER = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"


PLUGINS = {"mariadb": ("ed25519", "mysql_native_password"),
           "mysql": ("caching_sha2_password", "sha256_password")}


def pytest_generate_tests(metafunc):
    if "plugin" in metafunc.fixturenames:
        metafunc.parametrize("plugin", PLUGINS[metafunc.config.getoption("--server")])


@pytest.fixture
def account(plugin, tls_server, tls_database):
    """A database whose account logs in by this plugin."""
    account = f"{tls_database.user}@'%%'"
    if plugin == "ed25519":
        assert tls_server.install_ed25519(), "MariaDB's ed25519 cannot be had"
    how = f"VIA {plugin} USING PASSWORD(%s)" if tls_server.is_mariadb else f"WITH {plugin} BY %s"
    tls_server.query(f"ALTER USER {account} IDENTIFIED {how}", (tls_database.password,))
    return tls_database


@pytest.fixture(scope="session")
def certificate(authority):
    return authority.issue("service", f"DNS:{HOST}")


@pytest.fixture
def service(tls_server, authority, certificate):
    """The server, with a certificate for HOST."""
    tls_server.use_certificate(certificate, authority)


def settings(database, **others):
    return {**database.environment(), "MYSQL_HOST": HOST, **others}


def in_hosts(**others):
    """HOST is in /etc/hosts, and no name server answers."""
    return {"/etc/hosts": f"{HOSTS}127.0.0.1 {HOST}\n", "/etc/resolv.conf": NO_NAMESERVER, **others}


def verified(authority):
    """The settings of the strictest mode, and the file that it needs."""
    return ({"MYSQL_SSL_MODE": "verify-identity", "MYSQL_SSL_CA": "/etc/kubedl/ca.crt"},
            {"/etc/kubedl/ca.crt": authority.cert.read_text()})


def send(volumes):
    """The recorded stream, over the socket; the connection stays open."""
    connection = producer.connect(volumes / "socket" / "events.sock")
    connection.sendall(b"".join(stream.lines(NAME)))
    return connection


@pytest.fixture(scope="module")
def wanted():
    return expected.rows(stream.events(NAME))


def check(database, wanted):
    wrong = expected.differences(wanted[0], database.jobs())
    wrong += expected.differences(wanted[1], database.pods())
    assert not wrong, "\n".join(wrong)


def ship(container, volumes):
    """Ships the stream and stops, orderly."""
    container.start()
    with send(volumes):
        container.wait_until_written(len(stream.lines(NAME)))
        assert container.stop(GRACE_SECONDS) == 0, container.log_tail()
    assert container.accounts()["received"] == len(stream.lines(NAME))


def test_version(new_container):
    assert new_container().run("--version") == f"kubedl-shipper {os.environ['IMAGE_VERSION']}\n"


@pytest.mark.parametrize("encrypted", [True, False], ids=["TLS", "plain"])
def test_stream_ends_in_the_true_tables(encrypted, service, account, authority, new_container,
                                        volumes, wanted):
    modes, files = verified(authority) if encrypted else ({"MYSQL_SSL_MODE": "disabled"}, {})
    container = new_container(**settings(account, **modes), files=in_hosts(**files))
    ship(container, volumes)
    check(account, wanted)
    tls = container.records("connected")[0]["tls"]
    assert tls.startswith("TLSv1.") if encrypted else tls == ""


def test_the_service_is_found_by_dns_and_its_certificate_by_the_systems_authorities(
        service, tls_database, authority, new_container, volumes, wanted):
    with Nameserver(HOST, "127.0.0.1") as nameserver:
        container = new_container(**settings(tls_database, MYSQL_SSL_MODE="verify-identity"), files={
            "/etc/hosts": HOSTS,
            "/etc/resolv.conf": f"nameserver {nameserver.address}\nsearch svc.cluster.local\n"
                                "options ndots:5\n",
            "/etc/ssl/certs/ca-certificates.crt": authority.cert.read_text()})
        ship(container, volumes)
        assert HOST in nameserver.asked
    check(tls_database, wanted)


def test_a_certificate_of_no_known_authority_is_refused(service, tls_database, new_container):
    container = new_container(**settings(tls_database, MYSQL_SSL_MODE="verify-identity"),
                              files=in_hosts())
    container.start()
    container.wait_for_record("the store takes no rows")
    assert not container.records("connected")
    assert container.stop(GRACE_SECONDS) == 0


def test_it_has_no_rights(new_container, tls_database):
    container = new_container(**settings(tls_database), files=in_hosts()).start()
    container.wait_for_record("started")
    status = container.status()
    assert status["Uid"].split() == status["Gid"].split() == ["65532"] * 4
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[kind], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    assert status["NSpid"].split()[-1] == "1"
    assert "sh: No such file or directory" in container.execute("sh", "-c", "true").stdout
    assert container.stop(GRACE_SECONDS) == 0


def audit_of(container, documents):
    """What audit says, when it knows of that many documents."""
    audit = container.execute("kubedl-shipper", "audit")
    return audit if re.search(rf"^DOCUMENTS +{documents} received\b", audit.stdout, re.MULTILINE) else None


def test_people_have_the_commands_in_the_container(new_container, volumes, tls_database):
    container = new_container(**settings(tls_database), files=in_hosts()).start()
    with send(volumes):
        container.wait_until_written(len(stream.lines(NAME)))
        # The spool, which audit reads, is written after the database.
        audit = until(lambda: audit_of(container, len(stream.lines(NAME))),
                      "audit has counted all documents")
        assert audit.returncode == 0, audit.stdout
    assert container.stop(GRACE_SECONDS) == 0


def test_probes_and_metrics_are_served(new_container, tls_database):
    port = free_port()
    container = new_container(**settings(tls_database, HTTP_LISTEN=f"127.0.0.1:{port}"),
                              files=in_hosts()).start()
    container.wait_for_record("started")

    def served(path):
        try:
            with urlopen(f"http://127.0.0.1:{port}/{path}", timeout=60) as answer:
                return answer.read()
        except HTTPError as error:
            assert (path, error.code) == ("readyz", 503)
            return None

    until(lambda: served("readyz"), "it is ready")
    assert served("livez") and served("metrics")
    assert container.stop(GRACE_SECONDS) == 0


@pytest.mark.parametrize("outage", ["frozen", "killed"])
def test_sigterm_in_an_outage_leaves_all_in_the_spool(outage, new_container, volumes, tls_server,
                                                     tls_database, wanted):
    container = new_container(**settings(tls_database, SHUTDOWN_GRACE_MS=2000), files=in_hosts())
    container.start()
    container.wait_for_record("connected")
    (tls_server.freeze if outage == "frozen" else tls_server.kill)()
    with send(volumes):
        container.wait_until_received(len(stream.lines(NAME)))
        assert container.stop(GRACE_SECONDS) == 0, container.log_tail()
    assert container.accounts()["unsaved"] == 0
    tls_server.ensure_running()
    assert tls_database.count("job_info") == 0

    after = new_container(**settings(tls_database), files=in_hosts()).start()
    until(lambda: expected.differences(wanted[0], tls_database.jobs()) == []
          and expected.differences(wanted[1], tls_database.pods()) == [],
          lambda: f"the spool is written:\n{after.log_tail()}")
    assert after.stop(GRACE_SECONDS) == 0


def test_sigterm_at_once_loses_nothing_that_was_received(new_container, volumes, tls_database,
                                                        wanted):
    container = new_container(**settings(tls_database), files=in_hosts()).start()
    with send(volumes):
        assert container.stop(GRACE_SECONDS) == 0, container.log_tail()
    check(tls_database, wanted)
