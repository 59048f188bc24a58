"""spool: looks into a sidecar's spool, and spoils it; and the commands that people have for it."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from . import sidecar as program


class Spool:
    def __init__(self, directory):
        self.directory = Path(directory)
        self.path = self.directory / "spool.db"

    def query(self, sql, arguments=()):
        """The rows as dicts. Beside a running sidecar too."""
        with closing(sqlite3.connect(self.path, timeout=20, isolation_level=None)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(sql, arguments)]

    def records(self):
        """The rows of each object, by (table, uid); none as long as there is no spool."""
        return {(record["table_name"], record["uid"]): json.loads(record["body"])
                for record in self.query("SELECT * FROM records")} if self.count() else {}

    def count(self, table="records"):
        """0 as long as it is not there."""
        try:
            return self.query(f"SELECT COUNT(*) AS n FROM {table}")[0]["n"]
        except sqlite3.OperationalError:
            return 0

    def disk_bytes(self):
        return sum(path.stat().st_size for path in (self.path, Path(f"{self.path}-wal"))
                   if path.exists())

    def used_bytes(self):
        return sum(self.query(f"PRAGMA {name}")[0][name] * sign
                   for name, sign in (("page_count", 1), ("freelist_count", -1))) * 4096

    def set_aside(self):
        """The damaged files that a sidecar has put out of its way."""
        return [path for path in self.directory.glob("spool.db.damaged-*")
                if not path.name.endswith(("-wal", "-shm"))]

    def overwrite(self, data, at=0):
        """In place, as a failing disk would."""
        with open(self.path, "r+b") as file:
            file.seek(at)
            file.write(data)


def command(sidecar, *arguments):
    """Runs a command with the settings of the sidecar; see sidecar.run()."""
    return program.run(*arguments, settings=sidecar.settings)


def assert_balances(sidecar):
    result = command(sidecar, "audit")
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout
