"""The loop with real processes: starting, reaping, groups, output."""

from __future__ import annotations

import gc
import os
import resource
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cp.engine import exec_limits
from cp.engine.context import Context, Environment
from cp.engine.events import Bus
from cp.engine.loop import Loop
from cp.engine.output import LINGERING_LIMIT, WARNING_PAUSE, Outputs
from cp.engine.process import GROUPS_LIMIT, REAP_BATCH, Process, Processes, StartError, find_executable
from cp.engine.run import Run
from cp.log.log import Log
from cp.log.masking import Matcher
from cp.plan import INHERIT
from cp.platform.prctl import become_subreaper
from tests.system import proc
from tests.system.pilot import wait_for
from tests.unused_parts import UNUSED

ENVIRON = {"PATH": "/usr/bin:/bin"}


class Scene:
    """A loop that reaps, as the program has it."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.processes = Processes(self.loop.call_soon)
        self.outputs = Outputs(self.loop)
        self.exits: list[Any] = []
        self.lines: list[str] = []
        self.loop.handle_signals({signal.SIGCHLD: self._reap})

    def _reap(self, number: int = 0) -> None:
        if self.processes.reap():
            self.loop.call_soon(self._reap)

    def start(self, *command: str, **options: Any) -> Process:
        return self.processes.start(command, ENVIRON, self.exits.append, **options)

    def run_until(self, condition: Callable[[], bool], seconds: float = 10) -> None:
        expired: list[bool] = []
        timer = self.loop.call_later(seconds, expired.append, True)
        while not condition():
            assert not expired, "the condition did not come true in time"
            self.loop.run_once()
        timer.cancel()

    def capture(self, *command: str) -> None:
        ended: list[bool] = []
        reader, write_end = self.outputs.open(self.lines.append, lambda: ended.append(True))
        self.processes.start(command, ENVIRON, self.exits.append, stdout=write_end)
        os.close(write_end)
        self.run_until(lambda: bool(ended and self.exits))
        assert reader.fd < 0


@pytest.fixture
def scene() -> Iterator[Scene]:
    handler, mask = signal.getsignal(signal.SIGCHLD), signal.pthread_sigmask(signal.SIG_BLOCK, ())
    made = Scene()
    yield made
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def test_a_crowd_of_exits_is_collected_in_batches(scene: Scene) -> None:
    """A thousand at once took 15 ms in one go, in which no other signal was looked at."""
    crowd = [scene.start("true") for _ in range(REAP_BATCH + 10)]
    wait_for(lambda: all(proc.state(process.pid) == "Z" for process in crowd))
    assert scene.processes.reap() is True
    assert sum(process.reaped for process in crowd) <= REAP_BATCH
    scene.run_until(lambda: len(scene.exits) == REAP_BATCH + 10)


def test_exit_code_and_signal_are_reported_once(scene: Scene) -> None:
    scene.start("sh", "-c", "exit 7")
    scene.start("sh", "-c", "kill -KILL $$")
    scene.run_until(lambda: len(scene.exits) == 2)
    assert sorted(scene.exits) == [-9, 7]


def test_a_start_that_fails_has_a_reason(scene: Scene, tmp_path: os.PathLike[str]) -> None:
    plain = os.path.join(tmp_path, "plain")
    with open(plain, "w") as file:
        file.write("echo hello\n")
    script = os.path.join(tmp_path, "script")
    with open(script, "w") as file:
        file.write("#!/no/such/interpreter\n")
    os.chmod(script, 0o755)
    for command, code, words in (
        ("/no/such/program", 127, "fork/exec /no/such/program: no such file or directory"),
        ("no-such-program", 127, 'exec: "no-such-program": executable file not found in $PATH'),
        (plain, 126, "permission denied"),
        (script, 127, "its interpreter /no/such/interpreter does not exist"),
        (str(tmp_path), 126, "it is a directory"),
        ("", 127, "executable file not found"),
        ("a\0b", 127, "executable file not found"),
    ):
        with pytest.raises(StartError) as caught:
            scene.start(command)
        assert words in str(caught.value)
        assert caught.value.code == code
    with open(script, "w") as file:
        file.write("#!/bin/sh\r\n")
    with pytest.raises(
        StartError, match=r"\(its first line ends as in Windows, so its interpreter is '/bin/sh\\r': save"
    ):
        scene.start(script)
    os.chmod(plain, 0o755)
    with pytest.raises(StartError, match=r"exec format error .*#!/bin/sh"):
        scene.start(plain)


def test_path_is_searched_in_the_environment_of_the_child(tmp_path: os.PathLike[str]) -> None:
    program = os.path.join(tmp_path, "program")
    with open(program, "w") as file:
        file.write("#!/bin/sh\n")
    with pytest.raises(StartError, match="is not executable") as caught:
        find_executable("program", f"/nowhere:{tmp_path}")
    assert caught.value.code == 126
    os.chmod(program, 0o755)
    assert find_executable("program", f"/nowhere:{tmp_path}") == program


def test_a_signal_reaches_the_whole_group(scene: Scene) -> None:
    scene.lines.clear()
    ended: list[bool] = []
    _, write_end = scene.outputs.open(scene.lines.append, lambda: ended.append(True))
    command = ("sh", "-c", "sleep 60 & echo up; wait")
    process = scene.processes.start(command, ENVIRON, scene.exits.append, stdout=write_end)
    os.close(write_end)
    scene.run_until(lambda: scene.lines == ["up"])
    assert scene.processes.signal(process, signal.SIGTERM, group=True)
    scene.run_until(lambda: bool(ended and scene.exits))  # the pipe is closed when the sleep is gone, too


def test_children_of_a_swept_process_are_terminated(scene: Scene) -> None:
    ended: list[bool] = []
    _, write_end = scene.outputs.open(scene.lines.append, lambda: ended.append(True))
    command = ("sh", "-c", "sleep 60 & exit 0")
    scene.processes.start(command, ENVIRON, scene.exits.append, stdout=write_end, sweep=True)
    os.close(write_end)
    scene.run_until(lambda: bool(ended))
    assert scene.exits == [0]


def test_a_stopped_process_can_be_terminated(scene: Scene) -> None:
    host = Context(
        loop=scene.loop,
        processes=scene.processes,
        outputs=scene.outputs,
        environment=Environment(ENVIRON),
        bus=Bus(scene.loop.call_steps),
        log=Log(),
        random=lambda: 0.5,
        **UNUSED,
    )
    run = Run(host, ("sleep", "60"), "sleeper", scene.exits.append, output=INHERIT)
    run.start()
    run.signal(signal.SIGSTOP, group=True)
    run.terminate(group=False)
    scene.run_until(lambda: scene.exits == [-signal.SIGTERM])


def test_groups_that_have_died_out_are_not_kept(scene: Scene) -> None:
    assert become_subreaper()  # as the program does: what a leader leaves behind becomes ours
    for count in range(GROUPS_LIMIT, 6 * GROUPS_LIMIT, GROUPS_LIMIT):
        for _ in range(GROUPS_LIMIT):
            scene.start("sh", "-c", "sleep 0.01 & exit 0")
        scene.run_until(lambda count=count: len(scene.exits) == scene.processes.orphans == count)  # type: ignore[misc]
    assert len(scene.processes._groups) <= 2 * GROUPS_LIMIT


def test_signalling_a_process_that_is_gone_is_not_an_error(scene: Scene) -> None:
    process = scene.start("true")
    scene.run_until(lambda: bool(scene.exits))
    assert not scene.processes.signal(process, signal.SIGTERM, group=True)
    assert not scene.processes.signal(process, signal.SIGTERM, group=False)


def test_lines_come_whole_and_the_last_one_needs_no_end(scene: Scene) -> None:
    scene.capture("printf", "  one\\r\\n\\ntwo\\377\\nthree")
    assert scene.lines == ["  one", "", "two\udcff", "three"]


def test_a_long_line_comes_in_pieces_and_nothing_is_lost(scene: Scene) -> None:
    scene.capture("sh", "-c", "head -c 200000 /dev/zero | tr '\\0' x; echo; echo end")
    assert scene.lines[-1] == "end"
    assert sum(map(len, scene.lines[:-1])) == 200000
    assert max(map(len, scene.lines)) <= 65536


def test_a_secret_goes_whole_into_one_piece_of_a_long_line(scene: Scene) -> None:
    scene.outputs.mask_with(Matcher([b"s3cret-s3cret"]))
    for last in ("", "; echo"):
        scene.lines.clear()
        scene.exits.clear()
        scene.capture("sh", "-c", f"head -c 65530 /dev/zero | tr '\\0' x; printf s3cret-s3cret-and-more{last}")
        assert "".join(scene.lines) == "x" * 65530 + "********-and-more"
        assert max(map(len, scene.lines)) <= 65536


def test_a_paused_output_makes_the_child_wait_and_loses_nothing(scene: Scene) -> None:
    ended: list[bool] = []
    scene.outputs.pause(True)
    _, write_end = scene.outputs.open(scene.lines.append, lambda: ended.append(True))
    scene.processes.start(("sh", "-c", "seq 100000"), ENVIRON, scene.exits.append, stdout=write_end)
    os.close(write_end)
    scene.loop.call_later(0.2, scene.outputs.pause, False)
    scene.run_until(lambda: bool(ended))
    assert scene.lines == [str(number) for number in range(1, 100001)]


def test_pipes_of_background_children_are_bounded(scene: Scene) -> None:
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    write_ends = []
    for _ in range(LINGERING_LIMIT + 5):
        reader, write_end = scene.outputs.open(scene.lines.append)
        write_ends.append(write_end)
        scene.outputs.linger(reader)
    assert len(os.listdir("/proc/self/fd")) == before + 2 * LINGERING_LIMIT + 5
    for write_end in write_ends:
        os.close(write_end)
    scene.run_until(lambda: len(os.listdir("/proc/self/fd")) == before)


def test_closed_pipes_of_background_children_are_logged_once_a_minute(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    outputs = Outputs(scene.loop, warn=warnings.append)
    time = 100.0
    monkeypatch.setattr(scene.loop, "now", lambda: time)

    def linger(count: int) -> None:
        for _ in range(count):
            reader, write_end = outputs.open(scene.lines.append)
            reader.label = "check.app"
            os.close(write_end)
            outputs.linger(reader)

    linger(LINGERING_LIMIT)
    assert warnings == []
    linger(3)
    time += WARNING_PAUSE
    linger(1)
    assert warnings == [
        "the output of what check.app has left in the background is not read any more: there is room for 64",
        "the output of what check.app has left in the background is not read any more, nor was that of 2 others: "
        "there is room for 64",
    ]


def test_a_callback_that_fails_is_reported_and_the_loop_goes_on() -> None:
    errors: list[BaseException] = []
    loop = Loop(on_error=errors.append)
    loop.call_soon(lambda: 1 / 0)
    loop.call_soon(loop.stop)
    loop.run()
    assert isinstance(errors[0], ZeroDivisionError)


def test_a_call_from_another_thread_wakes_the_loop() -> None:
    import threading

    loop = Loop()
    threading.Thread(target=loop.post, args=(loop.stop,)).start()
    loop.run()


def test_timers_fire_in_order_and_cancelled_ones_do_not() -> None:
    loop = Loop()
    fired: list[int] = []
    loop.call_later(0.02, fired.append, 2)
    loop.call_later(0.01, fired.append, 1)
    loop.call_later(0.015, fired.append, 9).cancel()
    loop.call_later(0.03, loop.stop)
    loop.run()
    assert fired == [1, 2]


@pytest.mark.parametrize("stack", [512 << 10, 8 << 20, 64 << 20])
def test_the_limits_of_an_environment_are_those_of_the_kernel(scene: Scene, stack: int) -> None:
    """The limit is exact to the byte: only an environment that the kernel refuses is refused beforehand."""
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    resource.setrlimit(resource.RLIMIT_STACK, (stack, hard))
    try:
        command = ["/bin/true", "argument"]
        left = exec_limits.space() - exec_limits.size_of_command(command) - len(command[0]) - 1
        environ: dict[str, str] = {}
        while left > 0:
            size = min(left, exec_limits.LONGEST + exec_limits.POINTER)
            size -= 1000 if 0 < left - size < 1000 else 0
            name = f"V{len(environ):03}"
            environ[name] = "x" * (size - exec_limits.size_of_variable(name, ""))
            left -= size

        scene.processes.start(command, environ, scene.exits.append)
        scene.run_until(lambda: scene.exits == [0])
        for longer in ({**environ, name: environ[name] + "x"}, {"V": "x" * (exec_limits.LONGEST - 2)}):
            with pytest.raises(StartError, match=r"argument list too long \(.*the kernel takes \d+") as refused:
                scene.processes.start(command, longer, scene.exits.append)
            assert refused.value.code == 126
    finally:
        resource.setrlimit(resource.RLIMIT_STACK, (soft, hard))


def test_an_argument_that_is_too_long_is_named(scene: Scene) -> None:
    longest = exec_limits.LONGEST - 1
    with pytest.raises(StartError, match=rf"argument 1 has {longest + 1} bytes, and the kernel takes {longest}\)"):
        scene.start("/bin/true", "x" * (longest + 1))
