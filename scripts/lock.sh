#!/bin/sh
# Updates the lock files: the newest versions that pyproject.toml allows, with their hashes.
# Usage: scripts/lock.sh
set -eu
. "$(dirname -- "$0")/lib.sh"

python=$(choose_python)
tools=$cache/lock-$(version_of "$python")
[ -x "$tools/bin/uv" ] || {
    make_venv "$python" "$tools"
    environment_pip "$tools" install uv
}

# lock FILE ARGUMENTS. It writes an own header, because uv's header has the paths of this machine.
lock() {
    file=$1
    shift
    say "Locking $file"
    {
        printf '# Made by scripts/lock.sh from pyproject.toml. Do not edit.\n'
        "$tools/bin/uv" pip compile --quiet --universal --generate-hashes --python-version "${oldest:-3.10}" --no-python-downloads \
            --upgrade --no-header --no-annotate --no-emit-index-url --no-emit-find-links "$@"
    } >"$file.new"
    mv "$file.new" "$file"
}

lock build/requirements.lock pyproject.toml
# It is not installed: the build takes the native files from its wheels.
lock build/orjson.lock pyproject.toml --extra orjson --no-emit-package h11 --no-emit-package urllib3
lock build/tools.lock --group build
lock tests/requirements.lock pyproject.toml --extra dev
# The programs that benchmarks/ measures for comparison.
lock benchmarks/peers.lock benchmarks/peers.in
# For scripts/fuzz.sh. atheris needs a newer Python.
oldest=3.12 lock tests/fuzz/requirements.lock tests/fuzz/requirements.in
