"""Imports urllib3 with only what this process needs of it.

It takes modules at its import that it hardly ever uses. They are kept out while it is imported, and only then: whoever
asks for them later gets them.

- `ssl` and `_hashlib`, where no address is https: 5 MB of memory, a quarter of what an idle supervisor holds.
- `logging` and all that it brings, about a megabyte: urllib3's log is for its developers and has no reader here.
- `importlib.metadata`, half a megabyte and 15 ms: asked for the version of a package that we do not use.
"""

from __future__ import annotations

import sys
from _thread import allocate_lock

from cp.catalog import CatalogError

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
    stand_ins: dict[str, Any] = {"logging": _silent_logging(), "importlib.metadata": _no_metadata()}
    if not tls:
        stand_ins["ssl"] = None  # which makes its import fail
        if _hashes_without_openssl():
            stand_ins["_hashlib"] = None
    stand_ins = {name: module for name, module in stand_ins.items() if name not in sys.modules}
    sys.modules.update(stand_ins)
    try:
        __import__("urllib3.connection")
    except ImportError:
        _unload()
        raise
    finally:
        for name in stand_ins:
            sys.modules.pop(name, None)
    return "ssl" in stand_ins


def _hashes_without_openssl() -> bool:
    """Has this Python hash functions of its own? Without them `hashlib` prints a traceback for each that it misses."""
    try:
        for name in ("_md5", "_sha1", "_sha3", "_blake2"):
            __import__(name)
    except ImportError:
        return False
    return True


def _silent_logging() -> ModuleType:
    class Logger:
        """Takes any record, and any handler, and forgets it."""

        def __getattr__(self, name: str) -> Any:
            return lambda *args, **kwargs: None

    module = type(sys)("logging")
    module.__dict__.update(getLogger=lambda name=None: Logger(), NullHandler=Logger, DEBUG=10, WARNING=30)
    return module


def _no_metadata() -> ModuleType:
    def version(name: str) -> str:
        raise ImportError(f"the version of {name} is not known here")

    module = type(sys)("importlib.metadata")
    module.__dict__.update(version=version)
    return module


def _unload() -> None:
    global _without_tls
    _without_tls = False
    # http.client too: it has an HTTPSConnection only if it saw ssl when it was imported.
    for name in [name for name in sys.modules if name == "http.client" or name.split(".")[0] == "urllib3"]:
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
