"""Which of orjson's wheels go into the archive."""

from __future__ import annotations

import hashlib
import zipfile
from typing import TYPE_CHECKING

import pytest

from build import BuildError, native
from cp.catalog.consul.fast_json import INDEX_SIZE

if TYPE_CHECKING:
    from pathlib import Path


def make_wheel(path: Path, **files: bytes) -> Path:
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("orjson/__init__.py", "")
        for name, content in files.items():
            wheel.writestr(f"orjson/{name}.so", content)
        wheel.writestr("orjson-1.dist-info/METADATA", "Name: orjson\n")
    return path


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the wheels of a lock are kept; the lock names the wheel for each kind of machine."""
    wheels = tmp_path / "wheels"
    for machine in native.MACHINES:
        for libc in native.LIBCS:
            make_wheel(wheels / f"3.14-{machine}-{libc}" / "orjson.whl", same_name=f"{machine} {libc}".encode())
    hashes = [hashlib.sha256(each.read_bytes()).hexdigest() for each in sorted(wheels.rglob("*.whl"))]
    lock = tmp_path / "orjson.lock"
    lock.write_text("\n".join(hashes))
    monkeypatch.setattr(native, "LOCK", lock)
    return wheels.rename(tmp_path / hashlib.sha256(lock.read_bytes()).hexdigest()[:12])


def test_wheels_that_are_there_are_not_fetched(place: Path) -> None:
    """The native files of all kinds stay separate, although they have one name."""
    found = native.fetch(["3.14"], place.parent)

    assert {(each.machine, each.key): each.native() for each in found} == {
        (machine, f"3.14-{libc}"): f"{machine} {libc}".encode() for machine in native.MACHINES for libc in native.LIBCS
    }
    assert list(found[0].information()) == ["orjson-1.dist-info/METADATA"]


def test_wheel_that_the_lock_does_not_name_is_refused(place: Path) -> None:
    wheel = place / "3.14-aarch64-gnu" / "orjson.whl"
    with zipfile.ZipFile(wheel, "a") as opened:
        opened.writestr("orjson/more.py", "")

    with pytest.raises(BuildError, match=f"{wheel} is not one that orjson.lock names; delete it"):
        native.fetch(["3.14"], place.parent)


def test_wheel_with_two_native_files_is_refused(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "folder" / "orjson.whl", one=b"1", two=b"2")

    with pytest.raises(BuildError, match=r"orjson\.whl has 2 native files instead of one"):
        native.Wheel("3.14", "x86_64", "gnu", wheel).native()


def test_too_many_files_are_refused() -> None:
    with pytest.raises(BuildError, match="index"):
        native.pack({f"3.{minor}-gnu": b"" for minor in range(INDEX_SIZE)})
