"""A loop on the real clock, and the folder of a test for sockets."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cp.engine.loop import Loop
from tests.limits import DEADLINE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class RealLoop(Loop):
    """A loop that runs until something is true."""

    def run_until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come true"
            timer = self.call_later(0.01, bool)
            self.run_once()
            timer.cancel()


@pytest.fixture
def loop() -> RealLoop:
    return RealLoop()


@pytest.fixture
def base() -> Iterator[Path]:
    """A folder with a short path, which other users may enter."""
    folder = Path(tempfile.mkdtemp(prefix="cp-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
