"""The flag -status, and the same content at /status of telemetry."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import urllib.request
from typing import TYPE_CHECKING, Any

from tests.system.pilot import archive, interpreter
from tests.system.servers import free_port

if TYPE_CHECKING:
    from tests.system.pilot_fixtures import StartPilot

CONTROL = {"socket": "socket"}


def test_what_a_person_asks_first(pilot: StartPilot) -> None:
    checked = {"exec": ["sh", "-c", "echo down; exit 1"], "interval": 1}
    app = {"name": "app", "exec": "sleep 1000", "health": checked}
    running = pilot({"control": CONTROL, "jobs": [app, {"name": "done", "exec": "true"}]})
    running.wait_for(lambda: "unhealthy" in running.run("-status").stdout)
    lines = running.run("-status").stdout.splitlines()
    assert lines[0].startswith("ContainerPilot ")
    assert lines[0].endswith(": not ready")
    assert lines[1].startswith("  app is unhealthy: ")
    assert lines[3].split() == ["NAME", "STATE", "PID", "SINCE", "RESTARTS", "HEALTH", "ABOUT"]
    assert any(line.startswith("app ") and line.endswith("check: down") for line in lines)
    found = json.loads(running.run("-status", "-json").stdout)
    assert (found["ready"], [job["name"] for job in found["jobs"]]) == (False, ["app", "done"])


def strip(found: dict[str, Any]) -> dict[str, Any]:
    """Without what telemetry does not show, and what differs between two moments."""
    job = {
        key: value for key, value in found.items() if key not in ("seconds", "since", "pid", "service", "registered")
    }
    for key, private in (("lastExit", "text"), ("health", "output"), ("ready", "status")):
        if job[key] is not None:
            job[key] = {
                name: value for name, value in job[key].items() if name not in (private, "at", "since", "failures")
            }
    return job


def test_telemetry_shows_the_same_without_what_programs_print(pilot: StartPilot) -> None:
    port = free_port()
    app = {
        "name": "app",
        "exec": "sleep 1000",
        "health": {"exec": ["echo", "private"], "interval": 1},
    }
    lost = {"name": "lost", "exec": "/no/such/private"}
    telemetry = {"port": port, "interfaces": "static:127.0.0.1"}
    running = pilot({"control": CONTROL, "telemetry": telemetry, "jobs": [app, lost]})
    running.wait_for(lambda: json.loads(running.run("-status", "-json").stdout or "{}").get("ready"))

    def ask() -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/status") as answer:
            found: dict[str, Any] = json.loads(answer.read())
            return found

    shown, private = ask(), json.loads(running.run("-status", "-json").stdout)
    assert list(shown)[:4] == ["Version", "Jobs", "Services", "Watches"]
    assert shown["Version"] == private["version"]
    assert shown["since"][:16] == private["since"][:16]
    for key in ("ready", "notReady", "maintenance", "stopping", "reloading", "catalogue"):
        assert shown[key] == private[key], key
    assert list(map(strip, shown["jobDetails"])) == list(map(strip, private["jobs"]))
    assert shown["watchDetails"] == private["watches"]
    assert "private" in json.dumps(private)
    assert "private" not in json.dumps(shown)


def test_following_ends_with_ctrl_c_and_with_containerpilot(pilot: StartPilot) -> None:
    running = pilot({"control": CONTROL, "jobs": [{"name": "app", "exec": "sleep 1000"}]})
    running.wait_for_line("serving")
    for end in (lambda process: process.send_signal(signal.SIGINT), lambda _: running.signal("TERM")):
        with (running.folder / "followed").open("wb") as out:
            process = subprocess.Popen(
                [interpreter(), str(archive()), "-config", '{control: {socket: "socket"}}', "-status", "-follow"],
                cwd=running.folder,
                env={"PATH": os.environ["PATH"]},
                stdout=out,
            )
        text = running.folder / "followed"
        running.wait_for(lambda text=text: text.read_text().count("ContainerPilot ") >= 2)  # type: ignore[misc]
        end(process)
        assert process.wait(30) == 0
