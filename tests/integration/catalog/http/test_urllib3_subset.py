"""The subset of urllib3: nobody else sees it, all of urllib3 takes its place where it does not work, and its memory."""

from __future__ import annotations

import sys

import pytest

from tests.new_python import run

# All that may be imported on the way to the application's start for registrars and watchers to exist.
EARLY = "import cp.catalog, cp.catalog.registrar, cp.catalog.watcher, cp.catalog.desired, cp.catalog.snapshot"
OPEN = """
import sys
from cp.catalog.factory import open_catalog
from cp.plan import ConsulSettings
warnings = []
def opened(scheme, port=1):
    settings = ConsulSettings(address=f"127.0.0.1:{port}", scheme=scheme)
    return open_catalog(settings, environ={}, warn=warnings.append)
"""
# A server for one request.
SERVE = """
import socket, _thread
listener = socket.create_server(("127.0.0.1", 0))
port = listener.getsockname()[1]
def serve(response):
    def run():
        connection, _ = listener.accept()
        connection.recv(65536)
        connection.sendall(response)
        connection.close()
    _thread.start_new_thread(run, ())
"""
# Where Python or urllib3 are such that a module works only as an ordinary one.
SPOIL = """
import sys
class Spoiling:
    def __init__(self, name):
        self.name, self.loader = name, None
    def find_spec(self, name, path, target=None):
        if name != self.name:
            return None
        for finder in sys.meta_path:
            if finder is not self and (spec := finder.find_spec(name, path)):
                self.loader, spec.loader = spec.loader, self
                return spec
    def create_module(self, spec):
        return None
    def get_code(self, name):
        raise RuntimeError("spoilt")
    def exec_module(self, module):
        if module.__dict__.get("__builtins__"):
            raise RuntimeError(f"spoilt  {module.__name__}")
        module.__loader__ = module.__spec__.loader = self.loader
        self.loader.exec_module(module)
"""


def test_catalogues_cost_the_start_nothing() -> None:
    forbidden = "re json socket signal logging enum typing threading queue ssl urllib3 http collections.abc dataclasses"
    assert run(f"{EARLY}\nprint([name for name in {forbidden.split()!r} if name in sys.modules])") == "[]"


def test_nothing_is_imported_that_only_others_need() -> None:
    names = "email hashlib _hashlib hmac http.client logging mimetypes queue random ssl _ssl urllib3 datetime brotli"
    code = f"{OPEN}\nopened('http')\nprint([name for name in {names.split()!r} if name in sys.modules])"
    assert run(code) == "[]"


def test_https_adds_tls_and_nothing_else() -> None:
    names = "email hashlib http.client logging random ssl urllib3"
    code = f"{OPEN}\nopened('https')\nprint([name for name in {names.split()!r} if name in sys.modules], warnings)"
    assert run(code) == "['ssl'] []"


def test_modules_that_others_have_imported_stay() -> None:
    code = f"""
import email.utils, http.client, logging, random, ssl, urllib.request, urllib3
before = dict(sys.modules)
{OPEN}
client = opened("https")
assert {{name: sys.modules[name] for name in before}} == before
connection = client._http._urllib3.connection_types["http"]("a", 1, None)
print(isinstance(connection, urllib3.connection.HTTPConnection), warnings)
"""
    assert run(code) == "False []"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_later_imports_get_the_real_modules(scheme: str) -> None:
    code = f"""{OPEN}
opened({scheme!r})
import datetime, email.message, email.parser, email.utils, hashlib, hmac, http.client, logging, random, urllib3
import importlib.metadata, urllib3.util
from urllib3 import exceptions, poolmanager
assert urllib3.util.parse_url("http://a/b").path == "/b"
assert urllib3.__version__.startswith("2.") and urllib3.PoolManager is poolmanager.PoolManager
assert urllib3.exceptions is exceptions and urllib3.connection is sys.modules["urllib3.connection"]
assert hashlib.md5(b"").digest_size == hmac.new(b"a", b"b", "md5").digest_size == 16
assert 0 <= random.random() < 1 and logging.INFO == 20 and datetime.date.today() > datetime.date(2020, 1, 1)
assert urllib3.Retry(backoff_jitter=0.5).parse_retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
assert email.parser.Parser().parsestr("A: b").policy and email.errors.MessageError
assert issubclass(http.client.HTTPMessage, email.message.Message) and http.client.HTTPSConnection
print(hasattr(urllib3, "gibberish"), importlib.metadata.version("urllib3").split(".")[0])
"""
    assert run(code) == "False 2"


def test_another_user_of_urllib3_speaks_http_with_it() -> None:
    code = f"""{OPEN}{SERVE}
opened("http")
serve(b"HTTP/1.1 200 OK\\r\\nX: a\\r\\n b\\r\\nContent-Length: 2\\r\\n\\r\\nok")
import urllib3
response = urllib3.PoolManager().request("GET", f"http://127.0.0.1:{{port}}/", retries=0)
print(response.data, response.headers["x"])
"""
    assert run(code) == "b'ok' a b"


