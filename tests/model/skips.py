"""Jobs that wait for what can no longer come, as docs/jobs.md says it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.model.life import COMPLETE, ENDING, EXITS, WAITING, Life
from tests.model.rules import expect

if TYPE_CHECKING:
    from tests.model.model import Model

SKIPPED = "skipped"
OF_A_LIFE = (*EXITS, "healthy", "unhealthy", "ready", "timerExpired")


class Skips:
    """Which of the waiting jobs are skipped. Nothing changes in this during a change or a stop."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._skipped: set[Life] = set()

    def in_vain(self, *, without_ending: bool = False) -> dict[Life, int]:
        """The jobs that wait for nothing, and the exit code of what failed.

        `without_ending`: also those that wait for a job that was never started and is about to end.
        """
        lives = self._model.lives.values()
        found: dict[Life, int] = {}
        grown = True
        while grown:
            grown = False
            for life in lives:
                if life.state != WAITING or life.begun or life.remembered or life in found:
                    continue
                code, source = life.job.when.code, life.job.when.source
                senders = [each for each in lives if source in (each.name, f"check.{each.name}")]
                able = [
                    each
                    for each in senders
                    if _can_send(each, code, found) and not (without_ending and each.state in ENDING and not each.begun)
                ]
                if code in OF_A_LIFE and senders and not able:
                    found[life] = found[senders[0]] if senders[0] in found else _failure(senders[0].exit_code)
                    grown = True
        return found

    @property
    def main(self) -> int:
        """The exit code if the main job waits for nothing; otherwise 0."""
        return next((code for life, code in self.in_vain().items() if life.job.main), 0)

    def compare(self, life: Life, state: str) -> str:
        """The model's state of a job which the engine says is in this one: a skipped job is a waiting one to it."""
        return WAITING if state == SKIPPED and life in self._skipped else state

    def rests(self, skipped: set[str]) -> None:
        """All that belongs to this moment has happened, and these jobs are skipped."""
        model = self._model
        found = set(self.in_vain())
        seen = {life for life in model.lives.values() if life.name in skipped}
        self._skipped = {life for life in self._skipped if life.state == WAITING}
        if model.stopping or model.changes.is_changing:
            # Of what has come to its end in the same moment, before or after this began, it may know.
            # And who waits for what was started just before it began is not skipped any more.
            kept = self._skipped & found
            expect(kept <= seen <= self._skipped | found, "skipped", f"{seen}, not {self._skipped}")
        else:
            # Who was skipped stays so while the job that it waits for, and that gave up waiting, waits for its hooks.
            stays = self._skipped & set(self.in_vain(without_ending=True))
            expect(found <= seen <= found | stays, "skipped", f"{seen}, not {found}")
        self._skipped = seen


def _can_send(sender: Life, code: str, found: dict[Life, int]) -> bool:
    gives_up = code == "timerExpired" and sender.job.when.timeout
    return sender.state != COMPLETE and (sender not in found or bool(gives_up))


def _failure(code: int | None) -> int:
    return 1 if not code else code if code > 0 else 128 - code
