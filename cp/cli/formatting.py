"""Formats the server's answers about jobs and events for people.

Names, reasons and the output of checks come from other programs: everything that could control a terminal is escaped.
This module trusts no answer: a value that is missing or has another type is printed as a dash.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Data = None | bool | int | float | str | list["Data"] | dict[str, "Data"]

NOTHING = "-"
HEADINGS = ("NAME", "STATE", "PID", "SINCE", "RESTARTS", "HEALTH", "ABOUT")
WATCH_HEADINGS = ("WATCH", "INSTANCES", "SINCE", "ABOUT")
_RIGHT = ("PID", "SINCE", "RESTARTS", "INSTANCES")  # aligned to the right
_RED, _GREEN, _DIM, _PLAIN = "\033[31m", "\033[32m", "\033[2m", "\033[0m"
# States whose text says what comes next.
_ON_THE_WAY = ("waiting", "skipped", "pausing", "draining", "stopping", "terminating")
_SHORTEST = 10  # characters; the minimum width of the last column
_GAP = "  "


def printable(text: str) -> str:
    """Escape all characters that a terminal would interpret."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def age(seconds: float) -> str:
    """Format a duration for a column, with its two largest units: `3m12s`."""
    whole = max(int(seconds), 0)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60}m"
    return f"{whole // 86400}d{whole % 86400 // 3600}h"


def jobs_table(answer: Data, now: float, *, width: int = 0, colours: bool = False) -> str:
    """Format all jobs, one on each line, then the watches and the catalogue, if there are any.

    `now` is in seconds since 1970; `width` is that of the terminal, 0 if there is none.
    """
    overview = _object(answer)
    jobs, watches = _objects(overview.get("jobs")), _objects(overview.get("watches"))
    modes = [("maintenance", "in maintenance"), ("reloading", "reloading"), ("stopping", "stopping")]
    above = ", ".join(words for key, words in modes if overview.get(key) is True)
    lines = [above] if above else []
    lines += _table(
        HEADINGS, [_row(job, now) for job in jobs], [_colour(job) for job in jobs] if colours else [], width
    )
    if not jobs:
        lines[-1] = "no jobs"
    if watches:
        rows = [_watch_row(watch) for watch in watches]
        lines += [
            "",
            *_table(WATCH_HEADINGS, rows, [_watch_colour(watch) for watch in watches] if colours else [], width),
        ]
    if catalog := _object(overview.get("catalogue")):
        where = f"{_text(catalog, 'kind')} at {_text(catalog, 'address')}"
        line = f"catalogue: {where}, {_text(catalog, 'about')}"
        is_unreachable = colours and catalog.get("reachable") is False
        lines += ["", f"{_RED}{_cut(line, width)}{_PLAIN}" if is_unreachable else _cut(line, width)]
    return "".join(f"{line}\n" for line in lines)


def status_screen(answer: Data, now: float, *, width: int = 0, colours: bool = False) -> str:
    """Format the status of the program: a line about it, why it is not ready, and the tables of -jobs."""
    found = _object(answer)
    is_ready = found.get("ready") is True
    reasons = found.get("notReady")
    ready = "ready" if is_ready else "not ready"
    if colours:
        ready = f"{_GREEN if is_ready else _RED}{ready}{_PLAIN}"
    lines = [f"ContainerPilot {_text(found, 'version')}, since {_text(found, 'since')} ({_age_of(found)}): {ready}"]
    lines += [_cut(f"  {printable(str(each))}", width) for each in (reasons if isinstance(reasons, list) else [])]
    return "".join(f"{line}\n" for line in [*lines, ""]) + jobs_table(answer, now, width=width, colours=colours)


