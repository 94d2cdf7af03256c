"""The modules of each file of bytecode in the archive, as the Python under test reads it."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, NamedTuple

from build.entry._bootstrap.importer import PACKAGES
from tests.system.program import interpreter

if TYPE_CHECKING:
    from pathlib import Path

SHOW = """
import json, marshal, sys, zipfile
from _frozen_importlib_external import MAGIC_NUMBER

def read(part):
    return marshal.loads(archive.read("_bootstrap/code/%s-%d.bin" % (part, int.from_bytes(MAGIC_NUMBER[:2], "little"))))

def size(code):
    return len(code if isinstance(code, bytes) else marshal.dumps(code))

def names(part):
    content = read(part)
    return [*content[0]] if len(content) == 2 else [*content[1], *content[2]]

archive = zipfile.ZipFile(sys.argv[1])
_, start = read("start")
order, application, later, _ = read("application")
sizes = {name: size(code) for name, (_, code) in {**start, **application}.items()}
application.update(later)
print(json.dumps([list(start), list(application), order, sizes, [names(each) for each in sys.argv[2:]]]))
"""


class Blobs(NamedTuple):
    subcommand: set[str]  # what is read by every start
    start: set[str]  # what is read by the start of an application, the former included
    in_order: list[str]  # those of them that such a start executes in one go
    sizes: dict[str, int]  # of these modules, in bytes
    kept: dict[str, set[str]]  # of each package, the modules that stay in memory once one of them was imported


def blobs_of(archive: Path) -> Blobs:
    done = subprocess.run(
        [interpreter(), "-c", SHOW, str(archive), *PACKAGES], capture_output=True, text=True, check=True
    )
    start, application, order, sizes, kept = json.loads(done.stdout)
    return Blobs({*start}, {*start, *application}, order, sizes, dict(zip(PACKAGES, map(set, kept), strict=True)))
