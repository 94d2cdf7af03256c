"""inotify(7): the kernel reports changes of a folder's entries. Uses ctypes, as the standard library has no binding."""

from __future__ import annotations

import os
from sys import byteorder

from cp.platform.text import from_bytes, to_bytes

# <sys/inotify.h>; the flags for inotify_init1(2) are those of open(2).
CLOSE_WRITE, MOVED_FROM, MOVED_TO, DELETE = 0x008, 0x040, 0x080, 0x200
DELETE_SELF, MOVE_SELF, ONLYDIR = 0x400, 0x800, 0x01000000

OVERFLOW = 0x4000  # events were lost
HEADER = 16  # bytes before the name of an event: watch, mask, cookie, length of the name, four bytes each
BUFFER = 65536  # bytes of one read


class Inotify:
    """`fd` is readable when an entry of the folder was added, removed or written. Raises OSError if not available."""

    __slots__ = ("fd",)

    def __init__(self, folder: str) -> None:
        try:
            import ctypes
        except ImportError as error:
            raise OSError(f"no inotify: {error}") from None
        libc = ctypes.CDLL(None, use_errno=True)
        if not hasattr(libc, "inotify_init1"):
            raise OSError("no inotify in this C library")
        self.fd: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            raise _last_error(ctypes.get_errno(), folder)
        mask = CLOSE_WRITE | MOVED_FROM | MOVED_TO | DELETE | DELETE_SELF | MOVE_SELF | ONLYDIR
        if libc.inotify_add_watch(self.fd, to_bytes(folder), ctypes.c_uint32(mask)) < 0:
            error_number = ctypes.get_errno()
            self.close()
            raise _last_error(error_number, folder)

    def drain(self) -> set[str] | None:
        """Read all pending events. Return the names of their entries, or None if any entry may have changed."""
        names: set[str] = set()
        known = True
        try:
            while data := os.read(self.fd, BUFFER):
                at = 0
                while at < len(data):
                    what = int.from_bytes(data[at + 4 : at + 8], byteorder)
                    length = int.from_bytes(data[at + 12 : at + HEADER], byteorder)
                    name = data[at + HEADER : at + HEADER + length].rstrip(b"\0")
                    if what & OVERFLOW or not name:
                        known = False
                    names.add(from_bytes(name))
                    at += HEADER + length
        except BlockingIOError:
            pass
        return names if known else None

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _last_error(number: int, folder: str) -> OSError:
    return OSError(number, os.strerror(number), folder)
