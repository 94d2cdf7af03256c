"""The directory catalogue, on a wall clock that the test sets; inotify is the kernel's."""

from __future__ import annotations

import errno
import json
import os
import select
import threading
from typing import TYPE_CHECKING, Any

import pytest

from cp.catalog.directory import records
from cp.catalog.directory.client import SWEEP_AFTER, Directory
from cp.catalog.protocol import CatalogClosed, CatalogForgotten, CatalogGarbage, CatalogRefused, CatalogUnreachable
from cp.catalog.unusable_entries import Seen
from cp.plan import DirectorySettings
from cp.platform.inotify import Inotify
from tests.limits import DEADLINE
from tests.unit.catalog.fakes import service, watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cp.catalog.protocol import Instance
    from cp.plan import Status, Watch

LONG = DEADLINE


class Wall:
    def __init__(self) -> None:
        self.time = 1_767_225_600.0

    def __call__(self) -> float:
        return self.time


def no_inotify(folder: str) -> Any:
    raise OSError("no inotify")


class Drained(Inotify):
    """Tells which files were drained, and how often."""

    __slots__ = ("_condition", "_names")

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        self._names: list[str] = []
        self._condition = threading.Condition()

    def drain(self) -> set[str] | None:
        names = super().drain()
        with self._condition:
            self._names += names or ()
            self._condition.notify_all()
        return names

    def wait_for(self, name: str, times: int) -> None:
        with self._condition:
            assert self._condition.wait_for(lambda: self._names.count(name) >= times, LONG)


class Scene:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wall = Wall()
        self.warnings: list[str] = []
        self.opened: list[Directory] = []

    def open(self, **options: Any) -> Directory:
        options = {"wall": self.wall, **options}
        self.opened.append(Directory(DirectorySettings(path=str(self.folder)), self.warnings.append, **options))
        return self.opened[-1]

    def names(self) -> list[str]:
        return sorted(os.listdir(self.folder))

    def seen(self, **fields: Any) -> list[str]:
        """The ids of the instances of `web`."""
        found, _ = self.open().instances(watch(**fields))
        return [instance.id for instance in found]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path / "catalogue")
    yield scene
    for each in scene.opened:
        each.close()


def test_a_registered_service_has_a_file_with_all_its_fields(scene: Scene) -> None:
    scene.open().register(service(tags=("a", "b")), "passing")
    assert json.loads((scene.folder / "web-box.json").read_text()) == {
        "id": "web-box",
        "name": "web",
        "address": "10.0.0.1",
        "port": 80,
        "tags": ["a", "b"],
        "status": "passing",
        "output": "",
        "ttl": 10,
        "deadline": scene.wall.time + 10,
    }


def test_an_instance_is_found_by_name_and_tag(scene: Scene) -> None:
    scene.open().register(service(tags=("a",)), "passing")
    assert scene.seen() == ["web-box"]
    assert scene.seen(tag="a") == ["web-box"]
    assert scene.seen(tag="b") == []
    assert scene.seen(name="other") == []


@pytest.mark.parametrize("status", ["", "warning", "critical"])
def test_only_passing_instances_are_found(scene: Scene, status: Status) -> None:
    scene.open().register(service(), status)
    assert scene.seen() == []


def test_an_instance_dies_at_its_deadline_and_a_heartbeat_moves_that_on(scene: Scene) -> None:
    directory = scene.open()
    directory.register(service(), "passing")
    scene.wall.time += 9
    directory.heartbeat(service(), "passing", "")
    scene.wall.time += 9
    assert scene.seen() == ["web-box"]
    scene.wall.time += 1
    assert scene.seen() == []


def test_a_heartbeat_can_say_that_things_are_bad(scene: Scene) -> None:
    directory = scene.open()
    directory.register(service(), "passing")
    directory.heartbeat(service(), "critical", "disk full")
    assert scene.seen() == []
    assert json.loads((scene.folder / "web-box.json").read_text())["output"] == "disk full"


