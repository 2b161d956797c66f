"""The shell scripts: what they need, what they say when it is missing, what they pass on."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.commandline import ROOT

SCRIPTS = ROOT / "ops"


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """An environment that counts as made; its trunkline prints its arguments and exits 7."""
    sources = [ROOT / "pyproject.toml", ROOT / "constraints.txt"]
    stamp = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    programs = tmp_path / "venv" / "bin"
    programs.mkdir(parents=True)
    for extra in ("base", "test"):
        (tmp_path / "venv" / f".made-{extra}").write_text(f"{stamp}\n")
    _program(programs / "trunkline", 'printf "[%s]" "$@"; exit 7')
    return tmp_path / "venv"


def _program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def run(script: str, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    path = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    return subprocess.run(
        [ROOT / script, *args], env=path | env, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    ("script", "before"),
    [
        ("channel-start", "[channels][start][--wait]"),
        ("channel-stop", "[channels][stop][--wait]"),
        ("channel-restart", "[channels][restart][--wait]"),
        ("channel-status", "[channels][status]"),
        ("trunkline", ""),
    ],
)
def test_a_channel_script_passes_arguments_and_exit_code_on(
    made: Path, script: str, before: str
) -> None:
    done = run(f"ops/{script}", "irc:libera", "--reason", "a b", TRUNKLINE_VENV=str(made))
    assert (done.returncode, done.stdout) == (7, f"{before}[irc:libera][--reason][a b]")


def test_a_script_may_be_linked_to(made: Path, tmp_path: Path) -> None:
    link = tmp_path / "stop"
    link.symlink_to(SCRIPTS / "channel-stop")
    done = subprocess.run([link, "x"], env={"TRUNKLINE_VENV": str(made)}, capture_output=True)
    assert done.stdout == b"[channels][stop][--wait][x]"


def test_up_runs_in_an_environment_that_is_made_already(made: Path) -> None:
    done = run("ops/up", "--port", "1", TRUNKLINE_VENV=str(made))
    assert (done.returncode, done.stdout) == (7, "[up][--port][1]")
    assert "bin/activate" in done.stderr


def test_up_says_what_python_it_needs(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    _program(old, 'if [ "$1" = -V ]; then echo Python 3.9.2; else exit 1; fi')
    done = run("ops/up", PYTHON=str(old), TRUNKLINE_VENV=str(tmp_path / "v"), PATH="/usr/bin:/bin")
    assert done.returncode == 1
    assert "3.11" in done.stderr
    assert "Python 3.9.2" in done.stderr


def test_up_says_what_to_install_when_venv_is_incomplete(tmp_path: Path) -> None:
    """A Debian without python3-venv, and without pip, used by somebody who is not root."""
    bare = tmp_path / "python3"
    _program(bare, 'case "$*" in *ensurepip*|*pip*) exit 1;; esac')
    _program(tmp_path / "id", "echo 1000")
    path = f"{tmp_path}:/usr/bin:/bin"
    done = run("ops/up", PYTHON=str(bare), TRUNKLINE_VENV=str(tmp_path / "v"), PATH=path)
    assert done.returncode == 1
    assert "apt-get install python3-venv" in done.stderr


def test_an_environment_of_other_versions_is_made_anew(made: Path, tmp_path: Path) -> None:
    """uv is asked to install: the real one would, this one shows what it was asked for."""
    (made / ".made-base").write_text("other\n")
    _program(tmp_path / "uv", 'echo "uv $*" >&2')
    done = run(
        "ops/up", TRUNKLINE_VENV=str(made), PATH=f"{tmp_path}:/usr/bin:/bin", PYTHON="/bin/true"
    )
    assert "uv venv" in done.stderr
    assert f"--constraint {ROOT}/constraints.txt" in done.stderr
    assert f"--editable {ROOT}" in done.stderr


@pytest.fixture
def tools(made: Path) -> Path:
    for name in ("ruff", "mypy"):
        _program(made / "bin" / name, f'echo "{name} $*"')
    _program(made / "bin" / "python", 'echo "== 3 passed in 0.1s =="; echo "$*" >&2')
    _program(made / "bin" / "ngircd", "")
    return made


def test_check_ends_in_the_summary_of_the_tests(tools: Path) -> None:
    done = run("ops/check", "-k", "x y", TRUNKLINE_VENV=str(tools))
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "ruff format --check .",
        "ruff check .",
        "mypy ",
        "== 3 passed in 0.1s ==",
    ]
    assert "-m pytest -n 4 --dist worksteal -k x y" in done.stderr
    assert "cov" not in done.stderr


def test_check_in_full_runs_the_slow_suites_with_coverage(tools: Path) -> None:
    done = run("ops/check", "--full", TRUNKLINE_VENV=str(tools))
    assert "--full --cov" in done.stderr


@pytest.mark.parametrize("tool", ["ruff", "mypy", "python"])
def test_check_fails_when_anything_fails_and_runs_the_rest_all_the_same(
    tools: Path, tool: str
) -> None:
    script = (tools / "bin" / tool).read_text()
    (tools / "bin" / tool).write_text(f"{script}exit 1\n")
    done = run("ops/check", TRUNKLINE_VENV=str(tools))
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "== 3 passed in 0.1s =="


@pytest.mark.parametrize(
    ("user", "status", "said"),
    [("1000", 0, "not root"), ("0", 100, "could not be installed"), ("0", 0, "installing")],
)
def test_a_program_that_tests_need_is_installed_or_asked_for(
    tmp_path: Path, user: str, status: int, said: str
) -> None:
    _program(tmp_path / "id", f"echo {user}")
    _program(tmp_path / "apt-get", f'echo "apt-get $*"; exit {status}')
    policy = tmp_path / "policy"
    done = subprocess.run(
        ["bash", "-ec", f". {SCRIPTS}/environment.sh; policy={policy}; need_for_tests no-such"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert said in done.stderr
    assert ("sudo apt-get install no-such" in done.stderr) == (said != "installing")
    assert not policy.exists()


def test_continuous_integration_runs_exactly_check(tools: Path) -> None:
    done = run(".ci/run", TRUNKLINE_VENV=str(tools))
    assert done.stdout == run("ops/check", TRUNKLINE_VENV=str(tools)).stdout


def test_the_pins_hold_names_and_versions_only() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert pins
    assert all(len(line.split("==")) == 2 and "/" not in line for line in pins)
