"""Imports the part of urllib3 that a connection needs. It takes half the memory of a whole `import urllib3`.

urllib3 and `http.client` are executed as modules of this subset, which are not in `sys.modules`. Their global names
include an `__import__` of the subset, the function that the interpreter calls for each `import` statement in them. So
only their code sees the replacements below: no other thread can get one or has to wait, and an `import urllib3`
elsewhere gives the real, whole package.

The client uses documented names of urllib3 only. All of urllib3 has the same names, and is imported where the subset
does not work: with a newer Python or a newer urllib3.
"""

from __future__ import annotations

import builtins
import sys
from _thread import RLock, allocate_lock
from io import BytesIO

from cp.catalog.http.connection import connection_type
from cp.catalog.http.headers import Message, Parser
from cp.catalog.protocol import CatalogError
from cp.config.endpoint import PORTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

    Warn = Callable[[str], object]

CLIENT, CONNECTION, TLS = "http.client", "urllib3.connection", "urllib3.util.ssl_"
# Whose modules are executed for the subset alone. What it can do without of these packages is their `__init__`:
# that of urllib3 imports pools of connections, retries and forms.
PACKAGES = ("email", "urllib3")
# Not found from inside of the subset: TLS (libssl and libcrypto take 5 MB), and compressions, which it offers to no
# server.
ABSENT = frozenset({"backports", "brotli", "brotlicffi", "compression", "ssl"})

# The response to the first request of a subset, which shows that its parts fit together.
PROBE = b"HTTP/1.1 200 OK\r\nX-Probe: yes\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"

_guard = allocate_lock()
_loaded: Urllib3 | None = None


class Urllib3:
    """What the HTTP client uses of urllib3, and of `http.client` below it."""

    __slots__ = ("_import", "_tls", "connection_types", "exceptions", "signs_of_closing")

    def __init__(self, import_module: Callable[[str], ModuleType]) -> None:
        module = import_module(CONNECTION)
        self.connection_types = {scheme: connection_type(module, port) for scheme, port in PORTS.items()}
        import_module("urllib3.response")  # which the first response would import
        client = import_module(CLIENT)
        # ValueError is what http.client raises for some malformed responses, and for a socket closed under it.
        self.exceptions = (OSError, ValueError, client.HTTPException, import_module("urllib3.exceptions").HTTPError)
        self.signs_of_closing = (ConnectionError, client.BadStatusLine)
        self._import = import_module
        self._tls: ModuleType | None = None

    def tls(self, warn: Warn) -> ModuleType:
        """The module that has `create_urllib3_context` and `ssl_wrap_socket`. CatalogError if Python has no TLS."""
        with _guard:
            if self._tls is None:
                self._tls = _import_tls(self._import, warn)
            return self._tls


def load_urllib3(warn: Warn) -> Urllib3:
    """The subset, imported at the first call. CatalogError if this Python lacks a module that urllib3 needs.

    `warn` gets one line if the subset does not work and all of urllib3 is imported.
    """
    global _loaded
    with _guard:
        if _loaded is None:
            try:
                loaded = Urllib3(Subset().get)
                check(loaded)
            except Exception as error:  # whatever another Python or urllib3 makes of it
                try:
                    loaded = Urllib3(import_whole)
                except ImportError as missing:
                    raise CatalogError(_missing(missing)) from None
                _warn(warn, error)
            _loaded = loaded
        return _loaded


def import_whole(name: str) -> ModuleType:
    """The real module. ImportError."""
    __import__(name)
    return sys.modules[name]


