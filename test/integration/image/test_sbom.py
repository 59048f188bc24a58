"""The image's bill of materials: it keeps the rules of SPDX 2.3, and it is true."""

import hashlib
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

SBOM = Path(__file__).resolve().parents[3] / ".ci" / "image" / "sbom"
PLACE = "usr/share/doc/kubedl-shipper/sbom.spdx.json"
PROGRAM = "SPDXRef-program"
IMAGE = "SPDXRef-image"

NAME = re.compile(r"SPDXRef-[A-Za-z0-9.-]+")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
PURL = re.compile(r"pkg:deb/debian/([a-z0-9.+-]+)@([^?:+]+)\?arch=\w+&distro=\w+")
TERM = re.compile(r"(LicenseRef-)?[A-Za-z0-9.-]+")

REQUIRED = {"SPDXID", "spdxVersion", "dataLicense", "name", "documentNamespace", "creationInfo"}
PACKAGE_REQUIRED = {"SPDXID", "name", "downloadLocation"}
PACKAGE_MAY_HAVE = PACKAGE_REQUIRED | {
    "versionInfo", "supplier", "originator", "homepage", "sourceInfo", "filesAnalyzed", "licenseConcluded",
    "licenseDeclared", "copyrightText", "externalRefs", "packageVerificationCode", "primaryPackagePurpose"}


@pytest.fixture(scope="module")
def bill(image):
    return json.loads((image.root / PLACE).read_text())


def related(bill, kind):
    return {(relation["spdxElementId"], relation["relatedSpdxElement"])
            for relation in bill["relationships"] if relation["relationshipType"] == kind}


def sums(entry):
    return {checksum["algorithm"]: checksum["checksumValue"] for checksum in entry["checksums"]}


def test_it_lies_beside_the_image_too(image):
    assert Path(os.environ["IMAGE_SBOM"]).read_bytes() == (image.root / PLACE).read_bytes()


def test_document(bill, image):
    assert REQUIRED <= bill.keys()
    assert (bill["spdxVersion"], bill["dataLicense"]) == ("SPDX-2.3", "CC0-1.0")
    assert bill["SPDXID"] == "SPDXRef-DOCUMENT"
    assert re.fullmatch(r"https://[^ #]+", bill["documentNamespace"])
    assert TIME.fullmatch(bill["creationInfo"]["created"])
    assert bill["creationInfo"]["created"] == image.description["created"]
    assert all(re.match("(Tool|Organization|Person): .", one) for one in bill["creationInfo"]["creators"])


def test_each_element_has_one_name_and_each_relation_two_elements(bill):
    names = [bill["SPDXID"], *(element["SPDXID"] for element in bill["packages"] + bill["files"])]
    assert len(names) == len(set(names))
    assert all(NAME.fullmatch(name) for name in names)
    for relation in bill["relationships"]:
        assert {relation["spdxElementId"], relation["relatedSpdxElement"]} <= set(names)
    assert related(bill, "DESCRIBES") == {("SPDXRef-DOCUMENT", IMAGE)}
    assert related(bill, "CONTAINS") == {(IMAGE, name) for name in names} - {(IMAGE, IMAGE), (IMAGE, names[0])}


def test_packages(bill, image):
    status = image.root / "var/lib/dpkg/status.d"
    installed = {path.name: re.search(r"^Version: (.+)$", path.read_text(), re.MULTILINE)[1]
                 for path in status.iterdir()}
    packages = {package["SPDXID"]: package for package in bill["packages"]}
    for package in packages.values():
        assert PACKAGE_REQUIRED <= package.keys() <= PACKAGE_MAY_HAVE, package
        assert re.fullmatch(r"NOASSERTION|git\+https://\S+@[0-9a-f]{40}", package["downloadLocation"])
        # Only the image's files have been looked at; a package of Debian's has more than the image took.
        assert package["filesAnalyzed"] == ("packageVerificationCode" in package) == (package["SPDXID"] == IMAGE)
    own = {packages.pop(IMAGE)["versionInfo"], packages.pop(PROGRAM)["versionInfo"]}
    assert own == {os.environ["IMAGE_VERSION"]}
    assert {package["name"]: package["versionInfo"] for package in packages.values()} == installed
    for package in packages.values():
        reference, = package["externalRefs"]
        assert (reference["referenceCategory"], reference["referenceType"]) == ("PACKAGE-MANAGER", "purl")
        assert PURL.fullmatch(reference["referenceLocator"])[1] == package["name"]
        assert re.match(r"(Organization|Person): .", package["supplier"])
        assert re.match(r"(Organization|Person): .", package["originator"])