def test_at_no_moment_another_thread_could_get_a_part_of_it() -> None:
    """Whatever is in `sys.modules`, at each call of a function while the subset is imported, is there to stay."""
    code = """
import sys
from cp.catalog.http.urllib3_subset import Subset, Urllib3, check
seen = {}
calls = 0
def look(frame, event, argument):
    global calls
    calls += 1
    if len(sys.modules) != len(seen) or not calls % 50:
        for name, module in list(sys.modules.items()):
            seen.setdefault(name, set()).add(id(module))
subset = Subset.__new__(Subset)
sys.setprofile(look)
subset.__init__()
check(Urllib3(subset.get))
tls = subset.with_tls()
tls.get("urllib3.util.ssl_")
sys.setprofile(None)
parts = {id(module) for each in (subset, tls) for module in each._modules.values()}
seen.pop("collections.abc", None)  # some Pythons replace it themselves
print(calls > 10_000, [name for name, ids in seen.items() if ids != {id(sys.modules.get(name))} or ids & parts])
"""
    assert run(code) == "True []"


@pytest.mark.timeout(300)
def test_other_threads_import_all_of_the_standard_library_meanwhile() -> None:
    """No importer gets a stand-in, a module of the subset, or one that is not executed to its end."""
    code = """
import builtins, importlib, os, threading
from cp.catalog.http.urllib3_subset import Subset, Urllib3, check
sys.setswitchinterval(1e-5)
# Those say or open something, or are a program.
odd = {"antigravity", "idlelib", "lib2to3", "test", "this", "tkinter", "turtle", "turtledemo"}
also = "email.message email.parser email.utils http.client importlib.metadata urllib3 urllib3.util.ssl_"
names = also.split() + sorted(name for name in sys.stdlib_module_names if name not in odd and not name.startswith("_"))
def proven():  # what a stand-in lacks
    import email.message, hashlib, hmac, http.client, logging, random, ssl, urllib3
    return (
        email.message.Message.walk, hashlib.new, hmac.HMAC, http.client.HTTPSConnection, logging.StreamHandler,
        random.Random, ssl.SSLContext, urllib3.PoolManager, urllib3.connection.ssl.SSLContext,
    )
missing, wrong = set(), []
begin = threading.Barrier(4)
def import_all(names):
    begin.wait()
    for name in names:
        try:
            module = importlib.import_module(name)
            proven()
        except ImportError:
            missing.add(name)
        except BaseException as error:
            wrong.append((name, repr(error)))
        else:
            if sys.modules[name] is not module:
                wrong.append(name)
orders = names, names[::-1], names[len(names) // 2 :]
importers = [threading.Thread(target=import_all, args=(order,)) for order in orders]
for each in importers:
    each.start()
begin.wait()
subsets = 0
while subsets < 3 or (any(each.is_alive() for each in importers) and subsets < 200):
    subset = Subset()
    check(Urllib3(subset.get))
    subset.with_tls().get("urllib3.util.ssl_").create_urllib3_context()
    subsets += 1
for each in importers:
    each.join()
for name in sorted(missing):  # on this machine, whoever imports them
    try:
        importlib.import_module(name)
        wrong.append(f"{name} was missing")
    except ImportError:
        pass
everybodys = (builtins, vars(builtins))
for name, module in list(sys.modules.items()):
    if getattr(module, "__builtins__", builtins) not in everybodys:
        wrong.append(f"{name} is of the subset")
    if any(module is each for each in subset._modules.values()):
        wrong.append(f"{name} is in both")
os.write(1, repr(wrong).encode())
os._exit(0)  # some modules of the standard library have something to say at the end
"""
    assert run(code, "-W", "ignore") == "[]"


@pytest.mark.skipif(sys.version_info < (3, 15), reason="imports are never lazy")
def test_an_environment_may_ask_for_lazy_imports() -> None:
    code = f"{OPEN}\nopened('https')\nprint([name for name in ('ssl', 'email') if name in sys.modules], warnings)"
    assert run(code, "-X", "lazy_imports=all") == "['ssl'] []"


def test_a_reload_can_change_from_http_to_https_and_back() -> None:
    code = f"""{OPEN}
from cp.catalog.protocol import CatalogUnreachable
from cp.plan import Service
one = Service(name="a", id="a", address="", port=1, ttl=1)
first = opened("http")
modules = dict(first._http._urllib3._import.__self__._modules)
for catalog in (first, opened("https"), first, opened("http")):
    try:
        catalog.deregister(one)
    except CatalogUnreachable as error:
        print(error)
assert first._http._urllib3._import.__self__._modules == modules
assert opened("https")._http._urllib3_tls is opened("https")._http._urllib3_tls
"""
    schemes = ("http", "https", "http", "http")
    assert run(code).splitlines() == [
        f"cannot reach Consul at {scheme}://127.0.0.1:1: connection refused" for scheme in schemes
    ]


