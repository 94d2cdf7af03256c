#!/bin/sh
# Runs one scenario on root file systems of Debian's releases, of musl and of this machine, each under every condition
# (not PID 1, no /proc, a read-only root ...), and prints the table. Exit code 1 if a cell failed.
# Usage: scripts/test-images.sh [--quick] [--only NAME]... [--pyz FILE] [--write]
#   --quick  as in CI: one small root under all conditions, musl if it was made, the Pythons of this machine under some
#   --only   a row or a column; may be repeated
#   --pyz    the archive to test (default: CONTAINERPILOT_PYZ, or dist/containerpilot.pyz, built if it is missing)
#   --write  updates docs/reference/images.md, if nothing failed
# Environment: PYTHON      the Python that drives it (default: python3)
#              APT_MIRROR  the mirror of Debian for the roots (default: the mirror of this machine's apt)
# Needs `unshare`, and root to make the roots. Without root it needs a Linux where users may make namespaces, and leaves
# out two columns. The roots are kept in .cache/images (400 MB). musl takes minutes to build.
set -eu
. "$(dirname -- "$0")/lib.sh"

exec "$(choose_python)" -B -m tests.images "$@"
