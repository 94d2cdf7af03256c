#!/bin/sh
# Builds dist/containerpilot.pyz, on any machine with Python 3.10 or newer and access to the package registry. Beside
# it, it writes the hash (.sha256) and the bill of materials (.cdx.json).
# Usage: scripts/build-zipapp.sh [--release]
# Without --release, the archive has bytecode and native files for the Pythons of this machine. A release has them for
# all supported ones, CPython 3.10 to 3.15, or is not built. Missing Pythons come from packages of Debian or Ubuntu, if
# they have them (see fetch-python.py).
# Environment: PYTHON   the Python that builds (default: python3)
#              PYTHONS  Pythons to make bytecode for, in addition to those on PATH and under a pyenv root
#              SOURCE_DATE_EPOCH  the time of the files in the archive (default: the time of the last commit)
set -eu
. "$(dirname -- "$0")/lib.sh"

release=
case "$*" in
'') ;;
--release) release=--release ;;
*) die "cannot understand \`$*\`: usage: scripts/build-zipapp.sh [--release]" ;;
esac

python=$(choose_python)
tools=$cache/build-$(version_of "$python")
packages=$cache/packages

make_environment "$python" "$tools" "$root/build/tools.lock"

if ! cmp -s build/requirements.lock "$packages/.lock" || ! [ -f "$packages.json" ]; then
    rm -rf "$packages"
    environment_pip "$tools" install --target "$packages" --require-hashes --no-deps --only-binary :all: --no-compile \
        --report "$packages.json" -r build/requirements.lock ||
        die "cannot fetch the packages of build/requirements.lock, see above"
    cp build/requirements.lock "$packages/.lock"
fi

if [ -n "$release" ]; then
    # If some are still missing, the build lists them.
    for version in $("$tools/bin/python" -m build.pythons); do
        fetched=$("$python" scripts/fetch-python.py "$version") && PYTHONS="$fetched ${PYTHONS:-}"
    done
    export PYTHONS
fi

exec "$tools/bin/python" -m build.archive $release "$packages" "$cache/orjson" dist/containerpilot.pyz
