"""Converts between text and the bytes of the system, as UTF-8 in any locale.

Python encodes file names, arguments and variables by the locale. A configuration is always UTF-8, so in a locale with
another encoding children would get other bytes than the configuration has. Inside the program everything is text. Bytes
that are not UTF-8 are surrogate escapes, and are written back unchanged.

It also formats errors of the system, `no such file or directory`, and durations.
"""

from __future__ import annotations

import errno
import os
import sys
from _codecs import utf_8_decode

# Whether Python itself encodes file names and arguments as UTF-8.
_PYTHON_IS_UTF8 = sys.getfilesystemencoding() == "utf-8"
# The values that Python gives LC_CTYPE if the locale is "C" or not set (PEP 538).
_COERCED = (b"C.UTF-8", b"C.utf8", b"UTF-8")


def to_bytes(text: str) -> bytes:
    """Encode a text for the system. Raises ValueError for a surrogate that is not the escape of a byte."""
    return text.encode("utf-8", "surrogateescape")


def from_bytes(data: bytes) -> str:
    """Decode bytes of the system."""
    return data.decode("utf-8", "surrogateescape")


def from_beginning(data: bytes) -> tuple[str, int]:
    """Decode bytes that may end within a character. Return the text and the number of decoded bytes, without that
    character's."""
    return utf_8_decode(data, "surrogateescape", False)


def readable(text: str) -> str:
    """Escape everything in a message that is not printable, such as control characters and lone surrogates. Line breaks
    stay."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter == "\n" else repr(letter)[1:-1] for letter in text)


def file_of(error: OSError) -> str:
    """The name of the file of an error; empty if it has none."""
    name = error.filename
    return from_bytes(name) if isinstance(name, bytes) else str(name or "")


def reason_of(error: BaseException) -> str:
    """Why something failed: the system's words, without a capital letter at their start; never empty.

    An error without a number has its own text, or its name if it has no text.
    """
    if isinstance(error, OSError) and (error.strerror or error.errno):
        usual = os.strerror(error.errno or 0)
        text = error.strerror or usual
        if text == usual:
            return text.lower()
        # The words of a library may have names in them, and begin with one: `SIOCGIFCONF: …`.
        return text[:1].lower() + text[1:] if text[1:2].islower() else text
    return str(error) or ("out of memory" if isinstance(error, MemoryError) else type(error).__name__)


def reason_of_fd(error: OSError) -> str:
    """Why the kernel opens no descriptor, or does not let epoll watch one."""
    if error.errno == errno.ENOSPC:  # a full disk has nothing to do with it
        return "the limit fs.epoll.max_user_watches is reached"
    return reason_of(error)


def duration_text(seconds: float) -> str:
    """Format a duration for a line of the log: `1.5 s`, `3 min 12 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{max(seconds, 0.0):.1f} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def decoded_by_python(text: str) -> str:
    """Correct a text that Python decoded by the locale, such as a host name."""
    return text if _PYTHON_IS_UTF8 else from_bytes(os.fsencode(text))


def for_python_to_encode(text: str) -> str:
    """Return the text that Python encodes to the right bytes, for functions that do not accept bytes."""
    return text if _PYTHON_IS_UTF8 else os.fsdecode(to_bytes(text))


def process_environment() -> dict[str, str]:
    """The current environment of this process, without variables that Python added."""
    found = {from_bytes(name): from_bytes(value) for name, value in os.environb.items()}
    if found.get("LC_CTYPE", "").encode() in _COERCED and not found.get("LC_ALL") and _is_coerced():
        del found["LC_CTYPE"]
    return found


def _is_coerced() -> bool:
    """Whether LC_CTYPE is Python's own addition, which children must not get."""
    try:
        with open("/proc/self/environ", "rb") as file:
            given = file.read()
    except OSError:
        return False  # without /proc this is not known
    return bool(given) and not any(entry.startswith(b"LC_CTYPE=") for entry in given.split(b"\0"))


def arguments() -> list[str]:
    """The arguments of the command line, without the program's name."""
    given = sys.argv[1:]
    if _PYTHON_IS_UTF8 or all(map(str.isascii, given)):
        return given
    try:
        with open("/proc/self/cmdline", "rb") as file:
            raw = file.read().split(b"\0")[:-1]
    except OSError:
        raw = []
    # The C library has decoded them, and differs from Python's codec in a few encodings. The kernel has the bytes.
    if given and len(raw) == len(sys.orig_argv):
        return [from_bytes(each) for each in raw[-len(given) :]]
    return [decoded_by_python(each) for each in given]
