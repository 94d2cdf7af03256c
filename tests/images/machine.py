"""The interpreters of this machine as rows: in a root that has this machine's own programs and the interpreter's files,
each at its own place, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

from build.pythons import candidates, probe
from tests.images.rows import SYSTEM, Row, look


def rows() -> list[Row]:
    """Every CPython that the archive supports, oldest first."""
    executables = dict.fromkeys(path.resolve() for path in candidates(os.environ))
    found: list[Row] = []
    for python in sorted(each for each in map(probe, executables) if each):
        executable = Path(python.executable).resolve()
        prefix = executable.parent.parent
        own = () if any(prefix.is_relative_to(folder) for folder in SYSTEM) else (str(prefix),)
        version, library = look(str(executable))
        names = [row.name for row in found]
        name = f"machine-{version}"
        while name in names:
            name += "+"  # the same version in another place
        found.append(Row(name, version, Path("/"), (*SYSTEM, *own), str(executable), library))
    return found
