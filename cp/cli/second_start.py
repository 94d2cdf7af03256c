"""Detects a start beside a ContainerPilot that is PID 1 of this PID namespace. In a container this is a mistake, such
as a missing dash in `docker exec app containerpilot jobs`, and would run every job twice.

Imported only if PID 1 may be ContainerPilot.
"""

from __future__ import annotations

import _socket
import os
import sys

from cp.cli.flags import FLAGS
from cp.platform.text import from_bytes, to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MARK = b"# coding: the-file-is-damaged--"  # the beginning of the second line of every archive
COMMAND = b"from cp.__main__ import main"  # a line of the command that pip and uv create for the wheel
CONNECT_SECONDS = 1.0
# The options of a dynamic loader that have a value.
LOADER_OPTIONS = ("--argv0", "--audit", "--inhibit-rpath", "--library-path", "--preload")


def refusal(init: bytes, config: str, arguments: Sequence[str], environ: Mapping[str, str]) -> str:
    """Why this start is refused; empty if it is allowed.

    `init` is the content of /proc/1/cmdline, empty if it is hidden; `config` and `arguments` are from the command line.
    """
    found = _is_containerpilot([from_bytes(word) for word in init.split(b"\0")[:-1]]) if init else None
    if found is None:
        found = any(map(_is_served_by_init, _sockets(config, environ)))
    if not found:
        return ""
    return (
        f"cannot start: ContainerPilot is process 1 here, and a second one would run every job a second time: "
        f"{_hint(arguments)}; -allow-second starts it anyway"
    )


def _hint(arguments: Sequence[str]) -> str:
    from cp.cli.usage_errors import PROGRAMS, flag_of
    from cp.config.nearest import nearest

    word = arguments[0].lower() if arguments else ""
    flag = flag_of(word) or PROGRAMS.get(word) or nearest(word, FLAGS)
    return f"did you mean -{flag}?" if flag else "its flags begin with a dash, see -help"


# --- by its command line


def _is_containerpilot(command: Sequence[str]) -> bool | None:
    """Whether this is the command line of ContainerPilot; None if that is not clear."""
    loaded = without_loader(command)
    if loaded != command:
        if not _is_named_like_python(loaded[0] if loaded else ""):
            return False
        command = loaded
    elif not _is_python(command[0] if command else ""):
        return False
    script = script_of(command)
    return None if script is None else _is_archive(script)


def _is_python(name: str) -> bool:
    """Whether PID 1, which has this name, is Python; the name of its executable counts if it is readable."""
    try:
        name = os.readlink("/proc/1/exe")
    except OSError:
        pass  # another user's
    return _is_named_like_python(name) or _is_same_file(name, sys.executable)


def _is_named_like_python(name: str) -> bool:
    kind = name.rpartition("/")[2].lower()
    return "python" in kind or "containerpilot" in kind


def without_loader(command: Sequence[str]) -> Sequence[str]:
    """Return the command that a dynamic loader executes when it is called by name (ld.so(8)), because a Python may come
    with its own C library. Return any other command unchanged."""
    if not command or not command[0].rpartition("/")[2].startswith("ld-"):
        return command
    place = 1
    while place < len(command) and command[place].startswith("--"):
        place += 2 if command[place] in LOADER_OPTIONS else 1
    return command[place:]


def script_of(command: Sequence[str]) -> str | None:
    """The script in a command line of Python; None if Python runs something else, as with -c and -m."""
    words = iter(command[1:])
    for word in words:
        if word == "--check-hash-based-pycs":
            next(words, None)
        elif len(word) < 2 or word[0] != "-":
            return None if word in ("", "-") else word
        elif word[1] != "-":
            for place, letter in enumerate(word[1:], 2):
                if letter in "cm":
                    return None
                if letter in "WX":  # its value is the rest of the word, or the next one
                    if place == len(word):
                        next(words, None)
                    break
    return None


def _is_archive(script: str) -> bool | None:
    """Whether the file is an archive of ContainerPilot, whatever its name, or the command of an installed wheel; None
    if it is not readable."""
    own_path = __file__.rpartition("/cp/")[0]
    try:
        folder = from_bytes(os.readlink(b"/proc/1/cwd"))
    except OSError:  # another user's
        folder = ""
    path = os.path.join(folder, script)
    if _is_same_file(path, own_path):
        return True
    try:
        fd = os.open(to_bytes(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            head = os.read(fd, 1024)
        finally:
            os.close(fd)
    except (OSError, ValueError):  # removed, replaced by an upgrade, or not readable
        return True if os.path.basename(script) == os.path.basename(own_path) else None
    lines = head.split(b"\n")
    return any(line.startswith(MARK) for line in lines[1:2]) or COMMAND in lines


def _is_same_file(one: str, other: str) -> bool:
    try:
        return os.path.samestat(os.stat(to_bytes(one)), os.stat(to_bytes(other)))
    except (OSError, ValueError):
        return False


# --- by its control socket


def _sockets(config: str, environ: Mapping[str, str]) -> Iterable[str]:
    from cp.cli.subcommands import socket_paths
    from cp.config.errors import ConfigError
    from cp.control.socket_paths import paths_for_clients

    if config == "-":  # standard input can be read only once, and this is not its reader
        return paths_for_clients(environ)
    try:
        return socket_paths(config, environ)[0]
    except ConfigError:
        return paths_for_clients(environ)


def _is_served_by_init(path: str) -> bool:
    client = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    try:
        client.settimeout(CONNECT_SECONDS)
        client.connect(to_bytes(path))
        credentials = client.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)  # pid, uid, gid
    except (OSError, ValueError):
        return False
    finally:
        client.close()
    return int.from_bytes(credentials[:4], sys.byteorder) == 1
