"""The candidates: this program and its peers, each with the command that puts the benchmark's application under it.

Peers are looked for on PATH, then fetched into the cache folder (fetching.py).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.fetching import Unavailable, debian_tool, libraries, output, python_packages, unpack_deb

PILOT = "containerpilot"
PILOT_SERVICE = "containerpilot, 1 service"
PILOT_TLS = "containerpilot, 1 service, TLS"
PYTHON = "bare Python"
NOTHING = "no supervisor"
SUPERVISORD = "supervisord"
PEERS = ("tini", "dumb-init", "s6", "honcho", "circus", SUPERVISORD)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A supervisor and how to start it. `command` begins with an absolute path and names the application too.

    `settle_ms`: from the application's start to the moment at which the rest of the supervisor's start is done.
    `stays`: it outlives its application. `every`: it is slow, and measured in one of so many rounds. `looks_every_ms`:
    it answers when it next looks around, so that a signal must come at any moment of that time. `reaping_rounds`: how
    often it is measured at most with orphans; None = in each round. `reaps`: it has been seen to reap them.
    `parts`: names of other programs that it consists of. `programs`: a folder whose programs it must find in /usr/bin.
    """

    name: str
    command: tuple[str, ...]
    version: str = ""
    environ: dict[str, str] = field(default_factory=dict)
    settle_ms: int = 100
    stays: bool = False
    every: int = 1
    looks_every_ms: int = 0
    reaping_rounds: int | None = None
    reaps: bool = True
    parts: tuple[str, ...] = ()
    programs: str = ""

    @property
    def command_with_programs(self) -> tuple[str, ...]:
        """The command, after what makes `programs` be in /usr/bin: that takes a while."""
        return (*in_usr_bin(self.programs), *self.command) if self.programs else self.command


def in_usr_bin(folder: str) -> tuple[str, ...]:
    """What to put before a command that needs the programs of this folder in /usr/bin. Only root may do that."""
    mount = 'mount -t overlay -o ro,lowerdir="$0":/usr/bin overlay /usr/bin && exec "$@"'
    return "unshare", "--mount", "sh", "-c", mount, folder


def tini(app: str, cache: Path) -> Candidate:
    tool = debian_tool("tini", "tini", cache)
    # -s: where it is not PID 1, tini asks to be given its orphans, as this program does.
    return Candidate("tini", (tool, "-s", "--", app), output([tool, "--version"]).replace("tini version ", ""))


def dumb_init(app: str, cache: Path) -> Candidate:
    tool = debian_tool("dumb-init", "dumb-init", cache)
    return Candidate("dumb-init", (tool, app), output([tool, "--version"]).replace("dumb-init v", ""))


def s6(app: str, cache: Path) -> Candidate:
    """s6-svscan with one service, which `finish` tells it not to start again."""
    scan = cache / "s6"
    service = scan / "app"
    shutil.rmtree(scan, ignore_errors=True)
    service.mkdir(parents=True)
    (service / "run").symlink_to(app)
    (service / "finish").write_text("#!/bin/sh\nexit 125\n")
    (service / "finish").chmod(0o755)
    there = shutil.which("s6-svscan")
    environ, programs = {}, ""
    if there:
        version = output(["dpkg-query", "-W", "-f", "${Version}", "s6"])
    else:
        # Its parts know each other by their full paths.
        root = unpack_deb("s6", cache)
        programs, environ = str(root / "usr/bin"), {"LD_LIBRARY_PATH": libraries(root)}
        output([*in_usr_bin(programs), "test", "-x", "/usr/bin/s6-supervise"])
        version = _unpacked_version("s6", cache)
    command = (there or "/usr/bin/s6-svscan", str(scan))
    number = version.partition("-")[0]
    return Candidate("s6", command, number, environ, stays=True, parts=("s6-supervise",), programs=programs)


def _unpacked_version(package: str, cache: Path) -> str:
    (archive,) = (cache / "debian").glob(f"{package}_*.deb")
    return output(["dpkg-deb", "--field", str(archive), "Version"])


