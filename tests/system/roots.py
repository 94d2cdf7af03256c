"""Root file systems that replace the images of registries: Python, and the few tools that Dockerfiles here need.

They are made of this machine's own interpreter, without bytecode, tests and packages, as the official images have it.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.system.containers import link
from tests.system.pilot import ROOT, interpreter

TOOLS = (
    *("sh", "bash", "cat", "sha256sum", "cp", "mkdir", "chmod", "ln", "ls", "mv", "rm", "env", "sleep", "echo", "id"),
    *("awk", "find", "grep", "ldd", "sed", "sort", "test", "touch", "true", "xargs", "wc", "head"),
)
# With what these import it is a fifth of the standard library: to copy and to compile all of it takes its time.
MODULES = (
    *("__future__", "_sitebuiltins", "argparse", "calendar", "codecs", "compileall", "ctypes", "ctypes.util"),
    *("dataclasses",),
    *("encodings.ascii", "encodings.idna", "encodings.latin_1", "encodings.utf_8", "errno", "fcntl", "gzip", "hashlib"),
    *("hmac", "html", "http.client", "http.server", "importlib.metadata", "importlib.resources", "inspect"),
    *("ipaddress", "json", "logging", "mimetypes", "ntpath", "pkgutil", "queue", "random", "runpy", "select"),
    *("selectors", "shlex", "signal", "site", "socket", "socketserver", "ssl", "struct", "subprocess", "sysconfig"),
    *("tempfile", "threading", "traceback", "typing", "unicodedata", "urllib.request", "uuid", "zipfile", "zlib"),
)
# Of the Python that is there as a whole.
LEFT_OUT = (
    *("__pycache__", "proc", "asyncio", "cp[0-9]*.py", "curses", "dbm", "iso*.py", "lib2to3", "mac_*.py"),
    *("multiprocessing", "pydoc*", "sqlite3", "tarfile.py", "tomllib", "turtle*", "unittest", "venv", "wsgiref", "xml"),
    *("xmlrpc", "zoneinfo", "_py*.py", "doctest.py", "pickle*.py", "optparse.py", "pdb.py", "imaplib.py", "mailbox.py"),
)
# Replaces a package manager. It can only install Python, which is on the image already.
INSTALL = """#!/bin/sh
case " $* " in
*" python3 "*) cp -a /not-installed/. /usr/ ;;
esac
"""

_LOOK = """
import importlib, json, os, sys, sysconfig
sys.path[:] = [path for path in sys.path if "site-packages" not in path and "dist-packages" not in path]
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ImportError:  # of a newer or an older Python, or one without it
        pass
loaded = {m.__spec__.origin for m in list(sys.modules.values()) if getattr(m, "__spec__", None)}
print(json.dumps([sys._base_executable, "%d.%d" % sys.version_info[:2], sysconfig.get_path("stdlib"),
                  sorted(os.path.join(os.path.dirname(os.__file__), "os.py") if path == "frozen" else path
                         for path in loaded if path and path != "built-in")]))
"""


class Python(NamedTuple):
    executable: Path
    version: str
    library: Path
    modules: list[Path]


def this_python() -> Python:
    command = [interpreter(), "-I", "-S", "-X", "frozen_modules=off", "-c", _LOOK, *MODULES]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    executable, version, library, modules = json.loads(done.stdout)
    return Python(Path(executable).resolve(), version, Path(library), [Path(module) for module in modules])


def put_python(prefix: Path, python: Python) -> None:
    """As an installation under `prefix`: bin/python3, bin/python, lib/python3.X."""
    library = prefix / "lib" / f"python{python.version}"
    for module in python.modules:
        if module.suffix == ".so":
            target = library / "lib-dynload" / module.name
        elif module.is_relative_to(python.library):
            target = library / module.relative_to(python.library)
        else:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(module, target)
    # Since 3.13 it puts another module into its own place, and nothing tells of the file.
    shutil.copy2(python.library / "collections" / "abc.py", library / "collections")
    (library / "site-packages").mkdir()
    programs = prefix / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    shutil.copy2(python.executable, programs / "python3")
    for name in ("python", f"python{python.version}"):
        (programs / name).symlink_to("python3")


def put_libraries(root: Path) -> None:
    """The shared libraries of all programs in a root, each at its own place."""
    programs = [path for path in root.rglob("*") if path.is_file() and is_native(path)]
    done = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False)
    for library in set(re.findall(r"(?:=> |^\s+)(/\S+) \(0x", done.stdout, re.M)):
        target = root / library.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            shutil.copy2(library, target)


def is_native(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def put_tools(root: Path, tools: tuple[str, ...] = TOOLS) -> None:
    programs = root / "usr" / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    for tool in tools:
        found = shutil.which(tool)
        assert found is not None, f"this machine has no {tool}"
        shutil.copy2(found, programs / tool)
    (root / "bin").symlink_to("usr/bin")


def put_basics(root: Path) -> None:
    """The files that every image has and every runtime adds."""
    for folder in ("etc", "proc", "dev", "run", "var", "root", "srv", "tmp"):
        (root / folder).mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)
    if not (root / "var" / "run").is_symlink():
        (root / "var" / "run").symlink_to("/run")
    (root / "etc" / "hosts").write_text("127.0.0.1 localhost\n10.0.0.5 box1\n")
    (root / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc" / "nsswitch.conf").write_text("hosts: files\n")


def official(root: Path, python: Python) -> None:
    """`python:3-slim`, `python:3-alpine`: in /usr/local, with a shell."""
    put_python(root / "usr" / "local", python)
    put_tools(root)
    put_libraries(root)
    put_basics(root)


def without_shell(root: Path, python: Python) -> None:
    """Distroless: in /usr, and nothing else."""
    put_python(root / "usr", python)
    put_libraries(root)
    put_basics(root)


def with_package_manager(root: Path, python: Python) -> None:
    """A distribution: no Python before one is installed."""
    put_python(root / "not-installed", python)
    put_tools(root)
    for manager in ("apt-get", "microdnf", "apk"):
        program = root / "usr" / "bin" / manager
        program.write_text(INSTALL)
        program.chmod(0o755)
    put_libraries(root)
    put_basics(root)


def alpine(root: Path, python: Python) -> None:
    """`python:3-alpine`: the Python that was built with musl, and busybox, where the tests of images have made them."""
    if not (MUSL / "usr" / "local" / "bin" / "python3").exists():
        official(root, python)
        return
    shutil.copytree(MUSL, root, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*LEFT_OUT))
    if not (root / "usr" / "bin").exists():
        (root / "usr" / "bin").symlink_to("../bin")
    put_basics(root)


MUSL = ROOT / ".cache" / "images" / "musl"
MAKERS = {
    "official": official,
    "alpine": alpine,
    "without shell": without_shell,
    "package manager": with_package_manager,
}


class Roots:
    """Makes each kind once, and copies of it from then on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._python = this_python()

    def put(self, kind: str, root: Path) -> None:
        made = self._folder / kind.replace(" ", "-")
        if not made.exists():
            made.mkdir(parents=True)
            MAKERS[kind](made, self._python)
        link(made, root)
