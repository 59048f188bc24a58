"""web: asks a sidecar by HTTP, as a probe, a scraper or a person does."""

import http.client
import json
from contextlib import closing

from .wait import DEADLINE_SECONDS


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()


def ask(connection, path, method="GET", headers=None):
    """Over a connection that stays open."""
    connection.request(method, path, headers=headers or {})
    return Answer(connection.getresponse())


class Web:
    """For a sidecar with HTTP_LISTEN, on a port that it has chosen (HTTP_LISTEN=127.0.0.1:0)."""

    def __init__(self, sidecar, host="127.0.0.1"):
        self.host = host
        self.port = sidecar.wait_for_record("listening for HTTP")["port"]

    def connect(self):
        return http.client.HTTPConnection(self.host, self.port, timeout=DEADLINE_SECONDS)

    def get(self, path, method="GET", headers=None):
        with closing(self.connect()) as connection:
            return ask(connection, path, method, headers)

    def status(self):
        return json.loads(self.get("/status").text)

    def metrics(self):
        """The values of all series, by name and labels as they stand there."""
        return parse(self.get("/metrics").text)


def parse(text):
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in lines}


def total(metrics, name, *labels):
    """The sum over the series of a metric that have these labels ('fate="row"')."""
    return sum(value for series, value in metrics.items()
               if series.split("{")[0] == name and all(label in series for label in labels))
