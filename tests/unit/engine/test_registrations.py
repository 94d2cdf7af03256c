"""The shown state of registrations: only what the catalogue has confirmed, not what the engine sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cp.http.long_answers import json_parts
from cp.plan import REGISTRATION, DirectorySettings, Watch
from cp.telemetry.observer import Observer
from tests.unit.engine.jobs_world import JobsWorld
from tests.unit.engine.plans import advertised, check, job, once
from tests.unit.engine.world import FakeDiscovery

OLD, NEW = DirectorySettings(path="/old"), DirectorySettings(path="/new")


def app(**changes: Any) -> Any:
    return job("app", **{"health": check("app"), "service": advertised("app"), **changes})


class Views:
    """A job with a check that passes, and all that is shown of its registration."""

    def __init__(self, *, code: int = 0, watches: tuple[Watch, ...] = (), **changes: Any) -> None:
        self.world = JobsWorld(app(**changes), catalog=OLD, watches=watches)
        self.observer = Observer(self.world.context, self.world.engine)
        self.observer.observe(True)
        self.checks(code)
        self.world.start()

    def checks(self, code: int) -> None:
        """From now on the check ends so."""
        self.world.processes.termination["check"] = (0.1, code)

    def registered(self) -> str:
        """The state that all views show, without its time."""
        shown = str(self.world.seen("app")["service"]["registered"])
        status = json.loads(b"".join(json_parts(self.observer.status())))
        assert [each["Registered"] for each in status["Services"]] == [shown]
        body = b"".join(self.observer.metrics(*self.observer.form("", "")))
        counted = '\ncontainerpilot_job_registered{job="app"} 1\n' in body.decode()
        assert counted == (shown == "passing")
        if self.world.seen("app")["health"]["status"] == "healthy":
            remarks = [line for line in self.observer.remarks() if line.startswith("app")]
            assert remarks == ([] if shown == "passing" else [f"app is healthy; registered: {shown}"])
        return shown.partition(" since ")[0]

    def catalog(self) -> dict[str, Any]:
        overview = self.world.admin.overview()["catalogue"]
        assert isinstance(overview, dict)
        text = str(self.observer.status()["Catalog"])
        assert str(overview["about"]).startswith(text)
        assert text in " ".join(self.observer.remarks()) or overview["reachable"] is not False
        body = b"".join(self.observer.metrics(*self.observer.form("", "")))
        gauge = {True: " 1\n", False: " 0\n", None: ""}[overview["reachable"]]
        assert (f'\ncontainerpilot_catalog_reachable{{catalog="directory"}}{gauge}' in body.decode()) == bool(gauge)
        return overview

    def watch(self) -> dict[str, Any]:
        overview = json.loads(b"".join(json_parts(self.world.admin.overview())))
        [watch] = overview["watches"]
        return dict(watch)


@pytest.fixture
def views() -> Views:
    return Views()


def test_passing_is_shown_once_the_catalogue_has_confirmed_it(views: Views) -> None:
    assert views.registered() == "not yet"
    assert views.catalog()["about"] == "not asked yet"
    views.world.advance(1.2)
    assert views.registered() == "passing"
    assert views.catalog()["about"] == "reachable"
    assert views.catalog()["kind"] == "directory"


def test_passing_is_never_shown_of_a_catalogue_that_was_never_reached(views: Views) -> None:
    views.world.discovery.down = True
    views.world.advance(30)
    assert views.registered() == "unreachable"
    assert views.catalog()["reachable"] is False
    assert views.catalog()["about"].endswith("Z: connection refused")
    assert views.world.seen("app")["service"]["problem"] == "connection refused"


def test_an_outage_shows_first_at_the_catalogue_and_after_the_ttl_at_the_service(views: Views) -> None:
    views.world.advance(1.2)
    views.world.discovery.down = True
    views.world.advance(5)
    assert views.registered() == "passing"
    assert views.catalog()["reachable"] is False
    views.world.advance(5)
    assert views.registered() == "unreachable"
    views.world.discovery.down = False
    views.world.advance(1)
    assert views.registered() == "passing"
    assert views.catalog()["reachable"] is True
    assert views.catalog()["lastError"]["text"] == "connection refused"


def test_a_service_that_counts_as_healthy_without_a_check_is_remarked_when_it_is_not_registered() -> None:
    views = Views(health=check("app", None, trusted=True))
    views.world.advance(1.2)
    assert views.registered() == "passing"
    assert list(views.observer.remarks()) == []
    views.world.discovery.down = True
    views.world.advance(12)
    assert views.registered() == "unreachable"
    assert views.world.seen("app")["health"]["status"] == "healthy"
    assert [line for line in views.observer.remarks() if line.startswith("app is healthy; registered: ")]


def test_a_service_whose_checks_fail_lapses_when_its_ttl_is_over(views: Views) -> None:
    views.world.advance(1.2)
    views.checks(1)
    views.world.advance(9)
    assert views.registered() == "passing"
    views.world.advance(8)
    assert views.registered() == "lapsed"


def test_a_service_that_failed_too_often_is_critical() -> None:
    views = Views(health=check("app", critical_after=3), code=1)
    views.world.advance(2.5)
    assert views.registered() == "not yet"
    views.world.advance(1)
    assert views.registered() == "critical"


def test_an_initial_status_counts_until_its_ttl_is_over() -> None:
    views = Views(service=advertised("app", "warning"), health=check("app", interval=300))
    assert views.registered() == "warning"
    views.world.advance(10)
    assert views.registered() == "lapsed"


def test_nothing_is_registered_in_maintenance_once_the_catalogue_has_confirmed_that(views: Views) -> None:
    views.world.advance(1.2)
    views.world.discovery.delay = 2.0
    views.world.maintenance(True)
    assert views.registered() == "deregistering"
    views.world.advance(2)
    assert views.registered() == "no"
    views.world.maintenance(False)
    assert views.registered() == "not yet"


def test_a_machine_that_slept_has_lapsed_until_the_next_heartbeat(views: Views) -> None:
    views.world.advance(1.2)
    views.world.loop.suspended += 3600
    assert views.registered() == "lapsed"
    views.world.advance(1)
    assert views.registered() == "passing"


def test_the_clock_on_the_wall_changes_nothing(views: Views, monkeypatch: pytest.MonkeyPatch) -> None:
    views.world.advance(1.2)
    monkeypatch.setattr("time.time", lambda: 0.0)
    assert views.registered() == "passing"
    views.checks(1)
    views.world.advance(20)
    assert views.registered() == "lapsed"


def test_another_catalogue_is_queried_before_anything_is_passing(views: Views) -> None:
    views.world.advance(1.2)
    old, views.world.discovery = views.world.discovery.facts, FakeDiscovery(views.world)
    views.world.discovery.down = True
    views.world.reload(app(), catalog=NEW)
    assert views.registered() == "unreachable"
    assert old is not None
    old.confirmed(advertised("app"), "passing", views.world.loop.elapsed(), "app-host")  # late
    assert views.registered() == "unreachable"


def test_another_catalogue_does_not_get_a_check_that_passed_too_long_ago(views: Views) -> None:
    views.world.advance(1.2)
    views.checks(1)
    views.world.advance(15)
    views.world.discovery = FakeDiscovery(views.world)
    views.world.happened.clear()
    views.world.reload(app(), catalog=NEW)
    assert views.world.story("passing") == []
    assert views.registered() == "not yet"


def test_another_catalogue_gets_the_age_of_the_last_passing_check() -> None:
    views = Views(health=check("app", interval=8))
    views.world.advance(8.1)
    views.world.advance(5)
    assert views.world.story("passing") == ["passing app"]
    views.world.discovery = FakeDiscovery(views.world)
    views.world.reload(app(health=check("app", interval=8)), catalog=NEW)
    assert views.world.story("passing") == ["passing app"] * 2
    assert views.world.discovery.ages["app-host"] == pytest.approx(5, abs=0.2)
    views.world.advance(3.5)
    assert views.world.story("passing") == ["passing app"] * 3
    assert views.world.discovery.ages["app-host"] == 0


@pytest.mark.parametrize(("initial", "statuses"), [("warning", [" app"]), ("", [])])
def test_another_catalogue_gets_a_lapsed_service_as_before_its_first_check(initial: str, statuses: list[str]) -> None:
    service = advertised("app", initial)
    views = Views(service=service)
    views.world.advance(1.2)
    views.checks(1)
    views.world.advance(15)
    views.world.discovery = FakeDiscovery(views.world)
    views.world.happened.clear()
    views.world.reload(app(service=service), catalog=NEW)
    assert views.world.story("passing", "warning", " ") == statuses
    assert views.registered() == (initial or "not yet")


def test_a_catalogue_that_is_down_takes_no_instance_out_of_service(views: Views) -> None:
    views.world.discovery.down = True
    views.world.advance(30)
    assert list(views.observer.not_ready()) == []
    assert next(views.observer.remarks()).startswith("catalogue: unreachable since ")


def test_errors_are_for_operators_not_for_the_telemetry_port(views: Views) -> None:
    views.world.discovery.down = True
    views.world.advance(2)
    for text in (b"".join(json_parts(views.observer.status())), list(views.observer.remarks())):
        assert "refused" not in str(text)


def test_a_watch_that_cannot_be_queried_is_shown(views: Views) -> None:
    views.world.advance(1.2)
    facts = views.world.engine.catalog_status
    facts.failed("watch.db", "500", False)
    assert views.catalog()["failing"]["watch.db"]["error"] == "500"
    assert REGISTRATION not in views.catalog()["failing"]
    assert views.registered() == "passing"


def test_an_answer_that_is_overdue_is_shown_in_every_view(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1_000_000_000.5)
    watch = Watch(name="db", source="watch.db", interval=1.0)
    views = Views(watches=(watch,))
    views.world.advance(1.2)
    views.world.engine.catalog_status.answered(watch.source)
    awaited = views.world.engine.catalog_status.awaited
    calls = [awaited.begin(REGISTRATION), awaited.begin(watch.source, 60.0)]
    views.world.advance(1.9)
    assert views.catalog()["about"] == "reachable"
    views.world.advance(0.1)
    shown = views.catalog()
    assert shown["reachable"] is False
    assert str(shown["about"]).startswith("no answer since ")
    assert str(shown["about"]).endswith(f"{shown['since'][:-5]}Z")
    assert shown["failing"] == {REGISTRATION: {"since": shown["since"], "error": "no answer yet"}}
    assert next(views.observer.remarks()) == f"catalogue: {shown['about']}"
    assert list(views.observer.not_ready()) == []
    assert views.registered() == "passing"
    views.checks(1)
    views.world.advance(12)
    assert views.registered() == "lapsed"
    problem = views.world.seen("app")["service"]["problem"]
    assert problem == f"the catalogue has given {views.catalog()['about']}"
    assert views.watch()["about"] == f"perhaps out of date; catalogue: {views.catalog()['about']}"
    views.world.advance(60)
    assert str(views.watch()["about"]).startswith("no answer since ")
    for call in calls:
        awaited.end(call)
    assert views.catalog()["about"] == "reachable"
    assert views.watch()["about"] == "up to date"
    assert views.world.seen("app")["service"]["problem"] is None


def test_secrets_in_an_error_are_masked(views: Views) -> None:
    views.world.context.masked = lambda text: text.replace("refused", "********")
    views.world.discovery.down = True
    views.world.advance(2)
    assert views.catalog()["about"].endswith(": connection ********")
    assert views.catalog()["lastError"]["text"] == "connection ********"
    assert views.world.seen("app")["service"]["problem"] == "connection ********"


def test_a_skipped_job_will_not_be_registered() -> None:
    fails = job("prepare")
    waits = app(when=once("exitSuccess", "prepare"))
    world = JobsWorld(fails, waits, catalog=OLD).start()
    assert world.seen("app")["service"]["registered"] == "not yet"
    world.exit("prepare", 1)
    assert world.state("app") == "skipped"
    assert world.seen("app")["service"]["registered"] == "no"


def test_service_that_ends_again_is_removed_again_although_the_catalogue_never_confirmed_it() -> None:
    world = JobsWorld(app(), job("other"))
    world.discovery.delay = None
    world.start()
    for request in ("stop", "start", "stop"):
        world.ask(request, "app")
    assert world.story("deregister") == ["deregister app"] * 2


def test_stop_waits_until_the_last_service_is_removed() -> None:
    world = JobsWorld(app(), job("web", service=advertised("web"), health=check("web")))
    world.start().discovery.delay = 0.2
    world.ask("stop", "app")
    world.discovery.delay = 0.7
    world.terminate()
    world.advance(0.6)
    assert world.story("SIGTERM web") == []
    world.advance(0.2)
    assert world.story("SIGTERM web") == ["SIGTERM web"]


def test_stop_does_not_take_an_earlier_deregistration_for_its_own() -> None:
    """Before a reload the service was deregistered from a slow catalogue, which answers during the stop."""
    web = job("web", service=advertised("web"), health=check("web"))
    world = JobsWorld(job("app"), web, catalog=OLD)
    world.start().discovery.delay = 5
    world.advance(1.2)
    world.reload(job("app"), web.replace(command=("other",)), catalog=NEW)
    world.advance(4.6)
    world.discovery.delay = 0.7
    world.terminate()
    world.advance(0.6)
    assert world.story("SIGTERM app", "SIGTERM other") == []
    world.advance(0.2)
    assert world.story("SIGTERM app", "SIGTERM other") == ["SIGTERM app", "SIGTERM other"]
