"""scripts/check-words.py finds the words that docs/STYLE.md replaces, and the repository has none of them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_words", ROOT / "scripts" / "check-words.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where NamedTuple looks its fields up
    spec.loader.exec_module(module)
    return module


check_words: Any = _load()


def found_in(folder: Path, name: str, text: str) -> list[str]:
    path = folder / name
    path.write_text(text)
    return [f"{finding.line} {finding.words}" for finding in check_words.findings(path, name)]


def test_the_repository_has_no_words_to_avoid() -> None:
    found = [each for path in check_words.in_scope() for each in check_words.findings(path, check_words.name_of(path))]
    assert not found, "\n".join(map(str, found))


def test_markdown_is_checked_without_code(tmp_path: Path) -> None:
    text = (
        "# A page\n\nWhat is told\nmust be `told`, [said](said.md).\n\n"
        "```console\n$ heard\n```\n\n<!-- told -->\nHeard.\n"
    )
    assert found_in(tmp_path, "page.md", text) == ["3 told", "4 said", "11 Heard"]


def test_python_is_checked_without_identifiers(tmp_path: Path) -> None:
    text = (
        '"""A module\nthat is told."""\n\ntold = "told"  # what was said\n'
        'def heard(told: str) -> str:\n    # It can\n    # be had.\n    return f"{told} was told: `told`"\n'
    )
    found = found_in(tmp_path, "module.py", text)
    assert sorted(found) == ["2 told", "4 said", "6 can be had", "8 told"]


def test_shell_is_checked_in_comments(tmp_path: Path) -> None:
    assert found_in(tmp_path, "do.sh", "#!/bin/sh\n# What is told\ntold\n") == ["2 told"]


def test_a_finding_names_the_place_and_what_to_write_instead(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("First line.\nThe log cannot\nbe had.\n")

    assert check_words.main([str(page)]) == 1
    assert capsys.readouterr().out == f"{page}:2: 'cannot be had': 'is available', 'is not available'\n"


def test_a_missing_path_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert check_words.main(["docs/no-such-page.md"]) == 2
    assert "cannot check docs/no-such-page.md" in capsys.readouterr().err


def test_a_word_is_right_where_the_list_allows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_words, "ALLOWED", (("page.md", "is told apart from"),))

    text = "A name is told apart\nfrom a number. It is told.\n"
    assert found_in(tmp_path, "page.md", text) == ["2 told"]


def test_every_exception_is_used() -> None:
    unused = [
        (path, text)
        for path, text in check_words.ALLOWED
        if text not in " ".join((ROOT / path).read_text().replace("#", " ").split())
    ]
    assert not unused
