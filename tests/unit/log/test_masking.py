from __future__ import annotations

import itertools
import json
import re
import time
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cp.log.masking import MASK, SHORTEST, Matcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

STARS = MASK.decode()


def masked(text: str, *secrets: str) -> str:
    return as_text(Matcher(map(as_bytes, secrets)).masked(as_bytes(text)))


def as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def as_text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


# --- the forms of a secret


def every_letter(text: str) -> str:
    return "".join(f"\\u{ord(each):04x}" if ord(each) < 0x10000 else each for each in text)


def as_go(text: str) -> str:
    """The default output of Go's encoding/json."""
    quoted = json.dumps(text, ensure_ascii=False)[1:-1]
    return quoted.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e").replace("\u2028", "\\u2028")


def lower(quoted: str) -> str:
    return re.sub("%..", lambda found: found[0].lower(), quoted)


FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "JSON": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON in ASCII": lambda text: json.dumps(text)[1:-1],
    "JSON in ASCII, capitals": lambda text: re.sub(
        r"\\u[0-9a-f]{4}", lambda found: found[0].upper().replace("\\U", "\\u"), json.dumps(text)[1:-1]
    ),
    "JSON of PHP": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "JSON of Go": as_go,
    "JSON, each letter": every_letter,
    "JSON in JSON": lambda text: json.dumps(json.dumps(text))[1:-1],
    "JSON of Go in JSON of Go": lambda text: as_go(json.dumps(text)),
    "percent": lambda text: quote(text, safe=""),
    "percent, small letters": lambda text: lower(quote(text, safe="")),
    "percent, but what a path may have": lambda text: quote(text, safe="/:@!$&'()*,;=~"),
    "a form": lambda text: quote_plus(text),
    "a form, small letters": lambda text: lower(quote_plus(text)),
    "percent, each byte": lambda text: "".join(f"%{byte:02X}" for byte in as_bytes(text)),
    "percent in JSON of PHP": lambda text: json.dumps(quote(text, safe="/"))[1:-1].replace("/", "\\/"),
    "JSON in a URL": lambda text: quote_plus(json.dumps(text)),
    "a repr": repr,
    "a shell": lambda text: "".join(
        chr(byte) if 32 <= byte < 127 and byte != 92 else f"\\{byte:03o}" for byte in as_bytes(text)
    ),
}

# Around a text, in forms that have them.
QUOTE_MARKS = {"JSON in JSON": '\\"', "JSON of Go in JSON of Go": '\\"', "JSON in a URL": "%22"}

LETTERS = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
SECRETS = st.text(LETTERS | st.sampled_from("\\%+/&<>\"' u0aé€\U0001f600"), min_size=SHORTEST, max_size=40).filter(
    lambda text: (
        len(text.strip().splitlines()) == 1
        and len(text.strip()) >= SHORTEST
        and text == text.strip(" \t\n\r\x0b\x0c")
        and "*" not in text
        and "\n" not in text
        and "\r" not in text
    )
)


@pytest.mark.parametrize("form", FORMS)
@given(secret=SECRETS)
@example(secret="hunter2-hunter2")
@example(secret="größe 日本/€&%+\\\"'")
@example(secret="\\u0041\\n%41+b c")
@example(secret="😀😀😀😀 <&>")
def test_a_secret_is_masked_in_each_form(form: str, secret: str) -> None:
    written = FORMS[form](secret)
    quote_mark = written[0] if form == "a repr" else QUOTE_MARKS.get(form, "")
    assert masked(f"before [{written}] after", secret) == f"before [{quote_mark}{STARS}{quote_mark}] after"


@given(st.text(LETTERS), st.text(LETTERS), SECRETS, st.sampled_from(sorted(FORMS)))
def test_only_the_secret_is_changed(before: str, after: str, secret: str, form: str) -> None:
    text = f"{before} {FORMS[form](secret)} {after}"
    found = masked(text, secret)
    parts = found.split(STARS)
    assert text.startswith(parts[0])
    assert text.endswith(parts[-1])
    assert re.fullmatch(".*".join(map(re.escape, parts)), text, re.DOTALL)


