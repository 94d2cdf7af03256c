#!/usr/bin/env python3
"""Prints the path of a Redis to test with: `redis-server` on PATH, or the distribution's package.

    scripts/fetch-redis-server.py [FOLDER]      (default: .cache/redis-server)

The package is unpacked together with its libraries, which a slim system lacks. debian.py describes how it is
downloaded, and the variable APT_MIRROR.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import debian

if TYPE_CHECKING:
    from pathlib import Path


def finish(folder: Path) -> None:
    # The program is one file, and all of its names but one are links.
    server = folder / "usr/bin/redis-server"
    (folder / "usr/bin/redis-check-rdb").replace(server)
    debian.start_with_own_libraries(folder, server.name)


REDIS = debian.Program(
    title="Redis",
    name="redis-server",
    package="redis-server",
    versions="6 or newer",
    releases={"debian": debian.Release("bookworm", "main"), "ubuntu": debian.Release("jammy", "universe")},
    version_command="--version",
    needs=("libc6",),
    finish=finish,
)

if __name__ == "__main__":
    debian.main(REDIS)
