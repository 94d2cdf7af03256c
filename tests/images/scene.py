"""The actions of ContainerPilot in each cell: from the start of an application to its exit code.

Each step is seen by the traces that it leaves in /work, whatever is closed or missing."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

from tests.images import facts
from tests.images.cell import Cell

if TYPE_CHECKING:
    from pathlib import Path

    from tests.images.conditions import Condition
    from tests.images.rows import Row

CODE = 7  # the application's
MISSING = "cannot speak HTTP: this Python's standard library lacks the module '"
PACKAGE = "the package 'python3', not 'python3-minimal'"

# It reads a line, which only a terminal has for it, and then waits. Its `sleep` is left behind for ContainerPilot.
APP = f"""
mark() {{ printf "%s\\n" "$*" >>/work/marks; }}
trap 'mark app TERM; exit {CODE}' TERM
trap 'mark app INT' INT
mark app runs
if read -r line; then mark "app read $line"; fi
sleep 1000 &
mark app waits
while :; do wait; done
"""

NO_CATALOG = {
    "consul": "127.0.0.1:1",
    "services": [{"name": "app", "port": 8001, "interfaces": "static:127.0.0.1", "poll": 1, "ttl": 30}],
}


def mark(words: str) -> list[str]:
    return ["/bin/sh", "-c", f'printf "%s\\n" "{words}" >>/work/marks']


def config(port: int) -> dict[str, Any]:
    service = {"name": "app", "port": port, "interfaces": "static:127.0.0.1", "poll": 1, "ttl": 30}
    return {
        "directory": "/work/catalogue",
        "preStart": mark("preStart"),
        "services": [{**service, "health": mark(f"check {port}")}],
        "backends": [{"name": "app", "poll": 1, "onChange": mark("changed: $CONTAINERPILOT_WATCH_INSTANCES")}],
        "preStop": mark("preStop"),
        "postStop": mark("postStop"),
    }


def play(row: Row, condition: Condition, archive: Path, folder: Path) -> None:
    """Play it in one cell. Failed (an AssertionError) says which step did not happen."""
    if condition.consul:
        play_without_consul(row, condition, archive, folder)
        return
    with Cell(row, condition, archive, folder, config(8001), APP) as cell:
        cell.wait_for_mark("app runs")
        cell.check(cell.marks()[0] == "preStart", "preStart did not run before the application")
        differing = facts.differences(cell.pilot(), row, condition)
        cell.check(not differing, f"the condition does not hold: {differing}")
        if condition.terminal:
            use_terminal(cell)
        cell.wait_for_mark("app waits")
        see_service(cell, 8001)
        cell.configure(config(8002))
        cell.signal(signal.SIGHUP)
        see_service(cell, 8002)
        see_end(cell)
        cell.check(bool(cell.output()) != condition.closed, "the log is where it should not be, or not where it should")


def use_terminal(cell: Cell) -> None:
    """The application is the foreground job, gets what is typed, and Ctrl-C."""
    pilot = cell.pilot()
    cell.wait_for(lambda: cell.foreground() not in (0, pilot), "a job in the foreground")
    cell.type(b"hello\n")
    cell.wait_for_mark("app read hello")
    cell.wait_for_mark("app waits")
    cell.type(b"\x03")
    cell.wait_for_mark("app INT")


def see_service(cell: Cell, port: int) -> None:
    """Its check passes, it is in the catalogue, and the watch tells of it."""
    cell.wait_for_mark(f"check {port}")
    cell.wait_for(
        lambda: [(each["name"], each["port"], each["status"]) for each in cell.entries()] == [("app", port, "passing")],
        f"the service with port {port} alone in the catalogue",
    )
    cell.wait_for(
        lambda: any(line.startswith("changed: ") and str(port) in line for line in cell.marks()),
        f"onChange for port {port}",
    )


def see_end(cell: Cell) -> None:
    cell.signal(signal.SIGTERM)
    code = cell.wait_exit()
    cell.check(code == CODE, f"the exit code is {code}, not {CODE}")
    last = [line for line in cell.marks() if line in ("preStop", "app TERM", "postStop")]
    cell.check(last == ["preStop", "app TERM", "postStop"], f"the stop went: {last}")
    cell.check(cell.entries() == [], "the service is still in the catalogue")
    cell.check(cell.errors() == "", "something was printed as an error")
    cell.check("Traceback" not in cell.output(), "a traceback was printed")


def play_without_consul(row: Row, condition: Condition, archive: Path, folder: Path) -> None:
    with Cell(row, condition, archive, folder, NO_CATALOG, APP) as cell:
        if row.minimal:
            code = cell.wait_exit()
            cell.check(code == 1, f"the exit code is {code}, not 1")
            cell.check(cell.marks() == [], "the application was started")
            output = cell.output() + cell.errors()
            right = output.count("\n") == 1 and MISSING in output and PACKAGE in output
            cell.check(right, "this is not the one line")
            return
        cell.wait_for_mark("app waits")
        cell.wait_for(lambda: "127.0.0.1:1" in cell.output(), "a line that names the Consul")
        cell.signal(signal.SIGTERM)
        code = cell.wait_exit()
        cell.check(code == CODE, f"the exit code is {code}, not {CODE}")
        cell.check("Traceback" not in cell.output() + cell.errors(), "a traceback was printed")
