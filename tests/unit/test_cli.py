"""What a command line means."""

from __future__ import annotations

import pytest

from cp.cli import BOOLEANS, COMMANDS, PAIRS, STRINGS, USAGE, FlagError, parse

NO_PAIR = "flag value 'FOO' was not in the format 'key=val'"


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ([], ""),
        (["-config", "x", "app", "-ping"], ""),
        (["-reload"], "reload"),
        (["--reload"], "reload"),
        (["-reload=false"], ""),
        (["-maintenance", "enable"], "maintenance"),
        (["-putenv", "KEY"], "putenv"),
        (["-putmetric=a=1"], "putmetric"),
        (["-ping"], "ping"),
        (["-jobs", "-json"], "jobs"),
        (["-job", "app"], "job"),
        (["-start", "app"], "start"),
        (["-stop", "app"], "stop"),
        (["-restart", "app"], "restart"),
        (["-signal", "app=HUP"], "signal"),
        (["-events", "-follow"], "events"),
    ],
)
def test_what_is_asked_for(arguments: list[str], command: str) -> None:
    assert parse(arguments).command() == command


def test_first_of_several_counts() -> None:
    flags = {
        "version": ["-version"],
        "template": ["-template"],
        "reload": ["-reload"],
        "maintenance": ["-maintenance", "enable"],
        "putenv": ["-putenv", "A=1"],
        "putmetric": ["-putmetric", "a=1"],
        "ping": ["-ping"],
        "jobs": ["-jobs"],
        "events": ["-events"],
        "job": ["-job", "a"],
        "start": ["-start", "a"],
        "stop": ["-stop", "a"],
        "restart": ["-restart", "a"],
        "signal": ["-signal", "a=1"],
    }
    assert tuple(flags) == COMMANDS

    for first, command in enumerate(COMMANDS):
        rest = reversed(COMMANDS[first:])
        assert parse([word for each in rest for word in flags[each]]).command() == command


def test_values_are_split_at_the_first_equals_sign_and_the_last_one_counts() -> None:
    options = parse(
        ["-putenv", "A=1=2", "-putenv=B=", "-putenv", "C", "--putenv", "D=1", "-putenv=D=2", "-putenv", "=x"]
    )

    assert options.putenv == {"A": "1=2", "B": "", "C": None, "D": "2", "": "x"}


def test_metrics() -> None:
    assert parse(["-putmetric", "a=1", "-putmetric=b=2=3"]).putmetric == {"a": "1", "b": "2=3"}


def test_signal_of_a_job_whose_name_has_an_equals_sign() -> None:
    assert parse(["-signal", "a=b=HUP"]).signal == ("a=b", "HUP")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["-putmetric", "FOO"], 'invalid value "FOO" for flag -putmetric: ' + NO_PAIR),
        (["-maintenance", "on"], 'invalid value "on" for flag -maintenance: use enable or disable'),
        (["-maintenance", ""], 'invalid value "" for flag -maintenance: use enable or disable'),
        (["-job", ""], 'invalid value "" for flag -job: it must name a job'),
        (["-restart="], 'invalid value "" for flag -restart: it must name a job'),
        (["-signal", "app"], "flag value 'app' was not in the format 'name=signal'"),
        (["-signal", "app="], "flag value 'app=' was not in the format 'name=signal'"),
        (["-signal", "=HUP"], "flag value '=HUP' was not in the format 'name=signal'"),
        (["-job"], "flag needs an argument: -job"),
        (["-ping=maybe"], 'invalid boolean value "maybe" for -ping: use true or false'),
        (["-follow"], "-follow goes with -events"),
        (["-jobs", "-follow"], "-follow goes with -events"),
        (["-ping", "-json"], "-json goes with -jobs, -job or -events"),
        (["-json", "app"], "-json goes with -jobs, -job or -events"),
        (["-stop", "app", "agent"], "-stop takes one job: nothing would become of 'agent'"),
        (["-signal", "app=HUP", "agent"], "-signal takes one job: nothing would become of 'agent'"),
        (["-stop", "app", "-stop", "agent"], 'invalid value "agent" for flag -stop: it names one job, and that is app'),
        (["-signal", "app=HUP", "-signal", "agent=HUP"], 'invalid value "agent=HUP" for flag -signal: it names one'),
        (["-pong"], "flag provided but not defined: -pong (did you mean -ping?)"),
        (["-version=no"], 'invalid boolean value "no" for -version: use true or false'),
        (["-something\x1b[31m"], r"flag provided but not defined: -something\x1b[31m"),
        (["-putmetric", "x" * 200], f"flag value '{'x' * 100}…' was not in the format"),
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_told(arguments: list[str], complaint: str) -> None:
    with pytest.raises(FlagError) as refused:
        parse(arguments)

    assert complaint in str(refused.value)


def test_usage_names_every_flag() -> None:
    for name in (*BOOLEANS, *STRINGS, *PAIRS):
        assert name == "h" or f"  -{name}" in USAGE or f", -{name} " in USAGE
    assert max(map(len, USAGE.splitlines())) <= 120
