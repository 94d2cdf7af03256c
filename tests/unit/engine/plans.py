"""Jobs as the two dialects compile them, for tests of the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from cp.plan import INHERIT, KEEP, REPLACE, Check, Job, Service, Watch, When

if TYPE_CHECKING:
    from cp.plan import EventCode, Status

STARTUP = When(code="startup", source="global")
AFTER_PRESTART = When(code="exitSuccess", source="preStart")


def app(when: When = STARTUP, **changes: Any) -> Job:
    fields = {
        "name": "APP",
        "when": when,
        "command": ("app",),
        "main": True,
        "stop_group": False,
        "stopping_on_exit": False,
        "announces_unstarted": False,
        "output": INHERIT,
        "reload": KEEP,
    }
    return Job(**{**fields, **changes})


def pre_start() -> Job:
    return Job(name="preStart", when=STARTUP, command=("preStart",), fatal=True, output=INHERIT, reload=KEEP)


def pre_stop() -> Job:
    when = When(code="stopping", source="APP")
    return Job(name="preStop", when=when, command=("preStop",), output=INHERIT, reload=REPLACE)


def post_stop() -> Job:
    when = When(code="stopped", source="APP")
    return Job(name="postStop", when=when, command=("postStop",), fatal=True, output=INHERIT, reload=REPLACE)


def coprocess(when: When = STARTUP, *, command: str = "coprocess", **changes: Any) -> Job:
    fields = {"name": "coprocess", "when": when, "command": (command,), "stops_last": True, "output": INHERIT}
    return Job(**{**fields, "killed_unasked": True, "reload": REPLACE, **changes})


def task(seconds: float, **changes: Any) -> Job:
    when = When(code="startup", source="global", interval=seconds, delay=seconds)
    fields = {"name": "task", "when": when, "command": ("task",), "restarts": None, "output": INHERIT}
    return Job(**{**fields, "timeout": seconds, "pauses_in_maintenance": True, "reload": REPLACE, **changes})


def service(check: str | None = None, *, poll: float = 1, name: str = "web", **changes: Any) -> Job:
    command = (check,) if check else None
    saying = {"output": INHERIT, "unstartable": "Unable to start", **changes}
    health = Check(label=f"{name}.health", interval=poll, command=command, **saying)
    address = Service(name=name, id=f"{name}-host", address="10.0.0.1", port=80, ttl=10)
    return Job(name=name, when=STARTUP, health=(health,), service=address, pauses_in_maintenance=True, reload=REPLACE)


def backend(name: str = "db") -> tuple[Watch, Job]:
    watch = Watch(name=name, source=f"watch.{name}", interval=1, pauses_in_maintenance=True, remembers=True)
    when = When(code="changed", source=watch.source, each=True)
    job = Job(name=f"{name}.onChange", when=when, command=("onChange",), output=INHERIT, reload=REPLACE)
    return watch, job.replace(pauses_in_maintenance=True)


# --- the jobs dialect


def job(name: str, when: When = STARTUP, **changes: Any) -> Job:
    """A job whose command is its name; `command=None` for one without a process."""
    fields = {
        "name": name,
        "label": name,
        "when": when,
        "command": (name,),
        "sweeps_group": True,
        "wait_for_output": True,
        "output": INHERIT,
        "log_fields": (("job", name),),
        "log_pid": True,
        "failure_level": "error",
        "failure_text": "exited with error: {reason}",
        "pid_variables": (f"CONTAINERPILOT_{name.upper()}_PID",),
    }
    if "health" in changes:
        health = changes["health"]
        changes["health"] = () if health is None else (health,) if isinstance(health, Check) else health
    return Job(**{**fields, **changes})


def once(code: str, source: str, timeout: float | None = None) -> When:
    return When(code=cast("EventCode", code), source=source, timeout=timeout)


def each(code: str, source: str) -> When:
    return When(code=cast("EventCode", code), source=source, each=True)


def every(seconds: float) -> When:
    return When(code="startup", source="global", interval=seconds)


def check(name: str, command: str | None = "check", interval: float = 1, **changes: Any) -> Check:
    """The health check of the job of this name."""
    source = f"check.{name}" if command else ""
    words = (command,) if command else None
    saying = {"output": INHERIT, "logs_failures": True, **changes}
    return Check(label=f"check.{name}", source=source, interval=interval, command=words, **saying)


def advertised(name: str, initial_status: str = "") -> Service:
    status = cast("Status", initial_status)
    return Service(name=name, id=f"{name}-host", address="10.0.0.1", port=80, ttl=10, initial_status=status)


def watch(name: str = "db", **changes: Any) -> Watch:
    return Watch(name=name, source=f"watch.{name}", interval=1, **changes)
