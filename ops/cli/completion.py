"""Implements ``trunkline completion SHELL``: prints the completion script of a shell.

Commands, options and the fixed values of options are part of the script, so that Tab starts no
program for them. Keys, ids and profiles are looked up as quickly as possible
(``completion_values``).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import Annotated

import typer

from ops.cli.command_info import CommandInfo, OptionInfo
from ops.cli.entry import KEYS
from ops.cli.help import TOPICS
from ops.cli.tree import commands, root_options
from ops.commands.options import command_app
from ops.exits import UsageFailure
from ops.output.listing import ORDERS
from workers.registry import manifests

app = command_app()

# What is known of the commands, in the words that bash and zsh have in common.
_TABLES = """\
_trunkline_words() {{
    case "$1" in
{words}
        *) return 1 ;;
    esac
}}
_trunkline_ids() {{
    case "$1" in
{ids}
    esac
}}
_trunkline_takes() {{
    case "$1 $2" in
{takes}
    esac
}}
"""

_BASH = (
    """\
# bash completion of trunkline. To install: {install}
_trunkline() {{
    local cur line path="" prev="" before="" word words=() skip="" found="" breaks
    # A key has a colon, which bash takes for the end of a word.
    line="${{COMP_LINE:0:COMP_POINT}}"
    cur="${{line##*[[:space:]]}}"
    read -r -a words <<< "${{line%"$cur"}}"
    for word in "${{words[@]:1}}"; do
        prev="$word"
        if [[ -n $skip ]]; then skip=""; continue; fi
        case "$word" in
            --profile|--state-dir|--config) skip=1 ;;
            -*) ;;
            *)
                word="${{path:+$path }}$word"
                _trunkline_words "$word" > /dev/null && path="$word"
                ;;
        esac
    done
    COMPREPLY=()
    if [[ $cur == --*=* ]]; then
        before="${{cur%%=*}}=" prev="${{cur%%=*}}" cur="${{cur#*=}}"
    fi
    if [[ $prev == -* ]]; then found="$(_trunkline_takes "$path" "$prev")"; fi
    if [[ -z $found && $cur != -* && -z $before ]]; then found="$(_trunkline_ids "$path")"; fi
    case "$found" in
        @files) compopt -o default 2> /dev/null; return 0 ;;
        @*) found="$(trunkline {verb} "$found" "$cur" "${{words[@]:1}}" 2> /dev/null)" ;;
        "") [[ -n $before ]] || found="$(_trunkline_words "$path")" ;;
    esac
    # Nothing of it is expanded, and it is quoted: people who write to accounts choose such names.
    while IFS= read -r word; do
        [[ -n $word ]] || continue  # %q would make two quotes of nothing
        printf -v word %q "$word"
        [[ $word == "$cur"* ]] && COMPREPLY+=("$before$word")
    done <<< "$found"
    [[ ${{#COMPREPLY[@]}} == 1 && ${{COMPREPLY[0]}} == *= ]] && compopt -o nospace 2> /dev/null
    breaks="${{COMP_WORDBREAKS//[^:=@]/}}"
    cur="$before$cur"
    [[ -n $breaks && $cur == *["$breaks"]* ]] && cur="${{cur%"${{cur##*["$breaks"]}}"}}" \\
        && COMPREPLY=("${{COMPREPLY[@]#"$cur"}}")
    return 0
}}
"""
    + _TABLES
    + """\
complete -F _trunkline trunkline
"""
)

_ZSH = (
    """\
#compdef trunkline
# zsh completion of trunkline. To install: {install}
_trunkline() {{
    local path_="" word skip="" cur="${{words[CURRENT]}}" prev="" before="" what=""
    local -a found ending
    for word in "${{(@)words[2,CURRENT-1]}}"; do
        prev="$word"
        if [[ -n $skip ]]; then skip=""; continue; fi
        case "$word" in
            --profile|--state-dir|--config) skip=1 ;;
            -*) ;;
            *)
                word="${{path_:+$path_ }}$word"
                _trunkline_words "$word" > /dev/null && path_="$word"
                ;;
        esac
    done
    if [[ $cur == --*=* ]]; then
        before=1 prev="${{cur%%=*}}" cur="${{cur#*=}}"
        compset -P 1 '*='
    fi
    if [[ $prev == -* ]]; then what="$(_trunkline_takes "$path_" "$prev")"; fi
    if [[ -z $what && $cur != -* && -z $before ]]; then what="$(_trunkline_ids "$path_")"; fi
    case "$what" in
        @files) _files; return ;;
        @*) what="$(trunkline {verb} "$what" "$cur" "${{(@)words[2,CURRENT-1]}}" 2> /dev/null)" ;;
        "") [[ -n $before ]] || what="$(_trunkline_words "$path_")" ;;
    esac
    found=("${{(@f)what}}")
    [[ -n $what ]] || return 1
    [[ ${{#${{found:#*=}}}} == 0 ]] && ending=(-S '')
    compadd "${{ending[@]}}" -- "${{found[@]}}"
}}
"""
    + _TABLES
    + """\
if [[ ${{funcstack[1]}} == _trunkline ]]; then
    _trunkline "$@"
else
    compdef _trunkline trunkline
fi
"""
)

_FISH = """\
# fish completion of trunkline. To install: {install}
function __trunkline_complete
    set -l line (commandline -opc)
    set -l cur (commandline -ct)
    set -l path ""
    set -l skip ""
    set -l prev ""
    set -l before ""
    set -l what
    for word in $line[2..-1]
        set prev $word
        if test -n "$skip"
            set skip ""
            continue
        end
        switch $word
            case --profile --state-dir --config
                set skip 1
            case '-*'
            case '*'
                set -l next (string trim "$path $word")
                if __trunkline_words "$next" > /dev/null
                    set path $next
                end
        end
    end
    if string match -qr -- '^--[a-z-]+=' "$cur"
        set prev (string replace -r -- '=.*' '' "$cur")
        set before "$prev="
        set cur (string replace -r -- '^[^=]*=' '' "$cur")
    end
    if string match -q -- '-*' "$prev"
        set what (__trunkline_takes "$path $prev")
    end
    if test -z "$what" -a -z "$before"; and not string match -q -- '-*' "$cur"
        set what (__trunkline_ids "$path")
    end
    switch "$what[1]"
        case @files
            set what (__fish_complete_path "$cur")
        case '@*'
            set what (trunkline {verb} "$what" "$cur" $line[2..-1] 2> /dev/null)
        case ''
            if test -z "$before"
                set what (__trunkline_words "$path")
            end
    end
    for word in $what
        echo "$before$word"
    end
end
function __trunkline_words
    switch "$argv[1]"
{words}
        case '*'
            return 1
    end
end
function __trunkline_ids
    switch "$argv[1]"
{ids}
    end
end
function __trunkline_takes
    switch "$argv[1]"
{takes}
    end
end
complete -c trunkline -f -a '(__trunkline_complete)'
"""
PLACES = {
    "bash": "~/.local/share/bash-completion/completions/trunkline",
    "zsh": "~/.zfunc/_trunkline",
    "fish": "~/.config/fish/completions/trunkline.fish",
}
# What a running daemon is asked for (``completion_values``), by the command or by the option.
IDS: dict[tuple[str, ...], str] = {
    ("chat",): "@local",
    ("logs",): "@logs",
    ("channels", "logs"): "@logs",
    ("restore",): "@files",
    ("import", "openclaw"): "@files",
}
for _group, _kind, _verbs in (
    ("cron", "@jobs", "run runs rm"),
    ("sessions", "@sessions", "show export reset delete"),
    ("deadletters", "@letters", "show retry discard"),
    ("devices", "@device-requests", "approve reject"),
    ("devices", "@devices", "remove rename rotate revoke"),
    ("nodes", "@node-requests", "approve reject"),
    ("nodes", "@nodes", "describe remove rename invoke"),
    ("pairing", "@people", "dismiss block unblock"),
):
    IDS |= {(_group, _verb): _kind for _verb in _verbs.split()}
ACCOUNTS, AGENTS = "@keys", "@agents"
TAKES = {
    "--agent": AGENTS,
    "--filter": "@filter",
    "--profile": "@profiles",
    "--session": "@sessions",
}
_CHOICE = re.compile(r"[a-z]+(\|[a-z]+)+")  # how an option that takes one of a few shows them


@app.command()
def completion(
    shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
) -> None:
    """Print the script by which a shell completes commands, options and what they take.

    A comment at its beginning has the command that installs it. Keys and ids come from the running
    daemon.

    Examples:
        trunkline completion bash
    """
    if shell not in PLACES:
        raise UsageFailure(f"{shell!r} is not a supported shell; allowed: {', '.join(PLACES)}")
    print(script(shell), end="")


def script(shell: str) -> str:
    """Return the completion script of a shell."""
    form, case = {"bash": (_BASH, _case), "zsh": (_ZSH, _case), "fish": (_FISH, _fish_case)}[shell]
    found, place = list(commands()), PLACES[shell]

    def cases(rows: Iterable[tuple[str, str]]) -> str:
        return "\n".join(
            line for path, words in rows for line in case(path, _printing(words)) if words
        )

    text: str = form.format(
        install=f"mkdir -p {PurePath(place).parent} && trunkline completion {shell} > {place}",
        verb=KEYS,
        words=cases(_words(found)),
        ids=cases((" ".join(command.path), _ids(command)) for command in found),
        takes=cases(_takes(found)),
    )
    return text


def _printing(words: str) -> str:
    """Return the command that prints words one per line; the same in all three shells."""
    return f"printf '%s\\n' {' '.join(shlex.quote(word) for word in words.split())}"


def _words(found: list[CommandInfo]) -> Iterator[tuple[str, str]]:
    """Yield the commands and options that may follow each command path."""
    first = [command.path[0] for command in found if len(command.path) == 1]
    options = [name for option in root_options() for name in option.names]
    yield "", " ".join([*first, *options])
    for command in found:
        names = [name for option in command.options for name in option.names]
        yield (
            " ".join(command.path),
            " ".join([*command.children, *_values(command, first), *names, "--help"]),
        )


def _values(command: CommandInfo, first: list[str]) -> list[str]:
    """Return the values of an argument that are known when the script is made."""
    match command.path:
        case ("help",):
            return [*TOPICS, *first]
        case ("completion",):
            return list(PLACES)
        case ("config", "example") | ("pairing", "approve"):
            return sorted(manifests())
    return []


def _ids(command: CommandInfo) -> str:
    if chosen := IDS.get(command.path):
        return chosen
    return ACCOUNTS if command.takes_accounts else AGENTS if command.takes_agents else ""


def _takes(found: list[CommandInfo]) -> Iterator[tuple[str, str]]:
    """Yield the values of each command's options, if they are fixed or can be looked up."""
    for path, options in (("", root_options()), *((c.path, c.options) for c in found)):
        for option in options:
            if words := option_values(option):
                for name in option.names:
                    yield f"{' '.join(path)} {name}", words


def option_values(option: OptionInfo) -> str:
    """Return the fixed values of an option, or the ``@`` kind of values to look up."""
    name = option.names[-1]
    if _CHOICE.fullmatch(option.takes):
        return option.takes.replace("|", " ")
    if name == "--sort":
        return " ".join(ORDERS)
    if name in ("--channel", "--reply-channel"):
        return " ".join(sorted(manifests()))
    if name == "--account" and option.takes == "KEY":
        return ACCOUNTS
    if option.takes in ("FILE", "DIR", "FILE|URL"):
        return "@files"
    return TAKES.get(name, "") if option.takes else ""


def _case(path: str, does: str) -> Iterator[str]:
    yield f'        "{path}") {does} ;;'


def _fish_case(path: str, does: str) -> Iterator[str]:
    yield f'        case "{path}"'
    yield f"            {does}"
