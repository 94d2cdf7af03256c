"""The model tests at length, on all cores: `python -m tests.model.soak --examples 1000000 --seconds 1200`.

Each example is a number, a scenario for the engine and one for the registrar; `--seed N --examples 1` plays that one
again, and prints all that happened if it fails. It ends when the examples are played or the seconds are over, whatever
comes first. The exit code is 1 if one has failed, or if none was played.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from cp.engine.states import MOVES
from tests.model.drawing import from_seed, play, registrar_scenario_from_seed
from tests.model.registrar_model import play as play_registrar

BATCH = 100
SHOWN = 20  # failures


class Tally:
    """How much of everything there was, the moves of jobs, and what failed, by number."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.moves: Counter[tuple[str, str]] = Counter()
        self.failures: list[tuple[int, str]] = []

    def play(self, number: int) -> None:
        self.counts["examples"] += 1
        try:
            play_registrar(*registrar_scenario_from_seed(number))
            world = play(from_seed(number))
        except AssertionError as error:
            self.failures.append((number, str(error)))
            return
        self.counts.update(world.counts)
        self.moves.update(world.moves)

    def add(self, other: Tally) -> None:
        self.counts += other.counts
        self.moves += other.moves
        self.failures += other.failures


def work(results: Connection, numbers: range, until: float) -> None:
    """Plays these in a process of its own, and reports at intervals."""
    for start in range(0, len(numbers), BATCH):
        tally = Tally()
        for number in numbers[start : start + BATCH]:
            if time.monotonic() < until:
                tally.play(number)
        results.send(tally)
        if time.monotonic() >= until:
            break
    results.close()


def soak(first: int, examples: int, until: float, cores: int) -> Tally:
    context = get_context("fork")
    running: dict[object, tuple[Connection, BaseProcess]] = {}
    for core in range(min(cores, examples)):
        receiver, sender = context.Pipe(duplex=False)
        worker = context.Process(target=work, args=(sender, range(first + core, first + examples, cores), until))
        worker.start()
        sender.close()
        running[receiver] = receiver, worker
    whole = Tally()
    while running:
        for ready in wait([receiver for receiver, _ in running.values()]):
            receiver, process = running[ready]
            try:
                whole.add(receiver.recv())
            except EOFError:
                del running[ready]
                process.join()
                if process.exitcode:
                    whole.failures.append((first, f"a worker ended with {process.exitcode}"))
    return whole


def report(whole: Tally, first: int, seconds: float) -> None:
    say = sys.stdout.write
    counts, moves = whole.counts, whole.moves
    say(f"seed {first}, {seconds:.0f} s, {counts['examples'] / max(seconds, 0.001):.0f} examples a second\n")
    for what, number in counts.items():
        say(f"  {what:<21} {number:>14,}\n")
    rows = [(before, after) for before, next_ones in MOVES.items() for after in next_ones]
    never = [f"{before} -> {after}" for before, after in rows if not moves[before, after]]
    say(f"  {'moves':<12} {sum(moves.values()):>14,}\n")
    for before, after in rows:
        say(f"    {before:<11} -> {after:<11} {moves[before, after]:>12,}\n")
    say(f"  rows of the table of moves that were met: {len(rows) - len(never)} of {len(rows)}\n")
    say(f"  never met: {', '.join(never) or 'none'}\n")
    say(f"  failures: {len(whole.failures)}\n")
    for place, (number, text) in enumerate(sorted(whole.failures, key=lambda failure: len(failure[1]))[:SHOWN]):
        say(f"--seed {number} --examples 1: {text if place == 0 else text.splitlines()[0]}\n")


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.model.soak", description="Plays random scenarios.")
    parser.add_argument("--examples", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=86400.0)
    parser.add_argument("--seed", type=int, default=None, help="the first number (default: from the clock)")
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args(words)
    first = options.seed if options.seed is not None else int(time.time()) * 1_000_000
    began = time.monotonic()
    whole = soak(first, options.examples, began + options.seconds, options.cores)
    report(whole, first, time.monotonic() - began)
    return 1 if whole.failures or not whole.counts["examples"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
