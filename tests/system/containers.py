"""Containers without an engine: a root file system, namespaces, and the options of `docker run` that matter here."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.limits import DEADLINE
from tests.system import proc
from tests.system.dockerfile import Image, build
from tests.system.pilot import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

ENTRY = Path(__file__).parent / "container_entry.py"
ENTER = (sys.executable, "-I", "-S", str(ENTRY))
ROOTLESS = ("--user", "--map-root-user") if os.geteuid() != 0 else ()


class Network:
    """A network of its own, which containers may share: a loopback, and the address 10.0.0.5. Ports are all free."""

    def __init__(self) -> None:
        command = ["unshare", "--net", *ROOTLESS, *ENTER, "network"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.get("127.0.0.1:1")  # answered when it is there

    @property
    def prefix(self) -> list[str]:
        """The beginning of a command that is run in it."""
        as_root = ["--user", "--preserve-credentials"] if ROOTLESS else []
        return ["nsenter", f"--target={self.process.pid}", *as_root, "--net"]

    def get(self, place: str, path: str = "/") -> tuple[int, str]:
        """The answer of a web server at `HOST:PORT`: status (0: it does not) and text."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{place} {path}\n")
        self.process.stdin.flush()
        status, text = json.loads(self.process.stdout.readline())
        return status, text.rstrip("\n")

    def close(self) -> None:
        self.process.communicate()


