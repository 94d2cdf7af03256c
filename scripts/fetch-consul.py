#!/usr/bin/env python3
"""Prints the path of a Consul to test with: `consul` on PATH, else the distribution's package of version 1.8.7.

    scripts/fetch-consul.py [FOLDER]      (default: .cache/consul)

No current release of Debian or Ubuntu has that package, so an older release of the same distribution gives it, from the
mirror that this machine's own sources name. It goes through a private configuration of apt: the machine's own lists are
not touched, its proxies and certificates are in force, and what is fetched is signed with the distribution's key.
APT_MIRROR names another mirror (the URI of a Debian or Ubuntu archive).
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ROOT = Path(__file__).resolve().parent.parent
APT_MINUTES = 10


class Release(NamedTuple):
    """An old release of a distribution that has the package."""

    suite: str
    component: str
    keyring: str
    keyring_package: str


RELEASES = {
    "debian": Release("bullseye", "main", "/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring"),
    "ubuntu": Release("jammy", "universe", "/usr/share/keyrings/ubuntu-archive-keyring.gpg", "ubuntu-keyring"),
}


class Source(NamedTuple):
    """One line of apt's sources."""

    uri: str
    suite: str
    components: tuple[str, ...]


class Refused(Exception):
    """Consul cannot be had; the text says why, and what would help."""


def distribution(os_release: str) -> str:
    """The distribution, or the one that it is made from, as the text of /etc/os-release tells it."""
    fields = dict(line.split("=", 1) for line in shlex.split(os_release, comments=True) if "=" in line)
    name = fields.get("ID", "")
    if name not in RELEASES:
        name = next((each for each in fields.get("ID_LIKE", "").split() if each in RELEASES), name)
    return name


def sources(etc_apt: Path) -> Iterator[Source]:
    """Every source of binary packages that this machine's apt has, in both of its formats."""
    for file in [etc_apt / "sources.list", *sorted(etc_apt.glob("sources.list.d/*"))]:
        if file.suffix == ".list" and file.is_file():
            yield from one_line_sources(file.read_text())
        elif file.suffix == ".sources" and file.is_file():
            yield from deb822_sources(file.read_text())


def one_line_sources(text: str) -> Iterator[Source]:
    for line in text.splitlines():
        kind, _, rest = line.partition("#")[0].strip().partition(" ")
        if rest.lstrip().startswith("["):
            rest = rest.partition("]")[2]
        if kind == "deb" and len(words := rest.split()) >= 2:
            yield Source(words[0], words[1], tuple(words[2:]))


def deb822_sources(text: str) -> Iterator[Source]:
    for paragraph in text.split("\n\n"):
        fields: dict[str, str] = {}
        name = ""
        for line in paragraph.splitlines():
            if line.startswith("#"):
                continue
            if line[:1].isspace():
                fields[name] = f"{fields.get(name, '')} {line.strip()}"
            elif ":" in line:
                name, _, value = line.partition(":")
                name = name.lower()
                fields[name] = value.strip()
        if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes").lower() != "no":
            for uri in fields.get("uris", "").split():
                for suite in fields.get("suites", "").split():
                    yield Source(uri, suite, tuple(fields.get("components", "").split()))


def mirrors(found: Iterable[Source], name: str) -> list[str]:
    """The URIs that may be archives of the whole distribution, the likeliest first: neither security fixes alone, nor
    (as far as can be told) the packages of others."""
    whole = [each for each in found if "main" in each.components and not set(each.suite) & set("-/")]
    uris = dict.fromkeys(each.uri for each in whole if not each.uri.startswith("cdrom:"))
    return sorted(uris, key=lambda uri: uri.rstrip("/").rpartition("/")[2] != name)


def run(command: list[str], cwd: Path, environ: Mapping[str, str]) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=APT_MINUTES * 60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Refused(f"{command[0]}: {error}") from error
    if done.returncode:
        last = "\n".join(done.stdout.splitlines()[-8:])
        raise Refused(f"`{command[0]} {command[-1]}` failed:\n{last}")


def fetch(folder: Path, uri: str, release: Release) -> None:
    """Fetch the package from this archive and unpack it into `folder`, which is there only when all went well."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".consul-") as name:
        work = Path(name)
        for each in ("state/lists/partial", "cache/archives/partial", "empty"):
            (work / each).mkdir(parents=True)
        source = f"deb [signed-by={release.keyring}] {uri} {release.suite} {release.component}\n"
        (work / "sources.list").write_text(source)
        (work / "status").touch()
        (work / "apt.conf").write_text(
            f"""\
Dir::State "{work}/state";
Dir::State::status "{work}/status";
Dir::Cache "{work}/cache";
Dir::Etc::SourceList "{work}/sources.list";
Dir::Etc::SourceParts "{work}/empty";
Dir::Etc::Preferences "{work}/empty/none";
Dir::Etc::PreferencesParts "{work}/empty";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
"""
        )
        environ = {**os.environ, "LC_ALL": "C.UTF-8"}
        # Read after the machine's own configuration, so that it wins.
        apt_get = ["apt-get", "--quiet", f"--config-file={work / 'apt.conf'}"]
        run([*apt_get, "update"], work, environ)
        run([*apt_get, "download", "consul"], work, environ)
        [package] = work.glob("consul_*.deb")
        run(["dpkg-deb", "-x", str(package), str(work / "unpacked")], work, environ)
        if not (work / "unpacked/usr/bin/consul").is_file():
            raise Refused("the package has no /usr/bin/consul")
        shutil.rmtree(folder, ignore_errors=True)
        (work / "unpacked").rename(folder)


def find(folder: Path) -> Path:
    if there := shutil.which("consul"):
        return Path(there)
    consul = folder / "usr" / "bin" / "consul"
    if consul.is_file():
        return consul
    try:
        os_release = Path("/etc/os-release").read_text()
    except OSError:
        os_release = ""
    name = distribution(os_release)
    release = RELEASES.get(name)
    if release is None or not shutil.which("apt-get"):
        raise Refused("this is no Debian or Ubuntu; put a `consul` of 1.8 or newer on PATH")
    if not Path(release.keyring).is_file():
        raise Refused(f"{release.keyring} is missing; install {release.keyring_package}")
    named = os.environ.get("APT_MIRROR")
    why = f"/etc/apt names no mirror of {name}"
    print(f"Fetching Consul from {name} {release.suite}", file=sys.stderr)
    for uri in [named] if named else mirrors(sources(Path("/etc/apt")), name):
        try:
            fetch(folder, uri, release)
        except Refused as error:
            why = str(error)
        else:
            return consul
    raise Refused(f"{why}\nName a mirror that has {release.suite} in APT_MIRROR, or put a `consul` on PATH.")


def main() -> NoReturn:
    folder = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT / ".cache" / "consul"
    try:
        consul = find(folder)
        version = subprocess.run([consul, "version"], capture_output=True, text=True, check=True)
    except (Refused, OSError, subprocess.SubprocessError) as error:
        sys.exit(f"cannot get Consul: {error}")
    print(f"{version.stdout.splitlines()[0]}: {consul}", file=sys.stderr)
    print(consul)
    sys.exit(0)


if __name__ == "__main__":
    main()
