"""How long tests wait for what must happen, in one place."""

from __future__ import annotations

# Seconds until a condition must hold, an answer must be there or a program must have ended. Only a broken program meets
# it: a machine that does much else may stand still for seconds. What is to be quick is marked `timing` instead.
DEADLINE = 45.0
