"""Files with variables for processes, as `envFiles` names them. Imported only for a job with one.

Each line is `KEY=value` or `export KEY=value`, a comment that begins with `#`, or blank. A value without quotes is the
rest of the line, one in single quotes is taken as it is, one in double quotes may have the escapes of `_ESCAPES`.
Nothing is expanded. Messages never have a value: it may be a secret.
"""

from __future__ import annotations

import os

from cp.platform.text import from_bytes, reason_of, to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

LARGEST = 1 << 20  # bytes
_EXPORTS = ("export ", "export\t")
_BLANKS = " \t"
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
_ESCAPES = {"n": "\n", '"': '"', "\\": "\\", "$": "$"}


class EnvFileError(Exception):
    """A file that cannot be used; the text has its path, the line and the reason."""


class MissingEnvFile(EnvFileError):
    """There is no such file."""


class _LineError(Exception):
    """What is wrong with a line."""


def read_env_files(files: Iterable[tuple[str, bool]]) -> dict[str, str]:
    """The variables of several files, in which later lines win. The pairs are paths, and whether the file may be
    missing. Raises EnvFileError."""
    variables: dict[str, str] = {}
    for path, may_be_missing in files:
        try:
            variables.update(read_env_file(path))
        except MissingEnvFile:
            if not may_be_missing:
                raise
    return variables


def read_env_file(path: str) -> dict[str, str]:
    """The variables of one file. It never waits: only a regular file is read. Raises EnvFileError."""
    try:
        fd = os.open(to_bytes(path), os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise MissingEnvFile(f"cannot read {path}: {reason_of(error)}") from None
    except OSError as error:
        raise EnvFileError(f"cannot read {path}: {reason_of(error)}") from None
    try:
        data = _read(fd)
    except OSError as error:
        raise EnvFileError(f"cannot read {path}: {reason_of(error)}") from None
    except ValueError as error:
        raise EnvFileError(f"cannot read {path}: {error}") from None
    finally:
        os.close(fd)
    return parse_env_file(from_bytes(data), path)


def _read(fd: int) -> bytes:
    """The contents of a regular file. Raises ValueError for another file, or a larger one."""
    if os.fstat(fd).st_mode & 0o170000 != 0o100000:
        raise ValueError("it is not a regular file")
    data = bytearray()
    while chunk := os.read(fd, LARGEST + 1 - len(data)):
        data += chunk
        if len(data) > LARGEST:
            raise ValueError(f"it is larger than {LARGEST >> 20} MiB")
    return bytes(data)


def parse_env_file(text: str, path: str) -> dict[str, str]:
    """The variables of a text; the last of several lines with one name wins. Raises EnvFileError."""
    variables: dict[str, str] = {}
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        stripped = line.lstrip(_BLANKS)
        if not stripped or stripped == "\r" or stripped[0] == "#":
            continue
        try:
            name, value = _assignment(stripped)
        except _LineError as error:
            raise EnvFileError(f"{path}:{number}: {error}") from None
        variables[name] = value
    return variables


def _assignment(line: str) -> tuple[str, str]:
    if "\0" in line:
        raise _LineError("has a NUL character")
    if line.endswith("\r"):
        raise _LineError("ends as in Windows: save the file with Unix line ends")
    name, equals, value = line.partition("=")
    if not equals:
        raise _LineError("has no `=`: expected KEY=value, or a comment that begins with #")
    if name.startswith(_EXPORTS):
        name = name[len(_EXPORTS[0]) :].lstrip(_BLANKS)
    if name.rstrip(_BLANKS) != name or value[:1] in (" ", "\t"):
        raise _LineError("has a blank beside the `=`: remove it, or put the value in quotes")
    if not name or not _LETTERS.issuperset(name):
        raise _LineError("does not begin with KEY=, where KEY has only letters, digits, `_`, `.` and `-`")
    return name, _value(name, value)


def _value(name: str, text: str) -> str:
    if text[:1] == "'":
        inside, quote, rest = text[1:].partition("'")
        if not quote:
            raise _LineError(f"the value of {name} has no closing quote on its line")
    elif text[:1] == '"':
        inside, rest = _in_double_quotes(name, text)
    elif text[-1:] in (" ", "\t"):
        raise _LineError(f"the value of {name} ends with a blank: remove it, or put the value in quotes")
    else:
        return text
    if rest.strip(_BLANKS):
        raise _LineError(f"the value of {name} goes on after its closing quote")
    return inside


def _in_double_quotes(name: str, text: str) -> tuple[str, str]:
    """The value in double quotes at the beginning of a text, and what follows it."""
    parts: list[str] = []
    start = at = 1
    while at < len(text):
        if text[at] == '"':
            parts.append(text[start:at])
            return "".join(parts), text[at + 1 :]
        if text[at] == "\\":
            escaped = _ESCAPES.get(text[at + 1 : at + 2])
            if escaped is None:
                how = r'in double quotes `\` is followed by `n`, `"`, `\` or `$`'
                raise _LineError(f"the value of {name} has an unknown escape: {how}; in single quotes it is kept")
            parts += (text[start:at], escaped)
            start = at = at + 2
        else:
            at += 1
    raise _LineError(f"the value of {name} has no closing quote on its line")
