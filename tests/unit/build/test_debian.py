"""Where scripts/debian.py takes a package from."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "debian.py"

DEB822 = """\
# The distribution.
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://disabled.example/debian
Suites: bookworm
Components: main

Types: deb-src
URIs: http://sources.example/debian
Suites:
 bookworm
 bookworm-updates
"""

ONE_LINE = """\
deb cdrom:[Debian GNU/Linux 12]/ bookworm main
deb [signed-by=/usr/share/keyrings/other.gpg] https://others.example bookworm main
deb https://others.example/debian bookworm stable
# deb http://commented.example/debian bookworm main
deb-src http://sources.example/debian bookworm main
deb http://mirror.example/debian-security bookworm-security main
deb [arch=amd64 signed-by=/usr/share/keyrings/some.gpg] http://mirror.example/debian bookworm main contrib # why not
"""


@pytest.fixture(scope="module")
def script() -> Any:
    spec = importlib.util.spec_from_file_location("debian", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("name", "text"), [("debian.sources", DEB822), ("old.list", ONE_LINE)])
def test_mirror_of_the_whole_distribution_comes_first(script: Any, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / name).write_text(text)

    assert script.mirrors(script.sources(tmp_path), "debian")[0] == "http://mirror.example/debian"


def test_urls_without_the_distribution_are_not_queried(script: Any, tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text(ONE_LINE)

    found = script.mirrors(script.sources(tmp_path), "debian")

    assert found == ["http://mirror.example/debian", "https://others.example"]


def test_main_list_comes_first(script: Any, tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text("deb http://first.example/debian bookworm main\n")
    (tmp_path / "sources.list.d" / "debian.sources").write_text(DEB822)

    found = script.mirrors(script.sources(tmp_path), "debian")

    assert found == ["http://first.example/debian", "http://mirror.example/debian"]


@pytest.mark.parametrize("suite", ["sid", "unstable", "stable", "trixie"])
def test_suite_may_have_any_of_its_names(script: Any, tmp_path: Path, suite: str) -> None:
    (tmp_path / "sources.list").write_text(f"deb http://mirror.example/debian/ {suite} main\n")

    assert script.mirrors(script.sources(tmp_path), "debian") == ["http://mirror.example/debian/"]


def test_machine_without_a_mirror_of_its_distribution(script: Any, tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text("deb http://mirror.example/debian-security bookworm-security main\n")

    assert script.mirrors(script.sources(tmp_path), "debian") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_CODENAME=bookworm\nID=debian\n', "debian"),
        ('ID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=noble\nNAME="Ubuntu"\n', "ubuntu"),
        ('ID=linuxmint\nID_LIKE="ubuntu debian"\n', "ubuntu"),
        ("ID=alpine\nVERSION_ID=3.22\n", "alpine"),
        ("", ""),
    ],
)
def test_distribution_comes_from_os_release(script: Any, text: str, expected: str) -> None:
    assert script.distribution(text) == expected
