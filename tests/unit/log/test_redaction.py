from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cp.config.errors import ConfigError
from cp.config.load import load
from cp.config.source import Source
from cp.log.redaction import FORMER, FORMER_SECRETS, Secrets
from tests.unit.config.loading import load_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cp.log.masking import Matcher

MASK = "********"


class Output:
    """Masks as the output of jobs is masked."""

    def __init__(self, secrets: Secrets) -> None:
        self.matcher: Matcher | None = None
        secrets.on_output_change = self._use

    def _use(self, matcher: Matcher) -> None:
        self.matcher = matcher

    def masked(self, text: str) -> str:
        data = text.encode()
        return (data if self.matcher is None else self.matcher.masked(data)).decode()


# --- what ContainerPilot itself says


@pytest.mark.parametrize(
    "secret", ["x", "t0ken", "11111111-2222-3333-4444-555555555555", "päß wörd\"'\\", "ends in \n"]
)
def test_a_secret_of_the_configuration_is_never_printed(secret: str) -> None:
    secrets = Secrets()
    secrets.add("consul.token", secret)
    for text in (secret, repr(secret), json.dumps(secret), json.dumps(secret, ensure_ascii=False), quote(secret)):
        assert secrets.masked(f"[{text}]").count(MASK) == 1
        assert secret.strip() not in secrets.masked(f"[{text}]")


def test_without_secrets_everything_is_shown() -> None:
    secrets = Secrets({"DB_PASSWORD": "hunter2-hunter2", "API_TOKEN": "s3cr3t-s3cr3t", "A_URL": "http://a:b@c"})
    text = "hunter2-hunter2 s3cr3t-s3cr3t \udcff \ud800"
    assert secrets.masked(text) is text


def test_surrogates_around_a_secret_become_question_marks() -> None:
    secrets = Secrets()
    secrets.add("consul.token", "t0ken")
    assert secrets.masked("t0ken \ud800 \udcff") == f"{MASK} ? ?"


def test_blanks_are_not_a_secret() -> None:
    secrets = Secrets()
    for nothing in ("", " ", "\n"):
        secrets.add("consul.token", nothing)
    assert secrets.masked("a b\nc") == "a b\nc"


def test_former_secrets_stay_masked() -> None:
    secrets = Secrets()
    values = [f"token-{number:03}" for number in range(40)]
    for value in values:
        secrets.add("consul.token", value)
        assert secrets.masked(value) == MASK
    for value in values[-1 - FORMER_SECRETS :]:
        assert secrets.masked(value) == MASK
    assert secrets.masked(values[0]) == values[0]


def test_many_secrets_of_others_push_none_out() -> None:
    secrets = Secrets({"CONSUL_HTTP_TOKEN": "the-first"})
    for number in range(1000):
        secrets.add(f"source{number}", f"other-{number:04}")
    assert secrets.masked("the-first other-0000 other-0999") == f"{MASK} {MASK} {MASK}"


@pytest.mark.parametrize(
    ("name", "value", "parts"),
    [
        ("CONSUL_HTTP_TOKEN", "a:b-c", ["a:b-c"]),
        ("CONSUL_HTTP_AUTH", "user:pw-of-proxy", ["user:pw-of-proxy", "pw-of-proxy"]),
        ("CONSUL_HTTP_ADDR", "https://user:pw%2Cw@host:1", ["pw%2Cw", "pw,w"]),
        ("CONSUL_HTTP_ADDR", "ghp-token@host", ["ghp-token"]),
        ("HTTPS_PROXY", "http://me:p@w@proxy:1", ["p@w"]),
    ],
)
def test_variables_that_are_settings_of_containerpilot(name: str, value: str, parts: list[str]) -> None:
    for secrets in (Secrets({name: value}), Secrets()):
        secrets.learn(name, value)
        for part in parts:
            assert secrets.masked(f"<{part}>") == f"<{MASK}>"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("at https://me:pw@host/x", f"at https://me:{MASK}@host/x"),
        ("amqp://me:p@w@host:1 and redis://:pw@r", f"amqp://me:{MASK}@host:1 and redis://:{MASK}@r"),
        ("ssh://git@host", "ssh://git@host"),
        ("https://ghp_0123456789abcdefghij@host", f"https://{MASK}@host"),
        ("https://host/a:b@c", "https://host/a:b@c"),
        ("me:pw@host", "me:pw@host"),
        ("://@", "://@"),
        *[(f"x://me:p{odd}w@host,", f"x://me:{MASK}@host,") for odd in (",", ";", ")", "'", "(", "!", "ö", "%2F")],
    ],
)
def test_passwords_in_urls_are_never_shown(text: str, masked: str) -> None:
    assert Secrets().masked(text) == masked


