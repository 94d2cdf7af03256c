"""The phase of the engine: a named state, and the table of its moves."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, Literal

    PhaseName = Literal["starting", "running", "deregistering", "draining", "stopping", "killing"]

STARTING: Final = "starting"  # until the first processes run
RUNNING: Final = "running"
DEREGISTERING: Final = "deregistering"  # a stop has begun and waits, for a limited time, until no service is registered
DRAINING: Final = "draining"  # jobs with `drain` go on serving those who do not know yet that they are deregistered
STOPPING: Final = "stopping"  # the jobs end
KILLING: Final = "killing"  # everything is killed, and nothing is waited for but that

MOVES: dict[PhaseName, tuple[PhaseName, ...]] = {
    STARTING: (RUNNING, DEREGISTERING),
    RUNNING: (DEREGISTERING,),
    DEREGISTERING: (DRAINING, STOPPING, KILLING),
    DRAINING: (STOPPING, KILLING),
    STOPPING: (KILLING,),
    KILLING: (),
}


class Phase:
    """`move` is the only function that changes `name`."""

    __slots__ = ("name",)

    def __init__(self) -> None:
        self.name: PhaseName = STARTING

    def move(self, to: PhaseName) -> None:
        if to not in MOVES[self.name]:
            raise RuntimeError(f"the engine cannot move from {self.name} to {to}")
        self.name = to

    @property
    def is_stopping(self) -> bool:
        """Whether a stop has begun. After that, only the phases of a stop follow."""
        return self.name in (DEREGISTERING, DRAINING, STOPPING, KILLING)

    @property
    def ends_jobs(self) -> bool:
        """Whether a stop has got to the jobs: drains are over, too."""
        return self.name in (STOPPING, KILLING)

    @property
    def has_deregistered(self) -> bool:
        """Whether a stop has deregistered the services, or the time for that is over."""
        return self.name in (DRAINING, STOPPING, KILLING)
