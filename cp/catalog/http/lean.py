"""Imports urllib3 with only what this process needs of it.

While it is imported, others stand in for modules that it hardly ever uses, and only then: whoever asks for them later
gets them, urllib3 included.
"""

from __future__ import annotations

import sys
from _thread import allocate_lock

from cp.catalog.http.stand_ins import stand_ins
from cp.catalog.protocol import CatalogError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

_guard = allocate_lock()
_without_tls = False  # urllib3 was imported, and sees no ssl


def urllib3_connection(tls: bool) -> ModuleType:
    """The module `urllib3.connection`. CatalogError if this Python lacks something it needs."""
    global _without_tls
    with _guard:
        if tls and _without_tls:
            _unload()  # a reload brought the first https address
        if "urllib3" not in sys.modules:
            try:
                _without_tls = _import(tls)
            except ImportError as error:
                raise CatalogError(_missing(error)) from None
        module = sys.modules["urllib3.connection"]
        if tls and getattr(module, "ssl", None) is None:
            raise CatalogError("cannot use https: this Python has no module 'ssl'; install one that has")
        return module


def _import(tls: bool) -> bool:
    """True if ssl was kept out; where somebody else has imported a module before, there is nothing to gain."""
    ours: dict[str, Any] = {name: module for name, module in stand_ins(tls).items() if name not in sys.modules}
    sys.modules.update(ours)
    try:
        __import__("urllib3.connection")
    except ImportError:
        _unload()
        raise
    finally:
        for name in ours.keys() - {"urllib3"}:
            if sys.modules.get(name) is ours[name]:
                sys.modules.pop(name, None)
        if "email" in ours:
            _forget("email")  # what was imported into that
    return "ssl" in ours


def _unload() -> None:
    global _without_tls
    _without_tls = False
    _forget("urllib3")
    sys.modules.pop("http.client", None)  # it has an HTTPSConnection only if it saw ssl when it was imported


def _forget(package: str) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]


def _missing(error: ImportError) -> str:
    name = error.name or "?"
    if name.split(".")[0] == "urllib3":
        return "cannot speak HTTP: the package 'urllib3' is missing; containerpilot.pyz brings it, else install it"
    return missing_module(name)


def missing_module(name: str) -> str:
    """What to say of a module of the standard library that is not there."""
    return (
        f"cannot speak HTTP: this Python's standard library lacks the module '{name}'; "
        "install all of Python (on Debian and Ubuntu the package 'python3', not 'python3-minimal')"
    )
