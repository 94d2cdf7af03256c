from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cp.plan import ConsulSettings, EtcdSettings
from cp.secrets import LIMIT, MASK, Secrets, is_secret, of_catalog

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "name",
    [
        *("TOKEN", "GITHUB_TOKEN", "TOKEN_OF_MAIL", "DB_PASSWORD", "db_password", "PGPASSWORD", "DB_PASSWD", "DB_PASS"),
        *(
            "MYSQL_PWD",
            "AWS_SECRET_ACCESS_KEY",
            "CLIENT_SECRET",
            "MAIL_API_KEY",
            "API_KEY_2",
            "APIKEY",
            "TLS_PRIVATE_KEY",
        ),
        *("APP_CREDENTIALS", "REGISTRY_CREDENTIAL", "app.password", "X-AUTH-TOKEN", "SIGNING_KEY"),
    ],
)
def test_names_that_look_like_a_secret(name: str) -> None:
    assert is_secret(name, "abc123")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "PATH",
            "HOME",
            "KEY",
            "MONKEY",
            "KEYBOARD",
            "COMPASS",
            "BYPASS",
            "TOKENIZER",
            "MAX_TOKENS",
            "AUTHOR",
            "SECRETARY",
        ),
        *("DB_PASSWORD_FILE", "TOKEN_URL", "SECRET_NAME", "TOKEN_TTL", "PUBLIC_KEY"),
    ],
)
def test_names_that_do_not(name: str) -> None:
    assert not is_secret(name, "abc123")


@pytest.mark.parametrize("value", ["", "short", "true", "Required", "disabled", "/run/secrets/x", "./x", "~/.token"])
def test_values_that_are_none(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.path.lexists", lambda path: path in (b"/run/secrets/x", b"./x"))
    assert not is_secret("TOKEN", value)


@pytest.mark.parametrize("value", ["/wJalrXUtnFEMI/K7MDENG", "123456", "swordfish", "-----BEGIN\n/x"])
def test_values_that_are_one(value: str) -> None:
    assert is_secret("TOKEN", value)


SECRET_TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), min_size=6).filter(
    lambda text: text.strip() and text not in MASK and "*" not in text
)


@given(secret=SECRET_TEXTS)
def test_a_secret_is_found_in_whatever_form_it_is_written(secret: str) -> None:
    secrets = Secrets({"X_TOKEN": secret} if is_secret("X_TOKEN", secret) else {})
    secrets.add(secret)
    for text in (secret, repr(secret), repr(secret + "'"), repr(secret + '"'), json.dumps(secret, ensure_ascii=False)):
        assert secret not in secrets.masked(f"<{text}>")
        assert MASK in secrets.masked(f"<{text}>")
    assert MASK in secrets.masked(f"http://me:{quote(secret, safe='')}@host/")


def test_the_longest_goes_first_and_the_oldest_is_forgotten() -> None:
    secrets = Secrets()
    secrets.add("secret1")
    secrets.add("secret1-and-more")
    assert secrets.masked("secret1-and-more secret1") == f"{MASK} {MASK}"
    for number in range(LIMIT):
        secrets.add(f"other{number:04}")
    assert secrets.masked("secret1") == "secret1"
    assert secrets.masked("other0000 other0255") == f"{MASK} {MASK}"


def test_a_key_of_several_lines_is_masked_line_by_line() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\nAAAAAAAAAAAAAAAAAAAA\n-----END KEY-----"
    secrets = Secrets({"TLS_PRIVATE_KEY": key})
    assert secrets.masked("x MIIEvQIBADANBgkqhkiG") == f"x {MASK}"
    assert secrets.masked("-----BEGIN KEY-----") == "-----BEGIN KEY-----"
    assert secrets.masked(key) == MASK


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
    ],
)
def test_passwords_in_urls(text: str, masked: str) -> None:
    assert Secrets().masked(text) == masked


