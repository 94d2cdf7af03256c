#!/bin/sh
# Runs a tool of the test environment. Makes the environment first if it is missing or out of date.
# Usage: scripts/tool.sh TOOL [ARGUMENTS]     such as: scripts/tool.sh ruff format
# Environment: PYTHON  the Python of the environment (default: python3)
set -eu
. "$(dirname -- "$0")/lib.sh"

[ $# -gt 0 ] || die "cannot run a tool: its name is missing; usage: scripts/tool.sh TOOL [ARGUMENTS]"
python=$(choose_python)
tests=$cache/tests-$(version_of "$python")
make_environment "$python" "$tests" "$root/tests/requirements.lock"
tool=$1
shift
[ -x "$tests/bin/$tool" ] || die "cannot run $tool: the test environment does not have it; its packages are in tests/requirements.lock"
exec "$tests/bin/$tool" "$@"
