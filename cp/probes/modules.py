"""Imports what the checks of HTTP need, off the loop: h11 takes 30 ms, and `ssl` as much again."""

from __future__ import annotations

from _thread import start_new_thread

from cp import plan
from cp.platform.text import reason_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cp.engine.loop import Loop

    # Receives why the modules cannot be imported; empty: they are imported.
    OnImported = Callable[[str], object]

HINT = "install all of Python (on Debian and Ubuntu the package 'python3', not 'python3-minimal')"
PLAIN, TLS = False, True  # for http, for https


class Modules:
    """The modules for http and for https. An import that has failed is tried again by the next check."""

    __slots__ = ("_awaited", "_imported", "_loop", "_start_thread")

    def __init__(self, loop: Loop, start_thread: Callable[..., object] = start_new_thread) -> None:
        self._loop = loop
        self._start_thread = start_thread
        self._imported: set[bool] = set()
        self._awaited: dict[bool, dict[OnImported, None]] = {}

    def get(self, kind: bool, on_imported: OnImported) -> None:
        """Call back when they are imported; at once if they are."""
        if kind in self._imported:
            on_imported("")
        elif kind in self._awaited:
            self._awaited[kind][on_imported] = None
        else:
            self._awaited[kind] = {on_imported: None}
            try:
                self._start_thread(self._import, (kind,))
            except RuntimeError as error:  # no more threads
                self._end(kind, str(error))

    def import_plain(self) -> None:
        """Import those for http now. Raises whatever an import can raise."""
        if PLAIN not in self._imported:
            import_modules(PLAIN)
            self._imported.add(PLAIN)

    def forget(self, kind: bool, on_imported: OnImported) -> None:
        """Do not call back."""
        if kind in self._awaited:
            self._awaited[kind].pop(on_imported, None)

    def _import(self, kind: bool) -> None:
        try:
            import_modules(kind)
            why = ""
        except ModuleNotFoundError as error:
            why = f"this Python's standard library lacks the module '{error.name}'; {HINT}"
        except Exception as error:  # an import can fail in every way, and the application must run on
            why = reason_of(error)
        self._loop.post(self._end, kind, why)

    def _end(self, kind: bool, why: str) -> None:
        if not why:
            self._imported.add(kind)
        for on_imported in self._awaited.pop(kind, {}):
            on_imported(f"cannot check: {why}" if why else "")


def kinds(wanted: plan.Plan) -> set[bool]:
    """The kinds of modules that the checks of a plan need."""
    found = set()
    for job in wanted.jobs:
        for check in job.health:
            if isinstance(check.probe, plan.HttpProbe):
                found.add(TLS if check.probe.https else PLAIN)
    return found


def import_modules(kind: bool) -> None:
    """Blocks. Raises whatever an import can raise."""
    import cp.probes.exchange

    if kind is TLS:
        import cp.probes.tls  # noqa: F401
