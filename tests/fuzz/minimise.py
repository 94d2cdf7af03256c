"""The few small inputs that together reach as much as all: every line, every step from line to line."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType

MOST = 60  # inputs of a target that are kept
LARGEST_SUM = 10_000  # bytes of a target's inputs

Steps = set[tuple[int, int, int]]
_PRODUCT = str(Path(__file__).parents[2] / "cp") + os.sep


def steps_of(target: Callable[[bytes], None], data: bytes) -> Steps | None:
    """The code of the product that an input reaches; None if it finds an error."""
    steps: Steps = set()

    def in_function(frame: FrameType, event: str, argument: Any) -> Any:
        code = id(frame.f_code)
        last = 0

        def at_line(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal last
            steps.add((code, last, frame.f_lineno))
            last = frame.f_lineno
            return at_line

        return at_line if frame.f_code.co_filename.startswith(_PRODUCT) else None

    sys.settrace(in_function)
    try:
        target(data)
    except Exception:  # any exception: the input is not a good one
        return None
    finally:
        sys.settrace(None)
    return steps


def chosen(target: Callable[[bytes], None], inputs: Iterable[bytes]) -> list[bytes]:
    """The ones to keep: the smallest first, each for what only it adds; then those that add most."""
    reached: Steps = set()
    useful: list[tuple[int, bytes]] = []
    for data in sorted(set(inputs), key=lambda data: (len(data), data)):
        steps = steps_of(target, data)
        if steps is None or steps <= reached:
            continue
        useful.append((len(steps - reached), data))
        reached |= steps
    useful.sort(key=lambda one: -one[0])
    kept: list[bytes] = []
    for _, data in useful[:MOST]:
        if sum(map(len, kept)) + len(data) <= LARGEST_SUM:
            kept.append(data)
    return kept


def name_of(data: bytes) -> str:
    """The name of an input's file."""
    return hashlib.sha256(data).hexdigest()[:16]


def read_folder(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.iterdir())] if folder.is_dir() else []


def write_folder(folder: Path, inputs: Iterable[bytes]) -> int:
    """Have just these inputs there; how many are new."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {name_of(data): data for data in inputs}
    for path in folder.iterdir():
        if path.name not in wanted:
            path.unlink()
    new = [name for name in wanted if not (folder / name).exists()]
    for name in new:
        (folder / name).write_bytes(wanted[name])
    return len(new)
