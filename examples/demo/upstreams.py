"""What the front does when the instances of `web` change: writes the new list of upstreams, a line for each.

ContainerPilot hands the instances over in CONTAINERPILOT_WATCH_INSTANCES.
Usage: upstreams.py FILE
"""

# ruff: noqa: T201 - what it prints is for people

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

instances = json.loads(os.environ["CONTAINERPILOT_WATCH_INSTANCES"])
lines = [f"{instance['address']}:{instance['port']}" for instance in instances]
target = Path(sys.argv[1])
beside = target.with_suffix(".new")
beside.write_text("".join(f"{line}\n" for line in lines))
beside.replace(target)
print("upstreams of the front:", " ".join(lines) or "none")
