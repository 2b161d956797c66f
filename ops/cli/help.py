"""The command ``trunkline help TOPIC``: prints the help of a command or of a topic."""

from __future__ import annotations

import difflib
from typing import Annotated, Any

import typer

from ops.cli.main import Commands
from ops.commands.options import command_app
from ops.exits import EXIT_MEANINGS, UsageFailure

app = command_app()

_EXITS = "\n".join(f"  {int(code):>3}  {meaning}" for code, meaning in EXIT_MEANINGS.items())
TOPICS = {
    "keys": """\
An account is named by its key, CHANNEL:NAME, like irc:libera. A channel alone (irc) means all of
its accounts, --all means every account. An agent is named by its id (main), or by agent:main where
accounts may stand too.""",
    "exit-codes": f"Exit codes are stable, for scripts:\n\n{_EXITS}",
    "filters": """\
--filter FIELD=VALUE[,…] shows only rows of which it is true. Values of one field are alternatives,
different fields must all hold, != takes out, * stands for anything:

  trunkline status --filter phase=backoff,phase=failed,channel=irc

Fields: account, channel, phase, cause, health, agent, name, enabled, held.""",
    "phases": """\
  stopped   not wanted, or not able to run: the cause says which
  starting  its process is there and not ready yet
  running   ready; `degraded` beside it: it runs and is not well
  stopping  it logs out
  backoff   it failed and is tried again; the next try is shown
  failed    a person is needed; `trunkline channels describe KEY` says what for""",
    "environment": """\
A flag counts first, then the environment, then the file, then the default.

  TRUNKLINE_STATE_DIR      the state directory (--state-dir)
  TRUNKLINE_CONFIG_PATH    the configuration (--config)
  TRUNKLINE_PROFILE        a world of its own beside the others (--profile)
  TRUNKLINE_RUNTIME_DIR    where the sockets lie
  TRUNKLINE_GATEWAY_PORT   the gateway's port
  TRUNKLINE_GATEWAY_TOKEN  the gateway's token
  OPENCLAW_GATEWAY_URL     where --url is not given; OPENCLAW_GATEWAY_TOKEN for --token
  NO_COLOR                 no colours""",
    "secrets": """\
A secret stands in the file, which is then for its owner only, or the file refers to where it is:

  {source: "env", id: "NAME"}         a variable of the daemon
  {source: "file", id: "/path"}       the text of a file
  {source: "credential", id: "NAME"}  what systemd hands over (LoadCredential=)
  {source: "exec", id: "pass show x"} what a command prints""",
    "start": """\
  trunkline setup               asks for a channel, its token and an agent
  trunkline up --detach         starts the daemon
  trunkline status              how everything is, the worst first
  trunkline chat local:demo     talks to the first account
  trunkline doctor              looks for what is wrong
  trunkline service install     starts the daemon at each boot""",
}


@app.command()
def help_(
    context: typer.Context,
    topic: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TOPIC…]", help="A command, like `channels start`, or a topic."),
    ] = None,
) -> None:
    """Explain a command or a topic; without one, list the topics."""
    words = topic or []
    root: Any = context.find_root().command
    if not words:
        print("topics: " + ", ".join(TOPICS))
        print("commands: " + ", ".join(Commands.table))
    elif len(words) == 1 and words[0] in TOPICS:
        print(TOPICS[words[0]])
    else:
        _must_be_known(root, context.find_root(), words)
        root([*words, "--help"], prog_name="trunkline", standalone_mode=False)


def _must_be_known(command: Any, root: Any, words: list[str]) -> None:
    """Raise ``UsageFailure``, which suggests similar names, unless the words name a command."""
    for word in words:
        known = list(getattr(command, "list_commands", lambda _: [])(root))
        if word not in known:
            near = difflib.get_close_matches(word, [*TOPICS, *known], n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise UsageFailure(f"unknown command or topic {' '.join(words)!r}{hint}")
        command = command.get_command(root, word)
