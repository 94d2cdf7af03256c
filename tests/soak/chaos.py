"""Disturbances of a ContainerPilot during a soak. Each act waits until all its consequences were seen."""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.soak.scene import LOG, MOVED, OTHER, RESTLESS, SICK, configuration
from tests.system.control import SOCKET, Client
from tests.system.pilot import settle, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.soak.agent import Agent
    from tests.soak.events import Follower
    from tests.soak.ledger import Ledger
    from tests.system.control import Answer
    from tests.system.pilot import Pilot

PATIENCE = 45.0  # seconds until what must follow from an act was missed, on a machine that does much else
PAUSE = 0.2  # seconds at most between two acts


class Chaos:
    """One act after the other. `missed`: what should have followed from one and was not seen."""

    def __init__(
        self, pilot: Pilot, agent: Agent, follower: Follower, ledger: Ledger, port: int, random: Random
    ) -> None:
        self._pilot = pilot
        self._agent = agent
        self._events = follower
        self._ledger = ledger
        self._port = port
        self._random = random
        self._variant = 0
        self._other = False
        self.counts: Counter[str] = Counter()
        self.interfered: Counter[str] = Counter()  # how often a job may have ended before it left a mark
        self.missed: list[str] = []
        self.longest_freeze = 2.0  # seconds; where calls take one or more, there are more threads for half a minute
        # The common ones stand here more than once.
        self._acts: tuple[Callable[[], None], ...] = (
            *(self.hang_up, self.user_signal, self.reload, self.reload, self.move, self.move, self.move),
            *(self.other_instance, self.other_instance, self.sickness, self.maintenance, self.rotate),
            *(self.reload_nothing, self.reload_nonsense, self.kill_web, self.kill_catalogue, self.freeze_catalogue),
            *(self.suspend, self.flags),
        )

    def each_once(self) -> None:
        """Loads all modules, and creates all objects that exist once."""
        for act in dict.fromkeys(self._acts):
            self._do(act)

    def run(self, until: Callable[[], bool]) -> None:
        while not until():
            self._do(self._random.choice(self._acts))
            settle(self._random.uniform(0, PAUSE))

    def _do(self, act: Callable[[], None]) -> None:
        name = act.__name__.replace("_", " ")
        try:
            act()
        except (AssertionError, OSError) as error:
            self.missed.append(f"{name}: {str(error).partition(chr(10))[0]}")
        self.counts[name] += 1
        self._ledger.read()

    # --- rest

    def calm(self) -> None:
        """All that runs by itself is held, the first variant is loaded, the catalogue has everything."""
        if self._variant:
            self._reload_to(0)
        for name in (*RESTLESS, *MOVED):
            self._order(name, "stop")
        self._until_registered()
        wait_for(lambda: not self._pilot.zombies(), PATIENCE, "the end of all zombies")

    def wake(self) -> None:
        for name in (*RESTLESS, *MOVED):
            self._order(name, "start")

    # --- acts: signals

    def hang_up(self) -> None:
        self._signal("HUP", "on-hup")

    def user_signal(self) -> None:
        self._signal("USR2", "on-usr2")

    def _signal(self, name: str, job: str) -> None:
        """One event, and one run of the job that waits for it."""
        signals, runs = self._events.count("signal", f"SIG{name}"), self._events.count("exitSuccess", job)
        self._pilot.signal(name)
        self._until(lambda: self._events.count("exitSuccess", job) == runs + 1, f"the job that SIG{name} starts")
        assert self._events.count("signal", f"SIG{name}") == signals + 1

    def rotate(self) -> None:
        log, moved = self._pilot.folder / LOG, self._pilot.folder / f"{LOG}.1"
        log.rename(moved)
        self._pilot.signal("USR1")
        self._until(log.exists, "a new log file")
        self._ledger.take_log(moved)

    def suspend(self) -> None:
        """Stops the process for a while, as a debugger or a snapshot of the machine does."""
        self._pilot.signal("STOP")
        settle(self._random.uniform(0.1, 0.8))
        self._pilot.signal("CONT")
        self._ask("GET", "/v3/ping", 200)

    # --- acts: orders

    def reload(self) -> None:
        before = self._events.count("stopped", "changing")
        self._reload_to(1 + self._random.randrange(1000))
        self._until(lambda: self._events.count("stopped", "changing") > before, "the end of the job that changed")

    def reload_nothing(self) -> None:
        self._ask("POST", "/v3/reload", 200)
        self.counts["reloads"] += 1

    def reload_nonsense(self) -> None:
        self._pilot.configure('{"jobs": [{"name": "changing", "exce": "true"}]}')
        self._ask("POST", "/v3/reload", 422)
        self._pilot.configure(self._configuration())
        self.counts["reloads"] += 1

    def move(self) -> None:
        name, verb = self._random.choice(MOVED), self._random.choice(("start", "stop", "restart", "signal"))
        if verb == "signal":
            self._ask("POST", f"/v3/jobs/{name}/signal", 200, 409, body={"signal": "CONT"})
        else:
            self._order(name, verb)
            if verb == "stop":
                self._order(name, "start")

    def maintenance(self) -> None:
        for verb, code in (("enable", "enterMaintenance"), ("disable", "exitMaintenance")):
            before = self._events.count(code, "global")
            assert self._ask("POST", f"/v3/maintenance/{verb}", 200).json == {"updated": True}
            self._until(lambda code=code, before=before: self._events.count(code, "global") == before + 1, code)  # type: ignore[misc]
        self._until_registered()

    def flags(self) -> None:
        for flags in (("-putenv", "SOAK=1"), ("-putmetric", "soak_load=1"), ("-jobs",), ("-ping",)):
            finished = self._pilot.run(*flags)
            assert finished.code == 0, f"{flags}: {finished.stderr}"

    # --- acts: what fails

    def kill_web(self) -> None:
        pid = self._job("web")["pid"]
        if pid is None:
            return
        before = self._events.count("exitFailed", "web")
        self.interfered["web"] += 1
        os.killpg(pid, signal.SIGKILL)  # what it leaves would hold its output open, and count as alive
        self._until(lambda: self._events.count("exitFailed", "web") > before, "the end of web")
        self._until(lambda: self._job("web")["pid"] not in (None, pid), "its restart")

    def sickness(self) -> None:
        sick = self._pilot.folder / SICK
        for code, change in (("unhealthy", sick.touch), ("healthy", sick.unlink)):
            before = self._events.count(code, "web")
            change()
            self._until(lambda code=code, before=before: self._events.count(code, "web") > before, f"{code} web")  # type: ignore[misc]
        self._until_registered()

    def kill_catalogue(self) -> None:
        before = self._changes()
        self._agent.kill()
        settle(self._random.uniform(0.1, 2.0))
        self._agent.start()
        self._until_registered()
        if self._other:
            self._other = False
            self._until(lambda: self._changes() > before, "that the other instance is gone")

    def freeze_catalogue(self) -> None:
        self._agent.freeze()
        settle(self._random.uniform(0.1, self.longest_freeze))
        self._agent.thaw()

    def other_instance(self) -> None:
        before = self._changes()
        (self._agent.leave if self._other else self._agent.enter)(OTHER)
        self._other = not self._other
        self._until(lambda: self._changes() > before, "a change of the other service")

    # --- help

    def _changes(self) -> int:
        return self._events.count("changed", f"watch.{OTHER}")

    def _until(self, condition: Callable[[], object], what: str) -> None:
        wait_for(condition, PATIENCE, what)

    def _until_registered(self) -> None:
        self._until(lambda: len(self._agent.passing("web")) == 1, "web in the catalogue")

    def _configuration(self) -> dict[str, Any]:
        return configuration(self._variant, self._agent.address, self._port)

    def _reload_to(self, variant: int) -> None:
        self._variant = variant
        self._pilot.configure(self._configuration())
        self.interfered["changing"] += 1
        self._ask("POST", "/v3/reload", 200)
        self.counts["reloads"] += 1

    def _order(self, name: str, verb: str) -> None:
        """202: it goes on. 409: it is about to end, and what is waited for comes after that."""
        self.interfered[name] += 1
        self._ask("POST", f"/v3/jobs/{name}/{verb}", 200, 202, 409)

    def _job(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self._ask("GET", f"/v3/jobs/{name}", 200).json
        return found

    def _ask(self, method: str, target: str, *statuses: int, body: object = None) -> Answer:
        with Client(self._pilot.folder / SOCKET, PATIENCE) as client:
            answer = client.ask(method, target, body)
        assert answer.status in statuses, f"{method} {target}: {answer.status} {answer.body!r}"
        return answer
