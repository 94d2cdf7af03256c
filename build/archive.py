"""Builds `dist/containerpilot.pyz` with shiv's builder: an entry of our own, bytecode for every CPython at hand.

    python -m build.archive PACKAGES OUTPUT

PACKAGES is where pip has installed the locked run-time packages. The same sources, packages, tools and Pythons give
the same bytes, wherever and whenever: the order, modes and times of the archive's files are fixed. Where nothing has
changed since the last build, nothing is done.

What is in the archive, and who reads it:

    __main__.py             the first code: blocks signals, then takes what is there for this Python
    _bootstrap/__init__.py  what it does where there is no bytecode, or no usable Python
    _bootstrap/importer.py  finds and loads the modules (its own bytecode is in `start`)
    _bootstrap/code/
        start-MAGIC.bin     the bytecode that is read first, and all that a subcommand needs
        application-MAGIC.bin  what the start of an application needs besides, or may need; neither is compressed, which
                            saves two milliseconds
        PACKAGE-MAGIC.bin   the other modules of a package, read when one of them is imported
    _bootstrap/sources.tar  all sources in one file, because each file of an archive costs every start 10 microseconds
    site-packages/          names, versions and licences of what is in the archive
    environment.json        shiv's record of the build
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shiv import builder  # type: ignore[import-untyped]
from shiv.__version__ import __version__ as shiv_version  # type: ignore[import-untyped]
from shiv.bootstrap.environment import Environment  # type: ignore[import-untyped]
from shiv.constants import BUILD_AT_TIMESTAMP_FORMAT  # type: ignore[import-untyped]

from build import pythons
from build.entry._bootstrap.importer import PACKAGES
from build.order import in_order
from cp import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
ENTRY = ROOT / "build" / "entry"
START_MODULES = ROOT / "build" / "start_modules.txt"
CLIENT_MODULES = ROOT / "build" / "client_modules.txt"
SOME_STARTS_MODULES = ROOT / "build" / "some_starts_modules.txt"
LISTS = (START_MODULES, CLIENT_MODULES, SOME_STARTS_MODULES)
STAMP = ROOT / ".cache" / "build.json"

# How a source is called in a traceback, wherever the archive lies.
SHOWN_AS = "containerpilot.pyz"
SHEBANG = "/usr/bin/env python3"
# Where the program says what it was built from, and the beginning of the line that says it.
COMMIT_FILE = "cp/version.py"
NO_COMMIT = b'COMMIT = ""'
# The time of all files where no commit gives one: 2020-01-01.
TIME_OUTSIDE_GIT = 1577836800
# Parts of urllib3 that need what the archive does not have: h2, PyOpenSSL, PySocks, a browser.
LEFT_OUT = ("urllib3.contrib", "urllib3.http2.connection")
# What is read at every start is not compressed: zlib need not be loaded then.
NOT_COMPRESSED = ("__main__.py", "_bootstrap/code/start-", "_bootstrap/code/application-")

METADATA = f"""\
Metadata-Version: 2.4
Name: containerpilot
Version: {__version__}
License-Expression: MPL-2.0
License-File: LICENSE
"""


class BuildError(Exception):
    """The archive cannot be built; the text says why, and what would help."""


@dataclass(frozen=True)
class Source:
    """One Python file: `path` is its place below the folder that holds its top-level package."""

    path: str
    file: Path

    @property
    def is_package(self) -> bool:
        return self.file.name == "__init__.py"

    @property
    def module(self) -> str:
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def is_in(self, package: str) -> bool:
        return f"{self.module}.".startswith(f"{package}.")

    def line(self) -> str:
        kind = "package" if self.is_package else "module"
        return f"{self.module}\t{kind}\t{self.file}\t{SHOWN_AS}/{self.path}\n"


def sources(folder: Path, package: str) -> list[Source]:
    found = (Source(each.relative_to(folder).as_posix(), each) for each in (folder / package).rglob("*.py"))
    return sorted((each for each in found if not any(map(each.is_in, LEFT_OUT))), key=lambda each: each.path)


def listed(ours: list[Source], file: Path) -> list[Source]:
    """The modules of ours that a list in this folder names, in an order in which they can be executed."""
    lines = (line.partition("#")[0].strip() for line in file.read_text().splitlines())
    named = {line for line in lines if line}
    if unknown := named - {each.module for each in ours}:
        raise BuildError(f"{file.name} names modules that do not exist: {', '.join(sorted(unknown))}")
    by_name = {each.module: each for each in ours if each.module in named}
    return [by_name[name] for name in in_order({name: each.file.read_text() for name, each in by_name.items()})]


def tar(files: list[Source]) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for each in files:
            content = each.file.read_bytes()
            entry = tarfile.TarInfo(each.path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return data.getvalue()


def compile_with(python: pythons.Python, files: list[Source], *arguments: str) -> bytes:
    """Bytecode of these files, made by this Python in a process that nothing of ours or of the user's reaches.
    `arguments` are those of bytecode.py."""
    # Without columns (they draw the carets in tracebacks) the code is a quarter smaller, in the archive and in memory.
    options = ["-S", "-s", "-B", "-W", "ignore", "-X", "no_debug_ranges"]
    done = subprocess.run(
        [python.executable, *options, str(ROOT / "build" / "bytecode.py"), *arguments],
        input="".join(each.line() for each in files).encode(),
        stdout=subprocess.PIPE,
        env={"PYTHONHASHSEED": "0"},
        check=False,
    )
    if done.returncode:
        raise BuildError(f"Python {python} cannot compile the sources, see above")
    return done.stdout


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o644)


def stage_ours(folder: Path) -> list[Source]:
    """Our sources as they go into the archive: the build's commit is in them."""
    for each in sources(ROOT, "cp"):
        text = each.file.read_bytes()
        if each.path == COMMIT_FILE:
            if text.count(NO_COMMIT) != 1:
                raise BuildError(f"{COMMIT_FILE} has no place for the commit: a line `{NO_COMMIT.decode()}`")
            text = text.replace(NO_COMMIT, NO_COMMIT.replace(b'""', f'"{commit()}"'.encode()))
        write(folder / each.path, text)
    return sources(folder, "cp")


