"""Target: what masks secrets in the output of children."""

from __future__ import annotations

from cp.log.masking import MASK, Matcher
from tests.fuzz.material import parts

PIECE = 32  # bytes of a piece of a long line


def fuzz_masking(data: bytes) -> None:
    """No secret is left, in whatever pieces the output is read, and only secrets are removed."""
    given, output = parts(data, 2)
    secrets = [secret.strip(b" \t\n\r\x0b\x0c\0") for secret in given.split(b"\x01")]
    secrets = [secret for secret in secrets if len(secret) >= len(MASK)]
    matcher = Matcher(secrets)
    plain = [secret for secret in secrets if not set(secret) & set(b"*\n\r\0")]

    masked = matcher.masked(output)
    assert not [secret for secret in plain if secret in masked]
    at = 0
    for kept in masked.split(MASK) if b"*" not in output else []:
        found = output.find(kept, at)
        assert found >= 0
        at = found + len(kept)

    lines = output.split(b"\n")
    whole, _ = matcher.masked_lines(output)
    assert whole.count(b"\n") == output.count(b"\n")
    one_by_one: list[bytes] = []
    expected: tuple[bytes, ...] = ()
    for line in lines:
        found_line, expected = matcher.masked_lines(line, expected)
        one_by_one.append(found_line)
    assert b"\n".join(one_by_one) == whole

    for line in lines:
        pieces: list[bytes] = []
        while end := matcher.cut(line, PIECE):
            pieces.append(matcher.masked(line[:end]))
            line = line[end:]
        by_lines = b"".join((*pieces, matcher.masked(line)))
        assert not [secret for secret in plain if secret in by_lines]
