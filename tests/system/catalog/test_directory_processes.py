"""The directory catalogue between processes: one registers, another watches."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.limits import DEADLINE
from tests.system.catalog.live import Party, directory_at, service, watch
from tests.system.pilot import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Registers what its argument says; a heartbeat for each line on its standard input; ends with that.
WRITER = """
import json, sys
from cp.catalog.factory import open_catalog
from cp.plan import DirectorySettings, Service
path, fields = sys.argv[1], json.loads(sys.argv[2])
catalog, one = open_catalog(DirectorySettings(path=path)), Service(**fields)
catalog.register(one, "passing")
print("registered", flush=True)
for line in sys.stdin:
    catalog.heartbeat(one, "passing", "")
    print("renewed", flush=True)
catalog.deregister(one)
"""


class Writer:
    """Another process that registers a service."""

    def __init__(self, folder: Path, port: int, ttl: int) -> None:
        fields = {"name": "web", "id": f"web-{port}", "address": "10.0.0.1", "port": port, "ttl": ttl}
        self.process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder), json.dumps(fields)],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._hears("registered")

    def beats(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self._hears("renewed")

    def leaves(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(DEADLINE) == 0

    def dies(self) -> None:
        self.process.kill()
        self.process.wait(DEADLINE)

    def _hears(self, word: str) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == f"{word}\n"

    def close(self) -> None:
        self.process.kill()
        with self.process:  # closes its pipes
            pass


@pytest.fixture
def writers() -> Iterator[list[Writer]]:
    writers: list[Writer] = []
    yield writers
    for writer in writers:
        writer.close()


def test_one_process_sees_what_another_registers(party: Party, tmp_path: Path, writers: list[Writer]) -> None:
    _, reports = party.watcher(directory_at(tmp_path), watch("web", interval=1))
    writers.append(Writer(tmp_path, 1, ttl=60))
    party.live.until(lambda: reports.last == [1])
    writers.append(Writer(tmp_path, 2, ttl=60))
    party.live.until(lambda: reports.last == [1, 2])
    writers[0].beats()
    writers[0].leaves()
    party.live.until(lambda: reports.last == [2])
    assert reports.ports == [[1], [1, 2], [2]]


def test_a_process_that_dies_is_gone_when_its_time_to_live_is_over(
    party: Party, tmp_path: Path, writers: list[Writer]
) -> None:
    _, reports = party.watcher(directory_at(tmp_path), watch("web", interval=1))
    writers.append(Writer(tmp_path, 1, ttl=2))
    party.live.until(lambda: reports.last == [1])
    writers[0].dies()
    party.live.until(lambda: reports.last == [])


def test_the_registrar_notices_that_its_file_was_removed(party: Party, tmp_path: Path) -> None:
    registrar, one = party.registrar(directory_at(tmp_path)), service("web")
    registrar.register(one, "passing")
    party.live.until(lambda: (tmp_path / "web-box.json").exists())
    party.live.until(lambda: party.live.lines)
    (tmp_path / "web-box.json").unlink()
    registrar.register(one, "passing")
    party.live.until(lambda: (tmp_path / "web-box.json").exists())
    gone: list[bool] = []
    registrar.deregister(one, lambda: gone.append(True))
    party.live.until(lambda: gone)
    assert os.listdir(tmp_path) == []