def test_a_heartbeat_notices_that_its_file_is_gone(scene: Scene) -> None:
    directory = scene.open()
    directory.register(service(), "passing")
    (scene.folder / "web-box.json").unlink()
    with pytest.raises(CatalogForgotten, match=r"web-box\.json is gone"):
        directory.heartbeat(service(), "passing", "")


def test_a_removed_service_leaves_nothing(scene: Scene) -> None:
    directory = scene.open()
    directory.register(service(), "passing")
    directory.deregister(service())
    directory.deregister(service())
    assert scene.names() == []


@pytest.mark.parametrize("id", ["../../etc/passwd", "/absolute", "..", ".", ".hidden", "a/b", "a\0b", "é", "a%b"])
def test_no_id_leads_out_of_the_folder(scene: Scene, tmp_path: Path, id: str) -> None:
    scene.open().register(service(id=id), "passing")
    assert len(scene.names()) == 1
    assert scene.names()[0].endswith(".json")
    assert os.listdir(tmp_path) == ["catalogue"]
    assert scene.seen() == [id]


def test_ids_that_differ_have_files_that_differ() -> None:
    ids = ["a", "A", "a.b", "a%2Eb", "a/b", "a b", "a-b", "a_b"]
    assert len({records.file_name(id) for id in ids}) == len(ids)


def test_an_id_that_is_too_long_is_refused(scene: Scene) -> None:
    with pytest.raises(CatalogRefused, match="too long"):
        scene.open().register(service(id="x" * 251), "passing")


def test_readers_never_see_half_an_entry(scene: Scene) -> None:
    """It is replaced as a whole: who opened the old file goes on reading the old file."""
    directory = scene.open()
    directory.register(service(), "passing")
    with (scene.folder / "web-box.json").open() as before:
        directory.register(service(address="10.0.0.2"), "passing")
        assert json.load(before)["address"] == "10.0.0.1"
    assert json.loads((scene.folder / "web-box.json").read_text())["address"] == "10.0.0.2"


NOT_A_PORT = "its port is not a number from 0 to 65535"
GOOD = {"id": "x", "name": "web", "address": "1.2.3.4", "port": 1, "tags": [], "status": "passing", "deadline": 9e12}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 60_000, "not JSON"),
        (b"[]", "not a JSON object"),
        (b"{}", "id is not a string"),
        (json.dumps({**GOOD, "name": None}).encode(), "name is not a string"),
        *((json.dumps({**GOOD, "port": port}).encode(), NOT_A_PORT) for port in ("80", True, None, -1, 70000, 1.0)),
        (json.dumps({name: GOOD[name] for name in GOOD if name != "port"}).encode(), NOT_A_PORT),
        (json.dumps({**GOOD, "address": ""}).encode(), "it has no address"),
        (json.dumps({**GOOD, "tags": "a"}).encode(), "its tags are not a list of strings"),
        (json.dumps({**GOOD, "tags": [1]}).encode(), "its tags are not a list of strings"),
        (json.dumps({**GOOD, "deadline": "soon"}).encode(), "deadline is not a time"),
        (b'{"deadline": NaN,' + json.dumps({**GOOD, "deadline": 0}).encode()[1:].replace(b"0}", b"NaN}"), "deadline"),
        (b" " * 70_000, "too long"),
    ],
)
def test_files_of_others_are_ignored_and_logged_once(scene: Scene, content: bytes, why: str) -> None:
    directory = scene.open()
    directory.register(service(), "passing")
    (scene.folder / "foreign.json").write_bytes(content)
    for _ in range(3):
        found, _ = directory.instances(watch())
        assert [instance.id for instance in found] == ["web-box"]
    assert len(scene.warnings) == 1
    assert scene.warnings[0].startswith(
        f"{scene.folder}/foreign.json is ignored, it is not an entry of the catalogue: "
    )
    assert why in scene.warnings[0]


def test_a_foreign_file_that_comes_back_is_logged_again(scene: Scene) -> None:
    scene.folder.mkdir()
    directory = scene.open()
    for _ in range(2):
        (scene.folder / "foreign.json").write_text("not ours")
        directory.instances(watch())
        (scene.folder / "foreign.json").unlink()
        directory.instances(watch())
    assert len(scene.warnings) == 2


