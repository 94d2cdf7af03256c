"""A second start beside a ContainerPilot that is PID 1: `docker exec app containerpilot jobs`, a dash forgotten."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.box import PROGRAM, Box
from tests.system.pilot import PATH, archive, interpreter, wait_for
from tests.system.scripts import forever, mark
from tests.system.security.users import STRANGER, only_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

REFUSED = (
    "containerpilot: cannot start: ContainerPilot is process 1 here, and a second one would run every job a second time"
)
END = "; -allow-second starts it anyway\n"
NO_FLAG = "its flags begin with a dash, see -help"

RUNS = {"jobs": [{"name": "migrate", "exec": mark("migrate")}, {"name": "app", "exec": forever()}]}
DIALECTS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "jobs": ({"control": {"socket": "control.socket"}, **RUNS}, []),
    "jobs without a socket": (RUNS, []),
    "services": ({"preStart": mark("migrate")}, forever()),
}
ANOTHER = '{jobs: [{name: "another", exec: "echo another", main: true}]}'


@pytest.fixture
def box(tmp_path: Path, built_archive: Path) -> Iterator[Callable[..., Box]]:
    """Runs a container, until its application runs."""
    boxes: list[Box] = []

    def run(
        dialect: str = "jobs", command: Sequence[str] = PROGRAM, configuration: Any = None, *, waits: bool = True
    ) -> Box:
        found, arguments = DIALECTS[dialect]
        (tmp_path / "config.json").write_text(json.dumps(configuration or found))
        boxes.append(Box(tmp_path, [*command, *arguments]))
        if waits:
            boxes[-1].wait_for_app()
        return boxes[-1]

    yield run
    for each in boxes:
        each.close()


@pytest.mark.smoke
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_forgotten_dash_starts_nothing_a_second_time(box: Callable[..., Box], dialect: str) -> None:
    started = box(dialect)

    for arguments, hint in (
        (["jobs"], "did you mean -jobs?"),
        (["status"], "did you mean -status?"),
        (["relaod"], "did you mean -reload?"),
        (["allow-second", "sleep", "1000"], "did you mean -allow-second?"),
        (["help"], "did you mean -help?"),
        ([], NO_FLAG),
        (["sleep", "1000"], NO_FLAG),
        (["-config", ANOTHER], NO_FLAG),
    ):
        assert started.again(*arguments) == (1, "", f"{REFUSED}: {hint}{END}")

    assert sorted(started.words()) == ["app", "migrate"]
    assert started.again("-version").code == 0
    assert started.again("-template").code == 0
    if dialect == "jobs":
        assert started.again("-ping").stdout == "ok\n"


def test_a_second_start_is_possible_on_purpose(box: Callable[..., Box]) -> None:
    started = box()

    done = started.again("-allow-second", "-config", ANOTHER)

    assert (done.code, "another" in done.stdout) == (0, True)
    same = started.again("-allow-second")
    assert same.code == 1
    assert (
        "cannot serve the control socket control.socket: process 1 of this container listens there: name" in same.stdout
    )
    refused = started.again("-allow-second", "-jobs")
    assert refused == (
        2,
        "",
        "containerpilot: -allow-second has no effect with -jobs: it goes with a start; see -help\n",
    )


# --- how it is called


def a_link(folder: Path) -> list[str]:
    (folder / "containerpilot").symlink_to(archive())
    return [interpreter(), str(folder / "containerpilot")]


def a_copy_under_another_name(folder: Path) -> list[str]:
    shutil.copy2(archive(), folder / "pilot")
    return [interpreter(), "pilot"]


def a_relative_path(folder: Path) -> list[str]:
    return [interpreter(), os.path.relpath(archive(), folder)]


def options_of_python(folder: Path) -> list[str]:
    return [interpreter(), "-IX", "utf8", "-Wdefault", "-W", "ignore", "-X", "dev=0", str(archive())]


def an_executable_file(folder: Path) -> list[str]:
    (folder / "bin").mkdir()
    (folder / "bin" / "python3").symlink_to(interpreter())
    program = folder / "bin" / "containerpilot"
    shutil.copy2(archive(), program)
    program.chmod(0o755)
    return ["env", f"PATH={folder}/bin:{PATH}", str(program)]


def a_program_that_becomes_it(folder: Path) -> list[str]:
    return ["/bin/sh", "-c", 'exec "$@"', "sh", *PROGRAM]


def another_name_of_the_process(folder: Path) -> list[str]:
    return ["/bin/bash", "-c", 'exec -a containerpilot "$@"', "bash", *PROGRAM]


WAYS = [
    *(a_link, a_copy_under_another_name, a_relative_path, options_of_python, an_executable_file),
    *(a_program_that_becomes_it, another_name_of_the_process),
]


@pytest.mark.parametrize("way", WAYS, ids=[way.__name__.replace("_", " ") for way in WAYS])
def test_it_is_found_under_all_its_names(
    box: Callable[..., Box], tmp_path: Path, way: Callable[[Path], list[str]]
) -> None:
    command = way(tmp_path)
    started = box(command=command)

    assert started.again("jobs") == (1, "", f"{REFUSED}: did you mean -jobs?{END}")
    if way in (a_link, a_copy_under_another_name, a_relative_path):
        assert started.exec(*command, "jobs").code == 1
    assert started.words().count("app") == 1


def test_it_is_found_after_an_upgrade_of_the_file(box: Callable[..., Box], tmp_path: Path) -> None:
    program = tmp_path / "containerpilot"
    shutil.copy2(archive(), program)
    started = box(command=[interpreter(), str(program)])
    program.unlink()

    assert started.again("jobs").stderr.startswith(REFUSED)
    shutil.copy2(archive(), program)
    assert started.exec(interpreter(), str(program), "jobs").code == 1
    assert started.again("jobs").code == 1


# --- what can be seen of PID 1


OPEN = {"control": {"socket": "control.socket", "users": "*"}, **RUNS}
HIDE = "mount -t proc -o hidepid=2 proc /proc"


@only_root
def test_it_is_found_by_its_socket_where_its_command_line_is_hidden(box: Callable[..., Box], tmp_path: Path) -> None:
    for folder in (tmp_path, *list(tmp_path.parents)[:3]):
        folder.chmod(0o755)
    started = box(configuration=OPEN)

    for hide in (HIDE, "mount -t proc -o hidepid=1 proc /proc", "umount -l /proc"):
        assert started.again("jobs", shell=hide, user=STRANGER) == (1, "", f"{REFUSED}: did you mean -jobs?{END}"), hide
    assert started.again("jobs", shell="umount -l /proc").code == 1

    # Who may not even see that it is there cannot know.
    other = started.again("-config", ANOTHER, shell=HIDE, user=STRANGER)
    assert (other.code, "another" in other.stdout) == (0, True)


def test_it_is_found_in_the_usual_place_where_there_is_no_proc(box: Callable[..., Box]) -> None:
    private_run = ["/bin/sh", "-c", 'mount -t tmpfs run /run && exec "$@"', "sh"]
    started = box("jobs without a socket", command=[*private_run, *PROGRAM])
    wait_for(lambda: started.exec("test", "-S", "/run/containerpilot.socket").code == 0, what="the socket")

    assert started.again("-config", ANOTHER, shell="umount -l /proc").code == 1


def test_a_proc_of_another_namespace_shows_another_pid_1(box: Callable[..., Box]) -> None:
    started = box()

    assert started.exec(*PROGRAM, "jobs", mounts=False) == (1, "", f"{REFUSED}: did you mean -jobs?{END}")


def test_a_python_program_without_a_known_name_is_recognised_by_its_socket(box: Callable[..., Box]) -> None:
    script = f"import runpy, sys; sys.argv[0] = {str(archive())!r}; runpy.run_path(sys.argv[0], run_name='__main__')"
    started = box(command=[interpreter(), "-c", script])

    assert started.again("jobs") == (1, "", f"{REFUSED}: did you mean -jobs?{END}")


# --- where any number may run


SHELL = ["/bin/sh", "-c", '"$@"; exit $?', "sh"]
AN_INIT_IN_PYTHON = """
import subprocess, sys
sys.exit(subprocess.call(sys.argv[1:]))
"""


@pytest.mark.parametrize("init", ["a shell", "a tini", "an init in Python", "no init"])
def test_beside_another_pid_1_any_number_may_run(box: Callable[..., Box], tmp_path: Path, init: str) -> None:
    script = tmp_path / "my_init"
    script.write_text(AN_INIT_IN_PYTHON)
    shutil.copy2("/bin/bash", tmp_path / "tini")
    commands = {
        "a shell": [*SHELL, *PROGRAM],
        "a tini": [str(tmp_path / "tini"), "-c", '"$@"; exit $?', "--", *PROGRAM],
        "an init in Python": [interpreter(), "-u", str(script), *PROGRAM],
        "no init": [*SHELL, "sleep", "1000"],
    }
    started = box("jobs without a socket", command=commands[init], waits=init != "no init")

    for _ in range(2):
        done = started.again("-config", ANOTHER)
        assert (done.code, "another" in done.stdout) == (0, True), done.stderr


def test_a_user_of_a_separate_namespace_is_refused_as_well(box: Callable[..., Box]) -> None:
    started = box()

    done = started.exec("unshare", "--user", "--map-root-user", *PROGRAM, "jobs")

    assert done == (1, "", f"{REFUSED}: did you mean -jobs?{END}")


def test_a_job_that_starts_the_program_gets_a_warning_in_the_log(box: Callable[..., Box]) -> None:
    nested = {"jobs": [*RUNS["jobs"], {"name": "nested", "exec": [*PROGRAM, "-config", ANOTHER]}]}
    started = box(configuration=nested)

    wait_for(lambda: NO_FLAG in started.output(), what="the refusal in the log")
    assert "nested" in started.output()