def test_a_password_in_the_url_of_a_variable_is_a_secret_everywhere() -> None:
    secrets = Secrets(
        {"DATABASE_URL": "postgres://app:pass%40word1@db/app", "OTHER_URL": "http://postgres:postgres@db"}
    )
    assert secrets.masked("pass@word1 pass%40word1 postgres") == f"{MASK} {MASK} postgres"


def test_a_watched_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "token"
    secrets = Secrets()
    secrets.watch(str(file))
    file.write_text("first-token\n")
    secrets.refresh()
    file.write_text("the-second-token\n")
    secrets.refresh()
    assert secrets.masked("first-token the-second-token") == f"{MASK} {MASK}"


def test_secrets_of_catalogues() -> None:
    consul = ConsulSettings(address="me:pw-of-agent@consul:8500", token="t0ken", http_auth="user:pw-of-proxy")
    assert set(of_catalog(consul)) - {""} == {"pw-of-agent", "t0ken", "user:pw-of-proxy", "pw-of-proxy"}
    etcd = EtcdSettings(endpoints=("http://a:2379", "http://me:pw1@b"), username="root", password="pw2")
    assert set(of_catalog(etcd)) - {""} == {"pw1", "pw2"}
    assert set(of_catalog(None)) == {""}


# -- a line that is too long goes out in pieces


@pytest.mark.parametrize(
    ("data", "piece"),
    [
        ("a long line and seve", "a long line and seve"),
        ("a long line and s3c", "a long line and "),
        ("a long line and s3", "a long line and "),
        ("a long line s3cret-a", "a long line s3cret-a"),
        ("a long line s3cret:", "a long line s3cret"),  # a URL may begin
        ("a long line http:/", "a long line http"),
        ("a long line http://", "a long line http"),
        ("a long line http://me:pw", "a long line http"),
        ("a long line http://me:p@w", "a long line http"),
        ("a long line http://me/p@w", "a long line http://me/p@w"),
        ("ab tôk", "ab "),
        ("s3c", "s3c"),  # at least half of it
    ],
)
def test_a_piece_of_a_line_ends_before_a_secret_that_may_go_on(data: str, piece: str) -> None:
    secrets = Secrets({"A_TOKEN": "s3cret", "B_TOKEN": "tôkèn-two"})
    assert secrets.whole(data.encode()) == len(piece.encode())


def test_secrets_that_overlap_go_into_one_piece() -> None:
    secrets = Secrets({"A_TOKEN": "abcdef-ghijkl", "B_TOKEN": "ghijkl-mnopqr"})
    assert secrets.whole(b"0123456789 12345 abcdef-ghijkl-mno") == len("0123456789 12345 ")


def test_half_of_a_piece_goes_out_whatever_the_secrets_are() -> None:
    secrets = Secrets({"A_TOKEN": "a" * 100, "B_TOKEN": "\udcff" * 50, "C_TOKEN": "a\nb" * 9})
    for data in (b"a" * 64, b"\xff" * 64, b":" * 64, b"://" * 20):
        assert len(data) // 2 <= secrets.whole(data) <= len(data)


@given(st.integers(1, 120), st.integers(0, 30), st.sampled_from(["s3cret-one", "two-s3cret-two", "ööööööö"]))
def test_no_secret_is_torn(before: int, after: int, secret: str) -> None:
    secrets = Secrets({"A_TOKEN": "s3cret-one", "B_TOKEN": "two-s3cret-two", "C_TOKEN": "ööööööö"})
    line = b"x" * before + secret.encode() + b"y" * after + secret.encode()
    pieces = []
    while len(line) > 60:
        size = secrets.whole(line[:60])
        pieces.append(line[:size])
        line = line[size:]
    told = "".join(secrets.masked(piece.decode("utf-8", "surrogateescape")) for piece in (*pieces, line))
    assert told == "x" * before + MASK + "y" * after + MASK
