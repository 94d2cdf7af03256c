"""Text is UTF-8 on its way to children, files and people, whatever the locale says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.limits import DEADLINE
from tests.size import mostly_nightly
from tests.system.jobs.configs import advertised, app, config, job
from tests.system.pilot import archive, interpreter
from tests.system.program import PATH
from tests.system.scripts import python, sh

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot

TEXT = "größe 日本 €"
# Bytes that are not text in UTF-8, and some that mean other things in other encodings.
ODD = os.fsdecode(b"\xff\xfe \xa4\xa1\x81\x5c \xc3\xa9\xc3=\n")

# By themselves they would make Python use UTF-8.
AS_IT_IS = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
CHARSETS = {"latin": "ISO-8859-1", "chinese": "GB18030", "japanese": "EUC-JP"}
LOCALES = ["utf-8", "none", "C", "C as it is", *CHARSETS]


@pytest.fixture(scope="module")
def locales(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, str]]:
    """The variables that choose a locale."""
    folder = tmp_path_factory.mktemp("locales")

    def variables(name: str) -> dict[str, str]:
        if name == "none":
            return {}
        if name not in CHARSETS:
            return {"LC_ALL": "C.UTF-8"} if name == "utf-8" else {"LC_ALL": "C", **(AS_IT_IS if name != "C" else {})}
        made = folder / name
        language = {"latin": "en_US", "chinese": "zh_CN", "japanese": "ja_JP"}[name]
        command = ["localedef", "--no-archive", "-c", "-i", language, "-f", CHARSETS[name], f"./{name}"]
        if not made.exists():
            if shutil.which("localedef") is None or not Path("/usr/share/i18n/charmaps").exists():
                pytest.skip("localedef and its sources are not installed")
            subprocess.run(command, cwd=folder, capture_output=True, check=False)  # it exits 1 after warnings
        environ = {"LOCPATH": str(folder), "LC_ALL": name, **AS_IT_IS}
        output = subprocess.run(
            [interpreter(), "-c", "import sys; print(sys.getfilesystemencoding())"],
            env={"PATH": PATH, **environ},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        if output.strip() == "utf-8":
            pytest.skip(f"this Python takes {name} for UTF-8")
        return environ

    return variables


@pytest.fixture(params=mostly_nightly(LOCALES, *(set(LOCALES) - {"chinese", "japanese"})))
def locale(request: pytest.FixtureRequest, locales: Callable[[str], dict[str, str]]) -> dict[str, str]:
    return locales(request.param)


# What the kernel has of the process, in hexadecimal digits.
TELLS = python("for each in ('cmdline', 'environ'): mark(open(f'/proc/self/{each}', 'rb').read().hex())")


def test_children_get_the_bytes_of_the_configuration_and_of_the_environment(
    pilot: StartPilot, locale: dict[str, str]
) -> None:
    given = {**locale, "A": TEXT, "B": ODD, "größe": "plain"}
    started = pilot(config(job("größe", [*TELLS, TEXT, "{{ .A }}"])), env=given)

    assert started.wait_exit() == 0

    arguments, variables = received(started)
    assert arguments[-2:] == [encoded(TEXT), encoded(TEXT)]
    assert {encoded(f"{name}={value}") for name, value in given.items()} <= set(variables)


def test_children_get_the_bytes_of_the_command_line(pilot: StartPilot, locale: dict[str, str]) -> None:
    started = pilot({}, [*TELLS, TEXT, ODD], env=locale)

    assert started.wait_exit() == 0

    arguments, _ = received(started)
    assert arguments[-2:] == [encoded(TEXT), encoded(ODD)]


def test_children_get_no_additional_variable(pilot: StartPilot, locale: dict[str, str]) -> None:
    """Where the locale is "C" or not set, Python puts LC_CTYPE into the environment."""
    started = pilot({}, sh('mark "${LC_CTYPE-unset}"'), env=locale)
    assert started.wait_exit() == 0
    assert started.words() == ["unset"]


def test_children_get_the_lc_ctype_of_containerpilot(pilot: StartPilot) -> None:
    started = pilot({}, sh('mark "${LC_CTYPE-unset}"'), env={"LC_CTYPE": "C.UTF-8"})
    assert started.wait_exit() == 0
    assert started.words() == ["C.UTF-8"]


def test_a_program_is_found_and_files_are_made_under_the_names_in_the_configuration(
    pilot: StartPilot, locale: dict[str, str]
) -> None:
    folder = pilot.folder() / TEXT
    folder.mkdir()
    program = folder / "größe"
    program.write_text('#!/bin/sh\necho "says $1"\n')
    program.chmod(0o755)
    shelf, log, socket = folder / "shelf", folder / "log", folder / "socket"
    configured = config(
        advertised("app"),
        job("found", ["größe", TEXT]),
        job("named", [str(program), "named"]),
        job("after", "true", when={"source": "watch.other", "each": "changed"}),
        watches=[{"name": "other", "interval": 1}],
        directory=str(shelf),
        logging={"output": str(log)},
    )
    configured["control"] = {"socket": str(socket)}

    started = pilot(configured, env={**locale, "PATH": f"{PATH}:{folder}"})
    started.wait_for(lambda: log.exists() and f"says {TEXT}\n" in log.read_text() and "says named\n" in log.read_text())
    started.wait_for(lambda: shelf.exists() and list(shelf.glob("app-*.json")), what="the entry")

    # A change of a file with such a name is noticed.
    (shelf / "größe.json").write_text(entry("other"))
    started.wait_for(lambda: "watch.other" in ask(started, ["-events"], locale).stdout.decode())
    assert socket.is_socket()
    assert started.stop() == 0
    assert not socket.exists()


def test_subcommands_send_and_print_text_as_utf_8(pilot: StartPilot, locale: dict[str, str]) -> None:
    says = job("größe", sh('mark "$GREETING"'), when={"source": "SIGHUP", "each": "signal"})
    started = pilot(config(app(), says), env=locale)
    started.jobs()

    putting = ask(started, ["-putenv", f"GREETING={TEXT}"], locale)
    assert (putting.returncode, putting.stdout, putting.stderr) == (0, b"", b"")
    starting = ask(started, ["-start", "größe"], locale)
    showing = ask(started, ["-job", "größe"], locale)
    started.wait_for_mark(TEXT)

    assert starting.returncode == 0, starting.stderr
    assert showing.stdout.startswith("name: größe\n".encode())
    assert "größe".encode() in ask(started, ["-jobs"], locale).stdout
    missing = ask(started, ["-job", "日本"], locale)
    assert (missing.returncode, "日本".encode() in missing.stderr) == (1, True)


def test_a_configuration_is_found_rendered_and_written_under_its_name(tmp_path: Path, locale: dict[str, str]) -> None:
    source, target = tmp_path / "größe €.json5", tmp_path / "日本"
    source.write_text("{a: 'ö{{ .A }}'}")
    environ = {"PATH": PATH, **locale, "A": TEXT}

    for flags in (["-template"], ["-template", "-out", str(target)]):
        done = subprocess.run(
            [interpreter(), str(archive()), "-config", str(source), *flags],
            env=environ,
            capture_output=True,
            timeout=DEADLINE,
            check=True,
        )
        written = target.read_bytes() if "-out" in flags else done.stdout
        assert written == f"{{a: 'ö{TEXT}'}}".encode()

    refused = subprocess.run(
        [interpreter(), str(archive()), "-config", str(tmp_path / "größe ¥")],
        env=environ,
        capture_output=True,
        timeout=DEADLINE,
        check=False,
    )
    assert refused.returncode == 1
    assert "größe ¥: no such file or directory".encode() in refused.stdout


def test_output_of_children_is_logged_as_it_is(pilot: StartPilot, locale: dict[str, str]) -> None:
    bytes_of = encoded(TEXT) + b" \xff\xfe"
    says = ["printf", "%b\\n", "".join(f"\\x{byte:02x}" for byte in bytes_of)]
    started = pilot(config(job("größe", says)), env=locale)

    assert started.wait_exit() == 0

    [line] = [line for line in started.stdout_file.read_bytes().splitlines() if b"\xfe" in line]
    assert line.endswith(bytes_of)
    assert "größe".encode() in line


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may add a user, in a mount namespace of its own")
def test_users_are_looked_up_by_the_bytes_of_their_names(
    pilot: StartPilot, locale: dict[str, str], tmp_path: Path
) -> None:
    passwd = tmp_path / "passwd"
    passwd.write_text(f"{Path('/etc/passwd').read_text().rstrip()}\njürgen:x:4711:4711::/:/bin/sh\n")
    bound = ["env", "unshare", "--mount", "/bin/sh", "-c", f'mount --bind {passwd} /etc/passwd && exec "$@"', "sh"]
    configured = {**config(app()), "control": {"socket": "control.socket", "users": ["jürgen"]}}

    started = pilot(configured, env=locale, prefix=bound)

    started.wait_for_mark("app")
    started.wait_for(lambda: (started.folder / "control.socket").exists())


def received(started: Pilot) -> list[list[bytes]]:
    """Arguments and variables that a child has got."""
    return [bytes.fromhex(word).split(b"\0")[:-1] for word in started.words()]


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def entry(name: str) -> str:
    fields = {"id": name, "name": name, "address": "127.0.0.1", "port": 1, "tags": [], "status": "passing"}
    return json.dumps({**fields, "output": "", "ttl": 60, "deadline": 4e9})


def ask(started: Pilot, flags: list[str], env: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [interpreter(), str(archive()), "-config", "config.json", *flags],
        cwd=started.folder,
        env={"PATH": PATH, **env},
        capture_output=True,
        timeout=DEADLINE,
        check=False,
    )
