"""A start beside a ContainerPilot that is PID 1 of this PID namespace: in a container that is a mistake, such as a dash
that was forgotten in `docker exec app containerpilot jobs`, and would run every job a second time.

Imported where PID 1 may be one.
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

MARK = b"# coding: the-file-is-damaged--"  # how the second line of every archive begins
COMMAND = b"from cp.__main__ import main"  # a line of the command that pip or uv makes when it installs the wheel
PATIENCE = 1.0  # seconds to connect to a control socket
# Of a dynamic loader, those that have a value.
LOADER_OPTIONS = ("--argv0", "--audit", "--inhibit-rpath", "--library-path", "--preload")


def refusal(init: bytes, config: str, arguments: Sequence[str], environ: Mapping[str, str]) -> str:
    """Why it must not be started; empty if it may be. `init` is what /proc/1/cmdline has, empty where that is hidden;
    `config` and `arguments` are those of the command line."""
    found = _is_containerpilot([from_bytes(word) for word in init.split(b"\0")[:-1]]) if init else None
    if found is None:
        found = any(map(_is_served_by_init, _sockets(config, environ)))
    if not found:
        return ""
    return (
        f"cannot start: ContainerPilot is process 1 here, and all that it runs would run a second time: "
        f"{_hint(arguments)}; -allow-second starts it all the same"
    )


def _hint(arguments: Sequence[str]) -> str:
    from cp.cli.usage_errors import PROGRAMS, flag_of
    from cp.config.nearest import nearest

    word = arguments[0].lower() if arguments else ""
    flag = flag_of(word) or PROGRAMS.get(word) or nearest(word, FLAGS)
    return f"did you mean -{flag}?" if flag else "its flags begin with a dash, see -help"


# --- by its command line


def _is_containerpilot(command: Sequence[str]) -> bool | None:
    """Whether that is the command line of a ContainerPilot; None if it does not tell."""
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
    """Whether PID 1, which is called so, is a Python; the name of its executable counts where we may see it."""
    try:
        name = os.readlink("/proc/1/exe")
    except OSError:
        pass  # another user's
    return _is_named_like_python(name) or _is_same_file(name, sys.executable)


def _is_named_like_python(name: str) -> bool:
    kind = name.rpartition("/")[2].lower()
    return "python" in kind or "containerpilot" in kind


def without_loader(command: Sequence[str]) -> Sequence[str]:
    """The command that a dynamic loader executes when it is called by name (ld.so(8)): a Python may have come with a C
    library of its own. Any other command as it is."""
    if not command or not command[0].rpartition("/")[2].startswith("ld-"):
        return command
    place = 1
    while place < len(command) and command[place].startswith("--"):
        place += 2 if command[place] in LOADER_OPTIONS else 1
    return command[place:]


def script_of(command: Sequence[str]) -> str | None:
    """The file that a command line of Python names; None if it runs something else, as with -c and -m."""
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
    """Whether the file is an archive of ContainerPilot, by whatever name, or the command of an installed wheel; None if
    that cannot be seen."""
    ours = __file__.rpartition("/cp/")[0]
    try:
        folder = from_bytes(os.readlink(b"/proc/1/cwd"))
    except OSError:  # another user's
        folder = ""
    path = os.path.join(folder, script)
    if _is_same_file(path, ours):
        return True
    try:
        fd = os.open(to_bytes(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            head = os.read(fd, 1024)
        finally:
            os.close(fd)
    except (OSError, ValueError):  # removed, or replaced by an upgrade, or not for us to read
        return True if os.path.basename(script) == os.path.basename(ours) else None
    lines = head.split(b"\n")
    return any(line.startswith(MARK) for line in lines[1:2]) or COMMAND in lines


def _is_same_file(one: str, other: str) -> bool:
    try:
        return os.path.samestat(os.stat(to_bytes(one)), os.stat(to_bytes(other)))
    except (OSError, ValueError):
        return False


# --- by its control socket


def _sockets(config: str, environ: Mapping[str, str]) -> Iterable[str]:
    from cp.cli.subcommands import places
    from cp.config.errors import ConfigError
    from cp.control.socket_paths import places_of_clients

    if config == "-":  # can be read once, and not by us
        return places_of_clients(environ)
    try:
        return places(config, environ)[0]
    except ConfigError:
        return places_of_clients(environ)


def _is_served_by_init(path: str) -> bool:
    client = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    try:
        client.settimeout(PATIENCE)
        client.connect(to_bytes(path))
        credentials = client.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)  # pid, uid, gid
    except (OSError, ValueError):
        return False
    finally:
        client.close()
    return int.from_bytes(credentials[:4], sys.byteorder) == 1
