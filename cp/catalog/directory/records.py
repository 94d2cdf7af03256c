"""The files of the directory catalogue: one JSON object per instance, in one folder.

    {"id": "web-box1", "name": "web", "address": "10.0.0.1", "port": 80, "tags": ["a"],
     "status": "passing", "output": "", "ttl": 10, "deadline": 1767225600.5}

`deadline` is the wall clock, in seconds since 1970, at which the entry is dead unless it was renewed. A file is only
ever replaced as a whole, by renaming another over it.
"""

from __future__ import annotations

import os
import stat
from errno import ELOOP, ENXIO
from math import isfinite

from cp.catalog.unusable_entries import NO_ADDRESS, NOT_A_PORT, NOT_TAGS, is_port
from cp.encoding import percent
from cp.platform.text import to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from json import dumps, loads

    from cp.plan import Service
else:
    try:
        from json import dumps, loads
    except ImportError:  # a minimal Python
        from cp.json_fallback import dumps, loads

SUFFIX = ".json"
TEMPORARY = ".containerpilot-"  # how files that are being written begin
LARGEST = 65536  # bytes of a file


class InstanceRecord:
    """What one file says."""

    __slots__ = ("address", "deadline", "id", "name", "port", "status", "tags")

    def __init__(self, fields: dict[str, object]) -> None:
        """ValueError if a field is missing or not what it should be."""
        self.id = _text(fields, "id")
        self.name = _text(fields, "name")
        self.address = _text(fields, "address")
        self.status = _text(fields, "status")
        port, tags, deadline = fields.get("port"), fields.get("tags"), fields.get("deadline")
        if not self.address:
            raise ValueError(NO_ADDRESS)
        if not isinstance(port, int) or not is_port(port):
            raise ValueError(NOT_A_PORT)
        if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
            raise ValueError(NOT_TAGS)
        if not isinstance(deadline, (int, float)) or isinstance(deadline, bool) or not _is_finite(deadline):
            raise ValueError("deadline is not a time")
        self.port = port
        self.tags = tuple(tags)
        self.deadline = float(deadline)

    def prolongs(self, before: InstanceRecord, now: float) -> bool:
        """Whether this says the same as a record that is alive, with a later deadline."""
        same = all(getattr(self, name) == getattr(before, name) for name in self.__slots__ if name != "deadline")
        return same and now < before.deadline <= self.deadline


def file_name(id: str) -> str:
    """The name of the file of an id: without a separator and without a leading dot, whatever the id contains."""
    return percent.encoded(to_bytes(id)).replace(".", "%2E").replace("~", "%7E") + SUFFIX


def encode(service: Service, status: str, output: str, deadline: float) -> bytes:
    fields = {
        "id": service.id,
        "name": service.name,
        "address": service.address,
        "port": service.port,
        "tags": list(service.tags),
        "status": status,
        "output": output[:1000],
        "ttl": service.ttl,
        "deadline": round(deadline, 3),
    }
    return dumps(fields).encode() + b"\n"


def read(path: str) -> InstanceRecord:
    """What the file says. ValueError with the reason if it is not an entry; OSError if it cannot be read. Never waits,
    not for a pipe either."""
    try:
        fd = os.open(to_bytes(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (ELOOP, ENXIO):  # a symbolic link; a socket
            raise ValueError("not a regular file") from None
        raise
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ValueError("not a regular file")
        content = os.read(fd, LARGEST + 1)
    finally:
        os.close(fd)
    if len(content) > LARGEST:
        raise ValueError("too long")
    try:
        fields = loads(content)
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    if not isinstance(fields, dict):
        raise ValueError("not a JSON object")
    return InstanceRecord(fields)


def write(folder: str, name: str, content: bytes) -> None:
    """Puts the whole content under that name, or leaves what was there. OSError."""
    temporary = os.path.join(folder, f"{TEMPORARY}{os.getpid()}-{os.urandom(6).hex()}")
    fd = os.open(to_bytes(temporary), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        try:
            if os.write(fd, content) != len(content):
                raise OSError("short write")  # the next attempt gets the reason
        finally:
            os.close(fd)
        os.rename(to_bytes(temporary), to_bytes(os.path.join(folder, name)))
    except BaseException:  # whatever it is, it goes on from here, and the half-written file must not stay
        try:
            os.unlink(to_bytes(temporary))
        except OSError:
            pass  # the first error says more; the next sweep removes it
        raise


def _is_finite(number: int | float) -> bool:
    try:
        return isfinite(number)
    except OverflowError:  # an integer of hundreds of digits
        return False


def _text(fields: dict[str, object], key: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str):
        raise ValueError(f"{key} is not a string")
    return value
