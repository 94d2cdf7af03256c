"""SIGHUP in the services dialect: the application is untouched, everything else is new."""

from __future__ import annotations

from tests.unit.engine.plans import (
    AFTER_PRESTART,
    app,
    backend,
    coprocess,
    post_stop,
    pre_start,
    pre_stop,
    service,
    task,
)
from tests.unit.engine.world import World


def test_reload_leaves_the_app_alone_and_restarts_coprocesses() -> None:
    world = World(app(), coprocess()).start()
    world.reload(app(), coprocess(command="newer"))
    assert world.story("start", "SIG") == ["start app", "start coprocess", "SIGTERM coprocess", "start newer"]


def test_reload_renews_the_restarts_of_a_coprocess() -> None:
    world = World(app(), coprocess(restarts=1)).start()
    for _ in range(2):
        world.exit("coprocess", 1)
        world.advance(1)
    assert world.processes.running("coprocess") == []
    world.reload(app(), coprocess(restarts=1))
    world.exit("coprocess", 1)
    world.advance(1)
    assert len(world.processes.running("coprocess")) == 1


def test_services_are_deregistered_and_come_back_with_their_next_check() -> None:
    world = World(app(), service(poll=1)).start()
    world.advance(1.5)
    world.happened.clear()
    world.reload(app(), service(poll=1), service(name="other", poll=1))
    world.advance(1.1)
    assert world.happened == ["deregister web", "passing web", "passing other"]


def test_a_configuration_that_does_not_load_changes_nothing() -> None:
    world = World(app(), coprocess(), service()).start()
    world.advance(1.1)
    world.happened.clear()
    world.next_plan = None
    world.engine.changes.reload(world.outcomes.append)
    world.advance(1)
    assert world.happened == ["passing web"]
    assert len(world.processes.running("coprocess")) == 1


def test_pre_start_is_not_run_again_and_the_new_jobs_still_start() -> None:
    world = World(pre_start(), app(AFTER_PRESTART), task(1)).start()
    world.exit("preStart", 0)
    world.reload(pre_start(), app(AFTER_PRESTART), coprocess(AFTER_PRESTART))
    assert world.story("start") == ["start preStart", "start app", "start coprocess"]


def test_pre_start_added_by_a_reload_delays_nothing() -> None:
    world = World(app()).start()
    world.reload(pre_start(), app(AFTER_PRESTART), coprocess(AFTER_PRESTART))
    assert world.story("start") == ["start app", "start coprocess"]


def test_reload_during_pre_start_puts_the_new_configuration_in_force_once() -> None:
    world = World(pre_start(), app(AFTER_PRESTART), coprocess(AFTER_PRESTART)).start()
    world.reload(pre_start(), app(AFTER_PRESTART), coprocess(AFTER_PRESTART, command="newer"))
    assert world.story("start") == ["start preStart"]
    world.exit("preStart", 0)
    assert sorted(world.story("start")) == ["start app", "start newer", "start preStart"]


def test_hooks_are_the_new_ones_and_old_ones_do_not_run() -> None:
    world = World(app(), pre_stop(), post_stop()).start()
    world.reload(app(), post_stop().replace(command=("newPostStop",)))
    world.terminate()
    assert world.story("start") == ["start app", "start newPostStop"]


def test_reload_during_a_reload_waits_its_turn() -> None:
    world = World(app(), coprocess())
    world.processes.stubborn.add("coprocess")
    world.start().reload(app(), coprocess(command="second"))
    world.reload(app(), coprocess(command="third"))
    assert world.story("start second", "start third") == []
    world.exit("coprocess", 0)
    assert world.story("start second", "start third")[-1] == "start third"
    assert len(world.processes.running("third")) == 1


def test_coprocess_that_ignores_the_reload_is_killed_within_the_budget() -> None:
    world = World(app(), coprocess(), stop_timeout=2.0)
    world.processes.stubborn.add("coprocess")
    world.start().reload(app(), coprocess(command="newer"))
    world.advance(2.1)
    assert world.processes.running("newer")


def test_stop_during_a_reload_wins() -> None:
    world = World(app(), coprocess(), post_stop())
    world.processes.stubborn.add("coprocess")
    world.start().reload(app(), coprocess(command="newer"), post_stop())
    world.terminate()
    world.exit("coprocess", 0)
    for process in world.processes.running("postStop"):
        process.exit(0)
    world.advance(10)
    assert world.over
    assert world.story("start newer") == []


def test_maintenance_survives_a_reload() -> None:
    world = World(app(), service()).start()
    world.engine.set_maintenance(True)
    world.reload(app(), service())
    world.advance(5)
    assert world.story("passing") == []
    world.engine.set_maintenance(False)
    world.advance(1.1)
    assert world.story("passing") == ["passing web"]


def test_an_unchanged_watch_goes_on_and_a_changed_one_keeps_its_memory() -> None:
    watch, handler = backend()
    world = World(app(), handler, watches=(watch,)).start()
    world.discovery.watchers["db"].memory = ["seen"]
    world.reload(app(), handler, watches=(watch,))
    assert world.story("watch", "stop watch") == ["watch db"]
    world.reload(app(), handler, watches=(watch.replace(interval=5),))
    assert world.story("watch", "stop watch") == ["watch db", "stop watch db", "watch db"]
    assert world.discovery.watchers["db"].memory == ["seen"]


def test_many_reloads_in_a_row_end_in_the_last_configuration() -> None:
    world = World(app(), coprocess())
    world.start()
    for number in range(200):
        world.reload(app(), coprocess(command=f"coprocess{number}"))
    assert len(world.processes.running("coprocess199")) == 1
    assert len([process for process in world.processes.all if not process.reaped]) == 2


def test_children_see_the_addresses_of_existing_services() -> None:
    """Removed and moved variables are gone. A variable that somebody else has set stays."""
    addresses = (("OLD_IP", "10.0.0.1"), ("MOVED_IP", "10.0.0.2"), ("THEIRS_IP", "10.0.0.3"))
    world = World(app(), coprocess(), environ=addresses).start()
    world.context.environment.set("THEIRS_IP", "192.0.2.1")
    world.reload(app(), coprocess(), environ=(("MOVED_IP", "10.0.0.9"), ("NEW_IP", "10.0.0.4")))
    (process,) = world.processes.running("coprocess")
    assert {name: value for name, value in process.environ.items() if name.endswith("_IP")} == {
        "MOVED_IP": "10.0.0.9",
        "NEW_IP": "10.0.0.4",
        "THEIRS_IP": "192.0.2.1",
    }


def test_a_reload_that_is_refused_leaves_the_addresses_alone() -> None:
    world = World(app(), environ=(("OLD_IP", "10.0.0.1"),)).start()
    world.engine.changes.reload(world.outcomes.append)
    assert world.outcomes == ["the configuration does not load"]
    assert world.context.environment.get()["OLD_IP"] == "10.0.0.1"
