"""The shell scripts: what they need, what they say when it is missing, what they pass on."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.support.commandline import ROOT

SCRIPTS = ROOT / "ops"


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """An environment that counts as made; its trunkline prints its arguments and exits 7."""
    return _made(tmp_path / "venv")


def _made(venv: Path, **env: str) -> Path:
    (venv / "bin").mkdir(parents=True)
    for extra in ("", "test"):
        stamp = shell(f"choose_python; stamp_of {extra}", **env)
        (venv / f".made-{extra or 'base'}").write_text(stamp)
    _program(venv / "bin" / "trunkline", 'printf "[%s]" "$@"; exit 7')
    return venv


def _program(path: Path, script: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def shell(script: str, **env: str) -> str:
    """Return what a script prints that has sourced environment.sh."""
    path = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    return subprocess.run(
        ["bash", "-ec", f". {SCRIPTS}/environment.sh; {script}"],
        env=path | env,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


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
    for name in ("ngircd", "inspircd", "strace"):
        _program(made / "bin" / name, "")
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


def _python(path: Path, version: str) -> Path:
    """Make a program that answers as that interpreter does, as far as the scripts ask."""
    old = "exit 1" if version < "3.11" else "exit 0"
    _program(
        path,
        f'case "$*" in *version_info*) echo {version}; {old};; *base_prefix*) echo {path};; esac',
    )
    return path


def test_check_in_full_runs_the_slow_suites_with_every_interpreter(
    tools: Path, tmp_path: Path
) -> None:
    chosen = _python(tmp_path / "bin" / "chosen", "3.11")
    found = _python(tmp_path / "bin" / "python3.13", "3.13")
    _python(tmp_path / "bin" / "python3.14", "3.14")  # of which no environment can be made
    path = f"{tmp_path / 'bin'}:/usr/bin:/bin"
    here = {"PATH": path, "PYTHON": str(chosen), "TRUNKLINE_VENV": str(tools)}
    (tools / ".made-test").write_text(shell("choose_python; stamp_of test", **here))
    other = _made(Path(f"{tools}-3.13"), PATH=path, PYTHON=str(found))
    _program(other / "bin" / "python", 'echo "== 3 passed with 3.13 =="; echo "other: $*" >&2')
    done = run("ops/check", "--full", **here)
    assert done.returncode == 0, done.stderr
    once = "--deselect tests/e2e/test_nothing_is_lost.py::test_a_thousand_kills_lose_nothing"
    assert f"other: -m pytest -n 4 --dist worksteal --full {once}\n" in done.stderr
    assert "-m pytest -n 4 --dist worksteal --cov --cov-report=term --full\n" in done.stderr
    assert done.stdout.splitlines()[-1] == "== 3 passed in 0.1s =="
    assert "not run, for no environment could be made: Python 3.14" in done.stderr


SYSTEM = Path("/usr/bin/python3")


@pytest.mark.parametrize(
    ("first", "given", "chosen"),
    [
        ("3.13", "", "/usr/bin/python3"),
        ("3.9", "", "/usr/bin/python3"),
        ("3.13", "/opt/python", "/opt/python"),
    ],
)
@pytest.mark.skipif(not SYSTEM.exists(), reason="the system has no Python of its own")
def test_the_system_s_own_interpreter_is_chosen_whatever_stands_first(
    tmp_path: Path, first: str, given: str, chosen: str
) -> None:
    _python(tmp_path / "python3", first)
    path = f"{tmp_path}:/usr/bin:/bin"
    assert shell('choose_python; printf %s "$python"', PATH=path, PYTHON=given) == chosen


def test_an_environment_of_another_interpreter_is_made_anew_for_the_checks(
    tools: Path, tmp_path: Path
) -> None:
    other = _python(tmp_path / "other", "3.13")
    _program(tmp_path / "uv", 'echo "uv $*" >&2; exit 1')
    path = f"{tmp_path}:/usr/bin:/bin"
    done = run("ops/check", TRUNKLINE_VENV=str(tools), PATH=path, PYTHON=str(other))
    assert done.returncode == 1
    assert f"uv venv --quiet --python {other} {tools}" in done.stderr


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


def test_the_readme_names_the_interpreters_that_the_package_does() -> None:
    (line,) = (
        each for each in (ROOT / "README.md").read_text().splitlines() if "Supported:" in each
    )
    tested = re.findall(r"\b(3\.\d+)\.\d+\b", line)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [each.rpartition(" :: ")[2] for each in project["classifiers"] if "Python :: " in each]
    assert tested == named
    assert project["requires-python"] == f">={named[0]}"
