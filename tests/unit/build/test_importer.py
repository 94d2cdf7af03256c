"""The importer of the archive, on archives of a few files."""

from __future__ import annotations

import importlib
import io
import os
import sys
import tarfile
import zipfile
import zipimport
import zlib
from typing import TYPE_CHECKING

import pytest

from build.entry._bootstrap.importer import DamagedArchive, Importer, OpenArchive, modules_of, sources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType

TEXTS = {
    "example/__init__.py": "NAME = __name__\n",
    "example/inner.py": "from example import NAME\n\n\ndef fail():\n    raise ValueError('é')  # here\n",
    "example/later.py": "",
    "empty.py": "",
}


def tar(texts: dict[str, str]) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path, text in texts.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return data.getvalue() + zlib.crc32(data.getvalue()).to_bytes(4, "little")


def read_only_sources(name: str) -> bytes:
    assert name == "_bootstrap/sources.tar"
    return tar(TEXTS)


class WithAttributes(Importer):
    """Its methods can be replaced by a test."""


@pytest.fixture
def importer() -> Iterator[Importer]:
    """One that has only sources, in force for the test."""
    found = WithAttributes("relative/containerpilot.pyz", read_only_sources, 0, modules_of(TEXTS), ())
    before = set(sys.modules)
    sys.meta_path.insert(0, found)
    yield found
    sys.meta_path.remove(found)
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def make_archive(tmp_path: Path) -> Iterator[Callable[[dict[str, bytes]], OpenArchive]]:
    opened: list[OpenArchive] = []

    def make(files: dict[str, bytes]) -> OpenArchive:
        path = tmp_path / "archive.pyz"
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data, zipfile.ZIP_DEFLATED if name.startswith("packed") else zipfile.ZIP_STORED)
        zipimport.zipimporter(str(path))
        opened.append(OpenArchive(str(path)))
        return opened[-1]

    yield make
    for each in opened:
        os.close(each._descriptor)


def test_all_sources_are_found_again() -> None:
    assert sources(read_only_sources) == TEXTS


def test_packages_and_modules_are_imported_from_sources(importer: Importer) -> None:
    import example.inner  # type: ignore[import-not-found]

    assert (example.NAME, example.inner.NAME) == ("example", "example")
    assert example.inner.__file__ == f"{os.getcwd()}/relative/containerpilot.pyz/example/inner.py"
    assert example.inner.__package__ == "example"


def test_missing_module_is_reported_as_usual(importer: Importer) -> None:
    import example

    assert example.NAME == "example"
    with pytest.raises(ModuleNotFoundError, match=r"example\.missing"):
        importlib.import_module("example.missing")


def test_module_can_be_imported_again(importer: Importer) -> None:
    import example

    del sys.modules["example"]
    import example as again

    assert again is not example


def test_the_package_of_the_jobs_dialect_brings_its_modules_along(
    importer: Importer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("build.entry._bootstrap.importer.JOBS", "example")
    importer._jobs = ("example", "example.later")

    import example

    assert sys.modules["example.later"] is example.later


def test_modules_executed_in_one_go_can_be_imported_again_after_an_error(importer: Importer) -> None:
    """A short lack of memory, for example. The module that failed and those after it have no content yet."""
    import example

    attempts = iter([MemoryError("too little"), None])

    def execute(module: ModuleType) -> None:
        if module.__name__ == "example.inner" and (error := next(attempts)) is not None:
            raise error
        ordinary(module)

    ordinary = importer.exec_module
    importer.exec_module = execute  # type: ignore[method-assign]
    with pytest.raises(MemoryError):
        importer._load(("example.inner", "example.later"))

    assert {"example.inner", "example.later"}.isdisjoint(sys.modules)
    assert not {"inner", "later"} & set(dir(example))
    inner = importlib.import_module("example.inner")
    assert inner.NAME == "example"


def test_traceback_shows_the_text_of_the_line(importer: Importer) -> None:
    import traceback

    from example import inner

    with pytest.raises(ValueError) as caught:  # noqa: PT011 - any
        inner.fail()

    shown = "".join(traceback.format_exception(caught.value))
    assert 'File "containerpilot.pyz/example/inner.py", line 5, in fail' in shown
    assert "raise ValueError('é')  # here" in shown


def test_files_are_read_after_the_archive_was_replaced(
    make_archive: Callable[[dict[str, bytes]], OpenArchive], tmp_path: Path
) -> None:
    archive = make_archive({"stored": b"one", "packed": b"two" * 1000})
    (tmp_path / "new").write_bytes(b"something else")
    (tmp_path / "new").replace(archive.path)

    assert archive.read("stored") == b"one"
    assert archive.read("packed") == b"two" * 1000


def test_damage_is_noticed(make_archive: Callable[[dict[str, bytes]], OpenArchive]) -> None:
    archive = make_archive({"stored": b"one" * 1000, "packed": os.urandom(5000)})
    size = os.path.getsize(archive.path)
    with open(archive.path, "r+b") as file:
        file.seek(200)
        file.write(bytes(size - 400))

    for name in ("stored", "packed"):
        with pytest.raises(DamagedArchive, match=f"^{archive.path} was overwritten while the program ran, "):
            archive.read(name)


def test_earlier_damage_is_not_reported_as_overwriting(
    make_archive: Callable[[dict[str, bytes]], OpenArchive],
) -> None:
    archive = make_archive({"stored": bytes(1000), "packed": bytes(1000)})
    with open(archive.path, "r+b") as file:
        file.seek(200)
        file.write(b"x" * 200)
    archive._as_opened = archive._as_now()

    with pytest.raises(DamagedArchive, match=f"^{archive.path} is damaged; copy it again$"):
        archive.read("stored")


def test_intact_modules_of_an_overwritten_archive_are_read(
    make_archive: Callable[[dict[str, bytes]], OpenArchive],
) -> None:
    archive = make_archive({"stored": b"one", "packed": b"two" * 10})
    with open(archive.path, "ab") as file:
        file.write(b"more")

    assert (archive.read("stored"), archive.read("packed")) == (b"one", b"two" * 10)


def test_file_that_the_archive_does_not_have(make_archive: Callable[[dict[str, bytes]], OpenArchive]) -> None:
    with pytest.raises(FileNotFoundError):
        make_archive({}).read("nothing")


def test_archive_is_not_inherited_by_children(make_archive: Callable[[dict[str, bytes]], OpenArchive]) -> None:
    archive = make_archive({"stored": b"one"})

    assert archive._descriptor > 2
    assert not os.get_inheritable(archive._descriptor)
