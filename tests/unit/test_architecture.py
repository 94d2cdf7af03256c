"""The import arrows of docs/architecture.md: which room may know which."""

from __future__ import annotations

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "architecture.md"
LONGEST_MODULE = 400  # lines
MOST_LOOSE_MODULES = 8  # beside the packages of cp/

# The rooms that each room may import, besides itself. A module belongs to the room with the longest name that fits.
ROOMS: dict[str, tuple[str, ...]] = {
    "cli": ("app", "config", "config/json5", "control", "encoding", "json_fallback", "log", "platform", "version"),
    "app": (
        *("catalog", "config", "cp", "engine", "engine/loop", "engine/ports", "http", "log", "plan"),
        *("platform", "probes", "readiness", "servers"),
    ),
    "servers": ("config", "control", "engine", "log", "plan", "telemetry"),
    "control": ("encoding", "engine", "engine/loop", "engine/ports", "http", "log", "plan", "platform"),
    "telemetry": (
        *("cp", "encoding", "engine", "engine/loop", "engine/ports", "http", "log", "plan"),
        *("platform", "telemetry/metrics"),
    ),
    "telemetry/metrics": ("encoding", "platform"),
    "http": ("engine/loop", "engine/ports", "platform"),
    "engine": ("cp", "engine/loop", "engine/ports", "json_fallback", "plan", "platform"),
    "engine/loop": (),
    "engine/ports": ("plan",),
    "probes": ("engine/loop", "engine/ports", "plan", "platform"),
    "readiness": ("engine/loop", "engine/ports", "plan", "platform"),
    "catalog": (
        *("catalog/consul", "catalog/directory", "catalog/etcd", "catalog/http", "engine/loop", "engine/ports", "plan"),
        "platform",
    ),
    "catalog/consul": ("catalog", "catalog/http", "encoding", "plan", "platform"),
    "catalog/directory": ("catalog", "encoding", "json_fallback", "plan", "platform"),
    "catalog/etcd": ("catalog", "catalog/http", "encoding", "log", "plan", "platform"),
    "catalog/http": ("catalog", "config", "encoding", "log", "plan", "platform"),
    "config": ("config/jobs", "config/json5", "config/services", "config/template", "encoding", "plan", "platform"),
    "config/jobs": ("config", "config/json5", "encoding", "plan", "platform"),
    "config/services": ("config", "config/json5", "config/template", "encoding", "plan", "platform"),
    "config/reference": ("config",),
    "config/json5": (),
    "config/template": ("encoding",),
    "log": ("encoding", "json_fallback", "plan", "platform"),
    "json_fallback": ("config/json5",),
    "platform": (),
    "plan": ("record",),
    "record": (),
    "version": ("cp",),
    "cp": (),
    "encoding": (),
}

# Modules whose room is not the one of their own name.
MEMBERS = {"cp": "cp", "cp.__main__": "cli"}


class Import(NamedTuple):
    module: str
    line: int
    for_types: bool


