"""Small random plans under random events: what must hold whatever happens."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from cp.plan import Job, When
from tests.unit.engine.jobs_world import JobsWorld
from tests.unit.engine.plans import STARTUP, advertised, check, each, every, job, once

NAMES = ("a", "b", "c", "d", "e")
CODES = ("exitSuccess", "exitFailed", "stopping", "stopped", "healthy", "unhealthy")
BUDGET = 2.0  # seconds of a stop
KILL_LIMIT = 2.0  # what the engine grants to processes that it has killed


def triggers(names: tuple[str, ...]) -> st.SearchStrategy[When]:
    of_a_job = st.tuples(st.sampled_from(CODES), st.sampled_from((*names, "ghost")))
    of_all = st.sampled_from(
        [("signal", "SIGHUP"), ("shutdown", "global"), ("enterMaintenance", "global"), ("exitMaintenance", "global")]
    )
    pairs = st.one_of(of_a_job, of_a_job, of_all)
    return st.one_of(
        st.just(STARTUP),
        st.builds(lambda pair, timeout: once(pair[0], pair[1], timeout), pairs, st.sampled_from((None, None, 0.5))),
        st.builds(lambda pair: each(pair[0], pair[1]), pairs),
        st.builds(every, st.sampled_from((0.3, 1.0))),
    )


@st.composite
def plans(draw: st.DrawFn) -> tuple[Job, ...]:
    names = NAMES[: draw(st.integers(2, 5))]
    jobs = []
    repeats_names = draw(st.booleans())
    main = draw(st.sampled_from((None, None, *names)))
    for name in names:
        when = draw(triggers(names))
        health = check(name, draw(st.sampled_from(("check", None)))) if draw(st.booleans()) else None
        restarts = draw(st.sampled_from((0, 0, 1, None)))
        if restarts is None and when.each:
            restarts = 0
        jobs.append(
            job(
                name,
                when,
                source=draw(st.sampled_from(("", *names))) if repeats_names else "",
                main=name == main,
                command=draw(st.sampled_from(((name,), (name,), (name,), (name, "other"), None))),
                restarts=restarts,
                timeout=draw(st.sampled_from((None, 0.5))),
                timeout_text="t",
                stop_timeout=draw(st.sampled_from((None, None, 0.7))),
                health=health,
                service=advertised(name, draw(st.sampled_from(("", "warning")))) if health else None,
            )
        )
    return tuple(draw(st.permutations(jobs)))


class Story:
    """A world, and its requests. `check_all` is called after each step."""

    def __init__(self, jobs: tuple[Job, ...], missing: set[str], stubborn: set[str]) -> None:
        self.world = JobsWorld(*jobs, stop_timeout=BUDGET)
        self.world.processes.missing |= missing
        self.world.processes.stubborn |= stubborn
        self.world.processes.termination["check"] = (0.1, 0)
        self.outcomes: list[list[str]] = []
        self.world.start()

    def ask(self, request: str, name: str) -> None:
        self.outcomes.append(self.world.ask(request, name))

    def reload(self, jobs: tuple[Job, ...] | None) -> None:
        outcomes: list[str] = []
        self.outcomes.append(outcomes)
        self.world.next_plan = None if jobs is None else self.world.plan.replace(jobs=jobs)
        self.world.admin.reload(outcomes.append)
        self.world.loop.settle()

    def interrupt(self, calls: int) -> None:
        """The next step gets another one after this number of calls: in the middle of an event's delivery."""
        self.world.loop.calls = calls

    def maintain(self, wanted: bool) -> None:
        self.world.maintenance(wanted)

    def exit(self, name: str, code: int) -> None:
        for process in self.world.processes.running(name):
            process.exit(code)

    def check_all(self) -> None:
        world = self.world
        for name in (*NAMES, "check"):
            assert len(world.processes.running(name)) <= (1 if name != "check" else len(NAMES)), name
        assert all(len(outcomes) <= 1 for outcomes in self.outcomes)
        self.check_registrations()

    def check_registrations(self) -> None:
        world, engine = self.world, self.world.engine
        registered: set[str] = set()
        for entry in world.story("passing ", "critical ", "warning ", " ", "deregister "):
            status, _, name = entry.partition(" ")
            (registered.discard if status == "deregister" else registered.add)(name)
        if engine.maintenance or engine.stopping:
            assert not registered
        for name in registered:
            assert engine.jobs[name].state not in ("held", "stopping", "terminating", "complete"), name

    def let_hooks_end(self, until: Callable[[], bool]) -> bool:
        """Whether it comes to that: each round ends all hooks that run, and is as long as a stop may be."""
        for _ in range(4 * len(NAMES)):
            if until():
                break
            for hook in [running.name for running in self.world.engine.jobs.values() if running.is_hook]:
                self.exit(hook, 0)
            self.world.advance(BUDGET + KILL_LIMIT + 1)
            self.check_all()
        return until()

    def settle_changes(self) -> None:
        self.world.loop.settle()  # a change that has failed at once is over, and its outcome is on its way
        assert self.let_hooks_end(lambda: self.world.over or self.world.engine.changes.current is None)
        assert all(len(outcomes) == 1 for outcomes in self.outcomes)

    def stop(self) -> None:
        """Every stop ends within its budget, counted from when no hook runs any more."""
        world = self.world
        world.terminate()
        assert all(len(outcomes) == 1 for outcomes in self.outcomes)
        assert self.let_hooks_end(lambda: world.over), {job.name: job.state for job in world.engine.jobs.values()}
        assert all(process.reaped for process in world.processes.all)
        assert all(len(outcomes) == 1 for outcomes in self.outcomes)


STEPS: dict[str, Callable[[Story, st.DataObject], None]] = {
    "exit": lambda story, data: story.exit(data.draw(st.sampled_from(NAMES)), data.draw(st.sampled_from((0, 1)))),
    "exit check": lambda story, data: story.exit("check", 1),
    "time": lambda story, data: story.world.advance(data.draw(st.sampled_from((0.1, 0.6, 3.0)))),
    "start": lambda story, data: story.ask("start", data.draw(st.sampled_from(NAMES))),
    "stop": lambda story, data: story.ask("stop", data.draw(st.sampled_from(NAMES))),
    "restart": lambda story, data: story.ask("restart", data.draw(st.sampled_from(NAMES))),
    "reload": lambda story, data: story.reload(data.draw(st.one_of(plans(), st.none()))),
    "same": lambda story, data: story.reload(story.world.engine.plan.jobs),
    "signal": lambda story, data: story.world.signal(1, "SIGHUP"),
    "in the middle": lambda story, data: story.interrupt(data.draw(st.integers(0, 6))),
    "maintenance": lambda story, data: story.maintain(data.draw(st.booleans())),
}


@settings(max_examples=100)
@given(
    plans(),
    st.sets(st.sampled_from((*NAMES, "check")), max_size=2),
    st.sets(st.sampled_from((*NAMES, "check")), max_size=2),
    st.data(),
)
def test_no_job_runs_twice_and_every_stop_ends(
    jobs: tuple[Job, ...], missing: set[str], stubborn: set[str], data: st.DataObject
) -> None:
    story = Story(jobs, missing, stubborn)
    story.check_all()
    for step in data.draw(st.lists(st.sampled_from(sorted(STEPS)), max_size=12)):
        if story.world.over:
            break
        STEPS[step](story, data)
        story.check_all()
    if data.draw(st.booleans()):
        story.settle_changes()
    if not story.world.over:
        story.stop()
