"""The command ``trunkline completion SHELL``: the script by which a shell completes commands.

Commands and options stand in the script, so that Tab starts no program for them. Keys of accounts
come from the running daemon, by the shortest way that there is (``account_keys``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated

import typer

from ops.cli.entry import KEYS
from ops.cli.help import TOPICS
from ops.cli.tree import CommandInfo, commands, root_options
from ops.commands.options import command_app
from ops.exits import UsageFailure
from workers.registry import manifests

app = command_app()

_BASH = """\
# bash completion of trunkline. To install: trunkline completion bash > {place}
_trunkline() {{
    local cur="${{COMP_WORDS[COMP_CWORD]}}" line="" path="" word words=() keys="" skip="" i
    # A key has a colon, which bash takes for the end of a word.
    line="${{COMP_LINE:0:COMP_POINT}}"
    cur="${{line##*[[:space:]]}}"
    read -r -a words <<< "${{line% *}}"
    for word in "${{words[@]:1}}"; do
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
    keys="$(_trunkline_keys "$path")"
    if [[ $cur != -* && -n $keys ]]; then
        words=$(trunkline {verb} "${{words[@]:1}}" 2> /dev/null | sed -n "$keys")
    else
        words=$(_trunkline_words "$path")
    fi
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
    [[ $cur == *:* ]] && COMPREPLY=("${{COMPREPLY[@]#"${{cur%:*}}:"}}")
    return 0
}}
_trunkline_words() {{
    case "$1" in
{words}
        *) return 1 ;;
    esac
}}
_trunkline_keys() {{
    case "$1" in
{keys}
    esac
}}
complete -F _trunkline trunkline
"""

_ZSH = """\
#compdef trunkline
# zsh completion of trunkline. To install: trunkline completion zsh > {place}
_trunkline() {{
    local path_="" word skip="" keys
    local -a found
    for word in "${{words[@]:1:$((CURRENT - 2))}}"; do
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
    keys="$(_trunkline_keys "$path_")"
    if [[ "${{words[CURRENT]}}" != -* && -n $keys ]]; then
        found=(${{(f)"$(trunkline {verb} ${{words[@]:1}} 2> /dev/null | sed -n "$keys")"}})
    else
        found=(${{=$(_trunkline_words "$path_")}})
    fi
    compadd -- "${{found[@]}}"
}}
_trunkline_words() {{
    case "$1" in
{words}
        *) return 1 ;;
    esac
}}
_trunkline_keys() {{
    case "$1" in
{keys}
    esac
}}
if [[ ${{funcstack[1]}} == _trunkline ]]; then
    _trunkline "$@"
else
    compdef _trunkline trunkline
fi
"""

_FISH = """\
# fish completion of trunkline. To install: trunkline completion fish > {place}
function __trunkline_complete
    set -l line (commandline -opc)
    set -l path ""
    set -l skip ""
    for word in $line[2..-1]
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
    set -l keys (__trunkline_keys "$path")
    if test -n "$keys"; and not string match -q -- '-*' (commandline -ct)
        trunkline {verb} $line[2..-1] 2> /dev/null | sed -n "$keys"
    else
        __trunkline_words "$path" | string split ' '
    end
end
function __trunkline_words
    switch "$argv[1]"
{words}
        case '*'
            return 1
    end
end
function __trunkline_keys
    switch "$argv[1]"
{keys}
    end
end
complete -c trunkline -f -a '(__trunkline_complete)'
"""
PLACES = {
    "bash": "~/.local/share/bash-completion/completions/trunkline",
    "zsh": "~/.zfunc/_trunkline",
    "fish": "~/.config/fish/completions/trunkline.fish",
}
# What sed prints of the keys: all of them, those of the local channel, or the ids of agents.
ACCOUNTS, LOCAL, AGENTS = "p", "/^local:/p", "s/^agent://p"

Case = Callable[[str, str], Iterator[str]]


@app.command()
def completion(
    shell: Annotated[str, typer.Argument(metavar="SHELL", help="One of bash, zsh, fish.")],
) -> None:
    """Print the script by which a shell completes commands, options and keys of accounts.

    Its first line says where it belongs. Keys come from the running daemon.
    """
    if shell not in PLACES:
        raise UsageFailure(f"{shell!r} is no shell that is known; allowed: {', '.join(PLACES)}")
    print(script(shell), end="")


def script(shell: str) -> str:
    """Return the script of a shell."""
    form, case = {"bash": (_BASH, _case), "zsh": (_ZSH, _case), "fish": (_FISH, _fish_case)}[shell]
    found = list(commands())
    return form.format(
        place=PLACES[shell],
        verb=KEYS,
        words="\n".join(
            line for path, words in _words(found) for line in case(path, f"echo '{words}'")
        ),
        keys="\n".join(
            line
            for command in found
            if (chosen := _keys(command))
            for line in case(" ".join(command.path), f"echo '{chosen}'")
        ),
    )


def _words(found: list[CommandInfo]) -> Iterator[tuple[str, str]]:
    """Yield what may follow each path: commands and options."""
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
    """Return what an argument may be, where that is known as the script is made."""
    if command.path == ("help",):
        return [*TOPICS, *first]
    return sorted(manifests()) if command.path == ("config", "example") else []


def _keys(command: CommandInfo) -> str:
    if command.path == ("chat",):
        return LOCAL
    return ACCOUNTS if command.takes_accounts else AGENTS if command.takes_agents else ""


def _case(path: str, does: str) -> Iterator[str]:
    yield f'        "{path}") {does} ;;'


def _fish_case(path: str, does: str) -> Iterator[str]:
    yield f'        case "{path}"'
    yield f"            {does}"
