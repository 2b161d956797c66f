# Sourced by ops/up and ops/check: makes .venv, and makes it anew only when it must.
#
# uv where there is one, else venv and pip; versions from constraints.txt. A stamp holds the
# hash of what the environment was made from, so that the second time costs milliseconds.
# TRUNKLINE_VENV puts it elsewhere. PYTHON names the interpreter; without it that is the system's
# own, which a fresh host has, whatever stands first on the PATH.

root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
venv=${TRUNKLINE_VENV:-$root/.venv}

policy=/usr/sbin/policy-rc.d # what Debian asks before it starts a service

say() { printf '%s\n' "$*" >&2; }

# make_environment [EXTRA]: with the extra of pyproject.toml, test for example
make_environment() {
    local extra=${1:-} want stamp
    if [ -n "$extra" ]; then choose_python; fi
    stamp="$venv/.made-${extra:-base}"
    want=$(stamp_of "$extra")
    is_made "$stamp" "$want" && return
    choose_python
    exec 9<"$root/ops"
    flock 9 # two at once: the second waits, and finds it made
    if ! is_made "$stamp" "$want"; then
        say "making the environment in $venv"
        is_usable "$extra" || rm -rf "$venv"
        install_project "$root${extra:+[$extra]}"
        stamp_of >"$venv/.made-base"
        printf '%s\n' "$want" >"$stamp"
    fi
    exec 9<&-
}

is_made() { [ -x "$venv/bin/trunkline" ] && [ "$(cat "$1" 2>/dev/null)" = "$2" ]; }

# stamp_of [EXTRA]: what is to be checked is checked with the interpreter that is chosen
stamp_of() {
    {
        cat "$root/pyproject.toml" "$root/constraints.txt"
        if [ -n "${1:-}" ]; then identity "${python:-}"; fi
    } | sha256sum | cut -d' ' -f1
}

is_usable() {
    "$venv/bin/python" -c '' 2>/dev/null || return
    [ -z "$1" ] || [ -z "$python" ] || [ "$(identity "$venv/bin/python")" = "$(identity "$python")" ]
}

identity() { "$1" -c 'import sys; print(sys.base_prefix, sys.version)' 2>/dev/null || true; }

choose_python() {
    local each
    python=${PYTHON:-}
    [ -z "$python" ] || return 0
    for each in /usr/bin/python3 python3; do
        if minor_version "$each" >/dev/null; then
            python=$each
            return
        fi
    done
}

# minor_version PYTHON: prints 3.11, say; fails when it is older
minor_version() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2]); sys.exit(sys.version_info < (3, 11))' \
        2>/dev/null
}

# other_pythons: a line "3.12 PATH" for each further version that is found here
other_pythons() {
    local each version seen
    seen=" $(minor_version "$python") "
    for each in python3.{11..19} "$HOME"/.pyenv/versions/3.*/bin/python3 \
        "$HOME"/.local/share/uv/python/cpython-3.*/bin/python3; do
        version=$(minor_version "$each") || continue
        case $seen in *" $version "*) continue ;; esac
        seen+="$version "
        printf '%s %s\n' "$version" "$(command -v "$each")"
    done
}

install_project() {
    local pins=$root/constraints.txt
    if command -v uv >/dev/null; then
        [ -x "$venv/bin/python" ] || uv venv --quiet ${python:+--python "$python"} "$venv"
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
    python=${python:-python3}
    pip=("$venv/bin/python" -m pip)
    if ! minor_version "$python" >/dev/null; then
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

# need_for_tests PROGRAM [PACKAGE]: of a Debian package, by default of the same name; its tests are
# skipped without
need_for_tests() {
    command -v "$1" >/dev/null && return
    local package=${2:-$1}
    if ! as_root_with_apt; then
        say "$1 is not installed and we are not root: the tests that need it are skipped."
    elif apt_install "$package"; then
        return
    else
        say "$1 could not be installed: the tests that need it are skipped."
    fi
    say "To run them: sudo apt-get install $package"
}