def stage_bootstrap(folder: Path, ours: list[Source], theirs: list[Source], found: list[pythons.Python]) -> None:
    bootstrap = sources(ENTRY, "_bootstrap")
    for each in bootstrap:
        write(folder / each.file.name, each.file.read_bytes())
    write(folder / "sources.tar", tar(bootstrap + ours + theirs))
    client, application = listed(ours, CLIENT_MODULES), listed(ours, START_MODULES)
    start = [each for each in bootstrap if each.module == "_bootstrap.importer"] + client
    rest = [each for each in application + listed(ours, SOME_STARTS_MODULES) if each not in client]
    order = [each.module for each in application]
    parts: dict[str, list[Source]] = {package: [] for package in PACKAGES}
    for each in ours + theirs:
        if each not in client + rest:
            parts[next(package for package in PACKAGES if each.is_in(package))].append(each)
    for python in found:
        write(folder / "code" / f"start-{python.magic}.bin", compile_with(python, start, "start"))
        packed = compile_with(python, rest, "application", *order)
        write(folder / "code" / f"application-{python.magic}.bin", packed)
        for package, files in parts.items():
            write(folder / "code" / f"{package}-{python.magic}.bin", compile_with(python, files))
        print(f"    bytecode for CPython {python}", flush=True)


def stage_licences(folder: Path, packages: Path) -> None:
    own = folder / f"containerpilot-{__version__}.dist-info"
    write(own / "METADATA", METADATA.encode())
    write(own / "licenses" / "LICENSE", (ROOT / "LICENSE").read_bytes())
    for information in sorted(packages.glob("*.dist-info")):
        for each in [information / "METADATA", *sorted((information / "licenses").rglob("*"))]:
            if each.is_file():
                write(folder / each.relative_to(packages), each.read_bytes())


