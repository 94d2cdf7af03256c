"""The simulated Consul: its data, the time that requests take, and its behaviour under too many requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from benchmarks.fleet.world import World
from cp.catalog.protocol import Instance

READ = 50e-6  # seconds of work: a question, or a heartbeat that changes nothing
WRITE = 100e-6  # a change, which servers agree on and put on disk
JOURNEY = 1e-3  # there and back
QUEUE = 20_000  # requests that wait at the same time, a second's work or two; the next one is refused


class Answer:
    """Its status; the index and the healthy instances of a service, if the request queried them."""

    __slots__ = ("index", "instances", "status")

    def __init__(self, status: int, index: int = 0, instances: tuple[Instance, ...] = ()) -> None:
        self.status = status
        self.index = index
        self.instances = instances


Done = Callable[[Answer | None], object]
"""Gets the answer; None if the connection was refused or broken off."""


class Check:
    """One instance of a service, with its TTL check."""

    __slots__ = ("deadline", "instance", "passing", "service", "ttl")

    def __init__(self, service: Service, instance: Instance, ttl: float) -> None:
        self.service = service
        self.instance = instance
        self.ttl = ttl
        self.deadline = 0.0
        self.passing = False


class Question:
    """An open blocking query."""

    __slots__ = ("done", "open")

    def __init__(self, done: Done) -> None:
        self.done = done
        self.open = True


class Service:
    """The instances of one name, and who waits for a change of them."""

    __slots__ = ("healthy", "index", "questions", "snapshot")

    def __init__(self, index: int) -> None:
        self.index = index
        self.healthy: dict[str, Instance] = {}
        self.questions: list[Question] = []
        self.snapshot: tuple[Instance, ...] | None = ()


class Agent:
    """One Consul that does one thing after another. `requests` counts what reaches it, or finds it away, by second."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.requests: Counter[int] = Counter()
        self.overloaded: Counter[int] = Counter()  # those that were refused because too many waited
        self.changed_at = 0.0  # when an instance was last found healthy, or no more
        self.away = False
        self.healthy = 0  # instances
        self._life = 0  # a restart is a new one
        self._free_at = 0.0
        self._waiting = 0
        self._index = 1
        self._services: dict[str, Service] = {}
        self._checks: dict[str, Check] = {}

    # --- requests, as they leave the client

    def register(self, name: str, instance: Instance, ttl: float, status: str, done: Done) -> None:
        self._accept(WRITE, done, lambda: self._registered(name, instance, ttl, status))

    def heartbeat(self, id: str, done: Done) -> None:
        check = self._checks.get(id)
        work = READ if check is None or check.passing else WRITE
        self._accept(work, done, lambda: self._renewed(id))

    def look(self, id: str, done: Done) -> None:
        self._accept(READ, done, lambda: Answer(200 if id in self._checks else 404))

    def deregister(self, id: str, done: Done) -> None:
        self._accept(WRITE, done, lambda: self._removed(id))

    def healthy_instances(self, name: str, done: Done) -> None:
        self._accept(READ, done, lambda: self._found(name))

    def wait_for_change(self, name: str, index: int, wait: float, done: Done) -> Question:
        """Answers when the index of the service is past that one, or when the wait is over."""
        question = Question(done)
        self._accept(READ, done, lambda: self._held(name, index, wait, question))
        return question

    def ids(self, name: str) -> list[str]:
        """Of the healthy instances, without a request."""
        return list(self._service(name).healthy)

    # --- what happens to Consul

    def leave(self) -> None:
        """Every connection breaks."""
        self.away = True
        self._life += 1
        for service in self._services.values():
            questions, service.questions = service.questions, []
            for question in questions:
                if question.open:
                    question.open = False
                    question.done(None)

    def come_back(self, *, empty: bool) -> None:
        """With its old data, although checks have run out meanwhile; or empty, with indexes that begin again."""
        self.away = False
        self._free_at, self._waiting = self._world.now, 0
        if empty:
            self._services, self._checks, self.healthy, self._index = {}, {}, 0, 1
        for check in self._checks.values():
            self._expire(check)

    # --- one after another

    def _accept(self, work: float, done: Done, effect: Callable[[], Answer | None]) -> None:
        now = self._world.now
        self.requests[int(now)] += 1
        if self.away or self._waiting >= QUEUE:
            if not self.away:
                self.overloaded[int(now)] += 1
            self._world.at(now + JOURNEY, done, None)
        else:
            self._work(work, done, effect)

    def _work(self, work: float, done: Done, effect: Callable[[], Answer | None]) -> None:
        self._waiting += 1
        self._free_at = max(self._free_at, self._world.now + JOURNEY) + work
        self._world.at(self._free_at, self._worked, self._life, done, effect)

    def _worked(self, life: int, done: Done, effect: Callable[[], Answer | None]) -> None:
        if life != self._life:
            done(None)
            return
        self._waiting -= 1
        answer = effect()
        if answer is not None:
            done(answer)

    # --- what it knows

    def _service(self, name: str) -> Service:
        service = self._services.get(name)
        if service is None:
            service = self._services[name] = Service(self._index)
        return service

    def _registered(self, name: str, instance: Instance, ttl: float, status: str) -> Answer:
        check = self._checks.get(instance.id)
        if check is None:
            check = self._checks[instance.id] = Check(self._service(name), instance, ttl)
        self._set(check, status == "passing")
        self._renew(check)
        return Answer(200)

    def _renewed(self, id: str) -> Answer:
        check = self._checks.get(id)
        if check is None:
            return Answer(404)
        self._renew(check)
        self._set(check, True)
        return Answer(200)

    def _removed(self, id: str) -> Answer:
        check = self._checks.pop(id, None)
        if check is not None:
            self._set(check, False)
        return Answer(200 if check is not None else 404)

    def _renew(self, check: Check) -> None:
        if check.deadline <= self._world.now:  # else the timer under way finds the new deadline
            self._world.at(self._world.now + check.ttl, self._expire, check)
        check.deadline = self._world.now + check.ttl

    def _expire(self, check: Check) -> None:
        if self.away or self._checks.get(check.instance.id) is not check:
            return
        if check.deadline <= self._world.now:
            self._set(check, False)
        else:
            self._world.at(check.deadline, self._expire, check)

    def _set(self, check: Check, passing: bool) -> None:
        if check.passing == passing:
            return
        check.passing = passing
        self.healthy += 1 if passing else -1
        self.changed_at = self._world.now
        service = check.service
        if passing:
            service.healthy[check.instance.id] = check.instance
        else:
            del service.healthy[check.instance.id]
        service.snapshot = None
        self._index += 1
        service.index = self._index
        questions, service.questions = service.questions, []
        for question in questions:
            self._release(service, question)

    def _found(self, name: str) -> Answer:
        return self._answer(self._service(name))

    def _answer(self, service: Service) -> Answer:
        if service.snapshot is None:
            service.snapshot = tuple(service.healthy.values())
        return Answer(200, service.index, service.snapshot)

    def _held(self, name: str, index: int, wait: float, question: Question) -> Answer | None:
        if not question.open:
            return None
        service = self._service(name)
        if service.index > index:
            question.open = False
            return self._answer(service)
        service.questions.append(question)
        spread = wait / 16 * self._world.random.random()  # as Consul does
        self._world.at(self._world.now + wait + spread, self._release, service, question)
        return None

    def _release(self, service: Service, question: Question) -> None:
        """Answers an open question with what is true when its turn has come."""
        if question.open:
            question.open = False
            self._work(READ, question.done, lambda: self._answer(service))
