"""producer: the controller's end of the event socket."""

import socket
import time

from .wait import DEADLINE_SECONDS


class Listener:
    """A producer that listens: for EVENT_SOURCE=unix:PATH, where the sidecar connects."""

    def __init__(self, path):
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(self.path)
        self.socket.listen(8)
        self.socket.settimeout(DEADLINE_SECONDS)

    def accept(self):
        connection, _ = self.socket.accept()
        connection.settimeout(DEADLINE_SECONDS)
        return connection

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def connect(path, seconds=DEADLINE_SECONDS):
    """A producer that connects: for EVENT_SOURCE=unix-listen:PATH. Waits for the listener."""
    deadline = time.monotonic() + seconds
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(DEADLINE_SECONDS)
        try:
            connection.connect(str(path))
            return connection
        except OSError:
            connection.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def pieces_cut_at_random(lines, cuts, rng):
    """The lines (bytes, each with its newline) as what goes over one connection after another:
    each is cut off at a random byte; the next one begins again with the line that was cut."""
    ends = []
    total = 0
    for line in lines:
        total += len(line)
        ends.append(total)
    data = b"".join(lines)
    begin = 0
    for cut in sorted(rng.randrange(1, total) for _ in range(cuts)):
        if cut > begin:
            yield data[begin:cut]
            begin = max((end for end in ends if end <= cut), default=0)
    yield data[begin:]