def modules() -> dict[str, Path]:
    """All modules of the program, by name."""
    found: dict[str, Path] = {}
    for path in sorted((ROOT / "cp").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def room_of(module: str) -> str:
    if module in MEMBERS:
        return MEMBERS[module]
    name = module.removeprefix("cp.").replace(".", "/")
    fits = [room for room in ROOMS if name == room or name.startswith(f"{room}/")]
    assert fits, f"{module} is in no room: name one in this test and in docs/architecture.md"
    return max(fits, key=len)


def imports(path: Path) -> list[Import]:
    """The modules of ContainerPilot that a file imports, at its top or inside of functions."""
    return list(_imports(ast.parse(path.read_text()), for_types=False))


def _imports(node: ast.AST, *, for_types: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        for name in node.names:
            if name.name.partition(".")[0] == "cp":
                yield Import(name.name, node.lineno, for_types)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"line {node.lineno}: a relative import"
        if node.module is not None and node.module.partition(".")[0] == "cp":
            for name in node.names:
                inner = f"{node.module}.{name.name}"
                yield Import(inner if inner in MODULES else node.module, node.lineno, for_types)
    elif isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        for inside in node.body:
            yield from _imports(inside, for_types=True)
        for inside in node.orelse:
            yield from _imports(inside, for_types=for_types)
    else:
        for child in ast.iter_child_nodes(node):
            yield from _imports(child, for_types=for_types)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_its_room_may_know(module: str) -> None:
    room = room_of(module)
    allowed = {room, *ROOMS[room]}
    forbidden = [
        f"{MODULES[module].relative_to(ROOT)}:{each.line} imports {each.module}"
        for each in imports(MODULES[module])
        if room_of(each.module) not in allowed
    ]
    assert not forbidden, "\n".join(forbidden)


def circle(arrows: Mapping[str, Iterable[str]]) -> list[str]:
    """The names along one circle of arrows; empty if there is none."""
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports for annotations count: who reads a module must read those that it names."""
    assert not circle({module: {each.module for each in imports(path)} - {module} for module, path in MODULES.items()})


def test_no_rooms_know_each_other_in_a_circle() -> None:
    """A package and the packages inside of it are one room here: their modules are compared above."""
    arrows: dict[str, set[str]] = {}
    for room, allowed in ROOMS.items():
        outer = room.partition("/")[0]
        arrows.setdefault(outer, set()).update({each.partition("/")[0] for each in allowed} - {outer})
    assert not circle(arrows)


def test_a_circle_is_found() -> None:
    assert set(circle({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"]})) == {"a", "b", "c"}


def test_ports_exist_for_the_type_checker_only() -> None:
    importers = [
        f"{path.relative_to(ROOT)}:{each.line}"
        for path in MODULES.values()
        for each in imports(path)
        if each.module.endswith(".ports") and not each.for_types
    ]
    assert not importers


def test_few_modules_are_in_no_package() -> None:
    loose = [module for module in MODULES if module.count(".") < 2 and MODULES[module].parent == ROOT / "cp"]
    assert len(loose) <= MOST_LOOSE_MODULES, loose


def test_the_two_dialects_do_not_know_each_other() -> None:
    readers = {"services": re.compile(r"cp\.config\.services(\.|$)"), "jobs": re.compile(r"cp\.config\.jobs(\.|$)")}
    for module, path in MODULES.items():
        for dialect, other in (("services", "jobs"), ("jobs", "services")):
            if readers[dialect].match(module):
                assert not [each for each in imports(path) if readers[other].match(each.module)], module


def test_no_engine_code_asks_for_the_dialect() -> None:
    asking = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for module, path in MODULES.items()
        if room_of(module).partition("/")[0] == "engine"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "dialect"
    ]
    assert not asking


def test_only_the_one_owner_starts_and_reaps_processes() -> None:
    doors = {"posix_spawn", "posix_spawnp", "fork", "waitpid", "waitid", "wait4", "execv", "execve", "system", "popen"}
    users = {
        module
        for module, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr in doors
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
    }
    assert users == {"cp.engine.process"}


def test_one_module_puts_errors_of_the_system_into_words() -> None:
    """What others do with `os.strerror` is to make an error."""
    asking = {
        module
        for module, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "strerror" and ast.unparse(node.value) != "os"
    }
    assert asking == {"cp.platform.text"}


def test_one_module_encodes_and_decodes_percent_signs() -> None:
    """The functions of `urllib.parse`, and a byte as two capital hexadecimal digits, are signs of a second one."""
    doing = {
        f"{module}: {ast.unparse(node)}"
        for module, path in MODULES.items()
        if module != "cp.encoding.percent"
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.ImportFrom) and node.module == "urllib.parse" and "quote" in ast.unparse(node))
        or (isinstance(node, ast.alias) and node.name == "urlencode")
        or (isinstance(node, ast.JoinedStr) and ast.unparse(node).find(":02X") > 0)
    }
    assert not doing


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_short_enough_to_be_read_at_once(module: str) -> None:
    assert len(MODULES[module].read_text().splitlines()) <= LONGEST_MODULE


def test_the_page_has_the_same_table() -> None:
    """docs/architecture.md is what people read: it must say what is enforced here."""
    rows: dict[str, set[str]] = {}
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and cells[0].startswith("`cp/"):
            may_import = set(re.findall(r"`([^`]+)`", cells[2]))
            for name in re.findall(r"`cp/([^`]*)`", cells[0]):
                rows[name.removesuffix(".py").rstrip("/") or "cp"] = may_import
    assert rows == {room: set(allowed) for room, allowed in ROOMS.items()}


@pytest.mark.parametrize(
    "room",
    ["engine", "readiness", "probes", "catalog", "http", "control", "telemetry", "cli", "log", "config"],
)
def test_the_page_describes_every_module_of_a_room(room: str) -> None:
    """The table "Inside `cp/ROOM/`" has each module of the folder, and no others."""
    page = PAGE.read_text()
    start = page.index(f"### Inside `cp/{room}/`")
    section = page[start : page.index("\n#", start + 1)]
    described = [
        name
        for line in section.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`(\w+\.py)`", line.split("|")[1])
    ]
    there = [path.name for path in (ROOT / "cp" / room).glob("*.py") if path.name != "__init__.py"]
    assert sorted(described) == sorted(there)


# Functions that take a file name, or what a process is started with.
SYSTEM_CALLS = {
    "os": (
        *("access", "chdir", "chmod", "chown", "link", "listdir", "lstat", "makedirs", "mkdir", "mkfifo", "open"),
        *("posix_spawn", "readlink", "remove", "rename", "replace", "rmdir", "scandir", "stat", "statvfs", "symlink"),
        *("truncate", "unlink", "utime"),
    ),
    "os.path": ("abspath", "exists", "isdir", "isfile", "islink", "lexists", "realpath", "samefile"),
}


def test_text_becomes_bytes_for_the_system_in_one_place() -> None:
    """Left to Python, the locale decides what bytes a file name, an argument or a variable has."""
    forbidden = [
        f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}: {what}"
        for module, path in MODULES.items()
        if module != "cp.platform.text" and room_of(module) != "config/template"
        for node in ast.walk(ast.parse(path.read_text()))
        for what in _left_to_the_locale(node)
    ]
    assert not forbidden, "\n".join(forbidden)


def _left_to_the_locale(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant) and node.value == "surrogateescape":
        yield "use text.to_bytes or text.from_bytes"
    if isinstance(node, ast.Attribute) and node.attr == "filename":
        yield "use text.file_of"
    if isinstance(node, ast.Attribute) and ast.unparse(node) in (
        *("os.fsencode", "os.fsdecode", "os.environ", "os.environb", "os.getenv", "sys.argv", "sys.orig_argv"),
        *("sys.stdin", "sys.stdout", "sys.stderr", "os.getcwd"),
    ):
        yield ast.unparse(node)
    if not isinstance(node, ast.Call) or not node.args:
        return
    called = ast.unparse(node.func)
    module, _, name = called.rpartition(".")
    takes_path = called == "open" or name in SYSTEM_CALLS.get(module, ()) or name in ("bind", "connect")
    if takes_path and not _is_bytes_or_ascii(node.args[0]):
        yield f"{called}({ast.unparse(node.args[0])}): wrap it in text.to_bytes"
    is_binary = len(node.args) > 1 and "b" in ast.unparse(node.args[1])
    if called == "open" and not is_binary and not any(keyword.arg == "encoding" for keyword in node.keywords):
        yield f"{ast.unparse(node)}: name an encoding"


def test_messages_show_text_beyond_ascii_unchanged() -> None:
    """`repr` escapes control characters and halves of characters, and nothing that people can read."""
    escaping = [
        f"{path.relative_to(ROOT)}:{node.lineno}: use repr or !r"
        for path in MODULES.values()
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.FormattedValue) and node.conversion == ord("a"))
        or (isinstance(node, ast.Call) and ast.unparse(node.func) == "ascii")
    ]
    assert not escaping, "\n".join(escaping)


def _is_bytes_or_ascii(node: ast.expr) -> bool:
    """A file name that no locale can change."""
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) == "to_bytes"
    if isinstance(node, ast.JoinedStr):  # such as f"/proc/{pid}/stat"
        first = node.values[0]
        return isinstance(first, ast.Constant) and str(first.value).startswith("/proc/")
    if isinstance(node, ast.Tuple):  # an address and a port
        return True
    return isinstance(node, ast.Constant) or ast.unparse(node) in ("descriptor", "peer")
