"""Reads the text of a configuration from a file, the command line, or standard input."""

from __future__ import annotations

import os

from cp.config.errors import ConfigError
from cp.platform.text import reason_of, to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LARGEST = 16 * 1024 * 1024  # bytes; more than any configuration, and a limit for /dev/zero
_TAKEN = (
    "URLs are not read: a configuration is a path, file:// and a path, inline text that begins with {, or - for "
    "standard input"
)
_REQUIRED = "-config flag is required"
_HOW_TO_NAME_ONE = "use -config FILE or set CONTAINERPILOT, see -help"
_MARK = "\ufeff"  # the byte order mark, which some editors write at the beginning of a file


class Source:
    """The text of a configuration before rendering. `name` is its name in messages, such as its path."""

    __slots__ = ("_path", "name", "text")

    def __init__(self, name: str, text: str, path: str = "") -> None:
        self.name = name
        self.text = text.removeprefix(_MARK)
        self._path = path

    def reread(self) -> Source:
        """Read the source again, for a reload, if it is a regular file. Raises ConfigError.

        A pipe in its place is not read: waiting for it would block the loop.
        """
        return _from_file(self._path, waits=False) if self._path else self


def read(argument: str, environ: Mapping[str, str], advice: Callable[[], str] = str) -> Source:
    """Read the source that `-config` or the variable CONTAINERPILOT names: a path, `file://` and a path, `-` for
    standard input, or the configuration itself. Raises ConfigError; `advice` is added if no source is named."""
    argument = argument or environ.get("CONTAINERPILOT", "")
    if not argument:
        # The first words are those of the Go programs, which tools search for.
        raise ConfigError([f"{_REQUIRED}: there is no configuration: {_HOW_TO_NAME_ONE}{advice()}"])
    if argument == "-":
        return Source("<stdin>", _read(0, "<stdin>")[0])
    if argument.startswith("file://"):
        return _from_file(argument.removeprefix("file://"))
    # No usual path begins like this or contains a line feed, so the error should be about the text.
    if argument.removeprefix(_MARK).lstrip()[:1] in ("{", "[", "<", '"') or "\n" in argument:
        return Source("<config>", argument)
    return _from_file(argument)


def _from_file(path: str, *, waits: bool = True) -> Source:
    """`waits`: read pipes as well, and wait for their text."""
    if not path:
        raise ConfigError(
            ["Could not read config file: file:// names no file, write it as file:///etc/containerpilot.json"]
        )
    try:
        fd = os.open(to_bytes(path), os.O_RDONLY | os.O_CLOEXEC | (0 if waits else os.O_NONBLOCK))
    except OSError as error:
        if "://" in path or path.startswith("file:"):
            raise _cannot("open", _without_secrets(path), error, f": {_TAKEN}") from None
        raise _cannot("open", path, error) from None
    except ValueError:  # a NUL character
        raise ConfigError([f"Could not read config file: open {path!r}: invalid argument"]) from None
    try:
        if not waits and not _is_regular(fd):
            raise ConfigError([f"Could not read config file: open {path}: it is not a regular file any more"])
        text, is_regular = _read(fd, path)
    finally:
        os.close(fd)
    # A pipe gives its text only once, so keep it.
    return Source(path, text, path if is_regular else "")


def _read(fd: int, name: str) -> tuple[str, bool]:
    """The text of a descriptor, and whether it is a regular file."""
    chunks: list[bytes] = []
    size = 0
    try:
        while chunk := os.read(fd, 65536):
            chunks.append(chunk)
            size += len(chunk)
            if size > _LARGEST:
                raise ConfigError([f"Could not read config file: read {name}: it is larger than {_LARGEST >> 20} MiB"])
        is_regular = _is_regular(fd)
    except OSError as error:
        raise _cannot("read", name, error) from None
    data = b"".join(chunks)
    try:
        return data.decode(), is_regular
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        line, column = before.count("\n") + 1, error.start - data.rfind(b"\n", 0, error.start)
        what = f"{name}:{line}:{column}: the byte 0x{data[error.start]:02x} is not UTF-8: save the file as UTF-8"
        raise ConfigError([what]) from None


def _is_regular(fd: int) -> bool:
    return os.fstat(fd).st_mode & 0o170000 == 0o100000


def _cannot(what: str, name: str, error: OSError, hint: str = "") -> ConfigError:
    """In the words of Go, which tools look for."""
    return ConfigError([f"Could not read config file: {what} {name}: {reason_of(error)}{hint}"])


def _without_secrets(url: str) -> str:
    """Remove user, password and query from a URL."""
    scheme, _, rest = url.partition("://")
    _, separator, host = rest.rpartition("@")
    redacted = f"{scheme}://…@{host}" if separator else url
    path, mark, _ = redacted.partition("?")
    return f"{path}?…" if mark else path
