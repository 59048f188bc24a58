"""TLS to the database: each mode takes what it says it takes, and never less."""

import ctypes
import shutil

import pymysql
import pytest

from harness import events, producer
from harness.asker import Asker
from harness.certificates import Authority
from harness.stream import line
from harness.stripper import CLIENT_PLUGIN_AUTH, CLIENT_SSL, Stripper
from harness.wait import until

MODES = ("disabled", "preferred", "required", "verify-ca", "verify-identity")
TAKES_NO_PLAIN = MODES[2:]
CONNECTED = "connected"
REFUSED = "the store takes no rows"


# From 3.4 on libmariadb looks at the name with verify-ca, too, but never on the machine's own
# addresses: "127.0.0.1" and Unix sockets.
NEW_LIBRARY = ctypes.CDLL("libmariadb.so.3").mysql_get_client_version() >= 30400


@pytest.fixture(scope="session")
def stranger(tmp_path_factory):
    """An authority that nobody trusts."""
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture
def outcome(new_sidecar, directory):
    """outcome(database, NAME=value, ...): the record of the connection that a sidecar makes, or of
    its first failure."""

    def run(database, **settings):
        sidecar = new_sidecar(EVENT_SOURCE=f"unix-listen:{directory}/events.sock",
                              DB_CONNECTIONS=1, LOG_SUMMARY_MS=0,
                              **{**database.environment(), **settings}).start()

        def first():
            assert sidecar.poll() is None, sidecar.log_tail()
            return sidecar.records(CONNECTED) or sidecar.records(REFUSED)

        record = until(first, lambda: f"it connects, or fails:\n{sidecar.log_tail()}")[0]
        assert sidecar.stop() == 0
        assert database.password not in sidecar.log_text()
        return record

    return run


def trusting(mode, authority):
    """The settings of a mode that knows its authority."""
    return {"MYSQL_SSL_MODE": mode,
            "MYSQL_SSL_CA": authority.cert if mode.startswith("verify") else None}


def is_tls(record):
    assert record["msg"] == CONNECTED, record
    assert (record["tls"] == "") == (record["cipher"] == "")
    return record["tls"] in ("TLSv1.2", "TLSv1.3")


def why(record):
    assert record["msg"] == REFUSED, record
    assert record["class"] == "operator", record
    return record["error"]


@pytest.mark.parametrize("mode", MODES)
def test_a_server_with_tls(mode, outcome, tls_database, authority):
    record = outcome(tls_database, **trusting(mode, authority))
    assert is_tls(record) == (mode != "disabled")


@pytest.mark.parametrize("mode", MODES)
def test_a_server_without_tls(mode, outcome, database, authority):
    record = outcome(database, **trusting(mode, authority))
    if mode in TAKES_NO_PLAIN:
        assert "MYSQL_SSL_MODE" in why(record)
    else:
        assert not is_tls(record)


@pytest.fixture
def certified(server, tls_certificate, authority):
    """certified(): the server that had no TLS is started with it."""
    yield lambda: (server.stop(), server.use_certificate(tls_certificate, authority),
                   server.start())
    server.stop()
    shutil.rmtree(server.tls)
    server.start()


def test_a_server_that_gets_tls_is_preferred_with_it(new_sidecar, directory, database, certified):
    path = directory / "events.sock"
    sidecar = new_sidecar(EVENT_SOURCE=f"unix-listen:{path}", DB_CONNECTIONS=1).start()
    assert not is_tls(sidecar.wait_for_record(CONNECTED))
    certified()
    with producer.connect(path) as connection:
        connection.sendall(line(events.added(events.job("u-1"))))
        until(lambda: is_tls(sidecar.wait_for_record(CONNECTED)), sidecar.log_tail)
    sidecar.wait_until_written(1)
    assert sidecar.stop() == 0
    assert database.count("job_info") == 1


@pytest.mark.parametrize("mode, without", [
    *((mode, CLIENT_SSL) for mode in MODES[1:]),
    *((mode, CLIENT_SSL | CLIENT_PLUGIN_AUTH) for mode in TAKES_NO_PLAIN)])
def test_a_man_in_the_middle_hears_no_login_where_tls_is_required(
        mode, without, outcome, tls_server, tls_database, authority):
    with Stripper(tls_server.port, without=without) as stripper:
        record = outcome(tls_database, **trusting(mode, authority), MYSQL_PORT=stripper.port)
        until(lambda: stripper.victims > 0, "the connection is over")
        heard = tls_database.user.encode() in stripper.heard
    assert (record["msg"] == REFUSED) == (mode in TAKES_NO_PLAIN)
    assert heard == (mode not in TAKES_NO_PLAIN)


