"""In images that lack what a machine has: a root that cannot be written, no HOME, no /tmp, no users, no /dev."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.system.pilot import PATH, archive, interpreter, namespaces
from tests.system.scripts import service

if TYPE_CHECKING:
    from tests.system.pilot_fixtures import StartPilot

WARNING = "cannot serve a control socket in any of the usual places: "
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")

# $1 is an empty folder; the others are folders that the image has, at their own places.
MAKE_IMAGE = """
set -e
image=$1; shift
mount -t tmpfs image "$image"
for folder in "$@"; do
    if [ -L "$folder" ]; then
        ln -s "$(readlink "$folder")" "$image$folder"
    elif [ -d "$folder" ]; then
        mkdir -p "$image$folder"
        mount --rbind "$folder" "$image$folder"
    fi
done
mkdir "$image/proc"
mount -t proc proc "$image/proc"
mkdir -p "$image/opt"
cp "$ARCHIVE" "$image/opt/containerpilot.pyz"
mount -o remount,bind,ro "$image"
cd /
"""


@pytest.mark.smoke
def test_image_with_only_programs(pilot: StartPilot) -> None:
    done = run_in_image(pilot, {"preStart": "/bin/echo hello"}, ["/bin/sh", "-c", "echo app; exit 7"])

    assert done.returncode == 7, done.stderr
    assert output_of(done).startswith("hello\napp\n")
    assert done.stderr == ""


def test_control_socket_that_is_not_available_is_one_warning_that_names_the_places(pilot: StartPilot) -> None:
    done = run_in_image(pilot, {}, ["/bin/sh", "-c", "sleep 0.5; exit 7"])

    [warning] = [line for line in done.stdout.splitlines() if WARNING in line]
    assert done.returncode == 7
    assert "/var/run/containerpilot.socket: there is no directory /var/run" in warning
    assert "/tmp/containerpilot-0.socket: there is no directory /tmp" in warning
    assert warning.endswith(": going on without it")


def test_unknown_user(pilot: StartPilot) -> None:
    # Without root we are ourselves, whom the image does not know either.
    user = "12345:12345" if os.geteuid() == 0 else ""

    done = run_in_image(pilot, {}, ["/usr/bin/id", "-u"], user=user)

    assert (done.returncode, done.stderr) == (0, "")
    assert output_of(done) == ("12345\n" if user else "0\n")


def test_standard_input_is_empty_also_without_dev_null(pilot: StartPilot) -> None:
    done = run_in_image(pilot, {"preStart": "/usr/bin/wc -c"}, ["/usr/bin/wc", "-c"])

    assert (done.returncode, output_of(done), done.stderr) == (0, "0\n0\n", "")


def test_checks_tasks_and_coprocesses_work(pilot: StartPilot) -> None:
    config = {
        "tasks": [{"command": "/bin/echo task", "frequency": "100ms"}],
        "coprocesses": [{"command": "/bin/echo coprocess"}],
        "postStop": "/bin/echo post",
    }

    done = run_in_image(pilot, config, ["/bin/sleep", "0.5"])

    assert (done.returncode, done.stderr) == (0, "")
    for word in ("task", "coprocess", "post"):
        assert word in done.stdout


def test_catalogue_that_cannot_be_written_is_reported_once_and_the_app_runs(pilot: StartPilot) -> None:
    config = {"directory": "/shelf", "services": [service()]}

    done = run_in_image(pilot, config, ["/bin/sh", "-c", "sleep 2.5; exit 7"])

    assert (done.returncode, done.stderr) == (7, "")
    assert done.stdout.lower().count("/shelf: read-only file system") == 1


def output_of(done: subprocess.CompletedProcess[str]) -> str:
    """The output, except the one warning about the control socket, for which an image like this has no place. An
    application that ends at once is over before anybody has looked for one."""
    lines = done.stdout.splitlines(keepends=True)
    assert sum(WARNING in line for line in lines) <= 1
    return "".join(line for line in lines if WARNING not in line)


def run_in_image(
    pilot: StartPilot, config: object, command: list[str], user: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run ContainerPilot as PID 1 in a read-only root of only programs, with an empty environment."""
    image = pilot.folder() / "image"
    image.mkdir()
    python = base_interpreter()
    enter = ["chroot", *([f"--userspec={user}"] if user else []), str(image), "/usr/bin/env", "-i"]
    program = [python, "/opt/containerpilot.pyz", "-config", json.dumps(config), *command]
    script = f"{MAKE_IMAGE}exec {shlex.join([*enter, *program])}\n"
    return subprocess.run(
        [*namespaces("--mount"), "/bin/sh", "-c", script, "sh", str(image), *SYSTEM, *prefixes(python)],
        env={"PATH": PATH, "ARCHIVE": str(archive())},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def base_interpreter() -> str:
    """The interpreter itself: a virtual environment of the tests is not in the image."""
    show = "import sys; print(sys._base_executable)"
    done = subprocess.run([interpreter(), "-c", show], capture_output=True, text=True, check=True)
    return str(Path(done.stdout.strip()).resolve())


def prefixes(python: str) -> list[str]:
    """The folder of the interpreter's own files, if it is none of the system's."""
    prefix = Path(python).parent.parent
    return [] if any(prefix.is_relative_to(known) for known in SYSTEM) else [str(prefix)]
