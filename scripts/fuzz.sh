#!/bin/sh
# Searches for inputs that break the program, guided by the code that they reach (atheris, libFuzzer).
# Usage: scripts/fuzz.sh [TARGET|all] [--seconds N] [--keep]
#   N is for each target (default: 60); --keep puts the best inputs into tests/fuzz/corpus/, which the tests replay.
#   --help names the targets.
# Environment: PYTHON  the Python to search with: 3.12 to 3.14 (default: the newest of these that this machine has)
# Writes its findings to .cache/fuzz/. Runs one search at a time, with a low priority.
set -eu
. "$(dirname -- "$0")/lib.sh"

searches_with() {
    "$1" -c 'import sys; sys.exit(not (3, 12) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null
}

if [ -n "${PYTHON:-}" ]; then
    python=$(choose_python)
    searches_with "$python" || die "cannot search with PYTHON=$PYTHON: atheris needs Python 3.12 to 3.14"
else
    python=$(list_pythons | while read -r version path; do
        if searches_with "$path"; then echo "$path"; fi
    done | tail -n 1)
    [ -n "$python" ] || die "cannot find Python 3.12 to 3.14, which atheris needs: install one, or name one in PYTHON"
fi

environment=$cache/fuzz-$(version_of "$python")
make_environment "$python" "$environment" "$root/tests/fuzz/requirements.lock"
exec nice -n 10 "$environment/bin/python" -m tests.fuzz.campaign "$@"
