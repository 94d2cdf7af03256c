"""Short ways from a configuration's text to its plan, to one of its jobs, or to its errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cp.config.errors import ConfigError
from cp.config.load import load
from cp.config.source import Source
from cp.plan import Job, Plan
from cp.platform.address import Address

ETH0 = [Address("eth0", bytes([10, 0, 0, 7])), Address("lo", bytes([127, 0, 0, 1]))]


def load_text(
    text: str,
    *arguments: str,
    environ: Mapping[str, str] | None = None,
    addresses: list[Address] = ETH0,
) -> Plan:
    """The plan of a file named `app.json` on the machine `host`."""
    return load(
        Source("app.json", text), environ or {}, arguments=arguments, hostname="host", addresses=lambda: addresses
    )


def load_dict(configuration: Mapping[str, Any], *arguments: str, environ: Mapping[str, str] | None = None) -> Plan:
    """The plan of a configuration that has a catalogue and a command, whatever else it says."""
    whole = {"consul": "consul:8500", **configuration}
    return load_text(json.dumps(whole), *(arguments or ("app",)), environ=environ)


def refused(text: str, *arguments: str, environ: Mapping[str, str] | None = None) -> ConfigError:
    """Why a text does not load."""
    try:
        plan = load_text(text, *(arguments or ("app",)), environ=environ)
    except ConfigError as error:
        return error
    raise AssertionError(f"it loads: {plan}")


def errors(configuration: Mapping[str, Any], *, environ: Mapping[str, str] | None = None) -> str:
    """All errors of a configuration that has a catalogue and a command."""
    return "\n".join(refused(json.dumps({"consul": "consul:8500", **configuration}), environ=environ).errors)


def job(plan: Plan, name: str) -> Job:
    """The job of this name."""
    return next(job for job in plan.jobs if job.name == name)


def names(plan: Plan) -> list[str]:
    """The names of all jobs, in order."""
    return [job.name for job in plan.jobs]


def load_jobs(*jobs: Mapping[str, Any], **others: Any) -> Plan:
    """The plan of a configuration in the jobs dialect that has a catalogue."""
    return load_text(json.dumps({"consul": "consul:8500", "jobs": jobs, **others}))


def load_job(**keys: Any) -> Job:
    """The one job of such a configuration, called `app` unless the keys say otherwise."""
    (one,) = load_jobs({"name": "app", **keys}).jobs
    return one


def errors_of_jobs(*jobs: Any, **others: Any) -> str:
    """All errors of such a configuration."""
    return "\n".join(refused(json.dumps({"consul": "consul:8500", "jobs": jobs, **others})).errors)


def warnings_of_jobs(*jobs: Any, **others: Any) -> str:
    """All warnings of such a configuration."""
    return "\n".join(load_jobs(*jobs, **others).warnings)
