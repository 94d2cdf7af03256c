"""python -m tests.soak [--minutes N] [--seed N]: exit code 1 if anything was not as it should be."""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from pathlib import Path

from tests.soak.soaking import Soak


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/soak.sh", description="A long rough time for ContainerPilot.")
    parser.add_argument("--minutes", type=float, default=20, help="how long it takes (default: 20)")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="to repeat one (default: any)")
    options = parser.parse_args()
    sys.stdout.write(f"seed {options.seed}, {options.minutes:g} minutes\n")
    sys.stdout.flush()
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    soak = Soak(folder, options.seed)
    try:
        soak.run(60 * options.minutes)
    finally:
        soak.close()
    sys.stdout.write(f"{soak.report}\n\n")
    if soak.faults:
        lines = [f"wrong: {fault}\n" for fault in soak.faults[:50]]
        sys.stdout.write("".join([*lines, f"see {folder}; the same again: scripts/soak.sh --seed {options.seed}\n"]))
        return 1
    shutil.rmtree(folder)
    sys.stdout.write("nothing was lost, and nothing was left\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
