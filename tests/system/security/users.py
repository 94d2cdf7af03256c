"""Other users than the one that runs the tests. Only root can be somebody else."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.limits import DEADLINE
from tests.system.pilot import PATH, Finished, archive, interpreter

if TYPE_CHECKING:
    from collections.abc import Iterator

STRANGER = 12345
OWNER = 1000

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


def become(user: int) -> list[str]:
    """The beginning of a command that runs the rest of it as this user, which may read what root may: the interpreter
    can be in root's home. It may write nowhere, connect to nothing, and signal nobody."""
    who = [f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    return ["setpriv", *who, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]


def ask_as(user: int, socket: Path, *flags: str) -> Finished:
    """A subcommand of the built program, run by this user."""
    config = f'{{"control": {{"socket": "{socket}"}}, "jobs": []}}'
    done = subprocess.run(
        [*become(user), interpreter(), str(archive()), "-config", config, *flags],
        cwd="/",
        env={"PATH": PATH},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def place() -> Iterator[Path]:
    """Where a control socket may be that all users can come near to; its path is short."""
    folder = Path(tempfile.mkdtemp(prefix="cp-"))
    folder.chmod(0o755)
    yield folder / "s"
    shutil.rmtree(folder)
