#!/usr/bin/env python3
"""chaos: rounds of trouble, and after every few of them the question whether the tables are true.

    chaos.py [--rounds N] [--seed N] [--source socket|watchlist|pages|both] [--server mariadb|mysql]

A round changes a small cluster at random, of which the sidecar hears by a source, while the database is
there, frozen, locked, killed or stopped; at a random moment the sidecar is killed, stopped or left
alone. Some changes are told to nobody: only the next snapshot shows them. Then all is healed, and the
tables have to become what the cluster is: nothing that was acknowledged is missing, nothing that is
gone is alive, and the ledger adds up.

The seed gives the same changes and the same troubles; not the same moments.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "test" / "integration"))

from sources import SOURCES  # noqa: E402
from world import World  # noqa: E402
from harness.server import SERVERS  # noqa: E402
from harness.sidecar import Sidecar  # noqa: E402
from harness.spool import Spool, assert_balances  # noqa: E402
from harness.wait import until  # noqa: E402

SETTLE_EVERY = 8  # rounds, on average


class Trouble:
    """The database in its states; one at a time, until heal()."""

    def __init__(self, server, database, rng):
        self.server, self.database, self.rng = server, database, rng
        self._locker = None
        self._frozen = False

    def begin(self):
        what = self.rng.choices(("none", "frozen", "locked", "killed", "away"), (8, 4, 4, 2, 1))[0]
        if what != "away":
            self.heal()
        if what == "frozen":
            self.server.freeze()
            self._frozen = True
        elif what == "locked" and self.database.has_table("replica_info"):
            self._locker = self.server.connect(database=self.database.name)
            with self._locker.cursor() as cursor:
                cursor.execute("LOCK TABLES job_info WRITE, replica_info WRITE")
        elif what == "killed":
            self.server.kill()
            self.server.start()
        elif what == "away" and self.server.process is not None:
            self.heal()
            self.server.stop()
        return what

    def heal(self):
        if self._frozen:
            self.server.thaw()
            self._frozen = False
        if self._locker is not None:
            self._locker.close()
            self._locker = None
        self.server.ensure_running()


class Run:
    """One sidecar after another, with one spool, one database and one source."""

    def __init__(self, source, server, seed, log=print):
        self.rng = random.Random(seed)
        self.log = log
        self.directory = Path(tempfile.mkdtemp(prefix="kubedl-c-"))
        self.spool = Spool(self.directory / "spool")
        self.spool.directory.mkdir()
        self.server = server
        self.database = server.new_database()
        self.trouble = Trouble(server, self.database, self.rng)
        self.world = World(random.Random(seed + 1))
        self.source = SOURCES[source](self.world, self.directory)
        self.sidecar = None
        self.tally = Counter()
        self._usual = 0.5  # seconds from a start until all is written

    def rounds(self, count):
        self.source.begin()
        for number in range(count):
            self._round()
            if self.rng.random() < 1 / SETTLE_EVERY or number in (0, count - 1):
                self._settle()
        self._end_sidecar("stopped")
        assert_balances(self._new_sidecar())
        return self.tally

    def close(self):
        self.source.end()
        if self.sidecar is not None:
            self.sidecar.kill()
        self.trouble.heal()
        self.database.drop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _new_sidecar(self):
        return Sidecar(self.directory, {
            **self.database.environment(), **self.source.settings, "CLUSTER_ID": "chaos",
            "SPOOL_DIR": str(self.spool.directory), "DB_TIMEOUT_MS": "1000", "LOG_SUMMARY_MS": "0",
            "SHUTDOWN_GRACE_MS": str(self.rng.choice((0, 50, 500)))}, number=self.tally["starts"])

    def _start_sidecar(self):
        if self.sidecar is None:
            self.tally["starts"] += 1
            self.sidecar = self._new_sidecar().start()

    def _end_sidecar(self, how):
        if self.sidecar is None:
            return
        if how == "killed":
            self.sidecar.kill()
        else:
            status = self.sidecar.stop()
            before_it_began = status == -signal.SIGTERM and self.sidecar.log_text() == ""
            assert status == 0 or before_it_began, f"{status}: {self.sidecar.log_tail()}"
        assert not self.sidecar.records(level="error"), self.sidecar.log_tail()
        self.sidecar.log.unlink()
        self.sidecar = None

    def _changes(self):
        for _ in range(self.rng.randrange(8)):
            self.world.change()

    def _round(self):
        self.tally["rounds"] += 1
        self.tally["database " + self.trouble.begin()] += 1
        if self.rng.random() < 0.4:
            self.tally["gaps"] += 1
            with self.source.lose_changes():
                self._changes()
        self._start_sidecar()
        self._changes()
        how = self.rng.choices(("killed", "stopped", "left alone"), (5, 3, 2))[0]
        self.tally["sidecar " + how] += 1
        if self.rng.random() < 0.3:  # at the acknowledgement
            until_told = time.monotonic() + 2 * self._usual
            while time.monotonic() < until_told and not self.source.told_snapshot():
                time.sleep(0.001)
        else:
            time.sleep(self.rng.uniform(0, 1.5 * self._usual))  # the random moment
        if how != "left alone":
            self._end_sidecar(how)

    def _settle(self):
        """All is well again: what do the tables say?"""
        self.tally["settled"] += 1
        self.trouble.heal()
        begun = time.monotonic()
        self._start_sidecar()
        until(lambda: not self.world.wrong(self.database, self.source.promised),
              lambda: "the tables are true:\n" + "\n".join(
                  self.world.wrong(self.database, self.source.promised)[:20]) +
              f"\nafter {dict(self.tally)}; the sidecar's log:\n{self.sidecar.log_tail()}")
        self._usual = min(2.0, 0.8 * self._usual + 0.2 * (time.monotonic() - begun))
        self.world.settled()
        self._end_sidecar("stopped")
        assert_balances(self._new_sidecar())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--source", choices=[*SOURCES, "all"], default="all")
    parser.add_argument("--server", choices=SERVERS, default="mariadb")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(2**32)
    names = list(SOURCES) if options.source == "all" else [options.source]
    server = SERVERS[options.server].new()
    try:
        server.install()
        server.start()
        for number, name in enumerate(names[:options.rounds]):  # each has a round at least
            share = options.rounds // len(names) + (number < options.rounds % len(names))
            begun = time.monotonic()
            print(f"{name}: {share} rounds, SEED={seed}", flush=True)
            run = Run(name, server, seed)
            try:
                tally = run.rounds(share)
            except AssertionError as error:
                sys.exit(f"{error}\n{name}, SEED={seed}: failed in round {run.tally['rounds']}")
            finally:
                run.close()
            print(f"  true in {time.monotonic() - begun:.0f} s: " +
                  ", ".join(f"{what} {times}" for what, times in sorted(tally.items())), flush=True)
    finally:
        server.close()


if __name__ == "__main__":
    os.chdir(ROOT)
    main()
