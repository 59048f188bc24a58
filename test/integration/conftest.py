"""Fixtures: a database server for the session; a database, sidecars and a seed for each test."""

import os
import random
import shutil
import tempfile
from pathlib import Path

import pytest

from harness import sidecar as sidecar_module
from harness.certificates import Authority
from harness.server import SERVERS
from harness.sidecar import Sidecar
from harness.spool import Spool

# These have targets of their own: make test-galera, make image-test.
collect_ignore = ["galera", "image"]


def pytest_addoption(parser):
    parser.addoption("--server", choices=sorted(SERVERS), default="mariadb",
                     help="the database server to test against")


def pytest_configure(config):
    config.costs = []
    # A seed for all that is random in the tests: printed, and replayed with SEED=...; in the
    # environment, it is the same one for all workers.
    config.seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(2**32))
    os.environ["SEED"] = str(config.seed)


def pytest_report_header(config):
    return [f"server: {config.getoption('--server')}",
            f"sidecar: {' '.join(sidecar_module.command())}",
            f"replay with SEED={config.seed}"]


def pytest_sessionstart(session):
    program = sidecar_module.command()[-1]
    if not shutil.which(program):
        pytest.exit(f"{program} is not there: run make first", returncode=2)


@pytest.fixture(scope="session")
def server(request):
    """The running server. A test may stop, kill or freeze it; the next one finds it up again."""
    instance = SERVERS[request.config.getoption("--server")].new()
    try:
        instance.install()
        instance.start()
        yield instance
    finally:
        instance.close()


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """Who signs the certificates of tls_server and of its clients."""
    return Authority(tmp_path_factory.mktemp("authority"), "authority")


@pytest.fixture(scope="session")
def tls_certificate(authority):
    """The one that tls_server has between two tests."""
    return authority.issue("server", "DNS:localhost,IP:127.0.0.1")


@pytest.fixture(scope="session")
def _tls_server(request, authority, tls_certificate):
    instance = SERVERS[request.config.getoption("--server")].new()
    try:
        instance.install()
        instance.use_certificate(tls_certificate, authority)
        instance.start()
        yield instance
    finally:
        instance.close()


@pytest.fixture
def tls_server(_tls_server, authority, tls_certificate):
    """A second server, which offers TLS. A test may give it another certificate."""
    _tls_server.ensure_running()
    yield _tls_server
    _tls_server.ensure_running()
    _tls_server.use_certificate(tls_certificate, authority)


@pytest.fixture
def tls_database(tls_server):
    """A fresh database on it."""
    instance = tls_server.new_database()
    yield instance
    tls_server.ensure_running()
    instance.drop()


@pytest.fixture
def database(server):
    """A fresh database with an account of its own."""
    server.ensure_running()
    instance = server.new_database()
    yield instance
    server.ensure_running()
    instance.drop()


@pytest.fixture
def directory():
    """A private directory. Not pytest's tmp_path: that is too long for a Unix socket's name."""
    path = Path(tempfile.mkdtemp(prefix="kubedl-t-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def spool(directory):
    """A directory for SPOOL_DIR, and what is in it."""
    path = directory / "spool"
    path.mkdir()
    return Spool(path)


@pytest.fixture
def new_sidecar(database, directory):
    """new_sidecar(EVENT_SOURCE=..., ...) makes a Sidecar that is not yet started, with the settings
    for `database`; a setting that is None is left out. What still runs at the end is killed."""
    sidecars = []

    def new(**settings):
        merged = {**database.environment(), "LOG_SUMMARY_MS": 50, **settings}
        merged = {name: str(value) for name, value in merged.items() if value is not None}
        sidecars.append(Sidecar(directory, merged, number=len(sidecars)))
        return sidecars[-1]

    yield new
    for instance in sidecars:
        if instance.process is not None:
            instance.kill()


@pytest.fixture
def serving(new_sidecar, directory):
    """serving(NAME=value, ...) starts a sidecar that listens for events on directory / "events.sock",
    and for HTTP (harness/web.py)."""

    def start(**settings):
        return new_sidecar(**{"EVENT_SOURCE": f"unix-listen:{directory / 'events.sock'}",
                              "HTTP_LISTEN": "127.0.0.1:0", **settings}).start()

    return start


@pytest.fixture
def ship(new_sidecar, directory):
    """ship(lines, NAME=value, ...) runs a sidecar over its standard input, to its end."""

    def run(lines, **settings):
        path = directory / "lines"
        path.write_bytes(b"".join(lines))
        with open(path, "rb") as stdin:
            sidecar = new_sidecar(EVENT_SOURCE="-", **settings).start(stdin=stdin)
        assert sidecar.wait() == 0, sidecar.log_tail()
        return sidecar

    return run


@pytest.fixture
def rng(request):
    """Random numbers of this test: the same ones for the same SEED, whatever else runs."""
    return random.Random(f"{request.config.seed} {request.node.name}")


@pytest.fixture
def record_cost(request):
    """record_cost(text): a line for the end of the report."""
    return request.config.costs.append


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["costs"] = session.config.costs


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    node.config.costs.extend(getattr(node, "workeroutput", {}).get("costs", []))


def pytest_terminal_summary(terminalreporter, config):
    for text in config.costs:
        terminalreporter.write_line(text)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """With a test that failed: the seed, and the sidecars' logs while they are still there."""
    outcome = yield
    report = outcome.get_result()
    path = getattr(item, "funcargs", {}).get("directory")
    if report.when == "call" and report.failed and path is not None:
        report.sections.append(("replay", f"SEED={item.config.seed}"))
        for log in sorted(path.glob("*.log")):
            text = log.read_text(errors="replace")
            report.sections.append((log.name, text[-6000:]))
