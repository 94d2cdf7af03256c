"""All cells of the matrix, several at a time: most of a scene is waiting for the next second."""

from __future__ import annotations

import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.images import scene, seccomp
from tests.images.conditions import CONDITIONS
from tests.images.rows import Unavailable
from tests.system.program import WITHOUT_ROOT, namespaces

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.images.conditions import Condition
    from tests.images.rows import Row

OK, FAILED, NOT_APPLICABLE = "ok", "failed", "n.a."

AT_ONCE = 8


class Outcome(NamedTuple):
    """The result of one cell; `reason` is empty if it is ok."""

    row: Row
    condition: Condition
    result: str
    reason: str
    seconds: float


def require_namespaces() -> None:
    """Unavailable, with the reason, where a process cannot get namespaces of its own."""
    command = [*namespaces("--mount"), "true"]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        raise Unavailable("cannot play the scene: there is no program `unshare`; install util-linux") from None
    except subprocess.CalledProcessError as error:
        raise Unavailable(
            f"cannot play the scene without namespaces of its own: {error.stderr.strip()}\n"
            "Run it as root, or where users may make namespaces; in a container, with --privileged."
        ) from None


def why_not(condition: Condition) -> str:
    """Why this condition is not available here; empty if it is."""
    if condition.needs_root and WITHOUT_ROOT[0] in namespaces():
        return "only root can become another user"
    if condition.seccomp and not seccomp.known():
        return "the numbers of this machine's system calls are not known here"
    return ""


def play(row: Row, condition: Condition, archive: Path) -> Outcome:
    if reason := why_not(condition):
        return Outcome(row, condition, NOT_APPLICABLE, reason, 0.0)
    began = time.monotonic()
    result, reason = OK, ""
    with tempfile.TemporaryDirectory(prefix="cp-image-") as folder:
        Path(folder).chmod(0o755)
        try:
            scene.play(row, condition, archive, Path(folder))
        except Exception as error:  # whatever happens in one cell, the others are played
            result, reason = FAILED, str(error) if isinstance(error, AssertionError) else repr(error)
    return Outcome(row, condition, result, reason, time.monotonic() - began)


def quick(row: Row) -> list[Condition]:
    """Under which conditions the quick run plays: this machine's own Pythons, of which there may be many and which all
    other tests run on, only under those where one Python may differ from another."""
    return [each for each in CONDITIONS if row.image != Path("/") or each.quick]


def play_all(
    cells: Sequence[tuple[Row, Condition]],
    archive: Path,
    on_end: Callable[[Outcome], object] = lambda outcome: None,
) -> list[Outcome]:
    """Runs all of these, and calls `on_end` with each that ends, on a thread of its own."""

    def one(cell: tuple[Row, Condition]) -> Outcome:
        outcome = play(*cell, archive)
        on_end(outcome)
        return outcome

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, cells))
