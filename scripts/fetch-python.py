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
from typing import TYPE_CHECKING

import debian

if TYPE_CHECKING:
    from pathlib import Path

# The releases of distributions that have each version.
RELEASES = {
    "3.10": {"ubuntu": debian.Release("jammy", "main")},
    "3.11": {"debian": debian.Release("bookworm", "main")},
    "3.12": {"ubuntu": debian.Release("noble", "main")},
    "3.13": {"debian": debian.Release("trixie", "main")},
    "3.14": {"debian": debian.Release("sid", "main")},
    "3.15": {"debian": debian.Release("sid", "main")},
}

# The script may be moved, and called through links. `--argv0`: Python must see the script as its program, because a
# link to the script may belong to a virtual environment.
START = """\
#!/bin/sh
self=$(readlink -f -- "$0")
usr=${{self%/bin/*}}
exec "$usr/{loader}" --library-path "$usr/{libraries}" --argv0 "$0" "$usr/bin/{program}" "$@"
"""


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
        finish=lambda folder: start_with_own_libraries(folder, name),
    )


def start_with_own_libraries(folder: Path, name: str) -> None:
    """Replace the program by a script, and move the program beside it."""
    usr = folder / "usr"
    found = sorted(usr.glob("lib/*/ld-linux*.so.*"))
    if not found:
        raise debian.Refused("the packages have no dynamic loader")
    real = usr / "bin" / f"{name}.real"
    script = usr / "bin" / name
    script.rename(real)
    loader = found[0].relative_to(usr)
    script.write_text(START.format(loader=loader, libraries=loader.parent, program=real.name))
    script.chmod(0o755)


def usable(path: str) -> bool:
    """Whether it starts: a shim on PATH may exist although its Python does not."""
    return subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    wanted = sys.argv.pop(1) if len(sys.argv) > 1 else ""
    if wanted not in RELEASES:
        sys.exit(f"usage: scripts/fetch-python.py {'|'.join(RELEASES)} [FOLDER]")
    debian.main(program(wanted), usable)
