"""Which numbers a user of a configuration means."""

from __future__ import annotations

from pathlib import Path

import pytest

from cp.platform.accounts import Accounts, Identity, UnknownAccount, read_accounts

PASSWD = """root:x:0:0:root:/root:/bin/sh
# app:x:5:5::/:
broken
also:broken:here
app:x:1000:1000:App,,,:/home/app:/bin/sh
other:x:1000:1001::/home/other:/bin/sh
4000:x:5000:5000::/home/number:
homeless:x:6000:6000:::
nan:x:one:1::/:
+nis::::::
app:x:7:7::/second:
"""
GROUP = """root:x:0:
app:x:1000:
www:x:33:other,app
video:x:44:root,app,app
20:x:2000:app
broken:x
odd:x:nan:app
"""
ACCOUNTS = Accounts(PASSWD, GROUP)
APP_GROUPS = (33, 44, 2000)


@pytest.mark.parametrize(
    ("user", "identity"),
    [
        ("root", Identity(uid=0, gid=0, groups=(0, 44), name="root", home="/root")),
        ("app", Identity(uid=1000, gid=1000, groups=(1000, *APP_GROUPS), name="app", home="/home/app")),
        ("1000", Identity(uid=1000, gid=1000, groups=(1000, *APP_GROUPS), name="app", home="/home/app")),
        ("app:www", Identity(uid=1000, gid=33, groups=APP_GROUPS, name="app", home="/home/app")),
        ("app:33", Identity(uid=1000, gid=33, groups=APP_GROUPS, name="app", home="/home/app")),
        ("app:9", Identity(uid=1000, gid=9, groups=(9, *APP_GROUPS), name="app", home="/home/app")),
        ("app:20", Identity(uid=1000, gid=2000, groups=(2000, 33, 44), name="app", home="/home/app")),
        ("other", Identity(uid=1000, gid=1001, groups=(1001, 33), name="other", home="/home/other")),
        ("4000", Identity(uid=5000, gid=5000, groups=(5000,), name="4000", home="/home/number")),
        ("homeless", Identity(uid=6000, gid=6000, groups=(6000,), name="homeless", home="/")),
        ("1234:5678", Identity(uid=1234, gid=5678)),
        ("1234:www", Identity(uid=1234, gid=33)),
        ("4294967294:0", Identity(uid=4294967294, gid=0)),
    ],
)
def test_a_user(user: str, identity: Identity) -> None:
    assert ACCOUNTS.identity(user) == identity


@pytest.mark.parametrize(
    ("user", "why", "fix"),
    [
        ("", "must be USER or USER:GROUP", ""),
        ("app:", "must be USER or USER:GROUP", ""),
        (":app", "must be USER or USER:GROUP", ""),
        ("ap", "the user 'ap' is not in /etc/passwd", 'create it in the image, or write "UID:GID" with numbers'),
        ("+nis", "the user '+nis' is not in /etc/passwd", "create it"),
        ("nan", "the user 'nan' is not in /etc/passwd", "create it"),
        ("app:ww", "the group 'ww' is not in /etc/group", "create it in the image, or write its number"),
        ("app:odd", "the group 'odd' is not in /etc/group", "create it"),
        ("1234:app:app", "the group 'app:app' is not in /etc/group", "create it"),
        ("1234", "the user 1234 is not in /etc/passwd, so its group is unknown", 'write "1234:GID"'),
        ("4294967295:0", "the user '4294967295' is not in /etc/passwd", "create it"),
        ("-1:0", "the user '-1' is not in /etc/passwd", "create it"),
        ("\u0661:0", "the user '\u0661' is not in /etc/passwd", "create it"),
    ],
)
def test_a_user_that_does_not_exist(user: str, why: str, fix: str) -> None:
    with pytest.raises(UnknownAccount) as caught:
        ACCOUNTS.identity(user)
    assert str(caught.value).startswith(why)
    assert caught.value.fix.startswith(fix)


def test_the_names_among_which_the_right_one_is_looked_for() -> None:
    with pytest.raises(UnknownAccount) as caught:
        ACCOUNTS.identity("app:vide")
    assert (caught.value.name, "video" in caught.value.known) == ("vide", True)


def test_an_image_without_the_files_has_numbers_only(tmp_path: Path) -> None:
    accounts = read_accounts(str(tmp_path / "passwd"), str(tmp_path / "group"))
    assert accounts.identity("7:8") == Identity(uid=7, gid=8)
    for user, why in {
        "app": "there is no /etc/passwd, so the user 'app' is unknown",
        "7:app": "there is no /etc/group, so the group 'app' is unknown",
        "7": "the user 7 is not in /etc/passwd, so its group is unknown",
    }.items():
        with pytest.raises(UnknownAccount) as caught:
            accounts.identity(user)
        assert str(caught.value) == why


def test_the_files_are_read_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "passwd").write_bytes(b"caf\xc3\xa9:x:1:2:\xff:/caf\xff:\n")
    (tmp_path / "group").write_text("")
    accounts = read_accounts(str(tmp_path / "passwd"), str(tmp_path / "group"))
    assert accounts.identity("caf\u00e9").home == "/caf\udcff"
    with pytest.raises(OSError, match="is not a regular file"):
        read_accounts(str(tmp_path), str(tmp_path / "group"))
