"""How much is tried: `MATRIX=full` means every case (scripts/nightly.sh), without it a choice that CI has the time for.

Each test that holds several cases says how many by the fixture `record_property` under the name CASES: the sum over a
junit file is what was tried. A test that says nothing is one case.
"""

from __future__ import annotations

import os

FULL = os.environ.get("MATRIX") == "full"
CASES = "cases"
