"""Builds the archive `dist/containerpilot.pyz`: locks, the archive's entry, and the steps around shiv's builder."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class BuildError(Exception):
    """The archive cannot be built. The text says why, and what would help."""


def write(path: Path, content: bytes) -> None:
    """Write a file with mode 0644, whatever the umask is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o644)
