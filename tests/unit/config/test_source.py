"""Where a configuration is read from."""

from __future__ import annotations

from pathlib import Path

import pytest

from cp.config.errors import ConfigError
from cp.config.source import read

ROOT = Path(__file__).parents[3]


def error_of(argument: str, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        read(argument, environ or {})
    return str(caught.value)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "cp.json"
    path.write_text('{"stopTimeout": 1}')
    return path


def test_nothing_given() -> None:
    message = "-config flag is required: there is no configuration: use -config FILE or set CONTAINERPILOT, see -help"
    assert error_of("") == error_of("", {"CONTAINERPILOT": ""}) == message


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_a_file(file: Path, prefix: str) -> None:
    source = read(f"{prefix}{file}", {})

    assert (source.name, source.text) == (str(file), '{"stopTimeout": 1}')


def test_a_relative_path(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)

    assert read("cp.json", {}).text == read("file://cp.json", {}).text == '{"stopTimeout": 1}'


def test_the_variable_replaces_the_flag(file: Path) -> None:
    assert read("", {"CONTAINERPILOT": f"file://{file}"}).text == '{"stopTimeout": 1}'
    assert read("{}", {"CONTAINERPILOT": f"file://{file}"}).text == "{}"


@pytest.mark.parametrize("text", ["{}", '  {"a": 1}', "{{ if .A }}{}{{ end }}", "<>", "[]", '"x"', "\n\n", "// c\n{}"])
def test_the_configuration_itself(text: str) -> None:
    source = read(text, {})

    assert (source.name, source.text) == ("<config>", text)


@pytest.mark.parametrize("text", ['{"stopTimeout": 1}', "{{ if .A }}{}{{ end }}", "", "// c\n{}"])
def test_a_byte_order_mark_is_not_part_of_the_text(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cp.json"
    path.write_text(text, encoding="utf-8-sig")
    source = read(str(path), {})

    assert source.text == source.reread().text == text


def test_nor_is_it_in_a_configuration_on_the_command_line() -> None:
    assert read('\ufeff{"stopTimeout": 1}', {}).text == '{"stopTimeout": 1}'
    assert read("", {"CONTAINERPILOT": "\ufeff {}"}).text == " {}"


def test_only_the_first_one_is_a_mark() -> None:
    assert read("\ufeff{}\ufeff", {}).text == "{}\ufeff"


@pytest.mark.parametrize("argument", ["/xxxx", "file:///xxxx"])
def test_a_file_that_is_not_there(argument: str) -> None:
    assert error_of(argument) == "Could not read config file: open /xxxx: no such file or directory"


@pytest.mark.parametrize(
    ("argument", "shown"),
    [
        ("https://conf/app.json5", "https://conf/app.json5"),
        ("HTTP://conf/app.json5", "HTTP://conf/app.json5"),
        ("s3://me:secret@conf/app.json5?token=secret", "s3://…@conf/app.json5?…"),
        ("file:/app.json5", "file:/app.json5"),
    ],
)
def test_a_url_is_not_read(argument: str, shown: str) -> None:
    message = (
        f"Could not read config file: open {shown}: no such file or directory: URLs are not read: a configuration is a "
        "path, file:// and a path, inline text that begins with {, or - for standard input"
    )
    assert error_of(argument) == error_of("", {"CONTAINERPILOT": argument}) == message


def test_a_word_is_the_name_of_a_file() -> None:
    assert error_of("invalid") == "Could not read config file: open invalid: no such file or directory"


def test_a_folder(tmp_path: Path) -> None:
    assert error_of(str(tmp_path)) == f"Could not read config file: read {tmp_path}: is a directory"


def test_a_path_below_a_file(file: Path) -> None:
    assert error_of(f"{file}/x") == f"Could not read config file: open {file}/x: not a directory"


def test_no_path_at_all() -> None:
    assert "file:// names no file" in error_of("file://")


def test_a_path_that_cannot_be(tmp_path: Path) -> None:
    assert "invalid argument" in error_of("a\0b")


def test_a_file_without_an_end() -> None:
    assert error_of("/dev/zero") == "Could not read config file: read /dev/zero: it is larger than 16 MiB"


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "latin1.json"
    path.write_bytes(b'{\n  "a": "caf\xe9"}')

    assert error_of(str(path)) == f"{path}:2:12: the byte 0xe9 is not UTF-8: save the file as UTF-8"


def test_a_file_is_read_again_for_a_reload(file: Path) -> None:
    source = read(str(file), {})
    file.write_text("{}")

    assert source.reread().text == "{}"

    file.unlink()
    with pytest.raises(ConfigError, match="no such file or directory"):
        source.reread()


def test_inline_text_stays_for_a_reload() -> None:
    source = read('{"a": 1}', {})

    assert source.reread().text == '{"a": 1}'
