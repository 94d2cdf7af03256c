"""Fixtures of the system tests; tests/conftest.py makes them known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.system.pilot import Finished, Pilot, archive, namespaces, run, write_config

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path


class StartPilot:
    """Starts ContainerPilot, and kills what is left of it when the test is over."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pilots: list[Pilot] = []

    def __call__(
        self,
        config: Mapping[str, Any] | str | None,
        command: Sequence[str] = (),
        *,
        init: bool = False,
        env: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
        **options: Any,
    ) -> Pilot:
        """Start it with a configuration (a file, so that it can be replaced) and an application; `init`: as PID 1."""
        folder = self.folder()
        flags: list[str] = []
        if config is not None:
            write_config(folder / "config.json", config)
            flags = ["-config", str(folder / "config.json")]
        pilot = Pilot(
            folder,
            [*flags, *command],
            env=env or {},
            prefix=(*namespaces(), *prefix) if init else tuple(prefix),
            **options,
        )
        self._pilots.append(pilot)
        return pilot

    def folder(self) -> Path:
        """The folder of the pilot that is started next."""
        folder = self._folder / f"pilot{len(self._pilots)}"
        folder.mkdir(exist_ok=True)
        return folder

    def run(self, *arguments: str, env: Mapping[str, str] | None = None, stdin: str = "") -> Finished:
        """Run it to its end with exactly these arguments."""
        return run(arguments, self.folder(), env=env or {}, stdin=stdin)

    def close(self) -> None:
        for pilot in self._pilots:
            pilot.close()


@pytest.fixture(scope="session")
def built_archive() -> Path:
    """The built file; a test that uses it pays for a missing one before its own time runs."""
    return archive()


@pytest.fixture
def pilot(tmp_path: Path, built_archive: Path) -> Iterator[StartPilot]:
    start = StartPilot(tmp_path)
    try:
        yield start
    finally:
        start.close()
