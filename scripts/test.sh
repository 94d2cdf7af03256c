#!/bin/sh
# Runs all checks and tests. The machine needs only Python 3.10 or newer and access to the package registries.
# Usage: scripts/test.sh [arguments of pytest]
#   Without a test in the arguments it checks the sources first (ruff, codespell, mypy). With a test it runs only that:
#   scripts/test.sh tests/unit/engine/test_trigger.py takes two seconds.
#   --smoke  runs only those system tests that CI runs on every Python
# Environment: PYTHON  the Python to test on (default: python3)
#              CHECKS  0: do not check the sources
#              COVERAGE  1: also measure the branch coverage of the unit and integration tests, and fail if it is below
#                        the limit in pyproject.toml
# It installs the test tools into .cache/, and a Consul, an etcd, a Prometheus, an nginx, a Redis and an openssl, unless
# those on PATH are suitable. It builds the archive in dist/. Unit and integration tests alone need only the test tools.
#
# The tests marked `timing` run last, one after the other, because other tests would disturb their measurements. On a
# shared machine, only they may fail and pass when they are repeated, at most twice.
set -eu
. "$(dirname -- "$0")/lib.sh"

python=$(choose_python)
tests=$cache/tests-$(version_of "$python")

# What the arguments name: `nothing` (all tests), `file` (files or single tests) or `folder`; and whether these tests
# need the archive and servers, as all except unit and integration tests do.
named=nothing needs_servers=
for argument in "$@"; do
    case $argument in
    *.py | *.py::*) named=file ;;
    tests | tests/* | ./* | /*) [ "$named" = file ] || named=folder ;;
    *) continue ;;
    esac
    case $argument in
    tests/unit* | tests/integration*) ;;
    *) needs_servers=1 ;;
    esac
done
[ "$named" != nothing ] || needs_servers=1

say "Testing on Python $(version_of "$python"), $python"
make_environment "$python" "$tests" "$root/tests/requirements.lock"

if [ -n "$needs_servers" ]; then
    # A missing server is a failure, because its tests would not run.
    CONSUL=$("$tests/bin/python" scripts/fetch-consul.py) || exit 1
    ETCD=$("$tests/bin/python" scripts/fetch-etcd.py) || exit 1
    PROMETHEUS=$("$tests/bin/python" scripts/fetch-prometheus.py) || exit 1
    OPENSSL=$("$tests/bin/python" scripts/fetch-openssl.py) || exit 1
    NGINX=$("$tests/bin/python" scripts/fetch-nginx.py) || exit 1
    REDIS_SERVER=$("$tests/bin/python" scripts/fetch-redis-server.py) || exit 1
    export CONSUL ETCD PROMETHEUS OPENSSL NGINX REDIS_SERVER
    PYTHON=$python scripts/build-zipapp.sh >&2
fi

if [ "$named" = nothing ] && [ "${CHECKS:-1}" != 0 ]; then
    say "ruff"
    "$tests/bin/python" -m ruff check .
    "$tests/bin/python" -m ruff format --check .
    say "codespell"
    "$tests/bin/codespell"
    say "words to avoid"
    "$tests/bin/python" scripts/check-words.py
    say "mypy"
    "$tests/bin/python" -m mypy
fi

export HYPOTHESIS_STORAGE_DIRECTORY="$cache/hypothesis"

# Run a few tests in their order, because starting more processes would take longer than the tests.
[ "$named" != file ] || exec "$tests/bin/python" -m pytest "$@"

# run ARGUMENTS OF PYTEST: it is not a failure if one of the two parts has no test.
run() {
    status=0
    "$tests/bin/python" -m pytest "$@" || status=$?
    [ "$status" != 5 ] || status=0
    return "$status"
}

cores=$(getconf _NPROCESSORS_ONLN)
[ "$cores" -ge 2 ] || cores=2
# An idle process takes over tests from the other one: some tests take milliseconds, some take seconds.
parallel="--dist worksteal --timing without"

if [ "$named${COVERAGE:-}" = nothing1 ]; then
    say "pytest with coverage, $cores at a time"
    # Subprocesses are measured, too. The archive is not, because its code does not belong to a file.
    in_process="tests/unit tests/integration tests/system/engine"
    rm -rf "$cache/coverage"
    mkdir -p "$cache/coverage"
    export COVERAGE_PROCESS_START="$root/pyproject.toml"
    # shellcheck disable=SC2086 # several words
    run -n "$cores" $parallel "$@" $in_process
    unset COVERAGE_PROCESS_START
    "$tests/bin/python" -m coverage combine --quiet
    "$tests/bin/python" -m coverage report >"$cache/coverage/report.txt" || {
        tail -n 3 "$cache/coverage/report.txt" >&2
        die "too few branches are tested, see .cache/coverage/report.txt"
    }
    tail -n 1 "$cache/coverage/report.txt" >&2
    parallel="$parallel --ignore=tests/unit --ignore=tests/integration --ignore=tests/system/engine"
fi

# System tests mostly wait for processes and servers, so the cores have work for two of them each.
say "pytest, $((cores * 2)) at a time"
# shellcheck disable=SC2086
run -n $((cores * 2)) $parallel "$@"

say "pytest, what measures time, one at a time"
status=0
run -n 0 --timing only "$@" || status=$?
for again in 1 2; do
    [ "$status" = 1 ] || exit "$status"
    say "Again ($again of 2), what measures time and failed:"
    cat "$cache/pytest/v/cache/lastfailed" >&2
    status=0
    "$tests/bin/python" -m pytest -n 0 --timing only --last-failed --last-failed-no-failures none "$@" || status=$?
done
exit "$status"