def create(bootstrap: Path, site_packages: Path, target: Path, built_at: int) -> None:
    """Let shiv write the archive, with our `_bootstrap` and `__main__` in the place of its own."""

    def iter_package_files(package: ModuleType) -> Iterator[tuple[Path, str]]:
        files = sorted(each for each in bootstrap.rglob("*") if each.is_file())
        return ((each, each.relative_to(bootstrap).as_posix()) for each in files)

    def write_to_zipapp(
        archive: zipfile.ZipFile, name: str, data: bytes, date: Any, compression: int, stat: Any = None
    ) -> None:
        stored = name.startswith(NOT_COMPRESSED)
        write_entry(archive, name, data, date, zipfile.ZIP_STORED if stored else compression, stat)

    write_entry = builder.write_to_zipapp
    builder.iter_package_files = iter_package_files
    builder.write_to_zipapp = write_to_zipapp
    # It is a format string for shiv.
    builder.MAIN_TEMPLATE = (ENTRY / "__main__.py").read_text().replace("{", "{{").replace("}", "}}")
    record = Environment(
        built_at=time.strftime(BUILD_AT_TIMESTAMP_FORMAT, time.gmtime(built_at)),
        shiv_version=shiv_version,
        compile_pyc=False,
        entry_point="cp.cli:main",
        reproducible=True,
    )
    builder.create_archive([site_packages], target, SHEBANG, "cp.cli:main", record)
    target.chmod(0o755)


def git(*arguments: str) -> str:
    """What git says of this work tree; nothing where there is no git, no commit, or the work tree of someone else."""
    if not (ROOT / ".git").exists():
        return ""
    environ = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        told = subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, env=environ, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return told.stdout.strip()


def commit() -> str:
    """The commit that is built, shortened, with `-dirty` behind it if the work tree differs from it."""
    return git("describe", "--always", "--abbrev=12", "--exclude=*", "--dirty")


def commit_time() -> int:
    """The time that all files of the archive get, in seconds since 1970."""
    return int(os.environ.get("SOURCE_DATE_EPOCH") or git("log", "-1", "--format=%ct") or TIME_OUTSIDE_GIT)


def their_sources(packages: Path) -> list[Source]:
    """Those of the packages that are not ours."""
    return [each for package in PACKAGES if package.partition(".")[0] != "cp" for each in sources(packages, package)]


def fingerprint(packages: Path, output: Path, built_at: int) -> str:
    """Changes whenever the archive could."""
    digest = hashlib.sha256()
    digest.update(json.dumps([str(output), built_at, commit(), shiv_version]).encode())
    for python in pythons.candidates(os.environ):
        state = python.stat()
        digest.update(json.dumps([str(python), state.st_size, state.st_mtime_ns]).encode())
    files = [*sources(ROOT, "cp"), *sources(ROOT, "build"), *their_sources(packages)]
    others = [("LICENSE", ROOT / "LICENSE"), *((each.stem, each) for each in LISTS)]
    for name, file in [*((each.path, each.file) for each in files), *others]:
        digest.update(f"{name}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\0".encode())
    return digest.hexdigest()


def is_current(output: Path, mark: str) -> bool:
    try:
        return bool(json.loads(STAMP.read_text()) == [mark, hashlib.sha256(output.read_bytes()).hexdigest()])
    except (OSError, ValueError):
        return False


def build(packages: Path, output: Path) -> None:
    built_at = commit_time()
    mark = fingerprint(packages, output, built_at)
    if is_current(output, mark):
        print(f"{output} is up to date")
        return
    print("Building the archive:", flush=True)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".build-") as folder:
        bootstrap, site_packages, target = (Path(folder, name) for name in ("bootstrap", "site-packages", "archive"))
        found = pythons.find(os.environ)
        stage_bootstrap(bootstrap, stage_ours(Path(folder, "ours")), their_sources(packages), found)
        stage_licences(site_packages, packages)
        create(bootstrap, site_packages, target, built_at)
        target.replace(output)
    for minor in range(pythons.OLDEST[1], pythons.NEWEST[1] + 1):
        if (3, minor) not in (python.version[:2] for python in found):
            print(f"    no bytecode for CPython 3.{minor}, which is not on this machine: it will compile the sources")
    STAMP.parent.mkdir(parents=True, exist_ok=True)
    STAMP.write_text(json.dumps([mark, hashlib.sha256(output.read_bytes()).hexdigest()]))
    print(f"{output}: {output.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    try:
        build(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
    except BuildError as error:
        sys.exit(f"cannot build the archive: {error}")
