"""The exit code of ContainerPilot is the application's, or says why there was none."""

from __future__ import annotations

import os
import re
import signal
from typing import TYPE_CHECKING

import pytest

from tests.system.scripts import forever, mark, sh, until_term

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.pilot_fixtures import StartPilot


@pytest.mark.smoke
@pytest.mark.parametrize("code", [0, 1, 7, 255])
def test_the_exit_code_of_the_app_is_that_of_containerpilot(pilot: StartPilot, code: int) -> None:
    assert pilot({}, sh(f"exit {code}")).wait_exit() == code


@pytest.mark.parametrize(("name", "code"), [("TERM", 143), ("KILL", 137), ("SEGV", 139), ("HUP", 129)])
def test_app_killed_by_a_signal_gives_128_plus_its_number(pilot: StartPilot, name: str, code: int) -> None:
    assert pilot({}, sh(f"kill -{name} $$")).wait_exit() == code


def test_why_the_app_failed_is_logged(pilot: StartPilot) -> None:
    failed, killed = pilot({}, sh("exit 7")), pilot({}, sh("kill -KILL $$"))

    failed.wait_exit(), killed.wait_exit()

    assert "exit status 7" in failed.output()
    assert "signal: killed" in killed.output()


@pytest.mark.smoke
def test_app_that_is_not_on_path_gives_127(pilot: StartPilot) -> None:
    started = pilot({}, ["no-such-program", "--flag"])

    assert started.wait_exit() == 127
    assert 'exec: "no-such-program": executable file not found in $PATH' in started.output()


def test_app_whose_file_does_not_exist_gives_127(pilot: StartPilot) -> None:
    started = pilot({}, ["./testdata/doesNotExist.sh"])

    assert started.wait_exit() == 127
    assert "fork/exec ./testdata/doesNotExist.sh: no such file or directory" in started.output()


def test_app_whose_interpreter_does_not_exist_gives_127_and_names_it(pilot: StartPilot, tmp_path: Path) -> None:
    script = executable(tmp_path / "app", "#!/no/such/shell\n")

    started = pilot({}, [script])

    assert started.wait_exit() == 127
    assert re.search(r"no such file or directory.*/no/such/shell", started.output())


def test_app_that_is_not_executable_gives_126(pilot: StartPilot, tmp_path: Path) -> None:
    script = tmp_path / "app"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o644)

    started = pilot({}, [str(script)])

    assert started.wait_exit() == 126
    assert f"{script}: permission denied" in started.output()


def test_app_on_path_that_is_not_executable_gives_126(pilot: StartPilot, tmp_path: Path) -> None:
    (tmp_path / "app").write_text("#!/bin/sh\n")

    started = pilot({}, ["app"], env={"PATH": str(tmp_path)})

    assert started.wait_exit() == 126
    assert "permission denied" in started.output()


def test_app_that_is_a_directory_gives_126(pilot: StartPilot, tmp_path: Path) -> None:
    assert pilot({}, [str(tmp_path)]).wait_exit() == 126


def test_app_without_a_first_line_gives_126_and_the_log_names_the_missing_line(
    pilot: StartPilot, tmp_path: Path
) -> None:
    started = pilot({}, [executable(tmp_path / "app", "exit 0\n")])

    assert started.wait_exit() == 126
    assert "exec format error" in started.output()
    assert "#!/bin/sh" in started.output()


def test_app_that_dies_of_sigterm_in_a_stop_gives_143(pilot: StartPilot) -> None:
    started = pilot({}, forever())
    started.wait_for_mark("app")

    assert started.stop() == 143


def test_app_that_ends_on_request_decides_the_code(pilot: StartPilot) -> None:
    started = pilot({"stopTimeout": 5}, until_term(code=2))
    started.wait_for_mark("app")

    assert started.stop() == 2
    assert started.words() == ["app", "app-term"]


def test_app_killed_by_somebody_else_gives_137(pilot: StartPilot) -> None:
    started = pilot({}, sh("mark app; exec sleep 1000"))
    started.wait_for_mark("app")

    os.kill(started.children()[0], signal.SIGKILL)

    assert started.wait_exit() == 137


def test_no_command_and_a_stop_gives_0(pilot: StartPilot) -> None:
    hooks = {hook: mark(hook) for hook in ("preStart", "preStop", "postStop")}
    started = pilot({**hooks, "coprocesses": [{"command": mark("started")}], "logging": {"level": "DEBUG"}})
    started.wait_for_mark("started")
    started.wait_for_line("job APP: waiting -> active$")  # the coprocess starts before it
    assert "received zero-length argument" in started.output()

    assert started.stop() == 0
    assert started.words() == ["preStart", "started", "preStop", "postStop"]


def test_configuration_that_is_refused_gives_1(pilot: StartPilot) -> None:
    started = pilot({"no such key": 1}, sh("mark app"))

    assert started.wait_exit() == 1
    assert started.words() == []


def executable(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o755)
    return str(path)