def test_licences(bill):
    packages = {package["name"]: package for package in bill["packages"] if package["SPDXID"] != IMAGE}
    assert packages["kubedl-shipper"]["licenseDeclared"] == "Apache-2.0"
    assert packages["zlib1g"]["licenseDeclared"] == "Zlib"
    assert "(LGPL-3.0-or-later OR GPL-2.0-or-later)" in packages["libidn2-0"]["licenseDeclared"]
    terms = {term for package in packages.values()
             for term in re.split(r" AND | OR |[()]+", package["licenseDeclared"]) if term}
    assert all(TERM.fullmatch(term) for term in terms)
    texts = {info["licenseId"]: info["extractedText"] for info in bill["hasExtractedLicensingInfos"]}
    assert {term for term in terms if term.startswith("LicenseRef-")} == set(texts)
    assert all(text.strip() for text in texts.values())


def test_files(bill, image):
    files = {entry["fileName"]: entry for entry in bill["files"]}
    assert {f"./{member.name}" for member in image.files()} == files.keys() | {f"./{PLACE}"}
    for name, entry in files.items():
        content = (image.root / name).read_bytes()
        assert sums(entry) == {"SHA1": hashlib.sha1(content).hexdigest(),
                               "SHA256": hashlib.sha256(content).hexdigest()}
    package, = (package for package in bill["packages"] if package["SPDXID"] == IMAGE)
    code = hashlib.sha1("".join(sorted(sums(entry)["SHA1"] for entry in bill["files"])).encode()).hexdigest()
    assert package["packageVerificationCode"] == {
        "packageVerificationCodeValue": code, "packageVerificationCodeExcludedFiles": [f"./{PLACE}"]}


def test_where_each_file_comes_from(bill):
    """Of Debian's packages, or made here: the program, and the few files that say who and what there is."""
    names = {element["SPDXID"]: element.get("fileName") or element["name"]
             for element in bill["packages"] + bill["files"]}
    debian = {names[one]: names[other] for one, other in related(bill, "EXPANDED_FROM_ARCHIVE")}
    own = {names[one] for one, other in related(bill, "GENERATED_FROM") if other == PROGRAM}
    assert own == {"./usr/bin/kubedl-shipper", "./usr/share/doc/kubedl-shipper/LICENSE",
                   "./usr/share/man/man1/kubedl-shipper.1",
                   "./usr/share/bash-completion/completions/kubedl-shipper",
                   "./etc/passwd", "./etc/group", "./etc/nsswitch.conf"}
    assert debian.keys() == {entry["fileName"] for entry in bill["files"]} - own
    by_file = {name.rpartition("/")[2]: package for name, package in debian.items()}
    assert (by_file["libc.so.6"], by_file["libmariadb.so.3"], by_file["ca-certificates.crt"]) == (
        "libc6", "libmariadb3", "ca-certificates")


def test_the_same_files_make_the_same_bytes(image, directory):
    """Python's sets have another order in each process."""
    dpkg = directory / "dpkg-query"  # which file is of which package is not what this is about
    dpkg.write_text("#!/bin/sh\n")
    dpkg.chmod(0o755)
    made = {subprocess.run([SBOM, image.root, "1", f"/{PLACE}"], stdout=subprocess.PIPE, check=True,
                           env={"PATH": f"{directory}:{os.environ['PATH']}", "PYTHONHASHSEED": seed}).stdout
            for seed in "12345"}
    assert len(made) == 1