class Container:
    """A program as PID 1 of a container."""

    def __init__(
        self,
        image: Image,
        network: Network,
        folder: Path,
        *,
        entrypoint: Sequence[str] | None = None,
        command: Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
        user: str = "",
        read_only: bool = False,
        tmpfs: Sequence[str] = (),
        binds: Mapping[Path, str] | None = None,
        drop: bool = False,
        workdir: str = "",
    ) -> None:
        """`user` is `uid` or `uid:gid`; `drop` stands for --cap-drop ALL and no-new-privileges."""
        self.root = folder / "root"
        self.root.mkdir()
        link(image.root, self.root)
        program = list(image.entrypoint if entrypoint is None else entrypoint)
        self.image = image
        self._network = network
        self._log = folder / "log"
        self._entry: dict[str, Any] = {
            **description(image, [*program, *(image.cmd if command is None else command)], user, drop),
            "root": str(self.root),
            "mounts": True,
            "read_only": read_only,
            "tmpfs": list(tmpfs),
            "binds": {str(source): target for source, target in (binds or {}).items()},
        }
        self._entry["env"].update(env or {})
        self._entry["workdir"] = workdir or image.workdir
        apart = ["unshare", "--fork", "--pid", "--mount", "--uts", "--kill-child"]
        with self._log.open("wb") as out:
            self.process = subprocess.Popen(
                [*network.prefix, *apart, *ENTER, json.dumps(self._entry)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    # --- what it does

    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_for(self, condition: Callable[[], object], what: str, timeout: float = DEADLINE) -> None:
        """While it runs; AssertionError with all that it printed."""
        try:
            wait_for(lambda: condition() or not self.is_running(), timeout, what)
            assert condition(), f"it ended, {self.process.returncode}, before {what}"
        except AssertionError as error:
            raise AssertionError(f"{error}\n--- it printed:\n{self.output()}") from None

    def wait_for_line(self, pattern: str) -> None:
        self.wait_for(lambda: re.search(pattern, self.output(), re.M), f"a line with {pattern!r}")

    def is_running(self) -> bool:
        return self.process.poll() is None

    @property
    def pid(self) -> int:
        """The pid of its PID 1, as the host sees it."""

        def init() -> list[int]:
            # Before it becomes its program it still has another command line.
            children = proc.children(self.process.pid)
            return [pid for pid in children if ENTRY.name not in proc.command_line(pid)]

        self.wait_for(init, "an init process")
        return init()[0]

    # --- what is done to it

    def exec(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs a command as `docker exec` does."""
        entry = {**self._entry, "command": command, "mounts": False}
        as_root = ["--user", "--preserve-credentials"] if ROOTLESS else []
        inside = ["nsenter", f"--target={self.pid}", *as_root, "--mount", "--pid", "--net"]
        return subprocess.run(
            [*inside, *ENTER, json.dumps(entry)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )

    def wait_until_healthy(self, *check: str) -> None:
        """Waits until its health check succeeds: the one of its image, if none is named."""
        command = check or tuple(self.image.health)
        self.wait_for(lambda: self.exec(*command).returncode == 0, f"success of {' '.join(command)}")

    def stop(self, name: str = "") -> int:
        """Stops it as `docker stop` does, with the signal of the image. Returns the exit code."""
        os.kill(self.pid, signal.Signals[name or self.image.stop_signal])
        return self.wait_exit()

    def wait_exit(self) -> int:
        self.wait_for(lambda: not self.is_running(), "its end")
        return self.process.returncode

    def close(self) -> None:
        # The kernel forgets that the init is to end with its parent when it becomes another user.
        if self.is_running():
            for pid in proc.children(self.process.pid):
                os.kill(pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()


def description(image: Image, command: list[str], user: str, drop: bool) -> dict[str, Any]:
    """The parameters of container_entry.py, except the mounts. Without root there is no other user."""
    who = (user or image.user) if os.geteuid() == 0 else ""
    uid, _, gid = who.partition(":")
    return {
        "root": str(image.root),
        "command": command,
        "workdir": image.workdir,
        "env": {**image.env, "HOSTNAME": "box1"},  # /etc/hosts knows it
        "user": [int(uid), int(gid or uid)] if who else None,
        "drop": drop,
    }


class Images:
    """Builds images. A RUN line that was done before on the same root is not done again."""

    def __init__(self, folder: Path, layers: Path, base: Callable[[str, Image], None]) -> None:
        """`base` makes an empty image the stand-in of one of a registry; `layers` is a folder that may be shared."""
        self._folder = folder
        self._layers = layers
        self._base = base
        self._count = 0
        self.named: dict[str, Image] = {}

    def build(self, text: str, context: Path, name: str = "") -> Image:
        """The image of a Dockerfile; later ones find it by its name."""
        image = build(text, context, self._new_folder(), self._from, self._run)
        if name:
            self.named[name] = image
        return image

    def _new_folder(self) -> Path:
        self._count += 1
        folder = self._folder / f"image{self._count}"
        folder.mkdir()
        return folder

    def _from(self, reference: str, image: Image) -> None:
        if other := self.named.get(reference):
            image.inherit(other)
            link(other.root, image.root)
        else:
            self._base(reference, image)

    def _run(self, image: Image, command: list[str]) -> None:
        if not image.history:
            run_in(image, command)
            return
        layer = self._layers / hashlib.sha256(repr(image.history).encode()).hexdigest()
        with layer.with_suffix(".lock").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)  # pytest-xdist: one worker runs it, the others wait
            if layer.exists():
                shutil.rmtree(image.root)
                image.root.mkdir()
                link(layer, image.root)
            else:
                run_in(image, command)
                layer.mkdir()
                link(image.root, layer)


class Engine:
    """Runs containers, and ends what is left of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._containers: list[Container] = []
        self._networks: list[Network] = []

    def network(self) -> Network:
        network = Network()
        self._networks.append(network)
        return network

    def run(self, image: Image, network: Network | None = None, **options: Any) -> Container:
        """Options are those of `Container`."""
        folder = self._folder / f"container{len(self._containers)}"
        folder.mkdir()
        container = Container(image, network or self.network(), folder, **options)
        self._containers.append(container)
        return container

    def close(self) -> None:
        for container in self._containers:
            container.close()
        for network in self._networks:
            network.close()


def link(source: Path, target: Path) -> None:
    """A copy that shares its files: nothing here changes one in place."""
    subprocess.run(["cp", "-al", f"{source}/.", target], check=True)


def run_in(image: Image, command: list[str]) -> None:
    """A RUN line of a Dockerfile."""
    entry = {
        **description(image, command, "", drop=False),
        "mounts": True,
        "read_only": False,
        "tmpfs": [],
        "binds": {},
    }
    done = subprocess.run(
        ["unshare", "--fork", "--pid", "--mount", "--uts", "--kill-child", *ROOTLESS, *ENTER, json.dumps(entry)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"RUN {' '.join(command)}: {done.returncode}\n{done.stdout}"