def job_details(answer: Data, now: float) -> str:
    """Format all details of one job, as lines `key: value`."""
    job = _object(answer)
    health, service, last = (_object(job.get(key)) for key in ("health", "service", "lastExit"))
    left = "any number" if job.get("restartsLeft") is None else _text(job, "restartsLeft")
    per = job.get("restartsPer")
    within = f" within {age(per)}" if isinstance(per, int | float) and 0 <= per < 1e12 else ""
    lines = [
        ("name", _text(job, "name")),
        ("state", f"{_text(job, 'state')} ({_text(job, 'about').replace('`', '')})"),
        ("since", f"{_text(job, 'since')} ({_age_of(job)})"),
        ("main", "yes" if job.get("main") is True else "no"),
        ("pid", _text(job, "pid")),
    ]
    if blocked := _names(job.get("blockedBy")):
        lines.append(("blocked by", blocked))
    lines += [("starts", _text(job, "starts")), ("restarts", f"{_text(job, 'restarts')} ({left} left{within})")]
    if next_start := job.get("nextStart"):
        lines.append(("next start", printable(str(next_start))))
    if last:
        lines.append(("last exit", f"{_exit(last, now)} ({_text(last, 'at')})"))
    if health:
        failures = f" ({health['failures']} failures in a row)" if health.get("failures") else ""
        lines.append(("health", _text(health, "status") + printable(failures)))
        if since := health.get("since"):
            lines.append(
                ("health since", f"{_text(health, 'since')}{f' ({span})' if (span := _ago(since, now)) else ''}")
            )
        checked = _ago(health.get("at"), now)
        lines.append(("last check", f"{_text(health, 'at')}{f' ({checked})' if checked else ''}"))
        lines.append(("its output", _text(health, "output")))
    for check in _objects(health.get("checks")):
        failures = f", {_text(check, 'failures')} failures in a row" if check.get("failures") else ""
        lines.append((f"check {_text(check, 'name')}", f"{_text(check, 'status')}{failures}: {_text(check, 'output')}"))
    ready = _object(job.get("ready"))
    if ready.get("since"):
        lines.append(("ready since", _text(ready, "since")))
    for key, name in (("waitsFor", "to be ready, waits for"), ("status", "reports")):
        if ready.get(key):
            lines.append((name, _text(ready, key)))
    if service:
        where = f"{_text(service, 'address')}:{_text(service, 'port')}"
        lines.append(("service", f"{_text(service, 'name')} at {where} (id {_text(service, 'id')})"))
        lines.append(("registered", _text(service, "registered")))
        if service.get("problem"):
            lines.append(("problem", _text(service, "problem")))
    return "".join(f"{key}: {value}\n" for key, value in lines)


def event_line(answer: Data) -> str:
    """Format one event: its time, its code, its source."""
    event = _object(answer)
    return f"{_text(event, 'at'):<24}  {_text(event, 'code'):<16}  {_text(event, 'source')}\n"


def events_lines(answer: Data) -> str:
    listed = _object(answer).get("events")
    return "".join(map(event_line, listed)) if isinstance(listed, list) else ""


def seconds_of(text: str) -> float | None:
    """Seconds since 1970 of a time such as `2026-11-22T16:50:00.123Z`; None for any other text."""
    if len(text) > 40 or not text.isascii():
        return None
    try:
        date, _, clock = text.removesuffix("Z").partition("T")
        year, month, day = map(int, date.split("-"))
        hours, minutes, rest = clock.split(":")
        seconds = float(rest)
        if not 0 <= seconds < 62:  # infinite, or not a number
            return None
        # Years begin in March here, so that the leap day is the last one: the months before it then need no exception.
        year, month = (year, month - 3) if month > 2 else (year - 1, month + 9)
        days = 365 * year + year // 4 - year // 100 + year // 400 + (153 * month + 2) // 5 + day - 719469
        return days * 86400 + int(hours) * 3600 + int(minutes) * 60 + seconds
    except ValueError:
        return None


# -- one job


def _row(job: dict[str, Data], now: float) -> tuple[str, ...]:
    health = _object(job.get("health"))
    pid, restarts = _text(job, "pid"), _text(job, "restarts")
    return (
        _text(job, "name"),
        _text(job, "state"),
        pid,
        _age_of(job),
        restarts,
        _text(health, "status"),
        _about(job, now),
    )


