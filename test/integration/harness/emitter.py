"""emitter: a producer that counts acknowledgements, and sends again what was not acknowledged."""

import json
import select
import socket
import threading

from .wait import INTERVAL_SECONDS, until


class Emitter(threading.Thread):
    """Connects to EVENT_SOURCE=unix-listen:PATH again and again until it is stopped.

    lines[:acked] are acknowledged; what was offered behind them is sent on each new connection."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path = str(path)
        self.lines = []
        self.acked = 0
        self.connections = 0
        self.error = None
        self._ending = threading.Event()

    def offer(self, lines):
        self.lines.extend(lines)

    def run(self):
        try:
            while not self._ending.is_set():
                self._one_connection()
        except AssertionError as error:
            self.error = error

    def stop(self):
        self._ending.set()
        self.join()
        if self.error is not None:
            raise self.error

    def wait_until_acked(self, count, sidecar):
        def enough():
            assert self.error is None, self.error
            assert sidecar.poll() is None, sidecar.log_tail()
            return self.acked >= count

        until(enough, lambda: f"{count} lines are acknowledged, not {self.acked}:\n"
                              f"{sidecar.log_tail()}")

    def _one_connection(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            try:
                connection.connect(self.path)
                connection.setblocking(False)
                self.connections += 1
                self._talk(connection)
            except OSError:
                self._ending.wait(INTERVAL_SECONDS)

    def _talk(self, connection):
        first = self.acked  # the number of the first line of this connection
        taken = first       # lines[:taken] are sent, or in unsent
        unsent, unread = b"", b""
        while not self._ending.is_set():
            if unsent == b"":
                more = self.lines[taken:taken + 100]
                taken += len(more)
                unsent = b"".join(more)
            readable, writable, _ = select.select(
                [connection], [connection] if unsent else [], [], INTERVAL_SECONDS)
            if writable:
                unsent = unsent[connection.send(unsent):]
            if readable:
                data = connection.recv(65536)
                if data == b"":
                    return
                *answers, unread = (unread + data).split(b"\n")
                for answer in answers:
                    self._take(first, taken, json.loads(answer))

    def _take(self, first, taken, answer):
        assert set(answer) == {"acked"}, answer
        acked = first + answer["acked"]
        assert self.acked < acked <= taken, (answer, self.acked - first, taken - first)
        self.acked = acked
