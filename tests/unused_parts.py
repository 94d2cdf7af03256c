"""Parts of a `Context` for tests in which no job has a probe, `ready` or a watchdog."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, TypedDict

if TYPE_CHECKING:
    from cp.engine.ports import OpenMonitor, OpenProbe


class UnusedParts(TypedDict):
    open_probe: OpenProbe
    open_monitor: OpenMonitor


def _unexpected(*arguments: object) -> NoReturn:
    raise AssertionError(f"this test has no probe and no monitor: {arguments}")


UNUSED: UnusedParts = {"open_probe": _unexpected, "open_monitor": _unexpected}