def _in_python(cache: Path, python: str, code: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """How to run it with what peers.lock brings, and the environment for that."""
    return (python, "-c", code), {"PYTHONPATH": str(python_packages(cache))}


def honcho(app: str, cache: Path, python: str) -> Candidate:
    start, environ = _in_python(cache, python, "from honcho.command import main; main()")
    procfile = cache / "Procfile"
    procfile.write_text(f"app: exec {app}\n")
    version = output([*start, "version"], environ=environ).split()[-1]
    command = (*start, "-f", str(procfile), "-d", str(cache), "start")
    return Candidate("honcho", command, version, environ, every=2, reaping_rounds=1, reaps=False)


CIRCUS_CONF = """\
[circus]
endpoint = ipc://{folder}/circus.endpoint
pubsub_endpoint = ipc://{folder}/circus.pubsub
[watcher:app]
cmd = {app}
copy_env = True
respawn = False
"""


def circus(app: str, cache: Path, python: str) -> Candidate:
    start, environ = _in_python(cache, python, "from circus.circusd import main; main()")
    conf = cache / "circus.ini"
    conf.write_text(CIRCUS_CONF.format(app=app, folder=cache))
    version = output([*start, "--version"], environ=environ).split()[-1]
    return Candidate("circus", (*start, str(conf)), version, environ, stays=True, every=2, reaping_rounds=3)


SUPERVISORD_CONF = """\
[supervisord]
nodaemon=true
user=root
logfile=/dev/null
logfile_maxbytes=0
pidfile={folder}/supervisord.pid
[program:app]
command={app}
autorestart=false
startsecs=0
stdout_logfile=NONE
stderr_logfile=NONE
"""


def supervisord(app: str, cache: Path, python: str) -> Candidate:
    start, environ = _in_python(cache, python, "from supervisor.supervisord import main; main()")
    conf = cache / "supervisord.conf"
    text = SUPERVISORD_CONF.format(app=app, folder=cache)
    conf.write_text(text if os.geteuid() == 0 else text.replace("user=root\n", ""))
    version = output([*start, "--version"], environ=environ)
    command = (*start, "-n", "-c", str(conf))
    # It looks around once a second, and reaps one orphan in 10 ms.
    return Candidate(SUPERVISORD, command, version, environ, stays=True, every=4, looks_every_ms=1000, reaping_rounds=1)


def pilot(app: str, python: tuple[str, ...], archive: Path, config: str, name: str = PILOT) -> Candidate:
    """This program, from its one file, in the services dialect. `python`: what starts the interpreter."""
    if not archive.is_file():
        raise Unavailable(f"no {archive.name} (scripts/build-zipapp.sh makes it)")
    lines = [line.split() for line in output([*python, str(archive), "-version"]).splitlines()]
    told = {words[0]: words[1] for words in lines if len(words) > 1}
    version = told.get("Version:", "of unknown version")
    if commit := told.get("GitHash:"):
        version += f" ({commit})"
    # The catalogue's client is loaded after the application's start.
    settle_ms = 100 if name == PILOT else 500
    return Candidate(name, (*python, str(archive), "-config", config, app), version, settle_ms=settle_ms)


def collect(app: str, cache: Path, python: str, archive: Path) -> tuple[list[Candidate], dict[str, str]]:
    """All candidates that need no catalogue, in the order of the table; and why others are not available."""
    makers: list[tuple[str, Callable[[], Candidate]]] = [
        (PILOT, lambda: pilot(app, (python,), archive, '{"services":[]}')),
        ("tini", lambda: tini(app, cache)),
        ("dumb-init", lambda: dumb_init(app, cache)),
        ("s6", lambda: s6(app, cache)),
        ("honcho", lambda: honcho(app, cache, python)),
        ("circus", lambda: circus(app, cache, python)),
        (SUPERVISORD, lambda: supervisord(app, cache, python)),
        (NOTHING, lambda: Candidate(NOTHING, (app,))),
    ]
    found, missing = [], {}
    for name, make in makers:
        try:
            found.append(make())
        except (Unavailable, OSError) as why:
            missing[name] = str(why)
    return found, missing
