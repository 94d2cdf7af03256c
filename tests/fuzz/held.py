"""Resources that targets keep from one input to the next: sockets, servers and a folder, gone when the process ends."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def hold(close: Callable[[], object]) -> None:
    """Have this called at the end."""
    atexit.register(close)


@cache
def folder() -> str:
    """A folder of this process's own."""
    made = tempfile.mkdtemp(prefix="cp-fuzz-")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made