def test_a_foreign_file_that_becomes_an_entry_counts(scene: Scene) -> None:
    scene.folder.mkdir()
    (scene.folder / "x.json").write_text("not yet")
    directory = scene.open()
    assert directory.instances(watch())[0] == []
    (scene.folder / "x.json").write_text(json.dumps(GOOD))
    assert [instance.id for instance in directory.instances(watch())[0]] == ["x"]


def test_anything_but_a_file_is_ignored(scene: Scene, tmp_path: Path) -> None:
    scene.folder.mkdir()
    (tmp_path / "elsewhere.json").write_text(json.dumps(GOOD))
    os.mkfifo(scene.folder / "pipe.json")
    (scene.folder / "folder.json").mkdir()
    (scene.folder / "link.json").symlink_to(tmp_path / "elsewhere.json")
    (scene.folder / "README").write_text("hello")
    assert scene.seen() == []
    assert len(scene.warnings) == 3


def test_a_missing_folder_is_made(scene: Scene) -> None:
    scene.folder = scene.folder / "a" / "b"
    assert scene.seen() == []
    assert scene.folder.is_dir()


def test_a_folder_that_cannot_be_made_is_named(scene: Scene) -> None:
    scene.folder.write_text("a file")
    with pytest.raises(CatalogUnreachable, match=f"cannot use {scene.folder}: it is not a folder"):
        scene.open().register(service(), "passing")


def test_a_file_that_cannot_be_written_is_named(scene: Scene) -> None:
    (scene.folder / "web-box.json").mkdir(parents=True)
    with pytest.raises(CatalogUnreachable, match=f"cannot write {scene.folder}/web-box.json: is a directory"):
        scene.open().register(service(), "passing")
    assert scene.names() == ["web-box.json"]


def test_old_entries_and_temporary_files_of_killed_writers_are_removed(scene: Scene) -> None:
    directory = scene.open()
    directory.register(service("dead"), "passing")
    directory.register(service("dying"), "passing")
    leftover = scene.folder / f"{records.TEMPORARY}123-abc"
    leftover.write_text("half")
    os.utime(leftover, (scene.wall.time, scene.wall.time))
    (scene.folder / "foreign.json").write_text("not ours")
    scene.wall.time += SWEEP_AFTER
    scene.open().heartbeat(service("dying"), "passing", "")
    scene.wall.time += 11
    scene.open().register(service("new"), "passing")
    assert scene.names() == ["dying-box.json", "foreign.json", "new-box.json"]


# --- waiting for a change