def check(loaded: Urllib3) -> None:
    """Make one request without a socket. Any exception if urllib3 does not do what it does elsewhere."""
    server: Any = Probe()
    connection = loaded.connection_types["http"]("localhost", 80, lambda: server)
    connection.connect()
    connection.request("PUT", "/", body=b"{}", headers={}, preload_content=False, decode_content=False)
    response = connection.getresponse()
    body = b""
    while piece := response.read1(64):
        body += piece
    connection.close()
    if not server.sent.startswith(b"PUT / HTTP/1.1\r\n") or not server.sent.endswith(b"\r\n\r\n{}"):
        raise ValueError("it sends another request than expected")
    if (response.status, response.headers.get("x-probe"), body) != (200, "yes", b"ok"):
        raise ValueError("it receives another response than expected")


class Probe:
    """The socket to a server that sends one response."""

    def __init__(self) -> None:
        self.sent = b""

    def settimeout(self, seconds: float | None) -> None: ...

    def sendall(self, data: bytes) -> None:
        self.sent += data

    def makefile(self, mode: str) -> BytesIO:
        return BytesIO(PROBE)

    def close(self) -> None: ...


def _import_tls(import_module: Callable[[str], ModuleType], warn: Warn) -> ModuleType:
    """The subset has imported this module without `ssl`: execute it again, beside the first one."""
    try:
        import ssl  # noqa: F401
    except ImportError:
        raise CatalogError("cannot use https: this Python has no module 'ssl'; install one that has") from None
    subset = getattr(import_module, "__self__", None)
    if isinstance(subset, Subset):
        try:
            module = subset.with_tls().get(TLS)
            module.create_urllib3_context()
            return module
        except Exception as error:
            _warn(warn, error)
    return import_whole(TLS)


def _warn(warn: Warn, error: Exception) -> None:
    why = " ".join(str(error).split()) or type(error).__name__
    warn(f"cannot use a part of urllib3 alone: {why}; all of it is imported, which takes some megabytes more")


class Subset:
    """Modules that import each other and the replacements, apart from `sys.modules`. For any thread."""

    def __init__(self, absent: frozenset[str] = ABSENT, modules: Mapping[str, ModuleType] | None = None) -> None:
        self._absent = absent
        self._guard = RLock()  # an import within an import is of the same thread
        self._builtins = {**vars(builtins), "__import__": self._import}
        if "__lazy_import__" in self._builtins:  # Python 3.15: the environment may ask for all imports to be lazy
            self._builtins["__lazy_import__"] = self._import
        self._modules = replacements() if modules is None else dict(modules)

    def with_tls(self) -> Subset:
        """Another one with the same modules, in which the one for TLS is imported again and finds `ssl`."""
        modules = {name: module for name, module in self._modules.items() if name != TLS}
        return Subset(self._absent - {"ssl"}, modules)

    def names(self) -> list[str]:
        """Of all modules that are not found in `sys.modules`."""
        with self._guard:
            return list(self._modules)

    def get(self, name: str) -> ModuleType:
        """A module of the subset, executed if it has not been. ImportError."""
        with self._guard:
            if name not in self._modules:
                parent = self.get(name.rpartition(".")[0])
                if name not in self._modules:  # else a package has imported it
                    self._execute(name, parent)
            return self._modules[name]

    def _execute(self, name: str, parent: ModuleType) -> None:
        spec = find_spec(name, parent.__path__)
        module = new_module(name, spec)
        module.__dict__["__builtins__"] = self._builtins  # exec() takes these, and else those of all other modules
        self._modules[name] = module
        setattr(parent, name.rpartition(".")[2], module)  # now, since modules import each other
        loader: Any = spec.loader
        if name == TLS and "ssl" in self._absent:
            # The archive forgets the code that exec_module() has executed, and this one may be needed again.
            exec(loader.get_code(name), module.__dict__)
        else:
            loader.exec_module(module)

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        """In place of the function `__import__`, which has the same parameters."""
        if level:
            assert globals is not None
            package = globals["__package__"].rsplit(".", level - 1)[0]
            name = f"{package}.{name}" if name else package
        first = name.partition(".")[0]
        if first in self._absent:
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)
        if name not in self._modules and name != CLIENT and first not in PACKAGES:
            return __import__(name, globals, locals, fromlist or ())
        module = self.get(name)
        if not fromlist:
            return module if name == first else self._import(first)
        for each in fromlist:
            if not hasattr(module, each):
                self.get(f"{name}.{each}")
        return module