def test_a_token_file_is_read_before_anything_is_logged(tmp_path: Path) -> None:
    file = tmp_path / "tokens ö"
    secrets = Secrets()
    secrets.watch(str(file))
    assert secrets.masked("first-token") == "first-token"
    file.write_text("first-token\n")
    assert secrets.masked("first-token") == MASK
    file.write_text("the-second-token\n")
    assert secrets.masked("first-token the-second-token") == f"{MASK} {MASK}"
    file.unlink()
    assert secrets.masked("first-token the-second-token") == f"{MASK} {MASK}"
    secrets.watch("")
    file.write_text("the-third-token")
    assert secrets.masked("the-second-token the-third-token") == f"{MASK} the-third-token"


def test_an_unreadable_token_file_adds_no_secret(tmp_path: Path) -> None:
    for path in (tmp_path, "/dev/zero", "/nonexistent", "\0"):
        secrets = Secrets()
        secrets.watch(str(path))
        assert secrets.masked("text") == "text"


def test_masked_output_is_masked_again_when_there_is_another_secret() -> None:
    secrets = Secrets()
    changes: list[bool] = []
    secrets.on_change = lambda: changes.append(True)
    for value, count in (("one-token", 1), ("one-token", 1), ("another", 2)):
        secrets.add("consul.token", value)
        assert len(changes) == count


@given(st.text(), st.text(min_size=1).filter(lambda text: text.isprintable() and text.strip() and "*" not in text))
def test_stars_are_as_long_as_the_secret(text: str, secret: str) -> None:
    secrets = Secrets()
    secrets.add("consul.token", secret)
    whole = text.encode(errors="replace").decode() + secret.encode(errors="replace").decode() + text
    found = secrets.starred(whole)
    assert len(found) == len(whole)
    assert "*" in found


# --- the output of jobs


def test_the_output_of_jobs_is_theirs() -> None:
    secrets = Secrets({"CONSUL_HTTP_TOKEN": "t0ken-t0ken"})
    output = Output(secrets)
    secrets.mask_in_output((), {"DB_PASSWORD": "hunter2-hunter2"})
    secrets.add("etcd.password", "s3cr3t-s3cr3t")
    assert output.matcher is None


def test_variables_that_are_named_are_masked_in_output_and_in_the_log() -> None:
    secrets = Secrets({"CONSUL_HTTP_TOKEN": "t0ken-t0ken"})
    output = Output(secrets)
    environ = {"DB_PASSWORD": "hunter2-hunter2", "SHORT": "1234567", "OTHER": "other-other"}
    secrets.mask_in_output(("DB_PASSWORD", "SHORT", "UNSET"), environ)
    text = "hunter2-hunter2 1234567 other-other t0ken-t0ken"
    assert output.masked(text) == f"{MASK} 1234567 other-other t0ken-t0ken"
    assert secrets.masked(text) == f"{MASK} 1234567 other-other {MASK}"


def test_a_new_value_is_masked_from_the_moment_on_in_which_it_is_set() -> None:
    secrets = Secrets()
    output = Output(secrets)
    secrets.mask_in_output(("TOKEN",), {})
    for value in ("value-one", "value-two", "value-one"):
        secrets.learn("TOKEN", value)
        assert output.masked(value) == MASK
        assert secrets.masked(value) == MASK
    secrets.learn("ANOTHER", "another-value")
    assert output.masked("another-value") == "another-value"