@pytest.mark.parametrize("plugin", ["mysql_clear_password", "dialog", "mysql_old_password"])
@pytest.mark.parametrize("mode", MODES[:2])
def test_the_password_is_not_sent_in_clear_without_tls(mode, plugin, outcome, database):
    with Asker(plugin) as asker:
        record = outcome(database, MYSQL_SSL_MODE=mode, MYSQL_PORT=asker.port)
        until(lambda: asker.asked > 0, "the connection is over")
        assert asker.heard == b""
    assert "in clear" in why(record) and "MYSQL_SSL_MODE" in why(record)


@pytest.mark.parametrize("mode", MODES[1:])
@pytest.mark.parametrize("plugin", ["mysql_clear_password", "dialog"])
def test_the_password_is_sent_in_clear_under_tls(mode, plugin, outcome, database, authority,
                                                 tls_certificate):
    """By the plugins of Debian's libmariadb3, as PAM needs it."""
    with Asker(plugin, tls_certificate) as asker:
        outcome(database, **trusting(mode, authority), MYSQL_PORT=asker.port)
        until(lambda: asker.asked > 0, "the connection is over")
        assert database.password.encode() in asker.heard


@pytest.mark.parametrize("mode", MODES[1:])
def test_a_certificate_of_another_authority(mode, outcome, tls_server, tls_database, authority,
                                            stranger):
    # MySQL takes only one of its own authority.
    tls_server.use_certificate(stranger.issue("server", "DNS:localhost,IP:127.0.0.1"), stranger)
    record = outcome(tls_database, **trusting(mode, authority))
    if mode.startswith("verify"):
        assert "MYSQL_SSL_CA" in why(record)
    else:
        assert is_tls(record)


@pytest.mark.parametrize("mode", MODES[1:])
def test_a_certificate_that_has_expired(mode, outcome, tls_server, tls_database, authority):
    if not tls_server.is_mariadb:
        pytest.skip("MySQL takes none that has expired already")
    tls_server.use_certificate(
        authority.issue("expired", "DNS:localhost,IP:127.0.0.1", days=-1), authority)
    record = outcome(tls_database, **trusting(mode, authority))
    if mode.startswith("verify"):
        assert "expired" in why(record)
    else:
        assert is_tls(record)


@pytest.mark.parametrize("mode", MODES[3:])
def test_a_certificate_for_another_name(mode, outcome, tls_server, tls_database, authority):
    tls_server.use_certificate(authority.issue("db.example", "DNS:db.example"), authority)
    record = outcome(tls_database, **trusting(mode, authority), MYSQL_HOST="localhost")
    if mode == "verify-identity" or NEW_LIBRARY:
        assert "MYSQL_HOST" in why(record)
    else:
        assert is_tls(record)


@pytest.mark.parametrize("host, alternative", [("localhost", "DNS:localhost"),
                                               ("127.0.0.1", "IP:127.0.0.1")])
def test_the_name_is_verified_as_it_is_written(host, alternative, outcome, tls_server,
                                               tls_database, authority):
    """Not the address that it has: that, anybody can have who answers for the name server."""
    tls_server.use_certificate(authority.issue("x", alternative), authority)
    settings = trusting("verify-identity", authority)
    assert is_tls(outcome(tls_database, **settings, MYSQL_HOST=host))
    other = {"localhost": "127.0.0.1", "127.0.0.1": "localhost"}[host]
    if NEW_LIBRARY and other == "127.0.0.1":
        return
    assert "MYSQL_HOST" in why(outcome(tls_database, **settings, MYSQL_HOST=other))


def test_the_systems_authorities_are_trusted_where_no_other_is_named(outcome, tls_database,
                                                                     authority):
    settings = {**trusting("verify-identity", authority), "MYSQL_HOST": "localhost"}
    del settings["MYSQL_SSL_CA"]
    assert "MYSQL_SSL_CA" in why(outcome(tls_database, **settings))
    assert is_tls(outcome(tls_database, **settings, SSL_CERT_FILE=authority.cert))


@pytest.mark.parametrize("mode", MODES)
def test_over_a_unix_socket_tls_is_used_where_it_is_asked_for(mode, outcome, tls_server,
                                                              tls_database, authority):
    record = outcome(tls_database, **trusting(mode, authority), MYSQL_HOST=tls_server.socket)
    assert is_tls(record) == (mode in TAKES_NO_PLAIN)


