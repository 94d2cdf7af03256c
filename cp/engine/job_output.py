"""The last lines that each job printed, in bounded memory, for people who look in later. Pure, except for its clock.

Imported when a job has printed its first line. The lines of one read of a pipe are kept together, as one block: this is
cheap, however many lines a job prints. Nothing is decoded or split before somebody wants to see it.
"""

from __future__ import annotations

from _heapq import heapify, heapreplace
from time import time

from cp.platform.text import from_beginning, from_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Iterable
    from typing import Protocol

    class Matcher(Protocol):
        """Masks secrets."""

        def masked(self, data: bytes, /) -> bytes: ...

    class Masks(Protocol):
        """Has what masks secrets now, or None."""

        @property
        def matcher(self) -> Matcher | None: ...

    # The number of its first line among those of all jobs, and among those of its job, both from 1; how many lines it
    # has; when they were read, in seconds since 1970; their bytes, after which another line may begin; and what has
    # masked them.
    Block = tuple[int, int, int, float, bytes, Matcher | None]
else:
    from _collections import deque  # the C type alone: `collections` is not imported before the application runs

JOB_LIMIT = 64 * 1024  # bytes of memory for one job; its oldest lines are dropped first
LIMIT = 1024 * 1024  # bytes for all jobs; the oldest lines of the largest are dropped first
LINE_LIMIT = 8 * 1024  # bytes of one line; the rest is cut off
BLOCK_SIZE = 200  # bytes of memory that a block needs beside its lines
# When all jobs have more than LIMIT, so many bytes are dropped at once: it takes a look at all jobs.
_DROPPED = LIMIT // 16
_CUT = "…".encode()


class Line:
    """One line of a job. `number` counts those of all jobs, `own` those of its job, both from 1. `moment` is in seconds
    since 1970."""

    __slots__ = ("job", "moment", "number", "own", "text")

    def __init__(self, job: str, number: int, own: int, moment: float, text: str) -> None:
        self.job = job
        self.number = number
        self.own = own
        self.moment = moment
        self.text = text


class JobLines:
    """The last lines of one job."""

    __slots__ = ("_masks", "_output", "blocks", "count", "is_dropped", "name", "size")

    def __init__(self, output: JobOutput, name: str, masks: Masks) -> None:
        self.name = name
        self.blocks: deque[Block] = deque()
        self.size = 0
        self.count = 0  # of the lines that it ever had
        self.is_dropped = False  # no plan has the job any more
        self._output = output
        self._masks = masks

    def keep(self, data: bytes, count: int) -> None:
        """Keep the first `count` lines of what was read. What follows them is the beginning of a line."""
        if self.is_dropped:
            return
        if len(data) > LINE_LIMIT:
            data = b"\n".join(map(_cut, data.split(b"\n")[:count]))
        output = self._output
        number, self.count = self.count, self.count + count
        block = (output.number + 1, number + 1, count, time(), data, self._masks.matcher)
        self.blocks.append(block)
        output.number += count
        size = len(data) + BLOCK_SIZE
        self.size += size
        output.size += size
        if self.size > JOB_LIMIT:
            self.make_room()
        if output.size > LIMIT:
            output.make_room()
        if output.followers:
            output.added(self, block)

    def make_room(self) -> None:
        while self.size > JOB_LIMIT:
            self.drop_oldest()

    def drop_oldest(self) -> None:
        """Drop its oldest block."""
        size = len(self.blocks.popleft()[4]) + BLOCK_SIZE
        self.size -= size
        self._output.size -= size

    def lines(self, block: Block) -> list[Line]:
        """The lines of one of its blocks. A secret that became known since then is masked, too."""
        number, own, count, moment, data, matcher = block
        current = self._masks.matcher
        if current is not None and current is not matcher:
            data = current.masked(data)
        return [
            Line(self.name, number + place, own + place, moment, from_bytes(line.removesuffix(b"\r")))
            for place, line in enumerate(data.split(b"\n")[:count])
        ]


class JobOutput:
    """The last lines of all jobs. `number` is that of the last line: it counts the lines of all jobs, in their order.

    `masks` has what masks secrets in the output of jobs.
    """

    __slots__ = ("_jobs", "_masks", "followers", "number", "size")

    def __init__(self, masks: Masks) -> None:
        self.number = 0
        self.size = 0
        self.followers: list[Callable[[JobLines, Block], None]] = []
        self._jobs: dict[str, JobLines] = {}
        self._masks = masks

    def of(self, job: str) -> JobLines:
        """The lines of a job."""
        found = self._jobs.get(job)
        if found is None:
            found = self._jobs[job] = JobLines(self, job, self._masks)
        return found

    def select(self, jobs: Iterable[str]) -> list[JobLines]:
        """Those of these jobs that have printed something."""
        return [found for found in map(self._jobs.get, jobs) if found is not None]

    def keep_only(self, jobs: Iterable[str]) -> None:
        """Forget the lines of all other jobs: they are removed."""
        wanted = set(jobs)
        for name in [name for name in self._jobs if name not in wanted]:
            gone = self._jobs.pop(name)
            gone.is_dropped = True
            self.size -= gone.size

    def follow(self, callback: Callable[[JobLines, Block], None]) -> Callable[[], None]:
        """Call back for each new block; the result is a function that ends that."""
        self.followers.append(callback)
        return lambda: self.followers.remove(callback) if callback in self.followers else None

    def added(self, job: JobLines, block: Block) -> None:
        for follower in tuple(self.followers):
            follower(job, block)

    def make_room(self) -> None:
        """Drop the oldest lines of the largest, again and again."""
        heap = [(-job.size, name, job) for name, job in self._jobs.items()]
        heapify(heap)
        while self.size > LIMIT - _DROPPED:
            _, name, job = heap[0]
            job.drop_oldest()
            heapreplace(heap, (-job.size, name, job))


def _cut(line: bytes) -> bytes:
    """The beginning of a line that is too long."""
    if len(line) <= LINE_LIMIT:
        return line
    _, size = from_beginning(line[:LINE_LIMIT])
    return line[: size or LINE_LIMIT] + _CUT
