"""Brings peers into the cache folder: Debian's packages, unpacked there, and Python packages. Nothing is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

FETCH_TIMEOUT = 120
LOCK = Path(__file__).with_name("peers.lock")
# Libraries that every machine which has the packages' own ones has too.
COMMON = ("libc6", "libgcc-s1")


class Unavailable(Exception):
    """A candidate is not available; the message gives the reason in a few words."""


def output(command: list[str], *, cwd: Path | None = None, environ: dict[str, str] | None = None) -> str:
    """What a command prints, on both of its streams; Unavailable with its last line if it fails."""
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


def unpack_deb(package: str, cache: Path) -> Path:
    """Fetches a Debian package, with the libraries that it needs, and unpacks it into the cache; the folder that now
    stands for the root."""
    root = cache / "debian"
    marker = root / f".{package}"
    if not marker.exists():
        root.mkdir(parents=True, exist_ok=True)
        for old in root.glob(f"{package}_*.deb"):
            old.unlink()
        output(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", package], cwd=root)
        archive = next(iter(root.glob(f"{package}_*.deb")), None)
        if archive is None:
            raise Unavailable(f"apt-get brought no {package}")
        for needed in output(["dpkg-deb", "--field", str(archive), "Depends"]).split(","):
            name = needed.split("|")[0].split("(")[0].strip()
            if name.startswith("lib") and name not in COMMON:
                unpack_deb(name, cache)
        output(["dpkg-deb", "-x", str(archive), str(root)])
        marker.touch()
    return root


def debian_tool(package: str, program: str, cache: Path) -> str:
    """The program on PATH, or otherwise from the package."""
    return shutil.which(program) or str(unpack_deb(package, cache) / "usr/bin" / program)


def libraries(root: Path) -> str:
    """Where the unpacked packages have their libraries, for LD_LIBRARY_PATH."""
    return ":".join(sorted({str(each.parent) for each in root.glob("usr/lib/*/*.so.*")}))


def python_packages(cache: Path) -> Path:
    """The packages of peers.lock for the Python that runs this, in a folder for PYTHONPATH."""
    version = ".".join(map(str, sys.version_info[:3]))
    home = cache / f"peers-{version}"
    stamp = home / "peers.lock"
    if not stamp.exists() or stamp.read_bytes() != LOCK.read_bytes():
        shutil.rmtree(home, ignore_errors=True)
        install = ["install", "-q", "--require-hashes", "--no-deps", "--only-binary", ":all:", "--target", str(home)]
        output([sys.executable, "-m", "pip", *install, "-r", str(LOCK)])
        shutil.copy(LOCK, stamp)
    return home
