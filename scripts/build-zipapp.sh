#!/bin/sh
# Builds dist/containerpilot.pyz, on any machine with Python 3.10 or newer and a network to the package registry.
# Usage: scripts/build-zipapp.sh
# Environment: PYTHON   the Python that builds (default: python3)
#              PYTHONS  more Pythons to make bytecode for, than those on PATH and under a pyenv root
#              SOURCE_DATE_EPOCH  the time of the files in the archive (default: that of the last commit)
set -eu
. "$(dirname -- "$0")/lib.sh"

python=$(choose_python)
tools=$cache/build-$(version_of "$python")
packages=$cache/packages

make_environment "$python" "$tools" "$root/build/tools.lock"

if ! cmp -s build/requirements.lock "$packages/.lock"; then
    rm -rf "$packages"
    environment_pip "$tools" install --target "$packages" --require-hashes --no-deps --only-binary :all: --no-compile \
        -r build/requirements.lock || die "cannot fetch the packages of build/requirements.lock, see above"
    cp build/requirements.lock "$packages/.lock"
fi

exec "$tools/bin/python" -m build.archive "$packages" dist/containerpilot.pyz