def test_the_current_value_and_the_last_two_are_masked() -> None:
    secrets = Secrets()
    output = Output(secrets)
    values = [f"value-{number:03}" for number in range(300)]
    secrets.mask_in_output(("A", "B"), {"A": values[0], "B": "the-value-of-b"})
    for value in values[1:]:
        secrets.learn("A", value)
    assert output.masked(" ".join(values[-1 - FORMER :])) == " ".join([MASK] * (1 + FORMER))
    assert output.masked(values[-2 - FORMER]) == values[-2 - FORMER]
    assert output.masked("the-value-of-b") == MASK


def test_a_value_that_comes_again_is_the_current_one() -> None:
    secrets = Secrets()
    output = Output(secrets)
    secrets.mask_in_output(("A",), {})
    for value in ("value-001", "value-002", "value-003", "value-001", "value-004", "value-005"):
        secrets.learn("A", value)
    assert output.masked("value-001 value-002 value-004 value-005") == f"{MASK} value-002 {MASK} {MASK}"


def test_a_named_variable_stays_masked_when_a_reload_no_longer_names_it() -> None:
    secrets = Secrets()
    output = Output(secrets)
    secrets.mask_in_output(("A",), {"A": "value-of-a"})
    secrets.mask_in_output(("B",), {"A": "value-of-a", "B": "value-of-b"})
    assert output.masked("value-of-a value-of-b") == f"{MASK} {MASK}"


def test_keys_in_pem_push_nothing_out() -> None:
    secrets = Secrets()
    output = Output(secrets)
    secrets.mask_in_output(("PASSWORD", *"ABCDE"), {"PASSWORD": "the-first-password"})
    for name in "ABCDE":
        for turn in range(5):
            lines = [f"{name}{turn}{number:062}" for number in range(50)]
            secrets.learn(name, "\n".join(["-----BEGIN KEY-----", *lines, "-----END KEY-----"]))
            assert output.masked("\n".join(lines)) == "\n".join([MASK] * 50)
    assert output.masked("the-first-password") == MASK


# --- what a configuration makes known


def error_text(text: str, environ: Mapping[str, str]) -> str:
    """The errors of a configuration that cannot be used."""
    with pytest.raises(ConfigError) as caught:
        load(
            Source("app.json5", text),
            environ,
            arguments=("app",),
            hostname="host",
            addresses=list,
            secrets=Secrets(environ),
        )
    return str(caught.value)


@pytest.mark.parametrize(
    "catalog",
    [
        'consul: {token: "s3cr3t-0"}',
        'consul: {Token: "s3cr3t-0"}',
        'consul: {address: "me:s3cr3t-0@consul"}',
        'consul: "http://me:s3cr3t-0@consul"',
        'consul: "http://s3cr3t-0@consul"',
        'etcd: {endpoints: ["http://etcd", "http://me:s3cr3t-0@etcd"]}',
        'etcd: {endpoints: "http://me:s3cr3t-0@etcd"}',
        'etcd: {endpoints: "http://etcd", username: "me", password: "s3cr3t-0"}',
        'logging: {mask: ["DB_PASSWORD"]}',
        'logging: {mask: "DB_PASSWORD"}',
    ],
)
@pytest.mark.parametrize(
    "fault",
    ['stopTimeout: "s3cr3t-0"', '"s3cr3t-0": 1', 'tasks: [{frequency: "s3cr3t-0"}]'],
)
def test_a_faulty_configuration_shows_none_of_its_secrets(catalog: str, fault: str) -> None:
    for text in (f"{{{fault}, {catalog}}}", f"{{{catalog}, {fault}, services: []}}"):
        found = error_text(text, {"DB_PASSWORD": "s3cr3t-0"})
        assert "s3cr3t" not in found
        assert MASK in found


