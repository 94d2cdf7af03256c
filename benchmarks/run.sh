#!/bin/sh
# Measures this program beside its peers and prints the tables; benchmarks/README.md says how to read them.
# Usage: benchmarks/run.sh [--quick] [--write] [--scenes LIST] [--pyz FILE]
#        benchmarks/run.sh --render
#        --write puts the figures and plots into docs/performance.md as well, --render does so with those of the last run
# Environment: PYTHON   the interpreter to measure with (default: python3)
#              PYTHONS  more interpreters to measure the start on, than those on PATH and under a pyenv root
#              CONSUL   the consul executable (default: the one on PATH, or the one of scripts/fetch-consul.py)
#              CC       the C compiler (default: cc)
set -eu
. "$(dirname -- "$0")/../scripts/lib.sh"

python=$(choose_python)
compiled=$cache/benchmarks
mkdir -p "$compiled"
echo '*' >"$compiled/.gitignore"

compile() {
    # Static where the C library can be: the application's own start is then as short as it gets.
    for linking in -static -O2; do
        if "${CC:-cc}" -std=gnu11 -O2 -Wall -Wextra "$linking" -o "$compiled/$1" "benchmarks/$1.c" >"$compiled/$1.log" 2>&1; then
            return
        fi
    done
    cat "$compiled/$1.log" >&2
    die "cannot compile benchmarks/$1.c, see above"
}

for program in app driver; do
    if [ ! -x "$compiled/$program" ] || [ "benchmarks/$program.c" -nt "$compiled/$program" ]; then
        compile "$program"
    fi
done

exec "$python" -m benchmarks.measure "$@"
