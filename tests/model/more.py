"""What a scenario may have besides: thresholds and more checks, readiness, watchdogs, and how processes report.

Only a part of the scenarios has it, and its bytes are the last ones, so that older scenarios stay what they were.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.model.tape import Tape

READY_LINE = "now it is ready"
FIRST_PORT, CHECKS = 1000, 3  # of a job there are so many at most
PLAN_BYTES, MANNER_BYTES, PROBE_BYTES = 34, 7, 3


class Manner(NamedTuple):
    """How a process reports. Times in seconds, None: never."""

    ready_after: float | None = None
    pings: float | None = None  # seconds between two messages to the watchdog
    stays: bool = False  # it does not end by itself

    def __str__(self) -> str:
        ready = "never ready" if self.ready_after is None else f"ready after {self.ready_after:g} s"
        return f"{ready}, {'no pings' if self.pings is None else f'pings every {self.pings:g} s'}"


class ProbeManner(NamedTuple):
    """How a server answers: after how long, and in turns well or badly."""

    lasts: float | None = 0.0
    results: int = 0  # bits: 1 is a failure

    def passes(self, number: int) -> bool:
        return not self.results >> (number % 8) & 1


class More(NamedTuple):
    """The rest of a scenario, by the name of the job and by port."""

    manners: dict[str, tuple[Manner, Manner]]  # the first run, and all later ones
    probes: dict[int, ProbeManner]

    def __str__(self) -> str:
        rows = [f"{name:<12} {first}; later ones: {later}" for name, (first, later) in self.manners.items()]
        return "\n".join(rows + [f"port {port}: {manner}" for port, manner in self.probes.items()])


NOTHING = More({}, {})


def add(job: dict[str, Any], data: bytes, index: int, names: tuple[str, ...]) -> None:
    """Give a job of a configuration what these bytes say."""
    tape = Tape(data)
    probes = tape.of(0, 0, 1, 1, 2)
    kind, timeout, on_timeout = tape.of(*_READY), tape.of("", "", "900ms", "3s"), tape.of("none", "restart", "stop")
    watchdog = tape.of("", "", "", "800ms", "3s")
    waits_for_ready, name, trigger = tape.of(False, False, True), tape.of(*names), tape.of("once", "once", "each")
    restarts, port = tape.of(1, 3, "unlimited"), tape.of(False, True)
    has_process = "exec" in job
    _add_checks(job, tape, probes, index)
    if not has_process:
        kind = watchdog = ""
    checks = job.get("health", [])
    if kind == "health" and not (isinstance(checks, list) and checks):
        kind = "notify"
    if kind == "log" and job.get("logging"):
        kind = "notify"
    if kind:
        job["ready"] = {kind: READY_LINE if kind == "log" else True}
        if timeout:
            job["ready"] |= {"timeout": timeout, "onTimeout": on_timeout}
    if watchdog:
        job["watchdog"] = watchdog
    if waits_for_ready:
        job["when"] = {"source": name, trigger: "ready"}
    failures = [each.get("onUnhealthy") for each in checks] if isinstance(checks, list) else []
    failures += [job["ready"].get("onTimeout")] if kind else []
    if not has_process:
        for each in checks if isinstance(checks, list) else []:
            each.pop("onUnhealthy", None)
    elif "restart" in failures and "restarts" not in job:
        job["restarts"] = restarts
    if job.get("restarts") == "unlimited" and "each" in job.get("when", {}):
        job["restarts"] = 1
    if tape.of(False, True) and not waits_for_ready:
        job.pop("when", None)
    rules = tape.of(*_RULES)
    if has_process and rules and "interval" not in job.get("when", {}):
        job["restarts"] = _rules_for(job.get("when", {}), rules)
    if checks and port and "port" not in job:
        job.update(port=80, interfaces="static:10.0.0.1")


_RULES: tuple[dict[str, Any], ...] = (
    {},
    {},
    {"max": 2, "per": "3s"},
    {"max": 1, "per": "2s", "then": "delay"},
    {"max": 2, "per": "4s", "on": "failure", "then": "delay", "pause": "300ms"},
    {"on": "failure", "pause": "200ms", "maxPause": "500ms"},
)


def _rules_for(when: dict[str, Any], rules: dict[str, Any]) -> dict[str, Any]:
    """Those of the rules that go with the event."""
    if "each" in when or "stopping" in when.values() or when.get("source") in ("SIGHUP", "SIGUSR2"):
        rules = {key: value for key, value in rules.items() if key not in ("per", "then")}
    return {"max": 2, **rules} if "each" in when else rules


_READY = ("", "", "log", "notify", "health", "notify")


def _add_checks(job: dict[str, Any], tape: Tape, probes: int, index: int) -> None:
    """One check, or a list of them; a heartbeat stays alone."""
    health = job.get("health")
    if health is not None and "exec" not in health:
        if not probes:
            return
        health = None
    checks = [] if health is None else [health]
    for number in range(probes):
        checks.append({"tcp": f"localhost:{FIRST_PORT + CHECKS * index + number}", "interval": tape.of(1, 1, 2)})
        timeout = tape.of("", "0", "400ms")
        if timeout:
            checks[-1]["timeout"] = timeout
    for number, check in enumerate(checks):
        check["name"] = "abc"[number]
        on_unhealthy, failures, passes = tape.of("", "restart", "stop"), tape.of(0, 1, 1, 2), tape.of(1, 1, 2, 3)
        period, pace = tape.of("", "", "1500ms", "4s"), tape.of("", "200ms", "700ms")
        if number and tape.of(False, True):
            on_unhealthy = ""
        if on_unhealthy:
            check["onUnhealthy"] = on_unhealthy
            if not check.get("failures"):
                check.pop("failures", None)
        if failures:
            check["failures"] = failures
        if passes > 1:
            check["passes"] = passes
        if period:
            check["startPeriod"] = period
            if pace:
                check["startInterval"] = pace
    if checks:
        checks[0].setdefault("ttl", 5)
        job["health"] = checks


def decode(names: tuple[str, ...], text: str, manners: list[bytes], probes: list[bytes]) -> More:
    """`text` is that of the configurations."""
    pairs: dict[str, tuple[Manner, Manner]] = {}
    for name, data in zip(names, manners, strict=False):
        first, later = _manner(Tape(data[:3])), _manner(Tape(data[3:6]))
        pairs[name] = first, later if data[6] % 2 else first
    ports = range(FIRST_PORT, FIRST_PORT + CHECKS * len(names))
    found = {port: _probe(Tape(data)) for port, data in zip(ports, probes, strict=False)}
    return More(
        {name: pair for name, pair in pairs.items() if f'"exec": ["{name}"' in text},
        {port: manner for port, manner in found.items() if f"localhost:{port}" in text},
    )


def _manner(tape: Tape) -> Manner:
    return Manner(tape.of(0.05, 0.0, None, 0.7, 2.0), tape.of(0.3, 0.3, None, 1.0), tape.of(True, True, True, False))


def _probe(tape: Tape) -> ProbeManner:
    lasts = tape.of(0.0, 0.0, 0.05, 0.05, 0.6, 1.7, None)
    return ProbeManner(lasts, tape.of(0, 0, 255, 255, 0b10110100, 0b11110000, 0b00001111, tape.number()))


STEPS = (
    *("turn", "turn", "turn", "READY=1", "prints", "WATCHDOG=1", "STOPPING=1", "exit", "stop", "restart"),
    *("maintenance on", "maintenance off", "reload", "SIGTERM", "jump"),
)


WAITS = (0.0, 4.0, 9.0)  # before the end


def merged(first: list[Any], second: list[Any]) -> list[Any]:
    """Two lists of steps in the order of time."""
    found: list[tuple[float, Any]] = []
    for steps in (first, second):
        at = 0.0
        for step in steps:
            at += step.after
            found.append((at, step))
    found.sort(key=lambda each: each[0])  # stable
    before, result = 0.0, []
    for at, step in found:
        result.append(step._replace(after=at - before))
        before = at
    return result
