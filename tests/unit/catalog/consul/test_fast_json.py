"""orjson out of the archive, and its replacement if it is not available."""

from __future__ import annotations

import json
import os
import sys
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from build.native import pack
from cp.catalog.consul import fast_json

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[4]
HERE = "{}.{}-{}".format(*sys.version_info[:2], "musl" if fast_json.is_musl() else "gnu")
PACKED = fast_json.PACKED.format(os.uname().machine)


def unpacked(packed: bytes, name: str) -> bytes:
    pieces: list[bytes] = []
    fast_json.unpack(packed, name, pieces.append)
    return b"".join(pieces)


# --- the packed files


def test_each_file_is_found_again() -> None:
    files = {f"3.{minor}-{libc}": os.urandom(100_000 + minor) for minor in (14, 13) for libc in ("gnu", "musl")}

    packed = pack(files)

    assert {name: unpacked(packed, name) for name in files} == files


def test_file_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="not in list"):
        unpacked(pack({"3.14-gnu": b"one", "3.14-musl": b"two"}), "3.15-gnu")


def test_the_other_files_are_not_held() -> None:
    """The memory of a container is small, and may be used up."""
    packed = pack({"first": bytes(3_000_000), "second": bytes(3_000_000), "third": b"x"})
    tracemalloc.start()
    try:
        assert unpacked(packed, "third") == b"x"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 2_000_000  # of which a million are for what decompresses


def test_damaged_file_is_noticed() -> None:
    packed = bytearray(pack({"only": os.urandom(100_000)}))
    packed[len(packed) // 2 :] = b""

    with pytest.raises(EOFError):
        unpacked(bytes(packed), "only")


# --- loading


def native() -> bytes:
    """The file of the orjson that the tests have installed, which is for this Python."""
    return next(Path(orjson.__file__).parent.glob("*.so")).read_bytes()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Lets the module think that it is in an archive that has this in the place of the packed files."""

    def set_content(content: bytes) -> None:
        class Importer:
            def read(self, name: str) -> bytes:
                if name != PACKED:
                    raise FileNotFoundError(name)
                return content

        monkeypatch.setattr(fast_json.__spec__, "loader", Importer())

    return set_content


def no_memory_file(patch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any) -> int:
        raise PermissionError(13, "Permission denied")

    patch.setattr(os, "memfd_create", refuse)


def no_processes(patch: pytest.MonkeyPatch) -> None:
    from importlib import machinery

    class Elsewhere(machinery.ExtensionFileLoader):
        def __init__(self, name: str, path: str) -> None:
            super().__init__(name, f"/no{path}")

    patch.setattr(machinery, "ExtensionFileLoader", Elsewhere)


@pytest.mark.parametrize(
    "strange",
    [
        lambda patch: patch.setitem(sys.modules, "_lzma", None),
        lambda patch: patch.delattr(os, "memfd_create"),
        no_memory_file,
        no_processes,
        lambda patch: patch.setattr(sys, "abiflags", "t"),
        lambda patch: patch.setattr(sys, "maxsize", (1 << 31) - 1),
        lambda patch: patch.setattr(os, "uname", lambda: os.uname_result(("Linux", "here", "6", "1", "riscv64"))),
        lambda patch: patch.setattr(sys, "version_info", (3, 99, 0, "final", 0)),
    ],
    ids=["no lzma", "no memfd", "forbidden", "no /proc", "free-threaded", "32 bits", "machine", "newer Python"],
)
def test_strange_machine_gets_the_parser_of_the_standard_library(
    read: Callable[[bytes], None], monkeypatch: pytest.MonkeyPatch, strange: Callable[[pytest.MonkeyPatch], None]
) -> None:
    read(pack({HERE: native()}))
    before = sorted(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as patch:
        strange(patch)
        loads = fast_json.load()

    assert loads is json.loads
    assert sorted(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("content", [b"", b"no archive", pack({HERE: b"no library"})], ids=["none", "other", "library"])
def test_damage_gets_the_parser_of_the_standard_library(read: Callable[[bytes], None], content: bytes) -> None:
    read(content)

    assert fast_json.load() is json.loads


def test_outside_the_archive_the_installed_one_is_taken() -> None:
    assert fast_json.load() is orjson.loads
