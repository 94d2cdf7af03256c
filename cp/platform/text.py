"""The boundary between text and the bytes that the system takes: UTF-8, whatever the locale says.

Python encodes file names, arguments and variables by the locale. A configuration is UTF-8 everywhere, so a locale with
another encoding would give children other bytes than the configuration has. Inside the program everything is text, and
bytes that are not UTF-8 are surrogate escapes: they survive as they are.

The system's errors become text here, too: `no such file or directory`.
"""

from __future__ import annotations

import errno
import os
import sys
from _codecs import utf_8_decode

# How Python itself encodes what it gives to the system.
_PYTHON_IS_UTF8 = sys.getfilesystemencoding() == "utf-8"
# What Python puts into the environment as LC_CTYPE if the locale is "C" or not set (PEP 538).
_COERCED = (b"C.UTF-8", b"C.utf8", b"UTF-8")


def to_bytes(text: str) -> bytes:
    """What the system gets. ValueError for a surrogate that stands for no byte."""
    return text.encode("utf-8", "surrogateescape")


def from_bytes(data: bytes) -> str:
    """The text of what the system gave."""
    return data.decode("utf-8", "surrogateescape")


def from_beginning(data: bytes) -> tuple[str, int]:
    """The text of bytes that may end within a character, and how many of them it stands for: not that character's."""
    return utf_8_decode(data, "surrogateescape", False)


def readable(text: str) -> str:
    """A message with what cannot be printed escaped: control characters, halves of characters. Its line breaks
    are those of the message."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter == "\n" else repr(letter)[1:-1] for letter in text)


def file_of(error: OSError) -> str:
    """The name of the file that an error is about; empty if there is none."""
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


def decoded_by_python(text: str) -> str:
    """The text of bytes that Python has decoded already, such as a host name."""
    return text if _PYTHON_IS_UTF8 else from_bytes(os.fsencode(text))


def to_be_encoded_by_python(text: str) -> str:
    """What Python encodes to the right bytes, for those of its functions that take no bytes."""
    return text if _PYTHON_IS_UTF8 else os.fsdecode(to_bytes(text))


def process_environment() -> dict[str, str]:
    """The environment that this process was started with, or what has become of it."""
    found = {from_bytes(name): from_bytes(value) for name, value in os.environb.items()}
    if found.get("LC_CTYPE", "").encode() in _COERCED and not found.get("LC_ALL") and _is_coerced():
        del found["LC_CTYPE"]
    return found


def _is_coerced() -> bool:
    """Whether LC_CTYPE is Python's own addition: nobody gave it to us, and children must not get it."""
    try:
        with open("/proc/self/environ", "rb") as file:
            given = file.read()
    except OSError:
        return False  # without /proc nobody knows
    return bool(given) and not any(entry.startswith(b"LC_CTYPE=") for entry in given.split(b"\0"))


def arguments() -> list[str]:
    """The arguments of the command line, without the name of the program."""
    given = sys.argv[1:]
    if _PYTHON_IS_UTF8 or all(map(str.isascii, given)):
        return given
    try:
        with open("/proc/self/cmdline", "rb") as file:
            raw = file.read().split(b"\0")[:-1]
    except OSError:
        raw = []
    # Python's codec and the C library, which has decoded them, differ about a few encodings: the kernel does not.
    if given and len(raw) == len(sys.orig_argv):
        return [from_bytes(each) for each in raw[-len(given) :]]
    return [decoded_by_python(each) for each in given]
