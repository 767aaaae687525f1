# Sourced by the commands in bin/: the virtual environment, made when it is missing or when
# pyproject.toml or a .proto file changed since. `environment dev` adds what tests and checks need.
# Sets ROOT and PYTHON. Not a command of its own.

ROOT=$(cd "$(dirname "$0")/.." && pwd)
PYTHON=$ROOT/.venv/bin/python

say() { printf 'holdfast: %s\n' "$*" >&2; }

# The first Python of 3.11 or newer on this machine that can make a virtual environment.
find_python() {
    for candidate in python3.13 python3.12 python3.11 python3; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
}

# Install Debian packages, saying which. Needs root and apt; else says what to do, and stops.
install_packages() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        say "missing system packages: $*"
        say "on Debian or Ubuntu, run as root: apt-get install $*"
        say "elsewhere, install your system's packages of the same names"
        exit 1
    fi
    say "installing system packages: $*"
    log=$(mktemp)
    if ! { apt-get update && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends "$@"; } >"$log" 2>&1; then
        tail -n 15 "$log" >&2
        rm -f "$log"
        say "apt-get could not install them; its last lines stand above"
        exit 1
    fi
    rm -f "$log"
}

# Print those of the arguments (command:package) whose command is missing, as package names.
missing_packages() {
    for pair in "$@"; do
        command -v "${pair%%:*}" >/dev/null 2>&1 || [ -e "${pair%%:*}" ] || printf '%s ' "${pair##*:}"
    done
}

environment() {
    kind=${1:-run}
    stamp=$ROOT/.venv/holdfast-$kind
    wanted=$(cat "$ROOT/pyproject.toml" "$ROOT/hatch_build.py" "$ROOT"/proto/holdfast/api/*/*/*.proto | cksum)
    [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || return 0
    if [ ! -x "$PYTHON" ]; then
        base=$(find_python)
        if [ -z "$base" ]; then
            install_packages python3 python3-venv
            base=$(find_python)
        fi
        [ -n "$base" ] || { say "Python 3.11 or newer is needed, and none was found"; exit 1; }
        say "making the virtual environment in .venv"
        "$base" -m venv "$ROOT/.venv"
    fi
    say "installing the Python packages of Holdfast (about a minute)"
    target=$ROOT
    [ "$kind" = run ] || target="$ROOT[$kind]"
    "$PYTHON" -m pip install --quiet --disable-pip-version-check --editable "$target" >&2 || {
        say "pip could not install the packages; its message stands above"
        exit 1
    }
    [ "$kind" = run ] || printf '%s' "$wanted" >"$ROOT/.venv/holdfast-run"
    printf '%s' "$wanted" >"$stamp"
}