def _about(job: dict[str, Data], now: float) -> str:
    """The most important facts of a job: what failed, what it waits for, otherwise what its state means."""
    health, last = _object(job.get("health")), _object(job.get("lastExit"))
    about = _text(job, "about").replace("`", "")
    parts = []
    if health.get("status") == "unhealthy" and health.get("output"):
        parts.append(f"check: {_text(health, 'output')}")
    if job.get("state") in _ON_THE_WAY or job.get("gaveUp") is True:
        parts.append(about)
    if _failed(last):
        parts.append(_exit(last, now))
    registered = _text(_object(job.get("service")), "registered")
    if " since " in registered:  # it differs from the desired state
        parts.append(f"registered: {registered}")
    return "; ".join(parts) or about


def _exit(last: dict[str, Data], now: float) -> str:
    code = last.get("code")
    killed = isinstance(code, int) and code < 0
    what = f"killed by signal {str(code)[1:]}" if killed else f"exited {_text(last, 'code')}"
    when = _ago(last.get("at"), now)
    text, cause = _text(last, "text"), _text(last, "cause") if last.get("cause") else ""
    if cause:  # which says more than the text of an exit, but not more than why a command could not be started
        text = cause if text.startswith(("signal: ", "exit status ")) else f"{text}: {cause}"
    return f"{what} ({text}){f' {when}' if when else ''}"


def _failed(last: dict[str, Data]) -> bool:
    return bool(last) and not last.get("success", last.get("code") == 0)


def _colour(job: dict[str, Data]) -> str:
    if _object(job.get("health")).get("status") == "unhealthy" or _failed(_object(job.get("lastExit"))):
        return _RED
    return _DIM if job.get("state") == "complete" else ""


# -- pieces


def _watch_row(watch: dict[str, Data]) -> tuple[str, ...]:
    tag, datacenter = watch.get("tag"), watch.get("datacenter")
    name = _text(watch, "name") + (f"[{_text(watch, 'tag')}]" if tag else "")
    name += f"@{_text(watch, 'datacenter')}" if datacenter else ""
    return name, _text(watch, "instances"), _age_of(watch), _text(watch, "about")


def _watch_colour(watch: dict[str, Data]) -> str:
    return _RED if _text(watch, "about").startswith(("no answer", "perhaps out of date")) else ""


def _table(headings: Sequence[str], rows: list[tuple[str, ...]], colours: list[str], limit: int) -> list[str]:
    """Format lines in columns, below their headings. `colours` has one colour for each row, or is empty."""
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    lines = [_line(headings, headings, widths, limit)]
    for number, row in enumerate(rows):
        line = _line(headings, row, widths, limit)
        colour = colours[number] if colours else ""
        lines.append(f"{colour}{line}{_PLAIN}" if colour else line)
    return lines


def _line(headings: Sequence[str], cells: Sequence[str], widths: list[int], limit: int) -> str:
    padded = [
        cell.rjust(width) if heading in _RIGHT else cell.ljust(width)
        for heading, cell, width in zip(headings[:-1], cells[:-1], widths[:-1], strict=True)
    ]
    before = _GAP.join(padded) + _GAP
    room = max(limit - len(before), _SHORTEST) if limit else 0
    return before + _cut(cells[-1], room)


def _cut(text: str, room: int) -> str:
    """Shorten a text to `room` characters; 0: no limit."""
    return f"{text[: room - 1]}…" if room and len(text) > room else text


def _objects(value: Data) -> list[dict[str, Data]]:
    return [_object(each) for each in value] if isinstance(value, list) else []


def _object(value: Data) -> dict[str, Data]:
    return value if isinstance(value, dict) else {}


def _text(holder: dict[str, Data], key: str) -> str:
    value = holder.get(key)
    if isinstance(value, str):
        return printable(value) or NOTHING
    return str(value) if isinstance(value, int | float) else NOTHING


def _names(value: Data) -> str:
    return ", ".join(printable(each) for each in value if isinstance(each, str)) if isinstance(value, list) else ""


def _age_of(job: dict[str, Data]) -> str:
    seconds = job.get("seconds")
    return age(seconds) if isinstance(seconds, int | float) and abs(seconds) < 1e12 else NOTHING


def _ago(at: Data, now: float) -> str:
    seconds = seconds_of(at) if isinstance(at, str) else None
    return "" if seconds is None else f"{age(now - seconds)} ago"