@pytest.mark.parametrize("far", [0, 180, 195, 200, 205, 1000])
def test_a_text_that_cannot_be_parsed_shows_no_known_secret(far: int) -> None:
    environ = {"CONSUL_HTTP_TOKEN": "t0ken-of-consul", "DB_PASSWORD": "s3cr3t-0-s3cr3t"}
    text = (
        f"{{logging: {{mask: ['DB_PASSWORD']}}, a: 't0ken-of-consul s3cr3t-0-s3cr3t{' ' * far}' oops 's3cr3t-0-s3cr3t'"
    )
    found = error_text(text, environ)
    assert not [part for part in ("t0ken", "consul s", "s3c", "r3t") if part in found.partition("oops")[2]]
    assert not [part for part in ("t0ken", "s3c", "r3t") if part in found]


def test_names_of_variables_to_mask() -> None:
    assert load_text('{"logging": {"mask": ["A", "B", "A"]}}').logging.mask == ("A", "B")
    assert load_text('{"logging": {"mask": "A"}}').logging.mask == ("A",)
    assert load_text('{"logging": {}}').logging.mask == ()
    assert load_text('{"jobs": [], "logging": {"mask": ["A"]}}').logging.mask == ("A",)
    with pytest.raises(ConfigError, match=r'logging\.mask: "A=B" cannot be the name of a variable'):
        load_text('{"logging": {"mask": ["A=B"]}}')
    with pytest.raises(ConfigError, match=r'logging\.mask: "" cannot be the name of a variable'):
        load_text('{"logging": {"mask": [""]}}')


@pytest.mark.parametrize("mask", ['["$DB_PASSWORD"]', '["DB_*"]', "[5]", "true", "{}", '{"DB_PASSWORD": true}'])
def test_names_to_mask_that_match_nothing_are_refused(mask: str) -> None:
    with pytest.raises(ConfigError, match=r"logging\.mask"):
        load_text(f'{{"logging": {{"mask": {mask}}}}}', environ={"DB_PASSWORD": "s3cr3t-0"})


def test_a_variable_to_mask_that_is_not_set_is_a_warning() -> None:
    plan = load_text('{"logging": {"mask": ["DB_PASWORD", "DB_PASSWORD"]}}', environ={"DB_PASSWORD": "s3cr3t-0"})
    [found] = [warning for warning in plan.warnings if "mask" in warning]
    assert found.endswith("logging.mask: the variable DB_PASWORD is not set: nothing is masked for it until it is")


@pytest.mark.parametrize(
    ("value", "is_short"), [("1234567", True), (" 234567 ", True), ("12345678", False), ("", False)]
)
def test_a_value_that_is_too_short_to_be_masked_is_a_warning(value: str, is_short: bool) -> None:
    plan = load_text('{"logging": {"mask": ["A", "UNSET"]}}', environ={"A": value})
    found = [warning for warning in plan.warnings if "has fewer than 8 characters" in warning]
    assert [warning.partition("mask: ")[2][:14] for warning in found] == (["the value of A"] if is_short else [])


def test_output_that_cannot_be_masked_is_a_warning() -> None:
    jobs = (
        '{name: "raw", exec: "true", logging: {raw: true}}, {name: "logged", exec: "true"}, '
        '{name: "c", exec: "true", health: {exec: "true", interval: 1, ttl: 2, logging: {raw: true}}}'
    )
    plan = load_text(f'{{jobs: [{jobs}], logging: {{mask: ["A"]}}}}')
    [found] = [warning for warning in plan.warnings if "`mask` has no effect" in warning]
    assert found.endswith(
        "logging: `mask` has no effect on the output of raw and check.c: it goes directly to ContainerPilot's own "
        "standard output and error, and not through the log; to mask it, remove `raw: true`"
    )
    assert not [warning for warning in load_text(f"{{jobs: [{jobs}]}}").warnings if "mask" in warning]
    plan = load_text(
        '{"preStop": "true", "logging": {"mask": ["A"]}, "tasks": [{"command": "t", "frequency": "1s"}]}', "app"
    )
    [found] = [warning for warning in plan.warnings if "`mask` has no effect" in warning]
    assert "on the output of APP and preStop: it goes directly" in found
    assert found.endswith("and not through the log")
