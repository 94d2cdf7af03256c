"""Faults that once were in the engine, as a user saw them."""

from __future__ import annotations

import pytest

from cp.engine.context import Environment
from tests.unit.engine.plans import AFTER_PRESTART, app, backend, coprocess, post_stop, pre_start, pre_stop, service
from tests.unit.engine.world import World


def test_stop_during_a_slow_reload_leaves_the_application_its_whole_budget() -> None:
    world = World(app(), coprocess(), stop_timeout=5.0)
    world.processes.stubborn |= {"app", "coprocess"}
    world.start().reload(app(), coprocess(command="newer"))
    world.advance(4)
    world.terminate()
    world.advance(4.5)
    assert world.story("SIGKILL app") == []
    world.advance(0.6)
    assert world.story("SIGKILL app") == ["SIGKILL app"]


def test_a_check_that_a_reload_had_to_kill_does_not_cut_the_next_stop_short() -> None:
    world = World(app(), service("check"), stop_timeout=5.0)
    world.processes.stubborn |= {"app", "check"}
    world.start().advance(1.1)
    world.reload(app())
    world.advance(5.1)
    world.terminate()
    world.advance(2)
    assert not world.over
    assert world.processes.running("app")


def test_a_second_reload_does_not_forget_a_check_that_the_first_one_terminated() -> None:
    world = World(app(), service("check"), stop_timeout=5.0)
    world.processes.stubborn.add("check")
    world.start().advance(1.1)
    world.reload(app())
    world.advance(1)
    world.reload(app())
    world.advance(5.1)
    assert world.processes.running("check") == []


def test_stop_ends_although_a_check_survives_sigkill_and_a_hook_takes_long() -> None:
    world = World(app(), service("check"), post_stop(), stop_timeout=1.0)
    world.processes.stubborn.add("check")
    world.processes.unkillable.add("check")
    world.start().advance(1.1)
    world.terminate()
    world.advance(10)
    world.exit("postStop")
    assert world.over
    assert world.engine.exit_code == 143


def test_post_stop_runs_although_the_application_survives_sigkill() -> None:
    world = World(app(), post_stop(), stop_timeout=1.0)
    world.processes.stubborn.add("app")
    world.processes.unkillable.add("app")
    world.start().terminate()
    world.advance(3.1)
    world.exit("postStop")
    assert world.over
    assert world.engine.exit_code == 137


def test_reload_ends_although_a_coprocess_survives_sigkill() -> None:
    world = World(app(), coprocess(), service(), stop_timeout=1.0)
    world.processes.stubborn.add("coprocess")
    world.processes.unkillable.add("coprocess")
    world.start().reload(app(), coprocess(command="newer"), service())
    world.advance(4.1)
    assert world.processes.running("newer")
    assert world.story("passing") == ["passing web"]


def test_stop_during_a_reload_runs_the_hooks() -> None:
    world = World(app(), coprocess(), pre_stop(), post_stop())
    world.processes.stubborn.add("coprocess")
    world.start().reload(app(), coprocess(command="newer"), pre_stop(), post_stop())
    world.terminate()
    world.exit("preStop")
    world.exit("postStop")
    world.exit("coprocess")
    assert world.over
    assert world.story("start")[2:] == ["start preStop", "start postStop"]


def test_application_that_ends_during_a_reload_gets_its_post_stop() -> None:
    world = World(app(), coprocess(), post_stop())
    world.processes.stubborn.add("coprocess")
    world.start().reload(app(), coprocess(command="newer"), post_stop())
    world.exit("app", 3)
    assert world.processes.running("postStop")


def test_change_of_a_backend_during_a_reload_reaches_the_new_on_change() -> None:
    watch, handler = backend()
    world = World(app(), coprocess(), handler, watches=(watch,))
    world.processes.stubborn.add("coprocess")
    newer = handler.replace(command=("newOnChange",))
    world.start().reload(app(), coprocess(command="newer"), newer, watches=(watch,))
    world.discovery.watchers["db"].report([])
    world.loop.settle()
    world.exit("coprocess")
    assert len(world.processes.running("newOnChange")) == 1


def test_change_of_a_backend_that_waited_for_on_change_survives_a_reload() -> None:
    watch, handler = backend()
    world = World(app(), handler, watches=(watch,)).start()
    for _ in range(2):
        world.discovery.watchers["db"].report([])
        world.loop.settle()
    world.reload(app(), handler, watches=(watch,))
    assert len(world.processes.running("onChange")) == 1
    world.reload(app(), handler, watches=(watch,))
    assert world.processes.running("onChange") == []


def test_change_of_a_backend_that_waited_for_on_change_survives_maintenance() -> None:
    watch, handler = backend()
    world = World(app(), handler, watches=(watch,)).start()
    for _ in range(2):
        world.discovery.watchers["db"].report([])
        world.loop.settle()
    world.engine.set_maintenance(True)
    world.exit("onChange")
    assert world.processes.running("onChange") == []
    world.engine.set_maintenance(False)
    world.loop.settle()
    world.exit("onChange")
    world.advance(1)
    assert world.story("start onChange") == ["start onChange"] * 2


def test_end_of_maintenance_runs_on_change_once_for_all_that_happened() -> None:
    watch, handler = backend()
    world = World(app(), handler, watches=(watch,)).start()
    watcher = world.discovery.watchers["db"]
    world.engine.set_maintenance(True)
    watcher.report([])  # it was on its way
    world.loop.settle()
    world.engine.set_maintenance(False)
    watcher.report([])
    world.loop.settle()
    world.exit("onChange")
    world.advance(1)
    assert world.story("start onChange") == ["start onChange"]


def test_sigterm_after_pre_start_has_failed_does_not_change_the_exit_code() -> None:
    world = World(pre_start(), app(AFTER_PRESTART), coprocess())
    world.processes.stubborn.add("coprocess")
    world.start()
    world.exit("preStart", 3)
    world.terminate()
    world.advance(10)
    assert world.over
    assert world.engine.exit_code == 3


def test_stop_goes_on_although_the_side_of_the_catalogue_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise OSError("too many open files")

    world = World(app(), service()).start()
    monkeypatch.setattr(world.discovery, "deregister", failing)
    with pytest.raises(OSError, match="too many"):  # which the real loop reports
        world.terminate()
    world.advance(2)
    assert world.over


def test_an_inherited_variable_without_a_name_is_not_given_to_children() -> None:
    assert Environment({"": "C:=C:\\", "PATH": "/bin"}).compose() == {"PATH": "/bin"}
