"""asker: a server that asks its clients for their passwords in clear."""

import socket
import ssl
import threading

CLIENT_SSL = 0x0800
CAPABILITIES = 0x00000001 | 0x00000008 | 0x00000200 | 0x00008000 | 0x00080000
SCRAMBLE = b"abcdefghijklmnopqrst"
PASSWORD_QUESTION = b"\x04Password: "


def _packet(number, payload):
    return len(payload).to_bytes(3, "little") + bytes([number]) + payload


def _greeting(capabilities):
    return _packet(0, b"\x0a10.11.0-asker\0" + bytes(4) + SCRAMBLE[:8] + b"\0"
                   + (capabilities & 0xFFFF).to_bytes(2, "little") + b"\x2d\x02\x00"
                   + (capabilities >> 16).to_bytes(2, "little") + b"\x15" + bytes(10)
                   + SCRAMBLE[8:] + b"\0mysql_native_password\0")


def _receive(connection):
    head = connection.recv(4, socket.MSG_WAITALL) if not isinstance(connection, ssl.SSLSocket) \
        else connection.recv(4)
    length = int.from_bytes(head[:3], "little")
    body = b""
    while head and len(body) < length:
        more = connection.recv(length - len(body))
        if not more:
            break
        body += more
    return body


class Asker:
    """plugin: the authentication that it asks for. certificate: offers TLS. .heard is what clients
    have sent after that."""

    def __init__(self, plugin, certificate=None):
        self._plugin = plugin.encode()
        self._tls = None
        if certificate is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate.cert, certificate.key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.heard = b""
        self.asked = 0
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
            try:
                self._ask(client)
            except OSError:
                pass
            client.close()
            self.asked += 1

    def _ask(self, client):
        client.settimeout(10)
        client.sendall(_greeting(CAPABILITIES | (CLIENT_SSL if self._tls else 0)))
        number = 2
        if self._tls:
            _receive(client)
            client = self._tls.wrap_socket(client, server_side=True)
            number = 3
        _receive(client)
        data = PASSWORD_QUESTION if self._plugin == b"dialog" else b""
        client.sendall(_packet(number, b"\xfe" + self._plugin + b"\0" + data))
        self.heard += _receive(client)
        client.close()
