"""Imports `cp` and `urllib3` from the archive. It unpacks and writes no files.

For each CPython of the build, the archive has several files of bytecode: `start`, which `__main__` has read already and
which is all that a subcommand needs; `application`, read for the start of an application; and one for each of PACKAGES,
read when one of its modules is imported first. The last kind has what most applications need soon, and only the names
of the other modules: the bytecode of these is in `rare`, one file for all Pythons, or they are compiled from the
sources. The package JOBS is executed as a whole instead, in the start of an application that has this dialect. Other
Pythons use `sources.tar`.
"""

from __future__ import annotations

import _imp
import marshal
import os
import sys
import zipimport
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import MAGIC_NUMBER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import CodeType, ModuleType
    from typing import Any, NoReturn

    # name -> (is it a package, what to execute: code, marshalled code, packed code and the place in it, a source, or
    # None: rare, or executed before)
    Modules = dict[str, tuple[bool, CodeType | bytes | tuple[bytes, int, int] | str | None]]

# The import of one of these modules shows whether an application or a subcommand will run.
APPLICATION, SUBCOMMAND = "cp.app", "cp.cli.subcommands"
VERSION = "cp.version"  # of all modules in `start`, a subcommand does not need this one
# The package of the jobs dialect, whose modules are executed in one go.
JOBS = "cp.config.jobs"
# The packages with a file of bytecode of their own; a package precedes the one that contains it.
PACKAGES = (JOBS, "cp.config.template", "cp.catalog", "cp", "h11", "urllib3")
RARE = "_bootstrap/code/rare.bin"
SOURCES = "_bootstrap/sources.tar"
# The replacements for modules of the standard library until the program begins, see entry/stand_ins.
STAND_INS = ("_stand_in", "contextlib", "functools", "types", "warnings")
TAR_BLOCK = 512
ZIP_LOCAL_HEADER = 30


class DamagedArchive(ImportError):
    """The archive is not as it was built. The text is one line for people."""

    def __init__(self, archive: str) -> None:
        super().__init__(f"{archive} is damaged; copy it again")


class OverwrittenArchive(DamagedArchive):
    """The archive was written to while it was open. The text is one line for people."""

    def __init__(self, archive: str) -> None:
        ImportError.__init__(
            self,
            f"{archive} was overwritten while the program ran, so the program cannot read it any more: start it again; "
            "next time, remove the old file first, or rename the new one to it",
        )


