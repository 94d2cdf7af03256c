"""orjson, for large answers: out of the archive, where its native files lie packed.

They are unpacked into memory, not onto a disk, which may be read-only or not let its files be executed. Much may be
missing for that on a strange machine; then `json` does the work, some times slower.
"""

from __future__ import annotations

import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType
    from typing import Any

PACKED = "_bootstrap/native/orjson-{}.xz"  # by type of machine
INDEX_SIZE = 512  # bytes
CHUNK = 64 * 1024  # bytes that are unpacked at a time, of the files before the one to load


def load() -> Callable[[bytes], Any]:
    """A parser: orjson's, or that of the standard library. Takes 10 to 50 ms."""
    read = getattr(getattr(__spec__, "loader", None), "read", None)
    try:
        return (import_packed(read) if read else import_installed()).loads  # type: ignore[no-any-return]
    except Exception:
        # Loading a native file can fail in any way (the C library, a forbidden system call), and is never needed.
        return json.loads


def import_installed() -> ModuleType:
    import orjson

    return orjson


def import_packed(read: Callable[[str], bytes]) -> ModuleType:
    """The module from the archive, of which `read` reads a file. Any exception if it cannot be loaded."""
    from importlib.machinery import ExtensionFileLoader, ModuleSpec

    if sys.maxsize < 1 << 32 or "t" in sys.abiflags:
        raise ImportError("there is none for 32 bits, nor for a Python without its lock")
    key = "{}.{}-{}".format(*sys.version_info[:2], "musl" if is_musl() else "gnu")
    descriptor = os.memfd_create("orjson", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            unpack(read(PACKED.format(os.uname().machine)), key, file.write)
        loader = ExtensionFileLoader("orjson", f"/proc/self/fd/{descriptor}")
        spec = ModuleSpec("orjson", loader, origin=loader.path)
        module = loader.create_module(spec)
        loader.exec_module(module)
    finally:
        os.close(descriptor)
    module.__spec__, module.__loader__ = spec, loader
    sys.modules["orjson"] = module
    return module


def is_musl() -> bool:
    """Is that the C library? Any other can name itself."""
    try:
        return not os.confstr("CS_GNU_LIBC_VERSION")
    except (OSError, ValueError):
        return True


def unpack(packed: bytes, name: str, write: Callable[[bytes], object]) -> None:
    """Write one file of those that build/native.py packed, without holding the others."""
    from _lzma import LZMADecompressor

    unpacker = LZMADecompressor()

    def pieces(size: int, more: bytes = b"") -> Iterator[bytes]:
        while size:
            piece = unpacker.decompress(more, min(size, CHUNK))
            if not piece:
                raise EOFError
            more = b""
            size -= len(piece)
            yield piece

    index = b"".join(pieces(INDEX_SIZE, packed)).decode().split()
    names, sizes = index[::2], list(map(int, index[1::2]))
    position = names.index(name)
    for _ in pieces(sum(sizes[:position])):
        pass
    for piece in pieces(sizes[position]):
        write(piece)