def find_spec(name: str, path: Sequence[str] | None = None) -> ModuleSpec:
    """ModuleNotFoundError."""
    for finder in tuple(sys.meta_path):
        spec = finder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            return spec
    raise ModuleNotFoundError(f"No module named '{name}'", name=name)


def new_module(name: str, spec: ModuleSpec) -> ModuleType:
    """As the import system makes one; it is in no list, and its code has not been executed."""
    module = type(sys)(name)
    module.__spec__, module.__loader__, module.__package__ = spec, spec.loader, spec.parent
    if spec.origin is not None:
        module.__file__ = spec.origin
    if spec.submodule_search_locations is not None:
        module.__path__ = spec.submodule_search_locations
    return module


def replacements() -> dict[str, ModuleType]:
    """By name, what the modules of the subset import in place of others. ModuleNotFoundError."""

    class Logger:
        """Forgets all records: they are for the developers of urllib3."""

        def __getattr__(self, name: str) -> Any:
            return lambda *args, **kwargs: None

    import _datetime  # type: ignore[import-not-found]
    import http

    http_package = new_module("http", http.__spec__)
    http_package.__dict__.update({each: value for each, value in vars(http).items() if each != "client"})
    message = stand_in("email.message", Message=Message)
    parser = stand_in("email.parser", Parser=Parser)
    utils = stand_in("email.utils")
    email = stand_in("email", message=message, parser=parser, utils=utils)
    email.__path__ = find_spec("email").submodule_search_locations or []
    return {
        "http": http_package,
        "urllib3": new_module("urllib3", find_spec("urllib3")),
        # Two classes are all that is needed of its 1 MB.
        "email": email,
        "email.message": message,
        "email.parser": parser,
        "email.utils": utils,
        "logging": stand_in("logging", getLogger=lambda name=None: Logger()),  # 1 MB
        # Its module in C, without the one in Python, which takes 0.4 MB until Python 3.12.
        "datetime": stand_in("datetime", date=_datetime.date),
        # For fingerprints of certificates, jitter of retries, and a package that the archive has not. 1 MB and 15 ms.
        "hashlib": stand_in("hashlib", md5=None, sha1=None, sha256=None),
        "hmac": stand_in("hmac"),
        "random": stand_in("random"),
        "importlib.metadata": stand_in("importlib.metadata", version=None),
    }


def stand_in(name: str, **names: Any) -> ModuleType:
    """A module with these names: a value, or None for a function that imports the real module when it is called.

    All other names are those of the real module, which is imported when one of them is used.
    """
    module = type(sys)(name)

    def real(attribute: str) -> Any:
        if attribute.startswith("__"):  # the import system looks for some that a module need not have
            raise AttributeError(attribute)
        return getattr(__import__(name, None, None, [attribute]), attribute)

    def function(attribute: str) -> Callable[..., Any]:
        return lambda *args, **kwargs: real(attribute)(*args, **kwargs)

    for attribute, value in names.items():
        setattr(module, attribute, function(attribute) if value is None else value)
    module.__dict__["__getattr__"] = real
    return module


def _missing(error: ImportError) -> str:
    name = error.name or "?"
    if name.split(".")[0] == "urllib3":
        return "cannot speak HTTP: the package 'urllib3' is missing: install it, or run containerpilot.pyz"
    return missing_module(name)


def missing_module(name: str) -> str:
    """The message for a module of the standard library that is missing."""
    return (
        f"cannot speak HTTP: this Python's standard library lacks the module '{name}'; "
        "install all of Python (on Debian and Ubuntu the package 'python3', not 'python3-minimal')"
    )
