#!/bin/sh
# Runs what is meant to break the program, in full, and prints how much was tried: every signal, every exit code, children
# read back from /proc, random lives against the model, hostile inputs, and nothing left of everything that can run out.
# Usage: scripts/prove.sh [--seconds N]     N is for each target of the guided fuzzing (default: 15)
# Environment: PYTHON  the Python to test on (default: python3)
# Takes less than 30 minutes on two cores. Exit code 1 if anything failed; the logs are in .cache/prove/.
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