@given(st.binary(), st.lists(st.binary(min_size=1).filter(lambda text: text.strip(b" \t\n\r\x0b\x0c\0")), min_size=1))
def test_any_bytes_are_masked(data: bytes, secrets: list[bytes]) -> None:
    matcher = Matcher(secrets)
    found = matcher.masked(data)
    assert found.count(b"\n") == data.count(b"\n")
    spans = matcher.spans(data)
    assert all(start < end for start, end in spans)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))
    if not any(MASK.find(secret) >= 0 or b"*" in secret for secret in secrets):
        for secret in secrets:
            if not set(secret) & set(b"\n\r\0"):
                assert secret.strip() not in found or len(secret.strip().splitlines()) > 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"pw":"a\\/bcdefgh"}', f'{{"pw":"{STARS}"}}'),
        ("{'a\\u002Fbcdefgh'}", f"{{'{STARS}'}}"),
        ("a%2fbcdefgh%2", f"{STARS}%2"),
        ("\\a/bcdefgh\\", f"\\{STARS}\\"),
        ("\\ud83d\\u0061/bcdefgh", f"\\ud83d{STARS}"),
        ("\\ud83d\\ude00a/bcdefgh\\ud83d", f"\\ud83d\\ude00{STARS}\\ud83d"),
        ("\\u00zza/bcdefgh %zza/bcdefgh", f"\\u00zz{STARS} %zz{STARS}"),
        ("\\\\a/bcdefgh\\\\\\/", f"\\\\{STARS}\\\\\\/"),
        ("a/bcdefg", "a/bcdefg"),
    ],
)
def test_escapes_around_a_secret_stay(text: str, expected: str) -> None:
    assert masked(text, "a/bcdefgh") == expected


def test_json_stays_json_and_keeps_its_other_values() -> None:
    secret = "pä/ss\"wörd&<'\\1"
    found = json.loads(masked(json.dumps({"bytes": 128000, "pw": secret, "x": "\\u0041\n"}), secret))
    assert found == {"bytes": 128000, "pw": STARS, "x": "\\u0041\n"}


def test_secrets_that_overlap_are_masked_as_one() -> None:
    secrets = ("abcdef-ghijkl", "ghijkl-mnopqr", "abcdef-g")
    assert masked("1 abcdef-ghijkl-mnopqr 2", *secrets) == f"1 {STARS} 2"
    assert masked("1 abcdef-ghijkl-mnop 2", *secrets) == f"1 {STARS}-mnop 2"


# --- texts of several lines

KEY_LINES = [
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDa/b+c",
    "AASCBKcwggSjAgEAAoIBAQD+/Aaa0123456789",
    "Xw==",
]
KEY = "\n".join(["-----BEGIN PRIVATE KEY-----", *KEY_LINES, "-----END PRIVATE KEY-----"])


@pytest.mark.parametrize("key", [KEY, f"{KEY}\n", KEY.replace("\n", "\r\n"), KEY.replace("\n", "\n  ")])
def test_a_key_is_masked_line_by_line(key: str) -> None:
    for line in KEY_LINES[:2]:
        assert masked(f"some {line}, more", key) == f"some {STARS}, more"
    for line in (KEY.splitlines()[0], KEY.splitlines()[-1], "Xw=="):
        assert masked(line, key) == line


@pytest.mark.parametrize("form", [form for form in FORMS if form not in ("as it is", "a repr")])
@pytest.mark.parametrize("key", [KEY, KEY.replace("\n", "\r\n")])
def test_a_key_on_one_line_is_masked_wholly(form: str, key: str) -> None:
    found = masked(f"<{FORMS[form](key)}>", key)
    assert not [part for part in ("MIIE", "AASC", "Xw") if part in found]


@pytest.mark.parametrize("between", ["", " ", "\\n", "\\r\\n", "\\\\n"])
def test_the_short_last_line_of_a_key_is_masked_after_the_one_before(between: str) -> None:
    found = masked(f'"{between.join(KEY.splitlines())}"', KEY)
    assert not [part for part in ("MIIE", "AASC", "Xw") if part in found]


def read_in(sizes: Iterable[int], text: str, *secrets: str) -> str:
    """The lines of a text that comes in so many lines at a time."""
    matcher = Matcher(map(as_bytes, secrets))
    lines = as_bytes(text).split(b"\n")
    found: list[bytes] = []
    expected: tuple[bytes, ...] = ()
    for size in sizes:
        some, lines = lines[:size], lines[size:]
        if some:
            data, expected = matcher.masked_lines(b"\n".join(some), expected)
            found.append(data)
    return as_text(b"\n".join(found))


