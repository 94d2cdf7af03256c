"""Which names of variables a pattern fits."""

from __future__ import annotations

import pytest

from cp.platform.variables import fits_one


@pytest.mark.parametrize(
    ("pattern", "fitting", "others"),
    [
        ("PATH", ["PATH"], ["PATHS", "path", "MYPATH", ""]),
        ("APP_*", ["APP_", "APP_X"], ["APP", "MY_APP_X"]),
        ("*_URL", ["DB_URL", "_URL"], ["DB_URLS"]),
        ("*", ["A", ""], []),
        ("A*A", ["AA", "ABA"], ["A", "AB"]),
        ("A*B*C", ["ABC", "AxByC"], ["AC", "ACB", "AB"]),
        ("*B*B*", ["BB", "aBbBc"], ["B"]),
        ("AB*BA", ["ABBA"], ["ABA"]),
        ("A*BC*BC", ["ABCBC"], ["ABC"]),
        ("A.*", ["A.b"], ["AB"]),
    ],
)
def test_a_pattern(pattern: str, fitting: list[str], others: list[str]) -> None:
    assert [name for name in [*fitting, *others] if fits_one(name, [pattern])] == fitting


def test_one_of_several() -> None:
    assert fits_one("HOME", ["PATH", "HO*"])
    assert not fits_one("HOME", ["PATH"])
    assert not fits_one("HOME", [])
