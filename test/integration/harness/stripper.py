"""stripper: a man in the middle who strikes TLS out of what the server says it can do."""

import socket
import threading

CLIENT_SSL = 0x00000800
CLIENT_PLUGIN_AUTH = 0x00080000


def _stripped(greeting, without):
    """The server's first packet: length and number (4), protocol (1), version (to a NUL),
    connection (4), scramble (8), filler (1), capabilities (2), character set (1), status (2), the
    upper half of the capabilities (2), ..."""
    low = greeting.index(b"\0", 5) + 1 + 4 + 8 + 1
    high = low + 2 + 1 + 2
    result = bytearray(greeting)
    for at, strike in ((low, without & 0xFFFF), (high, without >> 16)):
        left = int.from_bytes(greeting[at:at + 2], "little") & ~strike
        result[at:at + 2] = left.to_bytes(2, "little")
    return bytes(result)


class Stripper:
    """Stands on a port of its own in front of a server; .heard is all that clients have sent.
    without: the capabilities that it strikes out; instead: what clients say, and what it passes on."""

    def __init__(self, port, without=CLIENT_SSL, instead=(b"", b"")):
        self._without = without
        self._instead = instead
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.heard = b""
        self.victims = 0  # whose connection is over
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _run(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            with client, socket.create_connection(("127.0.0.1", self._server_port)) as server:
                client.sendall(_stripped(server.recv(4096), self._without))
                back = threading.Thread(target=self._pass_back, args=(server, client), daemon=True)
                back.start()
                self._pass_on(client, server)
                back.join()
            self.victims += 1

    def _pass_on(self, client, server):
        try:
            while data := client.recv(65536):
                self.heard += data
                server.sendall(data.replace(*self._instead) if self._instead[0] else data)
        except OSError:
            pass
        try:
            server.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    @staticmethod
    def _pass_back(server, client):
        try:
            while data := server.recv(65536):
                client.sendall(data)
        except OSError:
            pass
        try:
            client.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
