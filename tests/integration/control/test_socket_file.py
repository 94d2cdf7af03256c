"""Where the control socket may be made, what it never harms, and the error messages."""

from __future__ import annotations

import _socket
import os
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cp.control import socket_file as module
from cp.control.socket_file import MODE, MODE_FOR_OTHERS, Listener, ListenError, open_first, open_listener

Listen = Callable[..., Listener]


@pytest.fixture
def listen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Listener]]:
    """Opens listeners in a folder that is the current one: paths of sockets must be short."""
    monkeypatch.chdir(tmp_path)
    opened: list[Listener] = []

    def open_it(path: str, mode: int = MODE) -> Listener:
        opened.append(open_listener(path, mode))
        return opened[-1]

    yield open_it
    for each in opened:
        each.close()


def other_socket(path: str, kind: int = socket.SOCK_STREAM, *, live: bool) -> socket.socket:
    """Somebody else's socket; one that is not live is what a killed program leaves behind."""
    other = socket.socket(socket.AF_UNIX, kind)
    other.bind(path)
    if live and kind == socket.SOCK_STREAM:
        other.listen(0)
    if not live:
        other.close()
    return other


@pytest.mark.parametrize("umask", [0, 0o22, 0o777])
def test_only_its_user_may_connect_with_any_umask(listen: Callable[[str], Listener], umask: int) -> None:
    before = os.umask(umask)
    try:
        listen("s")
    finally:
        os.umask(before)
    assert mode_of("s") == 0o600


@pytest.mark.parametrize("umask", [0, 0o22, 0o777])
def test_a_socket_that_serves_other_users_accepts_all_with_any_umask(listen: Listen, umask: int) -> None:
    before = os.umask(umask)
    try:
        listen("s", MODE_FOR_OTHERS)
    finally:
        os.umask(before)
    assert mode_of("s") == 0o666


def test_the_mode_follows_a_reload(listen: Listen) -> None:
    listener = listen("s")
    listener.change_mode(MODE_FOR_OTHERS)
    assert mode_of("s") == 0o666
    listener.change_mode(MODE)
    assert mode_of("s") == 0o600


def test_a_file_of_somebody_else_keeps_its_mode(listen: Listen) -> None:
    """In a folder that all may write to: it could be a link to something precious."""
    listener = listen("s")
    Path("precious").touch(0o640)
    for make in (link_to_precious, other_file, lambda path: None):
        os.unlink("s")
        make("s")
        with pytest.raises(ListenError, match="cannot change the mode of the control socket s: "):
            listener.change_mode(MODE_FOR_OTHERS)
        assert mode_of("precious") == 0o640
        assert not os.path.lexists("s") or mode_of("s") == 0o640
        Path("s").unlink(missing_ok=True)
        Path("s").touch()


def link_to_precious(path: str) -> None:
    Path(path).symlink_to("precious")


def other_file(path: str) -> None:
    Path(path).touch(0o640)


