"""The users and groups of this image: passwd(5) and group(5).

It reads the files themselves. The C library could query a server for a name, and the loop would wait for it. Imported
only for a job with a `user`.
"""

from __future__ import annotations

import os

from cp.platform.text import from_bytes, to_bytes
from cp.record import Record

HIGHEST_ID = 2**32 - 2  # the kernel uses the next number for "none"
_LARGEST = 16 << 20  # bytes of a file
PASSWD, GROUP = "/etc/passwd", "/etc/group"


class UnknownAccount(Exception):
    """A user or a group that does not exist; the text says why, and `name` and `known` help to find what was meant."""

    def __init__(self, text: str, name: str = "", known: tuple[str, ...] = (), fix: str = "") -> None:
        super().__init__(text)
        self.name = name
        self.known = known
        self.fix = fix


class Identity(Record):
    """What `user` means: the numbers for setuid(2), setgid(2) and setgroups(2)."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()  # supplementary ones
    name: str = ""  # for USER and LOGNAME; "": they are not set
    home: str = "/"


class Accounts:
    """The contents of both files; None for one that does not exist."""

    def __init__(self, passwd: str | None, group: str | None) -> None:
        self._passwd = passwd
        self._group = group

    def identity(self, user: str) -> Identity:
        """What USER or USER:GROUP means, each a name or a number. Raises UnknownAccount."""
        name, colon, group = user.partition(":")
        if not name or (colon and not group):
            raise UnknownAccount('must be USER or USER:GROUP, each a name or a number, such as "app" or "1000:1000"')
        found = self._find_user(name)
        if found is None:
            return self._unnamed(name, group)
        own_name, uid, own_gid, home = found
        gid = self._find_group(group) if group else own_gid
        groups = tuple(dict.fromkeys((gid, *self._groups_of(own_name))))
        return Identity(uid=uid, gid=gid, groups=groups, name=own_name, home=home or "/")

    def _unnamed(self, name: str, group: str) -> Identity:
        """The identity of a number that is not in passwd."""
        uid = _number(name)
        if uid is None:
            raise self._unknown("user", name, PASSWD, self._passwd, 'write "UID:GID" with numbers')
        if not group:
            why = f"the user {uid} is not in {PASSWD}, so its group is unknown"
            raise UnknownAccount(why, fix=f'write "{uid}:GID" with the number of a group')
        return Identity(uid=uid, gid=self._find_group(group))

    def _find_user(self, wanted: str) -> tuple[str, int, int, str] | None:
        """Name, number, group and home of a user. A name that is a number has priority, as in Docker."""
        number = _number(wanted)
        by_number = None
        for name, fields in _entries(self._passwd, 6):
            uid, gid = _number(fields[1]), _number(fields[2])
            if uid is None or gid is None:
                continue
            if name == wanted:
                return name, uid, gid, fields[4]
            if uid == number and by_number is None:
                by_number = name, uid, gid, fields[4]
        return by_number

    def _find_group(self, wanted: str) -> int:
        number = _number(wanted)
        for name, fields in _entries(self._group, 3):
            gid = _number(fields[1])
            if name == wanted and gid is not None:
                return gid
        if number is None:
            raise self._unknown("group", wanted, GROUP, self._group, "write its number")
        return number

    def _groups_of(self, user: str) -> list[int]:
        """The groups that have this user as a member."""
        found = []
        for _, fields in _entries(self._group, 3):
            gid = _number(fields[1])
            if gid is not None and len(fields) > 2 and user in fields[2].split(","):
                found.append(gid)
        return found

    def _unknown(self, what: str, name: str, path: str, text: str | None, instead: str) -> UnknownAccount:
        if text is None:
            return UnknownAccount(f"there is no {path}, so the {what} {name!r} is unknown", fix=instead)
        known = tuple(each for each, _ in _entries(text, 3))
        why = f"the {what} {name!r} is not in {path}"
        return UnknownAccount(why, name, known, f"create it in the image, or {instead}")


def read_accounts(passwd: str = PASSWD, group: str = GROUP) -> Accounts:
    """The users and groups as they are now. Raises OSError."""
    return Accounts(_read(passwd), _read(group))


def _read(path: str) -> str | None:
    try:
        fd = os.open(to_bytes(path), os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        if os.fstat(fd).st_mode & 0o170000 != 0o100000:
            raise OSError(f"{path} is not a regular file")
        data = bytearray()
        while (chunk := os.read(fd, 65536)) and len(data) < _LARGEST:
            data += chunk
    finally:
        os.close(fd)
    return from_bytes(bytes(data))


def _entries(text: str | None, least: int) -> list[tuple[str, list[str]]]:
    """The names, and the fields after them, of all lines with at least so many fields."""
    found = []
    for line in (text or "").split("\n"):
        name, *fields = line.split(":")
        if name and len(fields) >= least - 1 and name[0] not in "#+-":
            found.append((name, fields))
    return found


def _number(text: str) -> int | None:
    """The number of a user or a group; None for another text."""
    if text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) <= HIGHEST_ID:
        return int(text)
    return None
