"""A scenario: configurations, how their processes behave, and what happens when. Decoded from drawn bytes.

Byte 0 always means the simplest choice, so that a failing scenario shrinks to the plainest one that still fails.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, NamedTuple

from cp.config.load import load
from cp.config.source import Source
from cp.plan import Plan
from tests.model import more
from tests.model.tape import Tape

NAMES = ("app", "web", "fix", "pre", "out")
SERVICE_NAMES = ("www", "api")
WATCH = "db"
JOB_BYTES, STEP_BYTES, CHILD_BYTES, SHARED_BYTES = 18, 4, 8, 12


class Child(NamedTuple):
    """How one process behaves. Times in seconds."""

    start: str = ""  # why it cannot be started: ENOENT, EAGAIN, EMFILE
    lasts: float | None = None  # until it ends by itself; None = until it gets a signal
    code: int = 0  # then; -N = by a signal
    on_term: float | None = 0.0  # what it does on SIGTERM: dies at once, exits with 0 after so long, or nothing
    hangs: bool = False  # in the kernel: SIGKILL does not end it
    leaves: str = ""  # a process in the background that holds its output, in its group or as a daemon
    lines: int = 0  # that it prints
    closes: bool = False  # all its descriptors, at once

    def __str__(self) -> str:
        if self.start:
            return f"cannot be started ({self.start})"
        parts = [
            f"ends after {self.lasts:g} s with {self.code}" if self.lasts is not None else "runs until it gets a signal"
        ]
        if self.on_term is None:
            parts.append("ignores SIGTERM")
        elif self.on_term:
            parts.append(f"takes {self.on_term:g} s to end on SIGTERM")
        parts += ["hangs in the kernel"] * self.hangs + [f"leaves a process in the background: {self.leaves}"] * bool(
            self.leaves
        )
        return ", ".join(parts + ["prints"] * bool(self.lines) + ["closes its output"] * self.closes)


class Step(NamedTuple):
    after: float  # seconds since the step before; 0 = in the same instant
    what: str
    name: str = ""
    number: int = 0


class Scenario(NamedTuple):
    texts: tuple[str, ...]  # the configuration, and those of reloads
    children: dict[str, tuple[Child, Child]]  # by command: the first one, and all later ones
    steps: tuple[Step, ...]
    timers_first: bool  # before the ends of processes in the same instant
    in_batches: bool  # all timers of an instant before anything that follows from them
    churns: bool  # the watch reports other instances after each step
    more: more.More = more.NOTHING

    def __repr__(self) -> str:
        rows = [f"configuration {number}: {text}" for number, text in enumerate(self.texts)]
        for command, (first, later) in self.children.items():
            rows.append(f"{command:<12} {first}" + (f"; later ones: {later}" if later != first else ""))
        order = f"timers first: {self.timers_first}, in batches: {self.in_batches}, churns: {self.churns}"
        return "\n".join([*rows, *([str(self.more)] if self.more != more.NOTHING else []), order])


# --- configurations


def _when(tape: Tape, names: tuple[str, ...]) -> dict[str, str]:
    kind = tape.of("start", "job", "job", "job", "job", "watch", "watch", "signal", "global", "interval")
    trigger, name = tape.of("once", "once", "each"), tape.of(*names)
    event = tape.of("stopping", "stopped", "exitSuccess", "exitFailed", "healthy", "unhealthy", "check", "timerExpired")
    timeout = tape.of("", "", "", "700ms")
    when: dict[str, str] = {}
    if kind == "job":
        when = {"source": name, trigger: event}
        if event == "check":
            when = {"source": f"check.{name}", trigger: "exitFailed"}
    elif kind == "watch":
        when = {"source": f"watch.{WATCH}", trigger: ("changed", "healthy", "unhealthy")[len(event) % 3]}
    elif kind == "signal":
        when = {"source": ("SIGHUP", "SIGUSR2")[len(name) % 2]}
    elif kind == "global":
        when = {trigger: ("shutdown", "enterMaintenance", "exitMaintenance")[len(event) % 3]}
    elif kind == "interval":
        return {"interval": "500ms" if trigger == "once" else "2s"}
    return {**when, "timeout": timeout} if when and timeout else when


def _job(data: bytes, name: str, names: tuple[str, ...], version: str) -> dict[str, Any]:
    tape = Tape(data)
    changed = tape.of(False, False, True)
    job: dict[str, Any] = {"name": name, "exec": [name, version] if changed and version else [name]}
    when = _when(tape, names)
    kind = tape.of("exec", "exec", "exec", "exec", "none")
    restarts = tape.of("never", "never", 1, 3, "unlimited")
    timeout = tape.of("", "", "", "300ms", "3s")
    stop_timeout = tape.of("", "", "", "700ms")
    health = tape.of("", "", "check", "check", "heartbeat")
    port = tape.of(True, True, False)
    initial = tape.of("", "warning", "passing")
    failures = tape.of(0, 2)
    check_timeout = tape.of("", "", "0", "400ms")
    raw = tape.of(False, False, True)
    if when:
        job["when"] = when
    if kind == "none":
        del job["exec"]
    if restarts == "unlimited" and "each" in when:
        restarts = 1
    if restarts != "never":
        job["restarts"] = restarts
    job.update({key: text for key, text in (("timeout", timeout), ("stopTimeout", stop_timeout)) if text})
    if raw:
        job["logging"] = {"raw": True}
    if health:
        job["health"] = {"interval": 1, "ttl": 5, "failures": failures}
        if health == "check":
            job["health"]["exec"] = [f"check-{name}"]
            if check_timeout:
                job["health"]["timeout"] = check_timeout
        if port:
            job.update(port=80, interfaces="static:10.0.0.1")
            if initial:
                job["initial_status"] = initial
    return job


def _jobs_text(jobs: list[bytes], main: int, shared: bytes, version: str, rest: list[bytes]) -> str:
    names = NAMES[: max(1, len(jobs))]
    described = [_job(data, name, names, version) for data, name in zip(jobs, names, strict=False)]
    for number, data in enumerate(rest[: len(described)]):
        more.add(described[number], data, number, names)
    checked = {f"check.{job['name']}" for job in described if '"check-' in json.dumps(job)}
    for job in described:
        source = job.get("when", {}).get("source", "")
        if source.startswith("check.") and source not in checked:
            del job["when"]
    if main < len(described) and "exec" in described[main]:
        described[main]["main"] = True
    return json.dumps({**_shared(shared), "jobs": described, "watches": [_WATCHED]})


_WATCHED = {"name": WATCH, "interval": 1}


def _shared(data: bytes) -> dict[str, Any]:
    tape = Tape(data)
    stop_timeout, shutdown_timeout = tape.of(2, 2, 5, -1), tape.of("", "", "", "", "9s")
    shared: dict[str, Any] = {"directory": tape.of("catalogue", "catalogue", "other"), "stopTimeout": stop_timeout}
    return {**shared, "shutdownTimeout": shutdown_timeout} if shutdown_timeout else shared


def _services_text(jobs: list[bytes], shared: bytes, version: str) -> str:
    """The parts of ContainerPilot 2, all of them optional; the application is the command on the command line."""
    tape = Tape(b"".join(jobs))
    found: dict[str, Any] = {"dialect": "services", **_shared(shared)}
    for hook in ("preStart", "preStop", "postStop"):
        if tape.of(False, True):
            found[hook] = [hook, version] if version and tape.of(False, True) else [hook]
    services = []
    for name in SERVICE_NAMES[: tape.of(0, 1, 2)]:
        service = {"name": name, "port": 80, "interfaces": "static:10.0.0.1", "poll": 1, "ttl": 5}
        service["failures"] = tape.of(0, 2)
        if tape.of(True, True, False):
            service["health"] = [f"check-{name}"]
        services.append(service)
    found["services"] = services
    if tape.of(False, True):
        found["tasks"] = [{"name": "t", "command": ["task"], "frequency": tape.of("500ms", "2s")}]
    if tape.of(False, True):
        restarts = tape.of("never", 2, "unlimited")
        on_exit = tape.of("kill", "term")
        found["coprocesses"] = [{"name": "c", "command": ["coprocess"], "restarts": restarts, "onExit": on_exit}]
    if tape.of(False, True):
        found["backends"] = [{"name": WATCH, "poll": 1, "onChange": ["onChange"]}]
    return json.dumps(found)


@lru_cache(maxsize=4096)
def compiled(text: str) -> Plan:
    """The plan of a configuration; `app` is the application of the services dialect."""
    arguments = ("app",) if '"dialect": "services"' in text else ()
    return load(Source("c", text), {}, arguments=arguments, hostname="host", addresses=list)


# --- processes and steps


def _child(tape: Tape) -> Child:
    lasts = tape.of(None, 0.1, 0.1, None, 0.4, 1.2, 12.0)
    code = tape.of(0, 0, 1, 7, -9, -11)
    on_term = tape.of(0.0, 0.0, 0.3, None)
    start = tape.of("", "", "", "", "", "", "", "ENOENT", "EAGAIN", "EMFILE")
    hangs = tape.number() >= 245
    leaves = tape.of("", "", "", "", "", "obedient", "stubborn", "daemon", "deaf daemon")
    odd = tape.number()
    return Child(start, lasts, code, on_term, hangs, leaves, odd % 3, odd >= 245)


def _pair(data: bytes, command: str) -> tuple[Child, Child]:
    half = CHILD_BYTES - 1
    first, later = _child(Tape(data[:half])), _child(Tape(data[half : 2 * half]))
    if command.startswith("check"):  # mostly a quick one
        first, later = (each._replace(lasts=0.05 if each.lasts is None else each.lasts) for each in (first, later))
    return first, later if data[2 * half] % 2 else first


_STEPS = (
    *(
        "nothing",
        "wait",
        "exit",
        "exit",
        "exit",
        "start",
        "start",
        "stop",
        "stop",
        "restart",
        "reload",
        "reload",
        "reload same",
    ),
    *("reload bad", "maintenance on", "maintenance off", "SIGHUP", "SIGUSR2", "SIGUSR1", "report", "report"),
    *("signal", "SIGTERM", "SIGWINCH", "catalogue slow", "catalogue quick", "jump"),
)
_WAITS = (0.0, 0.05, 0.3, 1.0, 0.0, 0.1, 2.5, 6.0)


def _step(data: bytes, names: tuple[str, ...], plans: int, kinds: tuple[str, ...] = _STEPS) -> Step:
    tape = Tape(data)
    what, after, name, number = tape.of(*kinds), tape.of(*_WAITS), tape.of(*names), tape.number()
    if what == "exit":
        number = (0, 0, 1, -15)[number % 4]
    elif what == "reload":
        number = number % plans
    elif what == "signal":
        number = (10, 1, 9)[number % 3]
    elif what == "report":
        number = number % 3
    elif what == "jump":
        number = (1, 3, 60)[number % 3]
    return Step(after, what, name, number)


class Rest(NamedTuple):
    """The bytes of `more`: of the jobs of each configuration, of processes and probes, and of more steps."""

    plans: list[list[bytes]]
    manners: list[bytes]
    probes: list[bytes]
    steps: list[bytes]
    wait: int

    def jobs(self, number: int) -> list[bytes]:
        """Mostly a reload leaves a job as it was."""
        if not self.plans:
            return []
        return [
            own if own[-1] % 3 == 2 else first for first, own in zip(self.plans[0], self.plans[number], strict=True)
        ]


def decode(
    dialect: str,
    first: list[bytes],
    others: list[list[bytes]],
    children: list[bytes],
    steps: list[bytes],
    shared: bytes,
    rest: Rest | None = None,
) -> Scenario:
    """`first` and `others`: the jobs of the configurations; `children`: how processes behave. In the order of names."""
    tape, rest = Tape(shared), rest or Rest([], [], [], [], 0)
    odd = tape.number()
    main = tape.number() % (2 * len(NAMES))
    settings = [bytes([tape.number(), tape.number(), tape.number()]) for _ in range(1 + len(others))]
    if dialect == "services":
        names: tuple[str, ...] = ("APP", "task[t]", "coprocess[c]", f"{WATCH}.onChange", "preStop", *SERVICE_NAMES)
        commands = ["app", "task", "coprocess", "onChange", "preStart", "preStop", "postStop"]
        commands += [f"check-{name}" for name in SERVICE_NAMES]
        texts = [_services_text(jobs, settings[n], f"v{n}" if n else "") for n, jobs in enumerate([first, *others])]
    else:
        names = NAMES[: max(1, len(first))]
        commands = [*NAMES, *(f"check-{name}" for name in NAMES)]
        texts = [
            _jobs_text(jobs or first, main, settings[number], f"v{number}" if number else "", rest.jobs(number))
            for number, jobs in enumerate([first, *others])
        ]
    blank = bytes(2 * CHILD_BYTES)
    drawn = [*children, *[blank] * len(commands)]
    used = {word for text in texts for word in commands if f'"{word}"' in text} | {"app"}
    usual = [_step(data, names, len(texts)) for data in steps]
    others_too = [_step(data, names, len(texts), more.STEPS) for data in rest.steps]
    last = [Step(more.WAITS[rest.wait % 3], "nothing")] if rest.plans else []
    return Scenario(
        tuple(texts),
        {c: _pair(data, c) for c, data in zip(commands, drawn, strict=False) if c in used},
        (*more.merged(usual, others_too), *last),
        bool(odd & 1),
        bool(odd & 2),
        bool(odd & 4),
        more.decode(NAMES, " ".join(texts), rest.manners, rest.probes) if rest.plans else more.NOTHING,
    )
