"""The embedded catalogue: a folder with a file per instance, for one machine or a shared volume. It needs no server.

An instance is alive while the deadline in its file, on the wall clock, lies ahead; every heartbeat moves it on.
"""

from __future__ import annotations

import os
import time
from _thread import allocate_lock

from cp.catalog.directory import records
from cp.catalog.directory.folder import Folder
from cp.catalog.protocol import (
    CatalogClosed,
    CatalogEntry,
    CatalogForgotten,
    CatalogGarbage,
    CatalogRefused,
    CatalogUnreachable,
    Instance,
)
from cp.plan import PASSING
from cp.platform.inotify import Inotify
from cp.platform.text import file_of, from_bytes, reason_of, to_bytes
from cp.platform.wakeup import Wakeup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp.catalog.unusable_entries import Seen
    from cp.plan import DirectorySettings, Service, Status, Watch

# Dead entries are removed this long after their deadline, and looked for as often: late enough that nobody's clock
# or slow renewal makes them alive again.
SWEEP_AFTER = 60.0
LONGEST_NAME = 255  # bytes; what file systems take


class Directory:
    """A client of one folder; see `cp.catalog.protocol.Catalog`. `warn` gets one line for each file that is not a
    registration, unless another client has seen it: all clients share `unusable`."""

    def __init__(
        self,
        settings: DirectorySettings,
        warn: Callable[[str], object],
        unusable: Seen | None = None,
        *,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        inotify: Callable[[str], Inotify] = Inotify,
    ) -> None:
        self._path = settings.path
        self._folder = Folder(settings.path, warn, unusable)
        self._wall = wall
        self._clock = clock
        self._open_inotify = inotify
        self._swept_at: float | None = None
        self._inotify: Inotify | None = None
        self._inode: tuple[int, int] | None = None  # of the folder that inotify looks at
        self._guard = allocate_lock()  # over the rest
        self._wakeup: Wakeup | None = None
        self._calling = False
        self._interrupted = False
        self._closed = False

    # --- registration

    def register(self, service: Service, status: Status) -> None:
        self._write(service, status, "")

    def heartbeat(self, service: Service, status: Status, output: str) -> None:
        try:
            found = self.entry(service)
        except CatalogGarbage:  # another program has written something else there
            found = None
        else:
            if found is None:
                raise CatalogForgotten(f"{os.path.join(self._path, self._name(service))} is gone")
        # An entry of another program with our id is not renewed, as it would be in Consul, nor replaced.
        if found is None or (found.address, found.port) == (service.address, service.port):
            self._write(service, status, output)

    def deregister(self, service: Service) -> None:
        path = os.path.join(self._path, self._name(service))
        try:
            os.unlink(to_bytes(path))
        except (FileNotFoundError, NotADirectoryError):  # where there is no folder, there is no entry
            return
        except OSError as error:
            raise CatalogUnreachable(f"cannot remove {path}: {reason_of(error)}") from None

    def _write(self, service: Service, status: Status, output: str) -> None:
        name = self._name(service)
        self._make_folder()
        try:
            records.write(self._path, name, records.encode(service, status, output, self._wall() + service.ttl))
        except OSError as error:
            raise CatalogUnreachable(f"cannot write {os.path.join(self._path, name)}: {reason_of(error)}") from None
        now = self._clock()
        if self._swept_at is None or now - self._swept_at >= SWEEP_AFTER:
            self._swept_at = now
            try:
                self._sweep()
            except (OSError, CatalogUnreachable):
                pass  # a folder that can be written and not listed is no reason to fail

    def _name(self, service: Service) -> str:
        name = records.file_name(service.id)
        if len(name) > LONGEST_NAME:
            raise CatalogRefused(f"the id of service {service.name} is too long for the name of a file")
        return name

    def _make_folder(self) -> None:
        try:
            os.makedirs(to_bytes(self._path), exist_ok=True)
        except FileExistsError:  # or it is a link to nothing
            raise CatalogUnreachable(f"cannot use {self._path}: it is not a folder") from None
        except OSError as error:
            raise CatalogUnreachable(f"cannot make the folder {self._path}: {reason_of(error)}") from None

    def _sweep(self) -> None:
        """Removes entries that are long dead, and what writers that were killed left behind."""
        dead = self._wall() - SWEEP_AFTER
        for name, record in self._scanned().items():
            if record.deadline < dead:
                self._remove(name)
        for name in map(from_bytes, os.listdir(to_bytes(self._path))):
            if name.startswith(records.TEMPORARY):
                try:
                    old = os.lstat(to_bytes(os.path.join(self._path, name))).st_mtime < dead
                except OSError:
                    continue
                if old:
                    self._remove(name)

    def _remove(self, name: str) -> None:
        try:
            os.unlink(to_bytes(os.path.join(self._path, name)))
        except OSError:
            pass  # another process was faster, or owns it: it is dead in both cases

    def entry(self, service: Service) -> CatalogEntry | None:
        path = os.path.join(self._path, self._name(service))
        try:
            found = records.read(path)
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise CatalogGarbage(f"{path} is not an entry of the catalogue: {error}") from None
        except OSError as error:
            raise CatalogUnreachable(f"cannot read {path}: {reason_of(error)}") from None
        return CatalogEntry(found.address, found.port, alive=found.status == PASSING and found.deadline > self._wall())

    # --- watches

    def instances(self, watch: Watch) -> tuple[list[Instance], object]:
        self._enter()
        try:
            self._make_folder()
            pushed = self._follow()  # before the files are read: a change in between is then reported
            found, _ = self._look(watch, self._scanned())
            return found, _cursor(found) if pushed else None
        finally:
            self._leave()

    def wait_for_change(self, watch: Watch, cursor: object, max_wait: float) -> tuple[list[Instance], object]:
        # Where inotify is blind, on volumes that others write to over a network, the interval is what counts.
        limit = self._clock() + min(max_wait, watch.interval)
        self._enter()
        try:
            known = False  # whether the files are known; otherwise all of them are read
            while True:
                followed, pushed = self._inotify, self._follow()
                if self._inotify is not followed:
                    known = False  # another folder is there now
                seen = self._folder.known() if known else self._scanned()
                found, next_death = self._look(watch, seen)
                left = limit - self._clock()
                if _cursor(found) != cursor or left <= 0 or not pushed:
                    return found, _cursor(found) if pushed else None
                known = self._wait_for_news(watch, cursor, limit, next_death)
        finally:
            self._leave()

    def _scanned(self) -> dict[str, records.InstanceRecord]:
        try:
            return self._folder.scan()
        except OSError as error:
            file = file_of(error)
            what = f"the folder {self._path}" if file in ("", self._path) else file
            raise CatalogUnreachable(f"cannot read {what}: {reason_of(error)}") from None

    def _look(self, watch: Watch, seen: dict[str, records.InstanceRecord]) -> tuple[list[Instance], float]:
        """The instances, and when the first of them will die if nothing happens."""
        now = self._wall()
        alive = [
            record
            for record in seen.values()
            if record.name == watch.name
            and record.status == PASSING
            and record.deadline > now
            and (not watch.tag or watch.tag in record.tags)
        ]
        alive.sort(key=lambda record: record.id)
        found = [Instance(record.id, record.address, record.port, record.tags) for record in alive]
        return found, min((record.deadline for record in alive), default=float("inf"))

    # --- waiting

    def _follow(self) -> bool:
        """Has inotify look at the folder that is there now; false if it cannot."""
        try:
            status = os.stat(to_bytes(self._path))
            inode = (status.st_dev, status.st_ino)
            if self._inotify is None or self._inode != inode:
                self._unfollow()
                self._inotify = self._open_inotify(self._path)
                self._inode = inode
        except OSError:
            return False
        return True

    def _unfollow(self) -> None:
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None

    def _wait_for_news(self, watch: Watch, cursor: object, limit: float, next_death: float) -> bool:
        """Until there may be another answer, or the time is over; false if all files are to be looked at.

        Heartbeats of any service are not changes: there may be a hundred in a second.
        """
        while True:
            names = self._wait(max(0.0, min(limit - self._clock(), next_death - self._wall())))
            if names is None or self._clock() >= limit:
                return False
            try:
                if self._folder.refresh(names, watch.name, self._wall()):
                    return True
            except OSError:
                return False  # a look at all files meets it again, and reports it
            if self._wall() >= next_death:  # as it was before the heartbeats that came meanwhile
                found, next_death = self._look(watch, self._folder.known())
                if _cursor(found) != cursor:
                    return False  # where inotify is blind there may have been others

    def _wait(self, seconds: float) -> set[str] | None:
        """Until something happens or the time is over; the names of the files that it happened to; None: any."""
        wakeup, inotify = self._wakeup, self._inotify
        assert wakeup is not None
        assert inotify is not None
        wakeup.wait(seconds, (inotify.fd,))
        with self._guard:
            if self._closed or self._interrupted:
                raise CatalogClosed("the wait was broken off")
        return inotify.drain()

    def _enter(self) -> None:
        with self._guard:
            if self._closed:
                raise CatalogClosed("the catalogue is closed")
            if self._wakeup is None:
                try:
                    self._wakeup = Wakeup()
                except OSError as error:
                    raise CatalogUnreachable(f"cannot wait for changes of {self._path}: {reason_of(error)}") from None
            self._calling = True
            self._interrupted = False

    def _leave(self) -> None:
        with self._guard:
            self._calling = False
            if self._closed:
                self._free()

    def _free(self) -> None:
        """With the guard held, and no call under way: so no descriptor is closed twice, or under its reader."""
        self._folder.close()
        self._unfollow()
        if self._wakeup is not None:
            self._wakeup.close()

    def interrupt(self) -> None:
        with self._guard:
            self._interrupted = True
            if self._wakeup is not None:
                self._wakeup.ring()

    def close(self) -> None:
        with self._guard:
            self._closed = True
            if not self._calling:
                self._free()
            elif self._wakeup is not None:
                self._wakeup.ring()


def _cursor(found: list[Instance]) -> tuple[Instance, ...]:
    return tuple(found)
