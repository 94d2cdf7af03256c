"""Which files of the directory catalogue are read, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cp.catalog.directory import records
from cp.catalog.directory.folder import Folder
from tests.unit.catalog.fakes import service

if TYPE_CHECKING:
    from pathlib import Path


NOW = 1e9


def put(folder: Path, name: str, deadline: float = NOW + 10, **fields: Any) -> str:
    """Register a service; the name of its file."""
    entry = service(name=name, id=f"{name}-box", **fields)
    file = records.file_name(entry.id)
    records.write(str(folder), file, records.encode(entry, "passing", "", deadline))
    return file


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(str(tmp_path), lambda text: None)


def test_a_changed_file_of_the_service_is_read_again(folder: Folder, tmp_path: Path) -> None:
    file = put(tmp_path, "web")
    assert list(folder.scan()) == [file]
    (tmp_path / file).unlink()
    assert folder.refresh({file}, "web", NOW)
    assert folder.known() == {}
    put(tmp_path, "web")
    assert folder.refresh({file}, "web", NOW)
    assert list(folder.known()) == [file]


def test_a_heartbeat_of_another_service_is_not_read(tmp_path: Path) -> None:
    warnings: list[str] = []
    folder = Folder(str(tmp_path), warnings.append)
    web, other = put(tmp_path, "web"), put(tmp_path, "other")
    folder.scan()
    (tmp_path / other).write_text("garbage, which reading would report")
    assert not folder.refresh({other}, "web", NOW)
    assert set(folder.known()) == {web, other}
    assert warnings == []
    folder.scan()
    assert len(warnings) == 1


def test_a_heartbeat_of_the_service_is_read_and_is_not_a_change(folder: Folder, tmp_path: Path) -> None:
    file = put(tmp_path, "web")
    folder.scan()
    put(tmp_path, "web", NOW + 20)
    assert not folder.refresh({file}, "web", NOW)
    assert folder.known()[file].deadline == NOW + 20


@pytest.mark.parametrize(
    ("fields", "now"),
    [
        ({"address": "10.0.0.2"}, NOW),
        ({"port": 81}, NOW),
        ({"tags": ("new",)}, NOW),
        ({"deadline": NOW + 5}, NOW),  # its life is shorter: it ends sooner than somebody waits
        ({}, NOW + 10),  # it was dead, and may have been seen so
    ],
)
def test_anything_else_is_news(folder: Folder, tmp_path: Path, fields: dict[str, Any], now: float) -> None:
    file = put(tmp_path, "web")
    folder.scan()
    put(tmp_path, "web", **{"deadline": NOW + 20, **fields})
    assert folder.refresh({file}, "web", now)


def test_a_new_file_is_read_whatever_its_owner(folder: Folder, tmp_path: Path) -> None:
    folder.scan()
    file = put(tmp_path, "other")
    assert not folder.refresh({file, ".containerpilot-1-half"}, "web", NOW)
    assert list(folder.known()) == [file]


def test_a_file_that_changes_hands_is_news(folder: Folder, tmp_path: Path) -> None:
    file = put(tmp_path, "web")
    folder.scan()
    entry = service(name="other", id="web-box")
    records.write(str(tmp_path), file, records.encode(entry, "passing", "", NOW + 20))
    assert folder.refresh({file}, "web", NOW)
