"""What this program is: its version and the commit it was built from."""

from __future__ import annotations

from cp import __version__

COMMIT = ""  # written by the build


def describe() -> str:
    """Two lines, as tools that read the original's `-version` expect them."""
    return f"Version: {__version__}\nGitHash: {COMMIT}\n"
