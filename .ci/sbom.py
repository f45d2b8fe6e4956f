"""Prints what a wheel is installed with, as a CycloneDX 1.6 document: `python .ci/sbom.py dist/NAME.whl >dist/NAME.cdx.json`.

Its sources are the wheel's own metadata and requirements/run.txt, the lock; who needs whom comes from the metadata of what is
installed where this runs. The same wheel and lock give the same document: its serial number is made from the wheel, its time from
SOURCE_DATE_EPOCH, and is left out where that is not set.
"""

import hashlib
import json
import os
import re
import sys
import uuid
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import Message
from email.parser import Parser
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements" / "run.txt"
LOCKED_EXTRAS = ("charts",)
"""The extras whose packages are locked with the program's own (see the Makefile)."""

Json = dict[str, Any]


def locked(lock: Path) -> Iterator[tuple[Requirement, list[str]]]:
    """Every requirement of a lock with the SHA-256 hashes of its files."""
    for entry in re.split(r"\n(?=\S)", lock.read_text("utf-8").replace("\\\n", " ").strip()):
        written, *hashes = entry.split("--hash=sha256:")
        yield Requirement(written.strip()), [each.strip() for each in hashes]


def purl(name: str, version: str) -> str:
    """The package's URL; it names the component within the document too."""
    return f"pkg:pypi/{canonicalize_name(name)}@{version}"


def version_of(requirement: Requirement) -> str:
    """The one version that a locked requirement allows."""
    (pinned,) = requirement.specifier
    assert pinned.operator == "==", requirement
    return pinned.version


def component(requirement: Requirement, hashes: list[str]) -> Json:
    """A locked package. It has several files, one for each kind of machine, so their hashes stand as properties."""
    version = version_of(requirement)
    properties = [{"name": "pip:hash", "value": f"sha256:{each}"} for each in sorted(hashes)]
    if requirement.marker:
        properties.insert(0, {"name": "pip:marker", "value": str(requirement.marker)})
    reference = purl(requirement.name, version)
    named = {"type": "library", "bom-ref": reference, "name": requirement.name, "version": version, "purl": reference}
    return named | _licence(requirement.name, version) | {"properties": properties}


def _licence(name: str, version: str) -> Json:
    """As the package says itself, where it does so in SPDX's words."""
    try:
        said = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return {}
    if said["Version"] != version or not said.get("License-Expression"):
        return {}
    return {"licenses": [{"expression": said["License-Expression"]}]}


def needs(name: str, known: dict[str, list[str]]) -> list[str]:
    """The components that a package needs, as far as it is installed here."""
    try:
        wanted = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []
    return references(wanted, known)


def references(wanted: list[str], known: dict[str, list[str]], extras: tuple[str, ...] = ()) -> list[str]:
    """The components among ``known`` that these requirements mean, without those of extras that nobody asked for."""
    parsed = [Requirement(each) for each in wanted]
    asked = tuple(f"extra == '{extra}'" for extra in extras)
    plain = [each for each in parsed if "extra" not in (marker := _marker(each)) or any(one in marker for one in asked)]
    return sorted({reference for each in plain for reference in known.get(canonicalize_name(each.name), [])})


def _marker(requirement: Requirement) -> str:
    return str(requirement.marker or "").replace('"', "'")


def described(wheel: Path) -> Message:
    """The wheel's METADATA."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def document(wheel: Path, lock: Path = LOCK) -> Json:
    """The whole document."""
    about, digest = described(wheel), hashlib.sha256(wheel.read_bytes()).hexdigest()
    components = [component(*each) for each in locked(lock)]
    known: dict[str, list[str]] = {}
    for each in components:
        known.setdefault(canonicalize_name(each["name"]), []).append(each["bom-ref"])
    own = purl(about["Name"], about["Version"])
    root = {
        "type": "application",
        "bom-ref": own,
        "name": about["Name"],
        "version": about["Version"],
        "description": about["Summary"],
        "purl": own,
        "licenses": [{"expression": about["License-Expression"]}],
        "hashes": [{"alg": "SHA-256", "content": digest}],
    }
    graph = [{"ref": own, "dependsOn": references(about.get_all("Requires-Dist") or [], known, LOCKED_EXTRAS)}]
    graph += [{"ref": each["bom-ref"], "dependsOn": needs(each["name"], known)} for each in components]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, digest)}",
        "version": 1,
        "metadata": _time() | {"lifecycles": [{"phase": "build"}], "component": root},
        "components": components,
        "dependencies": graph,
    }


def _time() -> Json:
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    return {"timestamp": datetime.fromtimestamp(int(epoch), UTC).isoformat()} if epoch else {}


if __name__ == "__main__":
    json.dump(document(Path(sys.argv[1])), sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