def in_background(work: Callable[[], Any]) -> Callable[[], Any]:
    """Starts it on another thread; what is returned waits for what it returns or raises."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()

    def wait() -> Any:
        thread.join(LONG)
        assert outcome, "the wait does not end"
        return outcome[0]

    return wait


def test_a_change_ends_the_wait(scene: Scene) -> None:
    follower, writer = scene.open(), scene.open()
    _, cursor = follower.instances(watch())
    end = in_background(lambda: follower.wait_for_change(watch(interval=600), cursor, 300))
    writer.register(service(), "passing")
    found, cursor = end()
    assert [instance.id for instance in found] == ["web-box"]
    end = in_background(lambda: follower.wait_for_change(watch(interval=600), cursor, 300))
    writer.deregister(service())
    assert end()[0] == []


def test_a_change_between_two_questions_is_not_missed(scene: Scene) -> None:
    follower, writer = scene.open(), scene.open()
    _, cursor = follower.instances(watch())
    writer.register(service(), "passing")
    found, _ = follower.wait_for_change(watch(interval=600), cursor, 300)
    assert [instance.id for instance in found] == ["web-box"]


def test_heartbeats_and_other_services_do_not_end_the_wait(scene: Scene) -> None:
    follower, writer = scene.open(), scene.open()
    writer.register(service(), "passing")
    _, cursor = follower.instances(watch())
    end = in_background(lambda: follower.wait_for_change(watch(interval=600), cursor, 300))
    for _ in range(20):
        writer.heartbeat(service(), "passing", "")
        writer.register(service("other"), "passing")
    writer.register(service(port=81), "passing")
    assert [instance.port for instance in end()[0]] == [81]


def test_heartbeats_cost_no_look_at_all_instances(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    look = Directory._look

    def counted(self: Directory, watch: Watch, seen: dict[str, records.InstanceRecord]) -> tuple[list[Instance], float]:
        looks.append(len(seen))
        return look(self, watch, seen)

    monkeypatch.setattr(Directory, "_look", counted)
    follower, writer = scene.open(), scene.open()
    writer.register(service(), "passing")
    writer.register(service("other"), "passing")
    _, cursor = follower.instances(watch())
    drained = Drained(str(scene.folder))
    assert follower._inotify is not None
    follower._inotify.close()
    follower._inotify = drained
    looks.clear()
    end = in_background(lambda: follower.wait_for_change(watch(interval=600), cursor, 300))
    for number in range(20):
        scene.wall.time += 1
        writer.heartbeat(service(), "passing", "")
        drained.wait_for("web-box.json", times=number + 1)
    scene.wall.time += 1
    writer.register(service(port=81), "passing")
    assert [instance.port for instance in end()[0]] == [81]
    assert len(looks) < 8  # at the beginning and the end, and when the first entry, or the next, would have been dead


def test_a_death_ends_the_wait_though_no_file_changes(scene: Scene) -> None:
    looks = threading.Event()

    def wall() -> float:
        looks.set()
        return scene.wall()

    follower = scene.open(wall=wall)
    follower.register(service(), "passing")
    scene.wall.time += 9.99
    _, cursor = follower.instances(watch())
    looks.clear()
    end = in_background(lambda: follower.wait_for_change(watch(interval=600), cursor, 300))
    assert looks.wait(LONG)
    scene.wall.time += 0.02
    assert end()[0] == []


def test_inotify_reports_changes_that_were_not_read_yet(tmp_path: Path) -> None:
    inotify = Inotify(str(tmp_path))
    ready = select.poll()
    ready.register(inotify.fd, select.POLLIN)
    assert ready.poll(0) == []
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    assert ready.poll(0) != []
    inotify.drain()
    assert ready.poll(0) == []
    inotify.close()


def test_inotify_of_a_path_that_is_not_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError):
        Inotify(str(tmp_path / "file"))
    with pytest.raises(FileNotFoundError):
        Inotify(str(tmp_path / "nothing"))


def test_the_wait_ends_after_the_interval(scene: Scene) -> None:
    """Over a network inotify does not report what others write."""
    follower = scene.open()
    found, cursor = follower.instances(watch())
    assert follower.wait_for_change(watch(interval=0.05), cursor, 300) == (found, cursor)


def test_without_inotify_there_is_nothing_to_wait_for(scene: Scene) -> None:
    follower = scene.open(inotify=no_inotify)
    follower.register(service(), "passing")
    found, cursor = follower.instances(watch())
    assert len(found) == 1
    assert cursor is None


def test_a_folder_that_is_replaced_is_followed(scene: Scene) -> None:
    follower = scene.open()
    _, cursor = follower.instances(watch())
    scene.folder.rename(scene.folder.with_name("old"))
    scene.open().register(service(), "passing")
    found, cursor = follower.wait_for_change(watch(interval=600), cursor, 300)
    assert len(found) == 1
    end = in_background(lambda: follower.wait_for_change(watch(interval=600), cursor, 300))
    scene.open().register(service("web", id="second"), "passing")
    assert len(end()[0]) == 2


@pytest.mark.parametrize("for_good", [False, True])
def test_a_wait_can_be_broken_off(scene: Scene, for_good: bool) -> None:
    looks = threading.Event()

    def wall() -> float:
        looks.set()
        return scene.wall()

    follower = scene.open(wall=wall)
    _, cursor = follower.instances(watch())
    looks.clear()
    end = in_background(lambda: follower.wait_for_change(watch(interval=600), cursor, 300))
    assert looks.wait(LONG)
    if for_good:
        follower.close()
    else:
        follower.interrupt()
    assert isinstance(end(), CatalogClosed)


def test_nothing_stays_open_after_the_close(scene: Scene) -> None:
    before = len(os.listdir("/proc/self/fd"))
    follower = scene.open()
    _, cursor = follower.instances(watch())
    follower.wait_for_change(watch(interval=0.01), cursor, 300)
    assert len(os.listdir("/proc/self/fd")) == before + 2
    follower.close()
    assert len(os.listdir("/proc/self/fd")) == before


# What cannot be seen may well be there.

UNSEEN = {
    errno.EACCES: "permission denied",
    errno.ESTALE: "stale file handle",
    errno.EIO: "input/output error",
    errno.ENOTDIR: "not a directory",
    errno.EMFILE: "too many open files",
}


@pytest.fixture
def break_call(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], None]:
    """From now on this function of `os` fails for entries of the catalogue."""

    def broken(name: str, number: int) -> None:
        works = getattr(os, name)

        def call(path: Any, *arguments: Any, **options: Any) -> Any:
            if os.fsdecode(path).endswith(".json"):
                raise OSError(number, os.strerror(number), path)
            return works(path, *arguments, **options)

        monkeypatch.setattr(os, name, call)

    return broken


@pytest.mark.parametrize("number", UNSEEN)
def test_an_entry_that_cannot_be_looked_for_is_not_gone(
    scene: Scene, break_call: Callable[[str, int], None], number: int
) -> None:
    directory = scene.open()
    directory.register(service(), "passing")
    break_call("open", number)
    why = f"cannot read {scene.folder}/web-box.json: {UNSEEN[number]}"
    with pytest.raises(CatalogUnreachable, match=f"^{why}$"):
        directory.heartbeat(service(), "passing", "")


@pytest.mark.parametrize("number", UNSEEN)
def test_instances_that_cannot_be_looked_at_are_not_gone(
    scene: Scene, break_call: Callable[[str, int], None], number: int
) -> None:
    directory = scene.open()
    directory.register(service(), "passing")
    assert len(directory.instances(watch())[0]) == 1
    break_call("lstat", number)
    with pytest.raises(CatalogUnreachable, match=rf"cannot read {scene.folder}/web-box.json: {UNSEEN[number]}"):
        directory.instances(watch())


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO, errno.EMFILE, errno.ENOMEM])
def test_an_entry_that_cannot_be_read_now_is_read_later(scene: Scene, monkeypatch: Any, number: int) -> None:
    scene.open().register(service(), "passing")
    directory = scene.open()

    def fail(path: str) -> records.InstanceRecord:
        raise OSError(number, os.strerror(number), path)

    with monkeypatch.context() as broken:
        broken.setattr(records, "read", fail)
        with pytest.raises(CatalogUnreachable):
            directory.instances(watch())
    assert [instance.id for instance in directory.instances(watch())[0]] == ["web-box"]
    assert scene.warnings == []


def test_an_entry_that_may_not_be_read_is_named_once_and_counts_once_it_may(scene: Scene, monkeypatch: Any) -> None:
    scene.open().register(service(), "passing")
    directory = scene.open()

    def refuse(path: str) -> records.InstanceRecord:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    with monkeypatch.context() as broken:
        broken.setattr(records, "read", refuse)
        assert directory.instances(watch())[0] == []
        assert directory.instances(watch())[0] == []
    assert scene.warnings == [f"{scene.folder}/web-box.json is ignored, it may not be read: permission denied"]
    assert [instance.id for instance in directory.instances(watch())[0]] == ["web-box"]


def test_an_error_during_a_wait_is_reported_by_the_next_look(
    scene: Scene, break_call: Callable[[str, int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = scene.open()
    directory.register(service(), "passing")
    _, cursor = directory.instances(watch())
    monkeypatch.setattr(directory, "_wait", lambda seconds: {"web-box.json"})
    break_call("lstat", errno.EACCES)
    calls = 0

    def scan() -> dict[str, records.InstanceRecord]:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise PermissionError(errno.EACCES, "Permission denied", str(scene.folder))
        return directory._folder.known()

    monkeypatch.setattr(directory._folder, "scan", scan)
    with pytest.raises(CatalogUnreachable, match=f"cannot read the folder {scene.folder}: permission denied"):
        directory.wait_for_change(watch(), cursor, LONG)


@pytest.mark.parametrize(
    ("number", "gone"), [(errno.ENOENT, True), (errno.ENOTDIR, True), (errno.EACCES, False), (errno.EROFS, False)]
)
def test_an_entry_counts_as_removed_only_where_it_cannot_be(
    scene: Scene, break_call: Callable[[str, int], None], number: int, gone: bool
) -> None:
    directory = scene.open()
    directory.register(service(), "passing")
    break_call("unlink", number)
    if gone:
        directory.deregister(service())
        return
    why = os.strerror(number).lower()
    with pytest.raises(CatalogUnreachable, match=f"cannot remove {scene.folder}/web-box.json: {why}"):
        directory.deregister(service())


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC, errno.EIO, errno.ESTALE])
def test_why_an_entry_cannot_be_written_is_the_first_error(scene: Scene, monkeypatch: Any, number: int) -> None:
    directory = scene.open()
    directory.register(service(), "passing")

    def fail(path: str, *arguments: object) -> None:
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr(os, "rename", fail)
    monkeypatch.setattr(os, "unlink", fail)
    why = os.strerror(number).lower()
    with pytest.raises(CatalogUnreachable, match=f"cannot write {scene.folder}/web-box.json: {why}"):
        directory.heartbeat(service(), "passing", "")


# Another program with our id.


def test_the_entry_of_an_id_is_found_with_its_state(scene: Scene) -> None:
    directory = scene.open()
    assert directory.entry(service()) is None
    directory.register(service(), "passing")
    entry = directory.entry(service())
    assert entry is not None
    assert (entry.address, entry.port, entry.alive) == ("10.0.0.1", 80, True)
    scene.wall.time += 10
    entry = directory.entry(service())
    assert entry is not None
    assert not entry.alive


def test_an_entry_of_another_program_is_not_renewed_nor_replaced_by_a_heartbeat(scene: Scene) -> None:
    first, second = scene.open(), scene.open()
    first.register(service(), "passing")
    second.register(service(port=81), "passing")
    scene.wall.time += 5
    first.heartbeat(service(), "passing", "")
    stored = json.loads((scene.folder / "web-box.json").read_text())
    assert (stored["port"], stored["deadline"]) == (81, scene.wall.time + 5)


def test_a_heartbeat_replaces_an_invalid_entry(scene: Scene) -> None:
    directory = scene.open()
    directory.register(service(), "passing")
    (scene.folder / "web-box.json").write_text("broken")
    with pytest.raises(CatalogGarbage, match=r"web-box\.json is not an entry of the catalogue: not JSON"):
        directory.entry(service())
    directory.heartbeat(service(), "passing", "")
    assert scene.seen() == ["web-box"]


def test_a_file_that_is_not_an_entry_is_named_once_for_all_clients(scene: Scene) -> None:
    unusable = Seen()
    scene.folder.mkdir()
    (scene.folder / "bad.json").write_text("garbage")
    first, second = scene.open(unusable=unusable), scene.open(unusable=unusable)
    for each in (first, second, first):
        each.instances(watch())
    assert len(scene.warnings) == 1
    first.close()
    scene.open(unusable=unusable).instances(watch())
    assert len(scene.warnings) == 1
    (scene.folder / "bad.json").unlink()
    for each in scene.opened[1:]:
        each.instances(watch())
    (scene.folder / "bad.json").write_text("garbage again")
    for each in scene.opened[1:]:
        each.instances(watch())
    assert len(scene.warnings) == 2
