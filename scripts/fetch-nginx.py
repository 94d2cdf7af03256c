#!/usr/bin/env python3
"""Prints the path of an nginx to test with: `nginx` on PATH, or the distribution's package.

    scripts/fetch-nginx.py [FOLDER]      (default: .cache/nginx)

The package is unpacked together with its libraries, which a slim system lacks. debian.py describes how it is
downloaded, and the variable APT_MIRROR.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import debian

if TYPE_CHECKING:
    from pathlib import Path


def finish(folder: Path) -> None:
    (folder / "usr/sbin/nginx").rename(folder / "usr/bin/nginx")
    debian.start_with_own_libraries(folder, "nginx")


NGINX = debian.Program(
    title="nginx",
    name="nginx",
    package="nginx",
    versions="1.18 or newer",
    releases={"debian": debian.Release("bookworm", "main"), "ubuntu": debian.Release("jammy", "main")},
    version_command="-v",
    needs=("libc6",),
    finish=finish,
)

if __name__ == "__main__":
    debian.main(NGINX)
