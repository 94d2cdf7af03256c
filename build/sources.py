"""The Python files for the archive, and the archive of their sources."""

from __future__ import annotations

import io
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from build.entry._bootstrap.importer import PACKAGES

# The prefix of a source's name in a traceback, wherever the archive is.
SHOWN_AS = "containerpilot.pyz"
# Parts of urllib3 that need packages that the archive does not have: h2, PyOpenSSL, PySocks, a browser.
LEFT_OUT = ("urllib3.contrib", "urllib3.http2.connection")


@dataclass(frozen=True)
class Source:
    """One Python file. `path` is relative to the folder of its top-level package."""

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
        """The line of the module for bytecode.py."""
        kind = "package" if self.is_package else "module"
        return f"{self.module}\t{kind}\t{self.file}\t{SHOWN_AS}/{self.path}\n"


def sources(folder: Path, package: str) -> list[Source]:
    found = (Source(each.relative_to(folder).as_posix(), each) for each in (folder / package).rglob("*.py"))
    return sorted((each for each in found if not any(map(each.is_in, LEFT_OUT))), key=lambda each: each.path)


def their_sources(packages: Path) -> list[Source]:
    """The sources of all packages except ContainerPilot's own."""
    return [each for package in PACKAGES if package.partition(".")[0] != "cp" for each in sources(packages, package)]


def tar(files: list[Source]) -> bytes:
    """A tar archive of these files, with a checksum after its end, which readers of tar archives ignore."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for each in files:
            content = each.file.read_bytes()
            entry = tarfile.TarInfo(each.path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return data.getvalue() + zlib.crc32(data.getvalue()).to_bytes(4, "little")
