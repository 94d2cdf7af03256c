#!/bin/sh
# Builds dist/containerpilot.pyz and shows it at work in a temporary folder. Takes about ten seconds, and a minute more
# for the first build.
# Usage: scripts/demo.sh
# Environment: PYTHON  the Python that builds and plays (default: python3)
set -eu
. "$(dirname -- "$0")/lib.sh"

python=$(choose_python)
echo "== 0. Building dist/containerpilot.pyz"
PYTHON=$python scripts/build-zipapp.sh
exec "$python" examples/demo/scene.py dist/containerpilot.pyz
