"""Two copies of this interpreter to measure with: one clean, one without bytecode.

Clean: what an installation gathers in site-packages (a .pth file that imports something is enough) can cost each start
more than everything else together. Bare Python would look as slow as a supervisor, and ratios to it would mean nothing.
The copy has the interpreter and its standard library with bytecode, and an empty site-packages.

Without bytecode: official Python images leave every `__pycache__` of the standard library out, to be smaller. Where the
root file system is read-only, the user is not root or each start is the first of a new container, every start then
compiles what it imports. This copy has no `__pycache__`, and runs so that it writes none (-B,
PYTHONDONTWRITEBYTECODE).

An interpreter looks for its standard library beside its own executable first, so that a copied folder needs no
PYTHONHOME (which `python -I` would ignore).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

LEFT_OUT = ("site-packages", "dist-packages", "test", "tests", "idlelib", "turtledemo", "ensurepip", "config-*")
PROBE = "import json, os, sys; print(os.path.exists(json.__cached__), len(sys.path), json.__file__)"
NO_WRITING = {"PYTHONDONTWRITEBYTECODE": "1"}


def installed() -> str:
    """The interpreter that runs this, past virtual environments and launchers."""
    return os.path.realpath(sys.executable)


def _copy(home: Path, *, bytecode: bool) -> None:
    prefix = Path(sys.base_prefix)
    left_out = LEFT_OUT if bytecode else (*LEFT_OUT, "__pycache__")
    for kind in ("stdlib", "platstdlib"):
        source = Path(sysconfig.get_path(kind, vars={"base": str(prefix), "platbase": str(prefix)}))
        target = home / source.relative_to(prefix)
        if not target.exists():
            ignore = shutil.ignore_patterns(*left_out)
            shutil.copytree(source, target, ignore=ignore, ignore_dangling_symlinks=True)
    for library in (prefix / "lib").glob("libpython*.so*"):
        shutil.copy2(library, home / "lib")
    (home / "bin").mkdir()
    shutil.copy2(installed(), home / "bin")


def copy(cache: Path, *, bytecode: bool) -> str:
    """The path of the copied interpreter, made if it is not there yet. OSError says why it cannot be used."""
    version = ".".join(map(str, sys.version_info[:3]))
    home = cache / f"python-{version}{'' if bytecode else '-no-bytecode'}"
    python = str(home / "bin" / Path(installed()).name)
    if not home.exists():
        partial = home.with_name(home.name + ".part")
        shutil.rmtree(partial, ignore_errors=True)
        _copy(partial, bytecode=bytecode)
        partial.rename(home)
        if bytecode:
            # Installed by a package manager it may have had none, or bytecode that counts as stale here.
            subprocess.run(
                [python, "-I", "-m", "compileall", "-q", str(home / "lib")], check=False, capture_output=True
            )
    probe = subprocess.run([python, "-I", "-B", "-c", PROBE], capture_output=True, text=True, timeout=60, check=False)
    words = probe.stdout.split()
    if len(words) != 3 or words[0] != str(bytecode) or not words[2].startswith(str(home) + os.sep):
        raise OSError(f"a copy of {installed()} does not run by itself: {(probe.stdout + probe.stderr).strip()[-200:]}")
    return python
