"""What makes the one file, `dist/containerpilot.pyz`: locks, the archive's entry, the steps around shiv's builder."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class BuildError(Exception):
    """The archive cannot be built; the text says why, and what would help."""


def write(path: Path, content: bytes) -> None:
    """A file with an ordinary mode, whatever the umask is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o644)
