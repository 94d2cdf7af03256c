"""The scene that scripts/demo.sh plays: two programs, each under a ContainerPilot, that find each other by a folder.

Every step waits until what it tells has happened, and the scene fails if it does not happen in time.
Usage: scene.py ARCHIVE
"""

# ruff: noqa: T201 - what it prints is for people

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

HERE = Path(__file__).resolve().parent
DEADLINE = 20.0  # seconds until the described effect must have happened; it takes one or two
LOOK_EVERY = 0.02

_never = threading.Event()


class Failed(Exception):
    """Something did not happen as described."""


def say(text: str = "") -> None:
    print(text, flush=True)


def wait_for(condition: Callable[[], T], what: str) -> T:
    """The first true value of `condition`."""
    deadline = time.monotonic() + DEADLINE
    while True:
        late = time.monotonic() > deadline
        if value := condition():
            return value
        if late:
            raise Failed(f"{what}: it did not happen within {DEADLINE:.0f} s")
        _never.wait(LOOK_EVERY)


class Port:
    """A free port of the loopback interface, kept free from others until the application listens on it."""

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.number: int = self._socket.getsockname()[1]


class Pilot:
    """A ContainerPilot with its application; what both print goes to the file `log`."""

    def __init__(self, archive: Path, log: Path, name: str, application: list[str], environ: dict[str, str]) -> None:
        self.name = name
        self._log = log
        self._shown = 0  # characters of the log
        shown = " ".join(Path(word).name for word in application)
        say(f"   $ containerpilot.pyz -config {name}.json {shown}")
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(archive), "-config", str(HERE / f"{name}.json"), *application],
                cwd=log.parent,
                env={**os.environ, **environ},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us: we stop it
            )

    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def shows(self, pattern: str) -> None:
        """Wait for a line, after those that were shown before, and show it."""

        def line() -> re.Match[str] | None:
            return re.compile(f"^.*{pattern}.*\n", re.MULTILINE).search(self.output(), self._shown)

        found = wait_for(line, f"{self.name} says '{pattern}'")
        assert found is not None
        self._shown = found.end()
        say(f"   {self.name:5} | {found.group().rstrip()}")

    def signal(self, number: signal.Signals) -> None:
        say(f"   $ kill -{number.name[3:]} <ContainerPilot of {self.name}>")
        self.process.send_signal(number)

    def ends_with(self, code: int) -> None:
        wait_for(lambda: self.process.poll() is not None, f"the end of {self.name}")
        if self.process.returncode != code:
            raise Failed(f"{self.name} ended with exit code {self.process.returncode} instead of {code}")
        say(f"   {self.name:5} | exit code {code}")

    def close(self) -> None:
        """End it, politely if there is time; then whatever is left of it."""
        family = [self.process.pid, *children(self.process.pid)]
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(8)
            except subprocess.TimeoutExpired:
                family += children(self.process.pid)
                self.process.kill()
                for pid in family[1:]:
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
        self.process.wait()


def children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def ask(port: int, path: str = "/") -> str:
    """What is answered there, as `200 hello`; empty if nobody does."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return f"{response.status} {response.read().decode().strip()}"
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()


class Scene:
    def __init__(self, archive: Path, folder: Path) -> None:
        self._archive = archive
        self._folder = folder
        self._front_port = Port()
        self._catalog = folder / "catalogue"
        self._upstreams = folder / "upstreams"
        self.pilots: list[Pilot] = []

    def start(self, name: str, program: str, port: Port, *arguments: str) -> Pilot:
        environ = {
            "CATALOGUE": str(self._catalog),
            "HERE": str(HERE),
            "PYTHON": sys.executable,
            "UPSTREAMS": str(self._upstreams),
            "WEB_PORT": str(port.number),
        }
        application = [sys.executable, str(HERE / program), str(port.number), *arguments]
        log = self._folder / f"{name}{len(self.pilots)}.log"
        pilot = Pilot(self._archive, log, name, application, environ)
        self.pilots.append(pilot)
        return pilot

    def front_answers(self, expected: str) -> None:
        wait_for(lambda: ask(self._front_port.number) == expected, f"the front answers '{expected}'")
        say(f"   GET http://127.0.0.1:{self._front_port.number}/ from the front: {expected}")

    def play(self) -> None:
        say("\n== 1. A web application starts under ContainerPilot")
        say("   Its health check passes, so it is entered into the catalogue: here a folder, no server is needed.")
        web = self.start("web", "web.py", Port(), "v1")
        web.shows("listens on port")
        web.shows("Service registered: web")
        files = wait_for(lambda: sorted(self._catalog.glob("*.json")), "an entry in the catalogue")
        say(f"   The catalogue now has the file {files[0].name}")

        say("\n== 2. A front starts under a second ContainerPilot, which watches `web`")
        say("   Its onChange command gets the instances and writes the list of upstreams.")
        front = self.start("front", "front.py", self._front_port, str(self._upstreams))
        front.shows("upstreams of the front: 127")
        self.front_answers("200 hello from web v1")

        say("\n== 3. SIGUSR1 puts web into maintenance: it runs on, but nobody is sent to it")
        web.signal(signal.SIGUSR1)
        web.shows("Marking for maintenance: web")
        front.shows("upstreams of the front: none")
        self.front_answers("503 no web is there")
        say("   ... and a second SIGUSR1 takes it back, with its next health check:")
        web.signal(signal.SIGUSR1)
        web.shows("Service registered: web")
        front.shows("upstreams of the front: 127")

        say("\n== 4. A new version: v1 is stopped, v2 starts on another port, the front follows")
        say("   Look at the order: out of the catalogue, then preStop, and only then the application gets SIGTERM.")
        web.signal(signal.SIGTERM)
        web.shows("Deregistering service: web")
        web.shows("preStop:")
        web.shows("web: SIGTERM, finishing")
        web.shows("postStop:")
        web.ends_with(0)
        front.shows("upstreams of the front: none")
        web = self.start("web", "web.py", Port(), "v2")
        front.shows("upstreams of the front: 127")
        self.front_answers("200 hello from web v2")

        say("\n== 5. v2 crashes: the exit code of the application is the exit code of its ContainerPilot")
        say(f"   GET http://127.0.0.1:{self._front_port.number}/crash")
        ask(self._front_port.number, "/crash")
        web.shows("crashing with exit code 7")
        web.shows("Deregistering service: web")
        web.ends_with(7)
        front.shows("upstreams of the front: none")

        say("\n== 6. The front is stopped")
        front.signal(signal.SIGTERM)
        front.ends_with(0)


def main() -> int:
    def end(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    with tempfile.TemporaryDirectory(prefix="containerpilot-demo-", ignore_cleanup_errors=True) as folder:
        scene = Scene(Path(sys.argv[1]).resolve(), Path(folder))
        try:
            scene.play()
        except Failed as failure:
            say(f"\nFAILED: {failure}")
            for pilot in scene.pilots:
                say(f"\nThe output of {pilot.name}:\n{pilot.output()}")
            return 1
        except BrokenPipeError:  # nobody looks any more; what Python itself would still write must not fail as well
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            return 1
        finally:
            for pilot in scene.pilots:
                pilot.close()
    say("\nEverything happened as described. The configurations are in examples/demo/; README.md has the next steps.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
