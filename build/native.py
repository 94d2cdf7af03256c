"""orjson's native files for the archive: downloads their wheels, and packs them.

A wheel is for one version of CPython, one type of machine and one C library. Their contents are almost equal, so the
files for one type of machine are compressed together, to a fifth of their size when compressed separately. A start of
the archive does not read them; `cp/catalog/consul/fast_json.py` unpacks one for a large answer of a catalogue.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import subprocess
import sys
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from build import ROOT, BuildError, write
from cp.catalog.consul.fast_json import INDEX_SIZE

LOCK = ROOT / "build" / "orjson.lock"
MACHINES = ("x86_64", "aarch64")
# The tags of wheels for each C library. Those for 3.15 have glibc 2.39, although they need only 2.14.
LIBCS = {"gnu": ("manylinux_2_17", "manylinux_2_39"), "musl": ("musllinux_1_2",)}
DOWNLOADS = 4  # at the same time
# The files are in an order in which similar ones are close. A larger dictionary gains nothing, and unpacking needs as
# much memory. Filters for machine code would hide what the files have in common.
DICTIONARY = 1 << 20
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": DICTIONARY}]


@dataclass(frozen=True)
class Wheel:
    """One of orjson's wheels. `version` is that of CPython, such as "3.14"."""

    version: str
    machine: str
    libc: str
    file: Path

    @property
    def key(self) -> str:
        """The name of its native file in the archive. In the wheels, several of them have the same name."""
        return f"{self.version}-{self.libc}"

    def native(self) -> bytes:
        with zipfile.ZipFile(self.file) as opened:
            names = [name for name in opened.namelist() if name.endswith(".so")]
            if len(names) != 1:
                raise BuildError(f"{self.file.name} has {len(names)} native files instead of one")
            return opened.read(names[0])

    def information(self) -> dict[str, bytes]:
        """Its metadata: the content of its `.dist-info` folder, by path."""
        with zipfile.ZipFile(self.file) as opened:
            names = [each.filename for each in opened.infolist() if not each.is_dir()]
            return {name: opened.read(name) for name in sorted(names) if ".dist-info/" in name}


def fetch(versions: list[str], folder: Path) -> list[Wheel]:
    """The wheels for these versions of CPython. Missing ones are downloaded into the folder. Raises BuildError."""
    lock = LOCK.read_bytes()
    place = folder / hashlib.sha256(lock).hexdigest()[:12]
    place.mkdir(parents=True, exist_ok=True)
    wanted = [(version, machine, libc) for version in reversed(versions) for machine in MACHINES for libc in LIBCS]
    with tempfile.TemporaryDirectory(dir=place) as work, ThreadPoolExecutor(DOWNLOADS) as pool:
        files = pool.map(lambda each: fetch_one(place, Path(work), *each), wanted)
        wheels = [Wheel(*each, file) for each, file in zip(wanted, files, strict=True)]
    for each in wheels:
        if hashlib.sha256(each.file.read_bytes()).hexdigest().encode() not in lock:
            raise BuildError(f"{each.file} is not one that {LOCK.name} names; delete it")
    return wheels


def fetch_one(place: Path, work: Path, version: str, machine: str, libc: str) -> Path:
    folder = place / f"{version}-{machine}-{libc}"
    if not folder.is_dir():
        fetched = work / folder.name
        tag = version.replace(".", "")
        which = [word for platform in LIBCS[libc] for word in ("--platform", f"{platform}_{machine}")]
        which += ["--python-version", tag, "--implementation", "cp", "--abi", f"cp{tag}", "--only-binary", ":all:"]
        locked = ["--no-deps", "--require-hashes", "-r", str(LOCK)]
        done = subprocess.run(
            [sys.executable, "-m", "pip", "download", *which, *locked, "--dest", str(fetched)],
            # pip starts many times, and compiling its sources takes longer than the download.
            env={**os.environ, "PYTHONPYCACHEPREFIX": f"{work}/pycache", "PYTHONDONTWRITEBYTECODE": ""},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            last = "\n".join(done.stdout.splitlines()[-8:])
            raise BuildError(f"cannot fetch orjson for CPython {version} on {machine} with {libc}:\n{last}")
        fetched.rename(folder)
    [wheel] = folder.glob("*.whl")
    return wheel


def stage(folder: Path, wheels: list[Wheel]) -> None:
    for machine in MACHINES:
        files = {each.key: each.native() for each in wheels if each.machine == machine}
        write(folder / f"orjson-{machine}.xz", pack(files))


def pack(files: dict[str, bytes]) -> bytes:
    """Pack the files into one: a padded index of lines with names and sizes, then the files in the same order."""
    index = "".join(f"{name} {len(content)}\n" for name, content in files.items()).encode()
    if len(index) > INDEX_SIZE:
        raise BuildError("the index of orjson's native files is longer than cp/catalog/consul/fast_json.py expects")
    plain = index.ljust(INDEX_SIZE, b"\n") + b"".join(files.values())
    return lzma.compress(plain, format=lzma.FORMAT_XZ, check=lzma.CHECK_CRC32, filters=FILTERS)
