"""The termination log: the file of a container in which Kubernetes looks for the reason of its end.

https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/
"""

from __future__ import annotations

import os
import stat

from cp.engine.job_runs import failure_message
from cp.platform.text import readable, reason_of, to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cp.engine.context import Context
    from cp.engine.job import Job

LARGEST = 4096  # bytes that Kubernetes reads


def report(path: str, jobs: Iterable[Job], context: Context) -> None:
    """Write why the main job failed, if it did, to a file that is still empty. A failure is a debug line in the log."""
    main = next((job for job in jobs if job.plan.main), None)
    if main is None:
        return
    end = main.last_exit
    if end is not None and end.succeeded:
        return  # something else failed
    reason = f"{main.name} was never started" if end is None else failure_message(main.plan, end)
    lines = main.runs.last_lines if context.keeps_lines else ()
    try:
        _write(path, message(context.masked(reason), [context.masked(line) for line in lines]))
    except OSError as error:
        context.log.debug(f"cannot write to {path}: {reason_of(error)}")


def message(reason: str, lines: Iterable[str] = ()) -> bytes:
    """The reason, and as many of the last lines of output as fit."""
    text = f"{readable(reason)}\n".encode(errors="replace")[:LARGEST]
    output = b"".join(f"{readable(line)}\n".encode(errors="replace") for line in lines)
    room = LARGEST - len(text)
    if len(output) > room:
        output = output[len(output) - room :].partition(b"\n")[2]  # a part of a line is left out
    return text + output


def _write(path: str, content: bytes) -> None:
    """Raises OSError. Nothing here waits: neither for a reader of a FIFO nor for a device."""
    flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    descriptor = os.open(to_bytes(path), flags)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError("it is not a regular file")
        if found.st_size:
            raise OSError("it is not empty")
        os.write(descriptor, content)
    finally:
        os.close(descriptor)
