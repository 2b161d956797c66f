# Sourced by ops/up and ops/check: makes .venv, and makes it anew only when it must.
#
# uv where there is one, else venv and pip; versions from constraints.txt. A stamp holds the
# hash of what the environment was made from, so that the second time costs milliseconds.
# TRUNKLINE_VENV puts it elsewhere, PYTHON names another interpreter.

root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
venv=${TRUNKLINE_VENV:-$root/.venv}

policy=/usr/sbin/policy-rc.d # what Debian asks before it starts a service

say() { printf '%s\n' "$*" >&2; }

# make_environment [EXTRA]: with the extra of pyproject.toml, test for example
make_environment() {
    local extra=${1:-} want stamp
    stamp="$venv/.made-${extra:-base}"
    want=$(cat "$root/pyproject.toml" "$root/constraints.txt" | sha256sum | cut -d' ' -f1)
    is_made "$stamp" "$want" && return
    exec 9<"$root/ops"
    flock 9 # two at once: the second waits, and finds it made
    if ! is_made "$stamp" "$want"; then
        say "making the environment in $venv"
        "$venv/bin/python" -c '' 2>/dev/null || rm -rf "$venv"
        install_project "$root${extra:+[$extra]}"
        printf '%s\n' "$want" | tee "$venv/.made-base" >"$stamp"
    fi
    exec 9<&-
}

is_made() { [ -x "$venv/bin/trunkline" ] && [ "$(cat "$1" 2>/dev/null)" = "$2" ]; }

install_project() {
    local pins=$root/constraints.txt
    if command -v uv >/dev/null; then
        [ -x "$venv/bin/python" ] || uv venv --quiet ${PYTHON:+--python "$PYTHON"} "$venv"
        uv pip install --quiet --python "$venv/bin/python" \
            --constraint "$pins" --build-constraint "$pins" --editable "$1"
        return
    fi
    need_python
    [ -x "$venv/bin/python" ] || make_venv
    # the variable, unlike the option, also pins what builds the package
    PIP_CONSTRAINT=$pins PIP_DISABLE_PIP_VERSION_CHECK=1 \
        "${pip[@]}" install --quiet --editable "$1"
}

need_python() {
    python=${PYTHON:-python3}
    pip=("$venv/bin/python" -m pip)
    if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        say "Trunkline needs Python 3.11 or later; '$python' is $("$python" -V 2>&1 || true)."
        say "Install it (Debian 12: apt-get install python3), or name one: PYTHON=/path/to/python3"
        exit 1
    fi
}

# Debian keeps the part of venv that brings pip in a package of its own.
make_venv() {
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        if as_root_with_apt; then
            apt_install python3-venv || true
        fi
    fi
    if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        "$python" -m venv "$venv"
    elif "$python" -m pip --version >/dev/null 2>&1; then
        "$python" -m venv --without-pip "$venv"
        pip=("$python" -m pip --python "$venv/bin/python")
    else
        say "Python's venv is incomplete here. Install it: sudo apt-get install python3-venv"
        say "(or install uv, which needs neither), then run this again."
        exit 1
    fi
}

as_root_with_apt() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

# apt_install PACKAGE: without starting the service that it may bring
apt_install() {
    local ours= status=0
    say "installing the Debian package $1"
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && ours=1
    fi
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$1"; } \
        >/dev/null || status=$?
    if [ -n "$ours" ]; then rm -f "$policy"; fi
    return "$status"
}

# need_for_tests PROGRAM: of the Debian package of the same name; its tests are skipped without
need_for_tests() {
    command -v "$1" >/dev/null && return
    if ! as_root_with_apt; then
        say "$1 is not installed and we are not root: the tests that need it are skipped."
    elif apt_install "$1"; then
        return
    else
        say "$1 could not be installed: the tests that need it are skipped."
    fi
    say "To run them: sudo apt-get install $1"
}
