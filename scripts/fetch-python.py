#!/usr/bin/env python3
"""Prints the path of a CPython 3.14 to build with: `python3.14` on PATH, else Debian's package for its next release.

    scripts/fetch-python.py [FOLDER]      (default: .cache/python3.14)

That package needs a newer C library than this machine may have. So it is unpacked with all that it depends on, and what
is printed is a script that starts it with its own libraries. How packages are fetched, and what the variable APT_MIRROR
does, is told in debian.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import debian

if TYPE_CHECKING:
    from pathlib import Path

# The script may be anywhere, and be called through links. `--argv0`: for Python, it is the program; a link to it may be
# that of a virtual environment.
START = """\
#!/bin/sh
self=$(readlink -f -- "$0")
usr=${{self%/bin/*}}
exec "$usr/{loader}" --library-path "$usr/{libraries}" --argv0 "$0" "$usr/bin/{program}" "$@"
"""


def start_with_own_libraries(folder: Path) -> None:
    """Put a script in the place of the program, and the program beside it."""
    usr = folder / "usr"
    found = sorted(usr.glob("lib/*/ld-linux*.so.*"))
    if not found:
        raise debian.Refused("the packages have no dynamic loader")
    real = usr / "bin" / f"{PYTHON.name}.real"
    script = usr / "bin" / PYTHON.name
    script.rename(real)
    loader = found[0].relative_to(usr)
    script.write_text(START.format(loader=loader, libraries=loader.parent, program=real.name))
    script.chmod(0o755)


PYTHON = debian.Program(
    title="CPython 3.14",
    name="python3.14",
    package="python3.14-minimal",
    versions="CPython 3.14",
    releases={"debian": debian.Release("sid", "main")},
    version_command="--version",
    needs=("libpython3.14-stdlib",),
    finish=start_with_own_libraries,
)

if __name__ == "__main__":
    debian.main(PYTHON)
