#!/bin/sh
# Passes all tests, on a machine with nothing but Python 3.10 or newer and a network to the package registries.
# Usage: scripts/test.sh [arguments of pytest]
# Environment: PYTHON  the Python to test on (default: python3)
#              CHECKS  0 leaves out ruff, codespell and mypy
#              AGAIN   1 gives up to 12 tests that failed beside others two more chances alone, and names them
# It makes what it needs in .cache/: the test tools, a Consul, an etcd, a Prometheus and an openssl (those on PATH, if
# they will do; none of them for unit and integration tests alone), and the archive in dist/.
set -eu
. "$(dirname -- "$0")/lib.sh"

python=$(choose_python)
tests=$cache/tests-$(version_of "$python")
say "Testing on Python $(version_of "$python"), $python"

make_environment "$python" "$tests" "$root/tests/requirements.lock"

# Whether the arguments name nothing but unit and integration tests, which need no servers.
need_no_servers() {
    named=1
    for argument in "$@"; do
        case $argument in
        tests/unit | tests/unit/* | tests/integration | tests/integration/*) named=0 ;;
        tests | tests/* | ./* | /* | *.py*) return 1 ;;
        esac
    done
    return "$named"
}

if ! need_no_servers "$@"; then
    # A server that is not available is a failure: a test that did not run proves nothing.
    CONSUL=$("$tests/bin/python" scripts/fetch-consul.py) || exit 1
    ETCD=$("$tests/bin/python" scripts/fetch-etcd.py) || exit 1
    PROMETHEUS=$("$tests/bin/python" scripts/fetch-prometheus.py) || exit 1
    OPENSSL=$("$tests/bin/python" scripts/fetch-openssl.py) || exit 1
    export CONSUL ETCD PROMETHEUS OPENSSL
fi

PYTHON=$python scripts/build-zipapp.sh >&2

if [ "${CHECKS:-1}" != 0 ]; then
    say "ruff"
    "$tests/bin/python" -m ruff check .
    "$tests/bin/python" -m ruff format --check .
    say "codespell"
    "$tests/bin/codespell"
    say "mypy"
    "$tests/bin/python" -m mypy
fi

cores=$(getconf _NPROCESSORS_ONLN)
[ "$cores" -ge 2 ] || cores=2
export HYPOTHESIS_STORAGE_DIRECTORY="$cache/hypothesis"
say "pytest, $cores at a time"
# Who has nothing left to do takes over from the other: some tests take milliseconds, some seconds.
[ "${AGAIN:-0}" = 1 ] || exec "$tests/bin/python" -m pytest -n "$cores" --dist worksteal "$@"

# Thousands of tests that measure time, on a machine that others use as well: what fails there and passes alone is told,
# but does not stop everything else.
failed=$cache/pytest/v/cache/lastfailed
rm -f "$failed"
"$tests/bin/python" -m pytest -n "$cores" --dist worksteal "$@" && exit 0
for chance in 1 2; do
    status=$?
    [ "$status" = 1 ] && [ -f "$failed" ] && [ "$(grep -c '": true' "$failed")" -le 12 ] || exit "$status"
    say "Alone, what failed beside others:"
    cat "$failed" >&2
    "$tests/bin/python" -m pytest --last-failed "$@" && exit 0
done
exit 1
