#!/bin/sh
# Makes .venv with every locked package and this project in it. Instant when nothing changed.
#
#   sh deploy/bootstrap.sh            install what is missing
#   PYTHON=/path/to/python3 sh …      with this Python (3.11 to 3.14) instead of the first fitting one
#
# System packages that are missing (venv, pip) are installed with apt by root or by sudo without a password; otherwise the one line to
# run is printed and nothing is changed. Everything else stays inside the project folder.
set -eu
cd "$(dirname "$0")/.."
LOCK=deploy/locks/dev.txt
VENV=.venv
CACHE=.traboule/cache

say() { printf '%s\n' "$*"; }
fail() { printf '%s\n' "$@" >&2; exit 1; }

digest() { cat "$@" | sha256sum | cut -d' ' -f1; }

# --- nothing to do? -------------------------------------------------------------------------------------------------
packages_stamp=$(digest "$LOCK")
project_stamp=$(find proto/traboule proto/third_party -name '*.proto' | LC_ALL=C sort | xargs cat "$LOCK" pyproject.toml hatch_build.py | sha256sum | cut -d' ' -f1)
here=$(pwd -P)
is_done() { [ -f "$VENV/.stamp-$1" ] && [ "$(cat "$VENV/.stamp-$1")" = "$2 $here" ]; }
if is_done project "$project_stamp" && [ -x "$VENV/bin/traboule" ] && [ -f proto/gen/STAMP ]; then
    exit 0
fi

# --- one installation at a time -------------------------------------------------------------------------------------
mkdir -p "$CACHE"
if command -v flock >/dev/null 2>&1; then
    exec 9>.traboule/install.lock
    flock -n 9 || { say "waiting for another installation in this folder"; flock 9; }
fi

# --- what the system must bring -------------------------------------------------------------------------------------
fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' >/dev/null 2>&1; }
find_python() {
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if command -v "$candidate" >/dev/null 2>&1 && fits "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
}
missing_packages() {
    python=$(find_python)
    if [ -z "$python" ]; then
        printf 'python3 python3-venv '
    elif ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        if [ "$("$python" -c 'import sys; print(sys.prefix)')" = /usr ]; then printf 'python%s-venv ' "$version"; else printf 'python3-venv '; fi
    fi
    [ -s /etc/ssl/certs/ca-certificates.crt ] || [ -n "${SSL_CERT_FILE:-}${PIP_CERT:-}" ] || printf 'ca-certificates '
}
if [ ! -x "$VENV/bin/python" ] || ! "$VENV/bin/python" -m pip --version >/dev/null 2>&1 || [ -e "$VENV/.installing" ]; then
    missing=$(missing_packages)
    if [ -n "$missing" ]; then
        line="apt-get update && apt-get install -y --no-install-recommends $missing"
        command -v apt-get >/dev/null 2>&1 || fail "Missing on this system: $missing" "Install them (Python 3.11 to 3.14 with venv and pip), then run the same command again."
        if [ "$(id -u)" = 0 ]; then
            as_root=
        elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
            as_root="sudo -n"
        else
            fail "Missing on this system: $missing" "Run this line, then the same command again:" "    sudo sh -c '$line'"
        fi
        say "installing system packages: $missing"
        # shellcheck disable=SC2086
        { $as_root apt-get update -qq && $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } >.traboule/apt.log 2>&1 </dev/null ||
            { tail -n 15 .traboule/apt.log >&2; fail "apt failed (log: .traboule/apt.log). Run this line yourself, then the same command again:" "    $line"; }
    fi
    python=$(find_python)
    [ -n "$python" ] || fail "No Python 3.11 to 3.14 was found: this system offers $(python3 --version 2>/dev/null || echo none)." "Install one and run the same command with PYTHON=/path/to/it."
    say "creating $VENV with $("$python" --version)"
    rm -rf "$VENV"
    "$python" -m venv "$VENV"
fi

# --- packages, with hashes ------------------------------------------------------------------------------------------
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore
export PIP_CACHE_DIR="${PIP_CACHE_DIR:-$here/$CACHE/pip}" TMPDIR="$here/.traboule/tmp/install"
rm -rf "$TMPDIR"
mkdir -p "$TMPDIR"
if ! is_done packages "$packages_stamp"; then
    count=$(grep -c '^[a-zA-Z0-9_.-]*==' "$LOCK")
    say "installing $count locked packages into $VENV (some minutes the first time)"
    : >"$VENV/.installing"
    # json2html (of gtfs-kit) is pure Python without a wheel; everything else comes as wheels, nothing is compiled here.
    "$VENV/bin/python" -m pip install --require-hashes --only-binary :all: --no-binary json2html -r "$LOCK" >.traboule/pip.log 2>&1 &
    pip=$!
    trap 'kill $pip 2>/dev/null; fail "Interrupted. The same command goes on where it stopped."' INT TERM
    seconds=0
    while kill -0 $pip 2>/dev/null; do
        sleep 1
        seconds=$((seconds + 1))
        fetched=$(grep -c '^Collecting ' .traboule/pip.log || true)
        step="$fetched of $count packages fetched"
        if grep -q '^Installing collected' .traboule/pip.log; then step="all fetched, unpacking        "; fi
        if [ -t 1 ]; then printf '\r  %s, %s s ' "$step" "$seconds"; elif [ $((seconds % 30)) = 0 ]; then say "  $step"; fi
    done
    trap - INT TERM
    wait $pip || { tail -n 15 .traboule/pip.log >&2; fail "" "Packages could not be installed (log: .traboule/pip.log). The same command goes on where it stopped."; }
    if [ -t 1 ]; then printf '\r'; fi
    say "installed $count packages"
    rm -f "$VENV/.installing"
    printf '%s %s' "$packages_stamp" "$here" >"$VENV/.stamp-packages"
fi

# --- this project ---------------------------------------------------------------------------------------------------
say "installing the project (generated code, the traboule command)"
"$VENV/bin/python" -m pip install --quiet --no-deps --no-build-isolation -e . >.traboule/pip.log 2>&1 </dev/null ||
    { tail -n 15 .traboule/pip.log >&2; fail "" "The project could not be installed (log: .traboule/pip.log)."; }
"$VENV/bin/python" hatch_build.py >/dev/null
rm -rf "$TMPDIR"
if [ "$PIP_CACHE_DIR" = "$here/$CACHE/pip" ]; then rm -rf "$PIP_CACHE_DIR"; fi
printf '%s %s' "$project_stamp" "$here" >"$VENV/.stamp-project"
