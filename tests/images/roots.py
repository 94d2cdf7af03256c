"""Root file systems of Debian's releases with no more than a Python and a shell, and one where everything is on musl.

They are unpacked from packages of the mirror that this machine's own apt names (or APT_MIRROR), and kept in
.cache/images. Nothing is installed on this machine.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.images.rows import CACHE, ROOT, Row, Unavailable, of_root

sys.path.insert(0, str(ROOT / "scripts"))

import debian

if TYPE_CHECKING:
    from collections.abc import Sequence

KEYRING = debian.KEYRINGS["debian"]

TOOLS = ("base-files", "coreutils", "dash")
DOCUMENTS = ("doc", "info", "locale", "man", "zoneinfo")  # in /usr/share

MUSL_SUITE = "trixie"
MUSL_TOOLS = (
    *("base-files", "busybox-static", "coreutils", "dash", "diffutils", "findutils", "gcc", "grep", "gzip"),
    *("linux-libc-dev", "make", "mawk", "musl-tools", "sed", "tar", "xz-utils"),
)
MUSL_SOURCES = ("python3.13", "zlib")
BUILD_MUSL = Path(__file__).with_name("build-musl.sh")


@dataclass(frozen=True)
class Root:
    """A root file system that can be made."""

    name: str
    suite: str
    package: str  # what brings Python; empty: it is built


ROOTS = tuple(
    Root(f"debian-{version}-{package.partition('-')[2] or 'full'}", suite, package)
    for version, suite in (("12", "bookworm"), ("13", "trixie"), ("sid", "sid"))
    for package in ("python3-minimal", "python3")
)
MUSL = Root("musl", MUSL_SUITE, "")
ALL = (*ROOTS, MUSL)
QUICK = next(root for root in ROOTS if root.suite == "trixie")  # made in seconds; what is not in it is in most others


def quick() -> list[Root]:
    """Those for whoever has no minutes: one that lacks much, and what takes long to make only if it is there."""
    return [QUICK, *([MUSL] if (CACHE / MUSL.name).exists() else [])]


def row(root: Root) -> Row:
    """The root, made if it is not there yet. Unavailable."""
    image = CACHE / root.name
    if not image.exists():
        if os.geteuid() != 0:
            raise Unavailable(f"cannot make the root file system {root.name}: only root can")
        CACHE.mkdir(parents=True, exist_ok=True)
        with (CACHE / f"{root.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # of the tests' workers one makes it, the others wait
            if not image.exists():
                make(root, image)
    if not root.package:
        return of_root(root.name, image, "/usr/local/bin/python3")
    return of_root(root.name, image, "/usr/bin/python3", minimal=root.package.endswith("-minimal"))


def make(root: Root, image: Path) -> None:
    print(f"Making the root file system {root.name} in {image.relative_to(ROOT)}", file=sys.stderr)  # noqa: T201
    partial = image.with_name(image.name + ".part")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        if root.package:
            bootstrap(root.suite, [root.package, *TOOLS], partial)
            for name in DOCUMENTS:
                shutil.rmtree(partial / "usr/share" / name, ignore_errors=True)
        else:
            build_musl(partial)
        compile_library(partial)
    except Unavailable as error:
        raise Unavailable(f"cannot make the root file system {root.name}: {error}") from None
    partial.rename(image)


def bootstrap(suite: str, packages: Sequence[str], target: Path, sources: Sequence[str] = ()) -> None:
    """Unpacks packages and all that they depend on, without running any of their scripts; the sources of others go to
    /usr/src there. Every mirror that the machine names is tried."""
    if not Path(KEYRING.file).is_file():
        raise Unavailable(f"{KEYRING.file} is missing; install {KEYRING.package}")
    named = os.environ.get("APT_MIRROR")
    uris = [named] if named else debian.mirrors(debian.sources(Path("/etc/apt")), "debian")
    options = [f"signed-by={KEYRING.file}"]
    if suite == "sid":
        # What is unpacked must be signed; it need not be of this week. Many mirrors are late at times, and older files
        # are equivalent for a test.
        options.append("check-valid-until=no")
    why = "/etc/apt names no mirror of Debian; name one in APT_MIRROR"
    for uri in uris:
        place = f"[{' '.join(options)}] {uri} {suite} main"
        try:
            unpack([f"deb {place}", *([f"deb-src {place}"] if sources else [])], packages, target, sources)
        except debian.Refused as error:
            why = str(error)
            shutil.rmtree(target, ignore_errors=True)
        else:
            return
    raise Unavailable(why)


def unpack(lines: Sequence[str], packages: Sequence[str], target: Path, sources: Sequence[str]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".apt-") as work:
        apt = debian.Apt(Path(work), lines)
        apt.download_with_dependencies(*packages)
        apt.unpack(target)
        if sources:
            apt.get("source", "--download-only", *sources)
            (target / "usr/src").mkdir(parents=True, exist_ok=True)
            for file in Path(work).iterdir():
                if ".tar." in file.name or file.suffix == ".dsc":
                    shutil.move(file, target / "usr/src")


def build_musl(target: Path) -> None:
    """Builds the image in a root with a compiler, which is gone afterwards. It takes minutes."""
    workshop = target.with_name(f"{target.name}-workshop")
    shutil.rmtree(workshop, ignore_errors=True)
    try:
        bootstrap(MUSL_SUITE, MUSL_TOOLS, workshop, MUSL_SOURCES)
        shutil.copy(BUILD_MUSL, workshop)
        build = ["chroot", str(workshop), "/bin/sh", f"/{BUILD_MUSL.name}", "/made"]
        run(["unshare", "--fork", "--pid", f"--mount-proc={workshop}/proc", "--kill-child", *build])
        (workshop / "made").rename(target)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def compile_library(image: Path) -> None:
    """Does the work of the packages' own scripts, which did not run, or of an image's author."""
    python = "/usr/bin/python3" if (image / "usr/bin/python3").exists() else "/usr/local/bin/python3"
    library = of_root("", image, python).library
    run(["chroot", str(image), python, "-m", "compileall", "-q", library])


def run(command: list[str]) -> None:
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "LC_ALL": "C.UTF-8", "PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise Unavailable(f"{command[0]}: {error.strerror}") from None
    if done.returncode:
        last = "\n".join(done.stdout.splitlines()[-8:])
        raise Unavailable(f"`{command[0]} {Path(command[1]).name}` failed:\n{last}")
