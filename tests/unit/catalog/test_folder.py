"""What is read of the directory catalogue's files, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cp.catalog import records
from cp.catalog.folder import Folder
from tests.unit.catalog.fakes import service

if TYPE_CHECKING:
    from pathlib import Path


def put(folder: Path, name: str) -> str:
    """Register a service; the name of its file."""
    entry = service(name=name, id=f"{name}-box")
    file = records.file_name(entry.id)
    records.write(str(folder), file, records.encode(entry, "passing", "", 1e12))
    return file


def test_a_changed_file_of_the_service_is_read_again(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path), lambda told: None)
    file = put(tmp_path, "web")
    assert list(folder.scan()) == [file]
    (tmp_path / file).unlink()
    assert folder.refresh({file}, "web") == {}
    put(tmp_path, "web")
    assert list(folder.refresh({file}, "web")) == [file]


def test_a_heartbeat_of_another_service_is_not_read(tmp_path: Path) -> None:
    warnings: list[str] = []
    folder = Folder(str(tmp_path), warnings.append)
    web, other = put(tmp_path, "web"), put(tmp_path, "other")
    folder.scan()
    (tmp_path / other).write_text("garbage, which reading would report")
    assert set(folder.refresh({other}, "web")) == {web, other}
    assert warnings == []
    folder.scan()
    assert len(warnings) == 1


def test_a_new_file_is_read_whoever_it_is_of(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path), lambda told: None)
    folder.scan()
    file = put(tmp_path, "other")
    assert list(folder.refresh({file, ".containerpilot-1-half"}, "web")) == [file]