@pytest.mark.parametrize("prefix", ["", "  ", "key: "])
@pytest.mark.parametrize("sizes", [(9,), (1,) * 9, (2, 2, 5), (3, 1, 1, 4)])
def test_the_short_last_line_of_a_key_is_masked_on_its_own_line(prefix: str, sizes: tuple[int, ...]) -> None:
    text = "\n".join(["Xw==", *(f"{prefix}{line}" for line in KEY.splitlines()), "Xw==", "end"])
    assert read_in(sizes, text, KEY).splitlines() == [
        "Xw==",
        f"{prefix}-----BEGIN PRIVATE KEY-----",
        *[f"{prefix}{STARS}"] * 3,
        f"{prefix}-----END PRIVATE KEY-----",
        "Xw==",
        "end",
    ]


# --- pieces of a long line


def pieces_of(text: str, chunk: int, limit: int, *secrets: str) -> list[str]:
    """The output for a line that is read in pieces of this number of bytes."""
    matcher = Matcher(map(as_bytes, secrets))
    data, left = as_bytes(text), b""
    found: list[str] = []
    longest = 0
    while data:
        left, data = left + data[:chunk], data[chunk:]
        longest = max(longest, len(left))
        while end := matcher.cut(left, limit):
            found.append(as_text(matcher.masked(left[:end])))
            left = left[end:]
    assert longest <= limit + 3 * matcher.overlap + chunk
    return [*found, as_text(matcher.masked(left))]


@given(
    st.integers(0, 400),
    st.integers(0, 400),
    st.sampled_from(["s3cret-one", "two-s3cret-two", "ööööööö€", 'a"b/c d&e', "x" * 150]),
    st.sampled_from(sorted(FORMS)),
    st.integers(1, 300),
)
def test_no_secret_is_torn(before: int, between: int, secret: str, form: str, chunk: int) -> None:
    secrets = ["s3cret-one", "two-s3cret-two", "ööööööö€", 'a"b/c d&e', "x" * 150]
    written = FORMS[form](secret)
    line = "z" * before + written + "y" * between + written + "z" * before
    pieces = pieces_of(line, chunk, 200, *secrets)
    assert "".join(pieces) == masked(line, *secrets)
    assert max(map(len, pieces[:-1]), default=0) <= 200 + len(written)


def test_a_secret_longer_than_a_piece_is_masked() -> None:
    secret = "s3cret" * 20_000
    assert pieces_of(f"<{secret}>" * 3, 4096, 65536, secret)[0].startswith("<")
    assert "".join(pieces_of(f"<{secret}>" * 3, 4096, 65536, secret)) == f"<{STARS}>" * 3


def test_pieces_come_also_of_a_line_that_is_one_secret_after_another() -> None:
    pieces = pieces_of("abcdabcd" * 10_000, 4096, 1000, "abcdabcd", "cdabcdab")
    assert len(pieces) > 10
    assert set("".join(pieces)) <= set("*abcd")


# --- many of them, and how long it takes


def many(count: int, length: int) -> list[str]:
    return [f"{number * 7919:x}".rjust(length, "abcdefghijklmnop"[number % 16]) for number in range(count)]


@pytest.mark.parametrize("length", [8, 12, 31, 32, 64, 200])
@pytest.mark.parametrize("count", [1, 9, 60, 500])
def test_each_of_many_secrets_is_found_at_every_position(length: int, count: int) -> None:
    secrets = list(dict.fromkeys(many(count, length)))
    matcher = Matcher(map(as_bytes, secrets))
    for index, secret in enumerate(secrets):
        data = as_bytes("-" * (index % 67) + secret + "-" * 50)
        assert matcher.masked(data) == as_bytes("-" * (index % 67) + STARS + "-" * 50)


def seconds(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(3):
        before = time.process_time()
        work()
        best = min(best, time.process_time() - before)
    return best


@pytest.mark.parametrize(
    ("secret", "data"),
    [
        ("a" * 30_000 + "b", "a" * 65536),
        ("b" + "a" * 30_000, "a" * 65536),
        ("ab" * 15_000 + "c", "ab" * 32768),
        ("\\" * 40 + "x", "\\" * 65536),
        ("%" * 40 + "x", "%25" * 20_000),
        ("\\u005c" * 20, "\\u005c" * 10_000),
        ("12345678", "12345678" * 8192),
        ("a/b/c/d/e", "a\\/b\\/c\\/d\\/e" * 5000),
        ("\n".join(many(3000, 40)), "".join(many(1500, 40))),
    ],
)
def test_the_time_is_linear_for_any_output(secret: str, data: str) -> None:
    matcher = Matcher([as_bytes(secret)])
    whole = as_bytes(data)
    half = whole[: len(whole) // 2]
    assert seconds(lambda: matcher.masked(whole)) < 0.5
    assert seconds(lambda: matcher.masked(whole)) < 6 * seconds(lambda: matcher.masked(half)) + 0.01
