"""The scripts by which shells complete commands."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ops.cli.completion import PLACES, script
from ops.exits import ExitCode
from tests.ops.conftest import CommandLine

KEYS = "local:demo local:other irc:libera agent:main"
# What bash does at Tab, with a program that knows some keys in the place of ours.
TAB = """
trunkline() { [[ $1 == __keys ]] && printf '%s\\n' $KEYS; }
source "$SCRIPT"
COMP_LINE=$LINE COMP_POINT=${#LINE}
read -r -a COMP_WORDS <<< "$LINE"
[[ $LINE == *' ' ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_trunkline
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def bash_script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("completion") / "trunkline"
    path.write_text(script("bash"))
    return path


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("trunkline chan", ["channels"]),
        ("trunkline channels sta", ["status", "start"]),
        ("trunkline channels start --w", ["--wait"]),
        ("trunkline channels start ir", ["irc:libera"]),
        ("trunkline channels start local:", ["demo", "other"]),  # the colon ends a word of bash
        ("trunkline channels start irc:libera local:d", ["demo"]),
        ("trunkline --profile p channels start local:o", ["other"]),
        ("trunkline agents stop ", ["main"]),
        ("trunkline --prof", ["--profile"]),
        ("trunkline sessions show x", []),
        ("trunkline chat ", ["local:demo", "local:other"]),
        ("trunkline chat i", []),
        ("trunkline help pha", ["phases"]),
        ("trunkline help deadl", ["deadletters"]),
        ("trunkline config example tele", ["telegram"]),
        ("trunkline nothing ", None),
    ],
)
def test_bash_completes(bash_script: Path, line: str, words: list[str] | None) -> None:
    done = subprocess.run(
        ["bash", "-c", TAB],
        env={"PATH": "/usr/bin:/bin", "LINE": line, "KEYS": KEYS, "SCRIPT": str(bash_script)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    if words is not None:
        assert done.stdout.split() == words


@pytest.mark.parametrize("shell", PLACES)
def test_each_shell_has_a_script_that_it_understands(cli: CommandLine, shell: str) -> None:
    text = cli(f"completion {shell}").out
    assert PLACES[shell] in text.splitlines()[1 if shell == "zsh" else 0]
    assert "channels start" in text
    if program := shutil.which(shell):
        done = subprocess.run([program, "-n"], input=text, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


def test_another_shell_is_refused(cli: CommandLine) -> None:
    cli("completion tcsh").complains(ExitCode.USAGE, "bash, zsh, fish")
