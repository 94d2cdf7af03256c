"""The model test at length, on all cores: `python -m tests.model.soak --examples 1000000 --seconds 1200`.

Each example is a number; `--seed N --examples 1` plays that one again, and prints all that happened if it fails. It
ends when the examples are played or the seconds are over, whatever comes first. The exit code is 1 if one has failed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from multiprocessing import get_context

from cp.engine.states import MOVES
from tests.model.drawing import from_seed, play, wishes_from_seed
from tests.model.wishes import play as play_wishes

BATCH = 200


def played(batch: tuple[int, int, float]) -> tuple[Counter[str], Counter[tuple[str, str]], list[tuple[int, str]]]:
    """How much of everything there was in these examples, the moves of jobs, and what failed, by seed."""
    first, number, until = batch
    counts: Counter[str] = Counter()
    moves: Counter[tuple[str, str]] = Counter()
    failures: list[tuple[int, str]] = []
    for seed in range(first, first + number):
        if time.monotonic() > until:
            break
        counts["examples"] += 1
        try:
            play_wishes(*wishes_from_seed(seed))
            world = play(from_seed(seed))
        except AssertionError as error:
            failures.append((seed, str(error)))
            continue
        counts.update(world.counts)
        moves.update(world.moves)
    return counts, moves, failures


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.model.soak", description="Plays random scenarios.")
    parser.add_argument("--examples", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=86400.0)
    parser.add_argument("--seed", type=int, default=None, help="of the first example (default: from the clock)")
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args(words)
    seed = asked.seed if asked.seed is not None else int(time.time()) * 1_000_000
    began = time.monotonic()
    until = began + asked.seconds
    starts = range(seed, seed + asked.examples, BATCH)
    batches = ((start, min(BATCH, seed + asked.examples - start), until) for start in starts)
    counts: Counter[str] = Counter()
    moves: Counter[tuple[str, str]] = Counter()
    failures: list[tuple[int, str]] = []
    with get_context("fork").Pool(asked.cores) as pool:
        for more, moved, failed in pool.imap_unordered(played, batches):
            counts += more
            moves += moved
            failures += failed
            if time.monotonic() > until:
                break
    tell(counts, moves, failures, seed, time.monotonic() - began)
    return 1 if failures else 0


def tell(
    counts: Counter[str],
    moves: Counter[tuple[str, str]],
    failures: list[tuple[int, str]],
    seed: int,
    seconds: float,
) -> None:
    say = sys.stdout.write
    say(f"seed {seed}, {seconds:.0f} s, {counts['examples'] / max(seconds, 0.001):.0f} examples a second\n")
    for what, number in counts.items():
        say(f"  {what:<12} {number:>12,}\n")
    rows = [(before, after) for before, next_ones in MOVES.items() for after in next_ones]
    never = [f"{before} -> {after}" for before, after in rows if not moves[before, after]]
    say(f"  moves of jobs: {sum(moves.values()):,}; {len(rows) - len(never)} of the {len(rows)} rows of the table\n")
    for before, after in rows:
        say(f"    {before:<12} -> {after:<12} {moves[before, after]:>12,}\n")
    say(f"  never met: {', '.join(never) or 'none'}\n")
    say(f"  failures: {len(failures)}\n")
    for number, (which, text) in enumerate(sorted(failures, key=lambda failure: len(failure[1]))[:20]):
        say(f"--seed {which} --examples 1: {text if number == 0 else text.splitlines()[0]}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
