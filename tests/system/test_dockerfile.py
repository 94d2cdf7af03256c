"""Dockerfile.alpine, done step by step in a folder: what it makes is started as a container would be.

The stand-in for the official image is this machine's Python, as that one has it: in /usr/local, without bytecode.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from tests.system.dockerfile import context
from tests.system.pilot import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.containers import Engine
    from tests.system.dockerfile import Image

LIBRARY = "/usr/local/lib"


def test_it_runs_the_command_at_pid_1_and_stops_it(alpine_image: Image, engine: Engine) -> None:
    say = ["sh", "-c", "echo child of $PPID; exec sleep 1000"]
    config = '{"preStop": "echo draining", "postStop": "echo done"}'
    container = engine.run(alpine_image, command=say, env={"CONTAINERPILOT": config})
    container.wait_for_line("^child of 1$")

    assert container.stop() == 143

    output = container.output()
    assert [word for word in ("child of 1", "draining", "done") if word in output] == ["child of 1", "draining", "done"]


def test_it_is_healthy_while_containerpilot_answers(alpine_image: Image, engine: Engine) -> None:
    container = engine.run(alpine_image, command=["sleep", "1000"], env={"CONTAINERPILOT": "{}"})

    container.wait_until_healthy()
    other = engine.run(alpine_image, entrypoint=["sleep", "1000"], command=[])

    unhealthy = other.exec(*alpine_image.health)
    assert unhealthy.returncode == 1
    assert unhealthy.stderr.startswith("-ping: failed: cannot connect")


def test_its_flags_are_available_by_name(alpine_image: Image, engine: Engine) -> None:
    container = engine.run(alpine_image, command=["sleep", "1000"], env={"CONTAINERPILOT": "{}"})
    container.wait_until_healthy()

    jobs = container.exec("containerpilot.pyz", "-jobs")

    assert jobs.returncode == 0, jobs
    assert jobs.stdout.splitlines()[1].split()[:2] == ["APP", "running"], jobs


def test_the_standard_library_is_compiled_permanently(alpine_image: Image, engine: Engine) -> None:
    [library] = (alpine_image.root / LIBRARY[1:]).glob("python3*")
    sources = [path for path in library.rglob("*.py") if "site-packages" not in path.parts]
    without = [path for path in sources if not list(path.parent.glob(f"__pycache__/{path.stem}.cpython-*.pyc"))]
    change = (
        f"rm {LIBRARY}/python3*/queue.py; "
        f"echo 'raise ImportError(\"it was compiled again\")' >$(echo {LIBRARY}/python3*)/queue.py; "
        "exec python3 -c 'import queue'"
    )

    container = engine.run(alpine_image, entrypoint=["sh", "-c", change], command=[])

    assert len(sources) > 100
    assert without == []
    assert container.wait_exit() == 0, container.output()


def test_the_engine_is_sent_one_file(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in ("dist/containerpilot.pyz", "dist/other", ".cache/consul/consul", "cp/app.py"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).touch()
    shutil.copy2(ROOT / ".dockerignore", source)

    sent = context(source, tmp_path / "sent")

    assert [str(path.relative_to(sent)) for path in sent.rglob("*") if path.is_file()] == ["dist/containerpilot.pyz"]
