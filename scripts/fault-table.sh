#!/bin/sh
# Tests all faults, and prints the table: the seconds from the end of each fault until everything works again.
# Usage: scripts/fault-table.sh [arguments of pytest]
# Environment: PYTHON  the Python to test on (default: python3)
# Writes the tables to .cache/faults/. Needs no server and no archive.
set -eu
. "$(dirname -- "$0")/lib.sh"

python=$(choose_python)
tests=$cache/tests-$(version_of "$python")
make_environment "$python" "$tests" "$root/tests/requirements.lock"
exec "$tests/bin/python" -m pytest -q -s "$@" tests/system/faults/test_fault_table.py