def mode_of(path: str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def test_nobody_can_connect_before_the_mode_is_right(
    listen: Callable[[str], Listener], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[type[BaseException]] = []
    bind = module._bind

    def bind_and_look(server: socket.socket, path: str, mode: int) -> bool:
        bound = bind(server, path, mode)
        with socket.socket(socket.AF_UNIX) as early, pytest.raises(ConnectionRefusedError) as refused:
            early.connect(path)
        tried.append(refused.type)
        return bound

    monkeypatch.setattr(module, "_bind", bind_and_look)
    listen("s")
    assert tried == [ConnectionRefusedError]


def test_a_foreign_file_in_the_place_of_the_socket_keeps_its_mode(
    listen: Callable[[str], Listener], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder that all may write to, a link to something precious may come at any moment."""
    bind = module._bind
    precious = Path("precious")
    precious.touch(0o644)

    def bind_and_lose(server: socket.socket, path: str, mode: int) -> bool:
        bound = bind(server, path, mode)
        os.unlink(path)
        os.symlink("precious", path)
        return bound

    monkeypatch.setattr(module, "_bind", bind_and_lose)
    with pytest.raises(ListenError, match="another program has just put its own file there"):
        listen("s")
    assert stat.S_IMODE(precious.stat().st_mode) == 0o644


def test_the_socket_is_not_inherited_and_does_not_block(listen: Callable[[str], Listener]) -> None:
    listener = listen("s")
    assert not os.get_inheritable(listener.socket.fileno())
    assert not os.get_blocking(listener.socket.fileno())


def test_a_hundred_clients_may_wait(listen: Callable[[str], Listener]) -> None:
    listen("s")
    clients = [socket.socket(socket.AF_UNIX) for _ in range(128)]
    for client in clients:
        client.setblocking(False)
        client.connect("s")
    for client in clients:
        client.close()


def test_a_stale_socket_is_replaced(listen: Callable[[str], Listener]) -> None:
    other_socket("s", live=False)
    listen("s")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("s")


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_socket_that_somebody_serves_is_left_alone(listen: Callable[[str], Listener], kind: int) -> None:
    with other_socket("s", kind, live=True):
        before = os.stat("s")
        with pytest.raises(ListenError) as refused:
            listen("s")
        assert os.path.samestat(before, os.stat("s"))
    assert str(refused.value) == (
        "cannot serve the control socket s: another instance listens there: stop it, or name another path"
    )


def test_nobody_is_advised_to_stop_process_1(listen: Listen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_server_of", lambda path: 1)
    with other_socket("s", live=True), pytest.raises(ListenError) as refused:
        listen("s")
    assert str(refused.value) == (
        "cannot serve the control socket s: process 1 of this container listens there: "
        "name another path in `control.socket`"
    )


def test_a_busy_instance_is_an_instance(listen: Callable[[str], Listener]) -> None:
    with other_socket("s", live=True), socket.socket(socket.AF_UNIX) as waiting:
        waiting.connect("s")  # its queue has one place
        with pytest.raises(ListenError, match="another instance listens there"):
            listen("s")


def make_file(path: str) -> None:
    Path(path).write_text("precious")


def make_folder(path: str) -> None:
    Path(path).mkdir()


def link_to_file(path: str) -> None:
    Path("file").write_text("precious")
    Path(path).symlink_to("file")


def link_to_folder(path: str) -> None:
    Path("folder").mkdir()
    Path(path).symlink_to("folder")


def link_to_nothing(path: str) -> None:
    Path(path).symlink_to("nothing")


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (make_file, "a file is there, not a socket"),
        (make_folder, "a directory is there, not a socket"),
        (os.mkfifo, "something else is there, not a socket"),
        (link_to_file, "a symbolic link to a file is there, not a socket"),
        (link_to_folder, "a symbolic link to a directory is there, not a socket"),
        (link_to_nothing, "a symbolic link to nothing is there"),
    ],
)
def test_a_file_that_is_not_a_socket_is_never_touched(
    listen: Callable[[str], Listener], make: Callable[[str], None], what: str
) -> None:
    make("s")
    before = os.lstat("s")
    with pytest.raises(ListenError) as refused:
        listen("s")
    assert str(refused.value) == f"cannot serve the control socket s: {what}: remove it, or name another path"
    assert os.path.samestat(before, os.lstat("s"))
    assert not os.path.exists("file") or Path("file").read_text() == "precious"


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("", "cannot serve the control socket '': the path is empty"),
        ("a\0b", r"cannot serve the control socket 'a\x00b': the path has a NUL character in it"),
        (
            "missing/s",
            "cannot serve the control socket missing/s: there is no directory missing: create it, or name another path",
        ),
        ("file/s", "cannot serve the control socket file/s: file is not a directory: name another path"),
        (
            "x" * 108,
            f"cannot serve the control socket {'x' * 108}: "
            "the path has 108 bytes, and a socket's at most 107: name a shorter one",
        ),
        (
            "/proc/s",
            "cannot serve the control socket /proc/s: there is no directory /proc: create it, or name another path",
        ),
    ],
)
def test_an_unusable_path_is_named_with_advice(listen: Callable[[str], Listener], path: str, why: str) -> None:
    Path("file").write_text("")
    with pytest.raises(ListenError) as refused:
        listen(path)
    assert str(refused.value) == why


def test_the_longest_path_is_available(listen: Callable[[str], Listener]) -> None:
    assert listen("x" * 107).path == "x" * 107


class Sockets:
    """The module `_socket`, whose sockets are bound as the test wants."""

    def __init__(self, bind: Callable[[object, str], None]) -> None:
        self.AF_UNIX, self.SOCK_STREAM = socket.AF_UNIX, socket.SOCK_STREAM
        self.socket = type("Socket", (_socket.socket,), {"bind": bind})


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (
            PermissionError(13, "Permission denied"),
            f"no permission for user {os.geteuid()} to write to folder: change its owner or mode, or name another path",
        ),
        (
            OSError(30, "Read-only file system"),
            "the file system of folder is read-only: mount a volume there, or name a path that can be written",
        ),
        (OSError(28, "No space left on device"), "no space left on device"),
    ],
)
def test_a_folder_that_is_not_writable_is_named_with_advice(
    listen: Callable[[str], Listener], monkeypatch: pytest.MonkeyPatch, error: OSError, why: str
) -> None:
    def bind(server: object, path: str) -> None:
        raise error

    monkeypatch.setattr(module, "_socket", Sockets(bind))
    with pytest.raises(ListenError) as refused:
        listen("folder/s")
    assert str(refused.value) == f"cannot serve the control socket folder/s: {why}"


def test_closing_removes_the_file(listen: Callable[[str], Listener], monkeypatch: pytest.MonkeyPatch) -> None:
    listener = listen("s")
    folder = os.getcwd()
    monkeypatch.chdir("/")
    listener.close()
    assert not os.path.lexists(f"{folder}/s")
    listener.close()


def test_closing_leaves_the_file_that_another_instance_has_put_there(listen: Callable[[str], Listener]) -> None:
    first = listen("s")
    os.unlink("s")
    second = listen("s")
    first.close()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("s")
    second.close()
    assert not os.path.lexists("s")


def test_a_path_is_owned_as_long_as_the_file_is_there(listen: Listen) -> None:
    listener = listen("s")
    assert listener.is_at("./s")
    os.rename("s", "moved")
    assert not listener.is_at("s")
    os.symlink("moved", "s")
    assert listener.is_at("s", through_link=True)
    assert not listener.is_at("s")
    os.unlink("s")
    other_socket("s", live=False)
    assert not listener.is_at("s", through_link=True)


def test_of_two_that_start_at_once_one_gives_way(
    listen: Callable[[str], Listener], monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = module._identity

    def overtaken(path: str, _: bool = False) -> tuple[int, int]:
        found = identity(path)
        monkeypatch.setattr(module, "_identity", identity)
        os.unlink(path)
        other_socket(path, live=False)
        return found

    monkeypatch.setattr(module, "_identity", overtaken)
    with pytest.raises(ListenError, match="another instance has just put its own socket there"):
        listen("s")
    assert os.path.lexists("s")


def test_the_first_available_place_is_taken(listen: Callable[[str], Listener]) -> None:
    make_file("taken")
    listener = open_first(["missing/s", "taken", "good", "better"])
    assert listener.path == "good"
    listener.close()


def test_if_no_place_is_available_all_are_named(listen: Callable[[str], Listener]) -> None:
    make_file("taken")
    with pytest.raises(ListenError) as refused:
        open_first(["missing/s", "taken"])
    assert str(refused.value) == (
        "cannot serve a control socket in any of the usual places: "
        "missing/s: there is no directory missing: create it, or name another path; "
        "taken: a file is there, not a socket: remove it, or name another path"
    )
