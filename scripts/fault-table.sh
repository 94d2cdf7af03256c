#!/bin/sh
# Passes the table of faults and shows it: how many seconds after the end of each fault all was well again.
# Usage: scripts/fault-table.sh [arguments of pytest]
# Environment: PYTHON  the Python to test on (default: python3)
# The tables are in .cache/faults/ afterwards. They need no server and no archive.
set -eu
. "$(dirname -- "$0")/lib.sh"

python=$(choose_python)
tests=$cache/tests-$(version_of "$python")
make_environment "$python" "$tests" "$root/tests/requirements.lock"
exec "$tests/bin/python" -m pytest -q -s "$@" tests/system/faults/test_fault_table.py
