"""What the files of the directory catalogue say, read no more often than they change."""

from __future__ import annotations

import os

from cp.catalog.directory import records
from cp.catalog.unusable_entries import Seen
from cp.platform.text import from_bytes, to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Sight = tuple[tuple[int, int, int], records.InstanceRecord | None]  # inode, time and size; content


_NOTHING: Sight = ((0, 0, 0), None)


class Folder:
    """Remembers what it has read. `warn` receives, once, each file that is not an entry, or may not be read, unless
    another client of `unusable` has reported it.

    Any other error of a file or of the folder is raised: what cannot be seen may well be there.
    """

    def __init__(self, path: str, warn: Callable[[str], object], unusable: Seen | None = None) -> None:
        self._path = path
        self._warn = warn
        self._seen: dict[str, Sight] = {}
        self._unusable = (unusable or Seen()).client()
        self.close = self._unusable.close

    def scan(self) -> dict[str, records.InstanceRecord]:
        """All that is in the folder, by file name. Raises OSError."""
        seen: dict[str, Sight] = {}
        with os.scandir(to_bytes(self._path)) as entries:
            for entry in entries:
                name = from_bytes(entry.name)
                sight = self._look_at(name) if _counts(name) else None
                if sight is not None:
                    seen[name] = sight
        self._seen = seen
        self._unusable.keeps(seen)
        return self.known()

    def concerns(self, names: set[str], service: str) -> list[str]:
        """Those of the changed files that may say something about a service: not the ones of others."""
        return [name for name in names if _counts(name) and not self._is_of_another(name, service)]

    def _is_of_another(self, name: str, service: str) -> bool:
        known = self._seen.get(name)
        return known is not None and known[1] is not None and known[1].name != service

    def refresh(self, names: set[str], service: str, now: float) -> bool:
        """Looks at these files after a change, where only one service matters: each heartbeat of every other one
        changes a file as well, and reading them all for each watch would cost more than everything else.

        Whether they say anything new about it: more than a heartbeat, by which an entry that is alive lives longer.
        Raises OSError.
        """
        news = False
        for name in self.concerns(names, service):
            _, before = self._seen.get(name, _NOTHING)
            sight = self._look_at(name)
            if sight is not None:
                self._seen[name] = sight
            else:
                self._seen.pop(name, None)
            _, after = sight or _NOTHING
            of_service = [record for record in (before, after) if record is not None and record.name == service]
            if of_service and not (before is not None and after is not None and after.prolongs(before, now)):
                news = True
        return news

    def known(self) -> dict[str, records.InstanceRecord]:
        """What was found, by file name."""
        return {name: record for name, (_, record) in self._seen.items() if record is not None}

    def _look_at(self, name: str) -> Sight | None:
        """What the file says, read only if it is new or was replaced; None if it is gone. Raises OSError."""
        path = os.path.join(self._path, name)
        try:
            status = os.lstat(to_bytes(path))
        except FileNotFoundError:
            return None  # deregistered while we look
        signature = (status.st_ino, status.st_mtime_ns, status.st_size)
        known = self._seen.get(name)
        if known is not None and known[0] == signature:
            return known
        try:
            return signature, records.read(path)
        except FileNotFoundError:
            return None
        except PermissionError:
            self._warn_of(name, f"{path} is ignored, it may not be read: permission denied")
            return _NOTHING  # it is tried again: a change of its mode leaves the rest as it was
        except ValueError as error:
            self._warn_of(name, f"{path} is ignored, it is not an entry of the catalogue: {error}")
            return signature, None

    def _warn_of(self, name: str, text: str) -> None:
        if self._unusable.adds(name):
            self._warn(text)


def _counts(name: str) -> bool:
    return name.endswith(records.SUFFIX) and not name.startswith(".")
