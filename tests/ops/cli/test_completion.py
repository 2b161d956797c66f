"""The scripts by which shells complete commands, each in its own shell."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ops.cli.completion import IDS, PLACES, TAKES, option_values, script
from ops.cli.completion_values import KEYS, LISTS
from ops.cli.tree import commands, root_options
from ops.exits import ExitCode
from tests.ops.conftest import CommandLine

# What answers in the place of our program: a kind and its values on each line.
ANSWERS = """\
@keys local:demo local:other irc:libera agent:main
@logs irc:libera supervisor
@local local:demo local:other
@agents main
@jobs 11-aa 12-bb
@sessions agent:main:main agent:echo:joe@home agent:main:$(touch${IFS}PWNED) agent:main:`x`
@letters 7
@devices d1
@device-requests r1
@nodes n1
@node-requests r2
@people irc:libera
@filter phase=backoff phase=running
@profiles dev work
"""
PROGRAM = """\
#!/bin/sh
echo "$@" >> "$ANSWERS.asked"
grep "^$2 " "$ANSWERS" | cut -d' ' -f2- | tr ' ' '\\n'
"""
# What bash does at Tab. Its words end at a colon and an equals sign, unless it is told otherwise.
BASH = """
source "$SCRIPT"
COMP_WORDBREAKS=$BREAKS
while IFS= read -r LINE; do
    COMP_LINE=$LINE COMP_POINT=${#LINE}
    read -r -a COMP_WORDS <<< "$LINE"
    [[ $LINE == *' ' ]] && COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _trunkline
    echo "${COMPREPLY[@]}"
done
"""
# Its line editor needs a terminal, which zpty makes; all that fits is inserted.
ZSH = """
zmodload zsh/zpty
zpty shell zsh -f -i
{ print -r -- "PS1=; unsetopt zle_bracketed_paste; autoload -U compinit; compinit -u -D"
  print -r -- "source $SCRIPT"
  print -r -- 'every() { _main_complete; compstate[insert]=all; compstate[list]= }'
  print -r -- 'zle -C every complete-word every'
  print -r -- 'show() { print -r -- "<<${BUFFER}>>"; BUFFER= }; zle -N show'
  print -r -- "bindkey '^T' every; bindkey '^X' show; stty -echo; print rea'dy'"
} | while read -r row; do zpty -w shell "$row"; done
while zpty -r shell row; do [[ $row == ready* ]] && break; done
while IFS= read -r line; do
    zpty -n -w shell "$line"$'\\C-t\\C-x'
    while zpty -r shell row; do
        [[ $row == *"<<"*">>"* ]] && row="${row#*<<}" && print -r -- "${row%%>>*}" && break
    done
done
"""
FISH = """
source "$SCRIPT"
while read -l line
    string join -- " " (complete -C "$line" | cut -f1)
end
true
"""
LINES_OF = {
    "bash": ["bash", "-c", BASH],
    "zsh": ["zsh", "-f", "-c", ZSH],
    "fish": ["fish", "-N", "-c", FISH],
}


def completed(
    place: Path, shell: str, lines: list[str], breaks: str = "", known: str = ANSWERS
) -> list[list[str]]:
    """Return what a shell offers at the end of each line; ``known`` is what the daemon has."""
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell}")
    answers, found, program = place / "answers", place / "script", place / "trunkline"
    answers.write_text(known)
    found.write_text(script(shell))
    program.write_text(PROGRAM)
    program.chmod(0o755)
    env = {
        "PATH": f"{place}:/usr/bin:/bin",
        "HOME": str(place),
        "TERM": "xterm",
        "ANSWERS": str(answers),
        "SCRIPT": str(found),
        "BREAKS": breaks,
    }
    done = subprocess.run(
        LINES_OF[shell],
        input="".join(f"{line}\n" for line in lines),
        env=env,
        cwd=place,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert done.stderr == ""
    rows = done.stdout.splitlines()
    assert len(rows) == len(lines)
    return [
        inserted(row, line) if shell == "zsh" else row.split()
        for row, line in zip(rows, lines, strict=True)
    ]


def inserted(row: str, line: str) -> list[str]:
    """Return what zsh has put in the place of the last word of a line."""
    before = line.rpartition(" ")[0]
    return row.removeprefix(before).replace("\\", "").split()


TABLE = [
    ("trunkline chan", ["channels"]),
    ("trunkline channels sta", ["start", "status"]),
    ("trunkline channels start --w", ["--wait"]),
    ("trunkline channels start ir", ["irc:libera"]),
    ("trunkline channels start local:", ["local:demo", "local:other"]),
    ("trunkline channels start irc:libera local:d", ["local:demo"]),
    ("trunkline --profile p channels start local:o", ["local:other"]),
    ("trunkline --profile w", ["work"]),
    ("trunkline agents stop ", ["main"]),
    ("trunkline --prof", ["--profile"]),
    ("trunkline chat ", ["local:demo", "local:other"]),
    ("trunkline logs s", ["supervisor"]),
    ("trunkline help pha", ["phases"]),
    ("trunkline config example tele", ["telegram"]),
    ("trunkline completion f", ["fish"]),
    ("trunkline status -o w", ["wide"]),
    ("trunkline status -o ", ["json", "name", "wide", "yaml"]),
    ("trunkline status --sort rs", ["rss"]),
    ("trunkline status --filter phase=b", ["phase=backoff"]),
    ("trunkline status --filter ", ["phase=backoff", "phase=running"]),
    ("trunkline sessions export --format j", ["jsonl"]),
    ("trunkline wait --for r", ["running"]),
    ("trunkline agent --agent m", ["main"]),
    ("trunkline message send --account ir", ["irc:libera"]),
    ("trunkline cron run 11", ["11-aa"]),
    ("trunkline cron rm ", ["11-aa", "12-bb"]),
    ("trunkline sessions show agent:main:m", ["agent:main:main"]),
    ("trunkline deadletters retry ", ["7"]),
    ("trunkline devices approve ", ["r1"]),
    ("trunkline devices revoke ", ["d1"]),
    ("trunkline nodes reject ", ["r2"]),
    ("trunkline nodes describe ", ["n1"]),
    ("trunkline pairing dismiss ", ["irc:libera"]),
]


@pytest.mark.parametrize("shell", PLACES)
def test_the_installation_that_it_names_works_on_a_fresh_account(
    tmp_path: Path, shell: str
) -> None:
    lines = script(shell).splitlines()
    command = next(line for line in lines if "To install: " in line).partition("To install: ")[2]
    (tmp_path / "trunkline").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "trunkline").chmod(0o755)
    environment = {"HOME": str(tmp_path), "PATH": f"{tmp_path}:/usr/bin:/bin"}
    subprocess.run(["sh", "-e", "-c", command], env=environment, check=True)
    installed = tmp_path / PLACES[shell].removeprefix("~/")
    assert installed.read_text() == f"completion {shell}\n"


@pytest.mark.parametrize("shell", LINES_OF)
def test_each_shell_completes(tmp_path: Path, shell: str) -> None:
    found = completed(tmp_path, shell, [line for line, _ in TABLE])
    for (line, words), offered in zip(TABLE, found, strict=True):
        assert sorted(offered) == words, line


@pytest.mark.parametrize("shell", LINES_OF)
def test_a_value_may_stand_behind_an_equals_sign(tmp_path: Path, shell: str) -> None:
    lines = ["trunkline status --output=w", "trunkline status --filter=phase=r"]
    one, other = completed(tmp_path, shell, lines)
    assert (one[-1], other[-1]) == ("--output=wide", "--filter=phase=running")


def test_bash_ends_a_word_at_a_colon(tmp_path: Path) -> None:
    table = {
        "trunkline channels start local:": ["demo", "other"],
        "trunkline status --filter phase=": ["backoff", "running"],
        "trunkline status --output=w": ["wide"],
        "trunkline sessions show agent:main:m": ["main"],
        "trunkline sessions show agent:echo:joe@": ["home"],
    }
    assert completed(tmp_path, "bash", list(table), " :=@") == list(table.values())


def test_bash_types_no_quotes_where_nothing_is_known(tmp_path: Path) -> None:
    assert completed(tmp_path, "bash", ["trunkline nodes describe "], known="") == [[]]


@pytest.mark.parametrize("shell", LINES_OF)
def test_what_others_have_named_is_not_carried_out_at_a_tab(tmp_path: Path, shell: str) -> None:
    (found,) = completed(tmp_path, shell, ["trunkline sessions show agent:main:"])
    assert not (tmp_path / "PWNED").exists()
    assert len(found) == 3
    if shell == "bash":
        assert r"agent:main:\$\(touch\$\{IFS\}PWNED\)" in found


def test_the_words_of_the_line_say_which_runtime_is_asked(tmp_path: Path) -> None:
    completed(tmp_path, "bash", ["trunkline --profile p cron run 1"])
    assert (tmp_path / "answers.asked").read_text() == "__keys @jobs 1 --profile p cron run\n"


def test_each_id_that_a_command_takes_can_be_asked_for() -> None:
    """What the help calls an id, or a key of a list, is completed; and each kind has an answer."""
    for command in commands():
        for _, about in command.arguments:
            if about.startswith(("Id ", "Id,", "As `", "Account", "Agent", "The person")):
                assert command.takes_accounts or command.takes_agents or command.path in IDS
    known = {f"@{kind}" for kind in (*LISTS, *KEYS, "people", "filter", "profiles", "files")}
    assert {*IDS.values(), *TAKES.values()} <= known
    paths = {command.path for command in commands()}
    assert set(IDS) <= paths
    taken = [option for command in commands() for option in command.options]
    for option in (*taken, *root_options()):
        if "|" in option.takes and option.takes.islower():
            assert option_values(option) == option.takes.replace("|", " ")


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
