"""The program in a command line of Python, and the flag that a word probably meant."""

from __future__ import annotations

import pytest

from cp.cli.second_start import refusal, script_of, without_loader


@pytest.mark.parametrize(
    ("command", "script"),
    [
        ("python3 /a.pyz -config x", "/a.pyz"),
        ("python3 -I -S /a.pyz", "/a.pyz"),
        ("python3 -IX utf8 -Wdefault -W ignore -Xdev --check-hash-based-pycs never a.pyz", "a.pyz"),
        ("python3 -uW error::x a.pyz", "a.pyz"),
        ("python3 -- a.pyz", "a.pyz"),
        ("python3 -c x a.pyz", None),
        ("python3 -Ic x a.pyz", None),
        ("python3 -m cp", None),
        ("python3 -", None),
        ("python3", None),
        ("python3 -W", None),
        ("", None),
    ],
)
def test_script_of_a_command_line(command: str, script: str | None) -> None:
    assert script_of(command.split(" ") if command else []) == script


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ((), "see -help"),
        (("jobs",), "did you mean -jobs?"),
        (("Jobs", "x"), "did you mean -jobs?"),
        (("ps",), "did you mean -jobs?"),
        (("restart", "app"), "did you mean -restart?"),
        (("putmetirc",), "did you mean -putmetric?"),
        (("allow-second", "app"), "did you mean -allow-second?"),
        (("follow",), "did you mean -follow?"),
        (("version",), "did you mean -version?"),
        (("nginx", "-g", "daemon off;"), "see -help"),
        (("",), "see -help"),
    ],
)
def test_the_flag_that_was_meant(monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], hint: str) -> None:
    monkeypatch.setattr("cp.cli.second_start._is_containerpilot", lambda command: True)

    assert hint in refusal(b"python3\0a.pyz\0", "", words, {})


def test_another_program_as_pid_1_is_not_searched_for_a_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> bool:
        raise AssertionError

    monkeypatch.setattr("cp.cli.second_start._is_served_by_init", never)
    monkeypatch.setattr("cp.cli.second_start._is_python", lambda name: name == "python3")
    for init in (b"/sbin/init\0", b"python3\0/usr/bin/env\0containerpilot.pyz\0"):
        assert refusal(init, "", (), {}) == ""


@pytest.mark.parametrize(
    ("command", "loaded"),
    [
        ("/lib/ld-linux-x86-64.so.2 --library-path /l --argv0 python /l/python3.real /a.pyz", "/l/python3.real /a.pyz"),
        ("/lib/ld-musl-x86_64.so.1 --preload=x.so /l/python3 -I /a.pyz", "/l/python3 -I /a.pyz"),
        ("/lib/ld-linux.so.2", ""),
        ("/usr/bin/python3 --library-path", "/usr/bin/python3 --library-path"),
        ("", ""),
    ],
)
def test_python_that_a_loader_starts_by_name(command: str, loaded: str) -> None:
    assert list(without_loader(command.split())) == loaded.split()
