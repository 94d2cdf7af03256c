"""What the catalogue costs a process: modules and memory, and no more than the addresses need."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.system.pilot import ROOT

# All that may be imported on the way to the application's start for registrars and watchers to exist.
EARLY = "import cp.catalog, cp.catalog.registrar, cp.catalog.watcher, cp.catalog.goals, cp.catalog.changes"
OPEN = """
import sys
from cp.catalog.opener import open_catalog
from cp.plan import ConsulSettings
def opened(scheme):
    return open_catalog(ConsulSettings(address="127.0.0.1:1", scheme=scheme), environ={})
"""


def run(code: str) -> str:
    """The output of a new Python that runs it."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    result = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{code}"],
        cwd=ROOT, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout.strip()


def test_registrar_and_watcher_can_exist_before_anything_is_imported_for_them() -> None:
    forbidden = "re json socket signal logging enum typing threading queue ssl urllib3 http collections.abc dataclasses"
    assert run(f"{EARLY}\nprint([name for name in {forbidden.split()!r} if name in sys.modules])") == "[]"


def test_plain_http_needs_no_tls() -> None:
    code = f"{OPEN}\nopened('http')\nprint([name for name in ('ssl', '_ssl', '_hashlib') if name in sys.modules])"
    assert run(code) == "[]"


def test_the_missing_half_is_not_missing_for_others() -> None:
    code = "import ssl, hashlib, importlib.metadata as metadata\nprint(metadata.version('urllib3').split('.')[0])"
    assert run(f"{OPEN}\nopened('http')\n{code}") == "2"


def test_https_has_tls() -> None:
    code = f"{OPEN}\nopened('https')\nprint('ssl' in sys.modules)"
    assert run(code) == "True"


def test_a_reload_can_change_from_http_to_https_and_back() -> None:
    code = f"""{OPEN}
from cp.catalog import CatalogUnreachable
from cp.plan import Service
one = Service(name="a", id="a", address="", port=1, ttl=1)
first = opened("http")
for catalog in (first, opened("https"), first, opened("http")):
    try:
        catalog.deregister(one)
    except CatalogUnreachable as error:
        print(error)
"""
    schemes = ("http", "https", "http", "http")
    assert run(code).splitlines() == [
        f"cannot reach Consul at {scheme}://127.0.0.1:1: connection refused" for scheme in schemes
    ]


def test_a_python_without_http_says_so() -> None:
    """As Debian's python3-minimal, which has no `http` package."""
    code = "sys.modules['http.client'] = None\ntry:\n    opened('http')\nexcept Exception as error:\n    print(error)"
    assert run(f"{OPEN}\n{code}") == (
        "cannot speak HTTP: this Python's standard library lacks the module 'http.client'; "
        "install all of Python (on Debian and Ubuntu the package 'python3', not 'python3-minimal')"
    )


def test_memory_of_a_client_for_plain_http() -> None:
    """The budget for a whole program with one service and one watch is 18 MB."""
    code = f"{OPEN}\nopened('http')\nprint(open('/proc/self/status').read().partition('VmRSS:')[2].split()[0])"
    assert int(run(code)) < 20_000
