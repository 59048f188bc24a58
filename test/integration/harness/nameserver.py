"""nameserver: a DNS server that knows one name."""

import socket
import struct
import threading

A, IN = 1, 1


def _question(query):
    """The name that a query asks for, and where its question ends."""
    labels, at = [], 12
    while query[at] != 0:
        labels.append(query[at + 1:at + 1 + query[at]].decode())
        at += 1 + query[at]
    return ".".join(labels), at + 5


class Nameserver(threading.Thread):
    """Answers at port 53 of an own loopback address, which a resolv.conf can name."""

    def __init__(self, name, address):
        super().__init__(daemon=True)
        self.name_known = name
        self.address_known = socket.inet_aton(address)
        self.asked = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.address = self._bind()

    def _bind(self):
        for last in range(2, 255):
            address = f"127.53.53.{last}"
            try:
                self._socket.bind((address, 53))
                return address
            except OSError:
                continue
        raise AssertionError("no loopback address has its port 53 free")

    def run(self):
        while True:
            try:
                query, client = self._socket.recvfrom(512)
            except OSError:
                return  # closed
            if not query:
                return
            self._socket.sendto(self._answer(query), client)

    def _answer(self, query):
        name, end = _question(query)
        self.asked.append(name)
        kind, = struct.unpack("!H", query[end - 4:end - 2])
        known = name == self.name_known
        answer = b""
        if known and kind == A:
            answer = struct.pack("!HHHIH", 0xC00C, A, IN, 1, 4) + self.address_known
        flags = 0x8580 if known else 0x8583  # an answer, with authority; or: no such name
        header = query[:2] + struct.pack("!HHHHH", flags, 1, 1 if answer else 0, 0, 0)
        return header + query[12:end] + answer

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", (self.address, 53))
        self.join()
        self._socket.close()
