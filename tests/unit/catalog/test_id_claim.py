"""Two programs with one id: what the registrar does, and what it says about it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, cast

import pytest

from cp.catalog.id_claim import LOOK_EVERY, SOON
from cp.catalog.protocol import CatalogClosed, CatalogEntry, CatalogForgotten, CatalogGarbage, CatalogRefused
from tests.unit.catalog.fakes import DOWN, service
from tests.unit.catalog.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Callable

    from cp.plan import Service

NEIGHBOUR = CatalogEntry("10.0.0.1", 8002, alive=True)  # another port of this machine
STRANGER = CatalogEntry("10.0.0.2", 80, alive=True)
OURSELVES = CatalogEntry("10.0.0.1", 80, alive=True)
ADVICE = "give each an id or a hostname of its own"


def beats(scene: Scene, number: int) -> list[str]:
    """The calls of so many checks that pass."""
    calls: list[str] = []
    for _ in range(number):
        calls += scene.passes(seconds=1)
    return calls


def test_a_program_beside_a_live_one_takes_an_id_of_its_own(scene: Scene) -> None:
    scene.catalog.entries["web-box"] = NEIGHBOUR
    assert scene.passes() == ["register web-box-80 passing", "passing web-box-80"]
    assert scene.new_lines() == [
        "warning: Another program has registered 10.0.0.1:8002 under the id web-box: web takes the id web-box-80; "
        + ADVICE,
        "info: Service registered: web",
    ]
    assert scene.new_reports()[-1] == "confirmed web-box-80 10.0.0.1:80 passing 1000"
    assert beats(scene, 3) == ["passing web-box-80"] * 3
    scene.registrar.deregister(service())
    assert scene.run() == ["deregister web-box-80"]


@pytest.mark.parametrize(
    "entry", [CatalogEntry("10.0.0.1", 8002, alive=False), STRANGER, OURSELVES], ids=["dead", "elsewhere", "ourselves"]
)
def test_an_entry_of_an_earlier_life_is_replaced_without_a_word(scene: Scene, entry: CatalogEntry) -> None:
    scene.catalog.entries["web-box"] = entry
    assert scene.passes() == ["register web-box passing", "passing web-box"]
    assert scene.new_lines() == ["info: Service registered: web"]


def test_a_registration_at_the_same_moment_is_noticed_soon(scene: Scene) -> None:
    beats(scene, 1)
    scene.catalog.entries["web-box"] = NEIGHBOUR
    scene.new_lines()
    assert beats(scene, SOON - 1) == ["passing web-box", "register web-box-80 passing", "passing web-box-80"]
    assert "takes the id web-box-80" in scene.new_lines()[0]
    assert beats(scene, 30) == ["passing web-box-80"] * 30
    assert scene.new_lines() == []


def test_another_program_is_noticed_within_ten_heartbeats(scene: Scene) -> None:
    beats(scene, 5)
    scene.catalog.entries["web-box"] = STRANGER
    assert beats(scene, LOOK_EVERY - 5) == ["passing web-box"] * 5
    assert scene.new_lines()[1:] == [
        "warning: Another program has registered 10.0.0.2:80 under the id web-box: web is not registered any more, "
        "or the two would fight for it; " + ADVICE
    ]
    assert scene.new_reports()[-1] == "taken web-box by 10.0.0.2:80"


@pytest.fixture
def lost(scene: Scene) -> Scene:
    """The id was lost to a stranger."""
    scene.catalog.entries["web-box"] = OURSELVES
    beats(scene, 1)
    scene.catalog.entries["web-box"] = STRANGER
    beats(scene, SOON - 1)
    scene.new_lines()
    scene.new_reports()
    return scene


def test_an_id_that_was_lost_is_neither_renewed_nor_removed_nor_taken_back(lost: Scene) -> None:
    assert beats(lost, 35) == []
    done: list[str] = []
    lost.registrar.deregister(service(), lambda: done.append("done"))
    assert lost.run(60) == []
    assert done == ["done"]
    assert beats(lost, 35) == []
    assert [line for line in lost.new_lines() if line.startswith("warning")] == []


def test_an_id_that_was_lost_is_taken_once_it_is_free(lost: Scene) -> None:
    del lost.catalog.entries["web-box"]
    assert beats(lost, LOOK_EVERY)[:2] == ["register web-box passing", "passing web-box"]
    assert lost.new_lines() == ["info: The id web-box is free again: web takes it", "info: Service registered: web"]


def test_an_id_that_was_lost_stays_lost_during_an_outage(lost: Scene) -> None:
    lost.catalog.error = DOWN
    assert beats(lost, 25) == []
    lost.catalog.error = CatalogRefused("403")
    assert beats(lost, 25) == []
    assert lost.new_lines() == []


@pytest.mark.parametrize("error", [CatalogRefused("404"), CatalogGarbage("not JSON")])
def test_a_catalogue_that_refuses_reads_still_registers_the_service(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(one: object) -> None:
        raise error

    monkeypatch.setattr(scene.catalog, "entry", refuse)
    assert scene.passes() == ["register web-box passing", "passing web-box"]
    assert beats(scene, 25) == ["passing web-box"] * 25
    assert scene.new_lines() == ["info: Service registered: web"]


def test_a_catalogue_that_is_away_at_the_first_look_is_an_outage(scene: Scene) -> None:
    scene.catalog.error = DOWN
    assert scene.passes() == ["register web-box passing"]
    assert scene.new_lines() == [f"warning: Service registration failed: {DOWN}"]
    scene.catalog.error = None
    assert scene.run(1) == ["register web-box passing", "passing web-box"]


def test_a_look_that_was_broken_off_is_made_again(scene: Scene) -> None:
    scene.catalog.entries["web-box"] = NEIGHBOUR
    scene.catalog.error = CatalogClosed("interrupted")
    errors = iter([None])
    scene.catalog.on_look = lambda: setattr(scene.catalog, "error", next(errors, scene.catalog.error))
    assert scene.passes() == ["register web-box-80 passing", "passing web-box-80"]


def test_a_check_that_passes_during_a_look_is_sent(scene: Scene) -> None:
    beats(scene, SOON - 1)
    scene.catalog.on_look = lambda: scene.registrar.register(service(), "passing", "during the look")
    assert beats(scene, 1) == ["passing web-box", "passing web-box during the look"]


def test_our_own_new_address_is_not_taken_for_another_program(scene: Scene) -> None:
    moved = service(address="10.0.0.9")
    scene.catalog.entries["web-box"] = OURSELVES
    beats(scene, SOON - 1)
    scene.catalog.on_look = lambda: scene.registrar.register(moved, "passing")
    assert beats(scene, 1) == ["passing web-box", "register web-box passing", "passing web-box"]
    assert [line for line in scene.new_lines() if line.startswith("warning")] == []


def test_the_number_of_looks_is_one_in_ten_heartbeats(scene: Scene) -> None:
    scene.catalog.entries["web-box"] = OURSELVES
    beats(scene, 100)
    assert len(scene.catalog.looks) == 1 + 1 + 10  # before the registration, soon after it, and then


class Shared:
    """A catalogue that several programs use; every entry is alive."""

    def __init__(self) -> None:
        self.entries: dict[str, CatalogEntry] = {}
        self.calls: list[str] = []

    def register(self, one: Service, status: str) -> None:
        self.calls.append(f"register {one.id} {one.port}")
        self.entries[one.id] = CatalogEntry(one.address, one.port, alive=True)

    def heartbeat(self, one: Service, status: str, output: str) -> None:
        self.calls.append(f"heartbeat {one.id} {one.port}")
        if one.id not in self.entries:
            raise CatalogForgotten("unknown")

    def deregister(self, one: Service) -> None:
        self.entries.pop(one.id, None)

    def entry(self, one: Service) -> CatalogEntry | None:
        return self.entries.get(one.id)

    def close(self) -> None:
        pass

    @property
    def places(self) -> list[str]:
        return sorted(entry.place for entry in self.entries.values())


@pytest.mark.parametrize("seed", range(50))
@pytest.mark.parametrize("ports", [(8001, 8002), (8001, 8002, 8003)])
def test_programs_on_one_machine_are_all_registered_in_the_end(
    seed: int, ports: tuple[int, ...], new_scene: Callable[[], Scene]
) -> None:
    chance = random.Random(seed)
    shared, scenes = Shared(), {port: new_scene() for port in ports}
    for scene in scenes.values():
        scene.open = lambda: cast("Any", shared)  # type: ignore[method-assign]
        scene.set_random(chance.random)

    def beat(port: int) -> None:
        scenes[port].registrar.register(service(port=port), "passing")
        scenes[port].run(1)

    for _ in range(chance.randrange(40)):
        if chance.random() < 0.1:
            shared.entries.clear()  # the catalogue forgets
        if chance.random() < 0.1:
            scenes[chance.choice(ports)].registrar.deregister(service(port=0))
        beat(chance.choice(ports))
    for _ in range(3 * LOOK_EVERY):
        for port in ports:
            beat(port)
    shared.calls.clear()
    for _ in range(3 * LOOK_EVERY):
        for port in ports:
            beat(port)

    assert set(shared.places) >= {f"10.0.0.1:{port}" for port in ports}
    assert not [call for call in shared.calls if call.startswith("register")]
    assert all(
        len([line for line in scene.new_lines() if line.startswith("warning")]) <= 2 for scene in scenes.values()
    )


@pytest.mark.parametrize("seed", range(50))
def test_programs_of_two_machines_do_not_fight_for_an_id(seed: int, new_scene: Callable[[], Scene]) -> None:
    chance = random.Random(seed)
    addresses = ("10.0.0.1", "10.0.0.2")
    shared, scenes = Shared(), {address: new_scene() for address in addresses}
    for scene in scenes.values():
        scene.open = lambda: cast("Any", shared)  # type: ignore[method-assign]
        scene.set_random(chance.random)

    def beat(address: str) -> None:
        scenes[address].registrar.register(service(address=address), "passing")
        scenes[address].run(1)

    for _ in range(10 + chance.randrange(40)):
        beat(chance.choice(addresses))
    for _ in range(3 * LOOK_EVERY):
        for address in addresses:
            beat(address)
    (place,) = shared.places
    shared.calls.clear()
    for _ in range(3 * LOOK_EVERY):
        for address in addresses:
            beat(address)

    assert shared.places == [place]
    assert {call.split()[0] for call in shared.calls} == {"heartbeat"}
    assert len(shared.calls) == 3 * LOOK_EVERY  # of the one that is registered, and not of the other


def test_foreign_text_in_the_catalogue_breaks_no_line_of_the_log(scene: Scene) -> None:
    beats(scene, 1)
    scene.catalog.entries["web-box"] = CatalogEntry("evil\nline\x1b[31m" + "x" * 1000, 80, alive=True)
    beats(scene, SOON - 1)
    (line,) = [line for line in scene.new_lines() if line.startswith("warning")]
    assert line.isprintable()
    assert len(line) < 500