class OpenArchive:
    """Reads files of the archive through a descriptor that stays open: while the program runs, the archive may be moved
    or replaced by another file, and the working directory may change. Raises OSError if it cannot be opened."""

    __slots__ = ("_as_opened", "_descriptor", "_directory", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        # The interpreter's directory of the archive: name -> (path, compression, packed size, size, offset of the local
        # header, time, date, CRC). It is the same for all Pythons of the build; others do not use this class.
        self._directory = zipimport._zip_directory_cache[path]  # type: ignore[attr-defined]
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        if descriptor < 3:
            # A standard stream is closed: writing to it must still fail, and not reach the archive.
            from fcntl import F_DUPFD_CLOEXEC, fcntl

            standard, descriptor = descriptor, fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
            os.close(standard)
        self._descriptor = descriptor
        self._as_opened = self._as_now()

    def read(self, name: str) -> bytes:
        """The content of one file. Raises OSError if it does not exist, and DamagedArchive if its content has
        changed."""
        if name not in self._directory:
            raise FileNotFoundError(2, "no such file in the archive", name)
        _, compression, size, unpacked, place, _, _, checksum = self._directory[name]
        header = os.pread(self._descriptor, ZIP_LOCAL_HEADER, place)
        place += ZIP_LOCAL_HEADER + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        data = os.pread(self._descriptor, size, place)
        if not compression and data[-8:] == _imp.source_hash(magic_number(), data[:-8]):
            return data  # it has a hash of its own, so that zlib is not loaded
        import zlib

        try:
            if compression:
                data = zlib.decompress(data, -zlib.MAX_WBITS, unpacked)  # into one block of memory
        except zlib.error:
            raise self._damage() from None
        if zlib.crc32(data) != checksum:
            raise self._damage()
        return data

    def _damage(self) -> DamagedArchive:
        return (DamagedArchive if self._as_now() == self._as_opened else OverwrittenArchive)(self.path)

    def _as_now(self) -> tuple[int, int]:
        status = os.fstat(self._descriptor)
        return status.st_size, status.st_mtime_ns


class Importer:
    """Finds and loads the archive's modules for importlib and linecache. `later` has the packages whose file of
    bytecode is read when one of their modules is not in `modules`; without `later`, `modules` has all of them."""

    __slots__ = ("_application", "_archive", "_jobs", "_later", "_magic", "_modules", "_start", "read")

    def __init__(
        self, archive: str, read: Callable[[str], bytes], magic: int, modules: Modules, later: tuple[str, ...]
    ) -> None:
        self.read = read
        self._archive = os.path.abspath(archive)
        self._magic = magic
        self._modules = modules
        self._later = later
        # The modules of a subcommand and of an application, in the order of execution; None: not read yet.
        self._start = tuple(modules) if later else ()
        self._application: tuple[str, ...] | None = None if later else ()
        self._jobs: tuple[str, ...] = ()  # the modules of the jobs dialect, in the order of execution

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == APPLICATION:
            self._read_application()
        for package in self._later:
            if name in self._modules:
                break
            if f"{name}.".startswith(f"{package}."):
                # Two threads may do this at once. The second one only repeats it.
                if package == JOBS:
                    self._jobs = self._read_in_order(package)
                else:
                    modules, others = self._read(package)
                    self._add({**modules, **others})
                self._later = tuple(each for each in self._later if each != package)
        if name not in self._modules and name.startswith("cp."):
            self._read_application()
        if name not in self._modules:
            return None
        origin, is_package = f"{self._archive}/{self._file(name)}", self._modules[name][0]
        return ModuleSpec(name, self, origin=origin, is_package=is_package)  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        """Use the default, an ordinary module."""

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        if name == APPLICATION:
            self._load(self._application or ())
        elif name == SUBCOMMAND:
            self._load(tuple(each for each in self._start if each != VERSION))
        elif name == JOBS:
            self._load(self._jobs)
        code = self.get_code(name)
        self._modules[name] = self._modules[name][0], None
        module.__file__ = f"{self._archive}/{self._file(name)}"
        exec(code, module.__dict__)

    def _read(self, part: str) -> Any:
        return marshal.loads(self.read(f"_bootstrap/code/{part}-{self._magic}.bin"))

    def _read_application(self) -> None:
        if self._application is None:
            self._application = self._read_in_order("application")

    def _read_in_order(self, part: str) -> tuple[str, ...]:
        """Read the modules that are executed in one go, and return their names. The others stay packed."""
        names: tuple[str, ...]
        names, modules, places, packed = self._read(part)
        for name, (package, *place) in places.items():
            modules[name] = package, (packed, *place)
        self._add(modules)
        return names

    def _add(self, modules: Modules) -> None:
        """Add modules in place, because the caller of `start` still refers to the same dictionary."""
        self._modules.update({**modules, **self._modules})

    def _load(self, names: tuple[str, ...]) -> None:
        """Import these modules at once; each needs only modules before it. Importing them one by one through importlib
        takes a millisecond more for an application."""
        if "importtime" in sys._xoptions or (
            not sys.flags.ignore_environment and os.environ.get("PYTHONPROFILEIMPORTTIME")
        ):
            return  # Python shows the time of each import, so import them one by one
        modules = []
        for name in names:
            if name not in sys.modules and (spec := self.find_spec(name)):
                module = sys.modules[name] = type(sys)(name)
                module.__spec__, module.__loader__, module.__package__ = spec, spec.loader, spec.parent
                if spec.submodule_search_locations is not None:
                    module.__path__ = spec.submodule_search_locations
                modules.append(module)
        for module in modules:
            package, _, name = module.__name__.rpartition(".")
            setattr(sys.modules[package], name, module)
        done = 0
        try:
            for module in modules:
                self.exec_module(module)
                done += 1
        finally:
            for module in modules[done:]:  # after an error: the next import must not find modules without content
                package, _, name = module.__name__.rpartition(".")
                if package in sys.modules:
                    vars(sys.modules[package]).pop(name, None)
                del sys.modules[module.__name__]

    def get_code(self, name: str) -> CodeType:
        code = self._modules[name][1]
        if isinstance(code, CODE):
            return code
        if code is None:
            code = self._rare(name) or self.get_source(name)
        if isinstance(code, str):
            return compile(code, f"containerpilot.pyz/{self._file(name)}", "exec", dont_inherit=True)
        unpacked: CodeType = marshal.loads(code if isinstance(code, bytes) else unpack(*code))
        return unpacked

    def _rare(self, name: str) -> bytes | None:
        """The marshalled code of a rare module; None if the archive has only its source."""
        if not self._magic:
            return None
        places, packed = marshal.loads(self.read(RARE)).get(name, ({}, b""))
        place = places.get(self._magic)
        return unpack(packed, *place) if place else None

    def get_source(self, name: str) -> str:
        return sources(self.read)[self._file(name)]

    def _file(self, name: str) -> str:
        return name.replace(".", "/") + ("/__init__.py" if self._modules[name][0] else ".py")


def unpack(packed: bytes, begin: int, end: int) -> bytes:
    """One of several texts that are compressed together. What is behind it is not unpacked."""
    import zlib

    return zlib.decompressobj().decompress(packed, end)[begin:]


def sources(read: Callable[[str], bytes]) -> dict[str, str]:
    """The sources in the archive: path -> text. Raises ImportError if they are damaged, which Python's own zipimport
    does not notice."""
    import zlib

    tar = read(SOURCES)
    if zlib.crc32(tar[:-4]).to_bytes(4, "little") != tar[-4:]:
        raise ImportError(f"{SOURCES} is damaged")
    texts = {}
    place = 0
    while name := tar[place : place + 100].rstrip(b"\0"):
        size = int(tar[place + 124 : place + 135], 8)
        place += TAR_BLOCK
        texts[name.decode()] = tar[place : place + size].decode()
        place += -(-size // TAR_BLOCK) * TAR_BLOCK
    return texts


def modules_of(texts: dict[str, str]) -> Modules:
    modules: Modules = {}
    for path, text in texts.items():
        name = path.removesuffix(".py").replace("/", ".")
        package = name.removesuffix(".__init__")
        modules[package] = package != name, text
    return modules


def magic_number() -> int:
    """The number that identifies the bytecode of this Python."""
    return int.from_bytes(MAGIC_NUMBER[:2], "little")


CODE = type(magic_number.__code__)


def start(archive: str, magic: int, modules: Modules) -> None:
    """Run the program with the bytecode of this Python. `modules` is the content of `start`. Does not return."""
    run(Importer(archive, OpenArchive(archive).read, magic, modules, PACKAGES))


def start_from_sources(archive: str, read: Callable[[str], bytes]) -> None:
    """Run the program on a Python for which there is no bytecode. Does not return."""
    import zlib

    try:
        modules = modules_of(sources(read))
    except (ImportError, OSError, ValueError, zlib.error):
        refuse(DamagedArchive(archive))
    run(Importer(archive, read, 0, modules, ()))


def run(importer: Importer) -> NoReturn:
    if sys.platform != "linux":
        refuse(f"Linux is needed, and this is {sys.platform}")
    # Take the archive off the path, because every import from the standard library would search it first.
    del sys.path[0]
    for name in STAND_INS:
        if getattr(getattr(sys.modules.get(name), "__loader__", None), "archive", None):
            del sys.modules[name]
    # PYTHONPATH is for the application: its modules must not replace ones of the standard library here.
    if theirs := os.environ.get("PYTHONPATH"):
        named = [os.path.abspath(each) for each in theirs.split(os.pathsep)]
        sys.path.sort(key=named.__contains__)
    sys.meta_path.insert(0, importer)
    try:
        from cp.cli.main import main
        from cp.platform.text import arguments

        status = main(arguments())
    except DamagedArchive as error:
        refuse(error)
    # All output went directly to the descriptors, and nothing needs to be cleaned up. The interpreter's own exit would
    # take as long as a whole subcommand.
    os._exit(status)


def refuse(why: object) -> NoReturn:
    sys.exit(f"containerpilot: cannot start: {why}")
