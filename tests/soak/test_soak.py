"""The soak in short: the same scene and the same verdict as that of scripts/soak.sh."""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.size import FULL
from tests.soak.soaking import Soak

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 60 if FULL else 5
TIMEOUT = 180


@pytest.fixture
def soak(built_archive: Path) -> Iterator[Soak]:
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    seed = random.randrange(1_000_000)
    soak = Soak(folder, seed)
    try:
        yield soak
    finally:
        soak.close()
        shutil.rmtree(folder)
        print(f"seed {seed}\n{soak.report}")  # noqa: T201 - for who looks at a failure


@pytest.mark.timeout(TIMEOUT)
def test_after_a_rough_time_nothing_is_lost_and_nothing_is_left(soak: Soak) -> None:
    soak.run(SECONDS)

    assert soak.faults == []
