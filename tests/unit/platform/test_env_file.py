"""Files with variables: every form of a line, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from cp.platform.env_file import LARGEST, EnvFileError, MissingEnvFile, parse_env_file, read_env_file, read_env_files


@pytest.mark.parametrize(
    ("line", "variables"),
    [
        ("A=b", {"A": "b"}),
        ("A=", {"A": ""}),
        ("export A=b", {"A": "b"}),
        ("export\t A=b", {"A": "b"}),
        ("  A=b", {"A": "b"}),
        ("export=b", {"export": "b"}),
        ("exported=b", {"exported": "b"}),
        ("spring.main.log-level_1=b", {"spring.main.log-level_1": "b"}),
        ("A=b=c", {"A": "b=c"}),
        ("A=two words # and no comment", {"A": "two words # and no comment"}),
        ('A={"json": "yes"}', {"A": '{"json": "yes"}'}),
        ("A=it's", {"A": "it's"}),
        ("A=$HOME \\n `id` $(id)", {"A": "$HOME \\n `id` $(id)"}),
        ("A='$B \\n \"c\" # '", {"A": '$B \\n "c" # '}),
        ("A=''", {"A": ""}),
        ('A=""', {"A": ""}),
        ("A=' b '  ", {"A": " b "}),
        (r'A="one\ntwo \"three\" \\ \$four $five"', {"A": 'one\ntwo "three" \\ $four $five'}),
        ('A="it\'s"', {"A": "it's"}),
        ("A=caf\u00e9 \udcff", {"A": "caf\u00e9 \udcff"}),
        ("# A=b", {}),
        ("   # A=b", {}),
        ("", {}),
        (" \t", {}),
        ("\r", {}),
        ("\ufeffA=b", {"A": "b"}),
    ],
)
def test_a_line(line: str, variables: dict[str, str]) -> None:
    assert parse_env_file(line, "f") == variables


def test_the_last_line_of_a_name_wins_and_keeps_no_line_end() -> None:
    assert parse_env_file("A=1\nB=2\n\n# c\nA=3\n", "f") == {"A": "3", "B": "2"}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("A", "has no `=`"),
        ("export A", "has no `=`"),
        ("A =b", "has a blank beside the `=`"),
        ("A= b", "has a blank beside the `=`"),
        ("export A =b", "has a blank beside the `=`"),
        ("=b", "does not begin with KEY="),
        ("export =b", "does not begin with KEY="),
        ("A B=c", "does not begin with KEY="),
        ("export A B=c", "does not begin with KEY="),
        ("$A=b", "does not begin with KEY="),
        ("caf\u00e9=b", "does not begin with KEY="),
        ("A=b ", "the value of A ends with a blank"),
        ("A=b\t", "the value of A ends with a blank"),
        ("A='b", "the value of A has no closing quote"),
        ('A="b', "the value of A has no closing quote"),
        ('A="b\\"', "the value of A has no closing quote"),
        ("A='b'c", "the value of A goes on after its closing quote"),
        ("A='b' # c", "the value of A goes on after its closing quote"),
        ('A="b""c"', "the value of A goes on after its closing quote"),
        (r'A="\t"', "the value of A has an unknown escape"),
        ('A="b\\', "the value of A has an unknown escape"),
        ("A=b\r", "ends as in Windows"),
        ("A=b\0c", "has a NUL character"),
    ],
)
def test_a_line_that_is_refused(line: str, why: str) -> None:
    with pytest.raises(EnvFileError) as caught:
        parse_env_file(f"# comment\n{line}\nC=d", "/etc/app.env")
    assert str(caught.value).startswith(f"/etc/app.env:2: {why}")


def test_an_error_never_shows_a_value() -> None:
    for line in ("swordfish", "PASSWORD=swordfish ", "PASSWORD='swordfish", "PASSWORD= swordfish", "x swordfish=y"):
        with pytest.raises(EnvFileError) as caught:
            parse_env_file(line, "f")
        assert "swordfish" not in str(caught.value)


def test_files_in_their_order_and_one_that_may_be_missing(tmp_path: Path) -> None:
    one, two, missing = (tmp_path / name for name in ("one", "two", "missing"))
    one.write_text("A=1\nB=1\n")
    two.write_text("B=2\n")
    assert read_env_files([(str(one), False), (str(missing), True), (str(two), False)]) == {"A": "1", "B": "2"}
    with pytest.raises(MissingEnvFile, match=f"cannot read {missing}: no such file or directory"):
        read_env_files([(str(missing), False)])


def test_only_a_regular_file_of_a_readable_size_is_read(tmp_path: Path) -> None:
    largest, larger = tmp_path / "largest", tmp_path / "larger"
    largest.write_bytes(b"A=" + b"x" * (LARGEST - 2))
    larger.write_bytes(b"A=" + b"x" * (LARGEST - 1))
    assert len(read_env_file(str(largest))["A"]) == LARGEST - 2
    with pytest.raises(EnvFileError, match="it is larger than 1 MiB"):
        read_env_file(str(larger))
    for path in ("/dev/zero", str(tmp_path)):
        with pytest.raises(EnvFileError, match="it is not a regular file"):
            read_env_file(path)
    with pytest.raises(EnvFileError, match="not a directory"):
        read_env_file(f"{larger}/x")
