"""The control group of this process, read from folders that replace /proc and /sys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cp.platform.cgroup import ControlGroup, size_text

if TYPE_CHECKING:
    from pathlib import Path

V2 = "30 23 0:26 {root} {place} {options} - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = "31 30 0:27 {root} {place} rw,nosuid shared:9 master:1 - cgroup cgroup rw,{controller}\n"
OTHERS = "1 0 254:0 / / rw - ext4 /dev/vda rw\n22 1 0:20 / /proc rw - proc proc rw\nshort line\n"


def v2(root: str = "/", place: str = "/sys/fs/cgroup", options: str = "rw,nosuid") -> str:
    return V2.format(root=root, place=place, options=options)


def v1(controller: str, root: str = "/", place: str = "") -> str:
    return V1.format(root=root, place=place or f"/sys/fs/cgroup/{controller}", controller=controller)


class Machine:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._proc = folder / "proc"
        self._proc.mkdir()

    def group(self, groups: str, mounts: str) -> ControlGroup:
        (self._proc / "cgroup").write_text(groups)
        (self._proc / "mountinfo").write_text(OTHERS + mounts)
        return ControlGroup(str(self._proc), str(self._folder))

    def put(self, path: str, text: str) -> None:
        target = self._folder / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def seen(group: ControlGroup) -> tuple[int | None, int, int | None, int | None]:
    counters = group.counters()
    return counters.out_of_memory, counters.pids_limit, group.memory_limit(), group.pids_limit()


NOTHING = (None, 0, None, None)
EVENTS = "low 0\nhigh 3\nmax 17\noom 2\noom_kill 2\noom_group_kill 0\n"
OOM_CONTROL = "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n"


def put_v2(machine: Machine, folder: str) -> None:
    machine.put(f"{folder}/memory.events", EVENTS)
    machine.put(f"{folder}/memory.max", "536870912\n")
    machine.put(f"{folder}/pids.events", "max 5\n")
    machine.put(f"{folder}/pids.max", "100\n")


def put_v1(machine: Machine, memory: str, pids: str) -> None:
    machine.put(f"{memory}/memory.oom_control", OOM_CONTROL)
    machine.put(f"{memory}/memory.limit_in_bytes", "67108864\n")
    machine.put(f"{pids}/pids.events", "max 6\n")
    machine.put(f"{pids}/pids.max", "50\n")


FROM_V2, FROM_V1 = (2, 5, 1 << 29, 100), (4, 6, 1 << 26, 50)


@pytest.mark.parametrize(
    ("groups", "mounts", "folder"),
    [
        pytest.param("0::/\n", v2(), "", id="namespace"),
        pytest.param("0::/\n", v2(options="ro,nosuid"), "", id="read-only"),
        pytest.param("0::/system.slice/app.service\n", v2(), "/system.slice/app.service", id="no namespace"),
        pytest.param("0::/docker/abc\n", v2("/docker/abc"), "", id="the container's part is mounted"),
        pytest.param("0::/docker/abc/below\n", v2("/docker/abc"), "/below", id="below the mounted part"),
        pytest.param("0::/a b:c\n", v2("/a\\040b:c"), "", id="a space and a colon"),
        pytest.param("0::/\n", v2() + v2("/../..", "/host/sys/fs/cgroup"), "", id="beside the one of the host"),
    ],
)
def test_version_2(machine: Machine, groups: str, mounts: str, folder: str) -> None:
    put_v2(machine, f"/sys/fs/cgroup{folder}")
    machine.put("/host/sys/fs/cgroup/memory.events", "oom_kill 99\n")
    assert seen(machine.group(groups, mounts)) == FROM_V2


@pytest.mark.parametrize(
    ("groups", "mounts", "memory", "pids"),
    [
        pytest.param("7:pids:/\n4:memory:/\n1:cpu,cpuacct:/x\n", v1("memory") + v1("pids"), "", "", id="roots"),
        pytest.param(
            "7:pids:/docker/abc\n4:memory:/docker/abc\n",
            v1("memory", "/docker/abc") + v1("pids", "/docker/abc"),
            "",
            "",
            id="the container's part is mounted",
        ),
        pytest.param("7:pids:/p\n4:memory:/m/n\n", v1("memory", "/m") + v1("pids"), "/n", "/p", id="below"),
    ],
)
def test_version_1(machine: Machine, groups: str, mounts: str, memory: str, pids: str) -> None:
    put_v1(machine, f"/sys/fs/cgroup/memory{memory}", f"/sys/fs/cgroup/pids{pids}")
    assert seen(machine.group(groups, mounts)) == FROM_V1


def test_controllers_of_version_1_that_share_a_mount(machine: Machine) -> None:
    put_v1(machine, "/both/x", "/both/x")
    group = machine.group("4:pids,memory:/x\n", v1("memory,pids", place="/both"))
    assert seen(group) == FROM_V1


def test_hybrid_hierarchy_has_its_controllers_in_version_1(machine: Machine) -> None:
    put_v1(machine, "/sys/fs/cgroup/memory/m", "/sys/fs/cgroup/pids")
    machine.put("/sys/fs/cgroup/unified/x/cgroup.procs", "1\n")
    mounts = v1("memory") + v2(place="/sys/fs/cgroup/unified") + v1("pids")
    assert seen(machine.group("7:pids:/\n4:memory:/m\n1:name=systemd:/x\n0::/x\n", mounts)) == FROM_V1


def test_hybrid_hierarchy_whose_memory_is_in_version_2(machine: Machine) -> None:
    put_v2(machine, "/sys/fs/cgroup/unified/x")
    machine.put("/sys/fs/cgroup/pids/pids.events", "max 8\n")
    mounts = v2(place="/sys/fs/cgroup/unified") + v1("pids")
    assert seen(machine.group("7:pids:/\n0::/x\n", mounts)) == (2, 8, 1 << 29, None)


@pytest.mark.parametrize(
    ("groups", "mounts"),
    [
        pytest.param("", "", id="nothing"),
        pytest.param("0::/\n", "", id="not mounted"),
        pytest.param("", v2(), id="no group"),
        pytest.param("0::/../other\n", v2(), id="a group outside of the namespace"),
        pytest.param("0::/\n", v2("/.."), id="only the one of the host is mounted"),
        pytest.param("0::/elsewhere\n", v2("/docker/abc"), id="another group is mounted"),
        pytest.param("4:memory:/x\n", v2(), id="version 1 is not mounted"),
        pytest.param("garbage\n4:memory\n::\n", v2() + "1 2 3 / / rw -\n", id="garbage"),
    ],
)
def test_nothing_is_known_of_a_group_that_is_not_in_sight(machine: Machine, groups: str, mounts: str) -> None:
    put_v2(machine, "/sys/fs/cgroup")
    assert seen(machine.group(groups, mounts)) == NOTHING


def test_root_of_all_groups_has_no_counters(machine: Machine) -> None:
    machine.put("/sys/fs/cgroup/cgroup.procs", "1\n")
    assert seen(machine.group("0::/\n", v2())) == NOTHING


def test_without_proc_nothing_is_known(tmp_path: Path) -> None:
    assert seen(ControlGroup(str(tmp_path / "none"), str(tmp_path))) == NOTHING


@pytest.mark.parametrize("events", ["", "oom_kill\n", "oom_kill many\n", "oom_kill -1\n", "oom 3\n", "\x00\xff 1 2\n"])
def test_damaged_counters_are_no_counters(machine: Machine, events: str) -> None:
    machine.put("/sys/fs/cgroup/memory.events", events)
    assert seen(machine.group("0::/\n", v2())) == NOTHING


@pytest.mark.parametrize(
    ("name", "text", "limit"),
    [
        ("memory.max", "max\n", None),
        ("memory.max", "1073741824\n", 1 << 30),
        ("memory.limit_in_bytes", "9223372036854771712\n", None),  # of version 1 without a limit
        ("memory.limit_in_bytes", "4096\n", 4096),
    ],
)
def test_memory_limit(machine: Machine, name: str, text: str, limit: int | None) -> None:
    machine.put(f"/sys/fs/cgroup/{name}", text)
    assert machine.group("0::/\n", v2()).memory_limit() == limit


def test_thousands_of_mounts_are_read_to_their_end(machine: Machine) -> None:
    put_v2(machine, "/sys/fs/cgroup")
    assert seen(machine.group("0::/\n", OTHERS * 5000 + v2())) == FROM_V2


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1 << 10, "1 KiB"),
        (64 << 20, "64 MiB"),
        (1536 << 20, "1.5 GiB"),
        (4 << 30, "4 GiB"),
    ],
)
def test_sizes_in_words(size: int, text: str) -> None:
    assert size_text(size) == text
