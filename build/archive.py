"""Builds `dist/containerpilot.pyz` with shiv's builder, an own entry, and bytecode for every CPython of this machine.

    python -m build.archive [--release] PACKAGES WHEELS OUTPUT

PACKAGES is the folder in which pip has installed the locked run-time packages, and PACKAGES.json is pip's report about
it. WHEELS is the folder for the wheels of orjson. The same sources, packages, tools and Pythons always give the same
bytes: the order, modes and times of the archive's files are fixed. If nothing has changed since the last build, nothing
is done. The bill of materials and the hash are written beside OUTPUT, see materials.py. A release has bytecode for all
supported Pythons, or is not built.

The content of the archive, and its readers:

    __main__.py             the first code: blocks signals, then runs the bytecode for this Python
    *.py                    small replacements for modules of the standard library, until the program begins
    _bootstrap/__init__.py  the start without bytecode, or the error without a usable Python
    _bootstrap/importer.py  finds and loads the modules (its own bytecode is in `start`)
    _bootstrap/code/
        start-MAGIC.bin     the bytecode that is read first, and all that a subcommand needs; not compressed, so that a
                            subcommand does not load zlib
        application-MAGIC.bin  the further bytecode for the start of an application; compressed, because one millisecond
                            of each start saves 1.2 MB of the archive. It also has modules that only some starts need
                            or that are imported soon after a start, compressed a second time and unpacked one by one
        PACKAGE-MAGIC.bin   the other modules of a package, read when one of them is imported: those that some runs of
                            starts.py import before they end, and the names of all others
        rare.bin            these others, for all Pythons: each module compressed separately, for all Pythons together
    _bootstrap/sources.tar  all sources in one file, because each file of an archive costs every start 10 microseconds
    _bootstrap/native/orjson-MACHINE.xz  orjson's native files, see native.py
    site-packages/          names, versions and licences of what is in the archive
    environment.json        shiv's record of the build
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import stat
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shiv import builder  # type: ignore[import-untyped]
from shiv.__version__ import __version__ as shiv_version  # type: ignore[import-untyped]
from shiv.bootstrap.environment import Environment  # type: ignore[import-untyped]
from shiv.constants import BUILD_AT_TIMESTAMP_FORMAT  # type: ignore[import-untyped]

from build import ROOT, BuildError, materials, native, pythons, write
from build.blobs import arrange, pack_rare, write_blobs
from build.revision import commit, commit_time
from build.sources import Source, sources, tar, their_sources
from build.starts import find_starts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

ENTRY = ROOT / "build" / "entry"
STAMP = ROOT / ".cache" / "build.json"

# If a file has lost its end, where an archive has its directory, Python runs it as a script. It then refuses and quotes
# the second line, which names an encoding that does not exist.
SHEBANG = "/usr/bin/env python3\n# coding: the-file-is-damaged--copy-containerpilot.pyz-again"
# The file that has the commit of the build, and the beginning of its line.
COMMIT_FILE = "cp/version.py"
NO_COMMIT = b'COMMIT = ""'
# Every start reads these files, so they are not compressed, and a subcommand does not load zlib. The contents of the
# others are compressed already.
NOT_COMPRESSED = ("_bootstrap/code/start-", "_bootstrap/code/rare.bin", "_bootstrap/native/")


def stage_ours(folder: Path) -> list[Source]:
    """Copy ContainerPilot's sources for the archive, with the commit of the build in them."""
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
    all_sources = folder / "sources.tar"
    write(all_sources, tar(bootstrap + ours + theirs))
    [importer] = (each for each in bootstrap if each.module == "_bootstrap.importer")
    blobs = arrange(importer, ours + theirs, find_starts(all_sources))
    rare = {}
    for python in found:
        rare[python.magic] = write_blobs(folder / "code", blobs, python)
        print(f"    bytecode for CPython {python}", flush=True)
    write(folder / "code" / "rare.bin", pack_rare(rare))


def stage_licences(folder: Path, parts: list[materials.Part]) -> None:
    """Copy the metadata of each part without its manual: name, version, author, licences."""
    for part in parts:
        for path, content in part.information.items():
            if path.endswith("/METADATA"):
                content = content.partition(b"\n\n")[0] + b"\n"
            elif "/licenses/" not in path:
                continue
            write(folder / path, content)


