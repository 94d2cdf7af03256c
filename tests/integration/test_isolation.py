"""The guard of the unit tests refuses what does not belong there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

CONFTEST = "from tests.isolation import pytest_runtest_call, pytest_runtest_setup, pytest_runtest_teardown\n"

TESTS = """
import os, select, signal, socket, subprocess, threading, time
import pytest

REFUSED = {
    "a socket": lambda: socket.socket(),
    "a pair of sockets": lambda: socket.socketpair(),
    "a connection": lambda: socket.create_connection(("127.0.0.1", 1)),
    "a name": lambda: socket.getaddrinfo("localhost", 80),
    "a command": lambda: subprocess.run(["true"]),
    "a child": lambda: os.posix_spawn("/bin/true", ["true"], {}),
    "a fork": lambda: os.fork(),
    "a shell": lambda: os.system("true"),
    "a signal": lambda: os.kill(os.getpid(), 0),
    "a thread": lambda: threading.Thread(target=print).start(),
    "a pipe": lambda: os.pipe(),
    "epoll": lambda: select.epoll(),
    "poll": lambda: select.poll(),
    "select": lambda: select.select([], [], [], 0),
    "a sleep": lambda: time.sleep(0.001),
}

@pytest.mark.parametrize("what", REFUSED)
def test_refused(what):
    REFUSED[what]()

def test_refused_although_the_error_is_caught():
    try:
        socket.socket()
    except AssertionError:
        pass

@pytest.fixture
def refused_child():
    return subprocess.run(["true"])

def test_an_error_in_a_fixture(refused_child):
    pass

def test_passes():
    wall, uptime = time.time(), time.monotonic()
    time.sleep(0)
    assert (wall, uptime) == (time.time(), time.monotonic())
"""


def test_unit_tests_reach_no_socket_no_process_no_thread_and_no_clock(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text(TESTS)

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "16 failed, 1 passed, 1 error" in done.stdout, done.stdout + done.stderr
    assert done.stdout.count("it belongs to tests/integration") >= 17
    assert CONFTEST.strip() in (ROOT / "tests" / "unit" / "conftest.py").read_text()


def test_fixtures_of_other_tests_may_end_after_the_last_unit_test(tmp_path: Path) -> None:
    unit = tmp_path / "unit"
    unit.mkdir()
    (unit / "conftest.py").write_text(CONFTEST)
    (unit / "test_last.py").write_text("def test_passes():\n    pass\n")
    (tmp_path / "conftest.py").write_text(
        "import subprocess, pytest\n"
        "@pytest.fixture(scope='session')\n"
        "def server():\n"
        "    yield\n"
        "    subprocess.run(['true'])\n"
    )
    (tmp_path / "test_first.py").write_text("def test_passes(server):\n    pass\n")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_first.py", "unit"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "2 passed" in done.stdout, done.stdout + done.stderr
    assert "error" not in done.stdout
