#!/bin/sh
# Runs a soak test: random faults for a long time against the built program and a real Consul. Prints what it did, and
# which resources leaked.
# Usage: scripts/soak.sh [--minutes N] [--seed N]     (default: 20 minutes, any seed; the seed is printed)
# Environment: PYTHON               the Python to test on (default: python3)
#              CONTAINERPILOT_PYZ   the archive to test (default: dist/containerpilot.pyz, which is built)
# Exit code 1 if an event was missed, a line was lost, or a resource leaked.
set -eu
. "$(dirname -- "$0")/lib.sh"

python=$(choose_python)
tests=$cache/tests-$(version_of "$python")
make_environment "$python" "$tests" "$root/tests/requirements.lock"
CONSUL=$("$tests/bin/python" scripts/fetch-consul.py) || exit 1
export CONSUL
[ -n "${CONTAINERPILOT_PYZ:-}" ] || PYTHON=$python scripts/build-zipapp.sh >&2

exec "$tests/bin/python" -m tests.soak "$@"