def test_a_client_from_before_a_reload_still_understands_errors() -> None:
    code = f"""{OPEN}{SERVE}
from cp.catalog.protocol import CatalogGarbage
from cp.plan import Service
client = opened("http", port)
opened("https")
serve(b"gibberish\\r\\n\\r\\n")
try:
    client.deregister(Service(name="a", id="a", address="", port=1, ttl=1))
except CatalogGarbage as error:
    print(str(error).replace(str(port), "1"))
"""
    assert run(code) == "Consul at http://127.0.0.1:1 does not answer in HTTP: gibberish"


def test_no_module_is_executed_twice_by_its_loader() -> None:
    """The archive's importer forgets the code that it has executed, and compiles the source the second time."""
    code = f"""{OPEN}
from collections import Counter
from importlib.machinery import PathFinder, SourceFileLoader
executed = Counter()
class Loader(SourceFileLoader):
    def exec_module(self, module):
        executed[module.__name__] += 1
        super().exec_module(module)
class Finder:
    def find_spec(self, name, path, target=None):
        spec = PathFinder.find_spec(name, path)
        if spec and type(spec.loader) is SourceFileLoader:
            spec.loader = Loader(spec.loader.name, spec.loader.path)
        return spec
sys.meta_path.insert(0, Finder())
opened("http")
opened("https")
print([name for name, times in executed.items() if times > 1])
print(executed["urllib3.util.ssl_"], executed["urllib3.response"])
"""
    assert run(code) == "[]\n1 1"


@pytest.mark.parametrize("module", ["http.client", "email.errors", "urllib3.response", "urllib3.util.retry"])
def test_all_of_urllib3_works_if_the_subset_does_not(module: str) -> None:
    code = f"""{SPOIL}{OPEN}{SERVE}
from cp.plan import Watch
sys.meta_path.insert(0, Spoiling({module!r}))
serve(b'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\n[]')
watch = Watch(name="w", source="watch.w", interval=1)
print(opened("http", port).instances(watch)[0], "PoolManager" in dir(sys.modules["urllib3"]))
opened("http")
assert opened("https")._http._urllib3_tls is sys.modules["urllib3.util.ssl_"]
print(*warnings, sep="\\n")
"""
    assert run(code).splitlines() == [
        "[] True",
        f"cannot use a part of urllib3 alone: spoilt {module}; all of it is imported, which takes some megabytes more",
    ]


def test_the_tls_of_all_of_urllib3_works_if_that_of_the_subset_does_not() -> None:
    code = f"""{SPOIL}{OPEN}
first = opened("http")
sys.meta_path.insert(0, Spoiling("urllib3.util.ssl_"))
for _ in range(2):
    assert opened("https")._http._urllib3_tls is sys.modules["urllib3.util.ssl_"]
assert opened("http")._http._urllib3 is first._http._urllib3
print(*warnings, sep="\\n")
"""
    assert run(code) == (
        "cannot use a part of urllib3 alone: spoilt urllib3.util.ssl_; "
        "all of it is imported, which takes some megabytes more"
    )


def test_a_subset_that_speaks_differently_is_not_used() -> None:
    code = f"""{OPEN}
from cp.catalog.http import headers
headers.Parser.parsestr = lambda self, text: self._class()  # finds no header
opened("http")
print(warnings[0], "PoolManager" in dir(sys.modules["urllib3"]))
"""
    assert run(code) == (
        "cannot use a part of urllib3 alone: it receives another response than expected; "
        "all of it is imported, which takes some megabytes more True"
    )


def test_a_python_without_http_says_so() -> None:
    """As Debian's python3-minimal, which has no `http` package."""
    code = f"""{OPEN}
sys.modules["http"] = None
try:
    opened("http")
except Exception as error:
    print(error, warnings)
"""
    assert run(code) == (
        "cannot speak HTTP: this Python's standard library lacks the module 'http.client'; "
        "install all of Python (on Debian and Ubuntu the package 'python3', not 'python3-minimal') []"
    )


def test_a_python_without_urllib3_says_so() -> None:
    code = f"""{OPEN}
class Without:
    def find_spec(self, name, path, target=None):
        if name == "urllib3":
            raise ModuleNotFoundError("No module named 'urllib3'", name=name)
sys.meta_path.insert(0, Without())
try:
    opened("http")
except Exception as error:
    print(error, warnings)
"""
    assert run(code) == (
        "cannot speak HTTP: the package 'urllib3' is missing: install it, or run containerpilot.pyz []"
    )


def test_a_python_without_ssl_says_so_and_speaks_http() -> None:
    code = f"""{OPEN}
sys.modules["ssl"] = None
try:
    opened("https")
except Exception as error:
    print(error, warnings)
opened("http")
"""
    assert run(code) == "cannot use https: this Python has no module 'ssl'; install one that has []"


def test_memory_of_a_client_for_plain_http() -> None:
    """The budget for a whole program with one service and one watch is 18 MB."""
    code = f"{OPEN}\nopened('http')\nprint(open('/proc/self/status').read().partition('VmRSS:')[2].split()[0])"
    assert int(run(code)) < 18_500
