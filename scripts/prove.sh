#!/bin/sh
# Runs all tests that try to break the program, and prints how much they tried: every signal, every exit code, children
# as /proc shows them, random runs against the model, hostile inputs, and the exhaustion of every resource.
# Usage: scripts/prove.sh [--seconds N]     N is for each target of the guided fuzzing (default: 15)
# Environment: PYTHON  the Python to test on (default: python3)
# Takes less than 30 minutes on two cores. Exit code 1 if a test failed; the logs are in .cache/prove/.
set -eu
. "$(dirname -- "$0")/lib.sh"

python=$(choose_python)
tests=$cache/tests-$(version_of "$python")
make_environment "$python" "$tests" "$root/tests/requirements.lock"
CONSUL=$("$tests/bin/python" scripts/fetch-consul.py) || exit 1
ETCD=$("$tests/bin/python" scripts/fetch-etcd.py) || exit 1
export CONSUL ETCD
PYTHON=$python scripts/build-zipapp.sh >&2

exec "$tests/bin/python" -m tests.prove "$cache/prove" "$@"
