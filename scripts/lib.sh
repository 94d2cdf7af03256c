# Functions of all scripts, for POSIX sh. Source this file. It sets `root`, and changes to this folder.
#
# All downloads and results are in .cache/ and dist/ in the repository, so HOME is not needed.

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root" || exit 1
cache=$root/.cache

export PIP_CACHE_DIR="$cache/pip" PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore
# pip fails for a user without a home folder.
if [ -z "${HOME:-}" ] && ! getent passwd "$(id -u)" >/dev/null 2>&1; then
    export HOME="$cache/home"
fi
# These variables would add other packages, or install the project's packages elsewhere.
unset PYTHONPATH PYTHONHOME PYTHONSAFEPATH PIP_TARGET PIP_PREFIX PIP_USER PIP_REQUIRE_VIRTUALENV

say() {
    printf '%s\n' "$*" >&2
}

die() {
    say "$(basename -- "$0"): $*"
    exit 1
}

# Whether $1 is a Python that this project supports.
usable_python() {
    "$1" -c 'import sys; sys.exit(not (sys.version_info >= (3, 10) and sys.implementation.name == "cpython"))' 2>/dev/null
}

# Prints the Pythons of this machine, oldest first, one of each version: "3.11 /path/to/it".
list_pythons() {
    for candidate in python3 python3.10 python3.11 python3.12 python3.13 python3.14 python3.15 \
        "${PYENV_ROOT:-${HOME:-/nonexistent}/.pyenv}"/versions/*/bin/python3; do
        usable_python "$candidate" || continue
        "$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2], sys.executable)'
    done | sort -t . -k 1,1n -k 2,2n -s | awk '!seen[$1]++'
}

# Prints the Python to use: $PYTHON, or python3, or the newest one of this machine.
choose_python() {
    if [ -n "${PYTHON:-}" ]; then
        usable_python "$PYTHON" || die "cannot use PYTHON=$PYTHON: it is no CPython of 3.10 or newer"
        command -v "$PYTHON"
    elif usable_python python3; then
        command -v python3
    else
        chosen=$(list_pythons | tail -n 1 | cut -d ' ' -f 2-)
        [ -n "$chosen" ] || die "cannot find Python 3.10 or newer: install it, or name one in PYTHON"
        echo "$chosen"
    fi
}

# environment_pip FOLDER ARGUMENTS: runs the pip of a virtual environment.
environment_pip() {
    folder=$1
    shift
    "$folder/bin/python" -m pip --quiet "$@"
}

# Prints this Python if it has pip, or another one of this machine that has pip, or nothing.
first_with_pip() {
    {
        echo "$1"
        list_pythons | cut -d ' ' -f 2-
    } | while read -r candidate; do
        if "$candidate" -m pip --version >/dev/null 2>&1 </dev/null; then
            echo "$candidate"
            break
        fi
    done
}

# Makes a virtual environment at $2 with $1. Debian's Python does not have the package with which venv installs pip.
make_venv() {
    rm -rf "$2"
    log=$2.log
    mkdir -p "$(dirname -- "$2")"
    "$1" -m venv "$2" >"$log" 2>&1 && return
    rm -rf "$2"
    with_pip=$(first_with_pip "$1")
    if [ -n "$with_pip" ] && "$1" -m venv --without-pip "$2" >>"$log" 2>&1; then
        # That pip belongs to another Python and may be old, so it only installs the pip of the build's lock.
        site=$("$2/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
        "$with_pip" -m pip --quiet install --target "$site" --require-hashes --no-deps --only-binary :all: \
            -r "$root/build/tools.lock" >>"$log" 2>&1 && return
    fi
    rm -rf "$2"
    version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "Installing python$version-venv, which this Python lacks."
        {
            apt-get -qq update
            DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "python$version-venv"
            "$1" -m venv "$2"
        } >>"$log" 2>&1 && return
    fi
    tail -n 5 "$log" >&2
    die "cannot make a virtual environment with $1: it has neither ensurepip nor pip; install python$version-venv (Debian, Ubuntu) or python3-pip"
}

# make_environment PYTHON FOLDER LOCK: a virtual environment with exactly the packages of a lock. Made again if the lock
# changed.
make_environment() {
    stamp=$2/.lock
    if cmp -s "$3" "$stamp" && "$2/bin/python" -c '' 2>/dev/null; then
        return
    fi
    say "Installing the packages of $(basename -- "$(dirname -- "$3")")/$(basename -- "$3") into ${2#"$root"/}"
    make_venv "$1" "$2"
    environment_pip "$2" install --require-hashes --only-binary :all: --no-compile -r "$3" ||
        die "cannot install the packages of $3, see above"
    cp "$3" "$stamp"
}

# The version of a Python as part of a folder's name.
version_of() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'
}
