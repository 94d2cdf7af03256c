"""Gets programs for the tests from packages of Debian or Ubuntu, without installing the packages.

The packages come from an older or newer release of this machine's own distribution, and from the mirror in the
machine's sources of apt. apt runs with a private configuration: it does not change the machine's lists, it uses the
machine's proxies and certificates, and it verifies the distribution's signatures. APT_MIRROR names another mirror (the
URI of a Debian or Ubuntu archive).
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
    from collections.abc import Callable, Iterable, Iterator, Mapping

ROOT = Path(__file__).resolve().parent.parent
APT_MINUTES = 10


class Keyring(NamedTuple):
    """The file with the keys of a distribution, and the package that installs it."""

    file: str
    package: str


KEYRINGS = {
    "debian": Keyring("/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring"),
    "ubuntu": Keyring("/usr/share/keyrings/ubuntu-archive-keyring.gpg", "ubuntu-keyring"),
}


class Release(NamedTuple):
    """A release of a distribution that has the package."""

    suite: str
    component: str


class Program(NamedTuple):
    """A program, the package that has it as /usr/bin/NAME, and the releases that have the package.

    `needs` has further packages, to be unpacked with all dependencies. Without `needs` only the package itself is
    unpacked, because the machine's own libraries are sufficient. `finish` is called with the folder of unpacked
    files, and may move the program to its place.
    """

    title: str  # for people
    name: str
    package: str
    versions: str  # the suitable versions, for people
    releases: Mapping[str, Release]  # by distribution
    version_command: str  # the argument with which the program prints its version
    needs: tuple[str, ...] = ()
    finish: Callable[[Path], None] = lambda folder: None


class Source(NamedTuple):
    """One line of apt's sources."""

    uri: str
    suite: str
    components: tuple[str, ...]


class Refused(Exception):
    """The program is not available. The text has the reason, and what would help."""


def distribution(os_release: str) -> str:
    """The distribution, or the one from which it is derived, by the text of /etc/os-release."""
    fields = dict(line.split("=", 1) for line in shlex.split(os_release, comments=True) if "=" in line)
    name = fields.get("ID", "")
    if name not in KEYRINGS:
        name = next((each for each in fields.get("ID_LIKE", "").split() if each in KEYRINGS), name)
    return name


def sources(etc_apt: Path) -> Iterator[Source]:
    """All sources of binary packages in this machine's configuration of apt, in both of its formats."""
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
    """The URIs that may be archives of the whole distribution, the most likely first. Archives with only security
    fixes, and (if the lists show it) archives of other projects, are left out."""
    whole = [each for each in found if "main" in each.components and not set(each.suite) & set("-/")]
    uris = dict.fromkeys(each.uri for each in whole if not each.uri.startswith("cdrom:"))
    return sorted(uris, key=lambda uri: uri.rstrip("/").rpartition("/")[2] != name)


