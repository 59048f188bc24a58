"""What the program knows about its settings, and what a container's environment sets them to."""

import functools
import re
import subprocess

# What KubeDL's documentation puts into the Secret.
SECRETS = {
    "kubedl-mysql-config": {"host": "mysql.example.com", "port": "3306", "dbName": "kubedl",
                            "user": "kubedl", "password": "not a secret"},
    "kubedl-mysql-ca": {"ca.crt": "-----BEGIN CERTIFICATE-----\n"},
}

# What Kubernetes sets in every container.
CLUSTER = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}

# What whoever installs it sets: the standby of two needs it.
USER = {"CLUSTER_ID": "prod-1"}

UNITS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "": 1}


@functools.lru_cache
def names(program):
    """All settings."""
    table = subprocess.run([program, "--settings-table"], capture_output=True, text=True, check=True)
    found = re.findall(r"^\| `([A-Z0-9_]+)` \|", table.stdout, re.MULTILINE)
    assert len(found) > 10
    return set(found)


def in_force(program, environment):
    """The settings as the program understands them; an AssertionError says what is wrong with them."""
    return in_force_once(program, tuple(sorted(environment.items())))


@functools.lru_cache(maxsize=None)
def in_force_once(program, variables):
    environment = dict(variables)
    result = subprocess.run([program, "--check-config"], env=environment, capture_output=True,
                            text=True)
    assert result.returncode == 0, result.stderr
    return dict(line.split("=", 1) for line in result.stdout.splitlines())


def bytes_of(size):
    """A number of bytes, as the program or Kubernetes writes it."""
    number, unit = re.fullmatch(r"([0-9]+)([A-Za-z]*)", size).groups()
    return int(number) * UNITS[unit]


def value_of(variable):
    """What Kubernetes sets a variable to."""
    if "value" in variable:
        return variable["value"]
    reference = variable["valueFrom"]["secretKeyRef"]
    return SECRETS[reference["name"]][reference["key"]]


def files_of(volume):
    """The files that are in a volume, with what is in them."""
    secret = volume.get("secret", {})
    contents = SECRETS.get(secret.get("secretName"), {})
    return {item["path"]: contents[item["key"]] for item in secret.get("items", [])}


def environment(pod, directory):
    """The sidecar's variables. What is mounted is there, in folders of `directory` instead."""
    variables = {**CLUSTER, **USER}
    for name, variable in pod.env.items():
        value = value_of(variable)
        for mount in pod.sidecar["volumeMounts"]:
            folder = directory / mount["mountPath"].replace("/", "-")
            folder.mkdir(exist_ok=True)
            for file, content in files_of(pod.volumes[mount["name"]]).items():
                (folder / file).write_text(content)
            value = value.replace(mount["mountPath"] + "/", f"{folder}/")
        variables[name] = value
    return variables
