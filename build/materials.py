"""The bill of materials of the archive: its parts, their licences, and the hashes of all files.

Beside `containerpilot.pyz` it writes `containerpilot.pyz.sha256`, for `sha256sum -c`, and `containerpilot.cdx.json`, a
CycloneDX 1.6 document. The same archive always gives the same bytes of both.
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from dataclasses import dataclass, field
from email.parser import BytesHeaderParser
from typing import TYPE_CHECKING, Any

from build import BuildError, write
from cp import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from build.native import Wheel

METADATA = f"""\
Metadata-Version: 2.4
Name: containerpilot
Version: {__version__}
License-Expression: MPL-2.0
License-File: LICENSE
"""
# The licences of packages that have no SPDX expression, and their SPDX identifiers.
OLD_LICENCES = {"MIT": "MIT"}
# The scope, in the bills of compiled packages, of components that were compiled in, not only needed to compile.
COMPILED_IN = "required"


@dataclass(frozen=True)
class Part:
    """A distribution whose modules are in the archive."""

    information: dict[str, bytes]  # the content of its `.dist-info` folder, by path
    wheels: dict[str, str] = field(default_factory=dict)  # file name -> SHA-256
    compiled_in: tuple[dict[str, Any], ...] = ()  # components, as CycloneDX describes them

    def metadata(self, name: str) -> str:
        """A field of its metadata; empty if it is missing."""
        [text] = (content for path, content in self.information.items() if path.endswith(".dist-info/METADATA"))
        return str(BytesHeaderParser().parsebytes(text).get(name, ""))

    @property
    def name(self) -> str:
        return self.metadata("Name")

    @property
    def version(self) -> str:
        return self.metadata("Version")

    @property
    def licence(self) -> str:
        """The licence as an SPDX expression."""
        found = self.metadata("License-Expression") or OLD_LICENCES.get(self.metadata("License"))
        if not found:
            raise BuildError(f"{self.name} has no SPDX licence expression; see OLD_LICENCES in build/materials.py")
        return found

    @property
    def purl(self) -> str:
        return f"pkg:pypi/{self.name}@{self.version}"


def ours(root: Path) -> Part:
    folder = f"containerpilot-{__version__}.dist-info"
    licence = (root / "LICENSE").read_bytes()
    return Part({f"{folder}/METADATA": METADATA.encode(), f"{folder}/licenses/LICENSE": licence})


def installed(packages: Path) -> list[Part]:
    """The distributions that pip installed there, with the wheels of pip's report."""
    report = packages.with_name(f"{packages.name}.json")
    try:
        wheels = dict(map(wheel, json.loads(report.read_bytes())["install"]))
    except (OSError, ValueError, LookupError) as error:
        raise BuildError(f"{report} is not a report of pip about {packages}: {error!r}") from error
    parts = []
    for folder in sorted(packages.glob("*.dist-info")):
        files = sorted(each for each in folder.rglob("*") if each.is_file())
        part = Part({each.relative_to(packages).as_posix(): each.read_bytes() for each in files})
        name = part.name, part.version
        if name not in wheels:
            raise BuildError(f"{report} does not contain {part.name} {part.version}; delete {packages}")
        parts.append(Part(part.information, wheels[name]))
    return parts


def wheel(entry: Any) -> tuple[tuple[str, str], dict[str, str]]:
    """Read an entry of pip's report: the distribution, and its file with the hash."""
    metadata, source = entry["metadata"], entry["download_info"]
    file = source["url"].rpartition("/")[2]
    return (metadata["name"], metadata["version"]), {file: source["archive_info"]["hashes"]["sha256"]}


def orjson(wheels: list[Wheel]) -> Part:
    """orjson, with the libraries that are compiled into its native files."""
    files = (file for each in wheels for file in each.information().items())
    bills = (json.loads(content) for path, content in files if path.endswith(".cyclonedx.json"))
    components = {each["purl"]: each for bill in bills for each in bill["components"]}
    compiled_in = [each for _, each in sorted(components.items()) if each.get("scope", COMPILED_IN) == COMPILED_IN]
    hashes = {each.file.name: hashlib.sha256(each.file.read_bytes()).hexdigest() for each in wheels}
    return Part(wheels[0].information(), hashes, tuple(compiled_in))


def hash_of(archive: Path) -> Path:
    return archive.with_name(f"{archive.name}.sha256")


def bill_of(archive: Path) -> Path:
    return archive.with_suffix(".cdx.json")


def describe(archive: Path, parts: list[Part], commit: str, built_at: int, tools: Iterable[tuple[str, str]]) -> None:
    """Write both files. `parts` begins with ContainerPilot; `tools` has names and versions; `built_at` is in
    seconds."""
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    write(hash_of(archive), f"{digest}  {archive.name}\n".encode())
    bill = bill_of_materials(archive.name, digest, parts, commit, built_at, tools)
    write(bill_of(archive), json.dumps(bill, indent=2).encode() + b"\n")


def bill_of_materials(
    name: str, digest: str, parts: list[Part], commit: str, built_at: int, tools: Iterable[tuple[str, str]]
) -> dict[str, Any]:
    own, *others = parts
    archive = {
        "type": "application",
        "bom-ref": own.name,
        "name": own.name,
        "version": own.version,
        "hashes": [sha256(digest)],
        "licenses": licences(own.licence),
        "purl": f"pkg:generic/{own.name}@{own.version}?checksum=sha256:{digest}&file_name={name}",
        "properties": [{"name": "containerpilot:commit", "value": commit}] if commit else [],
    }
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": uuid.UUID(bytes=bytes.fromhex(digest)[:16], version=4).urn,
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(built_at)),
            "tools": {"components": [{"type": "application", "name": tool, "version": of} for tool, of in tools]},
            "component": archive,
        },
        "components": [component(each) for each in others],
        "dependencies": [
            {"ref": own.name, "dependsOn": [each.purl for each in others]},
            *({"ref": each.purl, "dependsOn": [inner["purl"] for inner in each.compiled_in]} for each in others),
            *({"ref": inner["purl"]} for each in others for inner in each.compiled_in),
        ],
    }


def component(part: Part) -> dict[str, Any]:
    described = {
        "type": "library",
        "bom-ref": part.purl,
        "name": part.name,
        "version": part.version,
        "licenses": licences(part.licence),
        "purl": part.purl,
    }
    if len(part.wheels) == 1:
        return {**described, "hashes": [sha256(digest) for digest in part.wheels.values()]}
    wheels = [{"type": "file", "name": file, "hashes": [sha256(part.wheels[file])]} for file in sorted(part.wheels)]
    kept = ("type", "name", "version", "hashes", "licenses", "purl")
    inner = [
        {"bom-ref": each["purl"], **{name: each[name] for name in kept if name in each}} for each in part.compiled_in
    ]
    return {**described, "components": [*wheels, *inner]}


def licences(expression: str) -> list[dict[str, Any]]:
    """Format for CycloneDX: one SPDX identifier, or an expression with several."""
    return [{"expression": expression}] if " " in expression else [{"license": {"id": expression}}]


def sha256(digest: str) -> dict[str, str]:
    return {"alg": "SHA-256", "content": digest}
