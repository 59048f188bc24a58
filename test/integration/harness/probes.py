"""probes: how long a sidecar takes to answer /livez while something goes on, asked by a process of its
own: the threads of a test wait for each other."""

import http.client
import json
import select
import subprocess
import sys
import time

INTERVAL_SECONDS = 0.002


class Probes:
    """with Probes(port) as probes: ...; then .longest_ms and .p99_ms of .count answers."""

    def __init__(self, port):
        self._port = port

    def __enter__(self):
        self._process = subprocess.Popen([sys.executable, __file__, str(self._port)],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout.readline() == b"asking\n"
        return self

    def __exit__(self, *_):
        output, _ = self._process.communicate()
        times = sorted(json.loads(output))
        self.count = len(times)
        self.longest_ms = times[-1]
        self.p99_ms = times[len(times) * 99 // 100]

    def __str__(self):
        return (f"/livez {self.count} times: p99 {self.p99_ms:.1f} ms, longest "
                f"{self.longest_ms:.1f} ms")


def main():
    """Asks until its standard input ends; prints the milliseconds of each answer."""
    connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
    times = []
    while not times or not select.select([sys.stdin], [], [], INTERVAL_SECONDS)[0]:
        begin = time.monotonic()
        connection.request("GET", "/livez")
        connection.getresponse().read()
        times.append((time.monotonic() - begin) * 1000)
        if len(times) == 1:
            print("asking", flush=True)
    json.dump(times, sys.stdout)


if __name__ == "__main__":
    main()
