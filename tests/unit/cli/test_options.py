"""The meaning of command lines."""

from __future__ import annotations

import pytest

from cp.cli.flags import COMMANDS, FLAGS, NAMING, USAGE
from cp.cli.options import FlagError, parse

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
        (["-logs"], "logs"),
        (["-status", "-follow"], "status"),
        (["-logs", "app", "-follow", "db", "-lines", "all"], "logs"),
        (["-wait"], "wait"),
    ],
)
def test_flags_select_the_command(arguments: list[str], command: str) -> None:
    assert parse(arguments).command() == command


GIVEN = {
    "config": ["-config", "x"],
    "allow-second": ["-allow-second"],
    "out": ["-out", "x"],
    "follow": ["-follow"],
    "logs": ["-logs"],
    "status": ["-status"],
    "lines": ["-lines", "5"],
    "json": ["-json"],
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
    "wait": ["-wait"],
    "timeout": ["-timeout", "60s"],
}
# What each flag means to each subcommand, by hand: a new flag has to be put here, too.
EFFECTS = {
    *(("config", command) for command in ("", *COMMANDS)),
    ("allow-second", ""),
    ("out", "template"),
    ("follow", "events"),
    ("follow", "status"),
    *((flag, "logs") for flag in ("follow", "lines")),
    ("job", "events"),
    *(("json", command) for command in ("jobs", "job", "events", "logs", "status", "wait")),
    ("timeout", "wait"),
}


def test_every_flag_with_every_subcommand() -> None:
    assert {*GIVEN, "help"} == set(FLAGS)

    for command in ("", *COMMANDS):
        for flag in GIVEN:
            if flag == command or (flag in COMMANDS and not command):
                continue
            words, reverse = GIVEN.get(command, []) + GIVEN[flag], GIVEN[flag] + GIVEN.get(command, [])
            has_effect = (flag, command) in EFFECTS or (command == "job" and flag == "events")
            for line in (words, reverse):
                if has_effect:
                    assert parse(line).command() == ("events" if flag == "events" else command)
                else:
                    with pytest.raises(FlagError, match=f"-{flag}"):
                        parse(line)
                assert parse([*line, "-help"]).help


def test_no_subcommand_has_arguments_and_a_start_has() -> None:
    for command in sorted({*COMMANDS} - {*NAMING}):
        for arguments in (["x"], [""], ["-"], ["--", "-ping"], ["x", "-help"]):
            with pytest.raises(FlagError, match=f"-{command} takes .* would have no effect: ."):
                parse([*GIVEN[command], *arguments])
        assert parse([*GIVEN[command], "--"]).arguments == ()
    assert parse(["-config", "x", "app", "-ping", "x"]).arguments == ("app", "-ping", "x")


@pytest.mark.parametrize(
    ("arguments", "names", "seconds"),
    [
        (["-wait"], (), None),
        (["-wait", "-timeout", "60s"], (), 60.0),
        (["-wait", "app", "db"], ("app", "db"), None),
        (["-wait", "app", "-timeout=500ms", "db"], ("app", "db"), 0.5),
        (["-timeout", "3", "--wait", "app", "-config", "x"], ("app",), 3.0),
        (["-wait", "app", "-timeout", "0", "--", "-b", "c"], ("app", "-b", "c"), 0.0),
        (["-wait", "-timeout", "1h30m", "-"], ("-",), 5400.0),
    ],
)
def test_wait_takes_names_and_flags_in_any_order(
    arguments: list[str], names: tuple[str, ...], seconds: float | None
) -> None:
    options = parse(arguments)
    assert (options.command(), options.names, options.seconds, options.arguments) == ("wait", names, seconds, ())


def test_a_boolean_that_is_false_is_as_if_it_were_not_there() -> None:
    assert parse(["-jobs=false", "-json=false", "-ping"]).command() == "ping"
    assert parse(["-reload", "-reload=false", "app"]).arguments == ("app",)
    assert parse(["-reload=false", "-reload"]).command() == "reload"
    with pytest.raises(FlagError, match="-out has no effect without -template"):
        parse(["-template=false", "-out", "x"])


