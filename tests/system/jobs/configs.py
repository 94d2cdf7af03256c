"""Configurations of the jobs dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.system.control import SOCKET
from tests.system.scripts import forever

if TYPE_CHECKING:
    from tests.system.scripts import Command

Job = dict[str, Any]


def config(*jobs: Job, **more: Any) -> dict[str, Any]:
    """These jobs, and a control socket in the working directory."""
    return {"control": {"socket": SOCKET}, "jobs": list(jobs), **more}


def job(name: str, command: Command | str | None = None, **more: Any) -> Job:
    return {"name": name, **({} if command is None else {"exec": command}), **more}


def app(name: str = "app", **more: Any) -> Job:
    """Leaves its name as a mark, and runs until SIGTERM."""
    return job(name, forever(name), **more)


def advertised(name: str = "app", command: Command | str | None = None, **more: Any) -> Job:
    """Passes a check each second, and is registered with an address that needs no network."""
    health = {"exec": "true", "interval": 1, "ttl": 10}
    service = {"port": 8000, "interfaces": "static:127.0.0.1", "health": health}
    return job(name, command or forever(name), **{**service, **more})


def once(event: str, source: str, **more: Any) -> dict[str, Any]:
    return {"once": event, "source": source, **more}


def each(event: str, source: str, **more: Any) -> dict[str, Any]:
    return {"each": event, "source": source, **more}