class Apt:
    """apt-get with its own configuration and state in `work`. For it, no package is installed.

    `lines` are its sources. Refused where something fails.
    """

    def __init__(self, work: Path, lines: Iterable[str]) -> None:
        self.work = work
        for each in ("state/lists/partial", "cache/archives/partial", "empty"):
            (work / each).mkdir(parents=True)
        (work / "sources.list").write_text("".join(f"{line}\n" for line in lines))
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
        self.get("update")

    def get(self, *arguments: str) -> None:
        # Read after the machine's own configuration, so that it wins.
        self._run("apt-get", "--quiet", f"--config-file={self.work / 'apt.conf'}", *arguments)

    def download_with_dependencies(self, *packages: str) -> None:
        self.get("install", "--yes", "--download-only", "--no-install-recommends", *packages)

    def unpack(self, folder: Path) -> None:
        """Unpack all downloaded packages, without running their scripts."""
        for name in ("bin", "lib", "lib64", "sbin"):
            (folder / "usr" / name).mkdir(parents=True, exist_ok=True)
            (folder / name).symlink_to(f"usr/{name}")  # as on an installed system
        for package in sorted([*self.work.glob("*.deb"), *self.work.glob("cache/archives/*.deb")]):
            script = 'dpkg-deb --fsys-tarfile "$1" | tar --extract --keep-directory-symlink --directory "$2"'
            self._run("sh", "-c", script, "unpack", str(package), str(folder))

    def _run(self, *command: str) -> None:
        environ = {**os.environ, "LC_ALL": "C.UTF-8"}
        environ["PATH"] = f"{environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
        try:
            done = subprocess.run(
                command,
                cwd=self.work,
                env=environ,
                stdin=subprocess.DEVNULL,
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


def fetch(program: Program, folder: Path, uri: str, release: Release, keyring: Keyring) -> None:
    """Download the package from this archive, and unpack it into `folder`, which is created only after a success."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{program.name}-") as name:
        work = Path(name)
        apt = Apt(work, [f"deb [signed-by={keyring.file}] {uri} {release.suite} {release.component}"])
        if program.needs:
            apt.download_with_dependencies(*program.needs, program.package)
        else:
            apt.get("download", program.package)
        apt.unpack(work / "unpacked")
        program.finish(work / "unpacked")
        if not (work / "unpacked/usr/bin" / program.name).is_file():
            raise Refused(f"the package has no /usr/bin/{program.name}")
        shutil.rmtree(folder, ignore_errors=True)
        (work / "unpacked").rename(folder)


# The script may be moved, and called through links. `--argv0`: Python must see the script as its program, because a
# link to the script may belong to a virtual environment.
START = """\
#!/bin/sh
self=$(readlink -f -- "$0")
usr=${{self%/bin/*}}
exec "$usr/{loader}" --library-path "$usr/{libraries}" --argv0 "$0" "$usr/bin/{program}" "$@"
"""


def start_with_own_libraries(folder: Path, name: str) -> None:
    """Replace the program by a script that starts it with the libraries in `folder`, and move the program beside it."""
    usr = folder / "usr"
    found = sorted(usr.glob("lib/*/ld-linux*.so.*"))
    if not found:
        raise Refused("the packages have no dynamic loader")
    real = usr / "bin" / f"{name}.real"
    script = usr / "bin" / name
    script.rename(real)
    loader = found[0].relative_to(usr)
    script.write_text(START.format(loader=loader, libraries=loader.parent, program=real.name))
    script.chmod(0o755)


def find(program: Program, folder: Path, suits: Callable[[str], bool]) -> Path:
    """The program on PATH if it `suits`, or the one in `folder`, which is installed there first. Raises Refused."""
    there = shutil.which(program.name)
    if there and suits(there):
        return Path(there)
    fetched = folder / "usr" / "bin" / program.name
    if fetched.is_file():
        return fetched
    try:
        os_release = Path("/etc/os-release").read_text()
    except OSError:
        os_release = ""
    name = distribution(os_release)
    release = program.releases.get(name)
    if release is None or not shutil.which("apt-get"):
        known = " or ".join(each.capitalize() for each in program.releases)
        this = name.capitalize() or "another system"
        raise Refused(f"only {known} has it, and this is {this}; put a `{program.name}` of {program.versions} on PATH")
    keyring = KEYRINGS[name]
    if not Path(keyring.file).is_file():
        raise Refused(f"{keyring.file} is missing; install {keyring.package}")
    named = os.environ.get("APT_MIRROR")
    why = f"/etc/apt has no mirror of {name}"
    print(f"Fetching {program.title} from {name} {release.suite}", file=sys.stderr)
    for uri in [named] if named else mirrors(sources(Path("/etc/apt")), name):
        try:
            fetch(program, folder, uri, release, keyring)
        except Refused as error:
            why = str(error)
        else:
            return fetched
    raise Refused(f"{why}\nName a mirror that has {release.suite} in APT_MIRROR, or put a `{program.name}` on PATH.")


def version(path: str | Path, command: str) -> str:
    """The first line that the program prints about its version."""
    done = subprocess.run([path, command], capture_output=True, text=True, check=True)
    return (done.stdout or done.stderr).partition("\n")[0]


def main(program: Program, suits: Callable[[str], bool] = lambda path: True) -> NoReturn:
    """Print the path of the program. The command line may name the folder in which it is kept."""
    folder = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT / ".cache" / program.name
    try:
        path = find(program, folder, suits)
        found = version(path, program.version_command)
    except (Refused, OSError, subprocess.SubprocessError) as error:
        sys.exit(f"cannot get {program.title}: {error}")
    print(f"{found}: {path}", file=sys.stderr)
    print(path)
    sys.exit(0)
