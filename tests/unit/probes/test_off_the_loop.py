"""What checks need from other threads: modules and settings of TLS, and how a check ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from cp import plan
from cp.engine.loop import Loop
from cp.plan import Check, HttpProbe, SocketProbe, Tls
from cp.probes import modules
from cp.probes.contexts import Contexts
from cp.probes.factory import name_of
from cp.probes.modules import PLAIN, TLS, Modules
from cp.probes.probe import Probe, duration_text
from cp.probes.target import Target
from tests.unit.engine.world import VirtualLoop


class Threads:
    """Runs what threads would do when a test says so."""

    def __init__(self) -> None:
        self.started: list[Callable[[], object]] = []
        self.is_full = False

    def start(self, function: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        if self.is_full:
            raise RuntimeError("can't start new thread")
        self.started.append(lambda: function(*arguments))

    def run(self) -> None:
        for each in self.started:
            each()
        self.started.clear()


@pytest.fixture
def loop() -> VirtualLoop:
    return VirtualLoop()


def real(loop: VirtualLoop) -> Loop:
    return cast("Loop", loop)


def test_modules_are_imported_once_on_a_thread(loop: VirtualLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    imported: list[bool] = []
    monkeypatch.setattr(modules, "import_modules", imported.append)
    threads, heard = Threads(), list[str]()
    wanted = Modules(real(loop), threads.start)

    wanted.get(PLAIN, lambda why: heard.append(f"first {why}"))
    wanted.get(PLAIN, lambda why: heard.append(f"second {why}"))
    assert not imported
    threads.run()
    loop.settle()
    wanted.get(PLAIN, lambda why: heard.append(f"third {why}"))

    assert imported == [PLAIN]
    assert heard == ["first ", "second ", "third "]


def test_an_import_that_fails_is_tried_again_by_the_next_check(
    loop: VirtualLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads, heard = Threads(), list[str]()
    wanted = Modules(real(loop), threads.start)

    def fail(kind: bool) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(modules, "import_modules", fail)
    wanted.get(TLS, heard.append)
    threads.run()
    loop.settle()
    threads.is_full = True
    wanted.get(TLS, heard.append)
    threads.is_full = False
    monkeypatch.setattr(modules, "import_modules", lambda kind: None)
    wanted.get(TLS, heard.append)
    threads.run()
    loop.settle()

    assert heard == ["cannot check: too many open files", "cannot check: can't start new thread", ""]


def test_a_reload_imports_h11_at_once_and_raises_why_it_cannot(
    loop: VirtualLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = Modules(real(loop), Threads().start)

    def fail(kind: bool) -> None:
        raise ImportError("no descriptor")

    monkeypatch.setattr(modules, "import_modules", fail)
    with pytest.raises(ImportError, match="no descriptor"):
        wanted.import_plain()
    monkeypatch.setattr(modules, "import_modules", lambda kind: None)
    wanted.import_plain()
    monkeypatch.setattr(modules, "import_modules", fail)
    wanted.import_plain()


def test_who_has_left_is_not_called(loop: VirtualLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules, "import_modules", lambda kind: None)
    threads, heard, tls = Threads(), list[object](), Tls(ca_file="/nonexistent")
    wanted, contexts = Modules(real(loop), threads.start), Contexts(real(loop), threads.start)

    def on_context(context: object, why: str) -> None:
        heard.append(why)

    wanted.get(PLAIN, heard.append)
    wanted.forget(PLAIN, heard.append)
    contexts.get(tls, on_context)
    contexts.forget_request(tls, on_context)
    threads.run()
    loop.settle()
    assert not heard

    threads.is_full = True
    contexts.get(tls, on_context)
    assert heard == ["cannot set up TLS: can't start new thread"]


def test_a_module_that_this_python_lacks(loop: VirtualLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    threads, heard = Threads(), list[str]()

    def fail(kind: bool) -> None:
        raise ModuleNotFoundError("No module named 'ssl'", name="ssl")

    monkeypatch.setattr(modules, "import_modules", fail)
    Modules(real(loop), threads.start).get(TLS, heard.append)
    threads.run()
    loop.settle()

    assert heard[0].startswith("cannot check: this Python's standard library lacks the module 'ssl'; install all of ")


def a_plan(*probes: HttpProbe | SocketProbe) -> plan.Plan:
    checks = tuple(Check(label="check.app", interval=1, probe=probe) for probe in probes)
    job = plan.Job(name="app", when=plan.When(code="startup", source="global"), health=checks)
    return plan.Plan(dialect="jobs", jobs=(job,))


def test_what_a_plan_needs() -> None:
    secure, insecure = HttpProbe(host="", port=443, https=True), HttpProbe(host="", port=80)

    assert modules.kinds(a_plan(SocketProbe(port=1))) == set()
    assert modules.kinds(a_plan(secure, insecure)) == {PLAIN, TLS}
    assert a_plan(insecure).has_probes
    assert not a_plan().has_probes


@pytest.mark.parametrize(
    ("probe", "name"),
    [
        (HttpProbe(host="", port=80, target="/a?b"), "GET http://10.0.0.1:80/a?b"),
        (HttpProbe(host="::1", port=443, https=True, method="HEAD"), "HEAD https://[::1]:443/"),
        (HttpProbe(host="", port=80, socket="/run/a", target="/b"), "GET unix:///run/a:/b"),
        (SocketProbe(port=1), "tcp 10.0.0.1:1"),
        (SocketProbe(host="a", port=1), "tcp a:1"),
        (SocketProbe(socket="/run/a"), "unix /run/a"),
    ],
)
def test_the_name_of_a_check(probe: HttpProbe | SocketProbe, name: str) -> None:
    assert name_of(probe, "10.0.0.1") == name


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "0 ms"), (0.0124, "12 ms"), (0.9994, "999 ms"), (0.9996, "1.0 s"), (1.54, "1.5 s")]
)
def test_a_time(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


# --- the end of a check


class Unfinished(Probe):
    """One that is still connecting, and ends as a test says."""

    def _begin(self) -> None:
        pass

    def end(self, passed: bool) -> None:
        self._end(passed, "the reason")


def a_check(loop: VirtualLoop, results: list[tuple[bool, str]], timeout: float | None = 2.0) -> Unfinished:
    target = Target(SocketProbe(socket="/run/a"), "", "tcp a:1")
    made = Unfinished(real(loop), cast("Any", None), target, timeout, lambda *result: results.append(result))
    made.start()
    return made


def test_a_check_has_one_result_and_not_at_once(loop: VirtualLoop) -> None:
    results: list[tuple[bool, str]] = []
    check = a_check(loop, results)

    check.end(True)
    check.end(False)
    assert not results
    loop.advance(10.0)

    assert results == [(True, "tcp a:1: the reason")]


def test_the_time_limit_is_for_all_of_it(loop: VirtualLoop) -> None:
    results: list[tuple[bool, str]] = []
    a_check(loop, results)
    loop.advance(1.9)
    assert not results

    loop.advance(0.1)

    assert results == [(False, "tcp a:1: timeout: no connection within 2.0 s")]


def test_a_check_without_a_time_limit_waits(loop: VirtualLoop) -> None:
    results: list[tuple[bool, str]] = []
    a_check(loop, results, None)
    loop.advance(1e6)

    assert not results


def test_a_cancelled_check_has_no_result_even_if_it_is_scheduled(loop: VirtualLoop) -> None:
    results: list[tuple[bool, str]] = []
    early, late, timed = (a_check(loop, results) for _ in range(3))
    early.cancel()
    late.end(True)
    late.cancel()
    loop.time = 1.999
    loop.advance(0.0)
    timed.cancel()
    loop.advance(10.0)

    assert not results