def test_the_last_configuration_counts() -> None:
    assert parse(["-config", "of the image", "-config", "of the user"]).config == "of the user"


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
        (["-job", ""], 'invalid value "" for flag -job: name a job'),
        (["-restart="], 'invalid value "" for flag -restart: name a job'),
        (["-signal", "app"], "flag value 'app' was not in the format 'name=signal'"),
        (["-signal", "app="], "flag value 'app=' was not in the format 'name=signal'"),
        (["-signal", "=HUP"], "flag value '=HUP' was not in the format 'name=signal'"),
        (["-job"], "flag needs an argument: -job"),
        (["-ping=maybe"], 'invalid boolean value "maybe" for -ping: use true or false'),
        (["-follow"], "-follow has no effect without -status, -events or -logs"),
        (["-jobs", "-follow"], "-follow has no effect with -jobs: it goes with -status, -events or -logs"),
        (["-ping", "-json"], "it goes with -jobs, -status, -events, -logs, -job or -wait"),
        (["-json", "app"], "-json has no effect without -jobs, -status, -events, -logs, -job or -wait"),
        (["-ping", "-timeout", "1s"], "-timeout has no effect with -ping: it goes with -wait"),
        (["-logs", "-lines", "few"], 'invalid value "few" for flag -lines: give a number, or all'),
        (["-logs", "-lines="], 'invalid value "" for flag -lines: give a number, or all'),
        (["-logs", "-lines", "1", "-lines", "2"], "give it once: it is 1 already"),
        (["-wait", "-timeout", "soon"], 'invalid value "soon" for flag -timeout: write seconds, such as 10, or'),
        (["-wait", "-timeout", "-1s"], 'invalid value "-1s" for flag -timeout: it is negative'),
        (["-wait", "-timeout", "1s", "-timeout", "2s"], "give it once: it is 1s already"),
        (["-wait", "app", ""], 'invalid value "" for flag -wait: name a job'),
        (["-wait", "-jobs"], "cannot use -jobs and -wait together: run containerpilot once for each"),
        (["-out", "x", "app"], "-out has no effect without -template"),
        (["-allow-second", "-ping"], "-allow-second has no effect with -ping: it goes with a start"),
        (["-stop", "e", "-restart", "m"], "cannot use -stop and -restart together: run containerpilot once for"),
        (["-putenv", "A=1", "B=2"], "one KEY=VALUE, and 'B=2' would have no effect: repeat the flag, -putenv B=2"),
        (["-putenv", "A=1", "B=x y"], "repeat the flag, -putenv 'B=x y'"),
        (["-putenv", "A", "B"], "repeat the flag, -putenv B"),
        (["-putmetric", "a=1", "b"], "'b' would have no effect: leave it out"),
        (["-maintenance", "enable", "disable"], "-maintenance takes one word, and 'disable' would have no effect"),
        (["-jobs", "e"], "-jobs takes no argument, and 'e' would have no effect: did you mean -job e?"),
        (["-jobs", "json"], "did you mean -json?"),
        (["-events", "x"], "did you mean -events -job x?"),
        (["-events", "follow"], "did you mean -follow?"),
        (["-reload", "false"], "write the value of -reload with an equals sign, -reload=false"),
        (["-template", "app"], "'app' would have no effect: a command is only for a start"),
        (["-template", "-out", "a", "-out", "b"], '"b" for flag -out: give it once: it is a already'),
        (["-stop", "app", "agent"], "-stop takes one job, and 'agent' would have no effect: run container"),
        (["-stop", "app", "a\x1b"], r"'a\x1b' would have no effect"),
        (["-signal", "app=HUP", "agent"], "-signal takes one job, and 'agent' would have no effect"),
        (["-stop", "app", "-stop", "agent"], 'invalid value "agent" for flag -stop: give it once: it is app'),
        (["-signal", "app=HUP", "-signal", "agent=HUP"], 'invalid value "agent=HUP" for flag -signal: give it once'),
        (["-maintenance", "enable", "-maintenance", "disable"], "give it once: it is enable already"),
        (["-pong"], "flag provided but not defined: -pong (did you mean -ping?)"),
        (["-version=no"], 'invalid boolean value "no" for -version: use true or false'),
        (["-something\x1b[31m"], r"flag provided but not defined: -something\x1b[31m"),
        (["-putmetric", "x" * 200], f"flag value '{'x' * 100}…' was not in the format"),
    ],
)  # fmt: skip
def test_invalid_arguments_are_reported(arguments: list[str], complaint: str) -> None:
    with pytest.raises(FlagError) as refused:
        parse(arguments)

    assert complaint in str(refused.value)


def test_usage_names_every_flag() -> None:
    for name in FLAGS:
        assert f"  -{name}" in USAGE or f", -{name} " in USAGE
    assert max(map(len, USAGE.splitlines())) <= 120
