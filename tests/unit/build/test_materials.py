"""The bill of materials, for packages of a few lines."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from build import BuildError, materials
from build.materials import Part

if TYPE_CHECKING:
    from pathlib import Path

OURS = Part({"us-2.dist-info/METADATA": b"Name: us\nVersion: 2\nLicense-Expression: MPL-2.0\n"})
THEIRS = Part({"them-1.dist-info/METADATA": b"Name: them\nVersion: 1\nLicense: MIT\n\nMIT\n"}, {"them.whl": "ab" * 32})


def install(packages: Path, name: str, report: Any) -> None:
    folder = packages / f"{name}-1.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Name: {name}\nVersion: 1\n")
    packages.with_name(f"{packages.name}.json").write_text(json.dumps(report))


def reported(name: str) -> dict[str, Any]:
    source = {"url": f"https://packages.example/{name}-1-py3.whl", "archive_info": {"hashes": {"sha256": "cd" * 32}}}
    return {"metadata": {"name": name, "version": "1"}, "download_info": source}


def test_installed_package_is_known_by_the_wheel_that_pip_reported(tmp_path: Path) -> None:
    install(tmp_path / "packages", "them", {"install": [reported("them")]})

    [part] = materials.installed(tmp_path / "packages")

    assert (part.name, part.version, part.wheels) == ("them", "1", {"them-1-py3.whl": "cd" * 32})


@pytest.mark.parametrize(("report", "why"), [({"install": [reported("other")]}, "does not contain them 1"),
                                             ({}, "is not a report of pip")])  # fmt: skip
def test_package_without_a_report_is_refused(tmp_path: Path, report: Any, why: str) -> None:
    install(tmp_path / "packages", "them", report)

    with pytest.raises(BuildError, match=why):
        materials.installed(tmp_path / "packages")


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("License-Expression: MIT", [{"license": {"id": "MIT"}}]),
        ("License: MIT", [{"license": {"id": "MIT"}}]),
        ("License-Expression: MIT OR Apache-2.0", [{"expression": "MIT OR Apache-2.0"}]),
    ],
)
def test_licences_in_the_words_of_spdx(field: str, expected: Any) -> None:
    part = Part({"x-1.dist-info/METADATA": f"Name: x\nVersion: 1\n{field}\n".encode()})

    assert materials.licences(part.licence) == expected


def test_package_without_a_licence_is_refused() -> None:
    with pytest.raises(BuildError, match="x has no SPDX licence expression"):
        Part({"x-1.dist-info/METADATA": b"Name: x\nVersion: 1\nLicense: Do as you like\n"}).licence  # noqa: B018


def test_files_beside_the_archive_follow_from_it_alone(tmp_path: Path) -> None:
    written = []
    for folder in ("one", "two"):
        archive = tmp_path / folder / "app.pyz"
        archive.parent.mkdir()
        archive.write_bytes(b"archive")
        materials.describe(archive, [OURS, THEIRS], "0123456789ab", 0, [("shiv", "1")])
        written.append({each.name: each.read_bytes() for each in archive.parent.iterdir()})

    assert written[0] == written[1]
    digest = hashlib.sha256(b"archive").hexdigest()
    assert written[0]["app.pyz.sha256"].decode() == f"{digest}  app.pyz\n"
    bill = json.loads(written[0]["app.cdx.json"])
    assert bill["metadata"]["timestamp"] == "1970-01-01T00:00:00Z"
    assert bill["metadata"]["component"]["hashes"][0]["content"] == digest
    assert bill["components"][0]["hashes"] == [{"alg": "SHA-256", "content": "ab" * 32}]


def test_other_archive_has_another_serial_number() -> None:
    numbers = {
        materials.bill_of_materials("app.pyz", digest * 32, [OURS], "", 0, [])["serialNumber"]
        for digest in ("ab", "cd")
    }

    assert len(numbers) == 2


def test_libraries_compiled_into_a_package_are_named_and_its_tools_are_not() -> None:
    crates = ({"type": "library", "name": "crate", "version": "3", "purl": "pkg:cargo/crate@3", "author": "them"},)
    part = Part(THEIRS.information, {"a.whl": "ab" * 32, "b.whl": "cd" * 32}, crates)

    bill = materials.bill_of_materials("app.pyz", "ab" * 32, [OURS, part], "", 0, [])

    assert [each["name"] for each in bill["components"][0]["components"]] == ["a.whl", "b.whl", "crate"]
    assert "author" not in bill["components"][0]["components"][2]
    assert {"ref": "pkg:pypi/them@1", "dependsOn": ["pkg:cargo/crate@3"]} in bill["dependencies"]
