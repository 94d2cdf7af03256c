#!/bin/sh
# Runs the tests that take long and rarely find something: all tests with every case (MATRIX=full), the tests of parts on
# every Python of this machine, random runs against
# the model, guided fuzzing, a long soak test, and the matrix of root file systems and Pythons.
# Usage: scripts/nightly.sh
# Environment: PYTHON  the Python to test on (default: python3); guided fuzzing chooses its own
#              EXAMPLES  the number of random runs (default: 10000)
#              SECONDS_OF_FUZZING  seconds for each target (default: 60)
#              MINUTES  minutes of the soak test (default: 20)
# If something fails, it continues, and lists the failures at the end. Takes an hour and a half on two cores.
set -eu
. "$(dirname -- "$0")/lib.sh"

failed=
part() {
    name=$1
    shift
    say "--- $name"
    "$@" || failed="$failed $name"
}

all_cases() {
    MATRIX=full scripts/test.sh --durations=20
}

random_lives() {
    scripts/tool.sh python -m tests.model.soak --examples "${EXAMPLES:-10000}" --seconds 1200
}

guided_fuzzing() {
    env -u PYTHON scripts/fuzz.sh all --seconds "${SECONDS_OF_FUZZING:-60}"
}

other_pythons() {
    list_pythons | cut -d ' ' -f 2- | while read -r other; do
        PYTHON=$other CHECKS=0 scripts/test.sh --smoke tests/unit tests/integration tests/system || return 1
    done
}

part all-cases all_cases
part other-pythons other_pythons
part random-lives random_lives
part guided-fuzzing guided_fuzzing
part rough-time scripts/soak.sh --minutes "${MINUTES:-20}"
part images scripts/test-images.sh
[ -z "$failed" ] || die "failed:$failed"
