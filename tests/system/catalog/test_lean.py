"""What the catalogue costs a process: modules and memory, and no more than the addresses need."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.system.pilot import ROOT

# All that may be imported on the way to the application's start for registrars and watchers to exist.
EARLY = "import cp.catalog, cp.catalog.registrar, cp.catalog.watcher, cp.catalog.desired, cp.catalog.snapshot"
OPEN = """
import sys
from cp.catalog.factory import open_catalog
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


def test_nothing_is_imported_that_only_others_need() -> None:
    names = (
        "email email.errors email.message email.utils random hashlib hmac logging mimetypes queue urllib3.poolmanager"
    )
    code = f"{OPEN}\nopened('http')\nprint([name for name in {names.split()!r} if name in sys.modules])"
    assert run(code) == "[]"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_whoever_asks_later_gets_the_real_modules(scheme: str) -> None:
    code = f"""{OPEN}
opened({scheme!r})
import email.message, email.parser, email.utils, hashlib, hmac, logging, random, urllib3
import urllib3.util
from urllib3 import exceptions, poolmanager
assert urllib3.util.parse_url("http://a/b").path == "/b"
assert urllib3.__version__.startswith("2.") and urllib3.PoolManager is poolmanager.PoolManager
assert urllib3.exceptions is exceptions and urllib3.connection is sys.modules["urllib3.connection"]
assert hashlib.md5(b"").digest_size == hmac.new(b"a", b"b", "md5").digest_size == 16
assert 0 <= random.random() < 1 and logging.INFO == 20
assert urllib3.Retry(backoff_jitter=0.5).parse_retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
assert email.parser.Parser().parsestr("A: b").policy and email.errors.MessageError
print(hasattr(urllib3, "gibberish"), len([each for each in sys.modules if each.startswith("email")]) > 5)
"""
    assert run(code) == "False True"


def test_another_user_of_urllib3_speaks_http_with_it() -> None:
    code = f"""{OPEN}
import socket, _thread
opened("http")
listener = socket.create_server(("127.0.0.1", 0))
def serve():
    connection, _ = listener.accept()
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\\r\\nX: a\\r\\n b\\r\\nContent-Length: 2\\r\\n\\r\\nok")
_thread.start_new_thread(serve, ())
import urllib3
answer = urllib3.PoolManager().request("GET", f"http://127.0.0.1:{{listener.getsockname()[1]}}/", retries=0)
print(answer.data, answer.headers["x"])
"""
    assert run(code) == "b'ok' a b"


def test_a_module_asked_for_while_another_stands_in_is_there_at_once() -> None:
    code = """
from cp.catalog.http.stand_ins import stand_in
sys.modules["hashlib"] = stood_in = stand_in("hashlib", "md5")
import hashlib
assert hashlib is stood_in
print(hashlib.md5(b"").hexdigest()[:4], hashlib.sha1(b"").hexdigest()[:4], sys.modules["hashlib"] is stood_in)
"""
    assert run(code) == "d41d da39 False"


def test_a_module_that_is_there_already_stays() -> None:
    code = f"""
import email.utils, logging, random, urllib.request
before = dict(sys.modules)
{OPEN}
opened("http")
assert {{name: sys.modules[name] for name in before}} == before
"""
    assert run(code) == ""


def test_https_has_tls() -> None:
    code = (
        f"{OPEN}\nopened('https')\nprint([name for name in ('ssl', 'email.utils', 'logging') if name in sys.modules])"
    )
    assert run(code) == "['ssl']"


def test_a_reload_can_change_from_http_to_https_and_back() -> None:
    code = f"""{OPEN}
from cp.catalog.protocol import CatalogUnreachable
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


def test_a_client_from_before_a_reload_still_understands_what_goes_wrong() -> None:
    code = f"""{OPEN}
import socket, _thread
from cp.catalog.protocol import CatalogGarbage
from cp.plan import Service
listener = socket.create_server(("127.0.0.1", 0))
address = f"127.0.0.1:{{listener.getsockname()[1]}}"
client = open_catalog(ConsulSettings(address=address, scheme="http"), environ={{}})
opened("https")
def serve():
    connection, _ = listener.accept()
    connection.recv(65536)
    connection.sendall(b"gibberish\\r\\n\\r\\n")
_thread.start_new_thread(serve, ())
try:
    client.deregister(Service(name="a", id="a", address="", port=1, ttl=1))
except CatalogGarbage as error:
    print(str(error).replace(address, "there"))
"""
    assert run(code) == "Consul at http://there does not answer in HTTP: gibberish"


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
    assert int(run(code)) < 18_500
