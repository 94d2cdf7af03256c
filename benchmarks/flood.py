"""A flood: a child writes 100 MB as fast as it can, and the supervisor's log takes it, to a file or to a pipe.

Each line has its number, so that none can be lost unseen. Meanwhile the benchmark queries its health over the
control socket, again and again: what an answer takes at most is how long a signal or a timer had to wait as well.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.asking import Asking
from benchmarks.machine import rss_mb, supervisor_pids
from benchmarks.peers import PILOT, SUPERVISORD, Candidate
from benchmarks.running import STOP_SECONDS, Bench
from benchmarks.samples import Samples, quantile

FILE, PIPE = "file", "pipe"
LINE = 100  # bytes, with its end
TIMEOUT = 300
SETTLE = 0.5  # seconds that a supervisor is left alone before the flood
MARK = b"flood-"

# Arguments: how many lines, and the file to wait for.
CHILD = f"""\
import os, sys, time
count, go = int(sys.argv[1]), sys.argv[2]
while not os.path.exists(go):
    time.sleep(0.005)
rest = "x" * {LINE - 1 - len(MARK) - 8}
for start in range(0, count, 1000):
    data = "".join(f"{MARK.decode()}{{n:08}}{{rest}}\\n" for n in range(start, min(start + 1000, count))).encode()
    while data:
        data = data[os.write(1, data):]
time.sleep(1000)
"""

SUPERVISORD_CONF = """\
[supervisord]
nodaemon=true
{user}logfile=/dev/null
logfile_maxbytes=0
pidfile={folder}/flood.pid
[program:flood]
command={command}
autorestart=false
startsecs=0
stdout_logfile={output}
stdout_logfile_maxbytes=0
"""


class Reader:
    """Counts the lines of a flood in what it reads from a pipe, and whether they come in order."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._end, self.writer = os.pipe()
        self.next = 0
        self.lost = 0
        self.complete = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        rest = b""
        while data := os.read(self._end, 65536):
            head, _, rest = (rest + data).rpartition(b"\n")
            self.count(head)
        os.close(self._end)

    def count(self, data: bytes) -> None:
        for piece in data.split(MARK)[1:]:
            number = int(piece[:8])
            self.lost += number - self.next
            self.next = number + 1
        if self.next == self._count:
            self.complete.set()


def _in_file(path: Path, count: int) -> int:
    """How many lines are not in the file."""
    reader = Reader(count)
    os.close(reader.writer)
    with path.open("rb") as file:
        for line in file:
            reader.count(line)
    return reader.lost + count - reader.next


def _pilot_command(bench: Bench, child: list[str], output: str) -> list[str]:
    config = {
        "control": {"socket": str(bench.folder / "flood.socket")},
        "logging": {"output": output},
        "jobs": [{"name": "flood", "exec": child}],
    }
    return [bench.python, str(bench.archive), "-config", json.dumps(config)]


def _peer_command(bench: Bench, candidate: Candidate, child: list[str], output: str) -> list[str]:
    script = bench.folder / "flood.py"
    script.write_text(CHILD)
    user = "user=root\n" if os.geteuid() == 0 else ""
    command = " ".join([child[0], str(script), *child[-2:]])
    text = SUPERVISORD_CONF.format(user=user, folder=bench.folder, command=command, output=output)
    conf = bench.folder / "flood.conf"
    conf.write_text(text)
    return [*candidate.command[: candidate.command.index("-c", 3)], "-c", str(conf)]


@contextlib.contextmanager
def _started(
    bench: Bench, command: list[str], environ: dict[str, str], stdout: int
) -> Iterator[subprocess.Popen[bytes]]:
    null = subprocess.DEVNULL
    process = subprocess.Popen(
        command, cwd=bench.folder, env={**bench.environ, **environ}, stdin=null, stdout=stdout, stderr=null
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _peak_mb(pid: int) -> float:
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) * 1024 / 1e6 for line in status if line.startswith("VmHWM"))


def _has_all(path: Path, count: int) -> bool:
    """Is the last line in the file?"""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4 * LINE))
        return MARK + b"%08d" % (count - 1) in file.read()


def _flood(bench: Bench, candidate: Candidate, where: str, count: int) -> None:
    samples, folder, name = bench.samples, bench.folder, candidate.name
    go, log = folder / "flood.go", folder / "flood.log"
    for path in (go, log):
        path.unlink(missing_ok=True)
    child = [bench.python, "-c", CHILD, str(count), str(go)]
    reader = Reader(count)
    ours = name == PILOT
    if ours:
        command = _pilot_command(bench, child, str(log) if where == FILE else "stdout")
    else:
        command = _peer_command(bench, candidate, child, str(log) if where == FILE else "/dev/fd/1")
    bench.gate.wait()
    with _started(bench, command, candidate.environ, reader.writer) as process:
        os.close(reader.writer)
        time.sleep(SETTLE)
        asking = Asking(folder / "flood.socket") if ours else None
        (pid,) = supervisor_pids(process.pid)[:1]
        before, begun = rss_mb(pid), time.monotonic()
        if asking is not None:
            asking.start()
        go.touch()
        complete = _wait(lambda: reader.complete.is_set() if where == PIPE else log.exists() and _has_all(log, count))
        seconds, peak = time.monotonic() - begun, _peak_mb(pid)
        if asking is not None:
            asking.stop()
    lost = count - reader.next + reader.lost if where == PIPE else _in_file(log, count)
    samples.add(f"flood {where}", name, count * LINE / 1e6 / seconds if complete and not lost else None)
    samples.add(f"flood {where} memory", name, peak - before)
    samples.add(f"flood {where} lost", name, float(lost))
    if asking is not None:
        for took in asking.took:
            samples.add("flood lag", name, took)
        worst = f"p99 {quantile(asking.took, 0.99):.1f} ms, longest {max(asking.took):.1f} ms of {len(asking.took)}"
        samples.notes.append(f"flood to a {where}: {seconds:.1f} s, {before:.1f} to {peak:.1f} MB; answers: {worst}")


def _wait(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return False


def measure_floods(bench: Bench, candidates: list[Candidate], *, megabytes: int, rounds: int) -> None:
    """Who has a log takes its turn: this program and supervisord."""
    chosen = [each for each in candidates if each.name in (PILOT, SUPERVISORD)]
    for number in range(rounds):
        print(f"flood: round {number + 1} of {rounds}", file=sys.stderr)
        for where in (FILE, PIPE):
            for candidate in chosen:
                _flood(bench, candidate, where, megabytes * 1_000_000 // LINE)


def ratios(samples: Samples) -> list[str]:
    """Beside supervisord, a sentence for each way."""
    found = []
    for where in (FILE, PIPE):
        ours, theirs = (samples.median(f"flood {where}", name) for name in (PILOT, SUPERVISORD))
        if ours and theirs:
            found.append(f"A flood to a {where}: {ours / theirs:.2f} times as fast as supervisord.")
    return found