def create(bootstrap: Path, site_packages: Path, target: Path, built_at: int) -> None:
    """Let shiv write the archive, with this project's `_bootstrap` and `__main__` instead of its own."""

    def iter_package_files(package: ModuleType) -> Iterator[tuple[Path, str]]:
        files = sorted(each for each in bootstrap.rglob("*") if each.is_file())
        return ((each, each.relative_to(bootstrap).as_posix()) for each in files)

    def write_to_zipapp(archive: zipfile.ZipFile, name: str, data: bytes, date: Any, *rest: Any, **more: Any) -> None:
        if name == "__main__.py":
            for each in stand_ins:
                write_entry(archive, each.name, each.read_bytes(), date)
        write_entry(archive, name, data, date)

    def write_entry(archive: zipfile.ZipFile, name: str, data: bytes, date: Any) -> None:
        entry = zipfile.ZipInfo(name, date)
        entry.external_attr = (stat.S_IFREG | 0o644) << 16
        compressed = "/" in name and not name.startswith(NOT_COMPRESSED)
        archive.writestr(entry, data, zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED, 9)

    stand_ins = sorted((ENTRY / "stand_ins").glob("*.py"))
    builder.iter_package_files = iter_package_files
    builder.write_to_zipapp = write_to_zipapp
    # shiv uses it as a format string.
    builder.MAIN_TEMPLATE = (ENTRY / "__main__.py").read_text().replace("{", "{{").replace("}", "}}")
    record = Environment(
        built_at=time.strftime(BUILD_AT_TIMESTAMP_FORMAT, time.gmtime(built_at)),
        shiv_version=shiv_version,
        compile_pyc=False,
        entry_point="cp.cli.main:main",
        reproducible=True,
    )
    builder.create_archive([site_packages], target, SHEBANG, "cp.cli.main:main", record)
    target.chmod(0o755)


def fingerprint(packages: Path, output: Path, built_at: int, release: bool) -> str:
    """A hash of everything that can change the archive."""
    digest = hashlib.sha256()
    digest.update(json.dumps([str(output), built_at, commit(), shiv_version, release]).encode())
    for python in pythons.candidates(os.environ):
        state = python.stat()
        digest.update(json.dumps([str(python), state.st_size, state.st_mtime_ns]).encode())
    files = [*sources(ROOT, "cp"), *sources(ROOT, "build"), *their_sources(packages)]
    others = [("LICENSE", ROOT / "LICENSE"), ("lock", native.LOCK)]
    for name, file in [*((each.path, each.file) for each in files), *others]:
        digest.update(f"{name}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\0".encode())
    return digest.hexdigest()


def stamp(mark: str, output: Path) -> list[str]:
    built = [output, materials.bill_of(output), materials.hash_of(output)]
    return [mark, *(hashlib.sha256(each.read_bytes()).hexdigest() for each in built)]


def is_current(output: Path, mark: str) -> bool:
    try:
        return bool(json.loads(STAMP.read_text()) == stamp(mark, output))
    except (OSError, ValueError):
        return False


def report_missing(found: list[pythons.Python], missing: list[str]) -> None:
    """Print the effect on an archive that has no bytecode for some of the supported Pythons."""
    if missing:
        print(f"    It has bytecode for CPython {pythons.listing([python.series for python in found])}.")
        print(f"    On CPython {pythons.listing(missing)} it starts several times as slowly, from its sources.")
        print("    For an image with one of these: scripts/build-zipapp.sh --release, or name that Python in PYTHONS.")


def build(packages: Path, wheels: Path, output: Path, release: bool) -> None:
    built_at = commit_time()
    mark = fingerprint(packages, output, built_at, release)
    found = pythons.find(os.environ)
    missing = pythons.missing(found)
    if is_current(output, mark):
        print(f"{output} is up to date")
        report_missing(found, missing)
        return
    if release and missing:
        names = f"CPython {pythons.listing(missing)}"
        raise BuildError(
            f"a release needs {names}, and neither this machine nor its distribution's packages have it; "
            "put python3.X on PATH or name its path in PYTHONS (uv, pyenv and the official images have every version)"
        )
    print("Building the archive:", flush=True)
    natives = native.fetch([python.series for python in found], wheels)
    parts = [materials.ours(ROOT), *materials.installed(packages), materials.orjson(natives)]
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".build-") as folder:
        bootstrap, site_packages, target = (Path(folder, name) for name in ("bootstrap", "site-packages", "archive"))
        stage_bootstrap(bootstrap, stage_ours(Path(folder, "ours")), their_sources(packages), found)
        native.stage(bootstrap / "native", natives)
        stage_licences(site_packages, parts)
        create(bootstrap, site_packages, target, built_at)
        target.replace(output)
    tools = [("shiv", shiv_version), *(("CPython", python.release) for python in found)]
    materials.describe(output, parts, commit(), built_at, tools)
    STAMP.parent.mkdir(parents=True, exist_ok=True)
    STAMP.write_text(json.dumps(stamp(mark, output)))
    print(f"{output}: {output.stat().st_size / 1e6:.2f} MB")
    report_missing(found, missing)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m build.archive", allow_abbrev=False)
    parser.add_argument("--release", action="store_true", help="fail if a supported Python is missing")
    for name in ("packages", "wheels", "output"):
        parser.add_argument(name, type=lambda text: Path(text).resolve())
    options = parser.parse_args()
    try:
        build(options.packages, options.wheels, options.output, options.release)
    except BuildError as error:
        sys.exit(f"cannot build the archive: {error}")


if __name__ == "__main__":
    main()
