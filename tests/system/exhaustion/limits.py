"""The beginnings of commands that take something away from the rest, and small places that fill up."""

from __future__ import annotations

import itertools
import os
import resource
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.system.jobs.configs import Job, advertised, config, job
from tests.system.pilot import wait_for
from tests.system.scripts import mark, until_term

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.system.pilot import Pilot

IS_ROOT = os.geteuid() == 0
NEW_USER = () if IS_ROOT else ("--user", "--map-root-user")
READS_ALL = "+dac_override,+dac_read_search"
# Nobody has these uids. Each is used once, for what is left of a test would count against the next one.
_uids = itertools.count(200_000 + 1000 * (os.getpid() % 10_000))


def files(number: int) -> list[str]:
    """No more descriptors than that, though the limit can be raised again."""
    return ["prlimit", f"--nofile={number}:"]


def memory(size: int) -> list[str]:
    """No more address space than that, in bytes."""
    return ["prlimit", f"--as={size}:"]


def processes(number: int) -> list[str]:
    """A user of its own that may have so many processes and threads. root, who has no limit, becomes another one."""
    if not IS_ROOT:
        return ["env", "unshare", *NEW_USER, "prlimit", f"--nproc={number}"]
    user = ["--reuid", str(next(_uids)), "--clear-groups", "--inh-caps", READS_ALL, "--ambient-caps", READS_ALL]
    return ["prlimit", f"--nproc={number}", "setpriv", *user]


def small_disk(folder: Path, size: str) -> list[str]:
    """A file system of its own at this place, which only the program and its children see (`inside`)."""
    script = f'mount -t tmpfs -o size={size} none "{folder}" && exec "$@"'
    return ["env", "unshare", "--mount", *NEW_USER, "sh", "-c", script, "sh"]


def inside(pilot: Pilot, folder: Path) -> Path:
    """The same place as the program sees it."""
    return Path(f"/proc/{pilot.pid}/root{folder}")


def fill(folder: Path) -> Path:
    """A file that takes all the room that is left."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (65536, 1):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue
    return filler


@contextmanager
def lowered(pilot: Pilot, what: int, value: int) -> Iterator[None]:
    """Gives the program and its children a lower soft limit of one of `resource`'s RLIMIT_* for a while."""
    soft, hard = resource.prlimit(pilot.pid, what)
    resource.prlimit(pilot.pid, what, (value, hard))
    try:
        yield
    finally:
        if pilot.is_running():
            resource.prlimit(pilot.pid, what, (soft, hard))


# --- what is supervised while that happens

CODE = 7  # of the application, when it gets SIGTERM
TICK = 0.25  # seconds


def app(**more: Any) -> Job:
    """Runs until SIGTERM, and is checked and registered. It starts nothing while it runs, for that may fail."""
    health = {"exec": mark("check"), "interval": 1, "ttl": 10}
    return advertised(command=until_term(code=CODE), main=True, health=health, **more)


def tick() -> Job:
    """Leaves a mark every TICK seconds."""
    return job("tick", mark("tick"), when={"interval": f"{int(TICK * 1000)}ms"})


def supervised(*jobs: Job, **more: Any) -> dict[str, Any]:
    """An application, what ticks, and these jobs."""
    return config(app(), tick(), *jobs, directory="catalogue", **more)


def is_registered(pilot: Pilot) -> bool:
    return any((pilot.folder / "catalogue").glob("app-*.json"))


def wait_for_two_ticks(pilot: Pilot) -> None:
    """From now on."""
    pilot.wait_for_mark("tick", pilot.count("tick") + 2)


def ends_well(pilot: Pilot, code: int = CODE) -> None:
    """An ordinary stop: the application's code, no processes left, and no internal error."""
    pilot.signal("TERM")
    found = pilot.wait_exit()
    assert found == code, f"{found}\n{pilot.report()}"
    pilot.assert_nothing_is_left()
    output = pilot.output() + pilot.errors()
    assert "internal error" not in output, pilot.report()
    assert "Traceback" not in output, pilot.report()


def same_descriptors(pilot: Pilot, before: dict[int, str]) -> None:
    """Waits until the number of open descriptors is that of before. A check or a tick under way may delay it."""
    wait_for(lambda: len(pilot.descriptors()) <= len(before), what=f"{len(before)} descriptors")
