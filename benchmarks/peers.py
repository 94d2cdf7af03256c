"""The candidates: this program and its peers, each with the command that puts the benchmark's application under it.

Peers are looked for on PATH, then fetched into the cache folder; nothing is installed into the system.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

PILOT = "containerpilot"
PILOT_SERVICE = "containerpilot, 1 service"
PYTHON = "bare Python"
NOTHING = "no supervisor"
SUPERVISOR_VERSION = "4.3.0"
FETCH_TIMEOUT = 120


class Unavailable(Exception):
    """A candidate that cannot be had; the message says why, in a few words."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A supervisor and how to start it. `command` begins with an absolute path and names the application too."""

    name: str
    command: tuple[str, ...]
    version: str = ""
    environ: dict[str, str] = field(default_factory=dict)
    settle_ms: int = (
        100  # from the application's start to the moment at which the rest of the supervisor's start is done
    )
    slow: bool = False  # as supervisord: outlives its application, looks around once a second, reaps an orphan in 10 ms


def _output(command: list[str], *, cwd: Path | None = None, environ: dict[str, str] | None = None) -> str:
    timeout, env = FETCH_TIMEOUT, {**os.environ, **(environ or {})}
    try:
        done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout, check=True)
    except FileNotFoundError:
        raise Unavailable(f"no {command[0]}") from None
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{Path(command[0]).name} took too long") from None
    except subprocess.CalledProcessError as fault:
        lines = (fault.stderr or fault.stdout).strip().splitlines()
        raise Unavailable(lines[-1] if lines else f"{Path(command[0]).name} failed") from None
    return str(done.stdout + done.stderr).strip()


def _unpack_deb(package: str, cache: Path) -> Path:
    """Fetches a Debian package and unpacks it into the cache; the folder that now stands for the root."""
    root = cache / "debian"
    marker = root / f".{package}"
    if not marker.exists():
        root.mkdir(parents=True, exist_ok=True)
        for old in root.glob(f"{package}_*.deb"):
            old.unlink()
        _output(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", package], cwd=root)
        archive = next(iter(root.glob(f"{package}_*.deb")), None)
        if archive is None:
            raise Unavailable(f"apt-get brought no {package}")
        _output(["dpkg-deb", "-x", str(archive), str(root)])
        marker.touch()
    return root


def _debian_tool(package: str, cache: Path) -> str:
    return shutil.which(package) or str(_unpack_deb(package, cache) / "usr/bin" / package)


def tini(app: str, cache: Path) -> Candidate:
    tool = _debian_tool("tini", cache)
    # -s: where it is not PID 1, tini asks to be given its orphans, as this program does.
    return Candidate("tini", (tool, "-s", "--", app), _output([tool, "--version"]).replace("tini version ", ""))


def dumb_init(app: str, cache: Path) -> Candidate:
    tool = _debian_tool("dumb-init", cache)
    return Candidate("dumb-init", (tool, app), _output([tool, "--version"]).replace("dumb-init v", ""))


def _supervisor_home(cache: Path) -> Path:
    home = cache / f"supervisor-{SUPERVISOR_VERSION}"
    if not (home / "supervisor").is_dir():
        try:
            pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(home)]
            _output([*pip, f"supervisor=={SUPERVISOR_VERSION}"])
        except Unavailable:
            # Debian's needs setuptools' pkg_resources beside it.
            _unpack_deb("python3-pkg-resources", cache)
            home = _unpack_deb("supervisor", cache) / "usr/lib/python3/dist-packages"
    return home


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
    home = _supervisor_home(cache)
    conf = cache / "supervisord.conf"
    text = SUPERVISORD_CONF.format(app=app, folder=cache)
    conf.write_text(text if os.geteuid() == 0 else text.replace("user=root\n", ""))
    environ = {"PYTHONPATH": str(home)}
    start = (python, "-c", "from supervisor.supervisord import main; main()")
    version = _output([*start, "--version"], environ=environ)
    command = (*start, "-n", "-c", str(conf))
    return Candidate("supervisord", command, version, environ, slow=True)


def pilot(app: str, python: str, archive: Path, config: str, name: str = PILOT) -> Candidate:
    """This program, from its one file, in the services dialect."""
    if not archive.is_file():
        raise Unavailable(f"no {archive.name} (scripts/build-zipapp.sh makes it)")
    words = _output([python, str(archive), "-version"]).split()
    version = words[1] if words[:1] == ["Version:"] else "unknown version"
    # The catalogue's client is loaded after the application's start.
    settle_ms = 100 if name == PILOT else 500
    return Candidate(name, (python, str(archive), "-config", config, app), version, settle_ms=settle_ms)


def collect(app: str, cache: Path, python: str, archive: Path) -> tuple[list[Candidate], dict[str, str]]:
    """All candidates that need no catalogue, in the order of the table; and for those that cannot be had, why not."""
    makers: list[tuple[str, Callable[[], Candidate]]] = [
        (PILOT, lambda: pilot(app, python, archive, '{"services":[]}')),
        ("tini", lambda: tini(app, cache)),
        ("dumb-init", lambda: dumb_init(app, cache)),
        ("supervisord", lambda: supervisord(app, cache, python)),
        (NOTHING, lambda: Candidate(NOTHING, (app,))),
    ]
    found, missing = [], {}
    for name, make in makers:
        try:
            found.append(make())
        except Unavailable as why:
            missing[name] = str(why)
    return found, missing
