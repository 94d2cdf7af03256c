"""What stands in for modules that urllib3 names at its import and this process hardly ever uses.

- `ssl`, where no address is https: 5 MB of memory, a quarter of what an idle supervisor holds. `hashlib` and `hmac`
  are for its certificates.
- `logging` and all that it brings, about a megabyte: urllib3's log is for its developers and has no reader here.
- `email`, of which two classes for the headers of an answer are all that is needed: another megabyte.
- `urllib3` itself, whose `__init__` imports pools of connections, retries and forms: half a megabyte.
- `importlib.metadata`, half a megabyte and 15 ms: asked for the version of a package that we do not use.
- Compressions, which we do not offer to any server.
"""

from __future__ import annotations

import sys

from cp.catalog.http.headers import Message, Parser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

NOT_HERE = None  # in `sys.modules` it makes an import fail


def stand_ins(tls: bool) -> dict[str, ModuleType | None]:
    """By name, for `sys.modules`, where they may take no other module's place. ImportError if there is no urllib3."""
    found: dict[str, ModuleType | None] = {
        "urllib3": package("urllib3"),
        "logging": _silent_logging(),
        "importlib.metadata": _no_metadata(),
        "random": stand_in("random"),
        "brotli": NOT_HERE,
        "brotlicffi": NOT_HERE,
        "backports.zstd": NOT_HERE,
        "compression.zstd": NOT_HERE,
    }
    if "email" not in sys.modules:
        email = found["email"] = package("email")
        for part in (
            stand_in("email.message", Message=Message),
            stand_in("email.parser", Parser=Parser),
            stand_in("email.utils"),
        ):
            found[part.__name__] = part
            setattr(email, part.__name__.partition(".")[2], part)
    if not tls:
        found["ssl"] = NOT_HERE
        found["hashlib"] = stand_in("hashlib", "md5", "sha1", "sha256")
        found["hmac"] = stand_in("hmac")
    return found


def stand_in(name: str, *functions: str, **names: Any) -> ModuleType:
    """A module that imports the real one when it is asked for more than `names`, or one of `functions` is called."""
    module = type(sys)(name)

    def ask(wanted: str) -> Any:
        if wanted.startswith("__"):  # the import system looks for some that are not there
            raise AttributeError(wanted)
        if sys.modules.get(name) is module:  # asked for while it stands in, which nobody expected
            del sys.modules[name]
        __import__(name)
        return getattr(sys.modules[name], wanted)

    def later(function: str) -> Callable[..., Any]:
        return lambda *args, **kwargs: ask(function)(*args, **kwargs)

    module.__dict__.update(names, __getattr__=ask)
    module.__dict__.update({function: later(function) for function in functions})
    return module


def package(name: str) -> ModuleType:
    """The real package, but its `__init__` runs when somebody asks for a name that it might define. ImportError."""
    spec = next((spec for finder in sys.meta_path if (spec := finder.find_spec(name, None))), None)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"No module named '{name}'", name=name)
    loader = spec.loader
    module = type(sys)(name)

    def ask(wanted: str) -> Any:
        if module.__dict__.pop("__getattr__", None):
            loader.exec_module(module)
        return getattr(module, wanted)

    module.__spec__, module.__loader__, module.__package__ = spec, loader, name
    module.__file__, module.__path__ = spec.origin, spec.submodule_search_locations or []
    module.__dict__["__getattr__"] = ask
    return module


def _silent_logging() -> ModuleType:
    class Logger:
        """Takes any record, and any handler, and forgets it."""

        def __getattr__(self, name: str) -> Any:
            return lambda *args, **kwargs: None

    return stand_in("logging", getLogger=lambda name=None: Logger(), NullHandler=Logger, DEBUG=10, WARNING=30)


def _no_metadata() -> ModuleType:
    def version(name: str) -> str:
        raise ImportError(f"the version of {name} is not known here")

    return stand_in("importlib.metadata", version=version)
