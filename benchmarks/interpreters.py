"""Copies of interpreters to measure with: clean ones, and ones without bytecode.

Clean: what an installation gathers in site-packages (a .pth file that imports something is enough) can cost each start
more than everything else together. Bare Python would look as slow as a supervisor, and ratios to it would mean nothing.
The copy has the interpreter and its standard library with bytecode, and an empty site-packages.

Without bytecode: official Python images leave every `__pycache__` of the standard library out, to be smaller. Where the
root file system is read-only, the user is not root or each start is the first of a new container, every start then
compiles what it imports. This copy has no `__pycache__`, and runs so that it writes none (-B,
PYTHONDONTWRITEBYTECODE).

An interpreter looks for its standard library beside its own executable first, so that a copied folder needs no
PYTHONHOME (which `python -I` would ignore).

Run by itself with a folder it copies the interpreter that runs it, and prints the two paths, or why there is none.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

LEFT_OUT = ("site-packages", "dist-packages", "test", "tests", "idlelib", "turtledemo", "ensurepip", "config-*")
PROBE = "import json, os, sys; print(os.path.exists(json.__spec__.cached), len(sys.path), json.__file__)"
NO_WRITING = {"PYTHONDONTWRITEBYTECODE": "1"}
COPY_SECONDS = 120

Command = tuple[str, ...]
"""The command that starts an interpreter: its path, or a dynamic loader with its arguments."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The copies of one interpreter, with and without bytecode. `version` is like "3.11.7", `magic` that of its
    bytecode."""

    version: str
    magic: int
    clean: Command
    bare: Command


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
            _compile((python,), home)
    _check((python,), home, bytecode=bytecode)
    return python


def _compile(python: Command, home: Path) -> None:
    subprocess.run([*python, "-I", "-m", "compileall", "-q", str(home / "lib")], check=False, capture_output=True)


def _check(python: Command, home: Path, *, bytecode: bool) -> None:
    command = [*python, "-I", "-B", "-c", PROBE]
    probe = subprocess.run(command, capture_output=True, text=True, timeout=COPY_SECONDS, check=False)
    words = probe.stdout.split()
    if len(words) != 3 or words[0] != str(bytecode) or not words[2].startswith(str(home) + os.sep):
        said = (probe.stdout + probe.stderr).strip()[-200:]
        raise OSError(f"a copy of {python[-1]} does not run by itself: {said}")


def pair(cache: Path, executable: str, version: str, magic: int) -> Pair:
    """Copies of any interpreter on this machine. OSError says why there are none."""
    if _is_script(executable):
        return Pair(version, magic, *(_unpacked(cache, executable, version, bytecode=each) for each in (True, False)))
    root = Path(__file__).resolve().parent.parent
    command = [executable, "-E", "-s", "-m", "benchmarks.interpreters", str(cache)]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=COPY_SECONDS, check=True)
    except subprocess.TimeoutExpired:
        raise OSError("copying it took too long") from None
    except subprocess.CalledProcessError as fault:
        raise OSError(fault.stderr.strip().rpartition("\n")[2]) from None
    clean, bare = json.loads(done.stdout)
    return Pair(version, magic, (clean,), (bare,))


def _is_script(executable: str) -> bool:
    with open(executable, "rb") as file:
        return file.read(2) == b"#!"


def _unpacked(cache: Path, script: str, version: str, *, bytecode: bool) -> Command:
    """A Python that scripts/fetch-python.py has unpacked: it needs the loader and the libraries beside it."""
    source = Path(script).resolve().parent.parent
    home = cache / f"python-{version}{'' if bytecode else '-no-bytecode'}"
    if not home.exists():
        partial = home.with_name(home.name + ".part")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(source, partial, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "share"))
        partial.rename(home)
    loaders = sorted((home / "lib").glob("*/ld-linux*.so.*"))
    programs = sorted((home / "bin").glob("*.real"))
    if not loaders or not programs:
        raise OSError(f"{script} is a script that starts something else than an unpacked Python")
    # `--argv0`: for Python it is the program, which decides where its standard library is.
    command = (str(loaders[0]), "--library-path", str(loaders[0].parent), "--argv0", str(programs[0]), str(programs[0]))
    if bytecode and not list((home / "lib").glob("python*/__pycache__")):
        _compile(command, home)
    _check(command, home, bytecode=bytecode)
    return command


def main() -> None:
    cache = Path(sys.argv[1])
    try:
        print(json.dumps([copy(cache, bytecode=each) for each in (True, False)]))
    except OSError as why:
        sys.exit(str(why))


if __name__ == "__main__":
    main()
