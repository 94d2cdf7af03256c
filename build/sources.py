"""The Python files for the archive, and the archive of their sources."""

from __future__ import annotations

import ast
import io
import tarfile
import tokenize
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from build import BuildError
from build.bytecode import DOCUMENTED, is_docstring, is_name, strip
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


def without_explanations(source: Source) -> bytes:
    """Its text without comments, docstrings and imports for the type checker: two thirds of the size. What is left
    stays in its place, so that the lines of tracebacks are right. Raises BuildError."""
    text = source.file.read_text()
    before: Any = ast.parse(text)
    lines = text.split("\n")
    for node in ast.walk(before):
        if isinstance(node, DOCUMENTED) and node.body and is_docstring(node.body[0]):
            blank(lines, node.body[0], "" if len(node.body) > 1 else "pass")
    for node in before.body:
        if isinstance(node, ast.If) and is_name(node.test, "TYPE_CHECKING") and not node.orelse:
            blank(lines, node, "")
    for kind, _, (row, column), _, _ in tokenize.generate_tokens(io.StringIO("\n".join(lines)).readline):
        if kind == tokenize.COMMENT:
            lines[row - 1] = lines[row - 1][:column].rstrip()
    left = "\n".join(lines)
    after: Any = ast.parse(left)
    for tree in (before, after):
        strip(tree, tree)
        for node in ast.walk(tree):
            vars(node).update(end_lineno=None, end_col_offset=None)  # of a docstring where only `pass` is left
    if ast.dump(before, include_attributes=True) != ast.dump(after, include_attributes=True):
        raise BuildError(f"{source.path} has a comment or docstring that cannot be left out of the archive")
    return left.encode()


def blank(lines: list[str], node: ast.stmt, instead: str) -> None:
    """Replace the lines of a statement."""
    assert node.end_lineno is not None
    lines[node.lineno - 1 : node.end_lineno] = [""] * (node.end_lineno - node.lineno + 1)
    if instead:
        lines[node.lineno - 1] = " " * node.col_offset + instead


def tar(files: list[Source]) -> bytes:
    """A tar archive of these files, with a checksum after its end, which readers of tar archives ignore."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for each in files:
            content = without_explanations(each)
            entry = tarfile.TarInfo(each.path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return data.getvalue() + zlib.crc32(data.getvalue()).to_bytes(4, "little")
