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


def files_of(volume, secrets):
    """The files that are in a volume, with what is in them."""
    secret = volume.get("secret", {})
    contents = secrets.get(secret.get("secretName"), {})
    return {item["path"]: contents[item["key"]] for item in secret.get("items", [])}


def folder_of(mount, directory):
    """Where in `directory` something is that the container sees at its mountPath."""
    return directory / mount["mountPath"].replace("/", "-")


def environment(pod, directory, secrets=None):
    """The variables that the manifests give the sidecar. What is mounted is there, in folders of
    `directory` instead, and values that begin with a mountPath name these."""
    secrets = secrets or SECRETS
    variables = {}
    for source in pod.sidecar["envFrom"]:
        maps = [one for one in pod.of_kind("ConfigMap")
                if one["metadata"]["name"] == source["configMapRef"]["name"]]
        variables |= maps[0]["data"] if maps else {}
    for name, variable in pod.env.items():
        if "value" in variable:
            variables[name] = variable["value"]
            continue
        reference = variable["valueFrom"]["secretKeyRef"]
        contents = secrets[reference["name"]]
        if reference["key"] in contents or not reference.get("optional"):
            variables[name] = contents[reference["key"]]
    for mount in pod.sidecar["volumeMounts"]:
        folder = folder_of(mount, directory)
        folder.mkdir(exist_ok=True)
        for file, content in files_of(pod.volumes[mount["name"]], secrets).items():
            (folder / file).write_text(content)
        inside = re.compile(re.escape(mount["mountPath"]) + r"(?=/|$)")
        variables = {name: inside.sub(str(folder), value) for name, value in variables.items()}
    return variables
