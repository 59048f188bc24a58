"""certificates: authorities and what they sign, made with the openssl command for one run."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificate:
    cert: Path
    key: Path


def _openssl(*arguments):
    result = subprocess.run(["openssl", *map(str, arguments)], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert result.returncode == 0, f"openssl {arguments[0]}:\n{result.stdout}"


def _request(path, name):
    """A new key, and a request for its certificate."""
    _openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-subj", f"/CN={name}", "-keyout", f"{path}.key", "-out", f"{path}.csr")
    return Certificate(Path(f"{path}.pem"), Path(f"{path}.key"))


def _validity(days):
    """Options of x509; for days < 0, of one that has expired: from 3.4 on by its dates only."""
    options = subprocess.run(["openssl", "x509", "-help"], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
    if days < 0 and "-not_after" in options.stdout:
        return ["-not_before", "20200101000000Z", "-not_after", "20200102000000Z"]
    return ["-days", days]


class Authority:
    """Keeps all that it makes in `directory`."""

    def __init__(self, directory, name):
        self.directory = Path(directory)
        self.name = name
        own = _request(self.directory / name, name)
        _openssl("req", "-x509", "-key", own.key, "-in", self.directory / f"{name}.csr",
                 "-days", 2, "-out", own.cert)
        self.cert = own.cert
        self._key = own.key

    def issue(self, name, alternatives="", days=1):
        """A certificate for CN=name and subjectAltName=alternatives ("DNS:a,IP:127.0.0.1"); with
        days=-1 one that has expired."""
        path = self.directory / f"{self.name}-{name}"
        certificate = _request(path, name)
        extensions = Path(f"{path}.ext")
        extensions.write_text(f"subjectAltName={alternatives}\n" if alternatives else "")
        _openssl("x509", "-req", "-in", f"{path}.csr", "-CA", self.cert, "-CAkey", self._key,
                 "-CAcreateserial", *_validity(days), "-extfile", extensions,
                 "-out", certificate.cert)
        return certificate