@pytest.mark.skipif(NEW_LIBRARY, reason="libmariadb looks at no name on a Unix socket")
def test_over_a_unix_socket_the_name_is_localhost(outcome, tls_server, tls_database, authority):
    tls_server.use_certificate(authority.issue("db.example", "DNS:db.example"), authority)
    settings = trusting("verify-identity", authority)
    assert "MYSQL_HOST" in why(outcome(tls_database, **settings, MYSQL_HOST=tls_server.socket))


def test_an_unreadable_authority_is_told(outcome, tls_database, directory):
    record = outcome(tls_database, MYSQL_SSL_MODE="verify-ca", MYSQL_SSL_CA=directory / "none")
    assert "MYSQL_SSL_CA" in why(record)


# Accounts that ask for more


def test_an_account_that_requires_tls(outcome, tls_server, tls_database):
    tls_server.query(f"ALTER USER {tls_database.user}@'%' REQUIRE SSL")
    assert is_tls(outcome(tls_database))
    assert "MYSQL_SSL_MODE" in why(outcome(tls_database, MYSQL_SSL_MODE="disabled"))


def test_an_account_that_requires_a_certificate(outcome, tls_server, tls_database, authority):
    client = authority.issue("client")
    tls_server.query(f"ALTER USER {tls_database.user}@'%' REQUIRE X509")
    settings = trusting("verify-identity", authority)
    assert "MYSQL_SSL_CERT" in why(outcome(tls_database, **settings))
    settings["MYSQL_SSL_CERT"] = client.cert
    assert is_tls(outcome(tls_database, **settings, MYSQL_SSL_KEY=client.key))
    both = client.cert.parent / "both.pem"
    both.write_bytes(client.cert.read_bytes() + client.key.read_bytes())
    settings["MYSQL_SSL_CERT"] = both
    assert is_tls(outcome(tls_database, **settings))


def test_a_client_certificate_of_another_authority(outcome, tls_server, tls_database, authority,
                                                   stranger):
    client = stranger.issue("client")
    tls_server.query(f"ALTER USER {tls_database.user}@'%' REQUIRE X509")
    record = outcome(tls_database, **trusting("verify-identity", authority),
                     MYSQL_SSL_CERT=client.cert, MYSQL_SSL_KEY=client.key)
    # With TLS 1.3 the client has done its part of the handshake when the server hangs up.
    assert record["msg"] == REFUSED and "MYSQL_SSL_CERT" in record["error"]


def test_a_refusal_before_tls_stands_keeps_its_own_reason(outcome, tls_server, tls_database):
    before = tls_server.query("SELECT @@max_connections AS n")[0]["n"]
    tls_server.query("SET GLOBAL max_connections = 10")
    taken = []
    try:
        while len(taken) < 20:  # the administrator gets one more
            taken.append(tls_server.connect())
    except pymysql.OperationalError:
        pass
    record = outcome(tls_database, MYSQL_SSL_MODE="required")
    # Over one that stands: for a moment after they are closed, there is no room for another.
    taken[0].cursor().execute(f"SET GLOBAL max_connections = {before}")
    for connection in taken:
        connection.close()
    assert record["msg"] == REFUSED and record["class"] == "wait"
    assert "1040" in record["error"] and "DB_CONNECTIONS" in record["error"]


@pytest.fixture
def ed25519(tls_server, tls_database):
    """An account of the database that authenticates by ed25519."""
    if not tls_server.is_mariadb or not tls_server.install_ed25519():
        pytest.skip("the server has no ed25519")
    tls_server.query(f"ALTER USER {tls_database.user}@'%%' IDENTIFIED VIA ed25519"
                     " USING PASSWORD(%s)", (tls_database.password,))


@pytest.mark.parametrize("mode", ["disabled", "verify-identity"])
def test_ed25519(mode, ed25519, outcome, tls_database, authority):
    assert is_tls(outcome(tls_database, **trusting(mode, authority))) == (mode != "disabled")


def test_a_plugin_that_is_missing_is_named(ed25519, outcome, tls_database, directory):
    error = why(outcome(tls_database, MARIADB_PLUGIN_DIR=directory))
    assert "1045" in error and "client_ed25519" in error
    assert "libmariadb3" in error and "MARIADB_PLUGIN_DIR" in error
