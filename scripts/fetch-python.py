#!/usr/bin/env python3
"""Print the path of a CPython of one version, to build with and to test on.

    scripts/fetch-python.py VERSION [FOLDER]      (VERSION: like 3.15; default FOLDER: .cache/pythonVERSION)

It is `pythonVERSION` on PATH. If there is none, it comes from the distribution's packages, from whichever release has
this version. Such a package may need a newer C library than this machine has. So the package is unpacked together with
all that it depends on, and the script prints the path of a wrapper that starts it with its own libraries. debian.py
describes how packages are fetched, and what the variable APT_MIRROR does.
"""

from __future__ import annotations

import subprocess
import sys

import debian

# The releases of distributions that have each version.
RELEASES = {
    "3.10": {"ubuntu": debian.Release("jammy", "main")},
    "3.11": {"debian": debian.Release("bookworm", "main")},
    "3.12": {"ubuntu": debian.Release("noble", "main")},
    "3.13": {"debian": debian.Release("trixie", "main")},
    "3.14": {"debian": debian.Release("sid", "main")},
    "3.15": {"debian": debian.Release("sid", "main")},
}


def program(version: str) -> debian.Program:
    """The package of CPython in this version, such as "3.15"."""
    name = f"python{version}"
    return debian.Program(
        title=f"CPython {version}",
        name=name,
        package=f"{name}-minimal",
        versions=f"CPython {version}",
        releases=RELEASES[version],
        version_command="--version",
        needs=(f"lib{name}-stdlib",),
        finish=lambda folder: debian.start_with_own_libraries(folder, name),
    )


def usable(path: str) -> bool:
    """Whether it starts: a shim on PATH may exist although its Python does not."""
    return subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    wanted = sys.argv.pop(1) if len(sys.argv) > 1 else ""
    if wanted not in RELEASES:
        sys.exit(f"usage: scripts/fetch-python.py {'|'.join(RELEASES)} [FOLDER]")
    debian.main(program(wanted), usable)
